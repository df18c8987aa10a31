//! What can be wrong with a project.

use std::path::PathBuf;

use crate::settings::SettingsError;
use crate::source::ignore::ListError;
use crate::source::python_deps::locks::LockFileError;

/// Why a project cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    #[error("{path} does not exist")]
    Missing { path: PathBuf },
    #[error("{path} is neither a folder nor a Python file nor a program")]
    NotAProject { path: PathBuf },
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path} is larger than a file of its kind can be")]
    TooLarge { path: PathBuf },
    #[error("{path}: {problem}")]
    Syntax { path: PathBuf, problem: String },
    #[error("no project in {path}: nothing there of Python, Node, Go, Rust, Java or C")]
    NothingKnown { path: PathBuf },
    #[error("{path}: {what}")]
    Unsupported {
        path: PathBuf,
        what: &'static str,
        instead: &'static str,
    },
    #[error("{path} has no {wanted}: it is a {language} library, and an image needs a program")]
    NoProgram {
        language: &'static str,
        path: PathBuf,
        wanted: &'static str,
    },
    /// Nothing says what the image runs. `seen` tells what was looked at and
    /// why it did not do.
    #[error("cannot tell what {name} runs{}", reasons(seen))]
    NoCommand {
        name: String,
        dir: PathBuf,
        seen: Vec<String>,
        suggestion: String,
    },
    #[error("{name} has several commands: {}", commands.join(", "))]
    SeveralCommands {
        name: String,
        dir: PathBuf,
        commands: Vec<String>,
    },
    #[error("{said_by} wants Python {wanted}, and Debian has none that fits: it has {offered}")]
    NoPython {
        wanted: String,
        said_by: String,
        offered: String,
        dir: PathBuf,
    },
    #[error(
        "{said_by} wants Node {wanted}, and Debian has none that fits: it has 18 in bookworm, 20 in trixie"
    )]
    NoNode {
        wanted: String,
        said_by: &'static str,
    },
    #[error("{said_by} wants Python {wanted}, and the base {base} has {found}")]
    BasePython {
        base: String,
        found: String,
        wanted: String,
        said_by: String,
    },
    #[error("the base {base} has no Python: {problem}")]
    BaseNoPython { base: String, problem: String },
    /// A setting that is about Debian's packages.
    #[error("{setting} is about Debian's packages, and the base {base} brings its own")]
    NotWithBase { setting: String, base: String },
    #[error("{what} {value:?} is not known: {known}")]
    Unknown {
        what: &'static str,
        value: String,
        known: String,
    },
    #[error("{said_by} gives {value:?} as {what}: {problem}")]
    Value {
        what: &'static str,
        value: String,
        said_by: String,
        problem: &'static str,
    },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    List(#[from] ListError),
    #[error(transparent)]
    LockFile(#[from] LockFileError),
}

impl ProjectError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ProjectError::NothingKnown { .. } => Some(
                "`whit build DIR` takes a project's folder, `whit build ./server` a finished program; for an image that exists there is `whit shrink IMAGE`"
                    .to_owned(),
            ),
            ProjectError::NoCommand {
                dir, suggestion, ..
            } => Some(format!("whit build {} -- {suggestion}", shown(dir))),
            ProjectError::SeveralCommands { dir, commands, .. } => commands
                .first()
                .map(|first| format!("whit build {} -- {first}", shown(dir))),
            ProjectError::NoPython { dir, .. } => Some(format!(
                "whit build {dir} --python 3.11   or   whit build {dir} --python 3.13",
                dir = shown(dir)
            )),
            ProjectError::Unsupported { instead, .. } => Some((*instead).to_owned()),
            ProjectError::NoNode { .. } => Some(
                "take an image that has it as the runtime: --base IMAGE".to_owned(),
            ),
            ProjectError::BasePython { .. } => Some(
                "take a base that has it, or leave --base away: whit then takes Python from Debian"
                    .to_owned(),
            ),
            ProjectError::BaseNoPython { .. } => Some(
                "take a base with Python in its PATH, or leave --base away: whit then takes Python from Debian".to_owned(),
            ),
            ProjectError::NotWithBase { setting, .. } => {
                Some(format!("leave {setting} or --base away"))
            }
            ProjectError::Settings(error) => error.hint(),
            ProjectError::List(error) => error.hint(),
            ProjectError::LockFile(error) => error.hint(),
            _ => None,
        }
    }
}

fn reasons(seen: &[String]) -> String {
    match seen {
        [] => String::new(),
        seen => format!(": {}", seen.join("; ")),
    }
}

/// A path as it is typed on a command line.
fn shown(path: &std::path::Path) -> String {
    let text = path.to_string_lossy();
    match shlex::try_quote(&text) {
        Ok(quoted) => quoted.into_owned(),
        Err(_) => text.into_owned(),
    }
}
