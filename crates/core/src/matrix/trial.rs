//! One image, tried.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use whit_sandbox::Exit;

use super::{Reason, diagnose};
use crate::observe::{self, Answer, Kind, Observation, ProbePlan, Stage};
use crate::source::FatRoot;

/// What of a program's words is kept for comparing.
const KEPT: usize = 64 << 10;

/// What came of one Dockerfile; this is what is kept between runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How long the engine built, with what it had in its cache.
    pub build_seconds: Option<f64>,
    pub sizes: Option<Sizes>,
    /// Why it does not work, if so.
    pub reason: Option<Reason>,
    /// What it said where it ran.
    pub answered: Vec<Answered>,
    pub shrunk: Option<Shrunk>,
}

/// All in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    pub uncompressed: u64,
    pub compressed: u64,
    /// `compressed` is extrapolated from samples.
    pub estimated: bool,
}

/// The same image as `whit shrink` makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Shrunk {
    To(Sizes),
    Refused { error: String },
}

/// A question and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Empty for the image's own command.
    pub question: String,
    pub answer: String,
}

/// Runs an image once, with loopback as its only network. What it answers comes back, or why it does not work.
///
/// # Errors
/// [`observe::Error::Cancelled`], and what keeps whit itself from working; what
/// the image does wrong is a reason.
pub fn try_image(
    root: &FatRoot,
    plan: &ProbePlan,
    scratch: &Path,
    cancel: &AtomicBool,
) -> Result<(Option<Reason>, Vec<Answered>), observe::Error> {
    let stage =
        Stage::new(&root.dirs, &root.config, &root.tree, scratch)?.with_limits(&plan.limits);
    let seen = match observe::observe(&stage, plan, false, cancel) {
        Ok(seen) => seen,
        Err(observe::Error::NoCommand) => return Ok((Some(Reason::NoCommand), Vec::new())),
        Err(error @ (observe::Error::UnknownUser { .. } | observe::Error::UnknownGroup { .. })) => {
            let said = error.to_string();
            return Ok((Some(Reason::NoUser { said }), Vec::new()));
        }
        Err(error) => return Err(error),
    };
    if works(&seen) {
        return Ok((None, answers(&seen)));
    }
    let seconds = plan.limits.start.as_secs();
    Ok((Some(diagnose(root, &seen, seconds)), Vec::new()))
}

/// A command that ends well, or a service that answers.
fn works(seen: &Observation) -> bool {
    match &seen.kind {
        Kind::Command => seen.own.exit == Some(Exit::Code(0)),
        Kind::Service { .. } => {
            let broken = |answer: &Answer| match answer {
                Answer::Http(response) => response.status >= 500,
                _ => false,
            };
            let answers = seen.outcomes.iter().map(|outcome| &outcome.answer);
            seen.own.exit.is_none() && !answers.clone().any(broken)
        }
        Kind::Worker | Kind::Silent | Kind::NotStarted(_) => false,
    }
}

fn answers(seen: &Observation) -> Vec<Answered> {
    let text = |bytes: &[u8]| {
        let kept = &bytes[..bytes.len().min(KEPT)];
        String::from_utf8_lossy(kept).into_owned()
    };
    let mut all = Vec::new();
    if seen.kind == Kind::Command {
        all.push(Answered {
            question: String::new(),
            answer: text(&seen.own.stdout),
        });
    }
    for outcome in &seen.outcomes {
        if let Answer::Http(response) = &outcome.answer {
            all.push(Answered {
                question: outcome.probe.to_string(),
                answer: format!("{}\n{}", response.status, text(&response.body)),
            });
        }
    }
    all
}
