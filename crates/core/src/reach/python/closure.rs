//! From files to everything that they can import, with the memory that this
//! takes: functions wait for their names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, OnceLock};

use rayon::prelude::*;
use whit_oci::ImagePath;

use super::distributions::{DistributionId, Distributions, Read};
use super::facts::Facts;
use super::imports::{Gate, Imports, Reference, Target, is_dotted};
use super::modules::{Module, Modules};
use super::names::{Names, Sleeper};
use super::packages::vendored;
use super::resolve::{Resolver, Wish};
use super::rules::{self, HIDDEN};
use super::setting::Setting;
use super::startup;
use super::surroundings;
use super::walk::is_common;
use crate::index::{FileId, Tree};
use crate::reach::{Analyzer, Found, How};

/// Whose code a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Standard,
    Library(DistributionId),
    /// In a site folder, but of no known distribution.
    Stray,
    User,
}

/// Follows Python's imports. See [`Analyzer`]; the closure inside is computed
/// once for all files and shared by all calls.
pub struct Python<'a> {
    pub(super) tree: &'a Tree,
    pub(super) read: &'a Read<'a>,
    pub(super) facts: &'a Facts,
    pub(super) setting: Setting,
    pub(super) distributions: Distributions,
    pub(super) modules: Modules<'a>,
    pub(super) stdlib: ImagePath,
    pub(super) sites: Vec<ImagePath>,
    /// The dotted modules of the standard library, once asked for.
    pub(super) standard_dotted: OnceLock<Vec<String>>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    units: HashMap<FileId, Unit>,
    pub(super) names: Names,
    edges: BTreeMap<FileId, Vec<(FileId, How)>>,
    known: HashSet<(FileId, FileId)>,
    warnings: BTreeMap<FileId, Vec<String>>,
    queue: Vec<FileId>,
    queued: HashSet<FileId>,
    /// Files that were handed out by `follow`, and edges found for them later.
    asked: HashSet<FileId>,
    late: Vec<(FileId, How)>,
    builtins: HashSet<String>,
    pub(super) distributions: HashSet<DistributionId>,
    pub(super) tops: HashSet<(DistributionId, String)>,
    mains: HashSet<FileId>,
    stars: HashMap<FileId, Vec<FileId>>,
    /// Packages named by strings, and what is looked for in such.
    named: BTreeSet<String>,
    suffixes: BTreeSet<(String, bool)>,
    /// Distributions with such files.
    self_readers: HashSet<DistributionId>,
}

/// A file that was read.
struct Unit {
    imports: Imports,
    name: Option<(String, bool)>,
    origin: Origin,
    live: Vec<bool>,
    references: Vec<Vec<usize>>,
    children: Vec<Vec<u32>>,
}

/// What reading one file gives, before it is put into the state.
pub(super) enum Reading {
    Source(Box<Imports>),
    /// What its strings tell, and its glued text.
    Extension(Box<Imports>, Vec<u8>),
    Interpreter,
    Other,
}

impl<'a> Python<'a> {
    pub fn new(
        tree: &'a Tree,
        read: &'a Read<'a>,
        facts: &'a Facts,
        setting: Setting,
        distributions: Distributions,
    ) -> Self {
        let vendored = vendored(tree, read);
        let modules = Modules::new(tree, facts, &setting.first, &vendored);
        let real = |path: &String| tree.resolve(&ImagePath::clamped(path)).path;
        let stdlib = real(&facts.stdlib);
        let mut sites: Vec<ImagePath> = facts.sites.iter().map(real).collect();
        sites.extend(distributions.iter().map(|(_, d)| d.site.clone()));
        sites.sort();
        sites.dedup();
        let mut state = State::default();
        state.mains.extend(setting.mains());
        for name in rules::CALLED_BY_C {
            state.names.mention(name, FileId(u32::MAX));
        }
        Self {
            tree,
            read,
            facts,
            setting,
            distributions,
            modules,
            stdlib,
            sites,
            standard_dotted: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// Computes what these files reach, before anyone asks. Optional; but with
    /// all roots given here first, the causes in the graph do not depend on
    /// the order of calls to `follow`.
    pub fn close(&self, roots: &[FileId]) {
        let mut state = self.state();
        for root in roots {
            state.enqueue(*root);
        }
        self.run(&mut state);
    }

    /// Modules inside of the interpreter that the closure so far imports.
    pub fn builtins(&self) -> BTreeSet<String> {
        self.state().builtins.iter().cloned().collect()
    }

    /// What the command itself makes necessary: the interpreter, scripts,
    /// modules run by `-m`, and modules that its words name.
    pub fn roots(&self) -> Vec<(FileId, How)> {
        let mut roots: Vec<(FileId, How)> = Vec::new();
        let setting = &self.setting;
        roots.extend(setting.interpreter.map(|id| (id, How::Command)));
        let resolver = Resolver {
            python: self,
            home: "",
            is_package: false,
            origin: Origin::User,
        };
        let named = |word: &String| {
            // `--app=pkg.mod:app`, `DJANGO_SETTINGS_MODULE=pkg.settings`
            let word = word.rsplit('=').next().unwrap_or_default();
            let name = word.split(':').next().unwrap_or_default();
            let is_module =
                is_dotted(name) && self.modules.find(name).is_none_or(|m| self.is_code(&m));
            match is_module {
                true => resolver.wishes(&Target::Dynamic(word.to_owned())),
                false => Vec::new(),
            }
        };
        let mut wishes: Vec<(&How, Wish)> = Vec::new();
        for start in &setting.starts {
            roots.extend(start.mains.iter().map(|id| (*id, start.how.clone())));
            let modules = start.modules.iter();
            let modules = modules.flat_map(|name| resolver.wishes(&Target::Main(name.clone())));
            let words = start.words.iter().flat_map(&named);
            wishes.extend(modules.chain(words).map(|wish| (&start.how, wish)));
        }
        let environment = setting.words.iter().flat_map(&named);
        wishes.extend(environment.map(|wish| (&How::Command, wish)));
        let mut state = self.state();
        for (start, wish) in wishes {
            // Of the image's own command the word itself is told.
            let cause = |how: How| match start {
                How::Entry(_) => start.clone(),
                _ => how,
            };
            match wish {
                Wish::Main(module, _) => {
                    if let Some(id) = self.modules.find(&module).and_then(|m| file_of(&m)) {
                        state.mains.insert(id);
                    }
                    roots.extend(self.files_of(&module).map(|id| (id, start.clone())));
                }
                Wish::Module(module, how) => {
                    let how = cause(how);
                    roots.extend(self.files_of(&module).map(|id| (id, how.clone())));
                }
                Wish::File(id, how) => roots.push((id, cause(how))),
                Wish::Star(_) | Wish::Named(_) | Wish::Suffix { .. } => {}
            }
        }
        roots
    }

    /// True for what the image is started with.
    fn is_started(&self, file: FileId) -> bool {
        self.setting.mains().any(|main| main == file)
    }

    /// A word such as `test` or `run` names a module of the standard library
    /// by chance.
    fn is_code(&self, module: &Module) -> bool {
        file_of(module).is_some_and(|id| self.origin(id) != Origin::Standard)
    }

    /// The files of a module and of the packages around it.
    fn files_of<'m>(&'m self, module: &'m str) -> impl Iterator<Item = FileId> + 'm {
        ends(module).filter_map(|end| file_of(&self.modules.find(&module[..end])?))
    }

    /// The module name of every Python file reached so far.
    pub fn reached(&self) -> BTreeMap<FileId, Option<String>> {
        self.state()
            .units
            .iter()
            .map(|(id, unit)| (*id, unit.name.as_ref().map(|(name, _)| name.clone())))
            .collect()
    }

    /// Whose code a file is.
    pub fn origin(&self, file: FileId) -> Origin {
        if let Some(id) = self.distributions.owner(file) {
            return Origin::Library(id);
        }
        let path = self.tree.path(file);
        if self.sites.iter().any(|site| path.starts_with(site)) {
            Origin::Stray
        } else if path.starts_with(&self.stdlib) {
            Origin::Standard
        } else {
            Origin::User
        }
    }

    pub fn distributions(&self) -> &Distributions {
        &self.distributions
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Works until nothing is left to read. Reading is parallel, what is read
    /// is taken in in the order of the queue.
    fn run(&self, state: &mut State) {
        loop {
            if state.queue.is_empty() {
                let woken = state.names.unglue();
                self.wake(state, woken);
            }
            if state.queue.is_empty() {
                return;
            }
            let batch = std::mem::take(&mut state.queue);
            let read: Vec<Reading> = batch.par_iter().map(|file| self.read_one(*file)).collect();
            for (file, read) in batch.into_iter().zip(read) {
                self.take_in(state, file, read);
            }
        }
    }

    fn read_one(&self, file: FileId) -> Reading {
        if self.setting.interpreter == Some(file) {
            return Reading::Interpreter;
        }
        let node = self.tree.node(file);
        if !node.is_file() {
            return Reading::Other;
        }
        match node.path.extension() {
            Some(b"py" | b"pyw") => {}
            Some(b"so") => {
                return self.read_extension(file);
            }
            Some(b"pyc") if !node.path.components().any(|part| part == b"__pycache__") => {
                let platform = self.facts.platform();
                return match (self.read)(file) {
                    Some(bytes) => {
                        Reading::Source(Box::new(Imports::of_bytecode(&bytes, platform)))
                    }
                    None => Reading::Other,
                };
            }
            Some(b"pth") => {
                return match (self.read)(file) {
                    Some(bytes) => Reading::Source(Box::new(startup::pth(&bytes, self.facts))),
                    None => Reading::Other,
                };
            }
            _ if self.is_started(file) => {}
            _ if node.meta.mode & 0o111 != 0 && node.size() < 1 << 20 => {}
            _ => return Reading::Other,
        }
        let Some(bytes) = (self.read)(file) else {
            return Reading::Other;
        };
        let is_script = |bytes: &[u8]| {
            let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
            line.starts_with(b"#!") && memchr::memmem::find(line, b"python").is_some()
        };
        if node.path.extension() == Some(b"py")
            || node.path.extension() == Some(b"pyw")
            || self.is_started(file)
            || is_script(&bytes)
        {
            Reading::Source(Box::new(Imports::of(&bytes, self.facts.platform())))
        } else {
            Reading::Other
        }
    }

    fn take_in(&self, state: &mut State, file: FileId, read: Reading) {
        let origin = self.origin(file);
        let name = self.modules.name_of(self.tree.path(file));
        let mut woken = Vec::new();
        let imports = match read {
            Reading::Other => return,
            Reading::Interpreter => {
                for (to, how) in startup::edges(self) {
                    state.edge(file, to, how);
                }
                woken.extend(self.hidden(state, file, ""));
                Imports::default()
            }
            Reading::Source(imports) => *imports,
            Reading::Extension(imports, glued) => {
                state.names.glue(glued);
                *imports
            }
        };
        if imports.broken && origin == Origin::User {
            state.warnings.entry(file).or_default().push(format!(
                "{} has syntax errors; imports in it may be unseen",
                self.tree.path(file)
            ));
        }
        if imports.reads_source
            && let Origin::Library(id) = origin
            && state.self_readers.insert(id)
        {
            woken.extend(state.scopes_behind(&Gate::TypeChecking, |unit| unit.origin == origin));
        }
        if let Some((name, _)) = &name {
            for (to, how) in surroundings::files(self, name) {
                state.edge(file, to, how);
            }
            woken.extend(self.hidden(state, file, name));
        }
        if let Origin::Library(id) = origin {
            woken.extend(self.distribution(state, file, id));
        }
        let scopes = imports.scopes.len();
        let mut references = vec![Vec::new(); scopes];
        for (i, reference) in imports.references.iter().enumerate() {
            if let Some(list) = references.get_mut(reference.scope as usize) {
                list.push(i);
            }
        }
        let mut children = vec![Vec::new(); scopes];
        for (i, scope) in imports.scopes.iter().enumerate() {
            if let Some(list) = scope.parent.and_then(|p| children.get_mut(p as usize)) {
                list.push(i as u32);
            }
        }
        if imports.scans_siblings
            && origin != Origin::Standard
            && let Some((name, is_package)) = &name
        {
            let package = own_package(name, *is_package);
            for module in self.modules.submodules(package) {
                woken.extend(self.link(state, file, &module, &How::Import(module.clone())));
            }
        }
        let exports: Vec<Box<str>> = imports.exports.iter().cloned().collect();
        state.units.insert(
            file,
            Unit {
                live: vec![false; scopes],
                imports,
                name,
                origin,
                references,
                children,
            },
        );
        for by in state.stars.remove(&file).unwrap_or_default() {
            for name in &exports {
                woken.extend(state.names.star(name, by));
            }
        }
        if scopes > 0 {
            woken.push(Sleeper::Scope { file, scope: 0 });
        }
        self.wake(state, woken);
    }

    fn wake(&self, state: &mut State, mut woken: Vec<Sleeper>) {
        while let Some(sleeper) = woken.pop() {
            match sleeper {
                Sleeper::Scope { file, scope } => woken.extend(self.open(state, file, scope)),
                Sleeper::Hidden { file, row } => {
                    let module = HIDDEN[row].imports;
                    woken.extend(self.link(state, file, module, &How::Import(module.to_owned())));
                }
                Sleeper::Cut { file, reference } => {
                    woken.extend(self.load(state, file, reference));
                }
                Sleeper::Zones { file } => self.shadowed_zones(state, file),
            }
        }
    }

    /// Code that can run now: what it loads, names and contains.
    fn open(&self, state: &mut State, file: FileId, scope: u32) -> Vec<Sleeper> {
        let Some(unit) = state.units.get_mut(&file) else {
            return Vec::new();
        };
        let at = scope as usize;
        if std::mem::replace(&mut unit.live[at], true) {
            return Vec::new();
        }
        let code = std::mem::take(&mut unit.imports.scopes[at]);
        let references = std::mem::take(&mut unit.references[at]);
        let children = std::mem::take(&mut unit.children[at]);
        let origin = unit.origin;
        let home = unit
            .name
            .as_ref()
            .map_or_else(String::new, |(name, _)| name.clone());
        let gated = origin == Origin::Standard
            && !unit
                .name
                .as_ref()
                .is_some_and(|(name, _)| rules::ALL_LIVE.contains(&name.as_str()));
        let gates: Vec<Gate> = children
            .iter()
            .map(|child| unit.imports.scopes[*child as usize].gate.clone())
            .collect();

        let mut woken = Vec::new();
        let is_zoneinfo = home.split('.').next() == Some("zoneinfo");
        for name in &code.mentions {
            // Where it is offered, it is not chosen.
            if is_zoneinfo && rules::CHOOSES_ZONES.contains(&&**name) {
                continue;
            }
            woken.extend(match name.strip_prefix('.') {
                Some(own) => state.names.mention(&format!("{home}.{own}"), file),
                None => state.names.mention(name, file),
            });
        }
        for prefix in &code.prefixes {
            woken.extend(state.names.prefix(prefix));
        }
        for suffix in &code.suffixes {
            woken.extend(state.names.suffix(suffix));
        }
        for reference in references {
            woken.extend(self.load(state, file, reference));
        }
        for (child, gate) in children.into_iter().zip(gates) {
            let sleeper = Sleeper::Scope { file, scope: child };
            let open = match gate {
                Gate::Open => true,
                Gate::Named(_) if !gated => true,
                Gate::Named(name) if is_common(&name) => {
                    state.names.wait(&format!("{home}.{name}"), sleeper)
                }
                Gate::Named(name) => state.names.wait(&name, sleeper),
                Gate::NamedElsewhere(names) => names
                    .iter()
                    .any(|name| state.names.wait_elsewhere(name, file, sleeper)),
                Gate::Main => origin == Origin::User || state.mains.contains(&file),
                Gate::TypeChecking => match origin {
                    Origin::Library(id) => state.self_readers.contains(&id),
                    _ => false,
                },
            };
            if open {
                woken.push(sleeper);
            }
        }
        woken
    }

    /// Follows one reference.
    fn load(&self, state: &mut State, file: FileId, index: usize) -> Vec<Sleeper> {
        let Some(unit) = state.units.get(&file) else {
            return Vec::new();
        };
        let reference: Reference = unit.imports.references[index].clone();
        let origin = unit.origin;
        let (home, is_package) = unit.name.clone().unwrap_or_default();
        let resolver = Resolver {
            python: self,
            home: &home,
            is_package,
            origin,
        };
        if origin == Origin::Standard {
            // Only imports count in the standard library: its strings name
            // the whole of it (`_compat_pickle`), its commands are fallbacks.
            if !matches!(
                reference.target,
                Target::Import { .. } | Target::Dynamic(_) | Target::Below(_)
            ) {
                return Vec::new();
            }
            // `try: import _x` of something that is there never fails.
            if let Some(attempt) = reference.fallback_of
                && unit.imports.attempts[attempt as usize]
                    .iter()
                    .all(|tried| resolver.resolves(&unit.imports.references[*tried].target))
            {
                return Vec::new();
            }
        }
        let mut woken = Vec::new();
        for wish in resolver.wishes(&reference.target) {
            match wish {
                Wish::Module(module, how) => {
                    if home == rules::SETUPTOOLS_HOOK
                        && (self.is_installer(&module)
                            || module.split('.').next() == Some("distutils"))
                    {
                        continue;
                    }
                    if reference.sheltered
                        && origin != Origin::User
                        && self.is_installer(&module)
                        && !self.is_installer(&home)
                    {
                        continue;
                    }
                    // Helpers of CPython's own tests.
                    if origin == Origin::Standard
                        && module.split('.').next() == Some("test")
                        && home.split('.').next() != Some("test")
                    {
                        continue;
                    }
                    if origin == Origin::Standard
                        && let Some(cut) = rules::CUTS
                            .iter()
                            .find(|cut| cut.from == home && cut.to == module)
                        && (cut.unless.is_empty()
                            || !state.names.wait(
                                cut.unless,
                                Sleeper::Cut {
                                    file,
                                    reference: index,
                                },
                            ))
                    {
                        continue;
                    }
                    woken.extend(self.link(state, file, &module, &how));
                }
                Wish::Main(module, how) => {
                    woken.extend(self.link(state, file, &module, &how));
                    if let Some(id) = self.modules.find(&module).and_then(|m| file_of(&m)) {
                        state.mains.insert(id);
                        if let Some(unit) = state.units.get(&id) {
                            let name = unit.name.clone();
                            woken
                                .extend(state.scopes_behind(&Gate::Main, |unit| unit.name == name));
                        }
                    }
                }
                Wish::File(to, how) => state.edge(file, to, how),
                Wish::Named(package) => {
                    if state.named.insert(package.clone()) {
                        for (path, below) in state.suffixes.clone() {
                            woken.extend(self.combine(state, file, &package, &path, below));
                        }
                    }
                }
                Wish::Suffix { path, below } => {
                    if state.suffixes.insert((path.clone(), below)) {
                        for package in state.named.clone() {
                            woken.extend(self.combine(state, file, &package, &path, below));
                        }
                    }
                }
                Wish::Star(module) => {
                    if let Some(id) = self.modules.find(&module).and_then(|m| file_of(&m)) {
                        match state.units.get(&id) {
                            Some(unit) => {
                                let exports: Vec<_> =
                                    unit.imports.exports.iter().cloned().collect();
                                for name in exports {
                                    woken.extend(state.names.star(&name, file));
                                }
                            }
                            None => state.stars.entry(id).or_default().push(file),
                        }
                    }
                }
            }
        }
        woken
    }

    /// A package known by name, and what code looks for in such packages.
    fn combine(
        &self,
        state: &mut State,
        from: FileId,
        package: &str,
        path: &str,
        below: bool,
    ) -> Vec<Sleeper> {
        let whole = format!("{package}.{path}");
        let mut modules = Vec::new();
        if below {
            modules = self.modules.submodules(&whole);
        } else if let Some(module) = self.modules.find(&whole)
            && file_of(&module).is_some()
        {
            modules.push(whole);
        }
        let mut woken = Vec::new();
        for module in modules {
            woken.extend(self.link(state, from, &module, &How::Named(module.clone())));
        }
        woken
    }

    /// Edges to a module and the packages around it.
    pub(super) fn link(
        &self,
        state: &mut State,
        from: FileId,
        module: &str,
        how: &How,
    ) -> Vec<Sleeper> {
        let mut woken = Vec::new();
        for end in ends(module) {
            let name = &module[..end];
            let how = if end == module.len() {
                how.clone()
            } else {
                How::Import(name.to_owned())
            };
            // The folder of the script, or the working directory, may or may
            // not come first when this is imported.
            if let Some(other) = self.modules.find_installed(name).and_then(|m| file_of(&m)) {
                state.edge(from, other, how.clone());
            }
            match self.modules.find(name) {
                Some(Module::Builtin) => {
                    if state.builtins.insert(name.to_owned()) {
                        woken.extend(self.hidden(state, from, name));
                    }
                }
                Some(Module::File(id) | Module::Package { init: id, .. }) => {
                    state.edge(from, id, how);
                }
                Some(Module::Namespace(dirs)) => {
                    for dir in dirs {
                        if let Some(id) = self.tree.get(&dir) {
                            state.edge(from, id, how.clone());
                        }
                    }
                }
                None => break,
            }
        }
        woken
    }

    /// Imports that a table knows for a module.
    fn hidden(&self, state: &mut State, from: FileId, module: &str) -> Vec<Sleeper> {
        let mut woken = Vec::new();
        for (row, hidden) in HIDDEN.iter().enumerate() {
            if hidden.module != module {
                continue;
            }
            let sleeper = Sleeper::Hidden { file: from, row };
            if hidden.named.is_empty() || state.names.wait(hidden.named, sleeper) {
                woken.extend(self.link(
                    state,
                    from,
                    hidden.imports,
                    &How::Import(hidden.imports.to_owned()),
                ));
            }
        }
        // The build's configuration has a name of its own on each platform.
        if module == "sysconfig"
            && let Some(name) = &self.facts.sysconfig
        {
            woken.extend(self.link(state, from, name, &How::Import(name.clone())));
        }
        woken
    }
}

impl State {
    fn enqueue(&mut self, file: FileId) {
        if self.queued.insert(file) {
            self.queue.push(file);
        }
    }

    pub(super) fn edge(&mut self, from: FileId, to: FileId, how: How) {
        if from == to || !self.known.insert((from, to)) {
            return;
        }
        if self.asked.contains(&from) {
            self.late.push((to, how.clone()));
        }
        self.edges.entry(from).or_default().push((to, how));
        self.enqueue(to);
    }

    /// The scopes behind a gate that opens after their files were read.
    fn scopes_behind(&self, gate: &Gate, of: impl Fn(&Unit) -> bool) -> Vec<Sleeper> {
        let mut found: Vec<Sleeper> = Vec::new();
        for (file, unit) in self.units.iter().filter(|(_, unit)| of(unit)) {
            let scopes = unit.imports.scopes.iter().enumerate();
            found.extend(
                scopes
                    .filter(|(_, scope)| scope.gate == *gate)
                    .map(|(i, _)| Sleeper::Scope {
                        file: *file,
                        scope: i as u32,
                    }),
            );
        }
        found.sort();
        found
    }
}

/// The file in which a module's code is.
pub(super) fn file_of(module: &Module) -> Option<FileId> {
    match module {
        Module::File(id) | Module::Package { init: id, .. } => Some(*id),
        Module::Builtin | Module::Namespace(_) => None,
    }
}

/// Where the names of a module and of the packages around it end, outermost
/// first.
fn ends(module: &str) -> impl Iterator<Item = usize> + '_ {
    module
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([module.len()])
}

/// The package in which a module's relative names are looked up.
pub(super) fn own_package(name: &str, is_package: bool) -> &str {
    if is_package {
        name
    } else {
        name.rsplit_once('.').map_or("", |(package, _)| package)
    }
}

impl Analyzer for Python<'_> {
    fn follow(&self, file: FileId) -> Found {
        let mut state = self.state();
        state.enqueue(file);
        self.run(&mut state);
        state.asked.insert(file);
        let mut edges = state.edges.get(&file).cloned().unwrap_or_default();
        // A file that came late may have woken functions of earlier ones.
        edges.append(&mut state.late);
        Found {
            edges,
            warnings: state.warnings.remove(&file).unwrap_or_default(),
        }
    }
}
