//! Running untrusted programs in a root file system of their own, without
//! privileges, and recording which paths they touch.
//!
//! The only unsafe code of the workspace. Knows nothing about images.

mod command;
mod error;
mod spec;
mod trace;

pub use command::{Command, Exit, Outcome, Running, Stdin};
pub use error::{Error, Result};
pub use spec::{Mount, Network, Spec, Upper};
pub use trace::{Access, Touch, Trace};

/// The host's user and group that a file of the image's `uid` and `gid` must
/// belong to on disk, so that it has the right owner inside a sandbox.
///
/// `None` where whit is not the host's root: files then belong to the invoking
/// user, who is mapped to the image's user or to its root.
pub fn disk_owner(_uid: u32, _gid: u32) -> Option<(u32, u32)> {
    None
}
