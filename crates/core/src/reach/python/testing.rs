//! Small trees for this room's tests.

use std::collections::BTreeMap;
use std::path::Path;

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
    let nodes: BTreeMap<_, _> = lines
        .iter()
        .map(|line| match line.split_once(" -> ") {
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
                    size: 0,
                    content: ImagePath::from(*line),
                },
                0o644,
            ),
        })
        .collect();
    Tree::new(nodes, Vec::new())
}

/// A tree of files with text.
pub fn written<'a>(
    files: &'a [(&'a str, &'a str)],
) -> (Tree, impl Fn(FileId) -> Option<Vec<u8>> + Sync + 'a) {
    let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let tree = tree(&paths);
    let contents: BTreeMap<FileId, &str> = files
        .iter()
        .filter_map(|(path, text)| Some((tree.get(&ImagePath::from(*path))?, *text)))
        .collect();
    (tree, move |id| {
        contents.get(&id).map(|text| text.as_bytes().to_vec())
    })
}

/// The tree of a folder on disk.
pub fn scan(root: &Path) -> Tree {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    let mut nodes = BTreeMap::new();
    let mut open = vec![ImagePath::root()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir.under(root))
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = dir.join(entry.file_name().as_bytes());
            let Ok(meta) = entry.path().symlink_metadata() else {
                continue;
            };
            let kind = if meta.is_dir() {
                open.push(path.clone());
                NodeKind::Dir
            } else if meta.is_symlink() {
                let target = std::fs::read_link(entry.path()).unwrap_or_default();
                NodeKind::Symlink {
                    target: target.as_os_str().as_bytes().to_vec(),
                }
            } else {
                NodeKind::File {
                    size: meta.len(),
                    content: path.clone(),
                }
            };
            nodes.insert(
                path.clone(),
                Node {
                    path,
                    kind,
                    meta: Meta {
                        mode: meta.mode() & 0o7777,
                        ..Meta::default()
                    },
                    layer: 0,
                    package: None,
                },
            );
        }
    }
    Tree::new(nodes, Vec::new())
}
