//! The closure: from the roots, through every analyzer, to all that is
//! reachable.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use whit_oci::ImagePath;

use super::{Cause, How, links};
use crate::index::{FileId, Tree};

/// What an analyzer says about one file.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that this one needs, and how.
    pub edges: Vec<(FileId, How)>,
    /// What could not be followed and matters, in words for the report.
    pub warnings: Vec<String>,
}

impl Found {
    /// Adds the file at `path` and the links that lead to it.
    pub fn reach(&mut self, tree: &Tree, path: &ImagePath, how: How) {
        self.edges.extend(reach_path(tree, path, how));
    }

    pub fn extend(&mut self, other: Found) {
        self.edges.extend(other.edges);
        self.warnings.extend(other.warnings);
    }
}

/// Reads files of one kind and tells what they need. Analyzers are pure: they
/// read the tree and the extracted bytes and change nothing, and they don't
/// know each other.
pub trait Analyzer: Sync {
    /// What `file` needs. Nothing, where it is not of this analyzer's kind.
    fn follow(&self, file: FileId) -> Found;

    /// Like [`Analyzer::follow`], for an analyzer whose answer depends on why
    /// the file is kept: a program that is run needs its configuration, the
    /// same file kept because it is somebody's data does not.
    fn follow_caused(&self, file: FileId, _cause: &Cause) -> Found {
        self.follow(file)
    }
}

/// The file that a process gets at `path`, kept for the reason `how`, and
/// before it the symbolic links on the way. Empty if nothing is there.
pub fn reach_path(tree: &Tree, path: &ImagePath, how: How) -> Vec<(FileId, How)> {
    let found = tree.resolve(path);
    let Some(file) = found.file else {
        return Vec::new();
    };
    let mut reached: Vec<_> = found.links.into_iter().map(|id| (id, How::Link)).collect();
    reached.push((file, how));
    reached
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
    ///
    /// A symbolic link brings what it leads to; a folder brings only itself,
    /// and the folders above a file are not in the graph.
    pub fn close(tree: &Tree, roots: Vec<(FileId, How)>, analyzers: &[&dyn Analyzer]) -> Self {
        let mut causes: BTreeMap<FileId, Cause> = BTreeMap::new();
        let mut warnings = Vec::new();
        let mut said = BTreeSet::new();
        let mut edges: Vec<(FileId, Cause)> = roots
            .into_iter()
            .map(|(id, how)| (id, Cause { from: None, how }))
            .collect();
        // Every round but the last adds a file, so this ends.
        while !edges.is_empty() {
            let mut level = Vec::new();
            for (id, cause) in edges {
                causes.entry(id).or_insert_with(|| {
                    level.push((id, cause.clone()));
                    cause
                });
            }
            let found: Vec<Found> = level
                .par_iter()
                .map(|(id, cause)| follow_all(tree, analyzers, *id, cause))
                .collect();
            edges = Vec::new();
            for ((from, _), found) in level.iter().zip(found) {
                edges.extend(found.edges.into_iter().map(|(id, how)| {
                    let from = Some(*from);
                    (id, Cause { from, how })
                }));
                for warning in found.warnings {
                    if said.insert(warning.clone()) {
                        warnings.push(warning);
                    }
                }
            }
        }
        Self { causes, warnings }
    }
}

fn follow_all(tree: &Tree, analyzers: &[&dyn Analyzer], file: FileId, cause: &Cause) -> Found {
    let mut found = links::follow(tree, file);
    for analyzer in analyzers {
        found.extend(analyzer.follow_caused(file, cause));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    /// Every file needs those that its table line names.
    struct Table<'a>(&'a Tree, &'a [(&'a str, &'a [&'a str])]);

    impl Analyzer for Table<'_> {
        fn follow(&self, file: FileId) -> Found {
            let mut found = Found::default();
            for (from, needs) in self.1 {
                if self.0.get(&(*from).into()) == Some(file) {
                    for need in *needs {
                        found.reach(self.0, &(*need).into(), How::Needed((*need).to_owned()));
                    }
                    found.warnings.push("seen".to_owned());
                }
            }
            found
        }
    }

    #[test]
    fn the_shortest_chain_wins_and_links_are_kept() {
        let tree = tree(&["a", "b", "c", "lib -> usr/lib", "usr/lib/z", "alone"]);
        let table = Table(
            &tree,
            &[
                ("a", &["b", "lib/z"]),
                ("b", &["c"]),
                ("usr/lib/z", &["c", "a"]),
            ],
        );
        let root = tree.get(&"a".into()).unwrap();
        let graph = Graph::close(&tree, vec![(root, How::Command)], &[&table]);
        let kept: Vec<String> = graph
            .causes
            .keys()
            .map(|id| tree.path(*id).to_string())
            .collect();
        assert_eq!(kept, ["/a", "/b", "/c", "/lib", "/usr/lib", "/usr/lib/z"]);
        let c = &graph.causes[&tree.get(&"c".into()).unwrap()];
        assert_eq!(c.from, tree.get(&"b".into()));
        assert_eq!(graph.causes[&root].from, None);
        assert_eq!(graph.warnings, ["seen"]);
    }
}
