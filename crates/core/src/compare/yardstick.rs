//! Does an image do what the first one did?

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Serialize;

use super::seconds;
use crate::observe::{self, Error, Kind, Observation, ProbePlan, Stage};
use crate::source::FatRoot;
use crate::verify;

/// Starts of which the fastest counts: a slow one tells of the machine.
const STARTS: usize = 3;

/// What came of starting an image and asking it.
#[derive(Debug, Clone, Serialize)]
pub struct Tried {
    pub works: Works,
    /// Seconds from the start to the end of the first answer, or to the end of
    /// a command; the best of three, without tracing.
    pub first_answer: Option<f64>,
    /// Largest resident memory of one process after that answer, in bytes.
    pub memory: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Works {
    /// It answered this number of probes, all as the yardstick did.
    Yes {
        probes: usize,
    },
    No {
        why: String,
    },
}

/// The image that the others are held against, with its answers.
pub struct Yardstick {
    /// Two runs, more where two could not tell what changes by itself.
    runs: Vec<Observation>,
    stage: Stage,
    replay: ProbePlan,
}

impl Yardstick {
    /// Runs an image twice, which finds the questions.
    ///
    /// # Errors
    /// Those of [`observe::observe_twice`]: an image that does not work is no
    /// yardstick.
    pub fn new(
        root: &FatRoot,
        plan: &ProbePlan,
        scratch: &Path,
        cancel: &AtomicBool,
    ) -> Result<(Self, Tried), Error> {
        let stage = stage(root, plan, scratch)?;
        let runs: Vec<Observation> = observe::observe_twice(&stage, plan, true, cancel)?.into();
        let replay = plan.replay(&runs[0]);
        let works = Works::Yes {
            probes: replay.given.len(),
        };
        let tried = timed(&stage, &replay, works, cancel)?;
        let yardstick = Self {
            runs,
            stage,
            replay,
        };
        Ok((yardstick, tried))
    }

    /// Runs another image and compares.
    ///
    /// # Errors
    /// What keeps the sandbox itself from working.
    pub fn hold(
        &mut self,
        root: &FatRoot,
        scratch: &Path,
        cancel: &AtomicBool,
    ) -> Result<Tried, Error> {
        let stage = stage(root, &self.replay, scratch)?;
        let run = observe::observe(&stage, &self.replay, true, cancel)?;
        let (own, replay) = (&self.stage, &self.replay);
        // Images made in different ways look for different files.
        let found = verify::prove(&mut self.runs, &run, &|_| false, &mut || {
            observe::observe(own, replay, false, cancel)
        })?;
        let works = match found.differences.first() {
            None => Works::Yes {
                probes: found.proven.len(),
            },
            // What follows the first line is the difference in detail.
            Some(first) => Works::No {
                why: first.to_string().lines().take(1).collect(),
            },
        };
        timed(&stage, &self.replay, works, cancel)
    }
}

fn stage(root: &FatRoot, plan: &ProbePlan, scratch: &Path) -> Result<Stage, Error> {
    Ok(Stage::new(&root.dirs, &root.config, &root.tree, scratch)?.with_limits(&plan.limits))
}

/// Starts an image a few times with nothing but the first question.
fn timed(
    stage: &Stage,
    replay: &ProbePlan,
    works: Works,
    cancel: &AtomicBool,
) -> Result<Tried, Error> {
    let first = ProbePlan {
        given: match replay.ports.is_empty() {
            true => Vec::new(),
            false => replay.given.iter().take(1).cloned().collect(),
        },
        ..replay.clone()
    };
    let mut best: Option<(Duration, u64)> = None;
    for _ in 0..STARTS {
        let run = observe::observe(stage, &first, false, cancel)?;
        let Some(took) = until_answer(&run) else {
            break;
        };
        if best.is_none_or(|(least, _)| took < least) {
            best = Some((took, run.peak_memory));
        }
    }
    Ok(Tried {
        works,
        first_answer: best.map(|(took, _)| seconds(took)),
        memory: best.map_or(0, |(_, memory)| memory),
    })
}

fn until_answer(run: &Observation) -> Option<Duration> {
    match run.kind {
        Kind::Service { .. } => {
            let answer = run
                .outcomes
                .first()
                .map_or(Duration::ZERO, |first| first.elapsed);
            Some(run.startup? + answer)
        }
        Kind::Command => Some(run.elapsed),
        Kind::Worker | Kind::Silent | Kind::NotStarted(_) => None,
    }
}
