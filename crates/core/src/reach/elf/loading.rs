//! Whether a program can be loaded: what it needs and the image lacks.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::{Elf, Facts, MAX_CHAIN, Object};
use crate::index::FileId;

/// What loading a program takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loading {
    /// Its loader, as it names it (`PT_INTERP`).
    pub interpreter: Option<String>,
    /// Libraries that it, or a library of it, needs and that are not found.
    pub missing: Vec<String>,
}

impl Elf<'_> {
    /// Follows a program's libraries as its loader does; `None` if `program`
    /// is no ELF file.
    pub fn loading(&self, program: FileId) -> Option<Loading> {
        let facts = self.facts(program)?;
        let mut missing = BTreeSet::new();
        let mut seen = BTreeSet::from([program]);
        let mut open: VecDeque<Vec<(FileId, Arc<Facts>)>> =
            VecDeque::from([vec![(program, Arc::clone(&facts))]]);
        while let Some(chain) = open.pop_front() {
            let objects: Vec<Object<'_>> = chain
                .iter()
                .map(|(file, facts)| Object { file: *file, facts })
                .collect();
            let Some(last) = objects.last().copied() else {
                continue;
            };
            let fits = |file| self.fits(file, facts.target);
            for name in &last.facts.needed {
                let paths = self.search.find(&objects, name, &fits);
                if paths.is_empty() && !self.is_builtin(last.facts, name) {
                    missing.insert(name.clone());
                }
                for file in paths.iter().filter_map(|path| self.root.tree.lookup(path)) {
                    if seen.len() < MAX_CHAIN
                        && seen.insert(file)
                        && let Some(facts) = self.facts(file)
                    {
                        let mut longer = chain.clone();
                        longer.push((file, facts));
                        open.push_back(longer);
                    }
                }
            }
        }
        Some(Loading {
            interpreter: facts.interpreter.clone(),
            missing: missing.into_iter().collect(),
        })
    }
}
