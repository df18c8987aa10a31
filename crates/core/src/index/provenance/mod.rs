//! Which package put which file there.
//!
//! Package managers say so themselves; this only reads what they wrote. The
//! operating system's packages come first: a file that dpkg owns stays dpkg's,
//! even where it is part of a Python distribution too.

mod apk;
mod bytecode;
mod cpython;
mod dpkg;
mod node;
mod paragraph;
mod python;

use std::collections::HashMap;

use whit_oci::ImagePath;

use super::{FileId, Node, NodeKind, Package, PackageId, Tree};

use bytecode::Bytecode;
pub use python::Distribution;

/// Gives the content of a file of the tree.
pub type Read<'a> = dyn Fn(&ImagePath) -> Option<Vec<u8>> + 'a;

/// True for the files whose content [`assign`] may ask for, by the path in
/// [`NodeKind::File::content`]: who reads an image as a stream has to keep
/// them, and nothing else.
pub fn wants(path: &ImagePath) -> bool {
    let path = path.as_bytes();
    dpkg::wants(path)
        || apk::wants(path)
        || python::wants(path)
        || cpython::wants(path)
        || node::wants(path)
}

/// The last component of a path and what stands before it.
fn split_name(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|b| *b == b'/') {
        Some(cut) => (&path[..cut], &path[cut + 1..]),
        None => (b"", path),
    }
}

/// Finds the packages of an image and assigns its files to them. What belongs
/// to none is the user's.
pub fn assign(tree: Tree, read: &Read) -> Tree {
    let mut owners = Owners::new(&tree, read);
    let bytecode = Bytecode::find(&tree);
    dpkg::assign(&mut owners);
    apk::assign(&mut owners);
    bytecode.assign(&mut owners);
    let mut distributions = python::assign(&mut owners);
    cpython::assign(&mut owners);
    bytecode.assign(&mut owners);
    bytecode.complete(&mut distributions);
    node::assign(&mut owners);
    node::assign_headers(&mut owners);
    owners.assign_folders();
    let (packages, owner) = (owners.packages, owners.owner);
    tree.with_provenance(packages, owner, distributions)
}

/// The assignment while it grows.
struct Owners<'a> {
    tree: &'a Tree,
    read: &'a Read<'a>,
    packages: Vec<Package>,
    /// By file.
    owner: Vec<Option<PackageId>>,
    /// Folders as package managers name them, and where they really are.
    folders: HashMap<ImagePath, ImagePath>,
}

impl<'a> Owners<'a> {
    fn new(tree: &'a Tree, read: &'a Read<'a>) -> Self {
        Self {
            tree,
            read,
            packages: Vec::new(),
            owner: vec![None; tree.len()],
            folders: HashMap::new(),
        }
    }

    /// The content of the file at `path`, links followed, as text.
    fn text(&self, path: &ImagePath) -> Option<String> {
        let bytes = self.bytes(self.tree.lookup(path)?)?;
        Some(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    fn bytes(&self, file: FileId) -> Option<Vec<u8>> {
        match &self.tree.node(file).kind {
            NodeKind::File { content, .. } => (self.read)(content),
            _ => None,
        }
    }

    fn add(&mut self, package: Package) -> PackageId {
        self.packages.push(package);
        PackageId(self.packages.len() as u32 - 1)
    }

    fn owner(&self, file: FileId) -> Option<PackageId> {
        self.owner.get(file.0 as usize).copied().flatten()
    }

    /// Gives a file that nobody owns yet.
    fn give(&mut self, file: FileId, package: PackageId) {
        if let Some(owner @ None) = self.owner.get_mut(file.0 as usize) {
            *owner = Some(package);
        }
    }

    /// Gives a file that a package wrote down in layer `layer`, unless it came
    /// later: then somebody replaced it, and it is the user's.
    fn give_recorded(&mut self, file: FileId, package: PackageId, layer: u16) {
        let node = self.tree.node(file);
        if node.is_dir() || node.layer <= layer {
            self.give(file, package);
        }
    }

    /// The file that a package manager means by `path`: links are followed in
    /// its folder (`/lib/x` lies in `/usr/lib`), the last name is not.
    fn find(&mut self, path: &ImagePath) -> Option<FileId> {
        if let Some(id) = self.tree.get(path) {
            return Some(id);
        }
        let parent = path.parent()?;
        let folder = match self.folders.get(&parent) {
            Some(folder) => folder.clone(),
            None => {
                let folder = self.tree.resolve(&parent).path;
                self.folders.insert(parent, folder.clone());
                folder
            }
        };
        self.tree.get(&folder.join(path.name()))
    }

    /// An unowned folder whose whole content belongs to one package belongs to
    /// it too. Few package managers write folders down.
    fn assign_folders(&mut self) {
        /// What lies below a folder.
        #[derive(Clone, Copy)]
        enum Below {
            Nothing,
            One(PackageId),
            Several(PackageId),
            Strangers,
        }
        let add = |below: Below, owner: Option<PackageId>| match (below, owner) {
            (Below::Strangers, _) | (_, None) => Below::Strangers,
            (Below::Nothing, Some(owner)) => Below::One(owner),
            (Below::One(one), Some(owner)) if one == owner => below,
            (Below::One(one) | Below::Several(one), Some(_)) => Below::Several(one),
        };
        // Children have higher ids than their folder, so they are done first.
        for (id, node) in self.tree.iter().collect::<Vec<_>>().into_iter().rev() {
            if !node.is_dir() || self.owner(id).is_some() {
                continue;
            }
            let below = self
                .tree
                .children(id)
                .iter()
                .fold(Below::Nothing, |below, child| {
                    add(below, self.owner(*child))
                });
            match below {
                Below::One(owner) => self.give(id, owner),
                // Packages share it, and it is nobody's work.
                Below::Several(first) if node.path.name() == b"__pycache__" => {
                    self.give(id, first);
                }
                _ => {}
            }
        }
    }

    /// Unowned symbolic links for which `chosen` holds belong to the owner of
    /// what they lead to.
    fn assign_links(&mut self, chosen: impl Fn(&Node, &[u8]) -> bool) {
        for (id, node) in self.tree.iter() {
            let NodeKind::Symlink { target } = &node.kind else {
                continue;
            };
            if self.owner(id).is_none()
                && chosen(node, target)
                && let Some(file) = self.tree.lookup(&node.path)
                && let Some(owner) = self.owner(file)
            {
                self.give(id, owner);
            }
        }
    }
}

#[cfg(test)]
mod tests;
