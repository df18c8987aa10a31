//! Programs and shared libraries: what the kernel, the loader and the C
//! library will ask for on their behalf.
//!
//! Not followed: the `DT_RPATH` of a program on behalf of the extension
//! modules that it opens while it runs (they are found by the library's name
//! instead), and libidn2, which glibc opens for `AI_IDN` only.

pub mod cache;
mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod loading;
mod modules;
mod search;
mod strings;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use whit_oci::ImagePath;

pub use facts::{Facts, Function, Target};
pub use loading::Loading;
pub use strings::Strings;

use self::modules::Modules;
use self::search::{Loader, Object, Search};
use super::surroundings;
use super::{Analyzer, Found, How};
use crate::elf::{ET_DYN, ET_EXEC, ElfError, Headers, OnDisk};
use crate::index::{FileId, NodeKind, PackageId};
use crate::source::FatRoot;

/// Objects of one chain of libraries that are looked at, at most.
const MAX_CHAIN: usize = 4096;

/// Follows ELF files.
pub struct Elf<'a> {
    root: &'a FatRoot,
    search: Search<'a>,
    modules: Modules,
    /// Packages that convert between character sets which no text names.
    any_charset: BTreeSet<PackageId>,
    known: Mutex<HashMap<FileId, Known>>,
}

#[derive(Clone)]
enum Known {
    Elf(Arc<Facts>),
    Other,
    Damaged(String),
}

impl<'a> Elf<'a> {
    pub fn new(root: &'a FatRoot) -> Self {
        Self {
            root,
            search: Search::new(root),
            modules: Modules::read(root),
            any_charset: BTreeSet::new(),
            known: Mutex::default(),
        }
    }

    /// For an app in a language that is not read: libraries of these packages
    /// may convert between all character sets.
    pub fn with_any_charset(mut self, packages: &BTreeSet<PackageId>) -> Self {
        self.any_charset.clone_from(packages);
        self
    }

    /// What is known of a file.
    fn known(&self, file: FileId) -> Known {
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&file) {
            return known.clone();
        }
        let known = match self.parse(file) {
            Ok(facts) => Known::Elf(Arc::new(facts)),
            Err(ElfError::NotElf) => Known::Other,
            Err(err) => Known::Damaged(err.to_string()),
        };
        lock().insert(file, known.clone());
        known
    }

    /// The facts about a program or library; `None` for anything else.
    fn facts(&self, file: FileId) -> Option<Arc<Facts>> {
        match self.known(file) {
            Known::Elf(facts) => Some(facts),
            Known::Other | Known::Damaged(_) => None,
        }
    }

    fn parse(&self, file: FileId) -> Result<Facts, ElfError> {
        let path = self.root.content(file).ok_or(ElfError::NotElf)?;
        Facts::parse(&OnDisk::open(&path)?)
    }

    /// True if `file` is a program or library for the same machine.
    fn fits(&self, file: FileId, target: Target) -> bool {
        let headers = self
            .root
            .content(file)
            .and_then(|path| OnDisk::open(&path).ok())
            .and_then(|bytes| Headers::parse(&bytes).ok());
        headers.is_some_and(|headers| {
            matches!(headers.kind, ET_EXEC | ET_DYN)
                && headers.layout == target.layout
                && headers.machine == target.machine
        })
    }

    /// `DT_NEEDED`, by the file's own search path.
    fn needed(&self, object: Object<'_>, found: &mut Found) {
        let fits = |file| self.fits(file, object.facts.target);
        for name in &object.facts.needed {
            let paths = self.search.find(&[object], name, &fits);
            if paths.is_empty() && !self.is_builtin(object.facts, name) {
                let path = self.root.tree.path(object.file);
                found.warnings.push(format!(
                    "{path} needs {name}, which the image does not have"
                ));
            }
            for path in paths {
                found.reach(&self.root.tree, &path, How::Needed(name.clone()));
            }
        }
    }

    /// musl's loader is its C library, and answers to these names itself
    /// (`ldso/dynlink.c`, `load_library`).
    fn is_builtin(&self, facts: &Facts, name: &str) -> bool {
        const OWN: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];
        self.search.loader(facts) == Loader::Musl
            && name
                .strip_prefix("lib")
                .and_then(|rest| rest.split_once('.'))
                .is_some_and(|(stem, _)| OWN.contains(&stem))
    }

    /// An object's `DT_RPATH` also serves the libraries that it loads, and
    /// those that they load: what is found only, or found elsewhere, thanks to
    /// it.
    fn inherited(&self, object: Object<'_>, found: &mut Found) {
        let hands_down = match self.search.loader(object.facts) {
            Loader::Glibc => object.facts.rpath.is_some() && object.facts.runpath.is_none(),
            Loader::Musl => object.facts.rpath.is_some() || object.facts.runpath.is_some(),
        };
        if !hands_down {
            return;
        }
        let tree = &self.root.tree;
        let fits = |file| self.fits(file, object.facts.target);
        let mut seen = BTreeSet::from([object.file]);
        let mut open: VecDeque<Vec<(FileId, Arc<Facts>)>> =
            VecDeque::from([vec![(object.file, Arc::new(object.facts.clone()))]]);
        while let Some(chain) = open.pop_front() {
            let objects: Vec<Object<'_>> = chain
                .iter()
                .map(|(file, facts)| Object { file: *file, facts })
                .collect();
            let Some(last) = objects.last().copied() else {
                continue;
            };
            for name in &last.facts.needed {
                let paths = self.search.find(&objects, name, &fits);
                if objects.len() > 1 && paths != self.search.find(&[last], name, &fits) {
                    for path in &paths {
                        found.reach(tree, path, How::Needed(name.clone()));
                    }
                }
                for file in paths.iter().filter_map(|path| tree.lookup(path)) {
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
    }

    /// What a program may open itself.
    fn opened(&self, object: Object<'_>, found: &mut Found) {
        for name in &object.facts.strings.libraries {
            if object.facts.needed.contains(name) || object.facts.soname.as_ref() == Some(name) {
                continue;
            }
            self.open(object, name, found);
        }
    }

    fn open(&self, object: Object<'_>, name: &str, found: &mut Found) {
        let fits = |file| self.fits(file, object.facts.target);
        for path in self.search.find_to_open(object, name, &fits) {
            if self.root.tree.lookup(&path) != Some(object.file) {
                found.reach(&self.root.tree, &path, How::Dlopen(name.to_owned()));
            }
        }
    }

    /// Files that are necessary for the functions that it imports.
    fn imported(&self, object: Object<'_>, is_runtime: bool, found: &mut Found) {
        let tree = &self.root.tree;
        let imports = &object.facts.imports;
        let is_glibc = self.search.loader(object.facts) == Loader::Glibc;
        if is_glibc && imports.contains(&Function::Unwind) {
            self.open(object, "libgcc_s.so.1", found);
        }
        if is_glibc && (imports.contains(&Function::Accounts) || imports.contains(&Function::Hosts))
        {
            for name in self.modules.name_services(imports) {
                self.open(object, &name, found);
            }
        }
        if is_glibc && imports.contains(&Function::Iconv) && !is_runtime {
            let package = tree.node(object.file).package;
            let conversions = match package.is_some_and(|id| self.any_charset.contains(&id)) {
                true => self.modules.all_conversions(),
                false => self.modules.conversions(&object.facts.charsets),
            };
            for (path, how) in conversions {
                found.reach(tree, &path, how);
            }
        }
        // A program that is linked statically imports nothing, and names the
        // folder.
        let names_locales =
            object.facts.is_static
                && object.facts.strings.paths.iter().any(|path| {
                    path == "/usr/lib/locale" || path == "/usr/lib/locale/locale-archive"
                });
        if imports.contains(&Function::Locale) || names_locales {
            found.edges.extend(surroundings::locales(self.root));
        }
        // libssl hands on what others ask it for.
        let name = tree.path(object.file).name();
        if imports.contains(&Function::Authorities) && !is_openssl(name) {
            found.edges.extend(surroundings::authorities(self.root));
        }
        // Python offers `os.system` to everybody; who uses it is seen in the
        // Python code.
        if imports.contains(&Function::Shell) && !is_runtime {
            found.reach(tree, &"bin/sh".into(), How::Runs("sh".to_owned()));
        }
    }

    /// Files and folders whose absolute paths stand in its data.
    fn named(&self, object: Object<'_>, found: &mut Found) {
        let tree = &self.root.tree;
        let is_program = object.facts.interpreter.is_some() || object.facts.is_static;
        for text in &object.facts.strings.paths {
            let path = ImagePath::clamped(text);
            let Some(file) = tree.lookup(&path) else {
                continue;
            };
            let node = tree.node(file);
            let folder = node.path.parent().unwrap_or_default();
            if is_shared(&node.path) || file == object.file {
                continue;
            }
            match node.kind {
                NodeKind::Dir if is_private_folder(&node.path) => {
                    found.reach(tree, &path, How::Named(text.clone()));
                    for below in tree.below(file) {
                        if !surroundings::is_ballast(tree.path(below)) {
                            found.edges.push((below, How::Named(text.clone())));
                        }
                    }
                }
                NodeKind::File { .. } if !node.is_executable() => {
                    found.reach(tree, &path, How::Named(text.clone()));
                }
                // Most programs name others that they could use (`podman`:
                // `systemctl`). Those in folders of their own are helpers, and
                // a shell is for what the user types.
                NodeKind::File { .. }
                    if is_program && (is_private_folder(&folder) || text == "/bin/sh") =>
                {
                    found.reach(tree, &path, How::Runs(text.clone()));
                }
                _ => {}
            }
        }
        if object.facts.strings.zones {
            let zones = surroundings::zones(tree);
            let how = How::Named("/usr/share/zoneinfo".to_owned());
            found
                .edges
                .extend(zones.into_iter().map(|id| (id, how.clone())));
        }
        if object.facts.strings.authorities && !is_openssl(tree.path(object.file).name()) {
            found.edges.extend(surroundings::authorities(self.root));
        }
    }

    /// What the loaders themselves read.
    fn loader_files(&self, object: Object<'_>, found: &mut Found) {
        let tree = &self.root.tree;
        let name = tree.path(object.file).name();
        if name.starts_with(b"ld-linux") && self.search.cache_matters(object.facts.target) {
            found.reach(
                tree,
                &"etc/ld.so.cache".into(),
                How::Config("ld.so".to_owned()),
            );
        }
        if let Some(arch) = name.strip_prefix(b"ld-musl-") {
            let arch = arch.split(|b| *b == b'.').next().unwrap_or_default();
            let path = [b"etc/ld-musl-", arch, b".path"].concat();
            found.reach(
                tree,
                &ImagePath::clamped(path),
                How::Config("ld-musl".to_owned()),
            );
        }
    }
}

impl Analyzer for Elf<'_> {
    fn follow(&self, file: FileId) -> Found {
        let mut found = Found::default();
        if !self.root.tree.node(file).is_file() {
            return found;
        }
        let path = self.root.tree.path(file);
        let facts = match self.known(file) {
            Known::Elf(facts) => facts,
            Known::Other => return found,
            Known::Damaged(why) => {
                found
                    .warnings
                    .push(format!("{path}: {why}; what it needs is unknown"));
                return found;
            }
        };
        let object = Object {
            file,
            facts: &facts,
        };
        let name = path.name();
        if let Some(interpreter) = &facts.interpreter {
            let loader = ImagePath::clamped(interpreter);
            found.reach(&self.root.tree, &loader, How::Interpreter);
            if found.edges.is_empty() {
                let missing = format!("{path} needs {interpreter}, which the image does not have");
                found.warnings.push(missing);
            }
        }
        self.needed(object, &mut found);
        self.inherited(object, &mut found);
        self.loader_files(object, &mut found);
        if is_tls(name) {
            found.edges.extend(surroundings::authorities(self.root));
        }
        // What a C library names and imports is its trade, not its need; the
        // same goes in part for the runtimes of languages.
        if !facts.is_libc(name) {
            let is_runtime = facts.is_python(name) || name.starts_with(b"libstdc++.so");
            self.imported(object, is_runtime, &mut found);
            // OpenSSL names its authorities even where only hashes are
            // computed; its own rule knows better.
            if !is_runtime && !name.starts_with(b"libcrypto") {
                self.opened(object, &mut found);
                self.named(object, &mut found);
            }
        }
        found
    }
}

/// Libraries that find certificate authorities by themselves.
fn is_tls(name: &[u8]) -> bool {
    name.starts_with(b"libgnutls") || name.starts_with(b"libnss3.")
}

/// OpenSSL's libraries name and offer everything; what counts is who asks.
fn is_openssl(name: &[u8]) -> bool {
    const OPENSSL: [&[u8]; 4] = [b"libssl.", b"libssl-", b"libcrypto.", b"libcrypto-"];
    OPENSSL.iter().any(|prefix| name.starts_with(prefix))
}

/// Paths that programs name without needing what is there now.
fn is_shared(path: &ImagePath) -> bool {
    const ROOTS: [&str; 7] = ["proc", "sys", "dev", "tmp", "run", "home", "root"];
    ROOTS.iter().any(|root| path.starts_with(&(*root).into())) || surroundings::is_ballast(path)
}

/// A folder that belongs to one program or library, such as
/// `/usr/share/NAME` or `/usr/lib/NAME/plugins`; not one that all share.
fn is_private_folder(path: &ImagePath) -> bool {
    const SHARED: [&str; 23] = [
        "etc/alternatives",
        "etc/default",
        "etc/init.d",
        "etc/profile.d",
        "etc/ssl",
        "etc/pki",
        "usr/lib/locale",
        "usr/lib/modules",
        "usr/lib/ssl",
        "usr/lib/terminfo",
        "usr/share/applications",
        "usr/share/ca-certificates",
        "usr/share/i18n",
        "usr/share/icons",
        "usr/share/keyrings",
        "usr/share/locale",
        "usr/share/mime",
        "usr/share/pixmaps",
        "usr/share/terminfo",
        "usr/share/themes",
        "usr/share/zoneinfo",
        "var/lib/apt",
        "var/lib/dpkg",
    ];
    if SHARED
        .iter()
        .any(|shared| path.starts_with(&(*shared).into()))
    {
        return false;
    }
    let parts: Vec<&[u8]> = path.components().collect();
    let is_library_folder =
        |name: &[u8]| name.ends_with(b"-linux-gnu") || name.ends_with(b"-linux-gnueabihf");
    // Reached by name only where `openssl.cnf` asks for them, or by charset.
    let is_plug_in_hub =
        |name: &[u8]| name == b"gconv" || name == b"ossl-modules" || name.starts_with(b"engines-");
    if parts.last().is_some_and(|name| is_plug_in_hub(name)) {
        return false;
    }
    match parts.as_slice() {
        [b"etc", _, ..] | [b"opt", _, ..] => true,
        [b"usr", b"local", _, _, ..] => true,
        [b"usr", b"lib" | b"lib64", name] => {
            !is_library_folder(name) && !name.starts_with(b"python")
        }
        [b"usr", b"lib" | b"lib64" | b"share" | b"libexec", name, ..] => {
            !name.starts_with(b"python")
        }
        [b"var", b"lib", _, ..] => true,
        _ => false,
    }
}
