//! What an image may weigh.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Bytes;
use super::{ImageSize, LayerSize};
use crate::index::Package;
use crate::inventory::{Inventory, by_package};

/// `[budget]` of `whit.toml`, and the `--max` flags. What is not set has no
/// limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Budget {
    /// The image, uncompressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
    /// The image, compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<Bytes>,
    /// Every layer, uncompressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Bytes>,
    /// Every package that is not in `packages`, uncompressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Bytes>,
    /// Packages by name, uncompressed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, Bytes>,
}

impl Budget {
    /// These limits, and where they are silent those of `lower`.
    pub fn or(self, lower: Budget) -> Budget {
        let mut packages = lower.packages;
        packages.extend(self.packages);
        Budget {
            size: self.size.or(lower.size),
            compressed: self.compressed.or(lower.compressed),
            layer: self.layer.or(lower.layer),
            package: self.package.or(lower.package),
            packages,
        }
    }
}

/// Something that weighs more than it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excess {
    pub image: String,
    #[serde(flatten)]
    pub what: Weighed,
    pub bytes: u64,
    pub limit: u64,
    /// `bytes` was extrapolated from samples.
    pub estimated: bool,
}

/// What was weighed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum Weighed {
    Uncompressed,
    Compressed,
    /// Counted from 1, and what made it.
    Layer {
        number: usize,
        created_by: String,
    },
    Package {
        name: String,
    },
}

impl fmt::Display for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uncompressed => write!(f, "the image, uncompressed,"),
            Self::Compressed => write!(f, "the image, compressed,"),
            Self::Layer { number, .. } => write!(f, "layer {number}"),
            Self::Package { name } => write!(f, "package {name}"),
        }
    }
}

/// Everything of an image that is over the budget: the image itself, then
/// layers from the bottom up, then packages by name.
pub fn excesses(size: &ImageSize, inventory: &Inventory, budget: &Budget) -> Vec<Excess> {
    let over = |what: Weighed, bytes: u64, limit: Option<Bytes>, estimated: bool| {
        let Bytes(limit) = limit?;
        (bytes > limit).then(|| Excess {
            image: size.image.clone(),
            what,
            bytes,
            limit,
            estimated,
        })
    };
    let whole = [
        over(Weighed::Uncompressed, size.uncompressed, budget.size, false),
        over(
            Weighed::Compressed,
            size.compressed,
            budget.compressed,
            size.estimated,
        ),
    ];
    let layer = |(i, layer): (usize, &LayerSize)| {
        let what = Weighed::Layer {
            number: i + 1,
            created_by: layer.created_by.clone(),
        };
        over(what, layer.uncompressed, budget.layer, false)
    };
    let package = |(name, bytes): (String, u64)| {
        let limit = budget.packages.get(&name).copied().or(budget.package);
        over(Weighed::Package { name }, bytes, limit, false)
    };
    whole
        .into_iter()
        .flatten()
        .chain(size.layers.iter().enumerate().filter_map(layer))
        .chain(packages(inventory).into_iter().filter_map(package))
        .collect()
}

/// Bytes of packages by name. A Debian package and a Python one of the same
/// name share a limit, and so do two versions of a Node package.
fn packages(inventory: &Inventory) -> BTreeMap<String, u64> {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for (package, sum) in by_package(inventory) {
        if let Some(Package { name, .. }) = package.map(|id| inventory.tree.package(id)) {
            *sums.entry(name.clone()).or_default() += sum.bytes;
        }
    }
    sums
}
