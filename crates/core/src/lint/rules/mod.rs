//! The rules, one file each.

mod archive;
mod build_tools;
mod cache_left;
mod chown_layer;
mod copy_all;
mod deleted_later;
mod dev_dependencies;
mod fat_base;
mod multi_stage;
mod recommends;

use super::Case;
use super::dockerfile::{Kind, Run};
use super::finding::Finding;
use super::script::Command;

/// A habit that costs size.
pub struct Rule {
    /// As `# whit: ignore=NAME` takes it.
    pub name: &'static str,
    /// What costs, in a line.
    pub cost: &'static str,
    pub why: &'static str,
    /// What to write instead.
    pub mend: &'static str,
    pub(super) check: fn(&Case<'_>) -> Vec<Finding>,
}

/// All rules, in the order of the manual.
pub static RULES: &[Rule] = &[
    deleted_later::RULE,
    recommends::RULE,
    cache_left::APT,
    cache_left::PIP,
    cache_left::NPM,
    cache_left::APK,
    cache_left::DNF,
    cache_left::CONDA,
    cache_left::COMPOSER,
    build_tools::RULE,
    multi_stage::RULE,
    fat_base::RULE,
    copy_all::RULE,
    archive::RULE,
    chown_layer::RULE,
    dev_dependencies::RULE,
];

impl Case<'_> {
    /// True for an image that is for developing, not for shipping: by its
    /// stage's name, or because it starts a development server or tests.
    fn is_for_development(&self) -> bool {
        let named = self.file.top().and_then(|stage| stage.name.as_deref());
        let by_name = named.is_some_and(|name| {
            name.split(['-', '_', '.']).any(|part| {
                let part = part.to_lowercase();
                part.starts_with("dev")
                    || matches!(part.as_str(), "test" | "tests" | "debug" | "ci")
            })
        });
        by_name || self.starts_with_tools()
    }

    fn starts_with_tools(&self) -> bool {
        let start = self
            .file
            .final_steps()
            .filter_map(|(_, step)| match &step.kind {
                Kind::Start(words) => Some(words),
                _ => None,
            });
        let Some(words) = start.last() else {
            return false;
        };
        words.iter().any(|word| {
            let word = word.rsplit('/').next().unwrap_or(word);
            matches!(
                word,
                "dev"
                    | "start:dev"
                    | "develop"
                    | "watch"
                    | "nodemon"
                    | "ts-node"
                    | "ts-node-dev"
                    | "jest"
                    | "pytest"
                    | "test"
                    | "air"
                    | "webpack-dev-server"
            )
        })
    }

    /// The commands of the final image's steps.
    fn commands(&self) -> impl Iterator<Item = (usize, &Run, &Command)> {
        self.file.final_runs().flat_map(|(at, _, run)| {
            run.script
                .commands
                .iter()
                .map(move |command| (at, run, command))
        })
    }
}

/// `a`, `a and b`, `a, b and 3 more`.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [a] => a.clone(),
        [a, b] => format!("{a} and {b}"),
        [a, b, c] => format!("{a}, {b} and {c}"),
        [a, b, rest @ ..] => format!("{a}, {b} and {} more", rest.len()),
    }
}
