//! The one door through which paths of a run become files of the tree.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;

use whit_oci::ImagePath;
use whit_sandbox::{Access, Trace};

use crate::index::{FileId, Tree};

/// The files that a trace touched, each with the strongest way it was touched
/// (executed before read before looked up), in path order. Links on the way
/// are included; paths that the original does not have are left out.
pub fn files(tree: &Tree, trace: &Trace) -> Vec<(FileId, Access)> {
    let mut found: BTreeMap<FileId, Access> = BTreeMap::new();
    let mut note = |id: FileId, access: Access| {
        let known = found.entry(id).or_insert(access);
        if weight(access) > weight(*known) {
            *known = access;
        }
    };
    for touch in trace {
        if touch.access == Access::Missing {
            continue;
        }
        let way = tree.resolve(&ImagePath::clamped(touch.path.as_os_str().as_bytes()));
        if touch.access == Access::Link {
            // The link itself: its target is a touch of its own.
            if let Some(link) = tree.get(&ImagePath::clamped(touch.path.as_os_str().as_bytes())) {
                note(link, Access::Link);
            }
            continue;
        }
        for link in way.links {
            note(link, Access::Link);
        }
        if let Some(id) = way.file {
            note(id, touch.access);
        }
    }
    found.into_iter().collect()
}

fn weight(access: Access) -> u8 {
    match access {
        Access::Exec => 6,
        Access::Read => 5,
        Access::Write => 4,
        Access::List => 3,
        Access::Stat => 2,
        Access::Link => 1,
        Access::Missing => 0,
    }
}
