//! What a folder holds: which Python project it is, what it needs, and what
//! its image runs.

mod account;
mod command;
pub(crate) mod docker_words;
mod dockerfile;
mod error;
mod folder;
mod image;
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
use python::Demand;

/// The folder of the virtual environment in the image. It lies beside the
/// app, not in it, so that a change of the app moves none of the dependencies'
/// layer.
pub const VENV: &str = "/opt/venv";

/// Where the app lies, if nobody says otherwise.
const WORKDIR: &str = "/app";

/// One decision, for the terminal: `command  uvicorn app.main:app ... because
/// app/main.py makes a FastAPI object and uvicorn is a dependency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detected {
    pub what: &'static str,
    pub value: String,
    pub because: String,
}

/// A Python project and the image that it is to become.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder; for a single script the one that it lies in.
    pub root: PathBuf,
    /// The only file of the app, where a script and not a folder was named.
    pub script: Option<PathBuf>,
    /// Fit for a file name and an image reference: lower case, digits, `-`.
    pub name: String,
    pub version: Option<String>,
    pub description: Option<String>,
    pub license: Option<String>,
    pub python: Python,
    pub requirements: Requirements,
    /// Why the project itself is installed too; `None` if it is not.
    pub installed: Option<&'static str>,
    /// Package indexes that the project's files name.
    pub indexes: Vec<String>,
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
    /// Debian packages that the command needs besides Python: a shell.
    pub debian: Vec<&'static str>,
    pub detected: Vec<Detected>,
    pub warnings: Vec<String>,
    copies: Vec<dockerfile::Copy>,
    /// Those of the base.
    users: Users,
}

/// The files of a project, placed in the image.
#[derive(Debug, Default)]
pub struct Files {
    /// Sorted by their place.
    pub placed: Vec<Placed>,
    pub left_out: Vec<LeftOut>,
    pub warnings: Vec<String>,
}

/// Finds out what `dir` (a folder, or one Python file) holds. `settings` are
/// everything that the user decided, all layers together; `base` is the image
/// that they want below.
pub fn detect(
    dir: &Path,
    settings: &Settings,
    base: Option<&Base>,
) -> Result<Project, ProjectError> {
    if dir.is_file() {
        return script(dir, settings, base);
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
    if !is_python(&folder, &manifest, &found) {
        return Err(ProjectError::NothingPython {
            path: dir.to_owned(),
        });
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
    let mut project = Project {
        script: None,
        name,
        version: manifest.version,
        description: manifest.description,
        license: manifest.license,
        requirements: found.requirements,
        installed: manifest.packaged,
        indexes,
        inputs: found.inputs,
        detected: vec![python_line, found.detected, command.detected.clone()],
        ..Project::bare(root, python, command)
    };
    if let Some(because) = project.installed {
        project.say("install", "the project itself", because);
    }
    project.settle(&folder, settings, docker.as_ref(), base)?;
    Ok(project)
}

/// Refuses what cannot be wanted together with a base.
pub fn check_with_base(settings: &Settings, base: &str) -> Result<(), ProjectError> {
    let packages = settings.build_packages.iter().flatten().next();
    let setting = match (&settings.suite, packages) {
        (Some(suite), _) => format!("--suite {suite}"),
        (None, Some(package)) => format!("--build-package {package}"),
        (None, None) => return Ok(()),
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
    let mut project = Project {
        script: Some(full.clone()),
        name: project_name(Some(stem), root),
        requirements: found.requirements,
        inputs: found.inputs,
        detected: vec![python_line, found.detected, command.detected.clone()],
        ..Project::bare(root.to_owned(), python, command)
    };
    project.settle(&folder, settings, None, base)?;
    Ok(project)
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

fn is_python(folder: &Folder, manifest: &manifest::Manifest, found: &requirements::Found) -> bool {
    let has_sources = |names: Vec<String>| names.iter().any(|name| name.ends_with(".py"));
    manifest.name.is_some()
        || manifest.packaged.is_some()
        || found.requirements != Requirements::Nothing
        || has_sources(folder.names(""))
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
    fn bare(root: PathBuf, python: Python, command: Command) -> Self {
        Self {
            root,
            script: None,
            name: String::new(),
            version: None,
            description: None,
            license: None,
            python,
            requirements: Requirements::Nothing,
            installed: None,
            indexes: Vec::new(),
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

    /// The files of the app, each with its place in the image. `foreign` are
    /// paths that are whit's business and no part of the app.
    pub fn files(&self, foreign: &[PathBuf]) -> Result<Files, ProjectError> {
        let listing = match &self.script {
            Some(script) => ignore::one(script)?,
            None => ignore::list(&self.root, foreign)?,
        };
        Ok(Files {
            placed: layout::place(&listing.files, &self.workdir, &self.copies),
            left_out: listing.left_out,
            warnings: listing.warnings,
        })
    }
}

#[cfg(test)]
mod tests;
