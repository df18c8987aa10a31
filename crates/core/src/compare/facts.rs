//! What an image has besides its size.

use serde::Serialize;
use whit_oci::ImagePath;

use crate::index::{NodeKind, Tree};
use crate::inventory::Inventory;

/// What somebody looks at who is responsible for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Packages of the distribution and the language that a scanner finds.
    pub packages: usize,
    /// Regular files that run with somebody else's rights: mode 4000 or 2000.
    pub setuid: usize,
    pub shell: bool,
}

const SETUID_OR_SETGID: u32 = 0o6000;

pub fn facts(inventory: &Inventory) -> Facts {
    let tree = &inventory.tree;
    Facts {
        packages: tree.packages().count(),
        setuid: setuid(tree),
        shell: ["bin/sh", "bin/bash", "bin/busybox"]
            .iter()
            .any(|path| tree.lookup(&ImagePath::from(*path)).is_some()),
    }
}

fn setuid(tree: &Tree) -> usize {
    let programs = tree.iter().filter(|(_, node)| {
        matches!(node.kind, NodeKind::File { .. }) && node.meta.mode & SETUID_OR_SETGID != 0
    });
    programs.count()
}
