//! Which files an image has, and where each comes from.

mod package;
mod tree;

pub use package::{Package, PackageId, PackageKind};
pub use tree::{FileId, Node, NodeKind, Resolution, Tree};
