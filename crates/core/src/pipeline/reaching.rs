//! What *reach* needs to know of the original, gathered once.

use std::collections::BTreeMap;

use super::{Error, Tools, Wish};
use crate::index::{FileId, Tree};
use crate::plan::{Plan, Policy};
use crate::reach::config::Config;
use crate::reach::elf::Elf;
use crate::reach::shell::{Programs, Shell};
use crate::reach::{Analyzer, Graph, How, surroundings};
use crate::source::FatRoot;
use crate::transform::Bytecode;

/// The analyzers, and where they start.
pub(super) struct Reaching<'a> {
    /// What the image starts.
    pub command: Vec<(FileId, How)>,
    pub surroundings: Vec<(FileId, How)>,
    elf: Elf<'a>,
    shell: Shell<'a>,
    config: Config<'a>,
    warnings: Vec<String>,
}

impl<'a> Reaching<'a> {
    pub fn prepare(original: &'a FatRoot, wish: &Wish, _tools: &Tools<'_>) -> Result<Self, Error> {
        Ok(Self {
            command: command_roots(original, wish),
            surroundings: surroundings::surroundings(original),
            elf: Elf::new(original),
            shell: Shell::new(original),
            config: Config::new(original),
            warnings: Vec::new(),
        })
    }

    /// Everything reachable from `roots` under a policy.
    pub fn close(&self, tree: &Tree, policy: Policy, roots: Vec<(FileId, How)>) -> Graph {
        let hard: [&dyn Analyzer; 2] = [&self.elf, &self.shell];
        let all: [&dyn Analyzer; 3] = [&self.elf, &self.shell, &self.config];
        match policy {
            Policy::Tight => Graph::close(tree, roots, &hard),
            Policy::Safe | Policy::Repack => Graph::close(tree, roots, &all),
        }
    }

    pub fn bytecode(
        &self,
        _original: &FatRoot,
        _plan: &Plan,
        _wish: &Wish,
        _tools: &Tools<'_>,
    ) -> Result<Bytecode, Error> {
        Ok(BTreeMap::new())
    }

    pub fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}

/// The program that the image starts and the one of its health check.
fn command_roots(original: &FatRoot, wish: &Wish) -> Vec<(FileId, How)> {
    let programs = Programs::new(original);
    let as_root = |how: How, found: Vec<(FileId, How)>| -> Vec<(FileId, How)> {
        found.into_iter().map(|(id, _)| (id, how.clone())).collect()
    };
    let config = &original.config;
    let command = wish.command.clone().unwrap_or_else(|| config.command());
    let mut roots = as_root(How::Command, programs.of_argv(&command));
    let check = config.healthcheck();
    if let Some((form, words)) = check.split_first() {
        let words = match form.as_str() {
            "CMD-SHELL" => {
                let mut shell = vec!["/bin/sh".to_owned(), "-c".to_owned()];
                shell.extend(words.iter().cloned());
                shell
            }
            _ => words.to_vec(),
        };
        roots.extend(as_root(How::Healthcheck, programs.of_argv(&words)));
    }
    roots
}
