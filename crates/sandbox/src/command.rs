//! A program that runs in a sandbox.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::Trace;

/// What to run.
#[derive(Debug, Clone)]
pub struct Command {
    /// Program and arguments. A program without a slash is looked for in the
    /// `PATH` of `env`, inside the root.
    pub argv: Vec<OsString>,
    pub env: Vec<(OsString, OsString)>,
    /// Working directory inside; made if it is not there.
    pub cwd: PathBuf,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub stdin: Stdin,
    /// Record the paths that it touches.
    pub trace: bool,
}

#[derive(Debug, Clone, Default)]
pub enum Stdin {
    #[default]
    Null,
    /// A file of the host.
    File(PathBuf),
    /// whit's own standard input, output and error (`whit run`); nothing is
    /// captured then.
    Inherit,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// Everything a run left behind.
#[derive(Debug)]
pub struct Outcome {
    pub exit: Exit,
    /// At most 8 MiB of each; `truncated` tells if there was more.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub truncated: bool,
    pub trace: Trace,
    /// Wall time from start to end.
    pub elapsed: Duration,
    /// Largest resident memory of one of its processes, in bytes.
    pub peak_memory: u64,
}

impl Outcome {
    /// Both streams as text, first what it wrote to standard output.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}",
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr)
        )
    }
}

/// Why a program was not waited for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    Cancelled,
    TooLong,
}
