//! Python: the runtime, with the dependencies installed over it.

use std::path::PathBuf;

use super::{AssemblyError, CookError, Kitchen, MAX_BUILD_ROUNDS, Recipe, Stock};
use crate::lock::Lock;
use crate::pipeline::{Stopwatch, Tools};
use crate::source::assembly::Runtime;
use crate::source::base::Base;
use crate::source::debian::{self, Assembled, LockedDeb};
use crate::source::linked;
use crate::source::project::{self, Inherited, PythonApp, Requirements};
use crate::source::python_deps::{self, Installed, Outcome, Request};

/// What an installation leaves for the lock.
struct Installation {
    installed: Installed,
    /// The root that it ran in.
    build_root: PathBuf,
    build_debs: Vec<LockedDeb>,
    build_packages: Vec<String>,
}

fn nothing_to_install(app: &PythonApp) -> bool {
    app.requirements == Requirements::Nothing && app.installed.is_none()
}

fn stocked(runtime: Runtime, debs: Vec<LockedDeb>, done: Option<Installation>) -> Stock {
    let stock = Stock {
        debs,
        ..Stock::new(runtime)
    };
    match done {
        None => stock,
        Some(done) => Stock {
            dependencies: Some(done.installed.dependencies),
            installed: done.installed.project,
            build_debs: done.build_debs,
            build_packages: done.build_packages,
            pinned: done.installed.pinned,
            ..stock
        },
    }
}

/// A base has everything that there will be: what a build lacks is not added.
pub fn on_base(
    recipe: &Recipe<'_>,
    app: &PythonApp,
    base: Base,
    known: Option<&Lock>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Stock, CookError> {
    let env = project::inherited(&base.config);
    let install = || -> Result<Option<Installation>, CookError> {
        if nothing_to_install(app) {
            return Ok(None);
        }
        let outcome = python_deps::install(&Request {
            project: recipe.project,
            app,
            lowers: std::slice::from_ref(&base.dir),
            root_key: &format!("base {}", base.digest),
            build_packages: &[],
            architecture: recipe.architecture,
            base: Some(Inherited {
                env: &env,
                path: &recipe.project.usual_path,
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
                build_root: base.dir.clone(),
                build_debs: Vec::new(),
                build_packages: Vec::new(),
            })),
            Outcome::NeedsBuildPackages { packages, because } => Err(CookError::BaseLacks {
                base: base.name.clone(),
                packages,
                because,
            }),
        }
    };
    let installation = watch.time("dependencies", install)?;
    Ok(stocked(Runtime::of_base(base), Vec::new(), installation))
}

pub fn on_debian(
    kitchen: &Kitchen<'_>,
    app: &PythonApp,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Stock, CookError> {
    let debs = watch.time("runtime", || kitchen.runtime_debs())?;
    let assembled = watch.time("runtime", || kitchen.assemble(&debs))?;
    let installation = watch.time("dependencies", || kitchen.install(app, &assembled, tools))?;
    let (debs, assembled) = watch.time("runtime", || {
        kitchen.with_libraries(debs, assembled, installation.as_ref(), tools)
    })?;
    let runtime = Runtime::of_packages(&assembled).map_err(AssemblyError::from)?;
    Ok(stocked(runtime, debs, installation))
}

impl Kitchen<'_> {
    fn runtime_debs(&self) -> Result<Vec<LockedDeb>, CookError> {
        match (self.known, self.larder.runtime) {
            // A lock pins what whit itself starts from.
            (Some(known), None) => Ok(known.debs.clone()),
            _ => self.resolve(&self.runtime_packages()),
        }
    }

    fn runtime_packages(&self) -> Vec<&str> {
        let mut wanted = match self.larder.runtime {
            Some(runtime) => runtime.to_vec(),
            None => debian::python_packages(self.suite),
        };
        wanted.extend(self.recipe.project.debian.iter().map(String::as_str));
        wanted
    }

    /// Installs the dependencies, in a root that has pip, and compilers where
    /// a build asks for them. `None` where there is nothing to install.
    fn install(
        &self,
        app: &PythonApp,
        runtime: &Assembled,
        tools: &Tools<'_>,
    ) -> Result<Option<Installation>, CookError> {
        if nothing_to_install(app) {
            return Ok(None);
        }
        let mut wanted = debian::python_packages(self.suite);
        wanted.extend(debian::build_packages(self.suite));
        let mut extra = self.added();
        let mut because = String::new();
        for _ in 0..MAX_BUILD_ROUNDS {
            let build_debs = self.build_debs(&wanted, &extra)?;
            let root = self.assemble(&build_debs)?;
            // What is compiled depends on the compiler and the libraries, too.
            let key = match extra.is_empty() {
                true => &runtime.key,
                false => &root.key,
            };
            let outcome = python_deps::install(&Request {
                project: self.recipe.project,
                app,
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
        if self.known.is_some() && self.larder.runtime.is_none() {
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
}
