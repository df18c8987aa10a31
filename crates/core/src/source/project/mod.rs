//! What a folder holds: which project it is, in which language, what it needs,
//! and what its image runs.

mod account;
mod command;
mod craft;
pub(crate) mod docker_words;
mod dockerfile;
mod error;
mod folder;
mod image;
mod languages;
mod layout;
mod manifest;
mod module;
mod proposal;
mod python;
mod requirements;
mod server;
mod specifier;
mod webapp;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use whit_oci::{Digest, ImagePath};

pub use account::Account;
pub use command::Command;
pub use craft::{Craft, HostSettings, Step};
pub use error::ProjectError;
pub use folder::Folder;
pub use image::inherited;
pub use layout::{Placed, lay_out};
pub use proposal::Proposal;
pub use python::Python;
pub use requirements::Requirements;

use crate::observe::Users;
use crate::settings::{Port, Settings};
use crate::source::base::Base;
use crate::source::ignore::{self, LeftOut};
use crate::source::python_deps::normalize;
use dockerfile::DockerFacts;
use languages::{Clues, Known};
use python::Demand;

/// The folder of the virtual environment in the image. It lies beside the
/// app, not in it, so that a change of the app moves none of the dependencies'
/// layer.
pub const VENV: &str = "/opt/venv";

/// Where the app lies, if nobody says otherwise.
const WORKDIR: &str = "/app";

/// One decision, for the terminal: `command  uvicorn app.main:app ... because
/// app/main.py makes a FastAPI object and uvicorn is a dependency`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detected {
    pub what: &'static str,
    pub value: String,
    pub because: String,
}

/// What runs a project, and how it is put together.
#[derive(Debug, Clone)]
pub enum Language {
    Python(PythonApp),
    Other(Craft),
}

/// What only Python projects have.
#[derive(Debug, Clone)]
pub struct PythonApp {
    pub python: Python,
    pub requirements: Requirements,
    /// Why the project itself is installed too; `None` if it is not.
    pub installed: Option<&'static str>,
    /// Package indexes that the project's files name.
    pub indexes: Vec<String>,
}

/// What a build finds in a base as a `RUN` of a Dockerfile would.
#[derive(Debug, Clone, Copy)]
pub struct Inherited<'a> {
    pub env: &'a [(String, String)],
    pub path: &'a str,
}

/// A project and the image that it is to become.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder; for a single script the one that it lies in.
    pub root: PathBuf,
    /// The only file of the app, where one and not a folder was named.
    pub file: Option<PathBuf>,
    /// Fit for a file name and an image reference: lower case, digits, `-`.
    pub name: String,
    pub version: Option<String>,
    pub description: Option<String>,
    pub license: Option<String>,
    pub language: Language,
    /// Digests of what the requirements stand in, for whit.lock.
    pub inputs: BTreeMap<String, Digest>,
    pub command: Command,
    /// `PATH` is not among them: see [`Project::image_config`].
    pub env: Vec<(String, String)>,
    /// Folders in front of the usual ones in `PATH`, from the Dockerfile.
    pub path: Option<String>,
    /// The usual ones.
    pub usual_path: String,
    /// Absolute.
    pub workdir: ImagePath,
    pub account: Account,
    pub expose: Vec<Port>,
    pub labels: BTreeMap<String, String>,
    pub volumes: Vec<String>,
    pub stop_signal: Option<String>,
    pub healthcheck: Option<serde_json::Value>,
    /// Debian packages beside the language's: a shell that the command needs,
    /// and those that were asked for.
    pub debian: Vec<String>,
    pub furniture: Furniture,
    pub detected: Vec<Detected>,
    pub warnings: Vec<String>,
    copies: Vec<dockerfile::Copy>,
    /// Those of the base.
    users: Users,
}

/// What is laid around the app because it may look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Furniture {
    /// The user's line in `/etc/passwd` and `/etc/group`, and its home.
    pub accounts: bool,
    /// A `/tmp` where the runtime has none.
    pub temporary: bool,
}

impl Default for Furniture {
    fn default() -> Self {
        Self {
            accounts: true,
            temporary: false,
        }
    }
}

/// The files of a project, placed in the image.
#[derive(Debug, Default)]
pub struct Files {
    /// Sorted by their place.
    pub placed: Vec<Placed>,
    pub left_out: Vec<LeftOut>,
    pub warnings: Vec<String>,
}

/// Finds out what `dir` (a folder, one Python file, or a finished program)
/// holds. `settings` are
/// everything that the user decided, all layers together; `base` is the image
/// that they want below.
pub fn detect(
    dir: &Path,
    settings: &Settings,
    base: Option<&Base>,
) -> Result<Project, ProjectError> {
    if dir.is_file() {
        return match languages::of_file(dir, settings)? {
            Some(known) => program(dir, settings, base, known),
            None => script(dir, settings, base),
        };
    }
    if !dir.exists() {
        return Err(ProjectError::Missing {
            path: dir.to_owned(),
        });
    }
    let root = dir.canonicalize().map_err(|source| ProjectError::Read {
        path: dir.to_owned(),
        source,
    })?;
    let folder = Folder::new(&root);
    let manifest = manifest::read(&folder)?;
    let docker = docker_facts(&folder)?;
    let listed = docker.as_ref().map(|facts| facts.requirements.as_slice());
    let found = requirements::find(&folder, &manifest, listed.unwrap_or_default())?;
    if !is_declared(&manifest, &found) {
        let started = command::said(settings, &folder, docker.as_ref())?;
        let clues = Clues {
            dir,
            folder: &folder,
            settings,
            command: started.as_ref(),
            base,
        };
        let mut known = languages::by_manifest(&clues)?;
        if known.is_none() && !has_python(&folder) {
            known = languages::by_build_file(&clues)?;
        }
        match known {
            Some(known) => {
                let project = crafted(&root, &folder, started, known)?;
                return project.settled(&folder, settings, docker.as_ref(), base);
            }
            None if !has_python(&folder) => {
                return Err(ProjectError::NothingKnown {
                    path: dir.to_owned(),
                });
            }
            None => {}
        }
    }
    let indexes = requirements::indexes(&folder, &manifest)?;
    let name = project_name(manifest.name.as_deref(), &root);
    let required: Vec<Demand> = manifest
        .requires_python
        .iter()
        .map(|(text, said_by)| Demand {
            text: text.clone(),
            said_by: (*said_by).to_owned(),
        })
        .collect();
    let wished = match python::wish_of_files(&folder)? {
        Some(wish) => Some(wish),
        None => docker
            .as_ref()
            .and_then(|facts| facts.python_tag.clone())
            .map(|tag| Demand {
                text: tag,
                said_by: "the Dockerfile's python image".to_owned(),
            }),
    };
    let (python, python_line) = choose_python(dir, settings, &required, wished, base)?;
    let command = command::choose(&command::Witnesses {
        dir,
        name: &name,
        folder: &folder,
        settings,
        manifest: &manifest,
        docker: docker.as_ref(),
        dependencies: &found.names,
    })?;
    let app = PythonApp {
        python,
        requirements: found.requirements,
        installed: manifest.packaged,
        indexes,
    };
    let mut project = Project {
        name,
        version: manifest.version,
        description: manifest.description,
        license: manifest.license,
        inputs: found.inputs,
        detected: vec![python_line, found.detected, command.detected.clone()],
        ..Project::bare(root, Language::Python(app), command)
    };
    if let Some(because) = manifest.packaged {
        project.say("install", "the project itself", because);
    }
    project.settled(&folder, settings, docker.as_ref(), base)
}

/// A project in another language than Python.
fn crafted(
    root: &Path,
    folder: &Folder,
    started: Option<Command>,
    known: Known,
) -> Result<Project, ProjectError> {
    let command = started.or(known.command).unwrap_or_default();
    let mut inputs = BTreeMap::new();
    for name in known.inputs {
        if let Some(text) = folder.read(name)? {
            inputs.insert(name.to_owned(), Digest::of(text.as_bytes()));
        }
    }
    let mut detected = known.detected;
    detected.extend(command.is_known().then(|| command.detected.clone()));
    Ok(Project {
        name: project_name(known.name.as_deref(), root),
        version: known.version,
        description: known.description,
        license: known.license,
        inputs,
        detected,
        ..Project::bare(root.to_owned(), Language::Other(known.craft), command)
    })
}

/// A finished program as the whole app.
fn program(
    file: &Path,
    settings: &Settings,
    base: Option<&Base>,
    known: Known,
) -> Result<Project, ProjectError> {
    let full = file.canonicalize().map_err(|source| ProjectError::Read {
        path: file.to_owned(),
        source,
    })?;
    let root = full.parent().unwrap_or(Path::new("/")).to_owned();
    let folder = Folder::new(&root);
    let project = crafted(&root, &folder, command::asked_for(settings), known)?;
    let project = Project {
        file: Some(full),
        ..project
    };
    project.settled(&folder, settings, None, base)
}

/// Refuses what cannot be wanted together with a base.
pub fn check_with_base(settings: &Settings, base: &str) -> Result<(), ProjectError> {
    let first = |packages: &Option<Vec<String>>| packages.iter().flatten().next().cloned();
    let setting = if let Some(suite) = &settings.suite {
        format!("--suite {suite}")
    } else if let Some(package) = first(&settings.build_packages) {
        format!("--build-package {package}")
    } else if let Some(package) = first(&settings.packages) {
        format!("--package {package}")
    } else {
        return Ok(());
    };
    Err(ProjectError::NotWithBase {
        setting,
        base: base.to_owned(),
    })
}

fn choose_python(
    dir: &Path,
    settings: &Settings,
    required: &[Demand],
    wished: Option<Demand>,
    base: Option<&Base>,
) -> Result<(Python, Detected), ProjectError> {
    match base {
        Some(base) if base.pythons.is_empty() => Err(ProjectError::BaseNoPython {
            base: base.name.clone(),
            problem: base.no_python.clone(),
        }),
        Some(base) => python::choose_of_base(&base.name, &base.pythons, settings, required),
        None => python::choose(dir, settings, required, wished),
    }
}

/// A single script as the whole app.
fn script(file: &Path, settings: &Settings, base: Option<&Base>) -> Result<Project, ProjectError> {
    let not_a_project = || ProjectError::NotAProject {
        path: file.to_owned(),
    };
    let full = file.canonicalize().map_err(|source| ProjectError::Read {
        path: file.to_owned(),
        source,
    })?;
    let (Some(root), Some(file_name)) = (full.parent(), full.file_name()) else {
        return Err(not_a_project());
    };
    let file_name = file_name.to_str().ok_or_else(not_a_project)?.to_owned();
    let folder = Folder::new(root);
    let text = folder.read(&file_name)?.unwrap_or_default();
    let by_shebang = text.starts_with("#!") && text.lines().next().unwrap_or("").contains("python");
    if !file_name.ends_with(".py") && !by_shebang {
        return Err(not_a_project());
    }
    let inline = inline_metadata(&full, &text)?;
    let required: Vec<Demand> = inline
        .requires_python
        .into_iter()
        .map(|text| Demand {
            text,
            said_by: format!("requires-python in {file_name}"),
        })
        .collect();
    let (python, python_line) = choose_python(file, settings, &required, None, base)?;
    let found = requirements::of_script(&file_name, inline.dependencies);
    let command = command::of_script(settings, &file_name);
    let stem = file_name.strip_suffix(".py").unwrap_or(&file_name);
    let app = PythonApp {
        python,
        requirements: found.requirements,
        installed: None,
        indexes: Vec::new(),
    };
    let project = Project {
        file: Some(full.clone()),
        name: project_name(Some(stem), root),
        inputs: found.inputs,
        detected: vec![python_line, found.detected, command.detected.clone()],
        ..Project::bare(root.to_owned(), Language::Python(app), command)
    };
    project.settled(&folder, settings, None, base)
}

/// What a script says about itself (PEP 723).
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Inline {
    requires_python: Option<String>,
    dependencies: Vec<String>,
}

fn inline_metadata(path: &Path, text: &str) -> Result<Inline, ProjectError> {
    let Some(tag) = ruff_python_ast::script::ScriptTag::parse(text.as_bytes()) else {
        return Ok(Inline::default());
    };
    toml::from_str(tag.metadata()).map_err(|error| ProjectError::Syntax {
        path: path.to_owned(),
        problem: format!("in its `# /// script` block: {error}"),
    })
}

fn docker_facts(folder: &Folder) -> Result<Option<DockerFacts>, ProjectError> {
    for name in ["Dockerfile", "Containerfile"] {
        if let Some(text) = folder.read(name)? {
            return dockerfile::parse(&text, &folder.path(name)).map(Some);
        }
    }
    Ok(None)
}

/// True where a file of Python's packaging tools says what the project is.
fn is_declared(manifest: &manifest::Manifest, found: &requirements::Found) -> bool {
    manifest.name.is_some()
        || manifest.packaged.is_some()
        || found.requirements != Requirements::Nothing
}

fn has_python(folder: &Folder) -> bool {
    let has_sources = |names: Vec<String>| names.iter().any(|name| name.ends_with(".py"));
    has_sources(folder.names(""))
        || folder
            .names("")
            .iter()
            .any(|name| folder.has_dir(name) && has_sources(folder.names(name)))
}

/// A name for files and references; that of the folder if the project has
/// none.
fn project_name(given: Option<&str>, root: &Path) -> String {
    let folder = root.file_name().map(|name| name.to_string_lossy());
    let name = given
        .map(str::to_owned)
        .or(folder.map(|name| name.into_owned()));
    let name: String = normalize(&name.unwrap_or_default())
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    match name.trim_matches('-') {
        "" => "app".to_owned(),
        name => name.to_owned(),
    }
}

impl Project {
    fn bare(root: PathBuf, language: Language, command: Command) -> Self {
        Self {
            root,
            file: None,
            name: String::new(),
            version: None,
            description: None,
            license: None,
            language,
            inputs: BTreeMap::new(),
            command,
            env: Vec::new(),
            path: None,
            usual_path: image::PATH.to_owned(),
            workdir: WORKDIR.into(),
            account: Account::nonroot(),
            expose: Vec::new(),
            labels: BTreeMap::new(),
            volumes: Vec::new(),
            stop_signal: None,
            healthcheck: None,
            debian: Vec::new(),
            furniture: Furniture::default(),
            detected: Vec::new(),
            warnings: Vec::new(),
            copies: Vec::new(),
            users: Users::default(),
        }
    }

    fn say(&mut self, what: &'static str, value: impl Into<String>, because: impl Into<String>) {
        self.detected.push(Detected {
            what,
            value: value.into(),
            because: because.into(),
        });
    }

    /// The same project, started by one of the programs that its build left.
    pub fn starting(&self, program: &str) -> Self {
        let path = self.workdir.join(program).to_string();
        let command = Command::found(vec![path], "it is the only program".to_owned());
        Self {
            command,
            ..self.clone()
        }
    }

    /// The same project with other things around it.
    pub fn furnished(self, furniture: Furniture) -> Self {
        Self { furniture, ..self }
    }

    /// Where a program lies: where the command looks for it, else in the
    /// working directory. `only` tells that there is no other, which may then
    /// go by another name.
    pub fn place_of_program(&self, name: &str, only: bool) -> ImagePath {
        let usual = self.workdir.join(name);
        let Some(first) = self.command.first() else {
            return usual;
        };
        let wanted = self.command.program().unwrap_or_default();
        let starts_another = wanted != name && (!only || matches!(wanted, "sh" | "bash"));
        if starts_another {
            return usual;
        }
        match first.contains('/') {
            // Absolute, or relative to the working directory.
            true => self.workdir.join(first),
            // Looked for in `PATH`.
            false => ImagePath::from("usr/local/bin").join(first),
        }
    }

    /// The files of the app, each with its place in the image. `foreign` are
    /// paths that are whit's business and no part of the app.
    pub fn files(&self, foreign: &[PathBuf]) -> Result<Files, ProjectError> {
        let mut listing = match &self.file {
            Some(file) => ignore::one(file)?,
            None => ignore::list(&self.root, foreign)?,
        };
        if let Language::Other(craft) = &self.language {
            match &self.file {
                // It is placed with the programs that are built.
                Some(_) => listing.files.clear(),
                None => craft.leave_sources(&mut listing),
            }
        }
        Ok(Files {
            placed: layout::place(&listing.files, &self.workdir, &self.copies),
            left_out: listing.left_out,
            warnings: listing.warnings,
        })
    }
}

#[cfg(test)]
mod tests;
