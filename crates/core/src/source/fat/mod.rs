//! `whit build`'s source: the fat root of a project, from Debian packages or
//! a base image, what its language makes of it, and its own files.

mod craft;
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::FatRoot;
use super::assembly::{self, AssemblyError, Parts, Runtime};
use super::base::Base;
use super::craft::CraftError;
use super::debian::{self, Assembled, Desk, LockedDeb, Mirror, Suite};
use super::project::{Detected, Language, Project};
use super::python_deps::{self, InstallError, Pinned};
use crate::lock::{Basis, Lock, LockError};
use crate::pipeline::{Stopwatch, Tools};

/// What a fat root is made from.
pub struct Recipe<'a> {
    pub project: &'a Project,
    /// Debian's name of the architecture.
    pub architecture: &'a str,
    /// The invoking user's environment, for uv and pip.
    pub environment: &'a BTreeMap<String, String>,
    /// Where the lock is, or will be.
    pub lock: &'a Path,
    /// Refuse a lock that is missing or does not fit.
    pub locked: bool,
    /// `SOURCE_DATE_EPOCH`, or the time of day: the date of a new lock.
    pub date: i64,
    /// Files in the project's folder that are whit's business and not part of
    /// the app.
    pub foreign: &'a [PathBuf],
}

/// What the project stands on.
pub enum Foundation<'a> {
    Debian(Larder<'a>),
    Base(Box<Base>),
}

/// Where Debian packages come from.
#[derive(Clone, Copy)]
pub struct Larder<'a> {
    pub mirror: &'a Mirror,
    pub desk: Desk<'a>,
    /// Those that the user names for builds of dependencies.
    pub build_packages: &'a [String],
    /// A Python app's runtime, in the place of what whit itself starts from.
    pub runtime: Option<&'a [&'static str]>,
    /// Asked where packages are chosen anew: what is to stay at a version.
    pub hold: Option<&'a Hold<'a>>,
}

pub type Hold<'a> = dyn Fn() -> debian::Result<Option<debian::Held>> + 'a;

/// A fat root, and what it was made from.
#[derive(Debug)]
pub struct Cooked {
    pub root: FatRoot,
    pub lock: Lock,
    /// The lock is new and not written yet.
    pub lock_is_new: bool,
    /// What was found out on the way.
    pub detected: Vec<Detected>,
    pub warnings: Vec<String>,
}

/// Why there is no fat root.
#[derive(Debug, thiserror::Error)]
pub enum CookError {
    #[error(transparent)]
    Debian(#[from] debian::Error),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    Craft(#[from] CraftError),
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    #[error(transparent)]
    Suite(#[from] debian::UnknownSuite),
    #[error("cannot write to whit's own folders: {0}")]
    Io(#[from] std::io::Error),
    /// No set of compilers was enough.
    #[error("a dependency does not build, whatever is installed for it: {0}")]
    Unbuildable(String),
    #[error("the base {base} lacks {}: {because}", packages.join(", "))]
    BaseLacks {
        base: String,
        packages: Vec<String>,
        because: String,
    },
}

impl CookError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            CookError::Debian(error) => error.hint(),
            CookError::Lock(error) => error.hint(),
            CookError::Install(error) => error.hint(),
            CookError::Craft(error) => error.hint(),
            CookError::Unbuildable(_) => {
                Some("name the Debian package that it needs: --build-package NAME".to_owned())
            }
            CookError::BaseLacks { packages, .. } if *packages == python_deps::FETCHES_UV => {
                Some("install uv on this machine, or pip in the base".to_owned())
            }
            CookError::BaseLacks { packages, .. } => Some(format!(
                "install in the base what Debian calls {}, take a version that has wheels, or leave --base away: whit then adds what builds need, outside of the image",
                packages.join(" ")
            )),
            CookError::Assembly(AssemblyError::Project(error)) => error.hint(),
            _ => None,
        }
    }
}

/// Seconds for which a package index is taken as it was fetched.
const INDEX_AGE: i64 = 3600;
/// Rounds of adding packages that a build asks for.
const MAX_BUILD_ROUNDS: usize = 4;

/// Puts the runtime and what the language makes of the project together, and
/// lays the app on top.
pub fn cook(
    recipe: &Recipe<'_>,
    foundation: Foundation<'_>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Cooked, CookError> {
    let basis = basis(recipe, &foundation);
    let known = Lock::fitting(recipe.lock, &basis, recipe.locked)?;
    let stock = match (&recipe.project.language, foundation) {
        (Language::Python(app), Foundation::Debian(larder)) => {
            let kitchen = Kitchen::new(recipe, larder, known.as_ref())?;
            python::on_debian(&kitchen, app, tools, watch)?
        }
        (Language::Python(app), Foundation::Base(base)) => {
            python::on_base(recipe, app, *base, known.as_ref(), tools, watch)?
        }
        (Language::Other(craft), Foundation::Debian(larder)) => {
            let kitchen = Kitchen::new(recipe, larder, known.as_ref())?;
            craft::on_debian(&kitchen, craft, tools, watch)?
        }
        (Language::Other(craft), Foundation::Base(base)) => {
            craft::on_base(recipe, craft, *base, tools, watch)?
        }
    };
    let app = tools.workspace.folder("app")?;
    let cancelled = || tools.check_cancelled().is_err();
    let project = stock.project.as_ref().unwrap_or(recipe.project);
    let (root, warnings) = watch.time("assemble", || {
        assembly::assemble(
            project,
            Parts {
                runtime: stock.runtime,
                dependencies: stock.dependencies.as_deref(),
                installed: stock.installed.as_deref(),
                app: &app,
                foreign: recipe.foreign,
            },
            recipe.architecture,
            &cancelled,
        )
    })?;
    let known = known.filter(|_| !stock.outgrows_lock);
    let lock_is_new = known.is_none();
    let lock = known.unwrap_or_else(|| {
        let basis = Basis {
            build_packages: stock.build_packages.into_iter().collect(),
            ..basis
        };
        Lock {
            date: recipe.date,
            basis,
            debs: stock.debs,
            build_debs: stock.build_debs,
            sources: Vec::new(),
            python: stock.pinned,
        }
    });
    Ok(Cooked {
        root,
        lock,
        lock_is_new,
        detected: stock.detected,
        warnings,
    })
}

/// What a lock has to be made for, to be of use here.
fn basis(recipe: &Recipe<'_>, foundation: &Foundation<'_>) -> Basis {
    let project = recipe.project;
    let (python, suite) = match &project.language {
        Language::Python(app) => (app.python.version.clone(), app.python.suite),
        Language::Other(craft) => (String::new(), Some(craft.suite)),
    };
    let basis = Basis {
        architecture: recipe.architecture.to_owned(),
        python,
        inputs: project.inputs.clone(),
        ..Basis::default()
    };
    match foundation {
        Foundation::Debian(larder) => Basis {
            suite: suite.map(str::to_owned),
            packages: project.debian.iter().cloned().collect(),
            build_packages: larder.build_packages.iter().cloned().collect(),
            ..basis
        },
        Foundation::Base(base) => Basis {
            base: Some(base.digest),
            ..basis
        },
    }
}

/// The runtime and what stands on it, before the app is laid on top.
struct Stock {
    runtime: Runtime,
    /// The project as it is known now, where its build told more about it.
    project: Option<Project>,
    /// Folders shaped like a root.
    dependencies: Option<PathBuf>,
    installed: Option<PathBuf>,
    /// For the lock: the runtime's packages (none on a base), those of the
    /// build root, the names that were added to it, and Python's.
    debs: Vec<LockedDeb>,
    build_debs: Vec<LockedDeb>,
    build_packages: Vec<String>,
    pinned: Pinned,
    /// The lock that there is lacks packages that are needed by now.
    outgrows_lock: bool,
    detected: Vec<Detected>,
}

impl Stock {
    fn new(runtime: Runtime) -> Self {
        Self {
            runtime,
            project: None,
            dependencies: None,
            installed: None,
            debs: Vec::new(),
            build_debs: Vec::new(),
            build_packages: Vec::new(),
            pinned: Pinned::default(),
            outgrows_lock: false,
            detected: Vec::new(),
        }
    }
}

/// Debian packages become roots here.
struct Kitchen<'a> {
    recipe: &'a Recipe<'a>,
    larder: Larder<'a>,
    suite: Suite,
    known: Option<&'a Lock>,
}

impl<'a> Kitchen<'a> {
    fn new(
        recipe: &'a Recipe<'a>,
        larder: Larder<'a>,
        known: Option<&'a Lock>,
    ) -> Result<Self, CookError> {
        let suite = match &recipe.project.language {
            Language::Python(app) => app.python.suite.unwrap_or_default(),
            Language::Other(craft) => craft.suite,
        };
        Ok(Self {
            recipe,
            larder,
            suite: suite.parse()?,
            known,
        })
    }

    fn indexes(&self) -> Result<debian::Indexes, CookError> {
        let held = match self.larder.hold {
            Some(hold) => hold()?,
            None => None,
        };
        let indexes = debian::load_indexes(
            self.larder.mirror,
            self.suite,
            self.recipe.architecture,
            INDEX_AGE,
            self.larder.desk,
        )?;
        Ok(debian::Indexes { held, ..indexes })
    }

    fn resolve(&self, wanted: &[&str]) -> Result<Vec<LockedDeb>, CookError> {
        let phase = "reading package indexes";
        self.larder.desk.progress.phase(phase, None);
        Ok(debian::lock(self.indexes()?.resolve(wanted)?))
    }

    fn assemble(&self, debs: &[LockedDeb]) -> Result<Assembled, CookError> {
        Ok(debian::assemble(
            debs,
            self.recipe.architecture,
            self.larder.mirror,
            self.larder.desk,
        )?)
    }

    /// What was added to the build root: by the lock, or by the user.
    fn added(&self) -> Vec<String> {
        match self.known {
            Some(known) => known.basis.build_packages.iter().cloned().collect(),
            None => self.larder.build_packages.to_vec(),
        }
    }

    /// The packages of the build root: as the lock has them, if it was made
    /// with the same ones added.
    fn build_debs(&self, wanted: &[&str], added: &[String]) -> Result<Vec<LockedDeb>, CookError> {
        if let Some(known) = self.known
            && known.basis.build_packages.iter().eq(added)
            && !known.build_debs.is_empty()
        {
            return Ok(known.build_debs.clone());
        }
        let mut wanted = wanted.to_vec();
        wanted.extend(added.iter().map(String::as_str));
        self.resolve(&wanted)
    }
}
