//! Files that one layer brings and a later one deletes.

use super::archive::{downloaded, is_unpacked};
use super::{Rule, cache_left, list};
use crate::lint::caches::Left;
use crate::lint::dockerfile::{Kind, Step};
use crate::lint::finding::{Bytes, Finding, Gauge};
use crate::lint::packages::{installs, removes};
use crate::lint::paths::{covers, deleted, resolve};
use crate::lint::{Case, costs};

pub const RULE: Rule = Rule {
    name: "deleted-later",
    cost: "all that was deleted: it stays in the layer below",
    why: "a layer cannot take bytes out of the layers below it; it only hides them",
    mend: "delete in the RUN that made it, or make it in another stage",
    check,
};

fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, step, run) in case.file.final_runs() {
        for command in &run.script.commands {
            for target in deleted(command) {
                let target = resolve(&target, step);
                found.extend(caches(case, at, step, &target));
                found.extend(files(case, at, step, &target));
            }
            found.extend(packages(case, at, step, &removes(command, step)));
        }
    }
    // `rm -rf a b` of one layer's files is one finding each; the same file
    // twice is not.
    let mut seen = Vec::new();
    found.retain(|finding| {
        let key = (finding.line, finding.message.clone());
        let fresh = !seen.contains(&key);
        seen.push(key);
        fresh
    });
    found
}

/// True if a later step deletes a cache: then it is told there, once.
pub fn is_deleted_later(case: &Case<'_>, left: &Left) -> bool {
    case.file
        .final_runs()
        .filter(|(at, ..)| *at > left.step)
        .any(|(at, step, run)| {
            run.script.commands.iter().flat_map(deleted).any(|target| {
                let target = resolve(&target, step);
                deletes(case, at, left, &target)
            })
        })
}

/// True if a pattern of step `at` deletes a cache that an earlier step left,
/// and the step does not just clear up after itself.
fn deletes(case: &Case<'_>, at: usize, left: &Left, target: &str) -> bool {
    let own = |command: &crate::lint::script::Command| {
        command.program == left.program
            && command
                .verb(&["update", "install", "ci", "add", "i", "upgrade"])
                .is_some()
    };
    let clears_its_own = case
        .commands()
        .any(|(step, _, command)| step == at && own(command));
    left.step < at && !clears_its_own && left.folders.iter().any(|folder| covers(target, folder))
}

fn caches(case: &Case<'_>, at: usize, step: &Step, target: &str) -> Vec<Finding> {
    let left = case
        .left
        .iter()
        .filter(|left| deletes(case, at, left, target));
    left.map(|left| Finding {
        rule: RULE.name,
        line: step.line,
        message: format!(
            "{} of line {} stays in that layer; deleting it here only hides it",
            left.habit.what, left.line
        ),
        advice: format!(
            "delete {} in the RUN of line {}",
            left.folders[0], left.line
        ),
        bytes: left.bytes,
        mend: cache_left::mend(case, left),
        gauge: Some(Gauge::Below(left.step, left.folders.clone())),
    })
    .collect()
}

/// What earlier steps copied or downloaded to the path that is deleted.
fn files(case: &Case<'_>, at: usize, step: &Step, target: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (earlier, from) in case
        .file
        .final_steps()
        .take_while(|(earlier, _)| *earlier < at)
    {
        let brought: Vec<(String, Option<u64>)> = match &from.kind {
            Kind::Copy(copy) => {
                let target = |source: &String| {
                    let size = case.context.size(source).filter(|_| copy.is_from_context());
                    (resolve(&copy.target(source), from), size)
                };
                copy.sources.iter().map(target).collect()
            }
            Kind::Run(run) => {
                let paths = run
                    .script
                    .commands
                    .iter()
                    .filter_map(|c| downloaded(c, from));
                paths.map(|path| (path, None)).collect()
            }
            _ => Vec::new(),
        };
        for (path, size) in brought {
            // `archive-left` tells of those.
            if !covers(target, &path) || is_unpacked(case, &path) {
                continue;
            }
            found.push(Finding {
                rule: RULE.name,
                line: step.line,
                message: format!(
                    "{path} of line {} stays in that layer; deleting it here only hides it",
                    from.line
                ),
                advice: match &from.kind {
                    Kind::Copy(_) => "RUN --mount=type=bind instead of COPY".to_owned(),
                    _ => format!("download and delete it in the RUN of line {}", from.line),
                },
                bytes: size.map_or(Bytes::Unknown, Bytes::Measured),
                mend: None,
                gauge: Some(Gauge::Below(earlier, vec![path])),
            });
        }
    }
    found
}

/// Packages that an earlier step installed.
fn packages(case: &Case<'_>, at: usize, step: &Step, removed: &[String]) -> Option<Finding> {
    let (mut names, mut line, mut bytes) = (Vec::new(), 0, None);
    for (_, from, run) in case.file.final_runs().filter(|(earlier, ..)| *earlier < at) {
        for installs in run
            .script
            .commands
            .iter()
            .filter_map(|command| installs(command, from))
        {
            let group = installs.group.iter().any(|group| removed.contains(group));
            for name in installs.packages {
                if (group || removed.contains(&name)) && !names.contains(&name) {
                    bytes = bytes.max(costs::apt(&name).map(|cost| cost.own));
                    line = from.line;
                    names.push(name);
                }
            }
        }
    }
    if names.is_empty() {
        return None;
    }
    Some(Finding {
        rule: RULE.name,
        line: step.line,
        message: format!(
            "{} of line {line} {} in that layer; removing here only hides",
            list(&names),
            if names.len() == 1 { "stays" } else { "stay" }
        ),
        advice: format!("remove in the RUN of line {line}, or build in another stage"),
        bytes: bytes.map_or(Bytes::Unknown, Bytes::About),
        mend: None,
        gauge: None,
    })
}
