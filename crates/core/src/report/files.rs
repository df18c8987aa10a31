//! One line per file of the original, and per file that whit added.

use serde::{Deserialize, Serialize};
use whit_oci::ImagePath;

use crate::index::Tree;
use crate::plan::{Plan, Verdict};
use crate::transform::SmallTree;

/// What became of one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLine {
    pub path: String,
    pub kept: bool,
    /// A sentence without subject ("is imported as json"), or with one where
    /// it is dropped.
    pub why: String,
    /// The file that made this one necessary, or would have; none for roots
    /// and for what nothing needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Bytes in the original.
    pub size: u64,
    /// Bytes in the small image, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// `stripped`, `bytecode` or `generated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<String>,
    /// Where the content lives now, if under another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// The executable that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
}

/// Every path of the original in path order, then what whit wrote itself.
pub fn file_lines(tree: &Tree, plan: &Plan, small: &SmallTree) -> Vec<FileLine> {
    let made_from: std::collections::BTreeMap<_, _> = small
        .files
        .iter()
        .filter_map(|(path, file)| Some((file.origin?, (path, file))))
        .collect();
    // A dropped folder comes back for the sake of what whit writes below it.
    let written_by_whit = |path: &ImagePath| {
        let file = small.files.get(path);
        file.is_some_and(|file| file.origin.is_none())
    };
    let mut lines: Vec<FileLine> = tree
        .iter()
        .filter(|(_, node)| !written_by_whit(&node.path))
        .map(|(id, node)| {
            let (kept, why, cause) = match plan.verdict(id) {
                Verdict::Keep(cause) => (true, cause.how.to_string(), Some(cause)),
                Verdict::Drop(reason) => (false, reason.to_string(), reason.wanted()),
            };
            let from = cause.and_then(|cause| cause.from);
            let now = made_from.get(&id).filter(|_| kept);
            FileLine {
                path: node.path.to_string(),
                kept,
                why,
                from: from.map(|from| tree.path(from).to_string()),
                size: node.size(),
                now: now
                    .map(|(_, file)| file.size())
                    .filter(|now| *now != node.size()),
                package: node
                    .package
                    .map(|package| tree.package(package).name.clone()),
                edit: now
                    .and_then(|(_, file)| file.edit)
                    .map(|edit| edit.to_string()),
                moved: now
                    .filter(|(path, _)| **path != node.path)
                    .map(|(path, _)| path.to_string()),
                inside: None,
            }
        })
        .collect();
    lines.extend(
        small
            .files
            .iter()
            .filter(|(_, file)| file.origin.is_none())
            .map(|(path, file)| FileLine {
                path: path.to_string(),
                kept: true,
                why: "was written by whit".into(),
                from: None,
                size: tree.get(path).map_or(0, |id| tree.node(id).size()),
                now: Some(file.size()),
                package: None,
                edit: file.edit.map(|edit| edit.to_string()),
                moved: None,
                inside: None,
            }),
    );
    lines
}
