//! `whit build`'s source: the fat root of a project, from Debian packages,
//! Python packages and the project's own files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::FatRoot;
use super::assembly::{self, AssemblyError, Parts};
use super::debian::{self, Assembled, Desk, LockedDeb, Mirror, Suite};
use super::linked;
use super::project::{Project, Requirements};
use super::python_deps::{self, InstallError, Installed, Outcome, Request};
use crate::lock::{Basis, Lock, LockError};
use crate::pipeline::{Stopwatch, Tools};

/// What a fat root is made from.
pub struct Recipe<'a> {
    pub project: &'a Project,
    pub mirror: &'a Mirror,
    /// Debian's name of the architecture.
    pub architecture: &'a str,
    /// Debian packages that the user names for builds of dependencies.
    pub build_packages: &'a [String],
    /// The invoking user's environment, for uv and pip.
    pub environment: &'a BTreeMap<String, String>,
    /// Where the lock is, or will be.
    pub lock: &'a Path,
    /// Refuse a lock that is missing or does not fit.
    pub locked: bool,
    /// `SOURCE_DATE_EPOCH`, or the time of day: the date of a new lock.
    pub date: i64,
    /// Files that whit writes into the project, no part of the app.
    pub outputs: &'a [PathBuf],
}

/// A fat root, and what it was made from.
#[derive(Debug)]
pub struct Cooked {
    pub root: FatRoot,
    pub lock: Lock,
    /// The lock is new and not written yet.
    pub lock_is_new: bool,
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
    Assembly(#[from] AssemblyError),
    #[error(transparent)]
    Suite(#[from] debian::UnknownSuite),
    #[error("cannot write to whit's own folders: {0}")]
    Io(#[from] std::io::Error),
    /// No set of compilers was enough.
    #[error("a dependency does not build, whatever is installed for it: {0}")]
    Unbuildable(String),
}

impl CookError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            CookError::Debian(error) => error.hint(),
            CookError::Lock(error) => error.hint(),
            CookError::Install(error) => error.hint(),
            CookError::Unbuildable(_) => {
                Some("name the Debian package that it needs: --build-package NAME".to_owned())
            }
            CookError::Assembly(AssemblyError::Project(error)) => error.hint(),
            _ => None,
        }
    }
}

/// Seconds for which a package index is taken as it was fetched.
const INDEX_AGE: i64 = 3600;
/// Rounds of adding packages that a build asks for.
const MAX_BUILD_ROUNDS: usize = 4;

/// Assembles the runtime, installs the dependencies over it and lays the app
/// on top.
pub fn cook(
    recipe: &Recipe<'_>,
    desk: Desk<'_>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Cooked, CookError> {
    let suite: Suite = recipe.project.python.suite.parse()?;
    let basis = basis(recipe);
    let known = Lock::fitting(recipe.lock, &basis, recipe.locked)?;
    let kitchen = Kitchen {
        recipe,
        desk,
        suite,
        known: known.as_ref(),
    };
    let debs = watch.time("runtime", || kitchen.runtime_debs())?;
    let runtime = watch.time("runtime", || kitchen.assemble(&debs))?;
    let installed = watch.time("dependencies", || kitchen.install(&runtime, tools))?;
    let (debs, runtime) = watch.time("runtime", || {
        kitchen.with_libraries(debs, runtime, installed.as_ref(), tools)
    })?;
    let app = tools.workspace.folder("app")?;
    let cancelled = || tools.check_cancelled().is_err();
    let folders = installed.as_ref().map(|done| &done.installed);
    let (root, warnings) = watch.time("assemble", || {
        assembly::assemble(
            recipe.project,
            &Parts {
                runtime: &runtime,
                dependencies: folders.map(|done| done.dependencies.as_path()),
                installed: folders.and_then(|done| done.project.as_deref()),
                app: &app,
                outputs: recipe.outputs,
            },
            recipe.architecture,
            &cancelled,
        )
    })?;
    let lock_is_new = known.is_none();
    let lock = known.unwrap_or_else(|| {
        let (pinned, build_debs, build_packages) = match installed {
            Some(done) => (done.installed.pinned, done.build_debs, done.build_packages),
            None => Default::default(),
        };
        let basis = Basis {
            build_packages: build_packages.into_iter().collect(),
            ..basis
        };
        Lock {
            date: recipe.date,
            basis,
            debs,
            build_debs,
            python: pinned,
        }
    });
    Ok(Cooked {
        root,
        lock,
        lock_is_new,
        warnings,
    })
}

/// What a lock has to be made for, to be of use here.
fn basis(recipe: &Recipe<'_>) -> Basis {
    let project = recipe.project;
    Basis {
        architecture: recipe.architecture.to_owned(),
        python: project.python.version.to_owned(),
        suite: project.python.suite.to_owned(),
        base: None,
        packages: project
            .debian
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        build_packages: recipe.build_packages.iter().cloned().collect(),
        inputs: project.inputs.clone(),
    }
}

/// What an installation leaves for the lock.
struct Installation {
    installed: Installed,
    /// The root that it ran in.
    build_root: PathBuf,
    build_debs: Vec<LockedDeb>,
    build_packages: Vec<String>,
}

struct Kitchen<'a> {
    recipe: &'a Recipe<'a>,
    desk: Desk<'a>,
    suite: Suite,
    known: Option<&'a Lock>,
}

impl Kitchen<'_> {
    fn runtime_debs(&self) -> Result<Vec<LockedDeb>, CookError> {
        if let Some(known) = self.known {
            return Ok(known.debs.clone());
        }
        self.resolve(&self.runtime_packages())
    }

    fn runtime_packages(&self) -> Vec<&str> {
        let mut wanted = debian::python_packages(self.suite);
        wanted.extend(self.recipe.project.debian.iter().copied());
        wanted
    }

    fn resolve(&self, wanted: &[&str]) -> Result<Vec<LockedDeb>, CookError> {
        let indexes = debian::load_indexes(
            self.recipe.mirror,
            self.suite,
            self.recipe.architecture,
            INDEX_AGE,
            self.desk,
        )?;
        Ok(debian::lock(indexes.resolve(wanted)?))
    }

    fn assemble(&self, debs: &[LockedDeb]) -> Result<Assembled, CookError> {
        Ok(debian::assemble(
            debs,
            self.recipe.architecture,
            self.recipe.mirror,
            self.desk,
        )?)
    }

    /// Installs the dependencies, in a root that has pip, and compilers where
    /// a build asks for them. `None` where there is nothing to install.
    fn install(
        &self,
        runtime: &Assembled,
        tools: &Tools<'_>,
    ) -> Result<Option<Installation>, CookError> {
        let project = self.recipe.project;
        if project.requirements == Requirements::Nothing && project.installed.is_none() {
            return Ok(None);
        }
        let mut extra: Vec<String> = match self.known {
            Some(known) => known.basis.build_packages.iter().cloned().collect(),
            None => self.recipe.build_packages.to_vec(),
        };
        let mut because = String::new();
        for _ in 0..MAX_BUILD_ROUNDS {
            let build_debs = self.build_debs(&extra)?;
            let root = self.assemble(&build_debs)?;
            // What is compiled depends on the compiler and the libraries, too.
            let key = match extra.is_empty() {
                true => &runtime.key,
                false => &root.key,
            };
            let outcome = python_deps::install(&Request {
                project,
                lowers: std::slice::from_ref(&root.dir),
                root_key: &key.hex(),
                build_packages: &extra,
                cache: &tools.cache.dependencies()?,
                environment: self.recipe.environment,
                locked: self.known.map(|known| &known.python),
                progress: tools.progress,
                cancel: tools.cancel,
            })?;
            match outcome {
                Outcome::Ready(installed) => {
                    return Ok(Some(Installation {
                        installed,
                        build_root: root.dir,
                        build_debs,
                        build_packages: extra,
                    }));
                }
                Outcome::NeedsBuildPackages {
                    packages,
                    because: said,
                } => {
                    tools.progress.note(&format!(
                        "a dependency has to be built and lacks {}: {said}",
                        packages.join(", ")
                    ));
                    extra.extend(packages);
                    extra.sort();
                    extra.dedup();
                    because = said;
                }
            }
        }
        Err(CookError::Unbuildable(because))
    }

    /// The runtime with the libraries that builds were linked to. A lock has
    /// them already.
    fn with_libraries(
        &self,
        debs: Vec<LockedDeb>,
        runtime: Assembled,
        done: Option<&Installation>,
        tools: &Tools<'_>,
    ) -> Result<(Vec<LockedDeb>, Assembled), CookError> {
        let Some(done) = done.filter(|done| !done.build_packages.is_empty()) else {
            return Ok((debs, runtime));
        };
        if self.known.is_some() {
            return Ok((debs, runtime));
        }
        let mut folders = vec![done.installed.dependencies.as_path()];
        folders.extend(done.installed.project.as_deref());
        let libraries = linked::packages(&folders, &runtime.dir, &done.build_root)?;
        if libraries.is_empty() {
            return Ok((debs, runtime));
        }
        let names: Vec<&str> = libraries.iter().map(String::as_str).collect();
        tools.progress.note(&format!(
            "what was built is linked to {}: into the runtime with it",
            names.join(", ")
        ));
        let mut wanted = self.runtime_packages();
        wanted.extend(names);
        let debs = self.resolve(&wanted)?;
        let runtime = self.assemble(&debs)?;
        Ok((debs, runtime))
    }

    /// The runtime's packages with what only builds need.
    fn build_debs(&self, extra: &[String]) -> Result<Vec<LockedDeb>, CookError> {
        if let Some(known) = self.known
            && known.basis.build_packages.iter().eq(extra)
            && !known.build_debs.is_empty()
        {
            return Ok(known.build_debs.clone());
        }
        let mut wanted = debian::python_packages(self.suite);
        wanted.extend(debian::build_packages(self.suite));
        wanted.extend(extra.iter().map(String::as_str));
        self.resolve(&wanted)
    }
}
