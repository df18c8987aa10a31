//! `whit build`'s source: the fat root of a project, from Debian packages,
//! Python packages and the project's own files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::FatRoot;
use super::assembly::{self, AssemblyError, Parts};
use super::debian::{self, Assembled, Desk, LockedDeb, Mirror, Suite};
use super::project::{Project, Requirements};
use super::python_deps::{self, InstallError, Installed, Outcome, Pinned, Request};
use crate::pipeline::{Stopwatch, Tools};

/// What a fat root is made from.
pub struct Recipe<'a> {
    pub project: &'a Project,
    pub mirror: &'a Mirror,
    /// Debian's name of the architecture.
    pub architecture: &'a str,
    /// Debian packages that builds of dependencies need.
    pub build_packages: &'a [String],
    /// The invoking user's environment, for uv and pip.
    pub environment: &'a BTreeMap<String, String>,
    /// Exact packages, where a lock says which.
    pub locked: Option<&'a Ingredients>,
    /// Files that whit writes into the project, no part of the app.
    pub outputs: &'a [PathBuf],
}

/// Exactly what a fat root was made from.
#[derive(Debug, Clone)]
pub struct Ingredients {
    pub debs: Vec<LockedDeb>,
    pub pinned: Pinned,
}

/// A fat root, and what it was made from.
#[derive(Debug)]
pub struct Cooked {
    pub root: FatRoot,
    pub ingredients: Ingredients,
    pub warnings: Vec<String>,
}

/// Why there is no fat root.
#[derive(Debug, thiserror::Error)]
pub enum CookError {
    #[error(transparent)]
    Debian(#[from] debian::Error),
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
    let kitchen = Kitchen {
        recipe,
        desk,
        suite,
    };
    let debs = watch.time("runtime", || kitchen.runtime_debs())?;
    let runtime = watch.time("runtime", || kitchen.assemble(&debs))?;
    let installed = watch.time("dependencies", || kitchen.install(&runtime, tools))?;
    let app = tools.workspace.folder("app")?;
    let cancelled = || tools.check_cancelled().is_err();
    let (root, warnings) = watch.time("assemble", || {
        assembly::assemble(
            recipe.project,
            &Parts {
                runtime: &runtime,
                dependencies: installed.as_ref().map(|done| done.dependencies.as_path()),
                installed: installed.as_ref().and_then(|done| done.project.as_deref()),
                app: &app,
                outputs: recipe.outputs,
            },
            recipe.architecture,
            &cancelled,
        )
    })?;
    Ok(Cooked {
        root,
        ingredients: Ingredients {
            debs,
            pinned: installed.map(|done| done.pinned).unwrap_or_default(),
        },
        warnings,
    })
}

struct Kitchen<'a> {
    recipe: &'a Recipe<'a>,
    desk: Desk<'a>,
    suite: Suite,
}

impl Kitchen<'_> {
    fn runtime_debs(&self) -> Result<Vec<LockedDeb>, CookError> {
        if let Some(locked) = self.recipe.locked {
            return Ok(locked.debs.clone());
        }
        let mut wanted = debian::python_packages(self.suite);
        wanted.extend(self.recipe.project.debian.iter().copied());
        self.resolve(&wanted)
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
    ) -> Result<Option<Installed>, CookError> {
        let project = self.recipe.project;
        if project.requirements == Requirements::Nothing && project.installed.is_none() {
            return Ok(None);
        }
        let mut extra: Vec<String> = self.recipe.build_packages.to_vec();
        let mut because = String::new();
        for _ in 0..MAX_BUILD_ROUNDS {
            let root = self.build_root(&extra)?;
            let outcome = python_deps::install(&Request {
                project,
                lowers: std::slice::from_ref(&root.dir),
                runtime_key: &runtime.key.hex(),
                build_packages: &extra,
                cache: &tools.cache.dependencies()?,
                environment: self.recipe.environment,
                locked: self.recipe.locked.map(|locked| &locked.pinned),
                progress: tools.progress,
                cancel: tools.cancel,
            })?;
            match outcome {
                Outcome::Ready(installed) => return Ok(Some(installed)),
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

    /// The runtime's packages with what only builds need. Resolved anew each
    /// time: nothing of it reaches the image.
    fn build_root(&self, extra: &[String]) -> Result<Assembled, CookError> {
        let mut wanted = debian::python_packages(self.suite);
        wanted.extend(debian::build_packages(self.suite));
        wanted.extend(extra.iter().map(String::as_str));
        self.assemble(&self.resolve(&wanted)?)
    }
}
