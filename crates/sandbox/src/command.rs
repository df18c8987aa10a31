//! A program that runs in a sandbox.
//!
//! (signatures only; the sandbox helper fills them in)

use std::ffi::OsString;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::{Result, Spec, Trace};

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

/// A program that was started. Dropping it kills it and everything it began,
/// and takes its mounts and namespaces away.
#[derive(Debug)]
pub struct Running {}

impl Running {
    /// Sets up the sandbox and starts the program as its PID 1, as container
    /// engines do.
    pub fn start(_spec: &Spec, _command: &Command) -> Result<Running> {
        unreachable!("not built yet")
    }
    /// TCP ports on which something inside listens, lowest first.
    pub fn listening(&self) -> Result<Vec<SocketAddr>> {
        unreachable!("not built yet")
    }
    /// Connects to an address inside the sandbox's network.
    pub fn connect(&self, _to: SocketAddr, _timeout: Duration) -> Result<TcpStream> {
        unreachable!("not built yet")
    }
    /// Sends a signal to the program (not to its children).
    pub fn signal(&self, _signal: i32) -> Result<()> {
        unreachable!("not built yet")
    }
    /// Waits for the end, at most so long.
    pub fn wait(&mut self, _at_most: Duration) -> Result<Option<Exit>> {
        unreachable!("not built yet")
    }
    /// What it wrote so far: standard output and error.
    pub fn output(&self) -> (Vec<u8>, Vec<u8>) {
        unreachable!("not built yet")
    }
    /// Paths touched so far.
    pub fn trace(&self) -> Trace {
        unreachable!("not built yet")
    }
    /// Kills whatever still runs and hands over what was gathered.
    pub fn finish(self) -> Result<Outcome> {
        unreachable!("not built yet")
    }
}
