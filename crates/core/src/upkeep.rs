//! The caches as the user sees them: how large they are, and making room.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::workspace::{self, Workspace};

/// A cache by its name, what it holds, and where its entries are: `*` is any
/// name, and what it stands for at the end is one entry.
const CACHES: [(&str, &str, &[&str]); 8] = [
    (
        "blobs",
        "layers of registries",
        &["blobs/files/*/*", "blobs/origins/*"],
    ),
    (
        "downloads",
        "packages and their indexes",
        &["downloads/files/*/*", "downloads/debian/*"],
    ),
    ("roots", "unpacked runtimes", &["downloads/roots/*"]),
    (
        "dependencies",
        "installed dependencies and tools",
        &[
            "dependencies/projects/*",
            "dependencies/python/*",
            "dependencies/tools/*",
        ],
    ),
    ("bytecode", "compiled modules", &["bytecode/*/*"]),
    ("stripped", "stripped libraries", &["stripped/*"]),
    ("layers", "layers that whit made", &["layers/*"]),
    ("matrix", "results of `whit matrix`", &["matrix/*"]),
];

/// How large a cache is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheUse {
    pub name: &'static str,
    pub what: &'static str,
    pub entries: u64,
    /// On the disk; what several entries share is counted once.
    pub bytes: u64,
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freed {
    pub entries: u64,
    pub bytes: u64,
}

/// Why no room was made.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error("there is no cache {0:?}")]
    Unknown(String),
    #[error("another whit works with the caches")]
    Busy,
    #[error("cannot remove {}: {source}", path.display())]
    Remove { path: PathBuf, source: io::Error },
    #[error("cannot read the caches: {0}")]
    Read(#[from] io::Error),
}

impl UpkeepError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(_) => {
                let names: Vec<&str> = CACHES.iter().map(|(name, ..)| *name).collect();
                Some(format!("there are {}", names.join(", ")))
            }
            Self::Busy => Some("try again when it is done".to_owned()),
            Self::Remove { .. } | Self::Read(_) => None,
        }
    }
}

/// One thing that can be removed without the others.
struct Entry {
    path: PathBuf,
    bytes: u64,
    /// Seconds and nanoseconds since 1970.
    used: (i64, i64),
}

/// All caches below `root`, those with nothing in them too.
pub fn caches(root: &Path) -> io::Result<Vec<CacheUse>> {
    let mut seen = HashSet::new();
    CACHES
        .iter()
        .map(|(name, what, patterns)| {
            let entries = entries(root, patterns, &mut seen)?;
            Ok(CacheUse {
                name,
                what,
                entries: entries.len() as u64,
                bytes: entries.iter().map(|entry| entry.bytes).sum(),
            })
        })
        .collect()
}

/// Removes entries of all caches, those first that were not used for the
/// longest time, until the rest has at most `limit` bytes.
pub fn prune(root: &Path, limit: u64) -> Result<Freed, UpkeepError> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (_, _, patterns) in CACHES {
        all.extend(entries(root, patterns, &mut seen)?);
    }
    all.sort_by_key(|entry| entry.used);
    let mut left: u64 = all.iter().map(|entry| entry.bytes).sum();
    let surplus = all.into_iter().take_while(|entry| {
        let over = left > limit;
        left = left.saturating_sub(entry.bytes);
        over
    });
    remove(root, surplus)
}

/// Empties these caches; all of them where none is named.
pub fn clear(root: &Path, names: &[String]) -> Result<Freed, UpkeepError> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for name in names {
        if !CACHES.iter().any(|(known, ..)| known == name) {
            return Err(UpkeepError::Unknown(name.clone()));
        }
    }
    for (name, _, patterns) in CACHES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            all.extend(entries(root, patterns, &mut seen)?);
        }
    }
    remove(root, all)
}

fn remove(root: &Path, entries: impl IntoIterator<Item = Entry>) -> Result<Freed, UpkeepError> {
    let mut freed = Freed::default();
    for entry in entries {
        // Files that others hold open stay whole for them, folders do not.
        if Workspace::any_alive(root) {
            return Err(UpkeepError::Busy);
        }
        let removed = match entry.path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => workspace::remove_tree(&entry.path),
            _ => fs::remove_file(&entry.path),
        };
        removed.map_err(|source| UpkeepError::Remove {
            path: entry.path.clone(),
            source,
        })?;
        freed.entries += 1;
        freed.bytes += entry.bytes;
    }
    Ok(freed)
}

/// The entries that patterns stand for. What was `seen` before, under another
/// name, takes no more room.
fn entries(
    root: &Path,
    patterns: &[&str],
    seen: &mut HashSet<(u64, u64)>,
) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for pattern in patterns {
        let mut paths = vec![root.to_path_buf()];
        for part in pattern.split('/') {
            let mut next = Vec::new();
            for path in paths {
                match part {
                    "*" => next.extend(children(&path)?),
                    name => next.push(path.join(name)),
                }
            }
            paths = next;
        }
        for path in paths {
            let meta = path.symlink_metadata()?;
            found.push(Entry {
                bytes: size(&path, &meta, seen)?,
                used: (meta.atime(), meta.atime_nsec()).max((meta.mtime(), meta.mtime_nsec())),
                path,
            });
        }
    }
    Ok(found)
}

/// Bytes on the disk of a file, or of a folder with all that is in it.
fn size(path: &Path, meta: &Metadata, seen: &mut HashSet<(u64, u64)>) -> io::Result<u64> {
    if !seen.insert((meta.dev(), meta.ino())) {
        return Ok(0);
    }
    let mut bytes = meta.blocks() * 512;
    if meta.is_dir() {
        for child in children(path)? {
            let meta = child.symlink_metadata()?;
            bytes += size(&child, &meta, seen)?;
        }
    }
    Ok(bytes)
}

/// What is in a folder. What is no folder, or is not there any more, or may
/// not be read, has nothing in it that could be counted.
fn children(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// Three entries of 64 kB, the first one the oldest.
    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (age, name) in ["blobs/files/ab/abc", "layers/x", "downloads/roots/r/etc/f"]
            .iter()
            .enumerate()
        {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, vec![1; 64 << 10]).unwrap();
            let entry = match name.strip_suffix("/etc/f") {
                Some(folder) => root.path().join(folder),
                None => path,
            };
            let time = UNIX_EPOCH + Duration::from_secs(1000 + age as u64);
            let times = fs::FileTimes::new().set_accessed(time).set_modified(time);
            fs::File::open(entry).unwrap().set_times(times).unwrap();
        }
        root
    }

    fn names(root: &Path) -> Vec<&'static str> {
        let caches = caches(root).unwrap();
        let full = caches.iter().filter(|cache| cache.entries > 0);
        full.map(|cache| cache.name).collect()
    }

    #[test]
    fn the_longest_unused_goes_first() {
        let root = root();
        let all = caches(root.path()).unwrap();
        assert!(all.iter().map(|cache| cache.bytes).sum::<u64>() >= 3 << 16);
        assert_eq!(names(root.path()), ["blobs", "roots", "layers"]);
        let freed = prune(root.path(), 150_000).unwrap();
        assert_eq!(freed.entries, 1);
        assert_eq!(names(root.path()), ["roots", "layers"]);
        assert_eq!(prune(root.path(), 1 << 30).unwrap(), Freed::default());
        prune(root.path(), 0).unwrap();
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn caches_are_cleared_by_name_while_nobody_works() {
        let root = root();
        let error = clear(root.path(), &["layer".to_owned()]).unwrap_err();
        assert!(error.hint().unwrap().contains("layers"), "{error}");
        let working = Workspace::create(root.path()).unwrap();
        let error = clear(root.path(), &[]).unwrap_err();
        assert!(matches!(error, UpkeepError::Busy), "{error}");
        drop(working);
        clear(root.path(), &["layers".to_owned()]).unwrap();
        assert_eq!(names(root.path()), ["blobs", "roots"]);
        clear(root.path(), &[]).unwrap();
        assert_eq!(names(root.path()), [""; 0]);
    }
}
