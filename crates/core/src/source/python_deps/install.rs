//! From a project's requirements to folders that are laid over the runtime.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use whit_oci::{Digest, ImagePath};
use whit_sandbox::{Mount, disk_owner};

use super::builds::{as_text, builds, is_among, used_in_builds};
use super::error::io;
use super::index_settings::Access;
use super::installed::{narrow, tags};
use super::normalise::normalise;
use super::shelf::{finished, link, shelve, write_build};
use super::workshop::{OUT, Run, SRC, Site, UV, Workshop, give};
use super::{
    Failure, InstallError, Pin, PinSource, failure, list_text, locks, normalize, sources, uv,
};
use crate::progress::Progress;
use crate::source::project::{Inherited, Project, PythonApp, Requirements, VENV};

/// Counts up when the same pins give other bytes than before, so that old
/// cache folders are not used.
const FORMAT: u32 = 2;

/// What is to be installed into what.
pub struct Request<'a> {
    pub project: &'a Project,
    pub app: &'a PythonApp,
    /// Folders of the root in which the installation runs, the bottom one
    /// first: the runtime, and over it what only builds need.
    pub lowers: &'a [PathBuf],
    /// Names the runtime, or the whole root where there are build packages, so
    /// that an installation is used again only with the same one.
    pub root_key: &'a str,
    /// The Debian packages that the build root has besides the runtime.
    pub build_packages: &'a [String],
    /// Debian's name of the processor that the root is for.
    pub architecture: &'a str,
    /// The variables and the `PATH` of the base, where there is one.
    pub base: Option<Inherited<'a>>,
    /// whit's cache folder.
    pub cache: &'a Path,
    /// The invoking user's environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The pins of a whit.lock that fits the project.
    pub locked: Option<&'a Pinned>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a AtomicBool,
}

/// Everything that decides what gets installed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// What is installed.
    pub pins: Vec<Pin>,
    /// What builds of source distributions use: never in the image.
    pub build: Vec<Pin>,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    Ready(Installed),
    /// A build lacks these Debian packages: to be asked again with them in
    /// `lowers` and `build_packages`.
    NeedsBuildPackages {
        packages: Vec<String>,
        because: String,
    },
}

/// Folders shaped like a root, to be laid over the runtime in this order.
#[derive(Debug, Default)]
pub struct Installed {
    /// The virtual environment with the dependencies.
    pub dependencies: PathBuf,
    /// The project itself, where it is a package.
    pub project: Option<PathBuf>,
    /// For whit.lock.
    pub pinned: Pinned,
    /// uv was not needed: everything lay in the cache.
    pub cached: bool,
}

/// Installs. With a fitting lock and a warm cache, nothing is started.
pub fn install(request: &Request<'_>) -> Result<Outcome, InstallError> {
    match attempt(request) {
        Ok(installed) => Ok(Outcome::Ready(installed)),
        Err(Failure::Lacks { packages, because }) => {
            // The same complaint with the packages there is no cure.
            let new = packages
                .iter()
                .any(|package| !request.build_packages.contains(package));
            match new {
                true => Ok(Outcome::NeedsBuildPackages { packages, because }),
                false => Err(InstallError::Build {
                    package: "a source distribution".to_owned(),
                    message: because,
                }),
            }
        }
        Err(Failure::Error(error)) => Err(error),
    }
}

fn attempt(request: &Request<'_>) -> Result<Installed, Failure> {
    let mut session = Session {
        request,
        workshop: None,
        uv: None,
        copied: false,
        own_parts: None,
    };
    let pinned = session.pins()?;
    session.own_parts = own_parts(request, &pinned.pins).map_err(Failure::Error)?;
    let (dependencies, pinned) = session.dependencies(pinned)?;
    let (project, pinned) = session.project(&dependencies, pinned)?;
    Ok(Installed {
        dependencies: dependencies.join("root"),
        project: project.map(|folder| folder.join("root")),
        pinned,
        cached: session.uv.is_none(),
    })
}

/// One call of `install`: the workshop and uv are made ready when something
/// first needs them.
pub(super) struct Session<'a> {
    pub(super) request: &'a Request<'a>,
    workshop: Option<Workshop<'a>>,
    uv: Option<PathBuf>,
    /// The project's sources lie in the workshop.
    copied: bool,
    /// A digest of the folders of the project that are dependencies of it.
    own_parts: Option<Digest>,
}

impl<'a> Session<'a> {
    /// The pins: from the lock, from the project's own lock file, or resolved
    /// now.
    fn pins(&mut self) -> Result<Pinned, Failure> {
        if let Some(locked) = self.request.locked {
            return Ok(locked.clone());
        }
        let python = self.request.app.python.interpreter.clone();
        let pins = match &self.request.app.requirements {
            Requirements::Nothing => Vec::new(),
            Requirements::Pinned(pins) => pins.clone(),
            Requirements::UvLock => {
                self.request.progress.phase("reading uv.lock", None);
                self.resolve(
                    "reading uv.lock",
                    &[
                        "export",
                        "--frozen",
                        // Groups are for the people who work on the project.
                        "--no-default-groups",
                        "--no-emit-project",
                        "--python",
                        &python,
                    ],
                    &[],
                )?
            }
            Requirements::Files(files) => {
                self.request.progress.phase("resolving dependencies", None);
                self.resolve(
                    "resolving dependencies",
                    &["pip", "compile", "--python", &python],
                    files,
                )?
            }
            Requirements::Lines(lines) => {
                self.request.progress.phase("resolving dependencies", None);
                let text = lines.join("\n") + "\n";
                let list = self
                    .workshop()?
                    .input("requirements.in", &text)
                    .map_err(Failure::Error)?;
                self.resolve(
                    "resolving dependencies",
                    &["pip", "compile", "--python", &python],
                    &[list],
                )?
            }
        };
        // `-e .` in a list is the project, which is installed by itself.
        let own = normalize(&self.request.project.name);
        let pins = pins
            .into_iter()
            .filter(|pin| {
                let is_path =
                    matches!(&pin.source, PinSource::Path(path) if path.is_empty() || path == ".");
                !(is_path || (matches!(pin.source, PinSource::Path(_)) && pin.name == own))
            })
            .collect();
        Ok(Pinned {
            pins,
            build: Vec::new(),
        })
    }

    /// Runs a command of uv that writes a `pylock.toml`, and reads it.
    pub(super) fn resolve(
        &mut self,
        step: &'static str,
        words: &[&str],
        files: &[String],
    ) -> Result<Vec<Pin>, Failure> {
        self.copy_sources()?;
        let output = format!("{OUT}/pylock.toml");
        let mut argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        argv.extend(["--format", "pylock.toml", "--output-file", &output].map(str::to_owned));
        argv.extend(files.iter().cloned());
        self.uv(step, argv, Vec::new())?;
        let path = self.workshop()?.host("out").join("pylock.toml");
        let text = fs::read_to_string(&path)
            .map_err(io(format!("reading {}", path.display())))
            .map_err(Failure::Error)?;
        // A second resolution must not take this one's choices for its own.
        let _ = fs::remove_file(&path);
        let pins = locks::pylock(&text).map_err(|error| Failure::Error(error.into()))?;
        Ok(pins.into_iter().map(from_project).collect())
    }

    /// The folder with the virtual environment, and the pins as they were
    /// found to be.
    fn dependencies(&mut self, pinned: Pinned) -> Result<(PathBuf, Pinned), Failure> {
        let shelf = self.request.cache.join("python");
        let wanted = shelf.join(self.key(&pinned, "dependencies"));
        if wanted.join("root").is_dir() {
            let found = finished(&wanted, pinned).map_err(Failure::Error)?;
            return Ok((wanted, found));
        }
        self.request.progress.phase("installing dependencies", None);
        let made = self.fresh_folder().map_err(Failure::Error)?;
        let venv = VENV.trim_start_matches('/');
        let host_venv = made.path().join("root").join(venv);
        fs::create_dir_all(&host_venv)
            .map_err(io(format!("making {}", host_venv.display())))
            .map_err(Failure::Error)?;
        give(&host_venv).map_err(Failure::Error)?;
        let mount = || {
            vec![Mount {
                host: host_venv.clone(),
                inside: VENV.into(),
                read_only: false,
            }]
        };
        let python = self.request.app.python.interpreter.clone();
        let mut words = strings(&["venv", "--no-project", "--allow-existing"]);
        if self.request.base.is_some() {
            // What the base brings is there, as it is after a `FROM`.
            words.push("--system-site-packages".to_owned());
        }
        words.extend(strings(&["--python", &python, VENV]));
        self.uv("making the virtual environment", words, mount())?;
        let log = self.fill(&pinned, mount)?;
        self.demand_compiler(&log)?;
        normalise(&made.path().join("root"), &host_venv).map_err(Failure::Error)?;
        let pins = narrow(&pinned.pins, &tags(&host_venv).map_err(Failure::Error)?);
        let build = self.build_pins(&pinned, &pins, &log)?;
        let found = Pinned { pins, build };
        write_build(made.path(), &found.build).map_err(Failure::Error)?;
        // The lock that is written now will ask for exactly these.
        let exact = shelf.join(self.key(&found, "dependencies"));
        shelve(made, &exact).map_err(Failure::Error)?;
        link(&wanted, &exact).map_err(Failure::Error)?;
        Ok((exact, found))
    }

    /// Installs every pin, those with hashes checked; returns what uv wrote.
    fn fill(&mut self, pinned: &Pinned, mount: impl Fn() -> Vec<Mount>) -> Result<String, Failure> {
        let mut log = String::new();
        let (hashed, loose): (Vec<&Pin>, Vec<&Pin>) =
            pinned.pins.iter().partition(|pin| pin.is_hashed());
        for (pins, name, check) in [
            (hashed, "hashed.txt", "--require-hashes"),
            (loose, "loose.txt", "--no-verify-hashes"),
        ] {
            if pins.is_empty() {
                continue;
            }
            if pins
                .iter()
                .any(|pin| matches!(pin.source, PinSource::Path(_)))
            {
                self.copy_sources()?;
            }
            let list = list_text(pins, SRC);
            let list = self
                .workshop()?
                .input(name, &list)
                .map_err(Failure::Error)?;
            let python = format!("{VENV}/bin/python");
            let mut words = strings(&["pip", "install", "--no-deps", "--python", &python, check]);
            words.extend(["-r".to_owned(), list]);
            words.extend(self.build_constraints(&pinned.build)?);
            log.push_str(&self.uv("installing dependencies", words, mount())?);
        }
        Ok(log)
    }

    /// The options that hold builds to the versions of the lock.
    fn build_constraints(&mut self, build: &[Pin]) -> Result<Vec<String>, Failure> {
        if build.is_empty() {
            return Ok(Vec::new());
        }
        let list = list_text(build, SRC);
        let file = self
            .workshop()?
            .input("build.txt", &list)
            .map_err(Failure::Error)?;
        Ok(vec!["--build-constraints".to_owned(), file])
    }

    /// Builds and installs the project itself, into a folder of its own: a
    /// change of the app must not move the dependencies' layer.
    fn project(
        &mut self,
        dependencies: &Path,
        pinned: Pinned,
    ) -> Result<(Option<PathBuf>, Pinned), Failure> {
        if self.request.app.installed.is_none() {
            return Ok((None, pinned));
        }
        let files = sources::gather(&self.request.project.root).map_err(Failure::Error)?;
        let digest = sources::digest(&files).map_err(Failure::Error)?;
        let shelf = self.request.cache.join("projects");
        let key = |pinned: &Pinned| self.key(pinned, &format!("project {digest}"));
        let wanted = shelf.join(key(&pinned));
        if wanted.join("root").is_dir() {
            let found = finished(&wanted, pinned).map_err(Failure::Error)?;
            return Ok((Some(wanted), found));
        }
        self.request.progress.phase("building the project", None);
        self.copy_sources()?;
        let made = self.fresh_folder().map_err(Failure::Error)?;
        let host_root = made.path().join("root");
        fs::create_dir_all(&host_root)
            .map_err(io(format!("making {}", host_root.display())))
            .map_err(Failure::Error)?;
        give(&host_root).map_err(Failure::Error)?;
        let venv = VENV.trim_start_matches('/');
        let mounts = vec![
            Mount {
                host: dependencies.join("root").join(venv),
                inside: VENV.into(),
                read_only: true,
            },
            Mount {
                host: host_root.clone(),
                inside: "/whit/root".into(),
                read_only: false,
            },
        ];
        let (python, prefix) = (format!("{VENV}/bin/python"), format!("/whit/root/{venv}"));
        let mut words = strings(&[
            "pip",
            "install",
            "--no-deps",
            "--no-verify-hashes",
            "--python",
            &python,
            "--prefix",
            &prefix,
            SRC,
        ]);
        words.extend(self.build_constraints(&pinned.build)?);
        let log = self.uv("building the project", words, mounts)?;
        self.demand_compiler(&log)?;
        normalise(&host_root, &host_root.join(venv)).map_err(Failure::Error)?;
        let mut found = pinned.clone();
        if !used_in_builds(&log)
            .iter()
            .all(|text| is_among(text, &pinned.build))
        {
            let mut names = used_in_builds(&log);
            names.extend(pinned.build.iter().filter_map(as_text));
            found.build = self.hashed(names)?;
        }
        write_build(made.path(), &found.build).map_err(Failure::Error)?;
        let exact = shelf.join(self.key(&found, &format!("project {digest}")));
        shelve(made, &exact).map_err(Failure::Error)?;
        link(&wanted, &exact).map_err(Failure::Error)?;
        // The dependencies are the same with the build's pins known.
        let shelf = self.request.cache.join("python");
        link(&shelf.join(self.key(&found, "dependencies")), dependencies)
            .map_err(Failure::Error)?;
        Ok((Some(exact), found))
    }

    /// Asks for a compiler where a build went without one, and forgets what it
    /// made: the next run would take that from uv's cache. A base is taken as it
    /// is.
    fn demand_compiler(&mut self, log: &str) -> Result<(), Failure> {
        if self.request.base.is_some() {
            return Ok(());
        }
        let python = python_name(self.request);
        let Some(lacks) = failure::went_without_compiler(log, &python) else {
            return Ok(());
        };
        let has = |name| self.request.build_packages.contains(name);
        if failure::compiler(&python).iter().all(has) {
            return Ok(());
        }
        let mut words = strings(&["cache", "clean"]);
        words.extend(builds(log).map(str::to_owned));
        self.uv("forgetting builds", words, Vec::new())?;
        Err(lacks)
    }

    /// A folder's name in the cache: a digest of everything that decides about
    /// its content.
    fn key(&self, pinned: &Pinned, what: &str) -> String {
        let text = format!(
            "{FORMAT}\n{what}\n{:?} {:?}\n{}\n{}\n{VENV}\n{}\n{}\n{}",
            // Whoever runs whit owns the files.
            disk_owner(0, 0),
            self.own_parts,
            self.request.root_key,
            self.request.app.python.interpreter,
            self.request.build_packages.join(" "),
            list_text(&pinned.pins, SRC),
            list_text(&pinned.build, SRC),
        );
        Digest::of(text.as_bytes()).hex()
    }

    fn fresh_folder(&self) -> Result<tempfile::TempDir, InstallError> {
        let tmp = self.request.cache.join("tmp");
        fs::create_dir_all(&tmp).map_err(io(format!("making {}", tmp.display())))?;
        tempfile::Builder::new()
            .prefix("python-")
            .tempdir_in(&tmp)
            .map_err(io(format!("making a folder in {}", tmp.display())))
    }

    fn copy_sources(&mut self) -> Result<(), Failure> {
        if !self.copied && self.request.project.file.is_none() {
            let files = sources::gather(&self.request.project.root).map_err(Failure::Error)?;
            let dest = self.workshop()?.host("src");
            sources::copy(&files, &dest).map_err(Failure::Error)?;
            self.copied = true;
        }
        Ok(())
    }

    pub(super) fn workshop(&mut self) -> Result<&Workshop<'a>, Failure> {
        if self.workshop.is_none() {
            let request = self.request;
            let interpreter = &request.app.python.interpreter;
            let relative = interpreter.trim_start_matches('/');
            if !request
                .lowers
                .iter()
                .any(|lower| lower.join(relative).symlink_metadata().is_ok())
            {
                return Err(Failure::Error(InstallError::NoInterpreter {
                    path: interpreter.into(),
                }));
            }
            let python = python_name(request);
            let site = Site {
                lowers: request.lowers,
                architecture: request.architecture,
                base: request.base,
                cache: request.cache,
                cancel: request.cancel,
            };
            let workshop = Workshop::new(
                site,
                &uv_cache(request),
                Access::of(request.environment, &request.app.indexes),
                &python,
            )
            .map_err(Failure::Error)?;
            self.workshop = Some(workshop);
        }
        match &self.workshop {
            Some(workshop) => Ok(workshop),
            None => Err(Failure::Error(InstallError::Interrupted)),
        }
    }

    /// Runs uv with these words.
    fn uv(
        &mut self,
        step: &'static str,
        words: Vec<String>,
        mut mounts: Vec<Mount>,
    ) -> Result<String, Failure> {
        let request = self.request;
        let binary = match self.uv.clone() {
            Some(binary) => binary,
            None => {
                let interpreter = &request.app.python.interpreter;
                let workshop = self.workshop()?;
                let binary = uv::ready(
                    workshop,
                    request.lowers,
                    request.cache,
                    request.environment,
                    interpreter,
                )?;
                self.uv = Some(binary.clone());
                binary
            }
        };
        mounts.push(uv::mount(&binary));
        let mut argv = vec![UV.to_owned()];
        argv.extend(words);
        self.workshop()?.run(Run {
            step,
            argv,
            mounts,
            variables: vec![uv::telling()],
        })
    }
}

/// `python3.11`
fn python_name(request: &Request<'_>) -> String {
    format!("python{}", request.app.python.version)
}

/// uv's cache holds what was built, too, and does not ask in which root. Where
/// builds find a compiler and libraries, those decide about the result.
fn uv_cache(request: &Request<'_>) -> String {
    if request.build_packages.is_empty() && request.base.is_none() {
        return "uv".to_owned();
    }
    let root = Digest::of(request.root_key.as_bytes()).hex();
    format!("uv-{}", &root[..16])
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A path that uv wrote relative to the lock's folder, relative to the
/// project.
fn from_project(mut pin: Pin) -> Pin {
    if let PinSource::Path(path) = &mut pin.source {
        let whole = ImagePath::from(OUT).join(&*path);
        let below = whole.strip_prefix(&ImagePath::from(SRC));
        if let Some(below) = below.and_then(|below| std::str::from_utf8(below).ok()) {
            *path = below.to_owned();
        }
    }
    pin
}

/// The digest of every file below the paths that pins name: their content
/// decides like a hash does.
fn own_parts(request: &Request<'_>, pins: &[Pin]) -> Result<Option<Digest>, InstallError> {
    check_paths(pins)?;
    let paths: Vec<ImagePath> = pins
        .iter()
        .filter_map(|pin| match &pin.source {
            PinSource::Path(path) => Some(ImagePath::from(path.as_str())),
            _ => None,
        })
        .collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let mut files = sources::gather(&request.project.root)?;
    files.retain(|file| paths.iter().any(|path| file.path.starts_with(path)));
    sources::digest(&files).map(Some)
}

/// A dependency at `../x` is not in the copy that is built.
fn check_paths(pins: &[Pin]) -> Result<(), InstallError> {
    for pin in pins {
        if let PinSource::Path(path) = &pin.source {
            let inside = ImagePath::parse(path).is_ok() && !path.starts_with('/');
            if !inside {
                return Err(InstallError::Outside {
                    dependency: pin.name.clone(),
                    path: path.clone(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_must_lie_in_the_project() {
        let pin = |path: &str| Pin {
            source: PinSource::Path(path.to_owned()),
            ..Pin::index("a", "1")
        };
        assert!(check_paths(&[pin("libs/a"), pin(".")]).is_ok());
        assert!(check_paths(&[pin("../a")]).is_err());
        assert_eq!(from_project(pin("../src/libs/a")), pin("libs/a"));
        assert_eq!(from_project(pin("../other")), pin("../other"));
        assert!(check_paths(&[pin("/a")]).is_err());
    }
}
