//! Why a Dockerfile has no image.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::BuildEngine;

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("nothing here builds Dockerfiles: {}", listed(tried))]
    Absent { tried: Vec<(BuildEngine, String)> },
    #[error("cannot read the Dockerfile {}: {source}", file.display())]
    Dockerfile { file: PathBuf, source: io::Error },
    #[error("there is no folder {}, the context of the build", .0.display())]
    Context(PathBuf),
    #[error("{engine} cannot be started: {source}")]
    Start {
        engine: BuildEngine,
        source: io::Error,
    },
    /// A step failed; the log is that of the whole build.
    #[error("{engine} cannot build {}: {step}", file.display())]
    Failed {
        engine: BuildEngine,
        file: PathBuf,
        step: Box<FailedStep>,
        log: String,
    },
    #[error("{engine}, asked {what}: {said}")]
    Said {
        engine: BuildEngine,
        what: &'static str,
        said: String,
    },
    #[error("interrupted")]
    Interrupted,
}

impl BuildError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { tried } => Some(match tried.as_slice() {
                [(engine, why)] if why.contains("not installed") => {
                    format!("apt install {}", engine.package())
                }
                [(BuildEngine::Docker, _)] => {
                    "start it (systemctl start docker), or choose another: --engine podman"
                        .to_owned()
                }
                [_] => "choose another one with --engine docker, podman or buildah".to_owned(),
                _ => "apt install buildah (or podman, or docker.io)".to_owned(),
            }),
            Self::Context(_) => Some("whit shrink --dockerfile FILE FOLDER".to_owned()),
            Self::Failed { step, .. } => step.network().then(|| {
                "steps that fetch something may need the host's network: --network host".to_owned()
            }),
            _ => None,
        }
    }
}

fn listed(tried: &[(BuildEngine, String)]) -> String {
    let each: Vec<String> = tried
        .iter()
        .map(|(engine, why)| format!("{engine} {why}"))
        .collect();
    each.join("; ")
}

/// Where a build ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailedStep {
    /// The line of the Dockerfile on which the instruction begins.
    pub line: Option<usize>,
    /// The instruction, on one line.
    pub instruction: Option<String>,
    /// What the program said last, or the engine.
    pub said: String,
    /// With what the program of a `RUN` ended.
    pub exit_code: Option<i32>,
}

impl FailedStep {
    /// The same, for who tells the line apart.
    pub fn without_line(&self) -> Self {
        Self {
            line: None,
            ..self.clone()
        }
    }

    /// True if a name was not found or a host not reached.
    fn network(&self) -> bool {
        let instruction = self.instruction.as_deref().unwrap_or_default();
        let said = self.said.to_lowercase();
        instruction.to_ascii_uppercase().starts_with("RUN")
            && [
                "temporary failure resolving",
                "name resolution",
                "could not resolve",
                "network is unreachable",
                "no such host",
            ]
            .iter()
            .any(|words| said.contains(words))
    }
}

impl fmt::Display for FailedStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(instruction) = &self.instruction {
            write!(f, "{}: ", shortened(instruction))?;
        }
        f.write_str(&self.said)?;
        match self.exit_code {
            Some(code) => write!(f, " (exit code {code})"),
            None => Ok(()),
        }
    }
}

/// The beginning of a long instruction.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}
