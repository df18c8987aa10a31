//! Which files an image has, and where each comes from.

mod builder;
mod contents;
mod package;
mod provenance;
mod scan;
mod tree;

pub use builder::{Builder, Change, IndexError, Placed, Removed};
pub use contents::contents;
pub use package::{Package, PackageId, PackageKind};
pub use provenance::{Distribution, wants};
pub use scan::{Owner, ScanError, scan};
pub use tree::{FileId, Node, NodeKind, Resolution, Tree};
