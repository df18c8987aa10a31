//! A small image as a Dockerfile that needs no whit: what its report says was
//! kept is copied from the original by any engine.
//!
//! The Dockerfile has three stages: the original; one in which a root is put
//! together out of it; and `FROM scratch` with that root and the configuration.
//! It needs no context. What whit alone can do is not imitated but told: a
//! stripped file is copied as the original has it.

mod fold;
mod instructions;
mod lists;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::{ImageConfig, ImagePath};

use crate::index::{NodeKind, PackageKind, Tree};
use crate::report::{FileLine, Report};

/// Everything that the Dockerfile says.
#[derive(Debug)]
pub struct Recipe {
    /// The version of whit, and the image that this is the recipe of.
    whit: String,
    image: String,
    /// The original and the image with shell and tar, as engines call them.
    original: String,
    /// `None` if the original has both itself.
    tools: Option<&'static str>,
    /// Folders of which everything stays.
    whole: Vec<ImagePath>,
    /// Files, links, and folders of which a part stays.
    parts: Vec<ImagePath>,
    python: Option<Python>,
    /// Folders that the original lacks.
    folders: Vec<(ImagePath, Looks)>,
    databases: Vec<Database>,
    /// What another program than whit makes looks otherwise.
    looks: Vec<(ImagePath, Looks)>,
    /// True if something kept has extended attributes.
    attributes: bool,
    differences: Vec<String>,
    config: ImageConfig,
}

/// Who owns a file, and who may do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Looks {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// What the image's own interpreter compiles.
#[derive(Debug)]
struct Python {
    /// Absolute, in the original.
    program: String,
    /// Sources that give way to `X.pyc` beside them.
    sourceless: Vec<ImagePath>,
    /// Sources that stay and get `__pycache__/X.TAG.pyc`.
    cached: Vec<ImagePath>,
}

/// A package manager's database, cut down to these packages.
#[derive(Debug)]
struct Database {
    kind: PackageKind,
    packages: Vec<String>,
}

/// Why there is no recipe.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    #[error("{image} was built from a project: there is no original to copy from")]
    Built { image: String },
    #[error("the report does not fit the image: it does not say where {path} comes from")]
    Stranger { path: String },
    #[error("{path:?} cannot be named in a Dockerfile: {why}")]
    Name { path: String, why: &'static str },
    #[error("{module} is bytecode, and no Python is kept that could compile it again")]
    NoPython { module: String },
}

impl RecipeError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Built { .. } => {
                "build it with --rescue: the rescue archive is an image with everything in it, \
                 and `whit shrink` of that has a recipe"
                    .to_owned()
            }
            Self::Stranger { .. } => {
                "name the report that was written with this image, with --report FILE".to_owned()
            }
            Self::Name { .. } => "leave it out with `whit shrink --drop GLOB`".to_owned(),
            Self::NoPython { .. } => "shrink it with --python-code source".to_owned(),
        })
    }
}

/// How the images are called.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The small image, as the user named it.
    pub image: &'a str,
    /// The original, as an engine knows it.
    pub original: &'a str,
}

/// The image with shell and tar where the original lacks them.
const TOOLS: &str = "debian:bookworm-slim";

impl Recipe {
    /// Reads what stays off the small image's `tree`, and where it comes from
    /// off the report of the run that made it.
    ///
    /// # Errors
    /// [`RecipeError`], if the image cannot be made by copying.
    pub fn new(
        report: &Report,
        tree: &Tree,
        config: &ImageConfig,
        names: Names<'_>,
    ) -> Result<Self, RecipeError> {
        if !report.detected.is_empty() {
            return Err(RecipeError::Built {
                image: names.image.to_owned(),
            });
        }
        let origins = Origins::of(report);
        let mut sorted = Sorted::default();
        for (_, node) in tree.iter().filter(|(_, node)| !node.path.is_root()) {
            check_name(&node.path)?;
            sorted.take(tree, &origins, &node.path)?;
        }
        let attributes = tree.iter().any(|(_, node)| !node.meta.xattrs.is_empty());
        let copied: BTreeSet<&ImagePath> = sorted.copied.iter().collect();
        let folded = fold::fold(&origins.originals, &copied);
        let python = sorted.python(tree)?;
        let has_tools = report_has_tools(report, attributes, &sorted.records, python.is_some());
        Ok(Self {
            whit: env!("CARGO_PKG_VERSION").to_owned(),
            image: names.image.to_owned(),
            original: names.original.to_owned(),
            tools: (!has_tools).then_some(TOOLS),
            whole: folded.whole,
            parts: folded.parts,
            python,
            folders: sorted.folders,
            databases: databases(tree, sorted.records),
            looks: sorted.looks,
            attributes,
            differences: sorted.differences.told(),
            config: config.clone(),
        })
    }
}

/// The report by path.
struct Origins<'a> {
    /// Paths of the original.
    originals: BTreeSet<ImagePath>,
    /// What each path of the small image is or was made from.
    made_from: BTreeMap<ImagePath, &'a FileLine>,
}

impl<'a> Origins<'a> {
    fn of(report: &'a Report) -> Self {
        let mut origins = Self {
            originals: BTreeSet::new(),
            made_from: BTreeMap::new(),
        };
        for line in &report.files {
            let path = ImagePath::clamped(&line.path);
            if line.kept {
                let now = line.moved.as_ref().map(ImagePath::clamped);
                origins
                    .made_from
                    .insert(now.unwrap_or_else(|| path.clone()), line);
            }
            if !is_new(line) {
                origins.originals.insert(path);
            }
        }
        origins
    }
}

/// True for what the original lacks.
fn is_new(line: &FileLine) -> bool {
    let written = matches!(line.edit.as_deref(), Some("generated"));
    let compiled = line.edit.as_deref() == Some("bytecode") && line.moved.is_none();
    (written || compiled) && line.size == 0
}

/// The small image's files by what is to be done for them.
#[derive(Default)]
struct Sorted {
    copied: Vec<ImagePath>,
    sourceless: Vec<ImagePath>,
    cached: Vec<ImagePath>,
    folders: Vec<(ImagePath, Looks)>,
    /// Debian's packages that have a record of their own; true beside them if
    /// Alpine's database was cut down.
    records: (Vec<String>, bool),
    looks: Vec<(ImagePath, Looks)>,
    differences: Differences,
}

impl Sorted {
    fn take(
        &mut self,
        tree: &Tree,
        origins: &Origins<'_>,
        path: &ImagePath,
    ) -> Result<(), RecipeError> {
        let stranger = || RecipeError::Stranger {
            path: path.to_string(),
        };
        let id = tree.get(path).ok_or_else(stranger)?;
        let node = tree.node(id);
        let line = origins.made_from.get(path).ok_or_else(stranger)?;
        let looks = Looks {
            mode: node.meta.mode,
            uid: node.meta.uid,
            gid: node.meta.gid,
        };
        match (line.edit.as_deref(), line.moved.is_some()) {
            (Some("bytecode"), true) => {
                let source = ImagePath::clamped(&line.path);
                self.copied.push(source.clone());
                self.sourceless.push(source);
                self.compiled(path, looks);
            }
            (Some("bytecode"), false) => {
                self.cached.push(source_of(path).ok_or_else(stranger)?);
                self.compiled(path, looks);
            }
            (Some("generated"), _) if !origins.originals.contains(path) => match &node.kind {
                NodeKind::Dir => self.folders.push((path.clone(), looks)),
                _ => match record_name(path) {
                    Some(name) => self.records.0.push(name),
                    None => self.differences.missing.push(path.to_string()),
                },
            },
            (Some("generated"), _) if path == &ImagePath::from(APK) => self.records.1 = true,
            (edit, _) => {
                self.differences.note(edit, line);
                self.copied.push(path.clone());
            }
        }
        Ok(())
    }

    /// `compileall` writes as the user who runs it, with the source's
    /// permissions but those to execute (`py_compile._calc_mode`).
    fn compiled(&mut self, path: &ImagePath, looks: Looks) {
        let own = Looks {
            mode: (looks.mode | 0o200) & 0o644,
            uid: 0,
            gid: 0,
        };
        if looks != own {
            self.looks.push((path.clone(), looks));
        }
    }

    fn python(&mut self, tree: &Tree) -> Result<Option<Python>, RecipeError> {
        let Some(first) = self.sourceless.first().or(self.cached.first()) else {
            return Ok(None);
        };
        let program = interpreter(tree).ok_or_else(|| RecipeError::NoPython {
            module: first.to_string(),
        })?;
        self.differences.compiled = self.sourceless.len() + self.cached.len();
        Ok(Some(Python {
            program,
            sourceless: std::mem::take(&mut self.sourceless),
            cached: std::mem::take(&mut self.cached),
        }))
    }
}

/// What the engine's result and whit's differ in.
#[derive(Default)]
struct Differences {
    stripped: usize,
    stripped_bytes: u64,
    trimmed: usize,
    trimmed_bytes: u64,
    compiled: usize,
    missing: Vec<String>,
}

impl Differences {
    fn note(&mut self, edit: Option<&str>, line: &FileLine) {
        let more = line.size.saturating_sub(line.now.unwrap_or(line.size));
        match edit {
            Some("stripped") => {
                self.stripped += 1;
                self.stripped_bytes += more;
            }
            Some("trimmed") => {
                self.trimmed += 1;
                self.trimmed_bytes += more;
            }
            _ => {}
        }
    }

    /// In sentences.
    fn told(&self) -> Vec<String> {
        let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
        let mut told = Vec::new();
        if self.stripped > 0 {
            told.push(format!(
                "{} programs and libraries keep the symbols that whit removes: {} more.",
                self.stripped,
                megabytes(self.stripped_bytes)
            ));
        }
        if self.trimmed > 0 {
            told.push(format!(
                "{} packages keep their descriptions, which whit leaves out: {} more.",
                self.trimmed,
                megabytes(self.trimmed_bytes)
            ));
        }
        if self.compiled > 0 {
            told.push(format!(
                "{} Python modules are compiled by the image's own Python: the same code in \
                 other bytes.",
                self.compiled
            ));
        }
        told.push("Times: those of folders and of what is made here are the build's.".to_owned());
        for path in &self.missing {
            told.push(format!("{path}, which whit wrote, is not there."));
        }
        told
    }
}

/// Alpine's database.
const APK: &str = "lib/apk/db/installed";

/// `var/lib/dpkg/status.d/NAME`.
fn record_name(path: &ImagePath) -> Option<String> {
    let name = path.strip_prefix(&"var/lib/dpkg/status.d".into())?;
    String::from_utf8(name.to_vec()).ok()
}

fn databases(tree: &Tree, (dpkg, apk): (Vec<String>, bool)) -> Vec<Database> {
    let mut found = Vec::new();
    if !dpkg.is_empty() {
        found.push(Database {
            kind: PackageKind::Dpkg,
            packages: dpkg,
        });
    }
    if apk {
        let packages: BTreeSet<String> = tree
            .iter()
            .filter_map(|(_, node)| Some(tree.package(node.package?)))
            .filter(|package| package.kind == PackageKind::Apk)
            .map(|package| package.name.clone())
            .collect();
        found.push(Database {
            kind: PackageKind::Apk,
            packages: packages.into_iter().collect(),
        });
    }
    found
}

/// The source of `__pycache__/NAME.TAG.pyc` (PEP 3147).
fn source_of(path: &ImagePath) -> Option<ImagePath> {
    let folder = path.parent().filter(|f| f.name() == b"__pycache__")?;
    let name = std::str::from_utf8(path.name()).ok()?;
    let stem = name.strip_suffix(".pyc")?.rsplit_once('.')?.0;
    Some(folder.parent()?.join(format!("{stem}.py")))
}

/// The first kept `python3.N`, as a path in the image.
fn interpreter(tree: &Tree) -> Option<String> {
    let is_version = |name: &[u8]| {
        let minor = name.strip_prefix(b"python3.");
        minor.is_some_and(|minor| !minor.is_empty() && minor.iter().all(u8::is_ascii_digit))
    };
    tree.iter()
        .find(|(_, node)| node.is_executable() && is_version(node.path.name()))
        .map(|(_, node)| node.path.to_string())
}

/// True if the original has all programs that the second stage runs. Extended
/// attributes want GNU's tar.
fn report_has_tools(
    report: &Report,
    attributes: bool,
    (dpkg, apk): &(Vec<String>, bool),
    python: bool,
) -> bool {
    let find = |program: &str| {
        report.files.iter().find(|line| {
            let folder = line.path.strip_suffix(program);
            matches!(
                folder,
                Some("/bin/" | "/sbin/" | "/usr/bin/" | "/usr/sbin/")
            )
        })
    };
    let mut wanted = vec!["sh", "tar", "mkdir", "rm"];
    if !dpkg.is_empty() || *apk {
        wanted.push("awk");
    }
    if python {
        wanted.extend(["chroot", "sed", "tr", "xargs"]);
    }
    let gnu = |line: &FileLine| line.package.as_deref() == Some("tar");
    wanted.iter().all(|program| find(program).is_some())
        && (!attributes || find("tar").is_some_and(gnu))
}

/// Names go through lists of lines and a shell.
fn check_name(path: &ImagePath) -> Result<(), RecipeError> {
    let why = match path.as_str() {
        None => "it is not UTF-8",
        Some(text) if text.chars().any(char::is_control) => "it has control characters",
        Some(_) => return Ok(()),
    };
    Err(RecipeError::Name {
        path: path.to_string(),
        why,
    })
}

#[cfg(test)]
mod tests;
