//! What can go wrong while a project is built.

use std::path::PathBuf;

use crate::source::ignore::ListError;
use crate::source::python_deps::InstallError;

/// Why a project could not be built.
#[derive(Debug, thiserror::Error)]
pub enum CraftError {
    #[error("{context}: {source}")]
    Io {
        context: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Sandbox(#[from] whit_sandbox::Error),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    Sources(InstallError),
    #[error("{phase} failed: {message}")]
    Step {
        language: &'static str,
        phase: &'static str,
        message: String,
    },
    #[error("{phase} failed, for what it needs cannot be reached: {message}")]
    Network {
        phase: &'static str,
        message: String,
    },
    #[error("{phase} took more than {minutes} minutes")]
    Timeout { phase: &'static str, minutes: u64 },
    #[error("the build left no program")]
    NoProgram,
    #[error("the build left several programs: {}", names.join(", "))]
    SeveralPrograms { names: Vec<String> },
    #[error("{program} is not an ELF program: {problem}")]
    NotAProgram { program: PathBuf, problem: String },
    #[error("{program} is for another kind of machine than this one")]
    OtherMachine { program: PathBuf },
    #[error("{program} needs {library}, and {where_looked}")]
    NoLibrary {
        program: PathBuf,
        library: String,
        where_looked: String,
        /// What Debian would call its package.
        package: String,
    },
    #[error("interrupted")]
    Interrupted,
}

impl CraftError {
    /// What to type or look at next.
    pub fn hint(&self) -> Option<String> {
        match self {
            CraftError::Sandbox(error) => error.hint(),
            CraftError::List(error) => error.hint(),
            CraftError::Sources(error) => error.hint(),
            CraftError::Step { message, .. } if message.contains("o rule to make target") => {
                Some("the Makefile must build with a plain `make`".to_owned())
            }
            CraftError::Step { .. } => Some(
                "if it lacks a header, a library or a program, name the Debian package that has it: --build-package NAME"
                    .to_owned(),
            ),
            CraftError::Network { .. } => Some(
                "check the connection, and the proxy and registry settings of this machine, which hold in the build too"
                    .to_owned(),
            ),
            CraftError::NoProgram => Some(
                "the build must leave an executable in the project's folder; name it: whit build . -- NAME"
                    .to_owned(),
            ),
            CraftError::SeveralPrograms { names } => names
                .first()
                .map(|first| format!("name the one to start: whit build . -- {first}")),
            CraftError::NoLibrary { package, .. } => Some(format!(
                "name the Debian package that has it: --package {package}; take the release that it was built on: --suite bookworm; or link it statically"
            )),
            _ => None,
        }
    }
}

/// Reads the messages of a failed step.
pub fn failed(language: &'static str, phase: &'static str, output: &str) -> CraftError {
    const OFFLINE: [&str; 9] = [
        "Could not resolve host",
        "Temporary failure in name resolution",
        "no such host",
        "dial tcp",
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "failed to download from",
        "spurious network error",
    ];
    let message = tail(output);
    match OFFLINE.iter().any(|text| output.contains(text)) {
        true => CraftError::Network { phase, message },
        false => CraftError::Step {
            language,
            phase,
            message,
        },
    }
}

/// The last lines, where compilers and package managers say what was wrong.
fn tail(output: &str) -> String {
    const LINES: usize = 15;
    let lines: Vec<&str> = output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// Puts a context to an I/O error.
pub fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> CraftError {
    let context = context.into();
    move |source| CraftError::Io { context, source }
}
