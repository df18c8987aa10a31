//! Where packages lie, and which of them a production install has.

use std::collections::{BTreeSet, HashMap};

use whit_oci::ImagePath;

use super::manifest::Manifest;
use crate::index::{FileId, Tree};
use crate::source::FatRoot;

/// Where every module is looked for last: npm's global folders, which programs
/// started from there see, and those that Debian's Node adds
/// (`module.globalPaths`).
const GLOBAL: [&str; 6] = [
    "usr/share/nodejs",
    "usr/lib/nodejs",
    "usr/lib/x86_64-linux-gnu/nodejs",
    "usr/lib/aarch64-linux-gnu/nodejs",
    "usr/local/lib/node_modules",
    "usr/lib/node_modules",
];

/// Bytes of a `package.json` that are read.
const MAX_MANIFEST: u64 = 4 << 20;

/// Index of a [`Module`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ModuleId(u32);

/// A package in a `node_modules` folder, or the like.
#[derive(Debug)]
pub(super) struct Module {
    pub folder: ImagePath,
    /// Its `package.json`.
    pub file: FileId,
    pub manifest: Manifest,
    /// Everything in it but other packages.
    pub files: Vec<FileId>,
}

/// A `package.json` of the user.
#[derive(Debug)]
pub(super) struct Project {
    pub folder: ImagePath,
    pub manifest: Manifest,
}

/// Every package of an image.
pub(super) struct Modules<'a> {
    tree: &'a Tree,
    modules: Vec<Module>,
    by_folder: HashMap<FileId, ModuleId>,
    /// By file: the package that it is part of.
    nearest: Vec<Option<ModuleId>>,
    pub projects: Vec<Project>,
    /// `NODE_PATH`, then [`GLOBAL`].
    global: Vec<ImagePath>,
    /// Packages that are installed for a project, but not to run it.
    development: BTreeSet<ModuleId>,
}

impl<'a> Modules<'a> {
    pub fn of(root: &'a FatRoot) -> Self {
        let tree = &root.tree;
        let parse = |file: FileId| -> Option<Manifest> {
            let small = tree.node(file).size() <= MAX_MANIFEST;
            let bytes = std::fs::read(root.content(file).filter(|_| small)?).ok()?;
            Manifest::parse(&bytes)
        };
        let node_path = root
            .config
            .env()
            .into_iter()
            .find(|(name, _)| name == "NODE_PATH");
        let mut global: Vec<ImagePath> = node_path
            .iter()
            .flat_map(|(_, folders)| folders.split(':'))
            .filter(|folder| folder.starts_with('/'))
            .map(ImagePath::clamped)
            .collect();
        global.extend(GLOBAL.map(ImagePath::from));

        let mut modules = Vec::new();
        let mut by_folder = HashMap::new();
        let mut others = Vec::new();
        for (file, node) in tree.iter() {
            if node.path.name() != b"package.json" || !node.is_file() {
                continue;
            }
            let folder = node.path.parent().unwrap_or_default();
            match tree
                .get(&folder)
                .filter(|_| is_package_folder(&folder, &global))
            {
                Some(id) => {
                    by_folder.insert(id, ModuleId(modules.len() as u32));
                    modules.push(Module {
                        folder,
                        file,
                        manifest: parse(file).unwrap_or_default(),
                        files: Vec::new(),
                    });
                }
                None if node.package.is_none() => others.push((folder, file)),
                None => {}
            }
        }
        // Folders come before what they hold.
        let mut nearest: Vec<Option<ModuleId>> = vec![None; tree.len()];
        for (id, node) in tree.iter() {
            let own = by_folder.get(&id).copied();
            let parent = node.path.parent().and_then(|parent| tree.get(&parent));
            let found = own.or_else(|| nearest[parent?.0 as usize]);
            nearest[id.0 as usize] = found;
            if let Some(module) = found {
                modules[module.0 as usize].files.push(id);
            }
        }
        // Inside of a package, a manifest only tells the module system.
        let projects = others
            .into_iter()
            .filter(|(_, file)| nearest[file.0 as usize].is_none())
            .filter_map(|(folder, file)| {
                let manifest = parse(file).filter(|manifest| manifest.declares)?;
                Some(Project { folder, manifest })
            })
            .collect();
        let mut all = Self {
            tree,
            modules,
            by_folder,
            nearest,
            projects,
            global,
            development: BTreeSet::new(),
        };
        all.development = all.not_for_production();
        all
    }

    pub fn get(&self, id: ModuleId) -> &Module {
        &self.modules[id.0 as usize]
    }

    /// The package that a file is part of.
    pub fn around(&self, file: FileId) -> Option<ModuleId> {
        self.nearest[file.0 as usize]
    }

    /// True for a package that is not installed for one project.
    pub fn is_global(&self, id: ModuleId) -> bool {
        let folder = &self.get(id).folder;
        self.global.iter().any(|place| folder.starts_with(place))
    }

    /// True for a package that only development needs.
    pub fn is_development(&self, id: ModuleId) -> bool {
        self.development.contains(&id)
    }

    /// The projects that a file in `folder` is part of, or whose packages it
    /// is among.
    pub fn projects_around(&self, folder: &ImagePath) -> impl Iterator<Item = &Project> {
        let folder = folder.clone();
        self.projects
            .iter()
            .filter(move |project| folder.starts_with(&project.folder))
    }

    /// The package that a name with or without a path in it leads to from
    /// `folder`, as Node looks for it: in `node_modules` of every folder above
    /// (nodejs.org, "Loading from node_modules folders"). The links on the way
    /// are given with it.
    pub fn resolve(&self, folder: &ImagePath, name: &str) -> Option<(Vec<FileId>, ModuleId)> {
        let name = package_name(name)?;
        let here = std::iter::once(folder.clone()).chain(folder.ancestors());
        let local = here
            .filter(|folder| folder.name() != b"node_modules")
            .map(|folder| folder.join("node_modules"));
        for place in local.chain(self.global.iter().cloned()) {
            let found = self.tree.resolve(&place.join(name));
            if let Some(module) = found.file.and_then(|id| self.by_folder.get(&id)) {
                return Some((found.links, *module));
            }
        }
        None
    }

    /// All that `names` lead to from `folder`, and whose names begin so.
    pub fn beginning(&self, folder: &ImagePath, beginning: &str) -> Vec<String> {
        let (scope, rest) = match beginning.split_once('/') {
            Some((scope, rest)) if scope.starts_with('@') => (Some(scope), rest),
            // `x/lib/` names the package itself.
            Some((name, _)) => return vec![name.to_owned()],
            None => (None, beginning),
        };
        let here = std::iter::once(folder.clone()).chain(folder.ancestors());
        let mut names = Vec::new();
        for folder in here {
            let mut place = folder.join("node_modules");
            if let Some(scope) = scope {
                place = place.join(scope);
            }
            let Some(id) = self.tree.lookup(&place) else {
                continue;
            };
            for child in self.tree.children(id) {
                let name = String::from_utf8_lossy(self.tree.path(*child).name());
                if name.starts_with(rest) {
                    names.push(match scope {
                        Some(scope) => format!("{scope}/{name}"),
                        None => name.into_owned(),
                    });
                }
            }
        }
        names
    }

    /// What lies in the `node_modules` folders of projects, but for what their
    /// dependencies lead to: npm and its kin would leave it out of a production
    /// install.
    fn not_for_production(&self) -> BTreeSet<ModuleId> {
        let mut production: BTreeSet<ModuleId> = BTreeSet::new();
        let mut open: Vec<ModuleId> = Vec::new();
        let needs = |folder: &ImagePath, manifest: &Manifest| -> Vec<ModuleId> {
            let names = manifest.required.iter().chain(&manifest.optional);
            names
                .filter_map(|name| Some(self.resolve(folder, name)?.1))
                .collect()
        };
        for project in &self.projects {
            open.extend(needs(&project.folder, &project.manifest));
        }
        while let Some(id) = open.pop() {
            if production.insert(id) {
                let module = self.get(id);
                open.extend(needs(&module.folder, &module.manifest));
            }
        }
        (0..self.modules.len() as u32)
            .map(ModuleId)
            .filter(|id| !production.contains(id))
            .filter(|id| {
                let folder = &self.get(*id).folder;
                let installed_in = outermost(folder);
                !self.is_global(*id)
                    && self
                        .projects
                        .iter()
                        .any(|project| project.folder.starts_with(&installed_in))
            })
            .collect()
    }
}

/// The folder that holds the outermost `node_modules` on the way.
fn outermost(folder: &ImagePath) -> ImagePath {
    let mut above = ImagePath::root();
    for part in folder.components() {
        if part == b"node_modules" {
            break;
        }
        above = above.join(part);
    }
    above
}

/// `FOLDER/NAME` or `FOLDER/@SCOPE/NAME`, where the folder holds packages.
fn is_package_folder(folder: &ImagePath, global: &[ImagePath]) -> bool {
    let mut above = folder.parent().unwrap_or_default();
    if above.name().starts_with(b"@") {
        above = above.parent().unwrap_or_default();
    }
    above.name() == b"node_modules" || global.contains(&above)
}

/// `name` of `name/path`, `@scope/name` of `@scope/name/path`; `None` for what
/// Node has inside.
pub(super) fn package_name(text: &str) -> Option<&str> {
    let slashes = usize::from(text.starts_with('@'));
    let end = text.match_indices('/').nth(slashes).map(|(at, _)| at);
    let name = &text[..end.unwrap_or(text.len())];
    // `buffer` is Node's own, `buffer/` is a package (nodejs.org, "Built-in
    // modules with mandatory node: prefix" and the path rules).
    let is_own = BUILT_IN.contains(&name) && !text[name.len()..].starts_with('/');
    let plausible = name.starts_with('@') == name.contains('/')
        && !name.starts_with(['.', '-', '_'])
        && name != "node_modules"
        && name.len() <= 214;
    (!is_own && plausible && !name.is_empty()).then_some(name)
}

/// `module.builtinModules` of Node 22, those with paths and `_` left out.
const BUILT_IN: [&str; 45] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "sea",
    "sqlite",
    "stream",
    "string_decoder",
    "sys",
    "test",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::root;

    #[test]
    fn names() {
        for (text, name) in [
            ("a", Some("a")),
            ("a/b/c", Some("a")),
            ("@s/a", Some("@s/a")),
            ("@s/a/b", Some("@s/a")),
            ("@s", None),
            ("buffer", None),
            ("buffer/", Some("buffer")),
            ("", None),
            ("./a", None),
        ] {
            assert_eq!(package_name(text), name, "{text}");
        }
    }

    #[test]
    fn nearest_first_through_links() {
        let test = root(
            &[
                "app/node_modules/a/package.json = {\"name\": \"a\"}",
                "app/node_modules/b/package.json = {\"name\": \"b\"}",
                "app/node_modules/b/node_modules/a/package.json = {\"name\": \"a\"}",
                "app/node_modules/p -> .pnpm/p@1/node_modules/p",
                "app/node_modules/.pnpm/p@1/node_modules/p/package.json = {\"name\": \"p\"}",
                "app/node_modules/.pnpm/p@1/node_modules/q/package.json = {\"name\": \"q\"}",
            ],
            &[],
        );
        let modules = Modules::of(&test.root);
        let find = |from: &str, name: &str| {
            let (links, id) = modules.resolve(&from.into(), name)?;
            Some((links.len(), modules.get(id).folder.to_string()))
        };
        assert_eq!(
            find("app/src", "a/x"),
            Some((0, "/app/node_modules/a".into()))
        );
        let nested = "/app/node_modules/b/node_modules/a";
        assert_eq!(
            find("app/node_modules/b/lib", "a"),
            Some((0, nested.into()))
        );
        let stored = "/app/node_modules/.pnpm/p@1/node_modules/p";
        assert_eq!(find("app", "p"), Some((1, stored.into())));
        assert!(find(&stored[1..], "q").is_some());
        assert_eq!(find("app", "q"), None);
    }

    #[test]
    fn production_and_development() {
        let test = root(
            &[
                "app/package.json = {\"dependencies\": {\"a\": \"1\"}, \"devDependencies\": {\"d\": \"1\"}}",
                "app/node_modules/a/package.json = {\"peerDependencies\": {\"b\": \"1\"}}",
                "app/node_modules/b/package.json = {}",
                "app/node_modules/d/package.json = {}",
                "usr/local/lib/node_modules/npm/package.json = {\"name\": \"npm\"}",
            ],
            &[],
        );
        let modules = Modules::of(&test.root);
        let development: Vec<String> = modules
            .development
            .iter()
            .map(|id| modules.get(*id).folder.to_string())
            .collect();
        assert_eq!(development, ["/app/node_modules/d"]);
    }
}
