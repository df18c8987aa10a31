//! What changed from one image to another, and where the bytes of the
//! difference come from.

mod causes;
mod config;
mod files;
mod growth;
mod packages;

use serde::Serialize;

use crate::inventory::Inventory;

pub use causes::{Cause, CauseKind};
pub use config::ConfigChange;
pub use files::{Aspect, FileChange, FileState};
pub use growth::{Grown, Growth};
pub use packages::PackageChange;

/// The difference of two images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    pub before: Side,
    pub after: Side,
    /// Their `before`s add up to the first image's uncompressed size and their
    /// `after`s to the second one's, but for what both have alike. The largest
    /// change first.
    pub causes: Vec<Cause>,
    pub packages: Vec<PackageChange>,
    pub config: Vec<ConfigChange>,
    /// In path order. Times are not compared: they change with every build.
    pub files: Vec<FileChange>,
}

/// One of the two images. Sizes are [`crate::size::ImageSize`]'s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    pub image: String,
    pub uncompressed: u64,
    pub visible: u64,
    pub compressed: u64,
    pub estimated: bool,
    pub layers: usize,
    pub files: u64,
}

/// Compares two images; both inventories have digests.
pub fn diff(before: (&str, &Inventory), after: (&str, &Inventory)) -> Diff {
    let (old, new) = (before.1, after.1);
    Diff {
        before: side(before.0, old),
        after: side(after.0, new),
        causes: causes::causes(old, new),
        packages: packages::changes(&old.tree, &new.tree),
        config: config::changes(&old.config, &new.config),
        files: files::changes(old, new),
    }
}

fn side(image: &str, inventory: &Inventory) -> Side {
    let wire = inventory.wire();
    Side {
        image: image.to_owned(),
        uncompressed: inventory.bytes(),
        visible: inventory.visible_bytes(),
        compressed: wire.bytes,
        estimated: wire.estimated,
        layers: inventory.layers.len(),
        files: inventory.tree.len().saturating_sub(1) as u64,
    }
}

#[cfg(test)]
mod tests;
