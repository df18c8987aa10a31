//! How long and how much a run may take.

use std::time::Duration;

/// Bounds of one observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the start of the program to its listening port, or to its end if
    /// it is a command.
    pub start: Duration,
    /// From connecting to the last byte of an answer.
    pub request: Duration,
    /// From the stop signal to the end.
    pub stop: Duration,
    /// For one `--exec` or `--stdin` run.
    pub exec: Duration,
    /// For one `--test` script.
    pub script: Duration,
    /// Bytes of one answer's body.
    pub body: usize,
    /// Requests that whit thinks of by itself.
    pub requests: usize,
    /// Questions in a row that may stay without an answer before no more are
    /// asked.
    pub unanswered: usize,
    /// How many links away from a page that was asked for outright.
    pub depth: usize,
    /// Bytes that the program may write into its throw-away files.
    pub written: u64,
    /// Processes and threads that may exist at once.
    pub processes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(60),
            request: Duration::from_secs(10),
            stop: Duration::from_secs(10),
            exec: Duration::from_secs(60),
            script: Duration::from_secs(300),
            body: 16 << 20,
            requests: 50,
            unanswered: usize::MAX,
            depth: 3,
            written: 1 << 30,
            processes: 1024,
        }
    }
}
