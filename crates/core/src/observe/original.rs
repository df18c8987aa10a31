//! Whether the original works at all.

use whit_sandbox::Exit;

use super::{Answer, Error, Kind, Observation, Output, Probe, ProbePlan, Stage};

/// Refuses an original that does not work: nothing could be proven by
/// comparing with it.
pub(super) fn require_working(
    stage: &Stage,
    plan: &ProbePlan,
    observed: &Observation,
) -> Result<(), Error> {
    let needs_port = |probe: &Probe| matches!(probe, Probe::Http(_) | Probe::Script(_));
    let has_exec = plan.given.iter().any(|probe| !needs_port(probe));
    let fail = |what: String, hint: Option<&str>| Err(failed(observed, what, hint));
    match &observed.kind {
        Kind::NotStarted(why) => fail(why.clone(), None),
        Kind::Silent => fail(
            format!(
                "within {} s it neither listened on a TCP port nor ended{}",
                plan.limits.start.as_secs(),
                match plan.worker {
                    true => " nor came to rest",
                    false => "",
                }
            ),
            Some(
                "on a busy machine give it longer with --start-timeout SECONDS; another command goes after `--`, and what a program reads into --stdin FILE",
            ),
        ),
        Kind::Service { .. } | Kind::Worker => {
            match (observed.own.exit, observed.outcomes.last()) {
                (Some(exit), Some(last)) => fail(
                    format!("it {} by itself, after {}", ended(exit), last.probe),
                    None,
                ),
                (Some(exit), None) => fail(format!("it {} by itself", ended(exit)), None),
                (None, _) => Ok(()),
            }
        }
        Kind::Command => {
            let exit = observed.own.exit.unwrap_or(Exit::Code(0));
            let exposed = stage.config().exposed_ports();
            if plan.given.iter().any(needs_port) {
                return fail(
                    format!(
                        "it {} before it listened on a port, and there are probes that need one",
                        ended(exit)
                    ),
                    None,
                );
            }
            if let (Some(port), false, false) = (exposed.first(), stage.is_replaced(), has_exec) {
                return fail(
                    format!(
                        "it exposes port {port}, but {} before it listened",
                        ended(exit)
                    ),
                    Some("if it is meant to be a command, say what to run with --exec 'COMMAND'"),
                );
            }
            // A filter that is given its input may fail without one.
            let fed = observed.outcomes.iter().any(|outcome| {
                let own = matches!(&outcome.probe, Probe::Exec(exec) if exec.argv.is_none());
                own && matches!(
                    &outcome.answer,
                    Answer::Exec(output @ Output { exit: Some(exit), .. })
                        if is_answer(output, *exit)
                )
            });
            if plan.allow_failure || fed || is_answer(&observed.own, exit) {
                return Ok(());
            }
            fail(
                format!("it {}", ended(exit)),
                Some(
                    "give the command that works after `--`, or its input with --stdin FILE; if this is what it should do, pass --allow-failure",
                ),
            )
        }
    }
}

/// How two runs of the original were not of one kind, if so.
pub(super) fn unlike(first: &Kind, second: &Kind) -> Option<String> {
    let did = |kind: &Kind| match kind {
        Kind::Service { .. } => "listened",
        Kind::Worker => "ran on without listening",
        Kind::Command | Kind::Silent | Kind::NotStarted(_) => "ended before it listened",
    };
    let (first, second) = (did(first), did(second));
    (first != second).then(|| format!("of two runs one {first} and the other {second}"))
}

pub(super) fn failed(observed: &Observation, what: String, hint: Option<&str>) -> Error {
    Error::Original {
        what,
        log: observed.last_words(20),
        hint: hint.map(str::to_owned),
    }
}

/// True if an exit looks like an answer, not like a fault: success, or a
/// program without arguments that says how it is used. Programs say that with
/// code 2 (getopt's, argparse's and click's convention) or 64 (`EX_USAGE`,
/// sysexits.h), or at least with the word.
fn is_answer(output: &Output, exit: Exit) -> bool {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).to_lowercase();
    match exit {
        Exit::Code(0) => true,
        Exit::Signal(_) | Exit::Code(126 | 127) => false,
        Exit::Code(_) if text.contains("traceback (most recent call last)") => false,
        Exit::Code(2 | 64) => true,
        Exit::Code(_) => text.contains("usage"),
    }
}

/// How a program ended, as the end of a sentence.
pub(crate) fn ended(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("ended with exit code {code}"),
        Exit::Signal(signal) => format!("was ended by signal {signal}"),
    }
}
