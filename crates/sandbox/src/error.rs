//! What can go wrong around a sandbox.

use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a program could not be run or observed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The host forbids what the sandbox is made of. `what` names the refused
    /// call, `remedy` what the user can do about it.
    #[error("this host does not allow {what}: {source}")]
    Refused {
        what: &'static str,
        remedy: String,
        source: io::Error,
    },
    /// The program cannot be started: not there, not executable, ...
    #[error("cannot start {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
}

impl Error {
    /// What to do next, where something can be done.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Refused { remedy, .. } => Some(remedy.clone()),
            Error::Start { .. } | Error::Io { .. } => None,
        }
    }
}

pub(crate) fn io_error(context: impl Into<String>, source: impl Into<io::Error>) -> Error {
    Error::Io {
        context: context.into(),
        source: source.into(),
    }
}
