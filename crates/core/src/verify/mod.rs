//! The judge: does the small image behave like the original?
//!
//! Two runs of the original tell what changes by itself (dates, identifiers,
//! the order of sets); the small image may differ there, in values of the same
//! kind, and nowhere else. A path that the small image looks for in vain and
//! that the original has is reported even where all answers are the same: it
//! is what a path that nobody tried would trip over.

mod align;
mod answer;
mod evidence;
mod json;
mod sets;
mod text;
mod token;
mod traceback;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whit_sandbox::{Access, Exit};

use crate::observe::{Answer, Kind, Observation, Outcome, Probe};

pub use evidence::Evidence;
pub(crate) use evidence::printable;

/// True if two texts say the same, paths of tracebacks and the like aside.
pub(crate) fn same_words(one: &str, other: &str) -> bool {
    text::same_text(&[one], other)
}

/// What the comparison came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Same,
    /// These paths are in the original, were looked for in the small image,
    /// and were not there. Absolute, as the app spelled them.
    Missing(BTreeSet<PathBuf>),
    Different(Vec<Evidence>),
}

/// Everything that the comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    pub missing: BTreeSet<PathBuf>,
    pub differences: Vec<Evidence>,
    /// Probes that the small image answered as the original did.
    pub proven: Vec<String>,
    /// Probes that the original itself could not answer, and why: they prove
    /// nothing.
    pub disqualified: Vec<(String, String)>,
}

impl Comparison {
    /// Missing paths go first: they can be put back, and explain differences.
    pub fn verdict(&self) -> Verdict {
        if !self.missing.is_empty() {
            Verdict::Missing(self.missing.clone())
        } else if !self.differences.is_empty() {
            Verdict::Different(self.differences.clone())
        } else {
            Verdict::Same
        }
    }
}

/// Compares a run of the small image with runs of the original; two or more
/// of them, since one cannot tell what changes by itself.
///
/// A path is missing if the small image looked for it in vain, or if every run
/// of the original read it and the small image did not even look: Python reads
/// the list of a folder, and takes a module that is not in it for not
/// installed.
///
/// Two can agree by chance, too: a set of two elements has the same order in
/// every other pair of runs. [`prove`] looks again before it refuses.
///
/// `known` tells whether a path is in the original, and neither it nor what
/// takes its place (bytecode for source) is in the small image.
pub fn compare(
    original: &[Observation],
    small: &Observation,
    known: &dyn Fn(&Path) -> bool,
) -> Comparison {
    let mut found = Comparison {
        missing: missing(original, small, known),
        ..Comparison::default()
    };
    let Some(first) = original.first() else {
        return found;
    };
    if let Some(difference) = start(original, small) {
        // Every probe fails then, and for this one reason.
        found.differences.push(difference);
        return found;
    }
    let mut fell_silent = false;
    for (at, outcome) in first.outcomes.iter().enumerate() {
        let probe = outcome.probe.to_string();
        // The same question may be asked twice, and be answered differently.
        let earlier = &first.outcomes[..at];
        let nth = earlier.iter().filter(|o| o.probe == outcome.probe).count();
        let answers: Vec<&Answer> = original
            .iter()
            .filter_map(|run| answer_to(run, &outcome.probe, nth))
            .collect();
        if let Some(why) = answers
            .iter()
            .find_map(|answer| answer::disqualifies(answer))
        {
            found.disqualified.push((probe, why));
            continue;
        }
        if answers.len() < original.len() {
            let why = "only one of two runs got so far".to_owned();
            found.disqualified.push((probe, why));
            continue;
        }
        let mut differences = match answer_to(small, &outcome.probe, nth) {
            Some(answer) => answer::compare(&probe, &answers, answer),
            // Not asked any more, for the reason that is told already.
            None if fell_silent => continue,
            None => vec![gone(&probe, small)],
        };
        if let Some(silence) = differences.iter_mut().find(|e| e.what == ANSWER)
            && !fell_silent
        {
            silence.diff = small.last_words(15);
            fell_silent = true;
        }
        if differences.is_empty() {
            found.proven.push(probe);
        }
        found.differences.extend(differences);
    }
    found
        .differences
        .extend(answer::compare_own(original, small));
    found.differences.extend(stop(original, small));
    found
}

/// Most runs of the original that a comparison is made with.
const MAX_RUNS: usize = 6;

/// Compares as [`compare`] does, but before a small image that runs is called
/// different, the original is observed `again` (a replay of its first run) and
/// the comparison made with all of its runs, six at most. That an answer is
/// missing is not by chance.
///
/// # Errors
/// Those of `again`.
pub fn prove<E>(
    original: &mut Vec<Observation>,
    small: &Observation,
    known: &dyn Fn(&Path) -> bool,
    again: &mut dyn FnMut() -> Result<Observation, E>,
) -> Result<Comparison, E> {
    loop {
        let found = compare(original, small, known);
        let by_chance = !found.differences.is_empty()
            && found.missing.is_empty()
            && !found
                .differences
                .iter()
                .any(|e| e.probe == START || e.what == ANSWER);
        if !by_chance || original.len() >= MAX_RUNS {
            return Ok(found);
        }
        original.push(again()?);
    }
}

/// Names the start where other differences name a probe.
const START: &str = "start";

/// Names what differs where there is no answer at all.
const ANSWER: &str = "answer";

fn missing(
    original: &[Observation],
    small: &Observation,
    known: &dyn Fn(&Path) -> bool,
) -> BTreeSet<PathBuf> {
    let looked_for = small
        .trace
        .iter()
        .filter(|touch| touch.access == Access::Missing);
    let (first, others) = original.split_at(original.len().min(1));
    let read = first
        .iter()
        .flat_map(|run| &run.trace)
        .filter(|touch| matches!(touch.access, Access::Read | Access::Exec))
        .filter(|touch| others.iter().all(|run| run.trace.contains(touch)));
    looked_for
        .chain(read)
        .map(|touch| &touch.path)
        .filter(|path| known(path))
        .cloned()
        .collect()
}

/// The answer to the `nth` time that a probe was asked.
fn answer_to<'a>(run: &'a Observation, probe: &Probe, nth: usize) -> Option<&'a Answer> {
    let same = |outcome: &&Outcome| outcome.probe == *probe;
    let found = run.outcomes.iter().filter(same).nth(nth);
    found.map(|outcome| &outcome.answer)
}

/// A probe that was not put to the small image any more.
fn gone(probe: &str, small: &Observation) -> Evidence {
    Evidence {
        probe: probe.to_owned(),
        what: ANSWER.to_owned(),
        expected: "one".to_owned(),
        got: format!("none: {}", state(small)),
        diff: String::new(),
    }
}

/// Whether it starts at all, as the same kind of program.
fn start(original: &[Observation], small: &Observation) -> Option<Evidence> {
    let alike = original.iter().any(|run| match (&run.kind, &small.kind) {
        (Kind::Service { ports: a }, Kind::Service { ports: b }) => {
            // A port that is another one in every run is nobody's address.
            let stable = original.iter().all(|o| o.kind == run.kind);
            a == b || !stable && a.len() == b.len()
        }
        (a, b) => a == b,
    });
    if alike {
        return None;
    }
    Some(Evidence {
        probe: START.to_owned(),
        what: "state".to_owned(),
        expected: original.first().map(state).unwrap_or_default(),
        got: state(small),
        diff: small.last_words(15),
    })
}

/// What a program turned out to be, in words.
fn state(run: &Observation) -> String {
    let exit = |exit: Option<Exit>| exit.map_or("it was stopped".to_owned(), ended);
    match &run.kind {
        Kind::Service { ports } => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let listens = format!("it listened on port {}", ports.join(", "));
            match run.own.exit {
                Some(exit) => format!("{listens} and then {}", ended(exit)),
                None => listens,
            }
        }
        Kind::Worker => match run.own.exit {
            Some(exit) => format!("it ran without listening and then {}", ended(exit)),
            None => "it ran without listening".to_owned(),
        },
        Kind::Command => format!("{} without listening", exit(run.own.exit)),
        Kind::Silent => "it neither listened nor ended in time".to_owned(),
        Kind::NotStarted(why) => why.clone(),
    }
}

fn ended(exit: Exit) -> String {
    crate::observe::ended(exit)
}

/// The stop: the same exit, and not much slower.
fn stop(original: &[Observation], small: &Observation) -> Option<Evidence> {
    let stops: Vec<_> = original
        .iter()
        .filter_map(|run| run.stop.as_ref())
        .collect();
    let (first, seen) = (stops.first()?, small.stop.as_ref()?);
    let evidence = |what: &str, expected: String, got: String| {
        Some(Evidence {
            probe: "stop".to_owned(),
            what: what.to_owned(),
            expected,
            got,
            diff: small.last_words(15),
        })
    };
    let told = |exit: Option<Exit>| exit.map_or("it had to be killed".to_owned(), ended);
    if !stops.iter().any(|stop| stop.exit == seen.exit) {
        return evidence("exit", told(first.exit), told(seen.exit));
    }
    let longest = stops.iter().map(|stop| stop.elapsed).max()?;
    if seen.elapsed > longest * 3 + Duration::from_secs(2) {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        return evidence("time", seconds(longest), seconds(seen.elapsed));
    }
    None
}

#[cfg(test)]
mod tests;
