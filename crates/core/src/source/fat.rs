//! `whit build`'s source: the fat root of a project, from Debian packages or
//! a base image, Python packages and the project's own files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::FatRoot;
use super::assembly::{self, AssemblyError, Parts, Runtime};
use super::base::Base;
use super::debian::{self, Assembled, Desk, LockedDeb, Mirror, Suite};
use super::linked;
use super::project::{self, Project, Requirements};
use super::python_deps::{self, Inherited, InstallError, Installed, Outcome, Request};
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

/// Assembles the runtime, installs the dependencies over it and lays the app
/// on top.
pub fn cook(
    recipe: &Recipe<'_>,
    foundation: Foundation<'_>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Cooked, CookError> {
    let basis = basis(recipe, &foundation);
    let known = Lock::fitting(recipe.lock, &basis, recipe.locked)?;
    let stock = match foundation {
        Foundation::Debian(larder) => {
            Kitchen::new(recipe, larder, known.as_ref())?.stock(tools, watch)?
        }
        Foundation::Base(base) => on_base(recipe, *base, known.as_ref(), tools, watch)?,
    };
    let app = tools.workspace.folder("app")?;
    let cancelled = || tools.check_cancelled().is_err();
    let folders = stock.installation.as_ref().map(|done| &done.installed);
    let (root, warnings) = watch.time("assemble", || {
        assembly::assemble(
            recipe.project,
            Parts {
                runtime: stock.runtime,
                dependencies: folders.map(|done| done.dependencies.as_path()),
                installed: folders.and_then(|done| done.project.as_deref()),
                app: &app,
                foreign: recipe.foreign,
            },
            recipe.architecture,
            &cancelled,
        )
    })?;
    let lock_is_new = known.is_none();
    let lock = known.unwrap_or_else(|| {
        let done = stock.installation.unwrap_or_default();
        let basis = Basis {
            build_packages: done.build_packages.into_iter().collect(),
            ..basis
        };
        Lock {
            date: recipe.date,
            basis,
            debs: stock.debs,
            build_debs: done.build_debs,
            python: done.installed.pinned,
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
fn basis(recipe: &Recipe<'_>, foundation: &Foundation<'_>) -> Basis {
    let project = recipe.project;
    let basis = Basis {
        architecture: recipe.architecture.to_owned(),
        python: project.python.version.clone(),
        inputs: project.inputs.clone(),
        ..Basis::default()
    };
    match foundation {
        Foundation::Debian(larder) => Basis {
            suite: project.python.suite.map(str::to_owned),
            packages: project
                .debian
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            build_packages: larder.build_packages.iter().cloned().collect(),
            ..basis
        },
        Foundation::Base(base) => Basis {
            base: Some(base.digest),
            ..basis
        },
    }
}

/// The runtime and the dependencies, before the app is laid on top.
struct Stock {
    runtime: Runtime,
    /// The runtime's packages; none on a base.
    debs: Vec<LockedDeb>,
    /// `None` where there is nothing to install.
    installation: Option<Installation>,
}

/// What an installation leaves for the lock.
#[derive(Default)]
struct Installation {
    installed: Installed,
    /// The root that it ran in.
    build_root: PathBuf,
    build_debs: Vec<LockedDeb>,
    build_packages: Vec<String>,
}

fn nothing_to_install(project: &Project) -> bool {
    project.requirements == Requirements::Nothing && project.installed.is_none()
}

/// A base has everything that there will be: what a build lacks is not added.
fn on_base(
    recipe: &Recipe<'_>,
    base: Base,
    known: Option<&Lock>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Stock, CookError> {
    let project = recipe.project;
    let env = project::inherited(&base.config);
    let install = || -> Result<Option<Installation>, CookError> {
        if nothing_to_install(project) {
            return Ok(None);
        }
        let outcome = python_deps::install(&Request {
            project,
            lowers: std::slice::from_ref(&base.dir),
            root_key: &format!("base {}", base.digest),
            build_packages: &[],
            architecture: recipe.architecture,
            base: Some(Inherited {
                env: &env,
                path: &project.usual_path,
            }),
            cache: &tools.cache.dependencies()?,
            environment: recipe.environment,
            locked: known.map(|known| &known.python),
            progress: tools.progress,
            cancel: tools.cancel,
        })?;
        match outcome {
            Outcome::Ready(installed) => Ok(Some(Installation {
                installed,
                ..Installation::default()
            })),
            Outcome::NeedsBuildPackages { packages, because } => Err(CookError::BaseLacks {
                base: base.name.clone(),
                packages,
                because,
            }),
        }
    };
    Ok(Stock {
        installation: watch.time("dependencies", install)?,
        debs: Vec::new(),
        runtime: Runtime::of_base(base),
    })
}

/// Debian packages become a runtime here.
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
        let suite = recipe.project.python.suite.unwrap_or_default().parse()?;
        Ok(Self {
            recipe,
            larder,
            suite,
            known,
        })
    }

    fn stock(&self, tools: &Tools<'_>, watch: &mut Stopwatch) -> Result<Stock, CookError> {
        let debs = watch.time("runtime", || self.runtime_debs())?;
        let assembled = watch.time("runtime", || self.assemble(&debs))?;
        let installation = watch.time("dependencies", || self.install(&assembled, tools))?;
        let (debs, assembled) = watch.time("runtime", || {
            self.with_libraries(debs, assembled, installation.as_ref(), tools)
        })?;
        Ok(Stock {
            installation,
            runtime: Runtime::of_packages(&assembled).map_err(AssemblyError::from)?,
            debs,
        })
    }

    fn runtime_debs(&self) -> Result<Vec<LockedDeb>, CookError> {
        if let Some(known) = self.known {
            return Ok(known.debs.clone());
        }
        self.larder
            .desk
            .progress
            .phase("reading package indexes", None);
        self.resolve(&self.runtime_packages())
    }

    fn runtime_packages(&self) -> Vec<&str> {
        let mut wanted = debian::python_packages(self.suite);
        wanted.extend(self.recipe.project.debian.iter().copied());
        wanted
    }

    fn resolve(&self, wanted: &[&str]) -> Result<Vec<LockedDeb>, CookError> {
        let indexes = debian::load_indexes(
            self.larder.mirror,
            self.suite,
            self.recipe.architecture,
            INDEX_AGE,
            self.larder.desk,
        )?;
        Ok(debian::lock(indexes.resolve(wanted)?))
    }

    fn assemble(&self, debs: &[LockedDeb]) -> Result<Assembled, CookError> {
        Ok(debian::assemble(
            debs,
            self.recipe.architecture,
            self.larder.mirror,
            self.larder.desk,
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
        if nothing_to_install(project) {
            return Ok(None);
        }
        let mut extra: Vec<String> = match self.known {
            Some(known) => known.basis.build_packages.iter().cloned().collect(),
            None => self.larder.build_packages.to_vec(),
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
                architecture: self.recipe.architecture,
                base: None,
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
