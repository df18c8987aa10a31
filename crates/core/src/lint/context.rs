//! The build context: the folder that `COPY` copies from.

use std::path::{Path, PathBuf};

use ::ignore::WalkBuilder;
use whit_oci::ImagePath;

use super::LintError;
use crate::source::ignore::DockerIgnore;

/// Names that a development machine leaves in a project's folder and no image
/// needs from there.
const LITTER: [&str; 21] = [
    ".git",
    ".hg",
    ".svn",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    ".gradle",
    ".idea",
    ".vscode",
    ".terraform",
    ".next",
    ".parcel-cache",
    ".DS_Store",
    "coverage",
    "htmlcov",
];
/// Entries of a context that are looked at.
const MAX_ENTRIES: usize = 200_000;

/// What is known about the build context.
#[derive(Debug, Default)]
pub struct Context {
    folder: Option<PathBuf>,
    ignore: Option<DockerIgnore>,
    /// The name of the ignore file that is there.
    pub ignore_file: Option<String>,
    /// Litter that no pattern keeps out, with its bytes, the largest first.
    pub litter: Vec<(String, u64)>,
}

impl Context {
    /// Looks into the folder of a Dockerfile of this name.
    pub fn read(folder: &Path, dockerfile: &str) -> Result<Self, LintError> {
        // BuildKit reads `NAME.dockerignore` before `.dockerignore`
        // (docs.docker.com, "Build context").
        let names = [
            format!("{dockerfile}.dockerignore"),
            ".dockerignore".to_owned(),
        ];
        let mut context = Self {
            folder: Some(folder.to_owned()),
            ..Self::default()
        };
        for name in names {
            let path = folder.join(&name);
            let text = match std::fs::read(&path) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(source) => return Err(LintError::Read { path, source }),
            };
            context.ignore = Some(DockerIgnore::parse(&text)?);
            context.ignore_file = Some(name);
            break;
        }
        context.litter = context.find_litter(folder);
        Ok(context)
    }

    pub fn is_known(&self) -> bool {
        self.folder.is_some()
    }

    fn find_litter(&self, folder: &Path) -> Vec<(String, u64)> {
        let mut litter: Vec<(String, u64)> = Vec::new();
        let is_litter = |name: &std::ffi::OsStr| LITTER.iter().any(|known| name == *known);
        let walk = WalkBuilder::new(folder)
            .standard_filters(false)
            .filter_entry({
                // What is inside of litter belongs to it.
                move |entry| {
                    let parent = entry.path().parent().and_then(Path::file_name);
                    entry.depth() < 2 || !parent.is_some_and(is_litter)
                }
            })
            .build();
        for entry in walk.flatten().take(MAX_ENTRIES) {
            if entry.depth() == 0 || !is_litter(entry.file_name()) {
                continue;
            }
            let Ok(relative) = entry.path().strip_prefix(folder) else {
                continue;
            };
            let relative = relative.to_string_lossy().into_owned();
            if !self.is_ignored(&relative) {
                litter.push((relative, size(entry.path())));
            }
        }
        litter.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        litter
    }

    fn is_ignored(&self, relative: &str) -> bool {
        let verdict = |ignore: &DockerIgnore| {
            let path = ImagePath::clamped(relative);
            ignore.verdict(&path).is_some_and(|(_, included)| !included)
        };
        self.ignore.as_ref().is_some_and(verdict)
    }

    /// Bytes of the files that `COPY SOURCE` copies; `None` if there is
    /// nothing of this name.
    pub fn size(&self, source: &str) -> Option<u64> {
        let relative = ImagePath::clamped(source);
        let path = self.folder.as_ref()?.join(relative.as_str()?);
        path.symlink_metadata().is_ok().then(|| size(&path))
    }

    /// The text of a file of the context.
    pub fn text(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.as_ref()?.join(name)).ok()
    }
}

/// Bytes of the regular files of a path.
fn size(path: &Path) -> u64 {
    WalkBuilder::new(path)
        .standard_filters(false)
        .build()
        .flatten()
        .take(MAX_ENTRIES)
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
