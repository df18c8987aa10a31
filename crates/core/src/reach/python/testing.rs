//! Small trees for this room's tests.

use std::collections::BTreeMap;

use whit_oci::{ImagePath, Meta};

use crate::index::{FileId, Node, NodeKind, Tree};

fn node(path: &str, kind: NodeKind, mode: u32) -> (ImagePath, Node) {
    let path = ImagePath::from(path);
    let node = Node {
        path: path.clone(),
        kind,
        meta: Meta {
            mode,
            ..Meta::default()
        },
        layer: 0,
        package: None,
    };
    (path, node)
}

/// A tree of empty files, and of links written `a -> b`.
pub fn tree(lines: &[&str]) -> Tree {
    let nodes = lines.iter().map(|line| entry(line, 0, 0o644));
    Tree::new(nodes.collect(), Vec::new())
}

fn entry(line: &str, size: usize, mode: u32) -> (ImagePath, Node) {
    match line.split_once(" -> ") {
        Some((path, target)) => node(
            path,
            NodeKind::Symlink {
                target: target.as_bytes().to_vec(),
            },
            0o777,
        ),
        None => node(
            line,
            NodeKind::File {
                size: size as u64,
                content: ImagePath::from(line),
            },
            mode,
        ),
    }
}

/// A tree of executable files with text, and of links written `a -> b`.
pub fn executables<'a>(
    files: &'a [(&'a str, &'a str)],
) -> (Tree, impl Fn(FileId) -> Option<Vec<u8>> + Sync + 'a) {
    files_with_mode(files, 0o755)
}

/// A tree of files with text.
pub fn written<'a>(
    files: &'a [(&'a str, &'a str)],
) -> (Tree, impl Fn(FileId) -> Option<Vec<u8>> + Sync + 'a) {
    files_with_mode(files, 0o644)
}

fn files_with_mode<'a>(
    files: &'a [(&'a str, &'a str)],
    mode: u32,
) -> (Tree, impl Fn(FileId) -> Option<Vec<u8>> + Sync + 'a) {
    let nodes = files
        .iter()
        .map(|(line, text)| entry(line, text.len(), mode));
    let tree = Tree::new(nodes.collect(), Vec::new());
    let contents: BTreeMap<FileId, &str> = files
        .iter()
        .filter_map(|(path, text)| Some((tree.get(&ImagePath::from(*path))?, *text)))
        .collect();
    (tree, move |id| {
        contents.get(&id).map(|text| text.as_bytes().to_vec())
    })
}
