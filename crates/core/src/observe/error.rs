//! What can go wrong while an app is observed.

use std::io;
use std::path::PathBuf;

/// Why an observation could not be made. What an app does wrong is not an
/// error but an [`super::Observation`], except where the original itself does
/// not work: then there is nothing to compare with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Sandbox(#[from] whit_sandbox::Error),
    #[error("the image names no command: neither Entrypoint nor Cmd is set")]
    NoCommand,
    #[error("the image runs as user {user:?}, which its /etc/passwd does not have")]
    UnknownUser { user: String },
    #[error("the image runs as group {group:?}, which its /etc/group does not have")]
    UnknownGroup { group: String },
    /// `log` is the end of what the app itself wrote.
    #[error("the original itself fails: {what}{}", quoted(.log))]
    Original {
        what: String,
        log: String,
        hint: Option<String>,
    },
    #[error("cannot read {}, which a probe sends: {source}", .path.display())]
    ProbeFile { path: PathBuf, source: io::Error },
    #[error("cannot run the test {}: {source}", .script.display())]
    Script { script: PathBuf, source: io::Error },
    #[error("{context}: {source}")]
    Io { context: String, source: io::Error },
    #[error("interrupted")]
    Cancelled,
}

impl Error {
    /// What to type or to do next, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Sandbox(whit_sandbox::Error::Refused { remedy, .. }) => Some(remedy.clone()),
            Error::NoCommand => Some("give the command after `--`".to_owned()),
            Error::Original { hint, .. } => hint.clone(),
            Error::Script { script, source }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Some(format!("chmod +x {}", script.display()))
            }
            _ => None,
        }
    }

    pub(super) fn io(context: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let context = context.into();
        move |source| Error::Io { context, source }
    }
}

/// The app's own words, indented below the message.
fn quoted(log: &str) -> String {
    if log.trim().is_empty() {
        return "; it wrote nothing".to_owned();
    }
    let mut text = "\nits own last words:".to_owned();
    for line in log.lines() {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    text
}
