//! Where executables are made: a root of Debian's compilers, in the sandbox and
//! without a network. What came out is kept by all that went in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use whit_oci::Digest;
use whit_sandbox::{
    Command, Exit, GivenUp, Mount, Network, Running, Spec, Stdin, Upper, disk_owner,
};

use crate::pipeline::Tools;
use crate::source::debian::{
    self, Assembled, Desk, Held, Indexes, LockedSource, Mirror, Obtained, SourceFiles,
    SourceIndexes, SourceWanted, Suite,
};
use crate::source::python_deps::{InstallError, Pin, give, shelve};

/// Counts up when the same scripts leave something else than before.
const FORMAT: u32 = 1;
/// The longest job compiles OpenSSL: minutes.
const LIMIT: Duration = Duration::from_secs(60 * 60);
const TICK: Duration = Duration::from_millis(20);
/// Compilers keep their temporary files in memory.
const MEMORY: u64 = 2 << 30;
/// An index that was fetched less than this many seconds ago is good.
const INDEX_AGE: i64 = 3600;

/// What every root of the forge has.
const TOOLS: [&str; 3] = ["binutils", "dpkg-dev", "musl-tools"];

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    #[error("interrupted")]
    Interrupted,
    #[error(transparent)]
    Debian(#[from] debian::Error),
    #[error(transparent)]
    Sandbox(#[from] whit_sandbox::Error),
    #[error("{doing}: {cause}")]
    Io {
        doing: String,
        cause: std::io::Error,
    },
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error("{phase} did not end within {} minutes", LIMIT.as_secs() / 60)]
    Timeout { phase: String },
    /// The compiler, the linker or a script of the kit said no.
    #[error("{phase} failed: {last}")]
    Failed {
        phase: String,
        /// The line that tells most.
        last: String,
        output: String,
    },
}

impl ForgeError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ForgeError::Debian(error) => error.hint(),
            ForgeError::Sandbox(error) => error.hint(),
            ForgeError::Install(error) => error.hint(),
            _ => None,
        }
    }
}

fn io(doing: String) -> impl FnOnce(std::io::Error) -> ForgeError {
    move |cause| ForgeError::Io { doing, cause }
}

/// The place, and from where its tools come.
pub struct Forge<'a> {
    pub mirror: &'a Mirror,
    pub desk: Desk<'a>,
    pub suite: Suite,
    pub architecture: &'a str,
    pub supplies: Supplies<'a>,
    pub memory: Memory,
}

/// What need not be found out again for each job.
#[derive(Default)]
pub struct Memory {
    indexes: OnceLock<Indexes>,
    sources: OnceLock<SourceIndexes>,
    roots: Mutex<BTreeMap<Vec<String>, Arc<Assembled>>>,
    /// Source packages that were used, each with the newest version that the
    /// index has, if the mirror lacks its files.
    used: Mutex<BTreeMap<String, (LockedSource, Option<String>)>>,
    /// What went into the executable that is being made.
    ingredients: Mutex<BTreeSet<Ingredient>>,
}

/// A source package of Debian that an executable is made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ingredient {
    pub source: String,
    pub version: String,
    /// A newer version, which the mirror has no sources of.
    pub newest: Option<String>,
}

impl Memory {
    /// The source packages that were used, by name.
    pub fn sources(&self) -> Vec<LockedSource> {
        let used = locked(&self.used);
        used.values().map(|(source, _)| source.clone()).collect()
    }

    /// The interpreter's packages, held at the version that can be compiled if
    /// that is not the newest: an interpreter and a library of two versions do
    /// not belong together.
    pub fn hold_python(
        &self,
        mirror: &Mirror,
        suite: Suite,
        desk: Desk<'_>,
    ) -> debian::Result<Option<Held>> {
        let source = format!("python{}", suite.python());
        let known = locked(&self.used).get(&source).cloned();
        let (compiled, newest) = match known {
            Some(known) => known,
            None => {
                let obtained = self.obtain(&source, mirror, suite, desk)?;
                let newest = obtained.passed_over.first().cloned();
                if let Some(newest) = &newest {
                    desk.progress.note(&format!(
                        "taking {source} {}, for the mirror lacks the sources of {newest}",
                        obtained.source.version
                    ));
                }
                (obtained.source, newest)
            }
        };
        Ok(newest.map(|_| Held {
            source,
            version: compiled.version,
        }))
    }

    /// The newest source package that the mirror has in whole.
    fn obtain(
        &self,
        name: &str,
        mirror: &Mirror,
        suite: Suite,
        desk: Desk<'_>,
    ) -> debian::Result<Obtained> {
        let indexes = match self.sources.get() {
            Some(indexes) => indexes,
            None => {
                desk.progress.phase("reading indexes of sources", None);
                let indexes = debian::load_source_indexes(mirror, suite, INDEX_AGE, desk)?;
                self.sources.get_or_init(|| indexes)
            }
        };
        let wanted = [SourceWanted::newest(name)];
        let obtained = debian::obtain_sources(indexes, &wanted, mirror, desk)?.swap_remove(0);
        let newest = obtained.passed_over.first().cloned();
        locked(&self.used).insert(name.to_owned(), (obtained.source.clone(), newest));
        Ok(obtained)
    }

    /// Notes what goes into the executable that is being made.
    pub fn add(&self, ingredient: Ingredient) {
        locked(&self.ingredients).insert(ingredient);
    }

    /// What went into it since this was asked the last time.
    pub fn take_ingredients(&self) -> BTreeSet<Ingredient> {
        std::mem::take(&mut *locked(&self.ingredients))
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From where source distributions of Python packages come.
#[derive(Clone, Copy)]
pub struct Supplies<'a> {
    /// What is installed, exactly.
    pub pins: &'a [Pin],
    /// What builds are held to.
    pub build: &'a [Pin],
    /// Package indexes that the project names.
    pub indexes: &'a [String],
    /// The invoking user's environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Debian's source packages that the lock names.
    pub sources: &'a [LockedSource],
}

/// One script and what it needs.
pub struct Job<'a> {
    /// `compiling OpenSSL`, for the terminal.
    pub phase: String,
    /// Debian packages besides the usual ones.
    pub packages: Vec<&'a str>,
    /// Source packages of Debian; they lie in `$SOURCES`.
    pub sources: Vec<&'a str>,
    /// Results of earlier jobs; they lie in `$KIT`, one over the other.
    pub kits: Vec<PathBuf>,
    /// Files that lie in `$IN`, by name.
    pub inputs: BTreeMap<String, Vec<u8>>,
    pub variables: Vec<(&'a str, String)>,
    pub script: String,
}

/// Brings earlier results together before a script begins.
const PREAMBLE: &str = "\
export SOURCES=/whit/sources IN=/whit/in OUT=/whit/out KIT=/whit/work/kit WORK=/whit/work/build TMPDIR=/whit/work
mkdir -p \"$KIT\" \"$WORK\"
for kit in /whit/kits/*; do [ ! -d \"$kit\" ] || cp -r \"$kit\"/. \"$KIT\"/; done
";

impl Forge<'_> {
    /// Runs a job, or finds what it left the last time: the folder that was
    /// its `$OUT`.
    pub fn make(&self, job: &Job<'_>, tools: &Tools<'_>) -> Result<PathBuf, ForgeError> {
        let root = self.root(&job.packages, tools)?;
        let sources = self.sources(&job.sources)?;
        let key = self.key(job, &root, &sources);
        let shelf = tools
            .cache
            .kits()
            .map_err(io("making a folder".to_owned()))?;
        let place = shelf.join(&key);
        if place.is_dir() {
            return Ok(place);
        }
        // Somebody else may be at it: what takes minutes is done once.
        let _turn = turn(&shelf.join("locks"), &key, tools)?;
        if place.is_dir() {
            return Ok(place);
        }
        tools.progress.phase(&job.phase, None);
        let made = self.run(job, &root, &sources, &shelf, tools)?;
        shelve(made, &place)?;
        Ok(place)
    }

    /// A root with compilers, Python, pip and these packages.
    pub fn root(&self, packages: &[&str], tools: &Tools<'_>) -> Result<Arc<Assembled>, ForgeError> {
        let mut more: Vec<String> = packages.iter().map(|name| (*name).to_owned()).collect();
        more.sort();
        let roots = &self.memory.roots;
        if let Some(known) = locked(roots).get(&more) {
            return Ok(known.clone());
        }
        let mut wanted = debian::common_packages();
        wanted.extend(debian::python_packages(self.suite));
        wanted.extend(debian::build_packages(self.suite));
        wanted.extend(debian::compiler_packages(self.suite));
        wanted.extend(TOOLS);
        wanted.extend(packages);
        let indexes = match self.memory.indexes.get() {
            Some(indexes) => indexes,
            None => {
                tools.progress.phase("reading package indexes", None);
                let indexes = debian::load_indexes(
                    self.mirror,
                    self.suite,
                    self.architecture,
                    INDEX_AGE,
                    self.desk,
                )?;
                self.memory.indexes.get_or_init(|| indexes)
            }
        };
        let debs = debian::lock(indexes.resolve(&wanted)?);
        let root = debian::assemble(&debs, self.architecture, self.mirror, self.desk)?;
        let root = Arc::new(root);
        locked(roots).insert(more, root.clone());
        Ok(root)
    }

    /// Notes that a static library of one of Debian's packages goes in; it has
    /// to be in a root that was used.
    pub fn add_library_of(&self, package: &str) {
        let start = format!("Package: {package}\n");
        let roots = locked(&self.memory.roots);
        let built_from = roots.values().find_map(|root| {
            let status = fs::read_to_string(root.dir.join("var/lib/dpkg/status")).ok()?;
            let mut paragraphs = status.split("\n\n");
            SourceWanted::of_binary(paragraphs.find(|one| one.starts_with(&start))?)
        });
        if let Some(SourceWanted { name, version }) = built_from {
            self.memory.add(Ingredient {
                source: name,
                version: version.unwrap_or_default(),
                newest: None,
            });
        }
    }

    /// The version of a source package that is compiled here.
    pub fn source_version(&self, name: &str) -> Result<String, ForgeError> {
        Ok(self.source(name)?.version)
    }

    fn sources(&self, names: &[&str]) -> Result<Vec<SourceFiles>, ForgeError> {
        names
            .iter()
            .map(|name| {
                let files = self.source(name)?;
                let used = locked(&self.memory.used);
                self.memory.add(Ingredient {
                    source: files.name.clone(),
                    version: files.version.clone(),
                    newest: used.get(*name).and_then(|(_, newest)| newest.clone()),
                });
                Ok(files)
            })
            .collect()
    }

    /// The files of a source package, checked by hash: as the lock has them,
    /// else the newest that there are.
    fn source(&self, name: &str) -> Result<SourceFiles, ForgeError> {
        let used = || locked(&self.memory.used);
        let known = used().get(name).map(|(source, _)| source.clone());
        let in_lock = || {
            let mut sources = self.supplies.sources.iter();
            sources.find(|source| source.name == name).cloned()
        };
        if let Some(source) = known.or_else(in_lock) {
            used()
                .entry(name.to_owned())
                .or_insert_with(|| (source.clone(), None));
            let mut files = debian::fetch_sources(&[source], self.mirror, self.desk)?;
            return Ok(files.swap_remove(0));
        }
        let obtained = self
            .memory
            .obtain(name, self.mirror, self.suite, self.desk)?;
        Ok(obtained.files)
    }

    fn key(&self, job: &Job<'_>, root: &Assembled, sources: &[SourceFiles]) -> String {
        let names = |paths: &[PathBuf]| -> Vec<String> {
            let names = paths.iter().filter_map(|path| path.file_name());
            names
                .map(|name| name.to_string_lossy().into_owned())
                .collect()
        };
        let inputs: Vec<_> = job
            .inputs
            .iter()
            .map(|(name, bytes)| (name, Digest::of(bytes)))
            .collect();
        let text = format!(
            "{FORMAT}\n{:?}\n{}\n{:?}\n{:?}\n{inputs:?}\n{:?}\n{PREAMBLE}{}",
            // Whoever runs whit owns the files.
            disk_owner(0, 0),
            root.key,
            sources
                .iter()
                .flat_map(|source| &source.files)
                .collect::<Vec<_>>(),
            names(&job.kits),
            job.variables,
            job.script,
        );
        Digest::of(text.as_bytes()).hex()
    }

    fn run(
        &self,
        job: &Job<'_>,
        root: &Assembled,
        sources: &[SourceFiles],
        shelf: &Path,
        tools: &Tools<'_>,
    ) -> Result<tempfile::TempDir, ForgeError> {
        let draft = |name: &str| {
            tempfile::Builder::new()
                .prefix(&format!(".tmp-{name}-"))
                .tempdir_in(shelf)
                .map_err(io(format!("making a folder in {}", shelf.display())))
        };
        let out = draft("out")?;
        let scratch = draft("work")?;
        let mut mounts = Vec::new();
        let mut mount = |host: &Path, inside: String, read_only| {
            mounts.push(Mount {
                host: host.to_owned(),
                inside: inside.into(),
                read_only,
            });
        };
        for name in ["in", "sources", "work"] {
            let folder = scratch.path().join(name);
            fs::create_dir(&folder).map_err(io(format!("making {}", folder.display())))?;
            give(&folder)?;
            mount(&folder, format!("/whit/{name}"), name != "work");
        }
        give(out.path())?;
        mount(out.path(), "/whit/out".to_owned(), false);
        for (number, kit) in job.kits.iter().enumerate() {
            mount(kit, format!("/whit/kits/{number}"), true);
        }
        for (name, bytes) in &job.inputs {
            let place = scratch.path().join("in").join(name);
            write(&place, bytes)?;
        }
        for source in sources {
            source.copy_into(&scratch.path().join("sources"))?;
        }
        let script = format!("{PREAMBLE}{}", job.script);
        let fixed = [
            (
                "PATH",
                "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned(),
            ),
            ("HOME", "/whit/work".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            (
                "JOBS",
                std::thread::available_parallelism()
                    .map_or(1, usize::from)
                    .to_string(),
            ),
            ("SOURCE_DATE_EPOCH", "315532800".to_owned()),
        ];
        let env = fixed
            .iter()
            .chain(&job.variables)
            .map(|(name, value)| ((*name).into(), value.into()))
            .collect();
        let spec = Spec {
            lowers: vec![root.dir.clone()],
            upper: Upper::Memory { max_bytes: MEMORY },
            mounts,
            network: Network::Private,
            hostname: "whit".to_owned(),
            max_processes: 4096,
            emulator: None,
        };
        let command = Command {
            argv: ["/bin/sh", "-e", "-c", &script].map(Into::into).to_vec(),
            env,
            cwd: "/whit/work".into(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            stdin: Stdin::Null,
            trace: false,
        };
        let running = Running::start(&spec, &command)?;
        let outcome =
            running
                .finish_within(LIMIT, tools.cancel)?
                .map_err(|given_up| match given_up {
                    GivenUp::Cancelled => ForgeError::Interrupted,
                    GivenUp::TooLong => ForgeError::Timeout {
                        phase: job.phase.clone(),
                    },
                })?;
        let _ = crate::workspace::remove_tree(scratch.path());
        if outcome.exit == Exit::Code(0) {
            return Ok(out);
        }
        let output = outcome.text();
        Err(ForgeError::Failed {
            phase: job.phase.clone(),
            last: telling(&output),
            output,
        })
    }
}

/// Waits until nobody else makes the same; the kernel gives the turn back with
/// the file.
fn turn(folder: &Path, key: &str, tools: &Tools<'_>) -> Result<fs::File, ForgeError> {
    let place = folder.join(key);
    let context = || format!("locking {}", place.display());
    fs::create_dir_all(folder).map_err(io(context()))?;
    let file = fs::File::create(&place).map_err(io(context()))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(TICK),
            Err(error) => return Err(io(context())(error.into())),
        }
        if tools.cancel.load(Ordering::Relaxed) {
            return Err(ForgeError::Interrupted);
        }
    }
}

/// The line of a failed build that tells most: the first error of a compiler,
/// or what the linker says before `collect2` only counts.
fn telling(output: &str) -> String {
    let lines = || {
        output
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let marks = [
        "error:",
        "undefined reference",
        "multiple definition",
        "cannot find -l",
    ];
    let is_error = |line: &&str| {
        marks.iter().any(|mark| line.contains(mark)) && !line.starts_with("collect2:")
    };
    let error = lines().find(is_error);
    error
        .or(lines().next_back())
        .unwrap_or("it said nothing")
        .to_owned()
}

fn write(place: &Path, bytes: &[u8]) -> Result<(), ForgeError> {
    let context = || format!("writing {}", place.display());
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).map_err(io(context()))?;
    }
    fs::write(place, bytes).map_err(io(context()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_by_the_line_that_says_why() {
        let count = "collect2: error: ld returned 1 exit status\n";
        for (output, told) in [
            (
                "/usr/bin/ld: a.o: in function `f':\na.c:(.text+0x0): multiple definition of `g'\n",
                "a.c:(.text+0x0): multiple definition of `g'",
            ),
            (
                "a.c:1:2: error: no\nb.c:3:4: error: never\n",
                "a.c:1:2: error: no",
            ),
            ("", "collect2: error: ld returned 1 exit status"),
        ] {
            assert_eq!(telling(&format!("begun\n{output}{count}\n")), told);
        }
        assert_eq!(telling("\n"), "it said nothing");
    }
}
