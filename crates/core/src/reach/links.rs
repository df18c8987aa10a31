//! Symbolic links: whoever keeps one keeps where it leads.

use std::collections::BTreeMap;

use super::{Found, How};
use crate::index::{FileId, NodeKind, Tree};

/// The other links on the way of `file`, if it is one, and its target.
/// A link that leads nowhere is kept as it is.
pub(super) fn follow(tree: &Tree, file: FileId) -> Found {
    let mut found = Found::default();
    let node = tree.node(file);
    if matches!(node.kind, NodeKind::Symlink { .. }) {
        found.reach(tree, &node.path, How::Link);
        found.edges.retain(|(id, _)| *id != file);
    }
    found
}

/// For every file or folder that links lead to, those links.
pub fn leading_to(tree: &Tree) -> BTreeMap<FileId, Vec<FileId>> {
    let mut leading: BTreeMap<FileId, Vec<FileId>> = BTreeMap::new();
    for (id, node) in tree.iter() {
        if matches!(node.kind, NodeKind::Symlink { .. })
            && let Some(target) = tree.lookup(&node.path)
        {
            leading.entry(target).or_default().push(id);
        }
    }
    leading
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    #[test]
    fn a_chain_is_followed_to_its_end() {
        let tree = tree(&["a -> b", "b -> /d/c", "d/c", "x -> nowhere", "loop -> loop"]);
        let id = |path: &str| tree.get(&path.into()).unwrap();
        let names = |file| -> Vec<String> {
            follow(&tree, id(file))
                .edges
                .iter()
                .map(|(id, _)| tree.path(*id).to_string())
                .collect()
        };
        assert_eq!(names("a"), ["/b", "/d/c"]);
        assert!(names("x").is_empty());
        assert!(names("loop").is_empty());
        assert_eq!(leading_to(&tree)[&id("d/c")], [id("a"), id("b")]);
    }
}
