//! Habits of Dockerfiles that cost size, each with what it costs and how to
//! mend it.
//!
//! Only what ends in the final image counts: the last stage and the stages
//! that it begins with. What `COPY --from` takes from other stages is theirs
//! no longer.

mod caches;
mod context;
mod costs;
mod dockerfile;
mod finding;
mod gauge;
mod heredoc;
mod packages;
mod patch;
mod paths;
mod rules;
mod script;

use std::path::PathBuf;

pub use context::Context;
pub use finding::{Bytes, Edit, Finding, Mend, Severity};
pub use gauge::{LayerFacts, Measured};
pub use patch::{fixed, patch};
pub use rules::{RULES, Rule};

use crate::source::ignore::ListError;
use dockerfile::Dockerfile;

/// Why a Dockerfile could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// The message begins with the place.
    #[error("{0}")]
    Syntax(String),
    #[error("no stage is called {name:?}")]
    NoStage { name: String, stages: Vec<String> },
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Ignore(#[from] ListError),
    #[error("the image was not built from this Dockerfile: {0}")]
    OtherImage(String),
    #[error(transparent)]
    Layer(#[from] whit_oci::LayerError),
    #[error(transparent)]
    Image(#[from] whit_oci::ImageError),
}

impl LintError {
    fn syntax(error: parse_dockerfile::Error) -> Self {
        Self::Syntax(error.to_string())
    }

    /// What to type or write next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoStage { stages, .. } if stages.is_empty() => {
                Some("name a stage with `FROM ... AS NAME`".to_owned())
            }
            Self::NoStage { stages, .. } => Some(format!("its stages: {}", stages.join(", "))),
            Self::OtherImage(_) => Some(
                "build it again from this file, without --squash, or leave --image out".to_owned(),
            ),
            Self::Ignore(error) => error.hint(),
            _ => None,
        }
    }
}

/// What a rule looks at.
pub struct Case<'a> {
    /// The Dockerfile's text, for edits.
    text: &'a str,
    file: &'a Dockerfile,
    context: &'a Context,
    /// What package managers leave in the final image.
    left: Vec<caches::Left>,
}

/// The findings of a Dockerfile, in the order of its lines. `target` names
/// the final stage if it is not the last one; `image` is what was built from
/// it, to count instead of estimating.
pub fn lint(
    text: &str,
    target: Option<&str>,
    context: &Context,
    image: Option<&whit_oci::Image>,
) -> Result<(Vec<Finding>, Option<Measured>), LintError> {
    let text = without_mark(text);
    let file = Dockerfile::parse(text, target)?;
    let case = Case {
        text,
        file: &file,
        context,
        left: caches::left(&file),
    };
    let mut findings = Vec::new();
    for rule in RULES {
        findings.extend((rule.check)(&case));
    }
    let measured = match image {
        Some(image) => Some(Measured::read(&file, text, image)?),
        None => None,
    };
    if let Some(measured) = &measured {
        measured.weigh(&mut findings);
        findings.extend(measured.hidden(&file, &findings));
    }
    findings.retain(|finding| !is_ignored(&file, finding));
    findings.sort_by_key(|finding| finding.line);
    Ok((findings, measured))
}

fn is_ignored(file: &Dockerfile, finding: &Finding) -> bool {
    let steps = file.steps.iter().filter(|step| step.line == finding.line);
    let stages = file
        .stages
        .iter()
        .filter(|stage| stage.line == finding.line);
    let mut ignored = steps
        .map(|step| &step.ignored)
        .chain(stages.map(|stage| &stage.ignored));
    ignored.any(|names| names.contains(finding.rule))
}

/// Editors of another system begin a file with a byte order mark; Docker
/// skips it.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
mod tests;
