//! The app's surroundings, as far as Python's code leans on them.

use whit_oci::ImagePath;

use super::interpreter::Launch;
use crate::index::{FileId, Tree};
use crate::reach::How;

/// What the app's surroundings are, as far as Python's code leans on them.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// The interpreter's file, all links followed.
    pub interpreter: Option<FileId>,
    /// The script's folder, or the working directory: the first entry of
    /// `sys.path`; several where several programs are started.
    pub first: Vec<ImagePath>,
    /// Folders of `PATH`.
    pub search: Vec<ImagePath>,
    /// Folders of shared libraries.
    pub libraries: Vec<ImagePath>,
    /// What the image is started with, its own command first.
    pub starts: Vec<Start>,
    /// Values of the environment, some of which name modules:
    /// `config.settings`.
    pub words: Vec<String>,
}

/// One program that the image is started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The cause of what it starts.
    pub how: How,
    /// Files that are run as programs: `python FILE`, console scripts.
    pub mains: Vec<FileId>,
    /// Modules that are run as programs: `python -m`.
    pub modules: Vec<String>,
    /// Words of the command, some of which name modules: `app.main:app`.
    pub words: Vec<String>,
}

impl Start {
    pub fn new(how: How, launch: &Launch) -> Self {
        Self {
            how,
            mains: launch.scripts.clone(),
            modules: launch.modules.clone(),
            words: launch.words.clone(),
        }
    }
}

impl Setting {
    /// The surroundings of what is started: `folders` are the working
    /// directories, `env` the environment, `libraries` the folders of shared
    /// libraries.
    pub fn of(
        tree: &Tree,
        interpreter: FileId,
        starts: Vec<Start>,
        folders: Vec<ImagePath>,
        env: &[(String, String)],
        libraries: Vec<ImagePath>,
    ) -> Self {
        let value = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let mut first: Vec<ImagePath> = starts
            .iter()
            .flat_map(|start| &start.mains)
            .filter_map(|script| tree.path(*script).parent())
            .collect();
        // `-m` and many servers put it there.
        first.extend(folders);
        let search = value("PATH")
            .unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .split(':')
            .filter(|dir| dir.starts_with('/'))
            .map(ImagePath::clamped)
            .collect();
        Self {
            interpreter: Some(interpreter),
            first,
            search,
            libraries,
            starts,
            words: env.iter().map(|(_, value)| value.clone()).collect(),
        }
    }

    /// Files that are run as programs.
    pub fn mains(&self) -> impl Iterator<Item = FileId> {
        self.starts
            .iter()
            .flat_map(|start| start.mains.iter().copied())
    }
}
