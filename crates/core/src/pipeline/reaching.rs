//! What *reach* needs to know of the original, gathered once.

use std::collections::BTreeSet;

use whit_sandbox::Access;

use super::ground::Ground;
use super::{Error, Tools, Wish};
use crate::index::{FileId, NodeKind, Tree};
use crate::plan::{Observed, Plan, Policy};
use crate::reach::config::Config;
use crate::reach::elf::Elf;
use crate::reach::interpreted::Interpreted;
use crate::reach::node::Node;
use crate::reach::python::{Distributions, Origin, Python, Read};
use crate::reach::shell::{Programs, Shell};
use crate::reach::{Analyzer, Graph, How, surroundings};
use crate::source::FatRoot;
use crate::transform::bytecode::{self, Compiled};
use crate::transform::{Bytecode, Content, ModuleForm, PythonCode};

/// The analyzers, and where they start.
pub(super) struct Reaching<'a> {
    original: &'a FatRoot,
    /// What the image starts.
    pub command: Vec<(FileId, How)>,
    pub surroundings: Vec<(FileId, How)>,
    pub elf: Elf<'a>,
    shell: Shell<'a>,
    config: Config<'a>,
    interpreted: Interpreted,
    pub python: Option<(&'a Ground, Python<'a>)>,
    node: Option<Node<'a>>,
}

impl<'a> Reaching<'a> {
    pub fn prepare(
        original: &'a FatRoot,
        wish: &Wish,
        ground: Option<&'a Ground>,
        observed: &[Observed],
        read: &'a Read<'a>,
    ) -> Self {
        let python = ground.map(|ground| {
            let distributions = Distributions::of(&original.tree, read);
            let python = Python::new(
                &original.tree,
                read,
                &ground.facts,
                ground.setting.clone(),
                distributions,
            );
            (ground, python)
        });
        let mut command = command_roots(original, wish);
        if let Some((ground, python)) = &python
            && (ground.is_started || executed(observed, ground.setting.interpreter))
        {
            command.extend(python.roots());
        }
        let mut commands = vec![self::command(original, wish)];
        commands.extend(wish.entries.iter().map(|entry| entry.argv.clone()));
        commands.extend(healthcheck(original));
        let node = Node::new(original, commands);
        if let Some(node) = &node {
            command.extend(node.roots());
        }
        let config = Config::new(original);
        let touched: Vec<_> = observed.iter().map(|o| (o.file, o.access)).collect();
        let interpreted = Interpreted::new(original, &config, &touched);
        Self {
            original,
            command,
            surroundings: surroundings::surroundings(original),
            elf: Elf::new(original).with_any_charset(interpreted.packages()),
            shell: Shell::new(original),
            interpreted,
            config,
            python,
            node,
        }
    }

    /// What could not be followed, whatever the roots.
    pub fn warnings(&self) -> Vec<String> {
        let ground = self.python.iter().map(|(ground, _)| &ground.warnings);
        ground.flatten().cloned().collect()
    }

    /// Everything reachable from `roots` under a policy.
    pub fn close(&self, policy: Policy, roots: Vec<(FileId, How)>) -> Graph {
        let mut analyzers: Vec<&dyn Analyzer> = vec![&self.elf, &self.shell];
        if policy != Policy::Tight {
            analyzers.push(&self.config);
            analyzers.push(&self.interpreted);
            if let Some((_, python)) = &self.python {
                let files: Vec<FileId> = roots.iter().map(|(id, _)| *id).collect();
                python.close(&files);
                analyzers.push(python);
            }
            if let Some(node) = &self.node {
                analyzers.push(node);
            }
        }
        Graph::close(&self.original.tree, roots, &analyzers)
    }

    /// Python modules that the interpreter has inside.
    pub fn frozen(&self) -> BTreeSet<FileId> {
        self.python
            .as_ref()
            .map(|(ground, _)| ground.frozen(self.original))
            .unwrap_or_default()
    }

    /// The forms in which the kept Python sources ship.
    pub fn bytecode(
        &self,
        plan: &Plan,
        wish: &Wish,
        as_text: &BTreeSet<FileId>,
        tools: &Tools<'_>,
    ) -> Result<Bytecode, Error> {
        // Where nothing can be compiled, sources ship as they are.
        let Some((ground, python)) = self.python.as_ref().filter(|(ground, _)| ground.compiles())
        else {
            return Ok(Bytecode::new());
        };
        let policy = match wish.python_code {
            PythonCode::Bytecode => bytecode::Policy::Bytecode,
            PythonCode::Source => bytecode::Policy::Source,
            PythonCode::Both => bytecode::Policy::Both,
        };
        let tree = &self.original.tree;
        let mut jobs = Vec::new();
        let mut placements = Vec::new();
        let linked = linked_to(tree, plan);
        for id in plan.kept() {
            let node = tree.node(id);
            if !node.is_file() || node.path.extension() != Some(b"py") {
                continue;
            }
            let needs_source = as_text.contains(&id)
                || linked.contains(&id)
                || matches!(python.origin(id), Origin::User);
            let placement = policy.place(&node.path, needs_source, &ground.facts);
            let Some(source) = self
                .original
                .content(id)
                .filter(|_| placement.bytecode.is_some())
            else {
                continue;
            };
            jobs.push(ground.job(self.original, id, source));
            placements.push((id, placement));
        }
        let compiled =
            bytecode::compile(&jobs, &ground.facts, &tools.cache.bytecode()?, &|worker| {
                ground.work(worker, tools)
            })?;
        let forms = placements
            .into_iter()
            .filter_map(|(id, placement)| {
                let Compiled::Bytecode(pyc) = compiled.get(tree.path(id))? else {
                    return None;
                };
                let pyc = Content::Host(pyc.clone());
                let form = match placement.keep_source {
                    true => ModuleForm::Cached(placement.bytecode?, pyc),
                    false => ModuleForm::Sourceless(pyc),
                };
                Some((id, form))
            })
            .collect();
        Ok(forms)
    }
}

/// The files that kept links lead to: under another name they would not be
/// found (Debian's `sitecustomize.py` is a link into `/etc`).
fn linked_to(tree: &Tree, plan: &Plan) -> BTreeSet<FileId> {
    plan.kept()
        .map(|id| tree.node(id))
        .filter(|node| matches!(node.kind, NodeKind::Symlink { .. }))
        .filter_map(|node| tree.lookup(&node.path))
        .collect()
}

/// The program that the image starts, those of its entries, and the one of its
/// health check.
fn command_roots(original: &FatRoot, wish: &Wish) -> Vec<(FileId, How)> {
    let programs = Programs::new(original);
    let as_root = |how: How, found: Vec<(FileId, How)>| -> Vec<(FileId, How)> {
        found.into_iter().map(|(id, _)| (id, how.clone())).collect()
    };
    let config = &original.config;
    let mut roots = as_root(How::Command, programs.of_argv(&command(original, wish)));
    // An entrypoint that is a script mostly ends with `exec "$@"`.
    roots.extend(as_root(How::Command, programs.of_argv(&config.cmd())));
    for entry in &wish.entries {
        let programs = Programs::of_config(&original.tree, &entry.config(config));
        let how = How::Entry(entry.to_string());
        roots.extend(as_root(how, programs.of_argv(&entry.argv)));
    }
    if let Some(words) = healthcheck(original) {
        roots.extend(as_root(How::Healthcheck, programs.of_argv(&words)));
    }
    roots
}

/// True if a run executed the program, or if there was no run to tell.
fn executed(observed: &[Observed], program: Option<FileId>) -> bool {
    observed.is_empty()
        || observed
            .iter()
            .any(|touched| touched.access == Access::Exec && Some(touched.file) == program)
}

fn command(original: &FatRoot, wish: &Wish) -> Vec<String> {
    let command = wish.command.clone();
    command.unwrap_or_else(|| original.config.command())
}

fn healthcheck(original: &FatRoot) -> Option<Vec<String>> {
    let check = original.config.healthcheck();
    let (form, words) = check.split_first()?;
    Some(match form.as_str() {
        "CMD-SHELL" => {
            let mut shell = vec!["/bin/sh".to_owned(), "-c".to_owned()];
            shell.extend(words.iter().cloned());
            shell
        }
        _ => words.to_vec(),
    })
}
