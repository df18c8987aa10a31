//! What processes see, added up in several ways. Hard links count once, so
//! every way comes to the same total.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

use super::{FileType, Inventory};
use crate::index::PackageId;

/// Regular files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sum {
    pub files: u64,
    pub bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }
}

/// By package; `None` are the files of no package.
pub fn by_package(inventory: &Inventory) -> BTreeMap<Option<PackageId>, Sum> {
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    for (file, size) in inventory.files() {
        let package = inventory.tree.node(file).package;
        sums.entry(package).or_default().add(size);
    }
    sums
}

pub fn by_type(inventory: &Inventory) -> BTreeMap<FileType, Sum> {
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    for (file, size) in inventory.files() {
        let file_type = inventory
            .content(file)
            .map_or(FileType::Other, |content| content.file_type);
        sums.entry(file_type).or_default().add(size);
    }
    sums
}

/// Every folder with all that lies below it.
pub fn by_folder(inventory: &Inventory) -> BTreeMap<ImagePath, Sum> {
    let mut sums: BTreeMap<_, Sum> = BTreeMap::new();
    for (file, size) in inventory.files() {
        for folder in inventory.tree.path(file).ancestors() {
            sums.entry(folder).or_default().add(size);
        }
    }
    sums
}
