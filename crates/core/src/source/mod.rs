//! Where the fat root comes from: an image that exists, or a project whose
//! runtime, dependencies and code are put together here.

pub mod assembly;
pub mod base;
pub mod craft;
pub mod debian;
pub mod fat;
pub mod ignore;
pub mod image;
mod ini;
mod linked;
pub mod project;
pub mod python_deps;
pub mod unpack;

use std::path::PathBuf;

use whit_oci::{ImageConfig, ImagePath};

use crate::index::{FileId, NodeKind, Tree};
use crate::transform::LayerClass;

/// A whole root file system on disk, indexed: what an app runs in before
/// anything was taken away.
#[derive(Debug)]
pub struct FatRoot {
    pub tree: Tree,
    /// Extracted folders, the bottom one first. A path is found in the last
    /// one that has it; stacked with overlayfs they are the root.
    pub dirs: Vec<PathBuf>,
    pub config: ImageConfig,
    /// Which layer of the small image each layer of this one becomes; `None`
    /// for an image from elsewhere, whose files are told apart by their owner.
    pub layering: Option<Vec<LayerClass>>,
    /// Bytes of its layers on the wire; `None` where they are not compressed.
    pub stored: Option<u64>,
}

impl FatRoot {
    /// The host path that holds the bytes of a regular file; `None` for
    /// anything else.
    pub fn content(&self, id: FileId) -> Option<PathBuf> {
        let NodeKind::File { content, .. } = &self.tree.node(id).kind else {
            return None;
        };
        self.locate(content)
    }

    /// The host path of `path` in the topmost folder that has it.
    pub fn locate(&self, path: &ImagePath) -> Option<PathBuf> {
        self.dirs
            .iter()
            .rev()
            .map(|dir| path.under(dir))
            .find(|host| host.symlink_metadata().is_ok())
    }
}
