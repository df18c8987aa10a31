//! From what source says to modules and files of the image.

use whit_oci::ImagePath;

use super::closure::{Origin, Python, own_package};
use super::imports::{Imports, Target, is_dotted};
use super::modules::{Module, absolute};
use super::rules;
use crate::index::FileId;
use crate::reach::How;

/// One thing that a reference asks for.
pub enum Wish {
    Module(String, How),
    /// A module that is run as a program.
    Main(String, How),
    File(FileId, How),
    /// All public names of a module are taken.
    Star(String),
    /// A package that is named by a string: code that knows it by name only
    /// may look for more in it.
    Named(String),
    /// What such code looks for.
    Suffix {
        path: String,
        below: bool,
    },
}

/// Resolves the references of one module.
pub struct Resolver<'p, 'a> {
    pub python: &'p Python<'a>,
    /// The module's own name; empty for scripts.
    pub home: &'p str,
    pub is_package: bool,
    pub origin: Origin,
}

impl Resolver<'_, '_> {
    /// Everything that a reference asks for and the image has.
    pub fn wishes(&self, target: &Target) -> Vec<Wish> {
        match target {
            Target::Import {
                module,
                level,
                names,
                star,
            } => self.import(module, *level, names, *star),
            Target::Dynamic(text) => self.dynamic(text),
            Target::Below(package) => {
                let package = if package.is_empty() {
                    own_package(self.home, self.is_package)
                } else {
                    package
                };
                self.python
                    .modules
                    .submodules(package)
                    .into_iter()
                    .filter(|module| !self.lacks_driver(module))
                    .flat_map(|module| {
                        let how = How::Import(module.clone());
                        [Wish::Named(module.clone()), Wish::Module(module, how)]
                    })
                    .collect()
            }
            Target::Suffix { path, .. }
                if rules::TEST_HOOKS
                    .iter()
                    .any(|(package, hook)| self.home.starts_with(package) && path == hook) =>
            {
                Vec::new()
            }
            Target::Suffix { path, below } => vec![Wish::Suffix {
                path: path.clone(),
                below: *below,
            }],
            Target::Text(text) => self.text(text),
            Target::Sibling(word) => self.sibling(word),
            Target::Main(module) => self.main(module),
            Target::Command(argv) => self.command(argv),
            Target::Shell(line) => self.shell(line),
            // A library that asks whether a program is there works without it.
            Target::Which(program) if self.origin == Origin::User => {
                self.command(std::slice::from_ref(program))
            }
            Target::Which(_) => Vec::new(),
            Target::Metadata(name) => self.metadata(name),
            Target::Library { name, search } => self.library(name, *search),
            Target::EntryPoints(group) => self.entry_points(group),
        }
    }

    /// True if an import finds all of its modules.
    pub fn resolves(&self, target: &Target) -> bool {
        match target {
            Target::Import { module, level, .. } => {
                absolute(self.home, self.is_package, *level, module)
                    .is_some_and(|module| self.python.modules.find(&module).is_some())
            }
            _ => false,
        }
    }

    fn import(&self, module: &str, level: u32, names: &[String], star: bool) -> Vec<Wish> {
        let Some(base) = absolute(self.home, self.is_package, level, module) else {
            return Vec::new();
        };
        let mut wishes = vec![Wish::Module(base.clone(), How::Import(base.clone()))];
        if let Some((_, moved)) = base.split_once("six.moves") {
            let moved = moved.trim_start_matches('.');
            for name in names.iter().map(String::as_str).chain([""]) {
                let whole = format!("{moved}.{name}");
                let whole = whole.trim_matches('.');
                if !whole.is_empty() {
                    let real = rules::six_move(whole);
                    wishes.push(Wish::Module(real.clone(), How::Import(real)));
                }
            }
            return wishes;
        }
        if star {
            wishes.push(Wish::Star(base.clone()));
        }
        for name in names {
            let whole = format!("{base}.{name}");
            if self.python.modules.find(&whole).is_some() {
                wishes.push(Wish::Module(whole.clone(), How::Import(whole)));
            }
        }
        wishes
    }

    /// A string that is imported for certain: relative, dotted, with an
    /// attribute behind a colon or a dot.
    fn dynamic(&self, text: &str) -> Vec<Wish> {
        let (path, attribute) = text.split_once(':').unwrap_or((text, ""));
        let dots = path.len() - path.trim_start_matches('.').len();
        if let Some((_, moved)) = path.split_once("six.moves.") {
            let real = rules::six_move(moved);
            return vec![Wish::Module(real.clone(), How::Import(real))];
        }
        let mut candidates = Vec::new();
        if dots > 0 {
            let rest = &path[dots..];
            // `package` may be `__name__` or `__package__`.
            for is_package in [self.is_package, true] {
                candidates.extend(absolute(self.home, is_package, dots as u32, rest));
            }
        } else {
            candidates.push(path.to_owned());
        }
        let mut wishes = Vec::new();
        candidates.retain(|candidate| !self.lacks_driver(candidate));
        for candidate in candidates {
            let mut name = candidate.as_str();
            // The longest part that is a module; the rest are attributes.
            loop {
                if self.python.modules.find(name).is_some() {
                    wishes.push(Wish::Module(name.to_owned(), How::Named(text.to_owned())));
                    break;
                }
                match name.rsplit_once('.') {
                    Some((shorter, _)) => name = shorter,
                    None => break,
                }
            }
            let deeper = format!("{candidate}.{attribute}");
            if !attribute.is_empty() && self.python.modules.find(&deeper).is_some() {
                wishes.push(Wish::Module(deeper, How::Named(text.to_owned())));
            }
        }
        wishes
    }

    /// A string that may name a module: it counts only if the module, and the
    /// attribute behind it, exist.
    fn text(&self, text: &str) -> Vec<Wish> {
        // `six` names half of the standard library.
        if self.home == "six" || self.home.ends_with(".six") {
            return Vec::new();
        }
        let mut wishes = self.entry_points(text);
        if self.lacks_driver(text) {
            return wishes;
        }
        let how = || How::Named(text.to_owned());
        let (path, attribute) = match text.split_once(':') {
            Some((path, attribute)) => (path, Some(attribute)),
            None => (text, None),
        };
        let modules = &self.python.modules;
        if let Some(found) = modules.find(path) {
            // A mere folder of that name is no evidence.
            if !matches!(found, Module::Namespace(_)) {
                wishes.push(Wish::Module(path.to_owned(), how()));
            }
            if matches!(found, Module::Package { .. }) {
                wishes.push(Wish::Named(path.to_owned()));
                // The app hands the package to a framework, which finds what
                // is in it by names of its own (Django's applications).
                if self.origin == Origin::User {
                    wishes.extend(self.whole(path, text));
                }
            }
        } else if attribute.is_none()
            && let Some((module, last)) = path.rsplit_once('.')
        {
            // `a.b.C`, or `a.b.C.method`.
            for (module, name) in [Some((module, last)), module.rsplit_once('.')]
                .into_iter()
                .flatten()
            {
                if module.contains('.') && self.binds(module, name) {
                    wishes.push(Wish::Module(module.to_owned(), how()));
                    break;
                }
            }
        }
        wishes
    }

    /// Every module of a package but its tests.
    fn whole(&self, package: &str, text: &str) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut open = vec![package.to_owned()];
        while let Some(package) = open.pop() {
            for module in self.python.modules.submodules(&package) {
                let last = module.rsplit('.').next().unwrap_or_default();
                if matches!(last, "tests" | "test" | "conftest") {
                    continue;
                }
                open.push(module.clone());
                wishes.push(Wish::Module(module, How::Named(text.to_owned())));
            }
        }
        wishes
    }

    /// True for an optional part of the package that asks, where nothing that
    /// it needs is installed.
    fn lacks_driver(&self, module: &str) -> bool {
        rules::OPTIONAL.iter().any(|optional| {
            self.home.starts_with(optional.package)
                && module.starts_with(optional.module)
                && !optional
                    .needs
                    .iter()
                    .any(|driver| self.python.modules.find(driver).is_some())
        })
    }

    /// Whether a module binds a name at its top level, as far as can be seen.
    fn binds(&self, module: &str, name: &str) -> bool {
        let Some(Module::File(id) | Module::Package { init: id, .. }) =
            self.python.modules.find(module)
        else {
            return false;
        };
        if self.python.tree.path(id).extension() != Some(b"py") {
            return true;
        }
        (self.python.read)(id).is_some_and(|bytes| {
            Imports::of(&bytes, self.python.facts.platform())
                .bindings
                .contains(name)
        })
    }

    fn sibling(&self, word: &str) -> Vec<Wish> {
        if self.home.is_empty() {
            return Vec::new();
        }
        let dots = word.len() - word.trim_start_matches('.').len();
        let rest = &word[dots..];
        absolute(self.home, self.is_package, (dots as u32).max(1), rest)
            .filter(|module| {
                module != self.home
                    && !matches!(
                        self.python.modules.find(module),
                        None | Some(Module::Namespace(_))
                    )
            })
            .map(|module| Wish::Module(module.clone(), How::Import(module)))
            .into_iter()
            .collect()
    }

    fn main(&self, module: &str) -> Vec<Wish> {
        let how = How::Named(format!("-m {module}"));
        match self.python.modules.find(module) {
            Some(Module::File(_)) => vec![Wish::Main(module.to_owned(), how)],
            Some(_) => vec![Wish::Main(format!("{module}.__main__"), how)],
            None => Vec::new(),
        }
    }

    fn command(&self, argv: &[String]) -> Vec<Wish> {
        argv.first()
            .and_then(|program| self.program(program))
            .map(|id| Wish::File(id, How::Runs(argv.join(" "))))
            .into_iter()
            .collect()
    }

    /// A line for `/bin/sh`: the shell, and the words where commands stand.
    fn shell(&self, line: &str) -> Vec<Wish> {
        let mut wishes = Vec::new();
        if let Some(id) = self
            .python
            .tree
            .get(&ImagePath::from("bin/sh"))
            .or_else(|| self.python.tree.lookup(&ImagePath::from("bin/sh")))
        {
            wishes.push(Wish::File(id, How::Runs(format!("sh -c {line}"))));
        }
        for part in line.split(['|', ';', '&', '\n', '(', ')', '`']) {
            let word = part.split_whitespace().find(|word| {
                !word.contains('=')
                    && !matches!(
                        *word,
                        "if" | "then" | "while" | "do" | "else" | "!" | "exec" | "time"
                    )
            });
            if let Some(id) = word.and_then(|word| self.program(word)) {
                wishes.push(Wish::File(id, How::Runs(line.to_owned())));
            }
        }
        wishes
    }

    /// A program as `execvp` finds it; a link is given as the link.
    fn program(&self, name: &str) -> Option<FileId> {
        let tree = self.python.tree;
        // Libraries ask compilers how they themselves were built, or build
        // more of themselves on a developer's machine.
        let tool = name.rsplit('/').next().unwrap_or_default();
        if self.origin != Origin::User && rules::BUILD_TOOLS.contains(&tool) {
            return None;
        }
        let at = |path: ImagePath| {
            let id = tree.lookup(&path)?;
            tree.node(id)
                .is_executable()
                .then(|| tree.get(&path).unwrap_or(id))
        };
        if name.is_empty() || name.len() > 4_096 {
            return None;
        }
        if name.contains('/') {
            return name
                .starts_with('/')
                .then(|| at(ImagePath::clamped(name)))
                .flatten();
        }
        self.python
            .setting
            .search
            .iter()
            .find_map(|dir| at(dir.join(name)))
    }

    fn library(&self, name: &str, search: bool) -> Vec<Wish> {
        let tree = self.python.tree;
        let how = || How::Dlopen(name.to_owned());
        let mut wishes = Vec::new();
        if name.contains('/') {
            wishes.extend(
                tree.lookup(&ImagePath::clamped(name))
                    .filter(|_| name.starts_with('/'))
                    .map(|id| Wish::File(id, how())),
            );
            return wishes;
        }
        if search {
            // `find_library("x")` asks ldconfig for libx.so.*.
            let start = format!("lib{name}.so");
            for dir in &self.python.setting.libraries {
                for id in tree
                    .lookup(dir)
                    .map(|id| tree.children(id))
                    .unwrap_or_default()
                {
                    if tree.path(*id).name().starts_with(start.as_bytes()) {
                        wishes.push(Wish::File(*id, how()));
                    }
                }
            }
            if !wishes.is_empty() {
                for place in ["sbin/ldconfig", "etc/ld.so.cache"] {
                    wishes.extend(
                        tree.lookup(&ImagePath::from(place))
                            .map(|id| Wish::File(id, How::Runs("ldconfig -p".to_owned()))),
                    );
                }
            }
            return wishes;
        }
        wishes.extend(
            self.python
                .setting
                .libraries
                .iter()
                .find_map(|dir| {
                    let path = dir.join(name);
                    tree.lookup(&path).map(|id| tree.get(&path).unwrap_or(id))
                })
                .map(|id| Wish::File(id, how())),
        );
        wishes
    }

    fn metadata(&self, name: &str) -> Vec<Wish> {
        let site = ImagePath::root();
        let Some(id) = self.python.distributions.named(name, &site) else {
            return Vec::new();
        };
        let distribution = self.python.distributions.get(id);
        distribution
            .metadata
            .map(|id| Wish::File(id, How::PackageMetadata(distribution.name.clone())))
            .into_iter()
            .collect()
    }

    fn entry_points(&self, group: &str) -> Vec<Wish> {
        // Every distribution has these; nobody loads them by group.
        if matches!(group, "console_scripts" | "gui_scripts") {
            return Vec::new();
        }
        let mut wishes = Vec::new();
        for (_, distribution) in self.python.distributions.iter() {
            let Some(entries) = distribution.entry_points.get(group) else {
                continue;
            };
            for target in entries.values() {
                let module = target.split(':').next().unwrap_or_default().trim();
                if is_dotted(module) && self.python.modules.find(module).is_some() {
                    wishes.push(Wish::Module(
                        module.to_owned(),
                        How::Named(format!("entry point group {group}")),
                    ));
                }
            }
        }
        wishes
    }
}
