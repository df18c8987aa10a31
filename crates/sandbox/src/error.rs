//! What can go wrong around a sandbox.

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
        source: std::io::Error,
    },
    /// The program cannot be started: not there, not executable, ...
    #[error("cannot start {program}: {source}")]
    Start {
        program: String,
        source: std::io::Error,
    },
    #[error("{context}: {source}")]
    Io {
        context: String,
        source: std::io::Error,
    },
}
