//! Where reachability starts.

use whit_oci::ImagePath;
use whit_sandbox::Access;

use super::verdict::is_bytecode;
use super::{Globs, Policy, generated, litter};
use crate::index::{FileId, Node, Tree};
use crate::reach::How;

/// A file that a run of the original touched, and how.
#[derive(Debug, Clone)]
pub struct Observed {
    pub file: FileId,
    pub access: Access,
    /// The program that ran, if it was not the image's own.
    pub entry: Option<String>,
}

impl Observed {
    fn how(&self) -> How {
        let access = word(self.access).to_owned();
        match &self.entry {
            None => How::Observed(access),
            Some(entry) => How::ObservedOf(access, entry.clone()),
        }
    }
}

/// Every file that stays for its own sake, with the reason; `reach` follows
/// what these need. The order is the order of preference between reasons.
pub fn roots(
    tree: &Tree,
    policy: Policy,
    command: &[(FileId, How)],
    observed: &[Observed],
    surroundings: &[(FileId, How)],
    keep: &Globs,
) -> Vec<(FileId, How)> {
    let mut roots = command.to_vec();
    for (id, node) in tree.iter() {
        if let Some(glob) = keep.matching(&node.path) {
            roots.push((id, How::KeepGlob(glob.to_owned())));
        }
    }
    if policy != Policy::Tight {
        roots.extend(
            tree.iter()
                .filter(|(_, node)| is_users(tree, node))
                .map(|(id, _)| (id, How::UserFile)),
        );
    }
    roots.extend(
        observed
            .iter()
            .filter(|touch| !is_bytecode(tree.path(touch.file)))
            .map(|touch| (touch.file, touch.how())),
    );
    roots.extend(surroundings.iter().cloned());
    if policy == Policy::Repack {
        roots.extend(
            tree.iter()
                .filter(|(_, node)| litter(&node.path).is_none())
                .map(|(id, _)| (id, How::Surroundings("policy repack".into()))),
        );
    }
    roots
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "written",
        Access::Exec => "executed",
        Access::Stat => "looked up",
        Access::List => "listed",
        Access::Link => "followed",
        Access::Missing => "missed",
    }
}

/// Folders of the base system. What lies here unpackaged in the bottom layer
/// was made when the base was made.
const BASE: &[&str] = &["usr", "etc", "var", "lib", "lib64", "bin", "sbin", "boot"];

/// True for what the user put into the image: no package owns it, no package
/// manager made it, and it is not litter.
fn is_users(tree: &Tree, node: &Node) -> bool {
    if node.package.is_some()
        || is_bytecode(&node.path)
        || generated(&node.path)
        || litter(&node.path).is_some()
        || is_activation(tree, &node.path)
    {
        return false;
    }
    let path = &node.path;
    let in_base = node.layer == 0
        && tree.layer_count() > 1
        && BASE.iter().any(|base| path.starts_with(&(*base).into()))
        && !path.starts_with(&"usr/local".into());
    // A folder alone says nothing: most are the base's skeleton. Those that
    // hold files of the user stay with them.
    let skeleton = node.is_dir() && (in_base || !is_own_place(path));
    let base_link = !node.is_file() && !node.is_dir() && !is_own_place(path);
    !in_base && !skeleton && !base_link
}

/// True for the scripts that `python -m venv` and `virtualenv` write for people
/// at a prompt: `bin/activate` and its kin for other shells.
fn is_activation(tree: &Tree, path: &ImagePath) -> bool {
    let stem = path.name().split(|b| *b == b'.').next().unwrap_or_default();
    let bin = path.parent().filter(|folder| folder.name() == b"bin");
    matches!(stem, b"activate" | b"Activate" | b"activate_this")
        && bin
            .and_then(|bin| bin.parent())
            .is_some_and(|venv| tree.get(&venv.join("pyvenv.cfg")).is_some())
}

/// Folders in which only the image's author puts things.
fn is_own_place(path: &ImagePath) -> bool {
    let first = path.components().next().unwrap_or_default();
    !matches!(
        first,
        b"usr"
            | b"etc"
            | b"var"
            | b"lib"
            | b"lib32"
            | b"lib64"
            | b"libx32"
            | b"bin"
            | b"sbin"
            | b"boot"
            | b"dev"
            | b"proc"
            | b"sys"
            | b"run"
            | b"tmp"
            | b"media"
            | b"mnt"
    ) || path.starts_with(&"usr/local".into())
        || path.starts_with(&"var/www".into())
}
