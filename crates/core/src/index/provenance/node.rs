//! Node's packages: `node_modules/NAME/package.json`.

use std::collections::HashMap;

use serde_json::Value;

use super::{Owners, split_name};
use crate::index::{FileId, Package, PackageId, PackageKind, Tree};

pub fn wants(path: &[u8]) -> bool {
    let (folder, name) = split_name(path);
    let (mut above, _) = split_name(folder);
    if split_name(above).1.starts_with(b"@") {
        above = split_name(above).0;
    }
    name == b"package.json" && split_name(above).1 == b"node_modules"
}

/// Gives every file in a package's folder to it; in nested packages, to the
/// nearest one.
pub fn assign(owners: &mut Owners) {
    let tree = owners.tree;
    let manifests: Vec<(FileId, FileId)> = tree
        .iter()
        .filter(|(id, node)| {
            node.path.name() == b"package.json" && node.is_file() && owners.owner(*id).is_none()
        })
        .filter_map(|(id, _)| Some((package_folder(tree, id)?, id)))
        .collect();
    let mut roots: HashMap<FileId, (PackageId, u16)> = HashMap::new();
    for (folder, manifest) in manifests {
        let Some(package) = owners.bytes(manifest).and_then(|bytes| parse(&bytes)) else {
            continue;
        };
        let id = owners.add(package);
        roots.insert(folder, (id, tree.node(manifest).layer));
    }
    if roots.is_empty() {
        return;
    }
    // Folders come before what they hold.
    let mut nearest: Vec<Option<(PackageId, u16)>> = vec![None; tree.len()];
    for (id, node) in tree.iter() {
        let inherited = node
            .path
            .parent()
            .and_then(|parent| tree.get(&parent))
            .and_then(|parent| nearest[parent.0 as usize]);
        let found = roots.get(&id).copied().or(inherited);
        nearest[id.0 as usize] = found;
        if let Some((package, layer)) = found {
            owners.give_recorded(id, package, layer);
        }
    }
    owners.assign_links(|node, _| {
        node.path
            .parent()
            .is_some_and(|parent| parent.as_bytes().ends_with(b"node_modules/.bin"))
    });
}

/// The folder of a manifest, if it is `node_modules/NAME` or
/// `node_modules/@SCOPE/NAME`.
fn package_folder(tree: &Tree, manifest: FileId) -> Option<FileId> {
    let folder = tree.path(manifest).parent()?;
    let mut above = folder.parent()?;
    if above.name().starts_with(b"@") {
        above = above.parent()?;
    }
    (above.name() == b"node_modules").then(|| tree.get(&folder))?
}

fn parse(bytes: &[u8]) -> Option<Package> {
    let manifest: Value = serde_json::from_slice(bytes).ok()?;
    let text = |key: &str| manifest.get(key).and_then(Value::as_str).map(str::to_owned);
    let mut depends: Vec<String> = ["dependencies", "optionalDependencies", "peerDependencies"]
        .iter()
        .filter_map(|key| manifest.get(key)?.as_object())
        .flat_map(|names| names.keys().cloned())
        .collect();
    depends.sort();
    depends.dedup();
    Some(Package {
        kind: PackageKind::Node,
        name: text("name")?,
        version: text("version").unwrap_or_default(),
        depends,
        record: String::new(),
    })
}
