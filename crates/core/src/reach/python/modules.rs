//! Finding modules in an image as `importlib` would.

use std::collections::{BTreeSet, HashMap};
use std::sync::RwLock;

use whit_oci::ImagePath;

use super::facts::Facts;
use crate::index::{FileId, NodeKind, Tree};

/// A module that an import would find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// In the interpreter itself; nothing to keep.
    Builtin,
    /// A file: source, bytecode without source, or extension module.
    File(FileId),
    /// A regular package: its `__init__`.
    Package { init: FileId, dir: ImagePath },
    /// A namespace package: folders without `__init__`, first one first.
    Namespace(Vec<ImagePath>),
}

/// Looks modules up along one `sys.path`.
pub struct Modules<'a> {
    tree: &'a Tree,
    path: Vec<ImagePath>,
    builtin: BTreeSet<String>,
    suffixes: Vec<String>,
    editable: HashMap<String, ImagePath>,
    known: RwLock<HashMap<String, Option<Module>>>,
    /// Folders and the names of what lies in them, the deepest first.
    homes: Vec<(ImagePath, String)>,
    /// The same without the first folders.
    installed: Option<Box<Modules<'a>>>,
}

impl<'a> Modules<'a> {
    /// A resolver for `first` (the script's folder or the working directory),
    /// then the interpreter's own path, then `last` (what packages add).
    pub fn new(tree: &'a Tree, facts: &Facts, first: &[ImagePath], last: &[ImagePath]) -> Self {
        let mut path: Vec<ImagePath> = Vec::new();
        let all = first
            .iter()
            .cloned()
            .chain(facts.path.iter().map(ImagePath::clamped))
            .chain(last.iter().cloned());
        for dir in all {
            let dir = tree.resolve(&dir).path;
            if !path.contains(&dir) {
                path.push(dir);
            }
        }
        let mut suffixes = facts.extension_suffixes.clone();
        suffixes.extend([".py".to_owned(), ".pyc".to_owned()]);
        let mut homes: Vec<(ImagePath, String)> = path
            .iter()
            .map(|dir| (dir.clone(), String::new()))
            .collect();
        let editable: HashMap<String, ImagePath> = facts
            .editable
            .iter()
            .map(|(name, place)| (name.clone(), ImagePath::clamped(place)))
            .collect();
        homes.extend(
            editable
                .iter()
                .map(|(name, place)| (place.clone(), name.clone())),
        );
        // The deepest folder tells the name.
        homes.sort_by_key(|(dir, name)| (std::cmp::Reverse(dir.as_bytes().len()), name.clone()));
        let installed = (!first.is_empty()).then(|| Box::new(Self::new(tree, facts, &[], last)));
        Self {
            installed,
            tree,
            path,
            builtin: facts.builtin.iter().cloned().collect(),
            suffixes,
            editable,
            known: RwLock::default(),
            homes,
        }
    }

    /// Like [`Modules::find`], as if the first folders were not on the path;
    /// `None` where that makes no difference.
    pub fn find_installed(&self, name: &str) -> Option<Module> {
        self.installed.as_ref()?.find(name)
    }

    /// Finds a module by its absolute name.
    pub fn find(&self, name: &str) -> Option<Module> {
        if name.is_empty() || name.len() > 500 || name.split('.').count() > 50 {
            return None;
        }
        if let Ok(known) = self.known.read()
            && let Some(found) = known.get(name)
        {
            return found.clone();
        }
        let found = self.search(name);
        if let Ok(mut known) = self.known.write() {
            known.insert(name.to_owned(), found.clone());
        }
        found
    }

    fn search(&self, name: &str) -> Option<Module> {
        if self.builtin.contains(name) {
            return Some(Module::Builtin);
        }
        match name.rsplit_once('.') {
            None => match self.editable.get(name) {
                Some(place) => self.at(place),
                None => self.along(&self.path, name),
            },
            Some((package, last)) => match self.find(package)? {
                Module::Package { dir, .. } => self.along(&[dir], last),
                Module::Namespace(dirs) => match self.editable.get(name) {
                    Some(place) => self.at(place),
                    None => self.along(&dirs, last),
                },
                Module::Builtin | Module::File(_) => None,
            },
        }
    }

    /// The order of `importlib`'s `FileFinder`: a package, then a module by
    /// suffix, else the folder may be a part of a namespace.
    fn along(&self, dirs: &[ImagePath], name: &str) -> Option<Module> {
        let mut portions = Vec::new();
        for dir in dirs {
            let here = dir.join(name);
            let folder = self
                .tree
                .lookup(&here)
                .is_some_and(|id| self.tree.node(id).is_dir());
            if folder && let Some(init) = self.with_suffix(&here.join("__init__")) {
                return Some(Module::Package { init, dir: here });
            }
            if let Some(file) = self.with_suffix(&here) {
                return Some(Module::File(file));
            }
            if folder {
                portions.push(here);
            }
        }
        (!portions.is_empty()).then_some(Module::Namespace(portions))
    }

    fn with_suffix(&self, stem: &ImagePath) -> Option<FileId> {
        self.suffixes.iter().find_map(|suffix| {
            let path = ImagePath::clamped([stem.as_bytes(), suffix.as_bytes()].concat());
            let id = self.tree.lookup(&path)?;
            let is_file = matches!(self.tree.node(id).kind, NodeKind::File { .. });
            // The name itself, which may be a link to the file.
            is_file.then(|| self.tree.get(&path).unwrap_or(id))
        })
    }

    /// A file or package folder by its place.
    fn at(&self, place: &ImagePath) -> Option<Module> {
        if let Some(init) = self.with_suffix(&place.join("__init__")) {
            return Some(Module::Package {
                init,
                dir: place.clone(),
            });
        }
        let id = self.tree.lookup(place)?;
        let node = self.tree.node(id);
        if node.is_file() {
            return Some(Module::File(id));
        }
        node.is_dir()
            .then(|| Module::Namespace(vec![place.clone()]))
    }

    /// The direct submodules of a package, in order of their names.
    pub fn submodules(&self, package: &str) -> Vec<String> {
        let dirs = match self.find(package) {
            Some(Module::Package { dir, .. }) => vec![dir],
            Some(Module::Namespace(dirs)) => dirs,
            _ => return Vec::new(),
        };
        let mut names = BTreeSet::new();
        for dir in dirs {
            let Some(id) = self.tree.lookup(&dir) else {
                continue;
            };
            for child in self.tree.children(id) {
                let name = self.tree.path(*child).name();
                let Ok(name) = std::str::from_utf8(name) else {
                    continue;
                };
                let stem = self
                    .suffixes
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix.as_str()))
                    .unwrap_or(name);
                // `import_module` takes names that no statement could.
                if !stem.is_empty() && !stem.contains('.') && !stem.starts_with("__") {
                    names.insert(format!("{package}.{stem}"));
                }
            }
        }
        names
            .into_iter()
            .filter(|name| !matches!(self.find(name), None | Some(Module::Namespace(_))))
            .collect()
    }

    /// The name under which a file is imported, and whether it is a package's
    /// `__init__`. `None` for files outside of the path.
    pub fn name_of(&self, file: &ImagePath) -> Option<(String, bool)> {
        for (home, prefix) in &self.homes {
            let Some(rest) = file.strip_prefix(home) else {
                continue;
            };
            let rest = std::str::from_utf8(rest).ok()?;
            let stem = self
                .suffixes
                .iter()
                .find_map(|suffix| rest.strip_suffix(suffix.as_str()))?;
            let mut parts: Vec<&str> = prefix.split('.').filter(|part| !part.is_empty()).collect();
            parts.extend(stem.split('/').filter(|part| !part.is_empty()));
            if parts.iter().any(|part| part.contains('.')) {
                return None;
            }
            let is_package = parts.last() == Some(&"__init__");
            if is_package {
                parts.pop();
            }
            if parts.is_empty() {
                return None;
            }
            return Some((parts.join("."), is_package));
        }
        None
    }

    /// Every module with a dotted name below a package or folder, as
    /// `importlib` would name it.
    pub fn dotted_below(&self, dir: &ImagePath) -> Vec<String> {
        let Some(id) = self.tree.lookup(dir) else {
            return Vec::new();
        };
        self.tree
            .below(id)
            .into_iter()
            .filter_map(|file| self.name_of(self.tree.path(file)))
            .map(|(name, _)| name)
            .filter(|name| name.contains('.'))
            .collect()
    }

    /// The folders that are searched, in order.
    pub fn path(&self) -> &[ImagePath] {
        &self.path
    }
}

/// The absolute name of a relative import; `None` where it climbs too far.
///
/// `level` counts the dots; `home` is the importing module's own name.
pub fn absolute(home: &str, is_package: bool, level: u32, module: &str) -> Option<String> {
    if level == 0 {
        return Some(module.to_owned());
    }
    let mut parts: Vec<&str> = home.split('.').filter(|part| !part.is_empty()).collect();
    let climb = level as usize - usize::from(is_package);
    if climb > parts.len() {
        return None;
    }
    parts.truncate(parts.len() - climb);
    parts.extend(module.split('.').filter(|part| !part.is_empty()));
    (!parts.is_empty()).then(|| parts.join("."))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::reach::python::testing::tree;

    fn facts() -> Facts {
        Facts {
            path: vec!["/lib/python".to_owned(), "/site".to_owned()],
            builtin: vec!["sys".to_owned()],
            extension_suffixes: vec![
                ".cpython-311-x86_64-linux-gnu.so".to_owned(),
                ".so".to_owned(),
            ],
            editable: BTreeMap::from([("ed".to_owned(), "/src/ed".to_owned())]),
            ..Facts::default()
        }
    }

    #[test]
    fn order_and_kinds() {
        let tree = tree(&[
            "lib/python/a.py",
            "lib/python/both/__init__.py",
            "lib/python/both.py",
            "lib/python/ext.py",
            "lib/python/ext.cpython-311-x86_64-linux-gnu.so",
            "lib/python/ns/one.py",
            "site/ns/two.pyc",
            "site/ns/sub/__init__.py",
            "site/a.py",
            "src/ed/__init__.py",
            "src/ed/deep.py",
        ]);
        let modules = Modules::new(&tree, &facts(), &[], &[]);
        let file = |name: &str| match modules.find(name) {
            Some(Module::File(id) | Module::Package { init: id, .. }) => tree.path(id).to_string(),
            other => format!("{other:?}"),
        };
        assert_eq!(modules.find("sys"), Some(Module::Builtin));
        assert_eq!(file("a"), "/lib/python/a.py");
        assert_eq!(file("both"), "/lib/python/both/__init__.py");
        assert_eq!(
            file("ext"),
            "/lib/python/ext.cpython-311-x86_64-linux-gnu.so"
        );
        assert_eq!(file("ns.one"), "/lib/python/ns/one.py");
        assert_eq!(file("ns.two"), "/site/ns/two.pyc");
        assert_eq!(file("ed.deep"), "/src/ed/deep.py");
        assert_eq!(modules.find("a.b"), None);
        assert_eq!(modules.find("nothing"), None);
        assert_eq!(modules.submodules("ns"), ["ns.one", "ns.sub", "ns.two"]);
        assert_eq!(
            modules.name_of(&"site/ns/sub/__init__.py".into()),
            Some(("ns.sub".to_owned(), true))
        );
        assert_eq!(
            modules.name_of(&"src/ed/deep.py".into()),
            Some(("ed.deep".to_owned(), false))
        );
        assert_eq!(modules.name_of(&"etc/x.py".into()), None);
    }

    #[test]
    fn relative_names() {
        assert_eq!(absolute("a.b", true, 1, "c"), Some("a.b.c".to_owned()));
        assert_eq!(absolute("a.b", false, 1, "c"), Some("a.c".to_owned()));
        assert_eq!(absolute("a.b.c", false, 2, ""), Some("a".to_owned()));
        assert_eq!(absolute("a", false, 3, "x"), None);
        assert_eq!(absolute("a", false, 0, "x.y"), Some("x.y".to_owned()));
    }
}
