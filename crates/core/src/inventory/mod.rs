//! What is in an image, without running it: read once as a stream, layer by
//! layer, with no content held but the databases of package managers.
//!
//! `whit size`, `whit explore` and `whit diff` draw from it.

mod filetype;
mod read;
mod sums;
mod symbols;
mod tap;
mod waste;

use std::collections::HashMap;

use whit_oci::{Compression, Digest, ImageConfig, ImageError, ImagePath, LayerError};

use crate::index::{FileId, IndexError, NodeKind, Tree};

pub use filetype::FileType;
pub use read::read;
pub use sums::{Sum, by_folder, by_package, by_type};
pub use waste::{Duplicate, Fate, Waste, duplicates};

/// What an image holds.
#[derive(Debug)]
pub struct Inventory {
    pub config: ImageConfig,
    /// The bottom one first.
    pub layers: Vec<Layer>,
    /// What its processes see, each file with its layer and package.
    pub tree: Tree,
    /// What is known of files' content, by the path in
    /// [`crate::index::NodeKind::File::content`].
    contents: HashMap<ImagePath, Content>,
    /// Content that lies in a layer and that nobody sees, in the order in
    /// which layers took it away.
    pub waste: Vec<Waste>,
}

/// A layer as it was read.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Of the bytes as stored, where the image tells.
    pub digest: Option<Digest>,
    /// Of the tar.
    pub diff_id: Digest,
    /// Bytes as stored.
    pub stored: u64,
    /// Bytes of the tar.
    pub tar: u64,
    /// Bytes of its regular files, hard links counted once.
    pub bytes: u64,
    /// Bytes of its symbolic links' targets.
    pub link_bytes: u64,
    /// Entries but for whiteouts: files, links, folders.
    pub entries: u64,
    /// What the image's history says made it.
    pub created_by: String,
    /// Bytes that it takes on the wire.
    pub wire: Wire,
    /// Bytes of the tar compressed as was asked for, in that order.
    pub recompressed: Vec<(Compression, u64)>,
}

/// Bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire {
    pub bytes: u64,
    /// The layer is stored without compression, as no registry has it, and
    /// `bytes` is gzip's size, extrapolated from samples. Measured if
    /// [`Detail`] asks for it, or for gzip.
    pub estimated: bool,
}

/// What is known of the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pub file_type: FileType,
    /// If [`Detail::digests`] asked for it.
    pub digest: Option<Digest>,
    /// Its share of the stored layer, its headers included, to the grain of
    /// [`whit_oci::Offsets`]; `None` where the layer is not compressed.
    pub wire: Option<u64>,
    /// Bytes of an ELF file's symbol table and debug sections, if
    /// [`Detail::digests`] asked to read everything.
    pub symbols: u64,
}

/// How closely an image is looked at.
#[derive(Debug, Clone, Default)]
pub struct Detail {
    /// Hash every file, to know equal content, and find symbols in ELF files.
    pub digests: bool,
    /// Compress every layer again in these ways, to measure.
    pub recompress: Vec<Compression>,
    /// Measure what gzip makes of layers that are stored plain, instead of
    /// extrapolating it.
    pub measure_plain: bool,
}

/// Why an image cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error("{layer}: {source}")]
    Index { layer: String, source: IndexError },
    #[error("{layer}: cannot compress it: {source}")]
    Compress {
        layer: String,
        source: std::io::Error,
    },
    #[error("interrupted")]
    Cancelled,
}

impl InventoryError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Layer(error) => error.hint(),
            Self::Index { .. } | Self::Compress { .. } | Self::Cancelled => None,
        }
    }
}

impl Inventory {
    /// Bytes of all regular files in all layers, hard links counted once: what
    /// a node's disk holds once the image is unpacked.
    pub fn bytes(&self) -> u64 {
        total(self.layers.iter().map(|layer| layer.bytes))
    }

    /// Bytes of the regular files that processes see, hard links counted
    /// once: what an unpacked copy holds. [`Self::bytes`] less the waste.
    pub fn visible_bytes(&self) -> u64 {
        total(self.files().map(|(_, size)| size))
    }

    /// Regular files that processes see, each content once, with its bytes.
    pub fn files(&self) -> impl Iterator<Item = (FileId, u64)> {
        self.tree.iter().filter_map(|(id, node)| {
            let NodeKind::File { size, content } = &node.kind else {
                return None;
            };
            (*content == node.path).then_some((id, *size))
        })
    }

    /// What is known of the content of a regular file.
    pub fn content(&self, file: FileId) -> Option<&Content> {
        match &self.tree.node(file).kind {
            NodeKind::File { content, .. } => self.contents.get(content),
            _ => None,
        }
    }

    /// Bytes on the wire of all layers.
    pub fn wire(&self) -> Wire {
        Wire {
            bytes: total(self.layers.iter().map(|layer| layer.wire.bytes)),
            estimated: self.layers.iter().any(|layer| layer.wire.estimated),
        }
    }
}

/// A sum of sizes that nobody vouches for.
fn total(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
