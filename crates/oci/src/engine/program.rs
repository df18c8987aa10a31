//! Podman without a service: the program itself.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{EngineError, Kind, Spool};
use crate::meter::{Mark, Meter};
use crate::wire::TICK;

/// What is kept of a program's complaints.
const WORDS: u64 = 64 << 10;

/// `podman`, found in the path.
pub(super) struct Program<'a> {
    cancel: &'a AtomicBool,
}

impl<'a> Program<'a> {
    /// Docker's program needs its daemon, so only Podman's helps.
    pub fn find(engine: Kind, cancel: &'a AtomicBool) -> Option<Self> {
        let program = Self { cancel };
        let here = || matches!(program.run("", ["--version"]), Ok((status, _)) if status.success());
        (engine == Kind::Podman && here()).then_some(program)
    }

    pub fn has(&self, name: &str) -> Result<bool, EngineError> {
        let (status, words) = self.run(name, ["image", "exists", name])?;
        match status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(said(name, words)),
        }
    }

    pub fn save(&self, name: &str, spool: &mut Spool<'_>) -> Result<(), EngineError> {
        if !self.has(name)? {
            return Err(EngineError::Missing {
                engine: Kind::Podman,
                name: name.to_owned(),
            });
        }
        let mut child = command(["save", "--quiet", "--format", "docker-archive", name])
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| said(name, error.to_string()))?;
        let mut archive = child.stdout.take();
        // Dropped at the end, so that podman does not wait for a reader.
        let take = || match archive.take() {
            Some(mut archive) => spool.take(&mut archive),
            None => Ok(()),
        };
        let ((status, words), taken) = self.attend(name, child, take)?;
        taken?;
        outcome(name, status, words)
    }

    /// Through a pipe, and not by the archive's path: when whit is killed, it
    /// breaks off with an archive that has no end, and keeps nothing.
    pub fn load(&self, archive: &Path, name: &str, meter: &Meter) -> Result<(), EngineError> {
        let lost = |error: io::Error| said(name, error.to_string());
        let file = File::open(archive).map_err(lost)?;
        let mut child = command(["load", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()
            .map_err(lost)?;
        let stdin = child.stdin.take();
        let feed = || match stdin {
            Some(mut stdin) => io::copy(&mut Mark::new(meter).read(file, 0), &mut stdin).map(drop),
            None => Ok(()),
        };
        let ((status, words), fed) = self.attend(name, child, feed)?;
        outcome(name, status, words)?;
        fed.map_err(lost)
    }

    /// Runs it to its end, and hears what it complains of.
    fn run<const N: usize>(
        &self,
        what: &str,
        arguments: [&str; N],
    ) -> Result<(ExitStatus, String), EngineError> {
        let child = command(arguments)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| said(what, error.to_string()))?;
        Ok(self.attend(what, child, || ())?.0)
    }

    /// Does `work` while the program runs, and waits for both. The program is
    /// killed when whit is to end.
    fn attend<T: Send>(
        &self,
        what: &str,
        mut child: Child,
        work: impl FnOnce() -> T + Send,
    ) -> Result<((ExitStatus, String), T), EngineError> {
        let stderr = child.stderr.take();
        thread::scope(|scope| {
            let words = scope.spawn(move || words(stderr));
            let work = scope.spawn(work);
            let status = loop {
                match child.try_wait() {
                    Ok(Some(status)) => break Ok(status),
                    Err(error) => break Err(error),
                    Ok(None) if self.cancel.load(Ordering::Relaxed) => {
                        let _ = child.kill();
                        break child.wait();
                    }
                    Ok(None) => thread::sleep(TICK),
                }
            };
            let dead = || said(what, "a thread of whit died".to_owned());
            let words = words.join().map_err(|_| dead())?;
            let done = work.join().map_err(|_| dead())?;
            if self.cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Interrupted);
            }
            let status = status.map_err(|error| said(what, error.to_string()))?;
            Ok(((status, words), done))
        })
    }
}

fn command<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new("podman");
    command
        .args(arguments.map(OsStr::new))
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn outcome(name: &str, status: ExitStatus, words: String) -> Result<(), EngineError> {
    match status.success() {
        true => Ok(()),
        false => Err(said(name, words)),
    }
}

/// The last line that is not empty: the one that says what was wrong.
fn words(stderr: Option<impl Read>) -> String {
    let mut text = Vec::new();
    if let Some(mut stderr) = stderr {
        // What cannot be read cannot be told.
        let _ = stderr.by_ref().take(WORDS).read_to_end(&mut text);
        let _ = io::copy(&mut stderr, &mut io::sink());
    }
    String::from_utf8_lossy(&text)
        .lines()
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
