//! Compilers that are installed into the final image.

use super::fat_base::has_build_tools;
use super::{Rule, list};
use crate::lint::dockerfile::{Run, Step};
use crate::lint::finding::{Bytes, Finding};
use crate::lint::packages::{Manager, installs, is_build_tool, removes};
use crate::lint::{Case, costs};

pub const RULE: Rule = Rule {
    name: "build-tools",
    cost: "a compiler and its headers, about 200 MB and more",
    why: "what builds the app does not run it",
    mend: "install them in a stage of their own, and COPY --from it what they built",
    check,
};

fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.is_for_development() {
        return Vec::new();
    }
    let in_base = has_build_tools(case);
    let mut found = Vec::new();
    for (at, step, run) in case.file.final_runs() {
        let (names, bytes) = tools(step, run);
        let later = case.file.final_runs().filter(|(later, ..)| *later > at);
        // Then `deleted-later` says it.
        let mut removed = later.flat_map(|(_, step, run)| {
            run.script
                .commands
                .iter()
                .flat_map(|command| removes(command, step))
        });
        if names.is_empty() || removed.any(|name| names.contains(&name) || name.starts_with('.')) {
            continue;
        }
        found.push(Finding {
            rule: RULE.name,
            line: step.line,
            message: match &names[..] {
                [name] => format!("{name} stays in the final image"),
                names => format!("{} stay in the final image", list(names)),
            },
            advice: RULE.mend.to_owned(),
            bytes: if in_base { Bytes::Unknown } else { bytes },
            mend: None,
            gauge: None,
        });
    }
    found
}

/// The build tools that a step installs and does not remove, and about what
/// they need.
pub fn tools(step: &Step, run: &Run) -> (Vec<String>, Bytes) {
    let mut tools: Vec<String> = Vec::new();
    let mut bytes: Option<u64> = None;
    for (i, command) in run.script.commands.iter().enumerate() {
        let Some(installs) = installs(command, step) else {
            continue;
        };
        let after = &run.script.commands[i + 1..];
        let removed: Vec<String> = after
            .iter()
            .flat_map(|command| removes(command, step))
            .collect();
        // `apt-mark` says what stays, and a purge takes the rest.
        let marked = after.iter().any(|command| command.is(&["apt-mark"]))
            && after.iter().any(|command| {
                command.has(&["--auto-remove", "--autoremove"])
                    || command.verb(&["autoremove", "autopurge"]).is_some()
            });
        let group = installs.group.as_ref();
        if marked || group.is_some_and(|group| removed.contains(group)) {
            continue;
        }
        for name in installs.packages {
            if !is_build_tool(&name) || removed.contains(&name) || tools.contains(&name) {
                continue;
            }
            if installs.manager == Manager::Apt
                && let Some(cost) = costs::apt(&name)
            {
                // They share most of what they need.
                bytes = bytes.max(Some(cost.own));
            }
            tools.push(name);
        }
    }
    (tools, bytes.map_or(Bytes::Unknown, Bytes::About))
}
