//! Files and folders beside their place, until they are whole.
//!
//! A draft is called `.NAME.RANDOM.part` and is locked by whoever writes it.
//! One that nobody locks is a killed whit's, and goes when the next one writes
//! to the same place.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use tempfile::{TempDir, TempPath};

const END: &str = ".part";
/// Letters and digits that `tempfile` puts between beginning and end.
const RANDOM: usize = 6;

/// A new file beside `place`, readable as far as the umask allows. It is
/// locked as long as the file, or a copy of its descriptor, is open.
pub fn file(place: &Path) -> io::Result<(File, TempPath)> {
    clear(place);
    loop {
        let (file, path) = tempfile::Builder::new()
            .prefix(&beginning(place))
            .suffix(END)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(parent(place))?
            .into_parts();
        if ours(&file, &path) {
            return Ok((file, path));
        }
    }
}

/// A new folder for what will be at `place`, in the folder `above`, and its
/// lock.
pub(crate) fn folder(place: &Path, above: &Path) -> io::Result<(TempDir, File)> {
    let inside = above.join(place.file_name().unwrap_or_default());
    clear(&inside);
    loop {
        let dir = tempfile::Builder::new()
            .prefix(&beginning(place))
            .suffix(END)
            .rand_bytes(RANDOM)
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(above)?;
        let lock = File::open(dir.path())?;
        if ours(&lock, dir.path()) {
            return Ok((dir, lock));
        }
    }
}

/// Locks a draft; false if somebody took it for a leftover before it was
/// locked.
fn ours(file: &File, path: &Path) -> bool {
    flock(file, FlockOperation::NonBlockingLockExclusive).is_ok() && path.exists()
}

/// Removes the drafts for `place` that nobody writes.
fn clear(place: &Path) {
    let beginning = beginning(place);
    let length = beginning.len() + RANDOM + END.len();
    let entries = fs::read_dir(parent(place)).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let name = name.as_bytes();
        let is_draft = name.len() == length
            && name.starts_with(beginning.as_bytes())
            && name.ends_with(END.as_bytes());
        if !is_draft {
            continue;
        }
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        // Nothing is opened that could block: a draft is a file or a folder.
        if !kind.is_file() && !kind.is_dir() {
            continue;
        }
        let path = entry.path();
        let dead = File::open(&path)
            .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
        if dead {
            // What cannot be removed now is tried again by the next run.
            let _ = match kind.is_dir() {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
        }
    }
}

pub(crate) fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// `.NAME.`
fn beginning(place: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_go_and_what_is_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (living, living_path) = file(&at("a.tar")).unwrap();
        let (_dir, _lock) = folder(&at("a.tar"), dir.path()).unwrap();
        fs::write(at(".a.tar.123456.part"), "x").unwrap();
        fs::create_dir_all(at(".a.tar.abcdef.part/blobs")).unwrap();
        // Somebody else's.
        for other in [".a.tar.part", ".b.tar.123456.part", ".a.tar.1234567.part"] {
            fs::write(at(other), "x").unwrap();
        }
        let (next, next_path) = file(&at("a.tar")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 6);
        assert!(living_path.exists() && next_path.exists());
        drop((living, next));
    }
}
