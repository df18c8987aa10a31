//! The app's surroundings, as far as Python's code leans on them.

use whit_oci::ImagePath;

use super::interpreter::Launch;
use crate::index::{FileId, Tree};

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
    /// Files that are run as programs: `python FILE`, console scripts.
    pub mains: Vec<FileId>,
    /// Modules that are run as programs: `python -m`.
    pub modules: Vec<String>,
    /// Words of the command and values of the environment, some of which name
    /// modules: `app.main:app`, `config.settings`.
    pub words: Vec<String>,
}

impl Setting {
    /// The surroundings of a launch: `cwd` is the working directory, `env` the
    /// image's environment, `libraries` the folders of shared libraries.
    pub fn of(
        tree: &Tree,
        launch: &Launch,
        cwd: &ImagePath,
        env: &[(String, String)],
        libraries: Vec<ImagePath>,
    ) -> Self {
        let value = |name: &str| env.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let mut first: Vec<ImagePath> = launch
            .scripts
            .iter()
            .filter_map(|script| tree.path(*script).parent())
            .collect();
        // `-m` and many servers put it there.
        first.push(cwd.clone());
        let search = value("PATH")
            .unwrap_or("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .split(':')
            .filter(|dir| dir.starts_with('/'))
            .map(ImagePath::clamped)
            .collect();
        let mut words = launch.words.clone();
        words.extend(env.iter().map(|(_, value)| value.clone()));
        Self {
            interpreter: launch.interpreter.as_ref().map(|python| python.file),
            first,
            search,
            libraries,
            mains: launch.scripts.clone(),
            modules: launch.modules.clone(),
            words,
        }
    }
}
