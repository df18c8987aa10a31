//! What compiled extension modules import, told from their strings.

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::ImagePath;

use super::binary::{self, Strings};
use super::closure::{Origin, Python, Reading, own_package};
use super::imports::Imports;
use super::rules;
use crate::index::FileId;

impl Python<'_> {
    pub(super) fn read_extension(&self, file: FileId) -> Reading {
        let origin = self.origin(file);
        if origin == Origin::Standard {
            // What these import is in a table.
            return Reading::Extension(Box::default(), Vec::new());
        }
        let Some(bytes) = (self.read)(file) else {
            return Reading::Other;
        };
        let name = self.modules.name_of(self.tree.path(file));
        let strings = binary::strings(&bytes);
        let imports = self.extension(&strings, &name, origin);
        Reading::Extension(Box::new(imports), strings.glued)
    }

    /// What an extension module's strings tell.
    pub(super) fn extension(
        &self,
        strings: &Strings,
        name: &Option<(String, bool)>,
        origin: Origin,
    ) -> Imports {
        let mut found: BTreeSet<String> = strings.dotted.clone();
        let mut tops: BTreeSet<String> = rules::IMPORTED_BY_EXTENSIONS
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        // Dotted names that glued text is searched for.
        let mut dotted = Vec::new();
        if let Origin::Library(id) = origin {
            let distribution = self.distributions.get(id);
            let partners = distribution
                .requires
                .iter()
                .filter_map(|required| self.distributions.named(required, &distribution.site))
                .chain([id]);
            for partner in partners {
                for top in self.top_modules(partner) {
                    if !strings.glued.is_empty() {
                        dotted.extend(self.modules.dotted_below(&distribution.site.join(&top)));
                    }
                    tops.insert(top);
                }
            }
        }
        found.extend(strings.single.intersection(&tops).cloned());
        let mut siblings = BTreeMap::new();
        if let Some((name, is_package)) = name {
            let package = own_package(name, *is_package);
            for module in self.modules.submodules(package) {
                if let Some((_, last)) = module.rsplit_once('.') {
                    siblings.insert(last.to_owned(), module.clone());
                }
            }
        }
        // `from .sibling import x`; all of them where nothing can be read.
        found.extend(
            siblings
                .iter()
                .filter(|(last, _)| strings.unreadable || strings.single.contains(*last))
                .map(|(_, module)| module.clone()),
        );
        if !strings.glued.is_empty() {
            dotted.extend(
                self.standard_dotted
                    .get_or_init(|| self.standard_dotted())
                    .iter()
                    .cloned(),
            );
            let names: Vec<&str> = dotted
                .iter()
                .map(String::as_str)
                .chain(tops.iter().map(String::as_str))
                .chain(siblings.keys().map(String::as_str))
                .collect();
            for name in binary::within(&strings.glued, &names) {
                found.insert(siblings.get(name).map_or(name, String::as_str).to_owned());
            }
        }
        Imports::of_words(found, strings.single.clone())
    }

    /// The dotted modules of the standard library.
    pub(super) fn standard_dotted(&self) -> Vec<String> {
        let Some(dir) = self.tree.lookup(&self.stdlib) else {
            return Vec::new();
        };
        let inside = |path: &ImagePath| !self.sites.iter().any(|site| path.starts_with(site));
        self.tree
            .below(dir)
            .into_iter()
            .map(|file| self.tree.path(file))
            .filter(|path| inside(path))
            .filter_map(|path| self.modules.name_of(path))
            .map(|(name, _)| name)
            .filter(|name| name.contains('.') && !name.starts_with("test."))
            .collect()
    }
}
