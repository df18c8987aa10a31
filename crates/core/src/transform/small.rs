//! The small image's tree.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use whit_oci::{ImagePath, Kind, Meta};

use crate::index::FileId;

/// The three layers of a small image, the one that changes least at the
/// bottom, so that an app-only change moves only kilobytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerClass {
    /// Packages of the distribution and the language's runtime.
    Runtime,
    /// Packages of the language.
    Dependencies,
    /// The user's files.
    App,
}

impl LayerClass {
    pub const ALL: [LayerClass; 3] = [
        LayerClass::Runtime,
        LayerClass::Dependencies,
        LayerClass::App,
    ];
}

impl fmt::Display for LayerClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LayerClass::Runtime => "runtime",
            LayerClass::Dependencies => "dependencies",
            LayerClass::App => "app",
        })
    }
}

/// Where the bytes of a regular file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// On disk, in the extracted original or in the cache.
    Host(PathBuf),
    /// Made by whit.
    Bytes(Arc<[u8]>),
}

/// What was changed in a file's content or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Edit {
    /// Symbols and debug sections removed from an ELF file.
    Stripped,
    /// Python source replaced by its bytecode.
    Bytecode,
    /// The description taken out of a package's metadata.
    Trimmed,
    /// Written by whit: not in the original.
    Generated,
    /// Put into the archive of one executable.
    Packed,
    /// Linked into one executable.
    Linked,
}

impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Edit::Stripped => "stripped",
            Edit::Bytecode => "bytecode",
            Edit::Trimmed => "trimmed",
            Edit::Generated => "generated",
            Edit::Packed => "packed",
            Edit::Linked => "linked",
        })
    }
}

/// One file of the small image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallFile {
    pub kind: Kind,
    pub meta: Meta,
    /// Only for regular files.
    pub content: Option<Content>,
    pub class: LayerClass,
    /// The file of the original that it is or was made from.
    pub origin: Option<FileId>,
    pub edit: Option<Edit>,
}

impl SmallFile {
    /// Bytes of a regular file; 0 for everything else.
    pub fn size(&self) -> u64 {
        match self.kind {
            Kind::File { size } => size,
            _ => 0,
        }
    }
}

/// Everything that the small image holds.
#[derive(Debug, Clone, Default)]
pub struct SmallTree {
    pub files: BTreeMap<ImagePath, SmallFile>,
}

impl SmallTree {
    /// Bytes of all regular files.
    pub fn size(&self) -> u64 {
        self.files.values().map(SmallFile::size).sum()
    }
}
