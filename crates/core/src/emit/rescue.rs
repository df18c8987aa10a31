//! The rest of the original as one more layer.

use whit_oci::{Entry, ImagePath, Kind};

use crate::index::{NodeKind, Tree};
use crate::plan::Plan;
use crate::source::FatRoot;
use crate::transform::{Content, SmallTree};

/// What turns the small image back into the original when it is applied on
/// top: every dropped file, every edited one as it was, and a whiteout for
/// each path that whit added.
pub fn rescue_tree(
    root: &FatRoot,
    plan: &Plan,
    small: &SmallTree,
) -> Vec<(Entry, Option<Content>)> {
    let tree = &root.tree;
    let mut entries: Vec<(Entry, Option<Content>)> = Vec::new();
    for (path, file) in &small.files {
        if tree.get(path).is_none() {
            let parent_goes_too = path
                .parent()
                .is_some_and(|parent| !parent.is_root() && tree.get(&parent).is_none());
            if !parent_goes_too {
                entries.push((whiteout(path), None));
            }
        } else if matches!(file.kind, Kind::Dir) && file.origin.is_none() {
            entries.extend(original(root, path));
        }
    }
    for (id, node) in tree.iter().filter(|(_, node)| !node.path.is_root()) {
        let as_it_was = plan.keeps(id)
            && small.files.get(&node.path).is_some_and(|file| {
                file.origin == Some(id) && file.edit.is_none() && file.meta == node.meta
            });
        // A hard link is restored with all its names, so that they share
        // their bytes again.
        let split = shares_bytes(tree, id.0, plan, small);
        if !as_it_was || split {
            entries.extend(original(root, &node.path));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    entries.retain(|(entry, _)| {
        seen.insert((entry.path.clone(), matches!(entry.kind, Kind::Whiteout)))
    });
    entries
}

/// True if the file is one of several names of the same bytes and one of
/// them was dropped or edited.
fn shares_bytes(tree: &Tree, id: u32, plan: &Plan, small: &SmallTree) -> bool {
    let node = tree.node(crate::index::FileId(id));
    let NodeKind::File { content, .. } = &node.kind else {
        return false;
    };
    let Some(names) = tree.names_of(content) else {
        return false;
    };
    names.iter().any(|name| {
        !plan.keeps(*name)
            || small
                .files
                .get(tree.path(*name))
                .is_none_or(|file| file.edit.is_some())
    })
}

fn whiteout(path: &ImagePath) -> Entry {
    Entry {
        path: path.clone(),
        kind: Kind::Whiteout,
        meta: whit_oci::Meta {
            mode: 0o644,
            ..whit_oci::Meta::default()
        },
    }
}

/// A file of the original, the way a layer writes it.
fn original(root: &FatRoot, path: &ImagePath) -> Option<(Entry, Option<Content>)> {
    let id = root.tree.get(path)?;
    let node = root.tree.node(id);
    let mut content = None;
    let kind = match &node.kind {
        NodeKind::File {
            size,
            content: first,
        } => {
            let names = root.tree.names_of(first);
            let leader = names.and_then(|names| names.first().copied()).unwrap_or(id);
            if leader == id {
                content = root.content(id).map(Content::Host);
                Kind::File { size: *size }
            } else {
                Kind::Hardlink {
                    target: root.tree.path(leader).clone(),
                }
            }
        }
        other => other.entry_kind(),
    };
    let entry = Entry {
        path: path.clone(),
        kind,
        meta: node.meta.clone(),
    };
    Some((entry, content))
}
