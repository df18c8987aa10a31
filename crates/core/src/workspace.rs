//! Folders that whit works in: a cache that stays, and one throw-away folder
//! per run.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

/// What stays between runs, below `$XDG_CACHE_HOME/whit`. All of it can be
/// made again; every file is named by what it was made from.
#[derive(Debug, Clone)]
pub struct CacheDirs {
    root: PathBuf,
}

impl CacheDirs {
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Package indexes and packages, by hash.
    pub fn downloads(&self) -> io::Result<PathBuf> {
        self.folder("downloads")
    }

    /// Extracted runtime roots, by the packages that they hold.
    pub fn roots(&self) -> io::Result<PathBuf> {
        self.folder("roots")
    }

    /// Installed dependencies, by what was asked for.
    pub fn dependencies(&self) -> io::Result<PathBuf> {
        self.folder("dependencies")
    }

    /// Tools that whit runs: uv.
    pub fn tools(&self) -> io::Result<PathBuf> {
        self.folder("tools")
    }

    pub fn bytecode(&self) -> io::Result<PathBuf> {
        self.folder("bytecode")
    }

    pub fn stripped(&self) -> io::Result<PathBuf> {
        self.folder("stripped")
    }

    pub fn layers(&self) -> io::Result<PathBuf> {
        self.folder("layers")
    }

    /// What came of the Dockerfiles of a matrix, by what they were made of.
    pub fn matrix(&self) -> io::Result<PathBuf> {
        self.folder("matrix")
    }

    fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.root.join(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&folder)?;
        Ok(folder)
    }
}

/// The throw-away folder of one run. Removed when dropped; what a killed run
/// left behind is removed by the next one.
#[derive(Debug)]
pub struct Workspace {
    folder: Option<TempDir>,
    /// Held as long as the run lives, so that others know.
    _lock: File,
}

const LOCK: &str = "lock";

impl Workspace {
    /// Makes the folder below the cache, where there is room for a whole
    /// image and where overlayfs works, and clears the leftovers of the dead.
    pub fn create(cache: &Path) -> io::Result<Self> {
        let runs = cache.join("runs");
        fs::create_dir_all(&runs)?;
        clear_leftovers(&runs);
        let folder = tempfile::Builder::new()
            .prefix("run-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(&runs)?;
        let lock = File::create(folder.path().join(LOCK))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self {
            folder: Some(folder),
            _lock: lock,
        })
    }

    /// True while a run works with this cache.
    pub fn any_alive(cache: &Path) -> bool {
        let runs = fs::read_dir(cache.join("runs")).into_iter().flatten();
        runs.flatten()
            .filter_map(|entry| File::open(entry.path().join(LOCK)).ok())
            .any(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err())
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// A new folder of this name.
    pub fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            // What cannot be removed now is tried again by the next run.
            let _ = remove_tree(&folder.keep());
        }
    }
}

/// Removes what runs left that were killed: nobody holds their lock.
fn clear_leftovers(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    for entry in entries.flatten() {
        let abandoned = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok(),
            // It is being made, or being removed: leave it to whoever does.
            Err(_) => false,
        };
        if abandoned {
            let _ = remove_tree(&entry.path());
        }
    }
}

/// Removes a folder with everything in it, folders without permissions
/// (overlayfs leaves such) included.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    // The folders of a root file system go at the same time; whatever fails
    // here fails again below, and is told there.
    let below = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect()
    };
    let mut folders = vec![folder.to_owned()];
    for _ in 0..4 {
        folders = folders.iter().flat_map(|folder| below(folder)).collect();
    }
    folders.par_iter().for_each(|folder| {
        let _ = fs::remove_dir_all(folder);
    });
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(folder)?;
            fs::remove_dir_all(folder)
        }
        done => done,
    }
}

fn open_up(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_of_the_dead_go_and_the_living_stay() {
        let cache = tempfile::tempdir().unwrap();
        let living = Workspace::create(cache.path()).unwrap();
        let dead = cache.path().join("runs/run-dead");
        fs::create_dir_all(dead.join("work")).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        let next = Workspace::create(cache.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }

    #[test]
    fn folders_without_permissions_go_too() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("work/work");
        fs::create_dir_all(&closed).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        remove_tree(&folder.path().join("work")).unwrap();
        assert!(!folder.path().join("work").exists());
    }
}
