//! What an app did in one run.

use std::time::Duration;

use whit_sandbox::{Exit, Trace};

use super::Probe;
use super::http::Response;

/// What an app did in one run.
#[derive(Debug)]
pub struct Observation {
    pub kind: Kind,
    /// What the image's own command wrote and how it ended; no exit if whit
    /// had to stop it.
    pub own: Output,
    /// Every probe and its answer, in the order they were asked.
    pub outcomes: Vec<Outcome>,
    /// From the start to the first listening port.
    pub startup: Option<Duration>,
    /// How a service that was still alive took the stop signal.
    pub stop: Option<Stop>,
    /// Everything that the app and the programs of `--exec` touched.
    pub trace: Trace,
    /// Largest resident memory of one process, in bytes.
    pub peak_memory: u64,
    pub elapsed: Duration,
}

/// What a program turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It listens on these TCP ports.
    Service { ports: Vec<u16> },
    /// It listens on nothing, runs on, and came to rest.
    Worker,
    /// It ended before it listened.
    Command,
    /// It neither listened nor ended in time.
    Silent,
    /// It could not be started at all.
    NotStarted(String),
}

/// A probe and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub probe: Probe,
    pub answer: Answer,
    pub elapsed: Duration,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Http(Response),
    Exec(Output),
    /// Output and errors of the user's test together.
    Script {
        exit: Exit,
        output: Vec<u8>,
    },
    /// No answer: no connection, no HTTP, out of time, not startable.
    Failed(String),
}

/// What a program wrote and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    pub exit: Option<Exit>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// There was more than is kept.
    pub truncated: bool,
}

/// The end of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// `None` if it did not end in time and was killed.
    pub exit: Option<Exit>,
    pub elapsed: Duration,
}

impl Observation {
    /// The last lines that the app wrote, errors first of all, at most `lines`.
    pub fn last_words(&self, lines: usize) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let errors = text(&self.own.stderr);
        let output = text(&self.own.stdout);
        let words = if errors.trim().is_empty() {
            output
        } else {
            errors
        };
        let all: Vec<&str> = words.trim_end().lines().collect();
        let shown = all[all.len().saturating_sub(lines)..].iter();
        let shown: Vec<String> = shown
            .map(|line| crate::verify::printable(line, 400))
            .collect();
        shown.join("\n")
    }
}
