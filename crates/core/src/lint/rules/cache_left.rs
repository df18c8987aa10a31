//! Caches of package managers that stay in a layer.

use super::Rule;
use super::deleted_later::is_deleted_later;
use crate::lint::Case;
use crate::lint::caches::Left;
use crate::lint::dockerfile::Kind;
use crate::lint::finding::{Edit, Finding, Gauge, Mend};
use crate::lint::packages::{Manager, installs};

pub const APT: Rule = Rule {
    name: "apt-lists",
    cost: "apt's lists of packages, about 20 MB",
    why: "`apt-get update` writes lists that only the next `apt-get install` reads",
    mend: "&& rm -rf /var/lib/apt/lists/* in the same RUN",
    check: |case| check(case, "apt-lists"),
};
pub const PIP: Rule = Rule {
    name: "pip-cache",
    cost: "every wheel that was installed, a second time",
    why: "pip, uv and poetry keep what they download for a next time that does not come",
    mend: "--no-cache-dir, --no-cache, or RUN --mount=type=cache",
    check: |case| check(case, "pip-cache"),
};
pub const NPM: Rule = Rule {
    name: "npm-cache",
    cost: "the tarballs of all dependencies",
    why: "npm and yarn keep what they download for a next time that does not come",
    mend: "&& npm cache clean --force in the same RUN, or RUN --mount=type=cache,target=/root/.npm",
    check: |case| check(case, "npm-cache"),
};
pub const APK: Rule = Rule {
    name: "apk-cache",
    cost: "apk's index, a few MB",
    why: "`apk add` without `--no-cache` keeps the index that it fetched",
    mend: "apk add --no-cache",
    check: |case| check(case, "apk-cache"),
};
pub const DNF: Rule = Rule {
    name: "dnf-cache",
    cost: "metadata of all repositories, and packages",
    why: "dnf, yum, microdnf and zypper keep what they fetched",
    mend: "&& dnf clean all in the same RUN",
    check: |case| check(case, "dnf-cache"),
};
pub const CONDA: Rule = Rule {
    name: "conda-cache",
    cost: "the tarballs of all packages",
    why: "conda keeps every package beside the environment that it went into",
    mend: "&& conda clean --all --yes in the same RUN",
    check: |case| check(case, "conda-cache"),
};
pub const COMPOSER: Rule = Rule {
    name: "composer-cache",
    cost: "the archives of all dependencies",
    why: "composer keeps what it downloads for a next time that does not come",
    mend: "composer install --no-cache",
    check: |case| check(case, "composer-cache"),
};

fn check(case: &Case<'_>, rule: &'static str) -> Vec<Finding> {
    let left = case.left.iter().filter(|left| left.habit.rule == rule);
    left.filter(|left| !is_deleted_later(case, left))
        .map(|left| Finding {
            rule,
            line: left.line,
            message: format!(
                "`{}` leaves {} in {}",
                left.program, left.habit.what, left.folders[0]
            ),
            advice: advice(case, left),
            bytes: left.bytes,
            mend: mend(case, left),
            gauge: Some(Gauge::Below(left.step, left.folders.clone())),
        })
        .collect()
}

fn advice(case: &Case<'_>, left: &Left) -> String {
    if left.habit.rule == "apt-lists" && needs_lists(case, left.step).is_some() {
        return "update, install and delete the lists in one RUN".to_owned();
    }
    let rule = super::RULES
        .iter()
        .find(|rule| rule.name == left.habit.rule);
    rule.map(|rule| rule.mend.to_owned()).unwrap_or_default()
}

/// The edits that leave nothing behind. Lists that a later step installs
/// with can go only if both become one step.
pub fn mend(case: &Case<'_>, left: &Left) -> Option<Mend> {
    if left.habit.rule != "apt-lists" {
        return left.mend.clone();
    }
    match needs_lists(case, left.step) {
        None => left.mend.clone(),
        Some(next) => merged(case, left, next),
    }
}

/// The first later step that installs with the lists of step `at`.
fn needs_lists(case: &Case<'_>, at: usize) -> Option<usize> {
    for (later, step, run) in case.file.final_runs().filter(|(later, ..)| *later > at) {
        for command in &run.script.commands {
            if command.is(&["apt-get", "apt", "aptitude"]) && command.verb(&["update"]).is_some() {
                return None;
            }
            if installs(command, step).is_some_and(|found| found.manager == Manager::Apt) {
                return Some(later);
            }
        }
    }
    None
}

/// `RUN apt-get update` and the `RUN apt-get install` right below it as one.
fn merged(case: &Case<'_>, left: &Left, next: usize) -> Option<Mend> {
    let (first, second) = (&case.file.steps[left.step], &case.file.steps[next]);
    let (Kind::Run(update), Kind::Run(install)) = (&first.kind, &second.kind) else {
        return None;
    };
    let only_apt = |command: &crate::lint::script::Command| command.is(&["apt-get", "apt"]);
    let adjacent = next == left.step + 1
        && first.stage == second.stage
        && case
            .text
            .get(first.place.end..second.place.start)?
            .trim()
            .is_empty();
    let simple = update.plain && install.plain && update.script.commands.iter().all(only_apt);
    if !(adjacent && simple) || needs_lists(case, next).is_some() {
        return None;
    }
    let join = update.script.join(&install.script)?;
    let remove = match case
        .left
        .iter()
        .any(|other| other.step == next && other.habit.rule == "apt-lists")
    {
        true => None,
        false => install.script.append("rm -rf /var/lib/apt/lists/*"),
    };
    let edits: Vec<Edit> = std::iter::once(join).chain(remove).collect();
    Some(Mend::safe(edits))
}
