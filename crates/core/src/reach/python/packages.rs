//! What comes with the use of a distribution: metadata, data, and what it
//! declares to need.

use std::collections::BTreeSet;

use whit_oci::ImagePath;

use super::closure::{Python, State, file_of};
use super::data;
use super::distributions::{Distribution, DistributionId, Read};
use super::names::Sleeper;
use super::rules;
use crate::index::{FileId, Tree};
use crate::reach::How;

impl Python<'_> {
    /// A distribution of which `file` is used: its metadata, the data beside
    /// the file, and what it declares to need where imports don't show it.
    pub(super) fn distribution(
        &self,
        state: &mut State,
        file: FileId,
        id: DistributionId,
    ) -> Vec<Sleeper> {
        let mut woken = Vec::new();
        let distribution = self.distributions.get(id);
        let name = &distribution.name;
        let top = self
            .tree
            .path(file)
            .strip_prefix(&distribution.site)
            .and_then(|rest| rest.split(|b| *b == b'/').next())
            .map(|top| String::from_utf8_lossy(top).into_owned())
            .unwrap_or_default();
        let first = state.distributions.insert(id);
        if first {
            for metadata in [distribution.metadata, distribution.entry_points_file]
                .into_iter()
                .flatten()
            {
                state.edge(file, metadata, How::PackageMetadata(name.clone()));
            }
        }
        let fresh: Vec<String> = [top, String::new()]
            .into_iter()
            .filter(|top| state.tops.insert((id, top.clone())))
            .collect();
        if !fresh.is_empty() {
            let data = data::data(self.tree, distribution);
            let mut shadowed = false;
            for data in fresh.iter().filter_map(|top| data.get(top)).flatten() {
                if self.is_shadowed_zone(distribution, *data) {
                    shadowed = true;
                } else {
                    state.edge(file, *data, How::PackageData(name.clone()));
                }
            }
            if shadowed
                && rules::CHOOSES_ZONES
                    .iter()
                    .any(|name| state.names.wait(name, Sleeper::Zones { file }))
            {
                self.shadowed_zones(state, file);
            }
        }
        if first {
            let native = distribution
                .files
                .iter()
                .any(|file| self.tree.path(*file).extension() == Some(b"so"));
            for required in &distribution.requires {
                let Some(other) = self.distributions.named(required, &distribution.site) else {
                    continue;
                };
                // Compiled code imports unseen; data is not imported at all.
                if native || self.is_mostly_data(other) {
                    for module in self.top_modules(other) {
                        woken.extend(self.link(state, file, &module, &How::Depends(name.clone())));
                    }
                }
            }
        }
        woken
    }

    /// True for a time zone of the package `tzdata` that `zoneinfo` finds in a
    /// folder of the system before it looks there.
    fn is_shadowed_zone(&self, distribution: &Distribution, file: FileId) -> bool {
        let zones = distribution.site.join("tzdata/zoneinfo");
        distribution.name == "tzdata"
            && self
                .tree
                .path(file)
                .strip_prefix(&zones)
                .is_some_and(|key| {
                    self.facts.zones.iter().any(|folder| {
                        let twin = ImagePath::clamped(folder).join(key);
                        let found = self.tree.resolve(&twin).file;
                        found.is_some_and(|id| self.tree.node(id).is_file())
                    })
                })
    }

    /// Keeps such zones, for a program that may choose them.
    pub(super) fn shadowed_zones(&self, state: &mut State, file: FileId) {
        let Some(id) = self.distributions.owner(file) else {
            return;
        };
        let distribution = self.distributions.get(id);
        for zone in &distribution.files {
            if self.is_shadowed_zone(distribution, *zone) {
                state.edge(file, *zone, How::PackageData(distribution.name.clone()));
            }
        }
    }

    /// True for modules of pip, setuptools and the like.
    pub(super) fn is_installer(&self, module: &str) -> bool {
        let Some(id) = self.modules.find(module).and_then(|m| file_of(&m)) else {
            return false;
        };
        self.distributions.owner(id).is_some_and(|owner| {
            rules::INSTALLERS.contains(&self.distributions.get(owner).name.as_str())
        })
    }

    /// True for distributions that exist for their data: zones, certificates.
    pub(super) fn is_mostly_data(&self, id: DistributionId) -> bool {
        let distribution = self.distributions.get(id);
        let size = |files: &mut dyn Iterator<Item = FileId>| -> u64 {
            files.map(|file| self.tree.node(file).size()).sum()
        };
        let data = size(&mut data::data(self.tree, distribution).into_values().flatten());
        let code =
            size(
                &mut distribution.files.iter().copied().filter(|file| {
                    matches!(self.tree.path(*file).extension(), Some(b"py" | b"so"))
                }),
            );
        data > code
    }

    /// The importable names at the top of a distribution.
    pub(super) fn top_modules(&self, id: DistributionId) -> BTreeSet<String> {
        let distribution = self.distributions.get(id);
        distribution
            .files
            .iter()
            .filter_map(|file| self.modules.name_of(self.tree.path(*file)))
            .filter_map(|(name, is_package)| {
                (is_package || !name.contains('.'))
                    .then(|| name.split('.').next().unwrap_or_default().to_owned())
            })
            .collect()
    }
}

/// Folders that packages put on `sys.path` themselves, for copies of others'
/// code that they carry (`setuptools/_vendor`).
pub(super) fn vendored(tree: &Tree, read: &Read) -> Vec<ImagePath> {
    tree.iter()
        .filter(|(_, node)| {
            node.is_dir() && matches!(node.path.name(), b"_vendor" | b"_vendored" | b"vendor")
        })
        .filter(|(_, node)| {
            let init = node.path.join("../__init__.py");
            tree.lookup(&init)
                .and_then(read)
                .is_some_and(|text| memchr::memmem::find(&text, b"sys.path").is_some())
        })
        .map(|(_, node)| node.path.clone())
        .collect()
}
