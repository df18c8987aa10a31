//! Bytecode belongs to whom its source belongs, whenever it was compiled.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

use super::python::Distribution;
use super::{FileId, Owners};
use crate::index::Tree;

/// Sources, and the bytecode made of them.
pub struct Bytecode(BTreeMap<FileId, Vec<FileId>>);

impl Bytecode {
    pub fn find(tree: &Tree) -> Self {
        let mut compiled: BTreeMap<FileId, Vec<FileId>> = BTreeMap::new();
        for (id, node) in tree.iter() {
            if node.is_file()
                && node.path.extension() == Some(b"pyc")
                && let Some(source) = source(tree, &node.path)
            {
                compiled.entry(source).or_default().push(id);
            }
        }
        Self(compiled)
    }

    /// Gives bytecode to the owners of its sources.
    pub fn assign(&self, owners: &mut Owners) {
        for (source, bytecode) in &self.0 {
            if let Some(owner) = owners.owner(*source) {
                for file in bytecode {
                    owners.give(*file, owner);
                }
            }
        }
    }

    /// Adds bytecode to the distributions that have its sources.
    pub fn complete(&self, distributions: &mut [Distribution]) {
        for distribution in distributions {
            let more: Vec<FileId> = distribution
                .files
                .iter()
                .filter_map(|source| self.0.get(source))
                .flatten()
                .copied()
                .collect();
            distribution.files.extend(more);
            distribution.files.sort_unstable();
            distribution.files.dedup();
        }
    }
}

/// `x.py` for `__pycache__/x.cpython-311.opt-1.pyc` and for `x.pyc` (PEP 3147,
/// PEP 488).
fn source(tree: &Tree, bytecode: &ImagePath) -> Option<FileId> {
    let folder = bytecode.parent()?;
    let stem = bytecode.name().strip_suffix(b".pyc")?;
    let (folder, stem) = if folder.name() == b"__pycache__" {
        let stem = match stem.rsplitn(2, |b| *b == b'.').collect::<Vec<_>>()[..] {
            [last, rest] if last.starts_with(b"opt-") => rest,
            _ => stem,
        };
        let tag = stem.iter().rposition(|b| *b == b'.')?;
        (folder.parent()?, &stem[..tag])
    } else {
        (folder, stem)
    };
    let mut name = stem.to_vec();
    name.extend_from_slice(b".py");
    tree.get(&folder.join(name))
}
