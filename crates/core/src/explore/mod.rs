//! Where the bytes of an image went, as plain data: text, JSON, a terminal
//! view and a page are drawn from it and compute nothing.

mod cause;
mod forest;
mod groups;
mod lines;

use serde::Serialize;
use whit_oci::Image;

use crate::inventory::Inventory;
use crate::report::Report;

pub use cause::Cause;
pub use forest::{Forest, Node};
pub use groups::{FolderLine, Group, WasteLine};
pub use lines::{Fate, FileLine, Wasted};

/// Everything about one image.
#[derive(Debug, Clone, Serialize)]
pub struct Exploration {
    /// As the user named it.
    pub image: String,
    pub platform: String,
    pub totals: Totals,
    /// The image that this one was made from, if a report of whit tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// The bottom one first.
    pub layers: Vec<LayerLine>,
    /// The largest first; files of no package are the group without a kind.
    pub packages: Vec<Group>,
    pub types: Vec<Group>,
    /// The folders that hold most, in path order.
    pub folders: Vec<FolderLine>,
    /// The most wasteful first. A byte is counted under one cause only.
    pub wasted: Vec<WasteLine>,
    /// Every file in path order, those too that a later layer hides.
    pub files: Vec<FileLine>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Bytes of the regular files of all layers, hard links counted once.
    pub bytes: u64,
    /// Of those, what processes see.
    pub seen: u64,
    /// Bytes on the wire.
    pub wire: u64,
    /// True where a layer is stored without compression, and `wire` was
    /// extrapolated from samples of it.
    pub wire_estimated: bool,
    /// Regular files that processes see.
    pub files: u64,
    pub wasted: u64,
}

/// The original of a small image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Before {
    /// As it was named when it was made smaller.
    pub source: String,
    pub bytes: u64,
    pub wire: u64,
    pub wire_estimated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LayerLine {
    /// Of the bytes as stored, or of the tar where the image does not tell.
    pub digest: String,
    pub created_by: String,
    pub bytes: u64,
    pub wire: u64,
    pub wire_estimated: bool,
    /// Regular files that it adds and that processes see.
    pub files: u64,
    /// Bytes that later layers hide.
    pub hidden: u64,
}

/// Draws up where the bytes of `inventory` are, which was read from `image`
/// with [`crate::inventory::Detail::digests`]. `report` is the one that whit
/// wrote when it made the image.
pub fn explore(
    name: &str,
    image: &Image,
    inventory: &Inventory,
    report: Option<&Report>,
) -> Exploration {
    let mut files = lines::files(inventory);
    if let Some(report) = report {
        files = lines::with_fates(files, report);
    }
    let packages = groups::packages(inventory, &files);
    let wasted = groups::wasted(&files);
    let wire = inventory.wire();
    Exploration {
        image: name.to_owned(),
        platform: image.platform().to_string(),
        totals: Totals {
            bytes: inventory.bytes(),
            seen: inventory.visible_bytes(),
            wire: wire.bytes,
            wire_estimated: wire.estimated,
            files: inventory.files().count() as u64,
            wasted: wasted.iter().map(|line| line.bytes).sum(),
        },
        before: report.map(|report| Before {
            source: report.source.clone(),
            bytes: report.before.bytes,
            wire: report.before.compressed,
            wire_estimated: report.before.estimated,
        }),
        layers: layers(inventory, &files),
        types: groups::types(&files),
        folders: groups::folders(&Forest::grow(&files)),
        packages,
        wasted,
        files,
    }
}

fn layers(inventory: &Inventory, files: &[FileLine]) -> Vec<LayerLine> {
    let mut lines: Vec<LayerLine> = inventory
        .layers
        .iter()
        .map(|layer| LayerLine {
            digest: layer.digest.unwrap_or(layer.diff_id).to_string(),
            created_by: layer.created_by.clone(),
            bytes: layer.bytes,
            wire: layer.wire.bytes,
            wire_estimated: layer.wire.estimated,
            files: 0,
            hidden: 0,
        })
        .collect();
    for file in files {
        let Some(line) = file
            .layer
            .and_then(|layer| lines.get_mut(usize::from(layer)))
        else {
            continue;
        };
        if file.is_hidden() {
            line.hidden += file.bytes;
        } else if file.is_content() {
            line.files += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests;
