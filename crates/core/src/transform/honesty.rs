//! What lets a scanner see what is inside: the package databases, cut down to
//! the packages that survive.

use std::collections::BTreeSet;
use std::sync::Arc;

use whit_oci::{ImagePath, Kind, Meta};

use super::{Content, Edit, LayerClass, SmallFile, SmallTree};
use crate::index::{PackageId, PackageKind, Tree};

/// Adds `var/lib/dpkg/status.d/NAME` for every Debian package of which a file
/// is left (distroless's convention), and `lib/apk/db/installed` cut down to
/// the surviving packages of Alpine. A database that the app itself reads is
/// kept by the plan and left alone.
pub fn package_databases(tree: &Tree, small: &SmallTree, mtime: i64) -> SmallTree {
    let survivors: BTreeSet<PackageId> = small
        .files
        .values()
        .filter(|file| !matches!(file.kind, Kind::Dir))
        .filter_map(|file| tree.node(file.origin?).package)
        .collect();
    let mut added = SmallTree::default();
    let mut apk = String::new();
    for id in survivors {
        let package = tree.package(id);
        let record = package.record.trim_end();
        match package.kind {
            PackageKind::Dpkg if !record.is_empty() => {
                let path = ImagePath::from("var/lib/dpkg/status.d").join(&package.name);
                let text = format!("{record}\n");
                added.files.insert(path, generated_file(text, mtime));
            }
            PackageKind::Apk if !record.is_empty() => {
                apk.push_str(record);
                apk.push_str("\n\n");
            }
            _ => {}
        }
    }
    if !apk.is_empty() {
        let path = ImagePath::from("lib/apk/db/installed");
        added.files.insert(path, generated_file(apk, mtime));
    }
    added
        .files
        .retain(|path, _| !small.files.contains_key(path));
    with_folders(&mut added, small, mtime);
    added
}

/// A file that whit writes.
pub fn generated_file(text: String, mtime: i64) -> SmallFile {
    SmallFile {
        kind: Kind::File {
            size: text.len() as u64,
        },
        meta: Meta {
            mode: 0o644,
            mtime,
            ..Meta::default()
        },
        content: Some(Content::Bytes(Arc::from(text.into_bytes()))),
        class: LayerClass::Runtime,
        origin: None,
        edit: Some(Edit::Generated),
    }
}

/// The folders above what was added, where the image has none yet.
fn with_folders(added: &mut SmallTree, small: &SmallTree, mtime: i64) {
    let folders: BTreeSet<ImagePath> = added
        .files
        .keys()
        .flat_map(|path| path.ancestors().collect::<Vec<_>>())
        .filter(|path| !path.is_root() && !small.files.contains_key(path))
        .collect();
    for path in folders {
        let folder = SmallFile {
            kind: Kind::Dir,
            meta: Meta {
                mode: 0o755,
                mtime,
                ..Meta::default()
            },
            content: None,
            class: LayerClass::Runtime,
            origin: None,
            edit: Some(Edit::Generated),
        };
        added.files.entry(path).or_insert(folder);
    }
}
