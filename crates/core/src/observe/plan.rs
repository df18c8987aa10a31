//! Which questions a run asks.

use std::time::Duration;

use super::{Answer, Kind, Limits, Observation, Probe, Stop};

/// How long a program is watched that ignored its stop signal before.
const IGNORED: Duration = Duration::from_secs(2);

/// How much longer than at first something may take in a replay, and how long
/// in any case: the machine may be busy by then.
const SLOWER: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(10);

/// What to ask, and how patiently.
#[derive(Debug, Clone, Default)]
pub struct ProbePlan {
    /// The user's probes; in a replay, all that were asked.
    pub given: Vec<Probe>,
    /// Look for more: `GET /`, links, API descriptions, `--help`.
    pub discover: bool,
    pub limits: Limits,
    /// Accept an original whose own command ends with an error.
    pub allow_failure: bool,
    /// Take what listens on nothing and comes to rest for a worker, and that
    /// for its way to work.
    pub worker: bool,
    /// In a replay, the ports of the earlier run: all of them have to open.
    pub ports: Vec<u16>,
}

impl ProbePlan {
    /// Everything that whit thinks of, and `given`.
    pub fn new(given: Vec<Probe>) -> Self {
        Self {
            given,
            discover: true,
            ..Self::default()
        }
    }

    /// The programs that the user's probes start, besides the image's own.
    pub fn programs(&self) -> impl Iterator<Item = &[String]> {
        self.given.iter().filter_map(Probe::program)
    }

    /// The same questions again, in the same order, on the same ports. Those
    /// that could not be answered then are left out. What was quick then is not
    /// waited for as long as what nobody knows.
    pub fn replay(&self, observed: &Observation) -> Self {
        let enough = |time: Duration| PATIENCE.max(time * SLOWER);
        let outcomes = observed.outcomes.iter();
        let answered = outcomes.filter(|one| !matches!(one.answer, Answer::Failed(_)));
        let slowest = answered.clone().map(|one| one.elapsed).max();
        let answer = enough(slowest.unwrap_or_default());
        Self {
            given: answered.map(|one| one.probe.clone()).collect(),
            discover: false,
            limits: Limits {
                // A program that ignored the signal for the whole time need
                // not be watched ignoring it for as long again.
                stop: match &observed.stop {
                    Some(Stop { exit: None, .. }) => self.limits.stop.min(IGNORED),
                    _ => self.limits.stop,
                },
                // All of these had an answer: two that have none say enough.
                unanswered: 2,
                start: match observed.startup {
                    Some(startup) => self.limits.start.min(enough(startup)),
                    None => self.limits.start,
                },
                request: self.limits.request.min(answer),
                exec: self.limits.exec.min(answer),
                ..self.limits.clone()
            },
            allow_failure: self.allow_failure,
            worker: self.worker && !matches!(observed.kind, Kind::Service { .. }),
            ports: match &observed.kind {
                Kind::Service { ports } => ports.clone(),
                _ => Vec::new(),
            },
        }
    }
}
