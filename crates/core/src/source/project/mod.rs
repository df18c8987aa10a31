//! What a folder holds: which Python project it is, what it needs, and what
//! its image runs.

mod docker_words;
mod dockerfile;
mod error;
mod folder;
mod python;
mod specifier;

pub use error::ProjectError;
pub use folder::Folder;
pub use python::Python;

/// One decision, for the terminal: `command  uvicorn app.main:app ... because
/// app/main.py makes a FastAPI object and uvicorn is a dependency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub what: &'static str,
    pub value: String,
    pub because: String,
}
