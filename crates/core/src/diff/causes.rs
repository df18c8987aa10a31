//! Whose bytes became more or fewer.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use whit_oci::ImagePath;

use crate::index::{Package, PackageKind, Tree};
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
    for (key, bytes) in sizes(before, after) {
        sums.entry(key).or_default().0 = bytes;
    }
    for (key, bytes) in sizes(after, before) {
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

/// All bytes of all layers, each counted for one thing. Where an image does
/// not tell to which package a file belongs, `other` is asked: small images
/// often lost the lists.
fn sizes(inventory: &Inventory, other: &Inventory) -> BTreeMap<(CauseKind, String), u64> {
    let mut sums: BTreeMap<(CauseKind, String), u64> = BTreeMap::new();
    let mut add = |key, bytes: u64| {
        let sum = sums.entry(key).or_default();
        *sum = sum.saturating_add(bytes);
    };
    for (file, size) in inventory.files() {
        let path = inventory.tree.path(file);
        let owner = owner(&inventory.tree, path).or_else(|| owner(&other.tree, path));
        let key = match owner {
            Some(package) => (CauseKind::Package(package.kind), package.name.clone()),
            None => (CauseKind::Folder, folder(path)),
        };
        add(key, size);
    }
    for waste in &inventory.waste {
        add((CauseKind::Hidden, String::new()), waste.bytes);
    }
    sums
}

/// The package of the file at `path`, or for bytecode that of its source
/// beside it.
fn owner<'a>(tree: &'a Tree, path: &ImagePath) -> Option<&'a Package> {
    let source = || {
        let source = path.as_bytes().strip_suffix(b"c")?;
        source
            .ends_with(b".py")
            .then(|| tree.get(&ImagePath::clamped(source)))?
    };
    let file = tree.get(path).or_else(source)?;
    tree.node(file).package.map(|id| tree.package(id))
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
