//! Applying layers: from entries in the order of the layers to one tree.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use whit_oci::{Entry, ImagePath, Kind, Meta};

use super::{Node, NodeKind, Tree, provenance};

/// Linux's limits on links in one path and on a path (path_resolution(7)).
const MAX_LINKS: usize = 40;
const MAX_PATH: usize = 4095;
/// Bounds on what an image can make us remember. Images with half a million
/// files exist.
const MAX_ENTRIES: usize = 2_000_000;
const MAX_REMEMBERED: u64 = 1 << 30;

/// Why an entry cannot be put into the tree.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("{path} would be written through the link {link}, which leads out of the image")]
    Escapes { path: ImagePath, link: ImagePath },
    #[error("{path} lies below {folder}, which is no folder")]
    NotAFolder { path: ImagePath, folder: ImagePath },
    #[error("{path} lies behind more than {MAX_LINKS} symbolic links")]
    Loop { path: ImagePath },
    #[error("{path}: the path is longer than {MAX_PATH} bytes once its links are followed")]
    TooLong { path: ImagePath },
    #[error("{path} is a hard link to {target}, which does not exist")]
    NoTarget { path: ImagePath, target: ImagePath },
    #[error("{path} is a hard link to the folder {target}")]
    LinkToFolder { path: ImagePath, target: ImagePath },
    #[error("{path} is a hard link to {target}, which it replaces")]
    LinkToPart { path: ImagePath, target: ImagePath },
    #[error("the root of the image can only be a folder")]
    Root,
    #[error("{path}: the image has more than {limit} {what}")]
    TooMany {
        path: ImagePath,
        limit: u64,
        what: &'static str,
    },
}

/// What applying an entry did to the tree, so that a folder on disk can follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where the entry is: its path with the links in its folder followed.
    pub path: ImagePath,
    /// What had to go, children before their folder.
    pub removed: Vec<Removed>,
    /// Folders that no layer mentions, made on the way, parents first.
    pub made: Vec<ImagePath>,
    pub placed: Placed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    pub path: ImagePath,
    pub dir: bool,
    /// The layer that holds its content.
    pub layer: u16,
    /// Bytes of content that no name is left for; 0 as long as there is one.
    pub lost: u64,
}

/// What there is at the path now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// Nothing new: a whiteout, or a folder that a package finds as a link.
    Nothing,
    File,
    Dir,
    Symlink,
    /// One more name of the file or symbolic link at this path.
    Link(ImagePath),
    /// A device or a fifo, which exists in the index alone.
    Special,
}

/// Whose rules hold where a folder meets a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Rules {
    /// An image's layers: what comes later replaces.
    #[default]
    Layers,
    /// dpkg's: a link to a folder and a folder stand for each other, and what
    /// is there stays.
    Packages,
}

/// Applies layers from the bottom up, entry by entry, the way engines do.
///
/// An entry's folder is resolved inside the image as in a chroot: an absolute
/// link starts at the image's root. A relative link that climbs above the root
/// is refused where something would be written through it.
#[derive(Debug, Default)]
pub struct Builder {
    slots: BTreeMap<ImagePath, Slot>,
    rules: Rules,
    next_inode: u64,
    /// How many names those inodes have that ever had more than one.
    linked: HashMap<u64, usize>,
    /// Bytes of names, targets and attributes so far.
    remembered: u64,
    /// Folders as entries name them, and where they really are.
    folders: HashMap<ImagePath, ImagePath>,
}

#[derive(Debug)]
struct Slot {
    node: Node,
    inode: u64,
    /// The layer that holds the content: for one more name of a file, the one
    /// that the first name came from.
    stored: u16,
}

impl Builder {
    /// Applies the layers of an image.
    pub fn new() -> Self {
        Self::default()
    }

    /// Unpacks Debian packages over each other, as dpkg does: a folder never
    /// replaces a link to a folder, nor the other way round. Merged `/usr`
    /// needs that.
    pub fn like_dpkg() -> Self {
        Self {
            rules: Rules::Packages,
            ..Self::default()
        }
    }

    /// The node at exactly this path.
    pub fn get(&self, path: &ImagePath) -> Option<&Node> {
        self.slots.get(path).map(|slot| &slot.node)
    }

    /// Everything so far, in path order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.slots.values().map(|slot| &slot.node)
    }

    /// Applies one entry of `layer`. Layers come in order, the bottom one
    /// first; whiteouts hide what layers below have.
    pub fn apply(&mut self, layer: u16, entry: &Entry) -> Result<Change, IndexError> {
        let mut change = Change {
            path: entry.path.clone(),
            removed: Vec::new(),
            made: Vec::new(),
            placed: Placed::Nothing,
        };
        match &entry.kind {
            Kind::Opaque => {
                if let Some(folder) = self.follow(&entry.path, &entry.path, None)? {
                    change.removed = self.hide(&folder, layer, false);
                    change.path = folder;
                }
                return Ok(change);
            }
            Kind::Whiteout => {
                let parent = entry.path.parent().ok_or(IndexError::Root)?;
                if let Some(folder) = self.follow(&parent, &entry.path, None)? {
                    change.path = folder.join(entry.path.name());
                    change.removed = self.hide(&change.path, layer, true);
                }
                return Ok(change);
            }
            _ => {}
        }
        self.remember(entry)?;
        let Some(parent) = entry.path.parent() else {
            return self.apply_root(layer, entry, change);
        };
        let folder = self.folder(&parent, layer, &mut change.made, &entry.path)?;
        change.path = folder.join(entry.path.name());
        if change.path.as_bytes().len() > MAX_PATH {
            return Err(IndexError::TooLong { path: change.path });
        }
        match &entry.kind {
            Kind::Hardlink { target } => self.place_link(layer, target, change),
            _ => self.place(layer, entry, change),
        }
    }

    /// The tree so far, to look paths up in. No file has a package yet, and
    /// the names of a hard link do not know each other.
    pub fn snapshot(&self) -> Tree {
        let nodes = self
            .slots
            .iter()
            .map(|(path, slot)| (path.clone(), slot.node.clone()))
            .collect();
        Tree::new(nodes, Vec::new())
    }

    /// Ends the building: packages are found and files assigned to them.
    /// `read` gives the content of a file of the tree by its path in
    /// [`NodeKind::File::content`].
    pub fn finish(self, read: &dyn Fn(&ImagePath) -> Option<Vec<u8>>) -> Tree {
        let mut first: HashMap<u64, ImagePath> = HashMap::new();
        for (path, slot) in &self.slots {
            if self.linked.contains_key(&slot.inode) {
                first.entry(slot.inode).or_insert_with(|| path.clone());
            }
        }
        let nodes = self
            .slots
            .into_iter()
            .map(|(path, slot)| {
                let mut node = slot.node;
                if let NodeKind::File { content, .. } = &mut node.kind {
                    *content = first.get(&slot.inode).unwrap_or(&path).clone();
                }
                (path, node)
            })
            .collect();
        provenance::assign(Tree::new(nodes, Vec::new()), read)
    }

    fn apply_root(
        &mut self,
        layer: u16,
        entry: &Entry,
        mut change: Change,
    ) -> Result<Change, IndexError> {
        if entry.kind != Kind::Dir {
            return Err(IndexError::Root);
        }
        self.insert(layer, ImagePath::root(), NodeKind::Dir, entry.meta.clone());
        change.placed = Placed::Dir;
        Ok(change)
    }

    /// Puts anything but a hard link at `change.path`.
    fn place(
        &mut self,
        layer: u16,
        entry: &Entry,
        mut change: Change,
    ) -> Result<Change, IndexError> {
        let path = change.path.clone();
        let is_dir = entry.kind == Kind::Dir;
        let existing = self.slots.get(&path).map(|slot| &slot.node.kind);
        match existing {
            Some(NodeKind::Dir) if is_dir => {}
            Some(NodeKind::Dir)
                if self.rules == Rules::Packages && matches!(entry.kind, Kind::Symlink { .. }) =>
            {
                return Ok(change);
            }
            Some(NodeKind::Symlink { .. }) if is_dir && self.rules == Rules::Packages => {
                match self.follow(&path, &path, None)? {
                    Some(folder) => {
                        change.path = folder;
                        return Ok(change);
                    }
                    None => change.removed = self.remove(&path),
                }
            }
            Some(_) => change.removed = self.remove(&path),
            None => {}
        }
        let (kind, placed) = match &entry.kind {
            Kind::File { size } => (
                NodeKind::File {
                    size: *size,
                    content: path.clone(),
                },
                Placed::File,
            ),
            Kind::Dir => (NodeKind::Dir, Placed::Dir),
            Kind::Symlink { target } => (
                NodeKind::Symlink {
                    target: target.clone(),
                },
                Placed::Symlink,
            ),
            Kind::CharDevice { major, minor } => (
                NodeKind::CharDevice {
                    major: *major,
                    minor: *minor,
                },
                Placed::Special,
            ),
            Kind::BlockDevice { major, minor } => (
                NodeKind::BlockDevice {
                    major: *major,
                    minor: *minor,
                },
                Placed::Special,
            ),
            Kind::Fifo => (NodeKind::Fifo, Placed::Special),
            Kind::Hardlink { .. } | Kind::Whiteout | Kind::Opaque => return Ok(change),
        };
        self.insert(layer, path, kind, entry.meta.clone());
        change.placed = placed;
        Ok(change)
    }

    /// Gives the file at `target` one more name. A file has one set of
    /// attributes whatever its names: those of the first one.
    fn place_link(
        &mut self,
        layer: u16,
        target: &ImagePath,
        mut change: Change,
    ) -> Result<Change, IndexError> {
        let path = change.path.clone();
        let nowhere = || IndexError::NoTarget {
            path: path.clone(),
            target: target.clone(),
        };
        let parent = target.parent().ok_or_else(nowhere)?;
        let target = self
            .follow(&parent, &path, None)?
            .ok_or_else(nowhere)?
            .join(target.name());
        let slot = self.slots.get(&target).ok_or_else(nowhere)?;
        if target == path {
            return Ok(change);
        }
        if slot.node.is_dir() {
            return Err(IndexError::LinkToFolder { path, target });
        }
        if target.starts_with(&path) {
            return Err(IndexError::LinkToPart { path, target });
        }
        let (kind, meta) = (slot.node.kind.clone(), slot.node.meta.clone());
        let (inode, stored) = (slot.inode, slot.stored);
        change.placed = match kind {
            NodeKind::File { .. } | NodeKind::Symlink { .. } => Placed::Link(target),
            _ => Placed::Special,
        };
        change.removed = self.remove(&path);
        self.insert(layer, path.clone(), kind, meta);
        *self.linked.entry(inode).or_insert(1) += 1;
        if let Some(slot) = self.slots.get_mut(&path) {
            slot.inode = inode;
            slot.stored = stored;
        }
        Ok(change)
    }

    fn insert(&mut self, layer: u16, path: ImagePath, kind: NodeKind, meta: Meta) {
        self.next_inode += 1;
        let node = Node {
            path: path.clone(),
            kind,
            meta,
            layer,
            package: None,
        };
        let inode = self.next_inode;
        let stored = layer;
        self.slots.insert(
            path,
            Slot {
                node,
                inode,
                stored,
            },
        );
    }

    /// Where the folder `raw` really is; what is missing is made.
    fn folder(
        &mut self,
        raw: &ImagePath,
        layer: u16,
        made: &mut Vec<ImagePath>,
        entry: &ImagePath,
    ) -> Result<ImagePath, IndexError> {
        if let Some(known) = self.folders.get(raw) {
            return Ok(known.clone());
        }
        let found = self.follow(raw, entry, Some((layer, made)))?;
        let found = found.ok_or_else(|| IndexError::NotAFolder {
            path: entry.clone(),
            folder: raw.clone(),
        })?;
        self.folders.insert(raw.clone(), found.clone());
        Ok(found)
    }

    /// Follows `raw` to a folder. What is missing on the way is made if `make`
    /// says so, else there is `None`.
    fn follow(
        &mut self,
        raw: &ImagePath,
        entry: &ImagePath,
        mut make: Option<(u16, &mut Vec<ImagePath>)>,
    ) -> Result<Option<ImagePath>, IndexError> {
        let mut todo: Vec<Vec<u8>> = raw.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        let mut here = ImagePath::root();
        let mut links = 0;
        // The link that is being followed, for the message.
        let mut through = ImagePath::root();
        while let Some(part) = todo.pop() {
            if part == b".." {
                here = here.parent().ok_or_else(|| IndexError::Escapes {
                    path: entry.clone(),
                    link: through.clone(),
                })?;
                continue;
            }
            let next = here.join(&part);
            if next.as_bytes().len() > MAX_PATH {
                return Err(IndexError::TooLong {
                    path: entry.clone(),
                });
            }
            match self.slots.get(&next).map(|slot| &slot.node.kind) {
                Some(NodeKind::Dir) => here = next,
                Some(NodeKind::Symlink { target }) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(IndexError::Loop {
                            path: entry.clone(),
                        });
                    }
                    if target.first() == Some(&b'/') {
                        here = ImagePath::root();
                    }
                    todo.extend(
                        target
                            .split(|b| *b == b'/')
                            .rev()
                            .filter(|part| !matches!(*part, b"" | b"."))
                            .map(<[u8]>::to_vec),
                    );
                    through = next;
                }
                Some(_) if make.is_none() => return Ok(None),
                Some(_) => {
                    return Err(IndexError::NotAFolder {
                        path: entry.clone(),
                        folder: next,
                    });
                }
                None => {
                    let Some((layer, made)) = &mut make else {
                        return Ok(None);
                    };
                    let meta = Meta {
                        mode: 0o755,
                        ..Meta::default()
                    };
                    made.push(next.clone());
                    let layer = *layer;
                    self.count(&next, next.as_bytes().len())?;
                    self.insert(layer, next.clone(), NodeKind::Dir, meta);
                    here = next;
                }
            }
        }
        Ok(Some(here))
    }

    /// Takes `path` away, with everything below it.
    fn remove(&mut self, path: &ImagePath) -> Vec<Removed> {
        let doomed = self.subtree(path, true);
        self.take(doomed)
    }

    /// Takes away what layers below `layer` have under `path`, and `path`
    /// itself if `and_self`. Folders stay that hold something of this layer.
    fn hide(&mut self, path: &ImagePath, layer: u16, and_self: bool) -> Vec<Removed> {
        let mut kept: HashSet<ImagePath> = HashSet::new();
        let mut doomed = Vec::new();
        for candidate in self.subtree(path, and_self).into_iter().rev() {
            let own = self
                .slots
                .get(&candidate)
                .is_some_and(|slot| slot.node.layer >= layer);
            if own || kept.contains(&candidate) {
                kept.extend(candidate.parent());
            } else {
                doomed.push(candidate);
            }
        }
        doomed.reverse();
        self.take(doomed)
    }

    /// The paths at and below `path`, folders before what they hold.
    fn subtree(&self, path: &ImagePath, and_self: bool) -> Vec<ImagePath> {
        let mut found = Vec::new();
        if and_self && self.slots.contains_key(path) {
            found.push(path.clone());
        }
        let mut below = path.as_bytes().to_vec();
        if !path.is_root() {
            below.push(b'/');
        }
        let range = (Bound::Excluded(&below[..]), Bound::Unbounded);
        found.extend(
            self.slots
                .range::<[u8], _>(range)
                .map(|(path, _)| path)
                .take_while(|path| path.as_bytes().starts_with(&below))
                .cloned(),
        );
        found
    }

    fn take(&mut self, doomed: Vec<ImagePath>) -> Vec<Removed> {
        if !doomed.is_empty() {
            self.folders.clear();
        }
        doomed
            .into_iter()
            .rev()
            .filter_map(|path| {
                let slot = self.slots.remove(&path)?;
                let names_left = match self.linked.get_mut(&slot.inode) {
                    Some(names) => {
                        *names = names.saturating_sub(1);
                        *names
                    }
                    None => 0,
                };
                Some(Removed {
                    dir: slot.node.is_dir(),
                    layer: slot.stored,
                    lost: if names_left == 0 { slot.node.size() } else { 0 },
                    path,
                })
            })
            .collect()
    }

    fn remember(&mut self, entry: &Entry) -> Result<(), IndexError> {
        let target = match &entry.kind {
            Kind::Symlink { target } => target.len(),
            _ => 0,
        };
        let xattrs: usize = entry
            .meta
            .xattrs
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let bytes = entry.path.as_bytes().len() + target + xattrs;
        self.count(&entry.path, bytes)
    }

    fn count(&mut self, path: &ImagePath, bytes: usize) -> Result<(), IndexError> {
        self.remembered += bytes as u64;
        let too_many = |limit, what| IndexError::TooMany {
            path: path.clone(),
            limit,
            what,
        };
        if self.remembered > MAX_REMEMBERED {
            return Err(too_many(
                MAX_REMEMBERED,
                "bytes of names, links and attributes",
            ));
        }
        if self.slots.len() >= MAX_ENTRIES {
            return Err(too_many(MAX_ENTRIES as u64, "files"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
