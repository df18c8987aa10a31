//! The merged file tree of an image.

use std::collections::{BTreeMap, HashMap};

use whit_oci::{ImagePath, Kind, Meta};

use super::provenance::Distribution;
use super::{Package, PackageId};

/// Index of a file in its [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// What a file of the merged tree is. Hard links are resolved: each name is a
/// file of its own that shares `content` with the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    File {
        size: u64,
        /// The name under which the bytes lie on disk: the file's own path,
        /// or, for a hard link, the path of the first name.
        content: ImagePath,
    },
    Dir,
    Symlink {
        target: Vec<u8>,
    },
    CharDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    Fifo,
}

impl NodeKind {
    /// The same as a layer writes it, each name of a hard link as a file.
    pub fn entry_kind(&self) -> Kind {
        match self {
            NodeKind::File { size, .. } => Kind::File { size: *size },
            NodeKind::Dir => Kind::Dir,
            NodeKind::Symlink { target } => Kind::Symlink {
                target: target.clone(),
            },
            NodeKind::CharDevice { major, minor } => Kind::CharDevice {
                major: *major,
                minor: *minor,
            },
            NodeKind::BlockDevice { major, minor } => Kind::BlockDevice {
                major: *major,
                minor: *minor,
            },
            NodeKind::Fifo => Kind::Fifo,
        }
    }
}

/// One file of the merged tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub path: ImagePath,
    pub kind: NodeKind,
    pub meta: Meta,
    /// Which layer it comes from, counted from the bottom.
    pub layer: u16,
    pub package: Option<PackageId>,
}

impl Node {
    /// Bytes of a regular file; 0 for everything else.
    pub fn size(&self) -> u64 {
        match &self.kind {
            NodeKind::File { size, .. } => *size,
            _ => 0,
        }
    }

    pub fn is_file(&self) -> bool {
        matches!(self.kind, NodeKind::File { .. })
    }

    pub fn is_dir(&self) -> bool {
        matches!(self.kind, NodeKind::Dir)
    }

    pub fn is_executable(&self) -> bool {
        self.is_file() && self.meta.mode & 0o111 != 0
    }
}

/// All files of an image as its processes see them: upper layers applied,
/// whiteouts gone. Immutable once built; ids are in path order.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    by_path: HashMap<ImagePath, FileId>,
    children: Vec<Vec<FileId>>,
    /// Content that has more than one name.
    shared: BTreeMap<ImagePath, Vec<FileId>>,
    packages: Vec<Package>,
    distributions: Vec<Distribution>,
    /// Files of distributions, and the index of theirs.
    distribution_of: HashMap<FileId, usize>,
}

/// Where a path leads inside the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// The symbolic links that were followed, in order.
    pub links: Vec<FileId>,
    /// The path after all links were followed, as far as it exists.
    pub path: ImagePath,
    /// The file there; `None` if nothing is.
    pub file: Option<FileId>,
}

/// Linux's own limit (`MAXSYMLINKS`, path_resolution(7)).
const MAX_LINKS: usize = 40;

impl Tree {
    /// Builds the tree. Missing parent folders are added as `root:root 0755`.
    pub fn new(nodes: BTreeMap<ImagePath, Node>, packages: Vec<Package>) -> Self {
        let mut nodes = nodes;
        let mut missing = vec![ImagePath::root()];
        missing.extend(
            nodes
                .keys()
                .flat_map(|path| path.ancestors().collect::<Vec<_>>()),
        );
        for path in missing {
            nodes.entry(path.clone()).or_insert_with(|| Node {
                path,
                kind: NodeKind::Dir,
                meta: Meta {
                    mode: 0o755,
                    ..Meta::default()
                },
                layer: 0,
                package: None,
            });
        }
        let nodes: Vec<Node> = nodes.into_values().collect();
        let by_path: HashMap<ImagePath, FileId> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| (node.path.clone(), FileId(i as u32)))
            .collect();
        let mut children = vec![Vec::new(); nodes.len()];
        for (i, node) in nodes.iter().enumerate() {
            if let Some(parent) = node.path.parent()
                && let Some(id) = by_path.get(&parent)
            {
                children[id.0 as usize].push(FileId(i as u32));
            }
        }
        let mut shared: BTreeMap<ImagePath, Vec<FileId>> = BTreeMap::new();
        for (i, node) in nodes.iter().enumerate() {
            if let NodeKind::File { content, .. } = &node.kind {
                shared
                    .entry(content.clone())
                    .or_default()
                    .push(FileId(i as u32));
            }
        }
        shared.retain(|_, names| names.len() > 1);
        Self {
            nodes,
            by_path,
            children,
            shared,
            packages,
            distributions: Vec::new(),
            distribution_of: HashMap::new(),
        }
    }

    /// The same tree with its files assigned to packages, by id.
    pub(super) fn with_provenance(
        mut self,
        packages: Vec<Package>,
        owners: Vec<Option<PackageId>>,
        distributions: Vec<Distribution>,
    ) -> Self {
        for (node, owner) in self.nodes.iter_mut().zip(owners) {
            node.package = owner;
        }
        self.packages = packages;
        for (i, distribution) in distributions.iter().enumerate() {
            for file in &distribution.files {
                self.distribution_of.entry(*file).or_insert(i);
            }
        }
        self.distributions = distributions;
        self
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn node(&self, id: FileId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    pub fn path(&self, id: FileId) -> &ImagePath {
        &self.node(id).path
    }

    /// Every file in path order.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .map(|(i, node)| (FileId(i as u32), node))
    }

    /// The direct children of a folder, in path order.
    pub fn children(&self, id: FileId) -> &[FileId] {
        &self.children[id.0 as usize]
    }

    /// Everything below a folder, the folder itself excluded.
    pub fn below(&self, id: FileId) -> Vec<FileId> {
        let mut found = Vec::new();
        let mut open = self.children(id).to_vec();
        while let Some(next) = open.pop() {
            found.push(next);
            open.extend_from_slice(self.children(next));
        }
        found.sort_unstable();
        found
    }

    /// The file at exactly this path, no link followed.
    pub fn get(&self, path: &ImagePath) -> Option<FileId> {
        self.by_path.get(path).copied()
    }

    /// The file that a process gets when it opens `path`: links are followed
    /// inside the image, in every component.
    pub fn lookup(&self, path: &ImagePath) -> Option<FileId> {
        self.resolve(path).file
    }

    /// Follows `path` component by component, the last one included.
    pub fn resolve(&self, path: &ImagePath) -> Resolution {
        let mut links = Vec::new();
        let mut todo: Vec<Vec<u8>> = path.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        let mut here = ImagePath::root();
        while let Some(part) = todo.pop() {
            let next = here.join(&part);
            let Some(id) = self.get(&next) else {
                let mut path = next;
                while let Some(rest) = todo.pop() {
                    path = path.join(&rest);
                }
                return Resolution {
                    links,
                    path,
                    file: None,
                };
            };
            match &self.node(id).kind {
                NodeKind::Symlink { target } => {
                    if links.len() == MAX_LINKS {
                        return Resolution {
                            links,
                            path: next,
                            file: None,
                        };
                    }
                    links.push(id);
                    if target.first() == Some(&b'/') {
                        here = ImagePath::root();
                    }
                    for part in target.split(|b| *b == b'/').rev() {
                        match part {
                            b"" | b"." => {}
                            part => todo.push(part.to_vec()),
                        }
                    }
                }
                _ => here = next,
            }
        }
        let file = self.get(&here);
        Resolution {
            links,
            path: here,
            file,
        }
    }

    /// All names of the file whose bytes lie at `content`, in path order;
    /// `None` where it has only one.
    pub fn names_of(&self, content: &ImagePath) -> Option<&[FileId]> {
        self.shared.get(content).map(Vec::as_slice)
    }

    /// How many layers the files come from.
    pub fn layer_count(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| usize::from(node.layer) + 1)
            .max()
            .unwrap_or(0)
    }

    pub fn packages(&self) -> impl Iterator<Item = (PackageId, &Package)> {
        self.packages
            .iter()
            .enumerate()
            .map(|(i, package)| (PackageId(i as u32), package))
    }

    pub fn package(&self, id: PackageId) -> &Package {
        &self.packages[id.0 as usize]
    }

    /// The Python distributions, in the order of their metadata's paths;
    /// those that dpkg or apk installed too.
    pub fn python_distributions(&self) -> &[Distribution] {
        &self.distributions
    }

    /// The Python distribution that a file is part of.
    pub fn distribution_of(&self, file: FileId) -> Option<&Distribution> {
        self.distributions.get(*self.distribution_of.get(&file)?)
    }

    /// The distributions that have the top-level module `name`: several for a
    /// namespace package.
    pub fn distributions_importing<'a>(
        &'a self,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Distribution> {
        let top = name.split('.').next().unwrap_or(name);
        self.distributions
            .iter()
            .filter(move |distribution| distribution.modules.contains(top))
    }

    /// The files that a package owns, in path order.
    pub fn files_of(&self, package: PackageId) -> Vec<FileId> {
        self.iter()
            .filter(|(_, node)| node.package == Some(package))
            .map(|(id, _)| id)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(lines: &[&str]) -> Tree {
        let mut nodes = BTreeMap::new();
        for line in lines {
            let (path, kind) = match line.split_once(" -> ") {
                Some((path, target)) => (
                    path,
                    NodeKind::Symlink {
                        target: target.as_bytes().to_vec(),
                    },
                ),
                None => (
                    *line,
                    NodeKind::File {
                        size: 1,
                        content: ImagePath::from(*line),
                    },
                ),
            };
            let path = ImagePath::from(path);
            nodes.insert(
                path.clone(),
                Node {
                    path,
                    kind,
                    meta: Meta::default(),
                    layer: 0,
                    package: None,
                },
            );
        }
        Tree::new(nodes, Vec::new())
    }

    #[test]
    fn links_are_followed_in_every_component() {
        let tree = tree(&[
            "bin -> usr/bin",
            "usr/bin/python3 -> python3.11",
            "usr/bin/python3.11",
        ]);
        let found = tree.resolve(&"bin/python3".into());
        assert_eq!(found.path, "usr/bin/python3.11".into());
        assert_eq!(found.links.len(), 2);
        assert_eq!(found.file, tree.get(&"usr/bin/python3.11".into()));
    }

    #[test]
    fn a_dotdot_in_a_link_stays_inside() {
        let tree = tree(&["a/b -> ../../../../c", "c"]);
        assert_eq!(tree.lookup(&"a/b".into()), tree.get(&"c".into()));
    }

    #[test]
    fn a_loop_ends() {
        let tree = tree(&["a -> b", "b -> a"]);
        assert_eq!(tree.lookup(&"a".into()), None);
    }
}
