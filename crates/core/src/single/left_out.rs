//! What the user wants left out by name: `--without ssl`.
//!
//! The module is replaced by one that can be imported and says what it is when
//! it is used; what is linked to the same libraries goes with it (`_hashlib`
//! with `ssl`, for `hashlib` has algorithms of its own).

use std::collections::BTreeSet;
use std::sync::Arc;

use whit_oci::{ImagePath, Kind};

use super::split::extension_name;
use super::{Order, SingleError};
use crate::index::FileId;
use crate::reach::{Analyzer, How};
use crate::transform::{Content, Edit, SmallFile, SmallTree};

/// What an app gets in the place of a module that was left out.
const STUB: &str = include_str!("left_out.py");

/// The small tree without some modules.
pub struct LeftOut {
    pub small: SmallTree,
    /// Extension modules that are gone.
    pub files: BTreeSet<FileId>,
}

/// Takes the modules out that the wish names.
pub fn leave_out(order: &Order<'_>) -> Result<LeftOut, SingleError> {
    let mut left = LeftOut {
        small: order.small.clone(),
        files: BTreeSet::new(),
    };
    for name in &order.wish.without {
        let sources = sources_of(order, name);
        let native = native_of(order, name);
        if sources.is_empty() && native.is_empty() {
            return Err(SingleError::NoSuchModule(name.clone()));
        }
        for path in sources {
            let Some(file) = left.small.files.remove(&path) else {
                continue;
            };
            let text = STUB.replace("NAME", name);
            let stub = SmallFile {
                kind: Kind::File {
                    size: text.len() as u64,
                },
                content: Some(Content::Bytes(Arc::from(text.into_bytes()))),
                edit: Some(Edit::Generated),
                ..file
            };
            left.small.files.insert(as_source(&path), stub);
        }
        left.files.extend(native);
    }
    Ok(left)
}

/// `ssl.pyc` → `ssl.py`.
fn as_source(path: &ImagePath) -> ImagePath {
    match path.as_bytes().strip_suffix(b"c") {
        Some(stem) if path.extension() == Some(b"pyc") => ImagePath::clamped(stem),
        _ => path.clone(),
    }
}

/// The files of a module in Python.
fn sources_of(order: &Order<'_>, name: &str) -> Vec<ImagePath> {
    let below = name.replace('.', "/");
    let forms = [
        format!("{below}.py"),
        format!("{below}.pyc"),
        format!("{below}/__init__.py"),
        format!("{below}/__init__.pyc"),
    ];
    let folders = order.facts.path.iter().map(ImagePath::clamped);
    folders
        .flat_map(|folder| forms.each_ref().map(|form| folder.join(form)))
        .filter(|path| order.small.files.contains_key(path))
        .collect()
}

/// Its extension module, and all that need a library which only those need.
fn native_of(order: &Order<'_>, name: &str) -> BTreeSet<FileId> {
    let all: Vec<(FileId, String)> = order
        .small
        .files
        .iter()
        .filter_map(|(path, file)| Some((file.origin?, extension_name(order.facts, path)?)))
        .collect();
    let hidden = format!("_{name}");
    let own = all
        .iter()
        .filter(|(_, other)| *other == name || *other == hidden)
        .map(|(id, _)| *id);
    let mut found: BTreeSet<FileId> = own.collect();
    let inside = needed(order, order.interpreter);
    let libraries: BTreeSet<FileId> = found
        .iter()
        .flat_map(|id| needed(order, *id))
        .filter(|library| !inside.contains(library))
        .collect();
    let others = all.iter().map(|(id, _)| *id);
    found.extend(others.filter(|id| !needed(order, *id).is_disjoint(&libraries)));
    found
}

fn needed(order: &Order<'_>, file: FileId) -> BTreeSet<FileId> {
    let edges = order.elf.follow(file).edges.into_iter();
    edges
        .filter_map(|(id, how)| matches!(how, How::Needed(_)).then_some(id))
        .collect()
}
