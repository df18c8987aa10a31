//! A copy of the project for its own build: what a build backend may read,
//! and a place where it may write.

use std::path::{Path, PathBuf};

use whit_oci::{Digest, ImagePath};

use super::InstallError;
use super::error::io;
use super::workshop::give;
use crate::source::ignore::{Listed, ListedKind, list_sources};

/// Backends that ask git for the version.
const ASKS_GIT: &[&str] = &[
    "setuptools-scm",
    "setuptools_scm",
    "hatch-vcs",
    "versioningit",
    "versioneer",
    "dunamai",
    "poetry-dynamic-versioning",
    "pdm-backend",
    "flit_scm",
    "pbr",
];

/// Everything that is copied: the project without litter and without what git
/// ignores. `.dockerignore` has no say, it is about the image: a README that
/// it leaves out is still the package's description. With `.git` where the
/// build asks it for the version.
pub fn gather(root: &Path) -> Result<Vec<Listed>, InstallError> {
    let mut files = list_sources(root)?.files;
    let manifest = ["pyproject.toml", "setup.py", "setup.cfg"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(root.join(name)).ok())
        .collect::<String>();
    if root.join(".git").is_dir() && ASKS_GIT.iter().any(|name| manifest.contains(name)) {
        repository(root, &mut files)?;
    }
    Ok(files)
}

fn repository(root: &Path, files: &mut Vec<Listed>) -> Result<(), InstallError> {
    let mut open = vec![ImagePath::from(".git")];
    while let Some(folder) = open.pop() {
        for host in super::normalise::children(&folder.under(root))? {
            let name = host.file_name().unwrap_or_default();
            let path = folder.join(std::os::unix::ffi::OsStrExt::as_bytes(name));
            let meta = host
                .symlink_metadata()
                .map_err(io(format!("reading {}", host.display())))?;
            let kind = if meta.is_dir() {
                open.push(path.clone());
                ListedKind::Dir
            } else if meta.is_file() {
                ListedKind::File {
                    size: meta.len(),
                    executable: false,
                }
            } else {
                continue;
            };
            files.push(Listed { path, host, kind });
        }
    }
    files.sort();
    Ok(())
}

/// Copies the files below `dest` and hands them to the sandbox's root.
pub fn copy(files: &[Listed], dest: &Path) -> Result<(), InstallError> {
    use std::os::unix::ffi::OsStrExt;
    for file in files {
        let to = file.path.under(dest);
        let context = || format!("copying {}", file.host.display());
        match &file.kind {
            ListedKind::Dir => std::fs::create_dir_all(&to).map_err(io(context()))?,
            ListedKind::Symlink(target) => {
                std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), &to)
                    .map_err(io(context()))?;
            }
            ListedKind::File { executable, .. } => {
                use std::os::unix::fs::PermissionsExt;
                std::fs::copy(&file.host, &to).map_err(io(context()))?;
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&to, std::fs::Permissions::from_mode(mode))
                    .map_err(io(context()))?;
            }
        }
        give(&to)?;
    }
    Ok(())
}

/// A digest of names, kinds and contents.
pub fn digest(files: &[Listed]) -> Result<Digest, InstallError> {
    let mut text = String::new();
    for file in files {
        let what = match &file.kind {
            ListedKind::Dir => continue,
            ListedKind::Symlink(target) => format!("-> {}", hex::encode(target)),
            ListedKind::File { executable, .. } => {
                let bytes = read(&file.host)?;
                format!("{executable} {}", Digest::of(&bytes))
            }
        };
        text.push_str(&format!("{} {what}\n", hex::encode(file.path.as_bytes())));
    }
    Ok(Digest::of(text.as_bytes()))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, InstallError> {
    std::fs::read(path).map_err(io(format!("reading {}", path.display())))
}
