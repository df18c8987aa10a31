//! Podman without a service: the program itself.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{EngineError, Kind, Spool};

/// `podman`, found in the path.
pub(super) struct Program;

impl Program {
    /// Docker's program needs its daemon, so only Podman's helps.
    pub fn find(engine: Kind) -> Option<Self> {
        let here = || {
            Command::new("podman")
                .arg("--version")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        (engine == Kind::Podman && here()).then_some(Self)
    }

    pub fn has(&self, name: &str) -> Result<bool, EngineError> {
        let output = command([OsStr::new("image"), "exists".as_ref(), name.as_ref()])
            .output()
            .map_err(|error| said(name, error.to_string()))?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(said(name, words(&output.stderr))),
        }
    }

    pub fn save(&self, name: &str, spool: &mut Spool<'_>) -> Result<(), EngineError> {
        if !self.has(name)? {
            return Err(EngineError::Missing {
                engine: Kind::Podman,
                name: name.to_owned(),
            });
        }
        let arguments = ["save", "--quiet", "--format", "docker-archive", name];
        let mut child = command(arguments.map(OsStr::new))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| said(name, error.to_string()))?;
        let taken = match child.stdout.take() {
            Some(mut archive) => spool.take(&mut archive),
            None => Ok(()),
        };
        if taken.is_err() {
            // It waits for somebody who reads.
            let _ = child.kill();
        }
        let output = child
            .wait_with_output()
            .map_err(|error| said(name, error.to_string()))?;
        taken?;
        match output.status.success() {
            true => Ok(()),
            false => Err(said(name, words(&output.stderr))),
        }
    }

    pub fn load(&self, archive: &Path, name: &str) -> Result<(), EngineError> {
        let arguments = [
            OsStr::new("load"),
            "--quiet".as_ref(),
            "--input".as_ref(),
            archive.as_os_str(),
        ];
        let output = command(arguments)
            .output()
            .map_err(|error| said(name, error.to_string()))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(said(name, words(&output.stderr))),
        }
    }
}

fn command<'a>(arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
    let mut command = Command::new("podman");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// The last line that is not empty: the one that says what was wrong.
fn words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("it failed without a word")
        .to_owned()
}

fn said(what: &str, said: String) -> EngineError {
    EngineError::Said {
        engine: Kind::Podman,
        what: what.to_owned(),
        said,
    }
}
