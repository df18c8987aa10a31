//! Images from Dockerfiles, made by the engine that is there.
//!
//! The engine's own program is asked, and not its API: it knows its contexts,
//! its BuildKit and its `.dockerignore`.

mod error;
mod offspring;
mod order;
mod process;
mod steps;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use error::{BuildError, FailedStep};
pub use order::BuildOrder;
pub use steps::step_of;

use crate::Reference;
use process::{Ended, run};

/// What builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildEngine {
    Docker,
    Podman,
    Buildah,
}

impl BuildEngine {
    /// In the order in which they are looked for.
    const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Buildah];

    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// The package of Debian and Ubuntu that has it.
    fn package(self) -> &'static str {
        match self {
            Self::Docker => "docker.io",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// A question that only an engine that works answers.
    fn question(self) -> &'static [&'static str] {
        match self {
            Self::Docker => &["version", "--format", "{{.Server.Version}}"],
            Self::Podman => &["info", "--format", "{{.Version.Version}}"],
            Self::Buildah => &["info"],
        }
    }
}

impl fmt::Display for BuildEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl FromStr for BuildEngine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.program() == text);
        found.ok_or_else(|| format!("{text:?} is none of docker, podman and buildah"))
    }
}

/// An engine that is here and answers.
#[derive(Debug, Clone)]
pub struct Builder {
    engine: BuildEngine,
    /// Docker without its `buildx` has the legacy builder only.
    buildkit: bool,
    cancel: Arc<AtomicBool>,
}

/// A built image, in an archive of its own.
#[derive(Debug)]
pub struct Built {
    /// The archive, as any image is named.
    pub reference: Reference,
    /// What the engine calls it: `sha256:…`.
    pub id: String,
    /// How long the engine built; what it had in its cache cost nothing.
    pub took: Duration,
    pub log: String,
}

impl Builder {
    /// The engine that the user wants, or the first one that works.
    ///
    /// `cancel` ends every build that it starts.
    pub fn find(wanted: Option<BuildEngine>, cancel: Arc<AtomicBool>) -> Result<Self, BuildError> {
        let mut tried = Vec::new();
        for engine in BuildEngine::ALL {
            if wanted.is_some_and(|wanted| wanted != engine) {
                continue;
            }
            match answers(engine, engine.question()) {
                Ok(()) => {
                    let buildkit = engine == BuildEngine::Docker
                        && answers(engine, &["buildx", "version"]).is_ok();
                    return Ok(Self {
                        engine,
                        buildkit,
                        cancel,
                    });
                }
                Err(why) => tried.push((engine, why)),
            }
        }
        Err(BuildError::Absent { tried })
    }

    pub fn engine(&self) -> BuildEngine {
        self.engine
    }

    /// Builds, and puts the image into an archive in the folder `scratch`.
    ///
    /// The engine keeps what it keeps of any build for the next one, but no
    /// name: that of the build goes away. `watch` is told each line of the log;
    /// [`step_of`] finds among them where a step begins.
    ///
    /// # Errors
    /// [`BuildError::Failed`] names the step and the line that failed.
    pub fn build(
        &self,
        order: &BuildOrder,
        scratch: &Path,
        watch: &dyn Fn(&str),
    ) -> Result<Built, BuildError> {
        let text = std::fs::read_to_string(&order.dockerfile).map_err(|source| {
            BuildError::Dockerfile {
                file: order.dockerfile.clone(),
                source,
            }
        })?;
        if !order.context.is_dir() {
            return Err(BuildError::Context(order.context.clone()));
        }
        let name = unique_name();
        let _tag = Tag {
            engine: self.engine,
            name: &name,
        };
        let start = Instant::now();
        let ended = self.run(order.command(self.engine, self.buildkit, &name), watch)?;
        let took = start.elapsed();
        if !ended.success {
            return Err(BuildError::Failed {
                engine: self.engine,
                file: order.dockerfile.clone(),
                step: Box::new(steps::failed(&text, &ended.log)),
                log: ended.log,
            });
        }
        let id = self.id(&name)?;
        let file = scratch.join(format!("{}.tar", id.trim_start_matches("sha256:")));
        self.save(&name, &file)?;
        Ok(Built {
            reference: Reference::DockerArchive { file, name: None },
            id,
            took,
            log: ended.log,
        })
    }

    /// The id of an image that the engine has; `None` if it has none of this
    /// name.
    pub fn id_of(&self, name: &str) -> Result<Option<String>, BuildError> {
        match self.id(name) {
            Ok(id) => Ok(Some(id)),
            Err(BuildError::Said { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn id(&self, name: &str) -> Result<String, BuildError> {
        let format: &[&str] = match self.engine {
            BuildEngine::Docker | BuildEngine::Podman => {
                &["image", "inspect", "--format", "{{.Id}}"]
            }
            BuildEngine::Buildah => &["inspect", "--type=image", "--format={{.FromImageID}}"],
        };
        let mut command = Command::new(self.engine.program());
        command.args(format).arg(name);
        let ended = self.asked(command, "for the image's id")?;
        let id = ended.log.trim();
        Ok(match id.contains(':') {
            true => id.to_owned(),
            false => format!("sha256:{id}"),
        })
    }

    fn save(&self, name: &str, file: &Path) -> Result<(), BuildError> {
        let mut command = Command::new(self.engine.program());
        match self.engine {
            BuildEngine::Docker => command.arg("save").arg("--output").arg(file).arg(name),
            BuildEngine::Podman => command
                .args(["save", "--quiet", "--format", "docker-archive", "--output"])
                .arg(file)
                .arg(name),
            BuildEngine::Buildah => {
                let mut to = std::ffi::OsString::from("docker-archive:");
                to.push(file);
                to.push(format!(":{name}"));
                command.args(["push", "--quiet", name]).arg(to)
            }
        };
        self.asked(command, "to save the image").map(drop)
    }

    fn asked(&self, command: Command, what: &'static str) -> Result<Ended, BuildError> {
        let ended = self.run(command, &|_| {})?;
        match ended.success {
            true => Ok(ended),
            false => Err(BuildError::Said {
                engine: self.engine,
                what,
                said: last_words(&ended.log),
            }),
        }
    }

    fn run(&self, command: Command, watch: &dyn Fn(&str)) -> Result<Ended, BuildError> {
        let ended = run(command, &self.cancel, watch).map_err(|source| BuildError::Start {
            engine: self.engine,
            source,
        })?;
        match self.cancel.load(Ordering::Relaxed) {
            true => Err(BuildError::Interrupted),
            false => Ok(ended),
        }
    }
}

/// A name in the engine that goes away, whatever became of the build.
struct Tag<'a> {
    engine: BuildEngine,
    name: &'a str,
}

impl Drop for Tag<'_> {
    fn drop(&mut self) {
        let mut command = Command::new(self.engine.program());
        command.arg("rmi");
        if self.engine != BuildEngine::Buildah {
            // The steps of the build stay for the next one.
            command.arg("--no-prune");
        }
        command.arg(self.name);
        // A build that failed has no name to take away.
        let _ = quiet(&mut command).status();
    }
}

/// A name that no other build has, and that no registry serves.
fn unique_name() -> String {
    let number = RandomState::new().build_hasher().finish();
    format!("localhost/whit-build:{number:016x}")
}

/// Asks an engine something; else says why it does not answer.
fn answers(engine: BuildEngine, question: &[&str]) -> Result<(), String> {
    let mut command = Command::new(engine.program());
    command.args(question);
    let output = quiet(&mut command)
        .stderr(Stdio::piped())
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "is not installed".to_owned(),
            _ => format!("cannot be started: {error}"),
        })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "does not answer: {}",
            last_words(&String::from_utf8_lossy(&output.stderr))
        )),
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

/// The last line that says something.
fn last_words(log: &str) -> String {
    let line = log.lines().rfind(|line| !line.trim().is_empty());
    line.unwrap_or("it failed without a word").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageName;

    #[test]
    fn names_are_unique_and_names() {
        let (one, other) = (unique_name(), unique_name());
        assert_ne!(one, other);
        assert!(one.parse::<ImageName>().is_ok(), "{one}");
    }

    #[test]
    fn engines_by_name() {
        assert_eq!("podman".parse(), Ok(BuildEngine::Podman));
        assert!("kaniko".parse::<BuildEngine>().is_err());
    }
}
