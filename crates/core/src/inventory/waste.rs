//! Bytes that an image carries for nothing.

use std::collections::BTreeMap;

use whit_oci::{Digest, ImagePath};

use super::{Content, Inventory};
use crate::index::FileId;

/// Content that a layer holds and that a later entry took away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waste {
    pub path: ImagePath,
    pub bytes: u64,
    /// The layer that holds it, counted from the bottom.
    pub layer: u16,
    /// The layer that took it away.
    pub by: u16,
    pub fate: Fate,
    pub content: Content,
}

/// What became of content that nobody sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fate {
    /// A whiteout hides it.
    Deleted,
    /// Something else lies at its path.
    Replaced,
    /// The same bytes lie at its path once more, with another owner, mode or
    /// time: `chown -R` in a layer of its own. Known only with
    /// [`super::Detail::digests`].
    Repeated,
}

/// Files with the same content that are no hard links of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    pub digest: Digest,
    /// Bytes of one of them.
    pub size: u64,
    /// In path order, two at least.
    pub files: Vec<FileId>,
}

impl Duplicate {
    /// Bytes that hard links would save.
    pub fn wasted(&self) -> u64 {
        self.size.saturating_mul(self.files.len() as u64 - 1)
    }
}

/// All duplicates that processes see, the most wasteful first. None unless
/// [`super::Detail::digests`] was asked for.
pub fn duplicates(inventory: &Inventory) -> Vec<Duplicate> {
    let mut alike: BTreeMap<(Digest, u64), Vec<FileId>> = BTreeMap::new();
    for (file, size) in inventory.files().filter(|(_, size)| *size > 0) {
        if let Some(digest) = inventory.content(file).and_then(|c| c.digest) {
            alike.entry((digest, size)).or_default().push(file);
        }
    }
    let mut found: Vec<Duplicate> = alike
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|((digest, size), files)| Duplicate {
            digest,
            size,
            files,
        })
        .collect();
    found.sort_by_key(|duplicate| (std::cmp::Reverse(duplicate.wasted()), duplicate.files[0]));
    found
}
