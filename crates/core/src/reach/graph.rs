//! The closure: from the roots, through every analyzer, to all that is
//! reachable.

use std::collections::BTreeMap;

use super::{Cause, How};
use crate::index::{FileId, Tree};

/// What an analyzer says about one file.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that this one needs, and how.
    pub edges: Vec<(FileId, How)>,
    /// What could not be followed and matters, in words for the report.
    pub warnings: Vec<String>,
}

/// Reads files of one kind and tells what they need. Analyzers are pure: they
/// read the tree and the extracted bytes and change nothing, and they don't
/// know each other.
pub trait Analyzer: Sync {
    /// What `file` needs. Nothing, where it is not of this analyzer's kind.
    fn follow(&self, file: FileId) -> Found;
}

/// Everything that is reachable, each file with the first cause found for it.
#[derive(Debug, Default)]
pub struct Graph {
    pub causes: BTreeMap<FileId, Cause>,
    pub warnings: Vec<String>,
}

impl Graph {
    /// Breadth-first from `roots`, so that the chain of causes is a shortest
    /// one. The order of roots and edges decides between equals; the result
    /// does not depend on the number of threads.
    pub fn close(_tree: &Tree, _roots: Vec<(FileId, How)>, _analyzers: &[&dyn Analyzer]) -> Self {
        Self::default()
    }
}
