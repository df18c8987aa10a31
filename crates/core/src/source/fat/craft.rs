//! Languages beside Python: the steps run in a build root, and the runtime is
//! what the result needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use whit_oci::ImagePath;

use super::{AssemblyError, CookError, Kitchen, MAX_BUILD_ROUNDS, Recipe, Stock};
use crate::lock::{Drift, LockError};
use crate::pipeline::{Stopwatch, Tools};
use crate::source::assembly::Runtime;
use crate::source::base::Base;
use crate::source::craft::{self, CraftError, Made, Needs, Outcome, Request, Use};
use crate::source::debian::{self, LockedDeb};
use crate::source::linked;
use crate::source::project::{self, Craft, Detected, Furniture, Inherited, Project};

/// A build and the root that it ran in.
struct Build {
    made: Made,
    root: PathBuf,
    debs: Vec<LockedDeb>,
    added: Vec<String>,
}

/// What the image stands on.
struct Standing {
    /// Debian packages by name.
    packages: BTreeSet<String>,
    /// Nothing of their dependencies: only data is wanted, no program.
    is_data: bool,
    furniture: Furniture,
    detected: Vec<Detected>,
}

pub fn on_debian(
    kitchen: &Kitchen<'_>,
    craft: &Craft,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Stock, CookError> {
    let build = match craft.steps.is_empty() {
        true => None,
        false => Some(watch.time("build", || kitchen.build(craft, tools))?),
    };
    let made = finished(kitchen.recipe.project, build.as_ref());
    let (project, installed) = place(kitchen.recipe.project, craft, &made, tools)?;
    let standing = kitchen.standing(craft, &project, &made, build.as_ref())?;
    let known = kitchen.locked(&standing)?;
    let outgrows_lock = kitchen.known.is_some() && known.is_none();
    let debs = match known {
        Some(debs) => debs,
        None => watch.time("runtime", || kitchen.debs(&standing))?,
    };
    let runtime = match debs.is_empty() {
        true => Runtime::empty(),
        false => {
            let assembled = watch.time("runtime", || kitchen.assemble(&debs))?;
            check_libraries(&made, &assembled.dir)?;
            Runtime::of_packages(&assembled).map_err(AssemblyError::from)?
        }
    };
    let mut detected = standing.detected;
    if !kitchen.recipe.project.command.is_known() {
        detected.insert(0, project.command.detected.clone());
    }
    let (build_debs, build_packages) = build
        .map(|build| (build.debs, build.added))
        .unwrap_or_default();
    Ok(Stock {
        project: Some(project.furnished(standing.furniture)),
        dependencies: made.dependencies,
        installed,
        debs,
        build_debs,
        build_packages,
        outgrows_lock,
        detected,
        ..Stock::new(runtime)
    })
}

/// A base is what the project is built in and what it runs on.
pub fn on_base(
    recipe: &Recipe<'_>,
    craft: &Craft,
    base: Base,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Stock, CookError> {
    let env = project::inherited(&base.config);
    let make = || -> Result<Made, CookError> {
        if craft.steps.is_empty() {
            return Ok(finished(recipe.project, None));
        }
        let outcome = craft::make(&Request {
            project: recipe.project,
            craft,
            root: &base.dir,
            root_key: &format!("base {}", base.digest),
            added: &[],
            architecture: recipe.architecture,
            base: Some(Inherited {
                env: &env,
                path: &recipe.project.usual_path,
            }),
            cache: &tools.cache.dependencies()?,
            environment: recipe.environment,
            progress: tools.progress,
            cancel: tools.cancel,
        })?;
        match outcome {
            Outcome::Ready(made) => Ok(made),
            Outcome::WantsPackages { packages, because } => Err(CookError::BaseLacks {
                base: base.name.clone(),
                packages,
                because,
            }),
        }
    };
    let made = watch.time("build", make)?;
    let (project, installed) = place(recipe.project, craft, &made, tools)?;
    Ok(Stock {
        project: Some(project),
        dependencies: made.dependencies,
        installed,
        ..Stock::new(Runtime::of_base(base))
    })
}

/// What there is to place: the build's result, or the program that was handed
/// in.
fn finished(project: &Project, build: Option<&Build>) -> Made {
    match build {
        Some(build) => build.made.clone(),
        None => Made {
            programs: project.file.iter().cloned().collect(),
            ..Made::default()
        },
    }
}

/// Puts programs where the command looks for them. The project comes back with
/// its command, which is the only program where nobody named one.
fn place(
    project: &Project,
    craft: &Craft,
    made: &Made,
    tools: &Tools<'_>,
) -> Result<(Project, Option<PathBuf>), CookError> {
    if !craft.stands_alone {
        return Ok((project.clone(), made.built.clone()));
    }
    let names: Vec<String> = made
        .programs
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let project = match (project.command.is_known(), names.as_slice()) {
        (true, _) => project.clone(),
        (false, []) => return Err(CraftError::NoProgram.into()),
        (false, [one]) => project.starting(one),
        (false, _) => return Err(CraftError::SeveralPrograms { names }.into()),
    };
    let folder = tools.workspace.folder("programs")?;
    for (host, name) in made.programs.iter().zip(&names) {
        let inside = project.place_of_program(name, names.len() == 1);
        lay(host, &inside, &folder)?;
    }
    Ok((project, Some(folder)))
}

fn lay(host: &Path, inside: &ImagePath, folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let to = inside.under(folder);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(host, &to)?;
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755))
}

/// A library that no package of the runtime brought.
fn check_libraries(made: &Made, runtime: &Path) -> Result<(), CookError> {
    let folders = linked::libraries(runtime)?;
    for program in &made.programs {
        for library in Needs::of(program)?.libraries {
            if !folders.contains_key(&library) && !library.starts_with("libc.musl-") {
                return Err(CraftError::NoLibrary {
                    program: program.clone(),
                    where_looked: "none of the runtime's packages has it".to_owned(),
                    package: "NAME".to_owned(),
                    library,
                }
                .into());
            }
        }
    }
    Ok(())
}

impl Kitchen<'_> {
    /// Runs the steps in a root with the language's tools, and with what they
    /// turn out to lack.
    fn build(&self, craft: &Craft, tools: &Tools<'_>) -> Result<Build, CookError> {
        let mut wanted = debian::common_packages();
        wanted.extend(craft.tools.iter().map(String::as_str));
        wanted.extend(craft.runtime.iter().map(String::as_str));
        let mut added = self.added();
        let mut reason = String::new();
        for _ in 0..MAX_BUILD_ROUNDS {
            let debs = self.build_debs(&wanted, &added)?;
            let root = self.assemble(&debs)?;
            let outcome = craft::make(&Request {
                project: self.recipe.project,
                craft,
                root: &root.dir,
                root_key: &root.key.hex(),
                added: &added,
                architecture: self.recipe.architecture,
                base: None,
                cache: &tools.cache.dependencies()?,
                environment: self.recipe.environment,
                progress: tools.progress,
                cancel: tools.cancel,
            })?;
            match outcome {
                Outcome::Ready(made) => {
                    return Ok(Build {
                        made,
                        root: root.dir,
                        debs,
                        added,
                    });
                }
                Outcome::WantsPackages { packages, because } => {
                    tools.progress.note(&format!(
                        "the build lacks {}: {because}",
                        packages.join(", ")
                    ));
                    added.extend(packages);
                    added.sort();
                    added.dedup();
                    reason = because;
                }
            }
        }
        Err(CookError::Unbuildable(reason))
    }

    /// The packages below the app, and what is told about them.
    fn standing(
        &self,
        craft: &Craft,
        project: &Project,
        made: &Made,
        build: Option<&Build>,
    ) -> Result<Standing, CookError> {
        let mut packages: BTreeSet<String> = project.debian.iter().cloned().collect();
        let usual = || debian::common_packages().into_iter().map(str::to_owned);
        let mut standing = Standing {
            packages: BTreeSet::new(),
            is_data: false,
            furniture: Furniture::default(),
            detected: Vec::new(),
        };
        let mut needs = Needs {
            is_static: craft.stands_alone,
            ..Needs::default()
        };
        for program in &made.programs {
            needs = needs.and(Needs::of(program)?);
        }
        if needs.is_static && packages.is_empty() {
            return Ok(of_static(&needs));
        }
        packages.extend(usual());
        packages.extend(craft.runtime.iter().cloned());
        let folders: Vec<&Path> = [&made.dependencies, &made.built]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
        let libraries = match build {
            Some(build) => {
                let mut sonames = needs.libraries.clone();
                for folder in folders {
                    linked::needed_below(folder, &mut sonames)?;
                }
                linked::packages_of(&sonames, &build.root)?
            }
            None => craft::packages_of_sonames(
                project.file.as_deref().unwrap_or(Path::new("")),
                &needs,
                &project.debian,
                &self.indexes()?,
            )?,
        };
        if craft.stands_alone {
            let because = match needs.is_static {
                true => "packages were asked for".to_owned(),
                false => format!("the program is linked to {}", list(&needs.libraries)),
            };
            standing
                .detected
                .push(line("runtime", &list(&libraries), because));
        }
        packages.extend(libraries);
        standing.packages = packages;
        Ok(standing)
    }

    /// The lock's packages, if they are enough.
    fn locked(&self, standing: &Standing) -> Result<Option<Vec<LockedDeb>>, CookError> {
        let Some(known) = self.known else {
            return Ok(None);
        };
        let has = |name: &&String| known.debs.iter().any(|deb| deb.name == **name);
        let missing: Vec<&String> = standing.packages.iter().filter(|name| !has(name)).collect();
        if missing.is_empty() {
            let mut debs = known.debs.clone();
            if standing.is_data {
                debs.retain(|deb| standing.packages.contains(&deb.name));
            }
            return Ok(Some(debs));
        }
        if !self.recipe.locked {
            return Ok(None);
        }
        let drifts = missing
            .into_iter()
            .map(|name| Drift::Added(format!("Debian package {name}")));
        Err(CookError::Lock(LockError::Drifted {
            path: self.recipe.lock.to_owned(),
            drifts: drifts.collect(),
        }))
    }

    fn debs(&self, standing: &Standing) -> Result<Vec<LockedDeb>, CookError> {
        if standing.packages.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<&str> = standing.packages.iter().map(String::as_str).collect();
        let mut debs = self.resolve(&wanted)?;
        if standing.is_data {
            debs.retain(|deb| standing.packages.contains(&deb.name));
        }
        Ok(debs)
    }
}

/// A static program stands on nothing. Around it lies what it can use.
fn of_static(needs: &Needs) -> Standing {
    let mut packages = BTreeSet::new();
    let mut detected = vec![line(
        "runtime",
        "none",
        "the program is static: no loader, no libraries".to_owned(),
    )];
    for (what, wanted, package) in [
        ("TLS roots", Use::Authorities, "ca-certificates"),
        ("time zones", Use::Zones, "tzdata"),
        ("services", Use::Services, "netbase"),
    ] {
        match needs.sign(wanted) {
            Some(sign) => {
                packages.insert(package.to_owned());
                detected.push(line(what, package, format!("the program names {sign}")));
            }
            None => detected.push(line(what, "none", "nothing in the program asks".to_owned())),
        }
    }
    let furniture = Furniture {
        accounts: needs.sign(Use::Accounts).is_some(),
        temporary: needs.sign(Use::Temporary).is_some(),
    };
    for (what, value, wanted) in [
        ("accounts", "/etc/passwd", Use::Accounts),
        ("temporary", "/tmp", Use::Temporary),
    ] {
        detected.push(match needs.sign(wanted) {
            Some(sign) => line(what, value, format!("the program names {sign}")),
            None => line(what, "none", "nothing in the program asks".to_owned()),
        });
    }
    if !packages.is_empty() {
        // Scanners ask which Debian the packages are of.
        packages.insert("base-files".to_owned());
    }
    Standing {
        packages,
        is_data: true,
        furniture,
        detected,
    }
}

fn line(what: &'static str, value: &str, because: String) -> Detected {
    Detected {
        what,
        value: value.to_owned(),
        because,
    }
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().cloned().collect::<Vec<_>>().join(", ")
}
