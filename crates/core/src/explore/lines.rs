//! One line per file.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use whit_oci::ImagePath;

use super::Cause;
use crate::index::NodeKind;
use crate::inventory::{self, FileType, Inventory};
use crate::report::{self, Report};

/// A file of the image, of a layer below, or of the original of a small image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    pub path: String,
    /// In the image; 0 for further names of a hard link.
    pub bytes: u64,
    /// Its share of the compressed layer; `None` where that is not known: the
    /// layer is not compressed.
    pub wire: Option<u64>,
    /// `None` for what is no regular file; guessed from the name for what the
    /// image has not.
    #[serde(rename = "type")]
    pub file_type: Option<FileType>,
    /// Counted from the bottom; `None` for what the image has not.
    pub layer: Option<u16>,
    pub package: Option<String>,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasted: Option<Wasted>,
    /// What whit did to it, for an image with a report.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
}

/// Bytes of a file that are there for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Wasted {
    pub cause: Cause,
    pub bytes: u64,
    /// Counted from the bottom: the layer that hides the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<u16>,
}

/// What became of a file of the original, read from the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fate {
    pub kept: bool,
    /// A sentence without subject: "is imported as json".
    pub why: String,
    /// The file that made it necessary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Bytes in the original.
    pub before: u64,
}

impl FileLine {
    /// True for what a later layer hides.
    pub fn is_hidden(&self) -> bool {
        self.wasted.is_some_and(|wasted| wasted.cause.hides())
    }

    /// True for content of the image: no link, and not what it has not.
    pub fn is_content(&self) -> bool {
        self.file_type.is_some() && self.layer.is_some() && self.link.is_none()
    }

    fn absent(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            bytes: 0,
            wire: None,
            file_type: None,
            layer: None,
            package: None,
            link: None,
            wasted: None,
            fate: None,
        }
    }
}

/// All files and links, in path order.
pub fn files(inventory: &Inventory) -> Vec<FileLine> {
    let copies = copies(inventory);
    let sources = sources(inventory);
    let tree = &inventory.tree;
    let mut lines: Vec<FileLine> = tree
        .iter()
        .filter(|(_, node)| !node.is_dir())
        .map(|(id, node)| {
            let content = inventory.content(id);
            let file_type = content.map(|content| content.file_type);
            let link = match &node.kind {
                NodeKind::Symlink { target } => Some(String::from_utf8_lossy(target).into_owned()),
                NodeKind::File { content, .. } if *content != node.path => {
                    Some(content.to_string())
                }
                _ => None,
            };
            let own = link.is_none() && node.is_file();
            let wasted = || {
                let (file_type, size) = (file_type?, node.size());
                let whole = |cause| Wasted {
                    cause,
                    bytes: size,
                    by: None,
                };
                let symbols = content.map_or(0, |content| content.symbols);
                Cause::of(&node.path, file_type)
                    .or_else(|| copies.contains(&node.path).then_some(Cause::Duplicate))
                    .or_else(|| compiled(&node.path, &sources).then_some(Cause::Bytecode))
                    .map(whole)
                    .or_else(|| {
                        (symbols > 0).then_some(Wasted {
                            cause: Cause::Symbols,
                            bytes: symbols,
                            by: None,
                        })
                    })
            };
            FileLine {
                path: node.path.to_string(),
                bytes: if own { node.size() } else { 0 },
                wire: match content {
                    Some(content) if own => content.wire,
                    _ => Some(0),
                },
                file_type,
                layer: Some(node.layer),
                package: node.package.map(|id| tree.package(id).name.clone()),
                wasted: if own && node.size() > 0 {
                    wasted()
                } else {
                    None
                },
                link,
                fate: None,
            }
        })
        .collect();
    lines.extend(inventory.waste.iter().map(hidden));
    lines.sort_by(|a, b| (&a.path, a.layer).cmp(&(&b.path, b.layer)));
    lines
}

fn hidden(waste: &inventory::Waste) -> FileLine {
    FileLine {
        bytes: waste.bytes,
        wire: waste.content.wire,
        file_type: Some(waste.content.file_type),
        layer: Some(waste.layer),
        wasted: Some(Wasted {
            cause: match waste.fate {
                inventory::Fate::Deleted => Cause::Deleted,
                inventory::Fate::Replaced => Cause::Replaced,
                inventory::Fate::Repeated => Cause::Repeated,
            },
            bytes: waste.bytes,
            by: Some(waste.by),
        }),
        ..FileLine::absent(&waste.path.to_string())
    }
}

/// Files whose content another one has too, but for the first of each kind.
fn copies(inventory: &Inventory) -> BTreeSet<ImagePath> {
    inventory::duplicates(inventory)
        .iter()
        .flat_map(|duplicate| duplicate.files.iter().skip(1))
        .map(|file| inventory.tree.path(*file).clone())
        .collect()
}

/// Python source files, without their extension.
fn sources(inventory: &Inventory) -> BTreeSet<Vec<u8>> {
    inventory
        .files()
        .filter_map(|(file, _)| inventory.tree.path(file).as_bytes().strip_suffix(b".py"))
        .map(<[u8]>::to_vec)
        .collect()
}

/// Whether this is the bytecode of one of the sources: `x.pyc`, or
/// `__pycache__/x.cpython-311.pyc` (PEP 3147).
fn compiled(path: &ImagePath, sources: &BTreeSet<Vec<u8>>) -> bool {
    let Some(stem) = path.as_bytes().strip_suffix(b".pyc") else {
        return false;
    };
    if sources.contains(stem) {
        return true;
    }
    let (Some(folder), name) = (path.parent(), path.name()) else {
        return false;
    };
    let module = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    folder.name() == b"__pycache__"
        && folder
            .parent()
            .is_some_and(|package| sources.contains(package.join(module).as_bytes()))
}

/// The lines with what the report tells, and one more for each file that the
/// original had.
pub fn with_fates(mut files: Vec<FileLine>, report: &Report) -> Vec<FileLine> {
    let mut at: HashMap<String, usize> = HashMap::new();
    for (i, file) in files.iter().enumerate() {
        if !file.is_hidden() {
            at.insert(file.path.clone(), i);
        }
    }
    let folders = folders(report);
    let mut absent: BTreeMap<&str, FileLine> = BTreeMap::new();
    for line in &report.files {
        let mut fate = Fate {
            kept: line.kept,
            why: line.why.clone(),
            from: line.from.clone(),
            before: line.size,
        };
        if let (true, Some(moved)) = (line.kept, &line.moved) {
            if let Some(file) = at.get(moved).map(|i| &mut files[*i]) {
                let before = file.fate.as_ref().map_or(0, |fate| fate.before);
                file.fate = Some(Fate {
                    before,
                    ..fate.clone()
                });
                file.package = file.package.take().or_else(|| line.package.clone());
            }
            fate.why = format!("{}, now {moved}", fate.why);
        }
        let file = match at.get(&line.path) {
            Some(i) => &mut files[*i],
            None if folders.contains(line.path.trim_end_matches('/')) => continue,
            None => absent.entry(&line.path).or_insert_with(|| FileLine {
                file_type: (line.size > 0)
                    .then(|| FileType::detect(&line.path.as_str().into(), &[])),
                ..FileLine::absent(&line.path)
            }),
        };
        // What a moved file left under its new name stays: that is why it is there.
        match &mut file.fate {
            Some(known) => known.before = fate.before,
            None => file.fate = Some(fate),
        }
        file.package = file.package.take().or_else(|| line.package.clone());
    }
    files.extend(absent.into_values());
    files.sort_by(|a, b| (&a.path, a.layer).cmp(&(&b.path, b.layer)));
    files
}

/// Paths of the report with something below them.
fn folders(report: &Report) -> BTreeSet<&str> {
    let parent = |line: &'_ report::FileLine| line.path.rfind('/');
    report
        .files
        .iter()
        .filter_map(|line| Some(&line.path[..parent(line)?]))
        .collect()
}
