//! How big an image is, how long it takes to pull, and whether that is within
//! a budget.

mod budget;
mod units;

use std::collections::BTreeSet;

use serde::Serialize;
use whit_oci::{Digest, Image};

use crate::inventory::{Inventory, Layer};

pub use budget::{Budget, Excess, excesses};
pub use units::{Bandwidth, Bytes, UnitError};

/// The sizes of one image. All in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageSize {
    /// As the user named it.
    pub image: String,
    /// All regular files of all layers, hard links counted once. With
    /// `link_bytes`, what `docker image inspect` calls `Size`.
    pub uncompressed: u64,
    /// The targets of all symbolic links of all layers.
    pub link_bytes: u64,
    /// The regular files that processes see: what an unpacked copy holds. The
    /// rest of `uncompressed` was replaced or deleted by higher layers.
    pub visible: u64,
    /// The layers as they are stored: what `skopeo inspect` adds up.
    pub stored: u64,
    /// What goes over the wire when nothing of it is there yet.
    pub compressed: u64,
    /// True where layers are stored without compression, so that `compressed`
    /// is extrapolated from samples.
    pub estimated: bool,
    pub recompressed: Vec<Recompressed>,
    /// Files, links and folders that processes see.
    pub files: u64,
    /// `compressed` less the layers that are there already.
    pub to_pull: u64,
    pub pull: Vec<PullTime>,
    pub layers: Vec<LayerSize>,
}

/// The layers compressed again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recompressed {
    pub compression: String,
    pub bytes: u64,
}

/// Time to pull, by the number of bytes alone: no latency, no unpacking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PullTime {
    pub bandwidth: Bandwidth,
    pub seconds: f64,
}

/// A layer's part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerSize {
    pub digest: Option<Digest>,
    pub diff_id: Digest,
    pub uncompressed: u64,
    /// The tar, headers and all.
    pub tar: u64,
    pub stored: u64,
    pub compressed: u64,
    pub estimated: bool,
    pub entries: u64,
    pub created_by: String,
    /// It need not be pulled.
    pub there: bool,
}

/// Layers that a node has, by the digests of blobs and of tars: engines know
/// them by either.
#[derive(Debug, Clone, Default)]
pub struct Present(BTreeSet<Digest>);

impl Present {
    /// Adds the layers of an image that the node has.
    pub fn add(&mut self, image: &Image) {
        for layer in image.layers() {
            self.0.insert(layer.diff_id);
            self.0.extend(layer.digest);
        }
    }

    fn has(&self, layer: &Layer) -> bool {
        self.0.contains(&layer.diff_id)
            || layer.digest.is_some_and(|digest| self.0.contains(&digest))
    }
}

/// Adds up the sizes of an image. A layer that it has twice is pulled once.
pub fn measure(
    image: &str,
    inventory: &Inventory,
    present: &Present,
    bandwidths: &[Bandwidth],
) -> ImageSize {
    let mut pulled = BTreeSet::new();
    let layers: Vec<LayerSize> = inventory
        .layers
        .iter()
        .map(|layer| LayerSize {
            digest: layer.digest,
            diff_id: layer.diff_id,
            uncompressed: layer.bytes,
            tar: layer.tar,
            stored: layer.stored,
            compressed: layer.wire.bytes,
            estimated: layer.wire.estimated,
            entries: layer.entries,
            created_by: layer.created_by.clone(),
            there: present.has(layer) || !pulled.insert(layer.diff_id),
        })
        .collect();
    let wire = inventory.wire();
    let to_pull = layers
        .iter()
        .filter(|layer| !layer.there)
        .map(|layer| layer.compressed)
        .sum();
    ImageSize {
        image: image.to_owned(),
        uncompressed: inventory.bytes(),
        link_bytes: layers_sum(inventory, |layer| layer.link_bytes),
        visible: inventory.visible_bytes(),
        stored: layers_sum(inventory, |layer| layer.stored),
        compressed: wire.bytes,
        estimated: wire.estimated,
        recompressed: recompressed(inventory),
        files: inventory.tree.len().saturating_sub(1) as u64,
        to_pull,
        pull: bandwidths
            .iter()
            .map(|bandwidth| PullTime {
                bandwidth: *bandwidth,
                seconds: bandwidth.seconds(to_pull),
            })
            .collect(),
        layers,
    }
}

fn layers_sum(inventory: &Inventory, size: fn(&Layer) -> u64) -> u64 {
    inventory
        .layers
        .iter()
        .map(size)
        .fold(0, u64::saturating_add)
}

/// Every layer was compressed in the same ways, in the same order.
fn recompressed(inventory: &Inventory) -> Vec<Recompressed> {
    let ways = inventory.layers.first().map(|layer| &layer.recompressed);
    ways.into_iter()
        .flatten()
        .enumerate()
        .map(|(i, (compression, _))| Recompressed {
            compression: compression.to_string(),
            bytes: inventory
                .layers
                .iter()
                .filter_map(|layer| layer.recompressed.get(i))
                .map(|(_, bytes)| bytes)
                .sum(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
