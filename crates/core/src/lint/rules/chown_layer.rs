//! `chown -R` and `chmod -R` of what a lower layer brought.

use super::Rule;
use crate::lint::Case;
use crate::lint::dockerfile::{Copy, Kind, Run, Step};
use crate::lint::finding::{Bytes, Edit, Finding, Gauge, Mend};
use crate::lint::paths::{is_below, resolve};
use crate::lint::script::Command;

pub const RULE: Rule = Rule {
    name: "chown-layer",
    cost: "every file below the folder, a second time",
    why: "a layer holds whole files: to change an owner or a mode is to write the file again",
    mend: "COPY --chown=OWNER, COPY --chmod=MODE",
    check,
};

fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, step, run) in case.file.final_runs() {
        for command in &run.script.commands {
            let changes = command.is(&["chown", "chmod", "chgrp"])
                && command.args.iter().any(|arg| is_recursive(arg));
            let operands: Vec<&String> = command
                .args
                .iter()
                .filter(|arg| !arg.starts_with('-'))
                .collect();
            let Some((owner, paths)) = operands.split_first().filter(|_| changes) else {
                continue;
            };
            let paths: Vec<String> = paths.iter().map(|path| resolve(path, step)).collect();
            let copies: Vec<(usize, &Copy)> = copies_into(case, at, &paths);
            if copies.is_empty() || made_here(run, step, &paths) {
                continue;
            }
            let sizes = copies.iter().flat_map(|(_, copy)| {
                copy.sources
                    .iter()
                    .map(|source| case.context.size(source).filter(|_| copy.is_from_context()))
            });
            // All of them, or nobody knows.
            let bytes: Option<u64> = sizes.sum();
            let flag = if command.program == "chmod" {
                "--chmod"
            } else {
                "--chown"
            };
            found.push(Finding {
                rule: RULE.name,
                line: step.line,
                message: format!(
                    "`{} -R` writes again what line {} copied",
                    command.program, case.file.steps[copies[0].0].line
                ),
                advice: format!("COPY {flag}={owner}"),
                bytes: bytes.map_or(Bytes::Unknown, Bytes::Measured),
                mend: mend(case, at, run, command, owner, &copies),
                gauge: Some(Gauge::Rewritten(at)),
            });
        }
    }
    found
}

fn is_recursive(arg: &str) -> bool {
    arg == "--recursive" || (arg.starts_with('-') && !arg.starts_with("--") && arg.contains('R'))
}

/// Earlier copies to these paths, or below or around them.
fn copies_into<'a>(case: &Case<'a>, at: usize, paths: &[String]) -> Vec<(usize, &'a Copy)> {
    let file = case.file;
    let steps = file.final_steps().take_while(|(earlier, _)| *earlier < at);
    steps
        .filter_map(|(earlier, step)| match &step.kind {
            Kind::Copy(copy) => {
                let dest = resolve(copy.dest.trim_end_matches('/'), step);
                let dest = if dest.is_empty() {
                    "/".to_owned()
                } else {
                    dest
                };
                let touches = paths.iter().any(|path| {
                    let path = path.trim_end_matches(['*', '/']);
                    let whole = copy.dest.ends_with('/') && dest != "/";
                    dest == path || is_below(&dest, path) || (whole && is_below(path, &dest))
                });
                touches.then_some((earlier, copy))
            }
            _ => None,
        })
        .collect()
}

/// True if the step makes the folders itself: then nothing is written twice.
fn made_here(run: &Run, step: &Step, paths: &[String]) -> bool {
    let made: Vec<String> = run
        .script
        .commands
        .iter()
        .filter(|command| command.program == "mkdir")
        .flat_map(|command| command.args.iter().map(|arg| resolve(arg, step)))
        .collect();
    paths.iter().all(|path| made.contains(path))
}

/// `--chown` for a copy right above, and no `RUN` then.
fn mend(
    case: &Case<'_>,
    at: usize,
    run: &Run,
    command: &Command,
    owner: &str,
    copies: &[(usize, &Copy)],
) -> Option<Mend> {
    let [(copy_at, copy)] = copies else {
        return None;
    };
    let alone = run.script.commands.len() == 1 && run.plain && copy_at + 1 == at;
    let plain = command.program == "chown" && !copy.has_owner && !owner.contains('$');
    if !(alone && plain) {
        return None;
    }
    let place = case.file.steps[at].place.clone();
    // The whole line, its end too.
    let rest = case.text.get(place.end..)?;
    let end = place.end + rest.find('\n').map_or(rest.len(), |end| end + 1);
    let blank = case.text.get(place.end..end)?.trim().is_empty();
    blank.then(|| {
        Mend::wants_a_look(vec![
            Edit::insert(copy.keyword_end, format!(" --chown={owner}")),
            Edit {
                place: place.start..end,
                text: String::new(),
            },
        ])
    })
}
