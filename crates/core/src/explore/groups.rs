//! Files added up by package, type, folder and cause of waste. Hard links
//! count once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{Cause, FileLine, Forest};
use crate::index::PackageKind;
use crate::inventory::Inventory;

/// Files that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    pub name: String,
    /// Of a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who installed a package; `None` for files of no package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<PackageKind>,
    pub files: u64,
    pub bytes: u64,
    /// `None` where a layer with some of the files is not compressed.
    pub wire: Option<u64>,
    /// Bytes in the original of a small image; 0 where there is none.
    #[serde(skip_serializing_if = "is_zero")]
    pub before: u64,
}

/// Files of no package.
const NOBODYS: &str = "no package";

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Group {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: None,
            kind: None,
            files: 0,
            bytes: 0,
            wire: Some(0),
            before: 0,
        }
    }

    fn add(&mut self, file: &FileLine) {
        self.before += file.fate.as_ref().map_or(0, |fate| fate.before);
        if file.layer.is_some() {
            self.files += u64::from(file.is_content());
            self.bytes += file.bytes;
            self.wire = self.wire.zip(file.wire).map(|(a, b)| a + b);
        }
    }
}

fn largest_first(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|a, b| {
        (Reverse(a.bytes), Reverse(a.before), &a.name).cmp(&(
            Reverse(b.bytes),
            Reverse(b.before),
            &b.name,
        ))
    });
    groups
}

/// By package; what a later layer hides is nobody's.
pub fn packages(inventory: &Inventory, files: &[FileLine]) -> Vec<Group> {
    let known: HashMap<&str, _> = inventory
        .tree
        .packages()
        .map(|(_, package)| (package.name.as_str(), package))
        .collect();
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for file in files.iter().filter(|file| !file.is_hidden()) {
        let name = file.package.as_deref();
        let group = groups.entry(name.unwrap_or_default()).or_insert_with(|| {
            let package = name.and_then(|name| known.get(name));
            Group {
                version: package
                    .map(|package| package.version.clone())
                    .filter(|version| !version.is_empty()),
                kind: package.map(|package| package.kind),
                ..Group::new(name.unwrap_or(NOBODYS))
            }
        });
        group.add(file);
    }
    largest_first(groups.into_values().collect())
}

/// By type of file; what a later layer hides too.
pub fn types(files: &[FileLine]) -> Vec<Group> {
    let mut groups: BTreeMap<_, Group> = BTreeMap::new();
    for file in files.iter().filter(|file| file.layer.is_some()) {
        if let Some(file_type) = file.file_type {
            groups
                .entry(file_type)
                .or_insert_with(|| Group::new(file_type.name()))
                .add(file);
        }
    }
    // Only what the image has has a type.
    for group in groups.values_mut() {
        group.before = 0;
    }
    largest_first(groups.into_values().collect())
}

/// One cause of waste, with examples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WasteLine {
    pub cause: Cause,
    pub name: &'static str,
    /// What would get rid of it.
    pub mend: &'static str,
    pub files: u64,
    pub bytes: u64,
    /// `None` where it is not known: a layer is not compressed, or only a part
    /// of a file is wasted.
    pub wire: Option<u64>,
    /// The files that waste most.
    pub examples: Vec<String>,
}

const EXAMPLES: usize = 3;

pub fn wasted(files: &[FileLine]) -> Vec<WasteLine> {
    let mut by_cause: BTreeMap<Cause, Vec<(&FileLine, u64)>> = BTreeMap::new();
    for file in files {
        if let Some(wasted) = file.wasted {
            let files = by_cause.entry(wasted.cause).or_default();
            files.push((file, wasted.bytes));
        }
    }
    let mut lines: Vec<WasteLine> = by_cause
        .into_iter()
        .map(|(cause, mut files)| {
            files.sort_by_key(|(file, bytes)| (Reverse(*bytes), &file.path));
            let wire = files.iter().map(|(file, bytes)| {
                let whole = *bytes == file.bytes;
                file.wire.filter(|_| whole)
            });
            WasteLine {
                cause,
                name: cause.name(),
                mend: cause.mend(),
                files: files.len() as u64,
                bytes: files.iter().map(|(_, bytes)| bytes).sum(),
                wire: wire.sum(),
                examples: files
                    .iter()
                    .take(EXAMPLES)
                    .map(|(file, _)| file.path.clone())
                    .collect(),
            }
        })
        .collect();
    lines.sort_by_key(|line| (Reverse(line.bytes), line.cause));
    lines
}

/// A folder with all that lies below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FolderLine {
    pub path: String,
    /// How many listed folders it lies in.
    pub depth: usize,
    pub files: u64,
    pub bytes: u64,
    pub wire: Option<u64>,
}

/// A folder is listed if it holds so much of the image (one part in …).
const LISTED: u64 = 40;
/// A folder whose largest child holds nearly all of it says nothing.
const NEARLY_ALL: f64 = 0.9;

/// The folders that hold most of the image, in the order of the tree, the
/// largest of a folder first. Chains of folders that only hold one another are
/// one line.
pub fn folders(forest: &Forest) -> Vec<FolderLine> {
    let mut lines = Vec::new();
    let least = forest.nodes[0].bytes / LISTED;
    walk(forest, 0, 0, least, &mut lines);
    lines
}

fn walk(forest: &Forest, at: usize, depth: usize, least: u64, lines: &mut Vec<FolderLine>) {
    const DEEPEST: usize = 4;
    let mut children: Vec<usize> = forest.nodes[at]
        .children
        .iter()
        .copied()
        .filter(|id| forest.nodes[*id].file.is_none())
        .filter(|id| forest.nodes[*id].bytes >= least.max(1))
        .collect();
    children.sort_by_key(|id| (Reverse(forest.nodes[*id].bytes), *id));
    for child in children {
        let end = end_of_chain(forest, child);
        let node = &forest.nodes[end];
        lines.push(FolderLine {
            path: forest.path(end),
            depth,
            files: node.files,
            bytes: node.bytes,
            wire: node.wire,
        });
        if depth + 1 < DEEPEST {
            walk(forest, end, depth + 1, least, lines);
        }
    }
}

fn end_of_chain(forest: &Forest, from: usize) -> usize {
    let mut here = from;
    loop {
        let node = &forest.nodes[here];
        let largest = node
            .children
            .iter()
            .filter(|id| forest.nodes[**id].file.is_none())
            .max_by_key(|id| forest.nodes[**id].bytes);
        match largest {
            Some(child) if forest.nodes[*child].bytes as f64 >= node.bytes as f64 * NEARLY_ALL => {
                here = *child;
            }
            _ => return here,
        }
    }
}
