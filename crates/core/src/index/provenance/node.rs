//! Node's packages: `node_modules/NAME/package.json`.

use std::collections::HashMap;

use serde_json::Value;

use super::{Owners, split_name};
use crate::index::{FileId, Package, PackageId, PackageKind, Tree};

pub fn wants(path: &[u8]) -> bool {
    if path.ends_with(VERSION_HEADER) {
        return true;
    }
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
    owners.assign_links(|node, target| {
        let parent = node.path.parent().unwrap_or_default();
        let above = parent.parent().unwrap_or_default();
        let is_scope = parent.name().starts_with(b"@") && above.name() == b"node_modules";
        match parent.name() {
            b".bin" => above.name() == b"node_modules",
            // pnpm's links to where packages really lie.
            b"node_modules" => true,
            // `/usr/local/bin/npm`
            b"bin" => memchr::memmem::find(target, b"node_modules/").is_some(),
            _ => is_scope,
        }
    });
}

/// What comes with Node where no package manager put it there, as in the
/// official images: headers and documentation. The program itself counts as the
/// user's.
pub fn assign_headers(owners: &mut Owners) {
    let tree = owners.tree;
    let headers: Vec<FileId> = tree
        .iter()
        .filter(|(id, node)| {
            node.path.as_bytes().ends_with(VERSION_HEADER) && owners.owner(*id).is_none()
        })
        .map(|(id, _)| id)
        .collect();
    for header in headers {
        let Some(prefix) = tree.path(header).ancestors().nth(2) else {
            continue;
        };
        let text = owners.text(tree.path(header)).unwrap_or_default();
        let package = owners.add(Package {
            kind: PackageKind::Node,
            name: "node".to_owned(),
            version: version(&text),
            depends: Vec::new(),
            record: String::new(),
        });
        let layer = tree.node(header).layer;
        for part in [
            "include/node",
            "share/doc/node",
            "share/man/man1/node.1",
            "share/systemtap/tapset/node.stp",
            "CHANGELOG.md",
            "README.md",
        ] {
            if let Some(id) = tree.get(&prefix.join(part)) {
                for file in std::iter::once(id).chain(tree.below(id)) {
                    owners.give_recorded(file, package, layer);
                }
            }
        }
    }
}

const VERSION_HEADER: &[u8] = b"include/node/node_version.h";

/// `#define NODE_MAJOR_VERSION 22`, and the others.
fn version(header: &str) -> String {
    let number = |part: &str| {
        let name = format!("NODE_{part}_VERSION");
        let line = header
            .lines()
            .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name.as_str()));
        line.map(str::trim).unwrap_or("0").to_owned()
    };
    ["MAJOR", "MINOR", "PATCH"].map(number).join(".")
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
