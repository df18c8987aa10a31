//! Where the loaders look for a library, and what they find.
//!
//! glibc (ld.so(8), `elf/dl-load.c`): `DT_RPATH` of the object and of those
//! that loaded it, unless it has a `DT_RUNPATH`; `LD_LIBRARY_PATH`; its own
//! `DT_RUNPATH`; `ld.so.cache`; the default folders. In each folder the
//! variants for better processors (`glibc-hwcaps/*`) come first; as the
//! processor is not known here, all of them are found.
//!
//! musl (`ldso/dynlink.c`): `LD_LIBRARY_PATH`; `DT_RPATH` or `DT_RUNPATH`,
//! which it does not tell apart, of the object and of those that loaded it;
//! the folders of `/etc/ld-musl-ARCH.path`, else `/lib:/usr/local/lib:/usr/lib`.

use std::collections::{BTreeMap, BTreeSet};

use globset::Glob;
use whit_oci::ImagePath;

use super::cache::{self, Cache, Line};
use super::facts::{Facts, Target};
use crate::index::{FileId, Tree};
use crate::reach::links;
use crate::source::FatRoot;

/// `ld.so.conf` files that are read, at most: they can include each other.
const MAX_CONF_FILES: usize = 256;

/// Which dynamic loader reads an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader {
    Glibc,
    Musl,
}

/// An object with the facts that a search starts from.
#[derive(Clone, Copy)]
pub struct Object<'f> {
    pub file: FileId,
    pub facts: &'f Facts,
}

/// What the image says about places of libraries.
pub struct Search<'a> {
    tree: &'a Tree,
    /// `LD_LIBRARY_PATH` of the image's environment.
    library_path: Vec<String>,
    cache: Cache,
    conf: Vec<ImagePath>,
    musl: Vec<ImagePath>,
    has_glibc: bool,
    /// Links by what they lead to: an object's `$ORIGIN` is the folder of the
    /// name it was opened by.
    names: BTreeMap<FileId, Vec<FileId>>,
    /// Every file and link with `.so` in its name, by that name.
    anywhere: BTreeMap<Vec<u8>, Vec<ImagePath>>,
}

impl<'a> Search<'a> {
    pub fn new(root: &'a FatRoot) -> Self {
        let tree = &root.tree;
        let env = root.config.env();
        let library_path = env
            .iter()
            .find(|(name, _)| name == "LD_LIBRARY_PATH")
            .map(|(_, value)| value.split([':', ';']).map(str::to_owned).collect())
            .unwrap_or_default();
        let cache = read(root, &"etc/ld.so.cache".into())
            .map(|bytes| cache::parse(&bytes))
            .unwrap_or_default();
        let mut anywhere: BTreeMap<Vec<u8>, Vec<ImagePath>> = BTreeMap::new();
        for (_, node) in tree.iter().filter(|(_, node)| !node.is_dir()) {
            if memchr::memmem::find(node.path.name(), b".so").is_some() {
                let names = anywhere.entry(node.path.name().to_vec()).or_default();
                names.push(node.path.clone());
            }
        }
        let has = |prefix: &[u8]| anywhere.keys().any(|name| name.starts_with(prefix));
        Self {
            library_path,
            cache,
            conf: conf_folders(root),
            musl: musl_folders(root),
            has_glibc: has(b"libc.so.6") || !has(b"ld-musl-"),
            names: links::leading_to(tree),
            anywhere,
            tree,
        }
    }

    /// The loader that will read `facts`: its own interpreter or C library
    /// tells; a library without either is meant for the one that is there.
    pub fn loader(&self, facts: &Facts) -> Loader {
        let names_musl = |name: &String| name.starts_with("libc.musl") || name == "libc.so";
        let has = |text: &str| facts.interpreter.as_ref().is_some_and(|i| i.contains(text));
        if has("ld-musl") || facts.needed.iter().any(names_musl) {
            Loader::Musl
        } else if has("ld-linux") || self.has_glibc || names_glibc(facts) {
            Loader::Glibc
        } else {
            Loader::Musl
        }
    }

    /// The paths at which the loader may find `name` for the last object of
    /// `chain` (the first one is where loading began), best first. Nothing is
    /// said about whether the files there fit.
    ///
    /// Ends with the first folder that has the plain variant: variants for
    /// better processors before it are found as well.
    pub fn find(
        &self,
        chain: &[Object<'_>],
        name: &str,
        fits: &dyn Fn(FileId) -> bool,
    ) -> Vec<ImagePath> {
        let Some(object) = chain.last() else {
            return Vec::new();
        };
        if name.contains('/') {
            // A path as such; relative ones count from the working directory,
            // which the loader's own folder is as good a guess for as any.
            let path = self.folder_of(object.file).join(name);
            return Vec::from_iter(self.fitting(&path, fits));
        }
        let mut found = Vec::new();
        let done = match self.loader(object.facts) {
            Loader::Glibc => self.find_glibc(chain, name, fits, &mut found),
            Loader::Musl => self.find_musl(chain, name, fits, &mut found),
        };
        if !done {
            // Loaded beforehand by somebody who knows the folder
            // (`ctypes.CDLL`, an `RPATH` above that is not in `chain`): any
            // library of that name may be the one.
            let known: BTreeSet<_> = found.iter().cloned().collect();
            found.extend(
                self.anywhere
                    .get(name.as_bytes())
                    .into_iter()
                    .flatten()
                    .filter(|path| !known.contains(*path))
                    .filter_map(|path| self.fitting(path, fits)),
            );
        }
        found
    }

    fn find_glibc(
        &self,
        chain: &[Object<'_>],
        name: &str,
        fits: &dyn Fn(FileId) -> bool,
        found: &mut Vec<ImagePath>,
    ) -> bool {
        let object = chain[chain.len() - 1];
        let target = object.facts.target;
        let mut look = |folder: ImagePath| self.look(&folder, name, fits, found);
        if object.facts.runpath.is_none() {
            for above in chain.iter().rev().filter(|o| o.facts.runpath.is_none()) {
                if self
                    .path_list(above.facts.rpath.as_deref(), *above)
                    .any(&mut look)
                {
                    return true;
                }
            }
        }
        for entry in &self.library_path {
            if self.expand(entry, object).into_iter().any(&mut look) {
                return true;
            }
        }
        if self
            .path_list(object.facts.runpath.as_deref(), object)
            .any(&mut look)
        {
            return true;
        }
        let cached: Vec<ImagePath> = self
            .cache
            .get(name)
            .into_iter()
            .flatten()
            .filter_map(|path| self.fitting(path, fits))
            .collect();
        if cached.iter().any(|path| !is_variant(path)) {
            found.extend(cached);
            return true;
        }
        found.extend(cached);
        let mut look = |folder: ImagePath| self.look(&folder, name, fits, found);
        // The cache may be older than a package, or not made yet.
        self.conf.iter().cloned().any(&mut look)
            || default_folders(target).into_iter().any(&mut look)
    }

    fn find_musl(
        &self,
        chain: &[Object<'_>],
        name: &str,
        fits: &dyn Fn(FileId) -> bool,
        found: &mut Vec<ImagePath>,
    ) -> bool {
        let object = chain[chain.len() - 1];
        let mut look = |folder: ImagePath| self.look(&folder, name, fits, found);
        for entry in &self.library_path {
            if self.expand(entry, object).into_iter().any(&mut look) {
                return true;
            }
        }
        for above in chain.iter().rev() {
            let own = above
                .facts
                .runpath
                .as_deref()
                .or(above.facts.rpath.as_deref());
            if self.path_list(own, *above).any(&mut look) {
                return true;
            }
        }
        self.musl.iter().cloned().any(&mut look)
    }

    /// Looks into one folder; true if the plain variant is there.
    fn look(
        &self,
        folder: &ImagePath,
        name: &str,
        fits: &dyn Fn(FileId) -> bool,
        found: &mut Vec<ImagePath>,
    ) -> bool {
        if let Some(variants) = self.tree.lookup(&folder.join("glibc-hwcaps")) {
            for variant in self.tree.children(variants) {
                found.extend(self.fitting(&self.tree.path(*variant).join(name), fits));
            }
        }
        let plain = self.fitting(&folder.join(name), fits);
        let there = plain.is_some();
        found.extend(plain);
        there
    }

    /// `path` itself, if a file is there that fits: of another class or
    /// machine are passed over, as the loaders do.
    fn fitting(&self, path: &ImagePath, fits: &dyn Fn(FileId) -> bool) -> Option<ImagePath> {
        let file = self.tree.lookup(path)?;
        fits(file).then(|| path.clone())
    }

    fn path_list(
        &self,
        list: Option<&str>,
        object: Object<'_>,
    ) -> impl Iterator<Item = ImagePath> + use<> {
        list.into_iter()
            .flat_map(|list| list.split(':'))
            .flat_map(|entry| self.expand(entry, object))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The folders that an entry of a path list stands for, tokens replaced.
    fn expand(&self, entry: &str, object: Object<'_>) -> Vec<ImagePath> {
        if entry.is_empty() {
            return Vec::new();
        }
        let mut folders = BTreeSet::new();
        let origins = if entry.contains("ORIGIN") {
            self.origins(object.file)
        } else {
            vec![ImagePath::root()]
        };
        let target = object.facts.target;
        let mut ordered = Vec::new();
        for origin in origins {
            for lib in replacements(entry, "LIB", || lib_names(target)) {
                for text in replacements(&lib, "PLATFORM", || platforms(target)) {
                    let text = replace(&text, "ORIGIN", &origin.to_string());
                    let folder = ImagePath::clamped(text);
                    if folders.insert(folder.clone()) {
                        ordered.push(folder);
                    }
                }
            }
        }
        ordered
    }

    /// The folders of all names of a file: its own, then those of its links.
    fn origins(&self, file: FileId) -> Vec<ImagePath> {
        let links = self.names.get(&file).into_iter().flatten();
        std::iter::once(&file)
            .chain(links)
            .map(|id| self.folder_of(*id))
            .collect()
    }

    fn folder_of(&self, file: FileId) -> ImagePath {
        self.tree.path(file).parent().unwrap_or_default()
    }

    /// Libraries of `name` on the loader's own path, for a program that loads
    /// them by itself: as [`Search::find`], but not just anywhere.
    pub fn find_to_open(
        &self,
        object: Object<'_>,
        name: &str,
        fits: &dyn Fn(FileId) -> bool,
    ) -> Vec<ImagePath> {
        let mut found = Vec::new();
        match self.loader(object.facts) {
            Loader::Glibc => self.find_glibc(&[object], name, fits, &mut found),
            Loader::Musl => self.find_musl(&[object], name, fits, &mut found),
        };
        if found.is_empty() {
            // Bundled beside the program that opens it.
            for origin in self.origins(object.file) {
                self.look(&origin, name, fits, &mut found);
            }
        }
        found
    }

    /// True if libraries lie where only `ld.so.cache` leads to.
    pub fn cache_matters(&self, target: Target) -> bool {
        let folder = |path: &ImagePath| {
            let real = self.tree.resolve(&path.parent().unwrap_or_default());
            real.path
        };
        let defaults: BTreeSet<ImagePath> = default_folders(target)
            .iter()
            .map(|folder| self.tree.resolve(folder).path)
            .collect();
        self.cache
            .values()
            .flatten()
            .filter(|path| !is_variant(path) && self.tree.lookup(path).is_some())
            .any(|path| !defaults.contains(&folder(path)))
    }
}

fn names_glibc(facts: &Facts) -> bool {
    facts.needed.iter().any(|name| name == "libc.so.6")
}

fn is_variant(path: &ImagePath) -> bool {
    memchr::memmem::find(path.as_bytes(), b"/glibc-hwcaps/").is_some()
}

/// `text` with `$NAME` and `${NAME}` replaced by each of `values`.
fn replacements(text: &str, name: &str, values: impl Fn() -> Vec<String>) -> Vec<String> {
    if !text.contains(&format!("${name}")) && !text.contains(&format!("${{{name}}}")) {
        return vec![text.to_owned()];
    }
    let each = |value: &String| replace(text, name, value);
    values().iter().map(each).collect()
}

fn replace(text: &str, name: &str, value: &str) -> String {
    text.replace(&format!("${{{name}}}"), value)
        .replace(&format!("${name}"), value)
}

/// Debian's name for the architecture of libraries.
fn triplet(target: Target) -> &'static str {
    match (target.machine, target.layout.is_64) {
        (62, true) => "x86_64-linux-gnu",
        (62, false) => "x86_64-linux-gnux32",
        (3, _) => "i386-linux-gnu",
        (183, _) => "aarch64-linux-gnu",
        (40, _) => "arm-linux-gnueabihf",
        (243, _) => "riscv64-linux-gnu",
        (22, _) => "s390x-linux-gnu",
        (21, _) => "powerpc64le-linux-gnu",
        (258, _) => "loongarch64-linux-gnu",
        _ => "unknown-linux-gnu",
    }
}

/// What `$LIB` may stand for: each distribution compiles its own in.
fn lib_names(target: Target) -> Vec<String> {
    let wide = if target.layout.is_64 {
        "lib64"
    } else {
        "lib32"
    };
    vec![
        format!("lib/{}", triplet(target)),
        wide.to_owned(),
        "lib".to_owned(),
    ]
}

/// What `$PLATFORM` may stand for, by processor.
fn platforms(target: Target) -> Vec<String> {
    let names: &[&str] = match target.machine {
        62 => &["x86_64", "haswell", "xeon_phi"],
        3 => &["i686", "i586", "i386"],
        183 => &["aarch64"],
        21 => &["power8", "power9", "power10"],
        22 => &["z13", "z14", "z15"],
        _ => &["unknown"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The folders that loaders of all distributions have compiled in, Debian's
/// first. A file in one of another distribution's is at worst kept for
/// nothing.
fn default_folders(target: Target) -> Vec<ImagePath> {
    let triplet = triplet(target);
    let wide = if target.layout.is_64 {
        "lib64"
    } else {
        "lib32"
    };
    [
        format!("lib/{triplet}"),
        format!("usr/lib/{triplet}"),
        wide.to_owned(),
        format!("usr/{wide}"),
        "lib".to_owned(),
        "usr/lib".to_owned(),
    ]
    .iter()
    .map(|folder| ImagePath::from(folder.as_str()))
    .collect()
}

/// The folders of `/etc/ld.so.conf` and what it includes, in order.
fn conf_folders(root: &FatRoot) -> Vec<ImagePath> {
    let mut folders = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![ImagePath::from("etc/ld.so.conf")];
    while let Some(conf) = open.pop() {
        if seen.len() == MAX_CONF_FILES || !seen.insert(conf.clone()) {
            continue;
        }
        let Some(bytes) = read(root, &conf) else {
            continue;
        };
        let home = conf.parent().unwrap_or_default();
        for line in cache::conf_lines(&String::from_utf8_lossy(&bytes)) {
            match line {
                Line::Folder(folder) => folders.push(ImagePath::clamped(folder)),
                Line::Include(pattern) => {
                    let mut files = glob(&root.tree, &home.join(&pattern));
                    files.reverse();
                    open.extend(files);
                }
            }
        }
    }
    folders
}

/// The files of one folder whose names match the last component.
fn glob(tree: &Tree, pattern: &ImagePath) -> Vec<ImagePath> {
    let name = String::from_utf8_lossy(pattern.name()).into_owned();
    let (Some(folder), Ok(glob)) = (pattern.parent(), Glob::new(&name)) else {
        return Vec::new();
    };
    let matcher = glob.compile_matcher();
    let Some(folder) = tree.lookup(&folder) else {
        return Vec::new();
    };
    tree.children(folder)
        .iter()
        .map(|id| tree.path(*id))
        .filter(|path| matcher.is_match(&*String::from_utf8_lossy(path.name())))
        .cloned()
        .collect()
}

fn musl_folders(root: &FatRoot) -> Vec<ImagePath> {
    let listed = glob(&root.tree, &"etc/ld-musl-*.path".into())
        .first()
        .and_then(|path| read(root, path));
    let text = match &listed {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => "/lib:/usr/local/lib:/usr/lib".to_owned(),
    };
    text.split([':', '\n'])
        .filter(|folder| !folder.is_empty())
        .map(ImagePath::clamped)
        .collect()
}

/// A small file of the image, whole.
fn read(root: &FatRoot, path: &ImagePath) -> Option<Vec<u8>> {
    /// A cache of 100,000 libraries; what is bigger is not one.
    const MAX: u64 = 16 << 20;
    let file = root.tree.lookup(path)?;
    if root.tree.node(file).size() > MAX {
        return None;
    }
    std::fs::read(root.content(file)?).ok()
}
