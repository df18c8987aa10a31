//! Files that came, went, or are different.

use std::collections::BTreeSet;

use serde::Serialize;
use whit_oci::{Digest, ImagePath};

use crate::index::{FileId, NodeKind};
use crate::inventory::Inventory;

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    pub path: ImagePath,
    /// `None` where there was nothing.
    pub before: Option<FileState>,
    pub after: Option<FileState>,
    /// What differs; empty for what came or went.
    pub changed: Vec<Aspect>,
}

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileState {
    /// `file`, `folder`, `link`, `device` or `fifo`.
    #[serde(rename = "type")]
    pub file_type: &'static str,
    /// Bytes of a regular file; 0 for everything else.
    pub size: u64,
    /// Octal, as chmod(1) takes it.
    pub mode: String,
    /// `UID:GID`
    pub owner: String,
    /// Where a link leads, or a device's numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// A way in which a path can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    Type,
    Content,
    Target,
    Mode,
    Owner,
    /// Extended attributes, capabilities among them.
    Attributes,
}

impl FileChange {
    /// Bytes that the path got or lost.
    pub fn change(&self) -> i128 {
        let size = |state: &Option<FileState>| state.as_ref().map_or(0, |s| i128::from(s.size));
        size(&self.after) - size(&self.before)
    }
}

/// Changed paths in order.
pub fn changes(before: &Inventory, after: &Inventory) -> Vec<FileChange> {
    let paths: BTreeSet<&ImagePath> = [before, after]
        .iter()
        .flat_map(|side| side.tree.iter().map(|(_, node)| &node.path))
        .collect();
    paths
        .into_iter()
        .filter_map(|path| {
            let old = before.tree.get(path);
            let new = after.tree.get(path);
            let changed = match (old, new) {
                (Some(old), Some(new)) => compare((before, old), (after, new)),
                _ => Vec::new(),
            };
            let differs = old.is_none() || new.is_none() || !changed.is_empty();
            differs.then(|| FileChange {
                path: path.clone(),
                before: old.map(|file| state(before, file)),
                after: new.map(|file| state(after, file)),
                changed,
            })
        })
        .collect()
}

fn compare(before: (&Inventory, FileId), after: (&Inventory, FileId)) -> Vec<Aspect> {
    let (old, new) = (before.0.tree.node(before.1), after.0.tree.node(after.1));
    let (old_kind, new_kind) = (file_type(&old.kind), file_type(&new.kind));
    let mut changed = Vec::new();
    let mut note = |differs: bool, aspect| {
        if differs {
            changed.push(aspect);
        }
    };
    note(old_kind != new_kind, Aspect::Type);
    if old_kind == new_kind {
        let digests = (digest(before), digest(after));
        note(
            old.size() != new.size() || digests.0 != digests.1,
            Aspect::Content,
        );
        note(target(&old.kind) != target(&new.kind), Aspect::Target);
    }
    // A link has no mode of its own (symlink(7)).
    note(
        old.meta.mode != new.meta.mode && (old_kind, new_kind) != ("link", "link"),
        Aspect::Mode,
    );
    note(
        (old.meta.uid, old.meta.gid) != (new.meta.uid, new.meta.gid),
        Aspect::Owner,
    );
    note(old.meta.xattrs != new.meta.xattrs, Aspect::Attributes);
    changed
}

fn digest(side: (&Inventory, FileId)) -> Option<Digest> {
    side.0.content(side.1).and_then(|content| content.digest)
}

fn state(inventory: &Inventory, file: FileId) -> FileState {
    let node = inventory.tree.node(file);
    FileState {
        file_type: file_type(&node.kind),
        size: node.size(),
        mode: format!("{:04o}", node.meta.mode),
        owner: format!("{}:{}", node.meta.uid, node.meta.gid),
        target: target(&node.kind),
    }
}

fn file_type(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::File { .. } => "file",
        NodeKind::Dir => "folder",
        NodeKind::Symlink { .. } => "link",
        NodeKind::CharDevice { .. } | NodeKind::BlockDevice { .. } => "device",
        NodeKind::Fifo => "fifo",
    }
}

fn target(kind: &NodeKind) -> Option<String> {
    match kind {
        NodeKind::Symlink { target } => Some(String::from_utf8_lossy(target).into_owned()),
        NodeKind::CharDevice { major, minor } => Some(format!("c {major}:{minor}")),
        NodeKind::BlockDevice { major, minor } => Some(format!("b {major}:{minor}")),
        _ => None,
    }
}
