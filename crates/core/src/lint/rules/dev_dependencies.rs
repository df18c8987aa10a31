//! Dependencies for developing, installed into the image that ships.

use super::Rule;
use super::multi_stage::compiles;
use crate::lint::Case;
use crate::lint::dockerfile::{Run, Step};
use crate::lint::finding::{Bytes, Edit, Finding, Mend};
use crate::lint::script::Command;

pub const RULE: Rule = Rule {
    name: "dev-dependencies",
    cost: "linters, test runners and bundlers, often more than the app itself",
    why: "package managers install dependencies for developing unless they are told not to",
    mend: "npm ci --omit=dev, poetry install --only main, uv sync --no-dev, composer install --no-dev",
    check,
};

fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.is_for_development() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (at, step, run) in case.file.final_runs() {
        // What builds needs them; `no-multi-stage` has the better mend.
        let mut later = case.commands().filter(|(later, ..)| *later >= at);
        let builds = later.any(|(_, _, command)| compiles(command).is_some());
        for (i, command) in run.script.commands.iter().enumerate() {
            let Some(install) = install(case, step, run, command) else {
                continue;
            };
            let prunes = |command: &Command| {
                command.program == install.program && command.verb(&["prune"]).is_some()
            };
            if builds || run.script.commands[i..].iter().any(prunes) {
                continue;
            }
            found.push(Finding {
                rule: RULE.name,
                line: step.line,
                message: install.message,
                advice: install.advice,
                bytes: Bytes::Unknown,
                mend: install.edit.map(|edit| Mend::wants_a_look(vec![edit])),
                gauge: None,
            });
        }
    }
    found
}

struct Install {
    program: String,
    message: String,
    advice: String,
    edit: Option<Edit>,
}

fn install(case: &Case<'_>, step: &Step, run: &Run, command: &Command) -> Option<Install> {
    match command.program.as_str() {
        "npm" => {
            let verb = command.verb(&["ci", "install", "i", "clean-install"])?;
            let lean = command.has(&["--production", "-g", "--global", "--package-lock-only"])
                || command.args.iter().any(|arg| is_omit(arg))
                || (command.has(&["--omit"]) && command.args.iter().any(|arg| arg == "dev"))
                || production(step, run, "NODE_ENV")
                || command.operands_after(verb).next().is_some();
            (!lean && develops(case, "package.json", "devDependencies"))
                .then(|| with(command, verb, "devDependencies", "--omit=dev"))
        }
        "yarn" => {
            let verb = command.verb(&["install"]);
            let bare = verb.is_none() && command.args.iter().all(|arg| arg.starts_with('-'));
            let lean = command.has(&["--production", "--prod", "--version"])
                || production(step, run, "NODE_ENV");
            let wanted = (verb.is_some() || bare) && !lean;
            if !wanted || !develops(case, "package.json", "devDependencies") {
                return None;
            }
            let mut install = with(
                command,
                verb.unwrap_or(0),
                "devDependencies",
                "--production",
            );
            install.edit = install.edit.filter(|_| verb.is_some());
            Some(install)
        }
        "pnpm" => {
            let verb = command.verb(&["install", "i"])?;
            let lean = command.has(&["--prod", "-P", "--production", "-g", "--global"])
                || production(step, run, "NODE_ENV");
            (!lean && develops(case, "package.json", "devDependencies"))
                .then(|| with(command, verb, "devDependencies", "--prod"))
        }
        "poetry" => {
            let verb = command.verb(&["install", "sync"])?;
            let lean = command.has(&["--only", "--no-dev", "--without", "--only-root"]);
            (!lean).then(|| with(command, verb, "all groups", "--only main"))
        }
        "uv" => {
            let verb = command.verb(&["sync"])?;
            let lean = command.has(&[
                "--no-dev",
                "--only-group",
                "--no-default-groups",
                "--no-group",
            ]) || step.variables.contains_key("UV_NO_DEV")
                || run.script.sets("UV_NO_DEV");
            (!lean).then(|| with(command, verb, "the dev group", "--no-dev"))
        }
        "pipenv" => {
            command.verb(&["install", "sync"])?;
            let at = command
                .args
                .iter()
                .position(|arg| arg == "--dev" || arg == "-d")?;
            let mut install = with(command, at, "dev-packages", "");
            install.edit = None;
            install.advice = "pipenv install --deploy, without --dev".to_owned();
            Some(install)
        }
        "composer" => {
            let verb = command.verb(&["install", "update"])?;
            let lean = command.has(&["--no-dev"]) || step.variables.contains_key("COMPOSER_NO_DEV");
            (!lean && develops(case, "composer.json", "require-dev"))
                .then(|| with(command, verb, "require-dev", "--no-dev"))
        }
        "bundle" => {
            let verb = command.verb(&["install"])?;
            let lean = command.has(&["--without"])
                || step.variables.contains_key("BUNDLE_WITHOUT")
                || production(step, run, "BUNDLE_DEPLOYMENT")
                || case.commands().any(|(_, _, other)| {
                    other.program == "bundle" && other.args.iter().any(|arg| arg == "without")
                });
            let mut install = with(command, verb, "the development and test groups", "");
            install.edit = None;
            install.advice = "ENV BUNDLE_WITHOUT=development:test".to_owned();
            (!lean).then_some(install)
        }
        program if program.starts_with("pip") => {
            command.verb(&["install"])?;
            pip(command)
        }
        _ => None,
    }
}

/// Requirements and extras whose names say what they are for.
fn pip(command: &Command) -> Option<Install> {
    let is_dev = |name: &str| {
        let name = name.to_lowercase();
        let mut parts = name.split(['-', '_', '.', '/', ' ']);
        parts.any(|part| {
            matches!(
                part,
                "dev" | "develop" | "development" | "test" | "tests" | "testing" | "lint"
            )
        })
    };
    let files = command.values("-r", "--requirement");
    let file = files
        .into_iter()
        .find(|file| is_dev(file))
        .map(str::to_owned);
    let extra = || {
        command.args.iter().find(|arg| {
            let inside = arg
                .split_once('[')
                .and_then(|(_, rest)| rest.split_once(']'));
            inside.is_some_and(|(extras, _)| extras.split(',').any(is_dev))
        })
    };
    let what = file.or_else(|| extra().cloned())?;
    Some(Install {
        program: command.program.clone(),
        message: format!("{what} is for developing"),
        advice: "install what the app itself needs".to_owned(),
        edit: None,
    })
}

fn with(command: &Command, verb: usize, what: &str, flag: &str) -> Install {
    let said = command.args.get(verb).map_or("install", String::as_str);
    Install {
        program: command.program.clone(),
        message: format!("`{} {said}` also installs {what}", command.program),
        advice: format!("{} {said} {flag}", command.program),
        edit: command.insert_after(verb, flag),
    }
}

fn is_omit(arg: &str) -> bool {
    matches!(
        arg,
        "--omit=dev" | "--only=production" | "--only=prod" | "--no-dev"
    )
}

fn production(step: &Step, run: &Run, variable: &str) -> bool {
    let yes = |value: &String| matches!(value.as_str(), "production" | "1" | "true");
    step.variables.get(variable).is_some_and(yes)
        || run.script.text.contains(&format!("{variable}=production"))
}

/// False if the manifest in the context says that there are none.
fn develops(case: &Case<'_>, manifest: &str, key: &str) -> bool {
    let Some(text) = case.context.text(manifest) else {
        return true;
    };
    let value: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    value.is_none_or(|value| {
        value
            .get(key)
            .is_some_and(|list| list != &serde_json::json!({}))
    })
}
