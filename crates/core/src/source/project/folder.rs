//! Reading a project's own files, which are not to be trusted to be small, or
//! text, or files.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::ProjectError;

/// Manifests and lock files: the largest uv.lock seen has 3 MB.
const MAX_BYTES: u64 = 32 << 20;

/// The folder of a project.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn has_file(&self, name: &str) -> bool {
        self.path(name).is_file()
    }

    pub fn has_dir(&self, name: &str) -> bool {
        self.path(name).is_dir()
    }

    /// The text of a file; `None` if there is none of this name. Bytes that
    /// are no UTF-8 become replacement characters: the reader of the format
    /// will say what it thinks of them.
    pub fn read(&self, name: &str) -> Result<Option<String>, ProjectError> {
        let path = self.path(name);
        if !path.is_file() {
            return Ok(None);
        }
        let fail = |source| ProjectError::Read {
            path: path.clone(),
            source,
        };
        let mut bytes = Vec::new();
        std::fs::File::open(&path)
            .map_err(fail)?
            .take(MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(ProjectError::TooLarge { path });
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The names directly below `name` (empty for the root), sorted. Empty if
    /// it is no folder.
    pub fn names(&self, name: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(name))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}
