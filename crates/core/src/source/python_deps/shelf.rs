//! Finished installations in whit's cache: made under a temporary name, renamed
//! into their place, found again by a key.

use std::fs;
use std::path::Path;

use super::error::io;
use super::installed::{narrow, tags};
use super::{InstallError, Pin, Pinned};
use crate::source::project::VENV;

/// The list of build pins beside a finished folder.
pub fn write_build(folder: &Path, build: &[Pin]) -> Result<(), InstallError> {
    let path = folder.join("build.json");
    let text = serde_json::to_string(build).unwrap_or_default();
    fs::write(&path, text).map_err(io(format!("writing {}", path.display())))
}

/// What a folder of the cache was made from.
pub fn finished(folder: &Path, pinned: Pinned) -> Result<Pinned, InstallError> {
    let venv = folder.join("root").join(VENV.trim_start_matches('/'));
    let is_dependencies = venv.join("pyvenv.cfg").is_file();
    let pins = match is_dependencies {
        true => narrow(&pinned.pins, &tags(&venv)?),
        false => pinned.pins,
    };
    let build = fs::read_to_string(folder.join("build.json"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or(pinned.build);
    Ok(Pinned { pins, build })
}

/// Renames a finished folder into its place; another process that was faster
/// has the same.
pub fn shelve(made: tempfile::TempDir, place: &Path) -> Result<(), InstallError> {
    let context = || format!("storing {}", place.display());
    if let Some(shelf) = place.parent() {
        fs::create_dir_all(shelf).map_err(io(context()))?;
    }
    if place.is_dir() {
        return Ok(());
    }
    use std::os::unix::fs::PermissionsExt;
    // A temporary folder is closed to everyone else; the sandbox's user needs
    // to look in.
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).map_err(io(context()))?;
    let made = made.keep();
    match fs::rename(&made, place) {
        Ok(()) => Ok(()),
        Err(_) if place.is_dir() => {
            let _ = fs::remove_dir_all(made);
            Ok(())
        }
        Err(error) => {
            let _ = fs::remove_dir_all(made);
            Err(io(context())(error))
        }
    }
}

/// Another name for a finished folder: the key of what was asked for, before
/// it was known what that would be.
pub fn link(name: &Path, folder: &Path) -> Result<(), InstallError> {
    if name == folder || name.symlink_metadata().is_ok() {
        return Ok(());
    }
    let target = folder.file_name().unwrap_or_default();
    match std::os::unix::fs::symlink(target, name) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(io(format!("linking {}", name.display()))(error))
        }
        _ => Ok(()),
    }
}
