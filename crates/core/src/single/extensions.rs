//! Extension modules of Python packages, compiled from their source
//! distributions into objects that a static executable can be linked from.
//!
//! A build of any kind runs as it always does (uv, the package's own backend);
//! only the compilers are stood in for, by `record.py`, which leaves a relocatable
//! object wherever the build wants an extension module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};
use whit_oci::Digest;
use whit_sandbox::{Mount, disk_owner};

use super::Libc;
use crate::progress::Progress;
use crate::source::python_deps::{
    Failure, InstallError, Pin, PinSource, SourceRequest, SourceShop, Step, list_text, shelve,
    used_in_builds,
};

/// Counts up when the same sources give other objects than before.
const FORMAT: u32 = 1;

/// The stand-in for the compilers.
const RECORD: &str = include_str!("extensions/record.py");

/// C++ is compiled for glibc even where the rest is musl's: this stands between,
/// wherever an object needs `stdc++` in a link with musl (`kit/link.sh`).
pub const CXX_ON_MUSL: &str = include_str!("extensions/cxx_on_musl.c");

/// Every function and variable in a section of its own, so that the last link
/// leaves out what nothing calls; addresses are known when it is done.
const FLAGS: &str = "-g0 -pipe -fno-pic -fno-pie -ffunction-sections -fdata-sections \
     -fno-builtin-strlen -fno-builtin-memcmp -fno-builtin-strcmp";

/// C++ unwinds by its tables; nothing else does.
const C_FLAGS: &str = "-fno-asynchronous-unwind-tables -fno-unwind-tables";

/// Where earlier results of the forge lie inside.
const KITS: &str = "/whit/kits";

/// What is to be compiled, where, and for what.
pub struct Order<'a> {
    pub distributions: &'a [Distribution<'a>],
    pub libc: Libc,
    /// `-Os`, or what else all code is optimized for.
    pub optimization: &'a str,
    /// Folders with `include` (and there `python3.11`) and `lib`: the
    /// interpreter's headers, and the libraries that modules may use. Their
    /// names in the cache say what is in them.
    pub kits: &'a [PathBuf],
    /// Folders of a root with compilers, the interpreter and pip, the bottom one
    /// first.
    pub lowers: &'a [PathBuf],
    /// Names that root.
    pub root_key: &'a str,
    /// `/usr/bin/python3.11`, of the root.
    pub interpreter: &'a str,
    /// Debian's name of the processor.
    pub architecture: &'a str,
    /// Package indexes that the project names.
    pub indexes: &'a [String],
    /// What builds are held to, from whit.lock.
    pub build: &'a [Pin],
    /// whit's cache folder.
    pub cache: &'a Path,
    /// The invoking user's environment.
    pub environment: &'a BTreeMap<String, String>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a AtomicBool,
}

/// An installed distribution whose extension modules the app keeps.
#[derive(Debug, Clone)]
pub struct Distribution<'a> {
    pub pin: &'a Pin,
    /// Their paths below `site-packages`:
    /// `yaml/_yaml.cpython-311-x86_64-linux-gnu.so`.
    pub modules: Vec<String>,
}

/// What became of a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// One per module that was asked for, in that order.
    pub objects: Vec<Object>,
    /// What it was built from, with the hash of the archive: for whit.lock.
    pub source: Pin,
    /// What the build used, `name==version`: for whit.lock, too.
    pub build: BTreeSet<String>,
}

/// An extension module as an object file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The path that was asked for.
    pub module: String,
    /// The function to call in the place of `PyInit_…`, and the only name that
    /// the object gives to others.
    pub symbol: String,
    /// In whit's cache.
    pub file: PathBuf,
    /// What it has to be linked with: `yaml` for `-lyaml`.
    pub libraries: Vec<String>,
}

/// Why a distribution cannot be linked, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlinkable {
    #[error("{name} has no source distribution at this version")]
    NoSource { name: String },
    #[error("{name} does not come from an index, so that there is no source distribution of it")]
    Foreign { name: String },
    #[error("{name} is written in Rust")]
    Rust { name: String },
    #[error("{name} is written in C++ that needs glibc")]
    Cxx { name: String },
    /// A library that is in no kit yet, or a program that the root lacks.
    #[error("{name} needs what Debian has in {}: {because}", packages.join(", "))]
    Lacks {
        name: String,
        packages: Vec<String>,
        because: String,
    },
    #[error("{name} does not build from its source distribution: {because}")]
    Build { name: String, because: String },
    #[error(
        "the source distribution of {name} makes no {module}{}",
        after(because)
    )]
    NotMade {
        name: String,
        module: String,
        because: Option<String>,
    },
    #[error("{name} cannot be linked: {because}")]
    Odd { name: String, because: String },
}

fn after(because: &Option<String>) -> String {
    let text = because.as_ref().map(|because| format!(": {because}"));
    text.unwrap_or_default()
}

/// What the stand-in says of one file of the built wheel.
#[derive(Debug, Clone, Deserialize)]
struct Found {
    module: String,
    symbol: Option<String>,
    file: Option<String>,
    #[serde(default)]
    libraries: Vec<String>,
    reason: Option<String>,
}

/// Kept beside the objects.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    source: Pin,
    build: BTreeSet<String>,
    /// What the log says of a module that the build went without.
    given_up: Option<String>,
}

/// Compiles what is not in the cache yet, one distribution after the other. An
/// error is what no other source distribution would be spared either.
pub fn compile(
    order: &Order<'_>,
) -> Result<BTreeMap<String, Result<Compiled, Unlinkable>>, InstallError> {
    let mut shop = None;
    let mut all = BTreeMap::new();
    for distribution in order.distributions {
        let name = distribution.pin.name.clone();
        let compiled = match one(order, distribution.pin, &mut shop)? {
            Ok(folder) => choose(&folder, distribution)?,
            Err(unlinkable) => Err(unlinkable),
        };
        all.insert(name, compiled);
    }
    Ok(all)
}

/// The folder with everything that a distribution builds.
fn one<'a>(
    order: &Order<'a>,
    pin: &Pin,
    shop: &mut Option<SourceShop<'a>>,
) -> Result<Result<PathBuf, Unlinkable>, InstallError> {
    if !matches!(pin.source, PinSource::Index | PinSource::Git { .. }) {
        let name = pin.name.clone();
        return Ok(Err(Unlinkable::Foreign { name }));
    }
    let shelf = order.cache.join("extensions");
    let wanted = shelf.join(key(order, pin));
    if wanted.is_dir() {
        // The same path as when it was made, whatever it is called here.
        let place = fs::canonicalize(&wanted).map_err(io("reading", &wanted))?;
        return Ok(Ok(place));
    }
    let phase = format!("compiling {}", pin.name);
    order.progress.phase(&phase, None);
    let shop = match shop {
        Some(shop) => shop,
        None => shop.insert(open(order)?),
    };
    match build(order, pin, shop) {
        Ok((made, source)) => {
            let exact = shelf.join(key(order, &source));
            shelve(made, &exact)?;
            link(&wanted, &exact)?;
            Ok(Ok(exact))
        }
        Err(failure) => read(failure, &pin.name, order.libc).map(Err),
    }
}

fn open<'a>(order: &Order<'a>) -> Result<SourceShop<'a>, InstallError> {
    let request = SourceRequest {
        lowers: order.lowers,
        interpreter: order.interpreter,
        architecture: order.architecture,
        indexes: order.indexes,
        cache: order.cache,
        uv_cache: format!("uv-objects-{}", &surroundings(order)[..16]),
        environment: order.environment,
        cancel: order.cancel,
    };
    SourceShop::new(&request).map_err(|failure| match failure {
        Failure::Error(error) => error,
        Failure::Lacks { because, .. } => InstallError::Failed {
            step: "setting up uv",
            message: because,
        },
    })
}

fn build(
    order: &Order<'_>,
    pin: &Pin,
    shop: &SourceShop<'_>,
) -> Result<(tempfile::TempDir, Pin), Failure> {
    let source = shop.locate(pin)?;
    let hard = Failure::Error;
    let record = shop.input("record.py", RECORD).map_err(hard)?;
    let (tree, _) = shop.folder(&format!("{}-tree", pin.name)).map_err(hard)?;
    let (out, host) = shop
        .folder(&format!("{}-objects", pin.name))
        .map_err(hard)?;
    let mut step = Step {
        before: [order.interpreter, "-IS", &record, "build", &tree, &out]
            .map(str::to_owned)
            .to_vec(),
        target: tree,
        variables: variables(order),
        ..Step::default()
    };
    for (number, kit) in order.kits.iter().enumerate() {
        step.mounts.push(Mount {
            host: kit.clone(),
            inside: format!("{KITS}/{number}").into(),
            read_only: true,
        });
    }
    let log = shop.build(&source, order.build, step)?;
    let made = Made {
        source: source.clone(),
        build: used_in_builds(&log),
        given_up: error_line(&log).map(str::to_owned),
    };
    let folder = keep(order.cache, &host, &made).map_err(hard)?;
    Ok((folder, source))
}

/// How the compilers are told what to compile for.
fn variables(order: &Order<'_>) -> Vec<(&'static str, String)> {
    let python = Path::new(order.interpreter).file_name().unwrap_or_default();
    let mut includes = Vec::new();
    let mut libraries = Vec::new();
    for (number, kit) in order.kits.iter().enumerate() {
        for folder in [Path::new("include").join(python), PathBuf::from("include")] {
            if kit.join(&folder).is_dir() {
                includes.push(format!("{KITS}/{number}/{}", folder.display()));
            }
        }
        if kit.join("lib").is_dir() {
            libraries.push(format!("{KITS}/{number}/lib"));
        }
    }
    let mut variables = vec![
        ("WHIT_FLAGS", format!("{} {FLAGS}", order.optimization)),
        ("WHIT_C_FLAGS", C_FLAGS.to_owned()),
        ("WHIT_INCLUDES", includes.join(":")),
        ("WHIT_LIBRARIES", libraries.join(":")),
    ];
    variables.extend(match order.libc {
        Libc::Musl => vec![
            ("WHIT_CC", "/usr/bin/musl-gcc".to_owned()),
            ("WHIT_MUSL", "1".to_owned()),
        ],
        Libc::Glibc => vec![
            ("WHIT_CC", "/usr/bin/gcc".to_owned()),
            ("WHIT_CXX", "/usr/bin/g++".to_owned()),
        ],
    });
    variables
}

/// Everything but the distribution that decides about the objects.
fn surroundings(order: &Order<'_>) -> String {
    let kits: Vec<_> = order.kits.iter().map(|kit| kit.file_name()).collect();
    let text = format!(
        "{FORMAT}\n{:?}\n{:?}\n{}\n{kits:?}\n{}\n{:?}\n{}",
        // Whoever runs whit owns the files.
        disk_owner(0, 0),
        order.libc,
        order.root_key,
        order.interpreter,
        variables(order),
        Digest::of(RECORD.as_bytes()),
    );
    Digest::of(text.as_bytes()).hex()
}

fn key(order: &Order<'_>, pin: &Pin) -> String {
    let text = format!(
        "{}\n{}\n{}",
        surroundings(order),
        list_text([pin], ""),
        list_text(order.build, ""),
    );
    Digest::of(text.as_bytes()).hex()
}

fn io(doing: &str, path: &Path) -> impl FnOnce(std::io::Error) -> InstallError {
    let context = format!("{doing} {}", path.display());
    move |source| InstallError::Io { context, source }
}

/// Another name for a finished folder: the key of what was asked for, before
/// the hash of the source archive was known.
fn link(name: &Path, folder: &Path) -> Result<(), InstallError> {
    if name == folder || name.symlink_metadata().is_ok() {
        return Ok(());
    }
    match std::os::unix::fs::symlink(folder.file_name().unwrap_or_default(), name) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(io("linking", name)(error))
        }
        _ => Ok(()),
    }
}

/// A folder of its own for what the stand-in left.
fn keep(cache: &Path, objects: &Path, made: &Made) -> Result<tempfile::TempDir, InstallError> {
    let tmp = cache.join("tmp");
    let folder = tempfile::Builder::new()
        .prefix("extensions-")
        .tempdir_in(&tmp)
        .map_err(io("making a folder in", &tmp))?;
    let entries = fs::read_dir(objects).map_err(io("reading", objects))?;
    for entry in entries {
        let from = entry.map_err(io("reading", objects))?.path();
        let to = folder.path().join(from.file_name().unwrap_or_default());
        fs::copy(&from, &to).map_err(io("copying", &from))?;
    }
    let note = folder.path().join("made.json");
    let text = serde_json::to_string(made).unwrap_or_default();
    fs::write(&note, text).map_err(io("writing", &note))?;
    Ok(folder)
}

/// The objects of the modules that the app keeps.
fn choose(
    folder: &Path,
    distribution: &Distribution<'_>,
) -> Result<Result<Compiled, Unlinkable>, InstallError> {
    fn parsed<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, InstallError> {
        let text = fs::read_to_string(path).map_err(io("reading", path))?;
        serde_json::from_str(&text).map_err(|error| io("reading", path)(error.into()))
    }
    let found: Vec<Found> = parsed(&folder.join("objects.json"))?;
    let made: Made = parsed(&folder.join("made.json"))?;
    let objects = distribution
        .modules
        .iter()
        .map(|module| object(folder, &distribution.pin.name, module, &found, &made))
        .collect::<Result<_, _>>();
    Ok(objects.map(|objects| Compiled {
        objects,
        source: made.source,
        build: made.build,
    }))
}

fn object(
    folder: &Path,
    name: &str,
    module: &str,
    found: &[Found],
    made: &Made,
) -> Result<Object, Unlinkable> {
    let name = name.to_owned();
    let same = |found: &&Found| stem(&found.module) == stem(module);
    let Some(found) = found.iter().find(same) else {
        return Err(Unlinkable::NotMade {
            name,
            module: module.to_owned(),
            because: made.given_up.clone(),
        });
    };
    let (Some(symbol), Some(file)) = (&found.symbol, &found.file) else {
        let because = found.reason.clone().unwrap_or_default();
        return Err(Unlinkable::Odd { name, because });
    };
    Ok(Object {
        module: module.to_owned(),
        symbol: symbol.clone(),
        file: folder.join(file),
        libraries: found.libraries.clone(),
    })
}

/// A module's path without the tags of its interpreter: a wheel of an index may
/// be for the stable ABI where the one that was built here is not.
fn stem(module: &str) -> (&str, &str) {
    let (folder, file) = module.rsplit_once('/').unwrap_or(("", module));
    (folder, file.split_once('.').map_or(file, |(stem, _)| stem))
}

/// What a failure says about this distribution alone; anything else is an
/// error.
fn read(failure: Failure, name: &str, libc: Libc) -> Result<Unlinkable, InstallError> {
    let name = name.to_owned();
    let error = match failure {
        Failure::Lacks { packages, because } => {
            let is_rust = packages.iter().any(|package| package == "cargo");
            return Ok(match is_rust {
                true => Unlinkable::Rust { name },
                false => Unlinkable::Lacks {
                    name,
                    packages,
                    because: because.trim_start_matches("DEBUG ").to_owned(),
                },
            });
        }
        Failure::Error(error) => error,
    };
    match error {
        InstallError::Unsatisfiable { .. } => Ok(Unlinkable::NoSource { name }),
        InstallError::Build { message, .. } | InstallError::Failed { message, .. } => {
            let because = telling(&message);
            let is_rust = [": cargo", "rustup", "maturin"]
                .iter()
                .any(|word| because.contains(word));
            Ok(if because == NO_CXX {
                Unlinkable::Lacks {
                    name,
                    packages: vec!["g++".to_owned()],
                    because,
                }
            } else if libc == Libc::Musl && because.contains("/c++/") {
                // The first complaint is about a header of C++'s own library.
                Unlinkable::Cxx { name }
            } else if is_rust {
                Unlinkable::Rust { name }
            } else {
                Unlinkable::Build { name, because }
            })
        }
        error => Err(error),
    }
}

/// What the stand-in says then.
const NO_CXX: &str = "there is no compiler for C++";

/// The line of a failed build that tells most.
fn telling(output: &str) -> String {
    let mut lines = output.lines().rev().map(str::trim);
    let last = || lines.find(|line| !line.is_empty() && !line.starts_with("hint:"));
    let line = error_line(output).or_else(last);
    line.unwrap_or("it says nothing").to_owned()
}

/// What the stand-in or a compiler complains of first.
fn error_line(output: &str) -> Option<&str> {
    let mut lines = output
        .lines()
        .map(|line| line.trim_start_matches("DEBUG ").trim());
    lines.find_map(|line| match line.strip_prefix("whit: ") {
        Some(own) => Some(own),
        None => [": error: ", ": fatal error: "]
            .iter()
            .any(|mark| line.contains(mark))
            .then_some(line),
    })
}

#[cfg(test)]
mod tests;
