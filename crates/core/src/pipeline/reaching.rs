//! What *reach* needs to know of the original, gathered once.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

use super::{Error, Tools, Wish};
use crate::index::{FileId, Tree};
use crate::plan::{Plan, Policy};
use crate::reach::elf::Elf;
use crate::reach::{Analyzer, Graph, How, reach_path, surroundings};
use crate::source::FatRoot;
use crate::transform::Bytecode;

/// The analyzers, and where they start.
pub(super) struct Reaching<'a> {
    /// What the image starts.
    pub command: Vec<(FileId, How)>,
    pub surroundings: Vec<(FileId, How)>,
    elf: Elf<'a>,
    warnings: Vec<String>,
}

impl<'a> Reaching<'a> {
    pub fn prepare(original: &'a FatRoot, wish: &Wish, _tools: &Tools<'_>) -> Result<Self, Error> {
        Ok(Self {
            command: command_roots(original, wish),
            surroundings: surroundings::surroundings(original),
            elf: Elf::new(original),
            warnings: Vec::new(),
        })
    }

    /// Everything reachable from `roots` under a policy.
    pub fn close(&self, tree: &Tree, policy: Policy, roots: Vec<(FileId, How)>) -> Graph {
        let hard: [&dyn Analyzer; 1] = [&self.elf];
        let all: [&dyn Analyzer; 1] = [&self.elf];
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
    let config = &original.config;
    let command = wish.command.clone().unwrap_or_else(|| config.command());
    let mut roots = program(original, &command, How::Command);
    let check = config.healthcheck();
    if let Some((form, words)) = check.split_first() {
        let words = match form.as_str() {
            "CMD-SHELL" => vec!["/bin/sh".to_owned()],
            _ => words.to_vec(),
        };
        roots.extend(program(original, &words, How::Healthcheck));
    }
    roots
}

/// A program with its arguments, as far as they are files of the image.
fn program(original: &FatRoot, words: &[String], how: How) -> Vec<(FileId, How)> {
    let tree = &original.tree;
    let cwd = ImagePath::clamped(original.config.working_dir());
    let Some((program, arguments)) = words.split_first() else {
        return Vec::new();
    };
    let places: Vec<ImagePath> = if program.contains('/') {
        vec![cwd.join(program)]
    } else {
        let env = original.config.env();
        let path = env
            .iter()
            .find(|(name, _)| name == "PATH")
            .map_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", |(_, path)| path);
        path.split(':').map(|folder| cwd.join(folder).join(program)).collect()
    };
    let mut roots: Vec<(FileId, How)> = places
        .iter()
        .find(|place| tree.lookup(place).is_some())
        .map(|place| reach_path(tree, place, how.clone()))
        .unwrap_or_default();
    for argument in arguments.iter().filter(|argument| argument.contains(['/', '.'])) {
        roots.extend(reach_path(tree, &cwd.join(argument), how.clone()));
    }
    roots
}
