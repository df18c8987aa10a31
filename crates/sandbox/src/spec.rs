//! What a sandbox is made of.

use std::path::PathBuf;

use crate::Emulator;

/// A root file system and its surroundings.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Extracted folders that make up the read-only root, the bottom one
    /// first.
    pub lowers: Vec<PathBuf>,
    /// Where the program's writes go.
    pub upper: Upper,
    /// Host files or folders that are visible inside.
    pub mounts: Vec<Mount>,
    pub network: Network,
    pub hostname: String,
    /// Most processes and threads that may exist at once (a fork bomb ends
    /// here, not on the host).
    pub max_processes: u64,
    /// What runs programs of another processor; without one they run as far as
    /// the host itself can run them.
    pub emulator: Option<Emulator>,
}

/// Where writes go.
#[derive(Debug, Clone)]
pub enum Upper {
    /// Into memory, thrown away at the end.
    Memory { max_bytes: u64 },
    /// Into a folder that stays: overlayfs's upper layer.
    Folder { upper: PathBuf, work: PathBuf },
}

/// A bind mount.
#[derive(Debug, Clone)]
pub struct Mount {
    pub host: PathBuf,
    /// Absolute path inside.
    pub inside: PathBuf,
    pub read_only: bool,
}

/// What the program can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Loopback only, in a namespace of its own.
    Private,
    /// The host's.
    Host,
}
