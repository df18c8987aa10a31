//! Whose bytes became more or fewer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use whit_oci::ImagePath;

use crate::index::PackageKind;
use crate::inventory::Inventory;

/// Something whose size changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    pub kind: CauseKind,
    /// The package's name or the folder; empty for what is hidden.
    pub name: String,
    pub before: u64,
    pub after: u64,
}

/// What a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CauseKind {
    /// Files of no package below a folder.
    Folder,
    /// What lies in layers and was replaced or deleted by higher ones.
    Hidden,
    #[serde(untagged)]
    Package(PackageKind),
}

impl Cause {
    /// Bytes that it got or lost.
    pub fn change(&self) -> i128 {
        i128::from(self.after) - i128::from(self.before)
    }
}

/// Everything whose size changed, the largest change first.
pub fn causes(before: &Inventory, after: &Inventory) -> Vec<Cause> {
    let mut sums: BTreeMap<(CauseKind, String), (u64, u64)> = BTreeMap::new();
    for (key, bytes) in sizes(before) {
        sums.entry(key).or_default().0 = bytes;
    }
    for (key, bytes) in sizes(after) {
        sums.entry(key).or_default().1 = bytes;
    }
    let mut causes: Vec<Cause> = sums
        .into_iter()
        .filter(|(_, (before, after))| before != after)
        .map(|((kind, name), (before, after))| Cause {
            kind,
            name,
            before,
            after,
        })
        .collect();
    // Stable: equal ones stay in the order of their names.
    causes.sort_by_key(|cause| Reverse(cause.change().unsigned_abs()));
    causes
}

/// All bytes of all layers, each counted for one thing.
fn sizes(inventory: &Inventory) -> BTreeMap<(CauseKind, String), u64> {
    let mut sums: BTreeMap<(CauseKind, String), u64> = BTreeMap::new();
    let mut add = |key, bytes: u64| {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(bytes);
    };
    let tree = &inventory.tree;
    for (file, size) in inventory.files() {
        let node = tree.node(file);
        let key = match node.package.map(|id| tree.package(id)) {
            Some(package) => (CauseKind::Package(package.kind), package.name.clone()),
            None => (CauseKind::Folder, folder(&node.path)),
        };
        add(key, size);
    }
    for waste in &inventory.waste {
        add((CauseKind::Hidden, String::new()), waste.bytes);
    }
    sums
}

/// The folder that a reader thinks of: `/app`, `/etc`, and one step deeper
/// where everybody has everything.
fn folder(path: &ImagePath) -> String {
    const SHARED: [&[u8]; 4] = [b"usr", b"var", b"opt", b"home"];
    let parts: Vec<&[u8]> = path.components().collect();
    let depth = match parts.first() {
        Some(first) if SHARED.contains(first) => 2,
        _ => 1,
    };
    // The last component is the file itself.
    let folders = &parts[..parts.len().saturating_sub(1).min(depth)];
    format!("/{}", String::from_utf8_lossy(&folders.join(&b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        for (path, want) in [
            ("app/a/b/c.py", "/app"),
            ("usr/local/bin/x", "/usr/local"),
            ("usr/x", "/usr"),
            ("x", "/"),
        ] {
            assert_eq!(folder(&path.into()), want);
        }
    }
}
