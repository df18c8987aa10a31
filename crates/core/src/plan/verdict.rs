//! Keep or drop, and why.

use std::collections::BTreeSet;
use std::fmt;

use whit_oci::ImagePath;

use super::{Globs, Policy, generated, litter};
use crate::index::{FileId, NodeKind, Tree};
use crate::reach::{Cause, Graph, How};

/// Why a file goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropReason {
    /// Nothing that is kept needs it; the package that owns it.
    Unreached(String),
    /// Nothing needs it, and it is no package's: made by package scripts.
    Generated,
    /// The folder holds nothing that is kept.
    EmptyFolder,
    Cache,
    Log,
    Temporary,
    VersionControl,
    /// Bytecode that is made anew, or that has lost its source.
    Bytecode,
    /// A Python module whose code lies in the interpreter itself, and what
    /// wants the module: others may be kept for its sake.
    Frozen(Cause),
    /// `--drop GLOB`, and what it would be kept for.
    DropGlob(String, Cause),
    /// Policy `tight`: no run touched it.
    Unobserved,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DropReason::Unreached(package) => {
                write!(f, "nothing that is kept needs it; it came with {package}")
            }
            DropReason::Generated => write!(
                f,
                "nothing that is kept needs it; a package manager made it"
            ),
            DropReason::EmptyFolder => write!(f, "nothing below it is kept"),
            DropReason::Cache => write!(f, "it is a cache"),
            DropReason::Log => write!(f, "it is a log"),
            DropReason::Temporary => write!(f, "it is a temporary file"),
            DropReason::VersionControl => write!(f, "it belongs to version control"),
            DropReason::Bytecode => write!(f, "it is bytecode, which is made anew"),
            DropReason::Frozen(cause) => write!(
                f,
                "the interpreter has its code inside and does not read the file; it {}",
                cause.how
            ),
            DropReason::DropGlob(glob, cause) => {
                write!(f, "it matches --drop {glob}; it {}", cause.how)
            }
            DropReason::Unobserved => write!(f, "no run touched it (policy tight)"),
        }
    }
}

impl DropReason {
    /// What wants the file all the same.
    pub fn wanted(&self) -> Option<&Cause> {
        match self {
            DropReason::Frozen(cause) | DropReason::DropGlob(_, cause) => Some(cause),
            _ => None,
        }
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Keep(Cause),
    Drop(DropReason),
}

/// A verdict for every file of the tree: Keep + Drop = Tree.
#[derive(Debug, Clone)]
pub struct Plan {
    verdicts: Vec<Verdict>,
}

impl Plan {
    /// Judges every file: what the graph reached stays, the user's word
    /// comes before it, the folders of what stays stay too. Of `frozen` files
    /// (Python modules that are in the interpreter, too) only those stay that
    /// something other than an import wants.
    pub fn new(
        tree: &Tree,
        graph: &Graph,
        policy: Policy,
        drop: &Globs,
        frozen: &BTreeSet<FileId>,
    ) -> Self {
        let mut verdicts: Vec<Verdict> = tree
            .iter()
            .map(|(id, node)| match graph.causes.get(&id) {
                Some(cause) => match drop.matching(&node.path) {
                    // What the small image was seen to miss outweighs a wish.
                    Some(glob) if !matches!(cause.how, How::Repaired { .. }) => {
                        Verdict::Drop(DropReason::DropGlob(glob.to_owned(), cause.clone()))
                    }
                    _ if frozen.contains(&id) && matches!(cause.how, How::Import(_)) => {
                        Verdict::Drop(DropReason::Frozen(cause.clone()))
                    }
                    _ => Verdict::Keep(cause.clone()),
                },
                None => Verdict::Drop(why_not(tree, id, policy)),
            })
            .collect();
        let kept: Vec<FileId> = tree
            .iter()
            .map(|(id, _)| id)
            .filter(|id| matches!(verdicts[id.0 as usize], Verdict::Keep(_)))
            .collect();
        for id in kept {
            keep_folders(tree, &mut verdicts, id);
        }
        let plan = Self { verdicts };
        assert_eq!(plan.verdicts.len(), tree.len(), "Keep + Drop = Tree");
        plan
    }

    pub fn verdict(&self, id: FileId) -> &Verdict {
        &self.verdicts[id.0 as usize]
    }

    pub fn keeps(&self, id: FileId) -> bool {
        matches!(self.verdict(id), Verdict::Keep(_))
    }

    /// The kept files in path order.
    pub fn kept(&self) -> impl Iterator<Item = FileId> {
        self.ids().filter(|id| self.keeps(*id))
    }

    /// The dropped files in path order.
    pub fn dropped(&self) -> impl Iterator<Item = FileId> {
        self.ids().filter(|id| !self.keeps(*id))
    }

    fn ids(&self) -> impl Iterator<Item = FileId> {
        (0..self.verdicts.len() as u32).map(FileId)
    }
}

/// Every folder above a kept file is kept for its sake.
fn keep_folders(tree: &Tree, verdicts: &mut [Verdict], id: FileId) {
    let mut below = id;
    for folder in tree.path(id).ancestors() {
        let Some(folder) = tree.get(&folder) else {
            return;
        };
        if matches!(verdicts[folder.0 as usize], Verdict::Keep(_)) {
            return;
        }
        verdicts[folder.0 as usize] = Verdict::Keep(Cause {
            from: Some(below),
            how: How::Folder,
        });
        below = folder;
    }
}

fn why_not(tree: &Tree, id: FileId, policy: Policy) -> DropReason {
    let node = tree.node(id);
    if let Some(reason) = litter(&node.path) {
        return reason;
    }
    if matches!(node.kind, NodeKind::Dir) {
        return DropReason::EmptyFolder;
    }
    if is_bytecode(&node.path) {
        return DropReason::Bytecode;
    }
    match node.package {
        Some(package) => DropReason::Unreached(tree.package(package).name.clone()),
        None if policy == Policy::Tight && !generated(&node.path) => DropReason::Unobserved,
        None => DropReason::Generated,
    }
}

/// `__pycache__/NAME.TAG.pyc` (PEP 3147).
pub(super) fn is_bytecode(path: &ImagePath) -> bool {
    path.extension() == Some(b"pyc")
        && path
            .parent()
            .is_some_and(|folder| folder.name() == b"__pycache__")
}

/// The paths of an image that a repair brings back, as files of the tree.
pub fn repaired(tree: &Tree, missing: &BTreeSet<ImagePath>, round: u32) -> Vec<(FileId, How)> {
    let mut found = Vec::new();
    for path in missing {
        let way = tree.resolve(path);
        for id in way.links.iter().chain(way.file.iter()) {
            found.push((*id, How::Repaired { round }));
        }
    }
    found
}
