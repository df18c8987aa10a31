//! Packages that came, went, or have another version.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::index::{PackageKind, Tree};

/// A package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    pub kind: PackageKind,
    pub name: String,
    /// The versions there were: several of a Node package may be installed.
    pub before: Vec<String>,
    pub after: Vec<String>,
}

/// Changed packages by manager and name.
pub fn changes(before: &Tree, after: &Tree) -> Vec<PackageChange> {
    let mut versions: BTreeMap<(PackageKind, String), [BTreeSet<String>; 2]> = BTreeMap::new();
    for (side, tree) in [before, after].into_iter().enumerate() {
        for (_, package) in tree.packages() {
            let key = (package.kind, package.name.clone());
            versions.entry(key).or_default()[side].insert(package.version.clone());
        }
    }
    versions
        .into_iter()
        .filter(|(_, [before, after])| before != after)
        .map(|((kind, name), [before, after])| PackageChange {
            kind,
            name,
            before: before.into_iter().collect(),
            after: after.into_iter().collect(),
        })
        .collect()
}
