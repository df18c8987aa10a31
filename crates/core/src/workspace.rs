//! Folders that whit works in: a cache that stays, and one throw-away folder
//! per run.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
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

    /// What executables are made of: libraries, interpreters, runtimes.
    pub fn kits(&self) -> io::Result<PathBuf> {
        self.folder("kits")
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

/// In the folder; the first thing that comes into it, and the last that goes.
const LOCK: &str = "lock";

/// What is being made in the caches has such a name until it is whole: its
/// folder, and how the name begins.
const DRAFTS: [(&str, &str); 9] = [
    ("kits", ".tmp"),
    ("layers", ".tmp"),
    ("stripped", ".tmp"),
    ("bytecode", ".tmp"),
    ("bytecode", "compile-"),
    ("dependencies/tmp", ""),
    ("downloads/debian", ".tmp"),
    ("downloads/roots", ".draft-"),
    ("blobs/origins", ".tmp"),
];

impl Workspace {
    /// Makes the folder below the cache, where there is room for a whole
    /// image and where overlayfs works, and clears the leftovers of the dead.
    pub fn create(cache: &Path) -> io::Result<Self> {
        let runs = cache.join("runs");
        fs::create_dir_all(&runs)?;
        clear_leftovers(&runs);
        let (folder, lock) = new_run(&runs)?;
        let began = age(&lock.metadata()?);
        // Whoever begins from now on makes younger ones, and if nobody else
        // lives that began before, the older ones are nobody's.
        let older = drafts(cache, began);
        if !older.is_empty() && living(&runs).all(|run| run == folder.path()) {
            for draft in older {
                let _ = remove(&draft);
            }
        }
        Ok(Self {
            folder: Some(folder),
            _lock: lock,
        })
    }

    /// True while a run works with this cache.
    pub fn any_alive(cache: &Path) -> bool {
        living(&cache.join("runs")).next().is_some()
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
            let _ = remove_run(&folder.keep());
        }
    }
}

/// The folders of runs that live.
fn living(runs: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|folder| {
        File::open(folder.join(LOCK))
            .is_ok_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err())
    })
}

/// Removes what runs left that were killed: nobody holds their lock.
fn clear_leftovers(runs: &Path) {
    let Ok(entries) = fs::read_dir(runs) else {
        return;
    };
    for entry in entries.flatten() {
        let folder = entry.path();
        match File::open(folder.join(LOCK)) {
            Ok(lock) if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() => {
                let _ = remove_run(&folder);
            }
            Ok(_) => {}
            // Made or removed at this moment, or left so: without a lock it is
            // empty, and only then does it go.
            Err(_) => {
                let _ = fs::remove_dir(&folder);
            }
        }
    }
}

/// A new folder and its lock, which is held.
fn new_run(runs: &Path) -> io::Result<(TempDir, File)> {
    loop {
        let folder = tempfile::Builder::new()
            .prefix("run-")
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir_in(runs)?;
        let lock = match File::create(folder.path().join(LOCK)) {
            Ok(lock) => lock,
            // Somebody took it for a leftover: it had no lock yet.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let held = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        if held && folder.path().join(LOCK).exists() {
            return Ok((folder, lock));
        }
    }
}

/// Removes a run's folder so that whoever dies at it leaves something with a
/// lock, or something empty.
fn remove_run(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != LOCK {
            remove(&entry.path())?;
        }
    }
    fs::remove_file(folder.join(LOCK))?;
    fs::remove_dir(folder)
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => remove_tree(path),
        false => fs::remove_file(path),
    }
}

/// What was being made in the caches before `now`, or was when its maker died.
fn drafts(cache: &Path, now: (i64, i64)) -> Vec<PathBuf> {
    let of = |(folder, beginning): &(&str, &'static str)| {
        let beginning = *beginning;
        let entries = fs::read_dir(cache.join(folder)).into_iter().flatten();
        entries.flatten().filter_map(move |entry| {
            let name = entry.file_name();
            let older = || entry.metadata().is_ok_and(|meta| age(&meta) < now);
            (name.as_bytes().starts_with(beginning.as_bytes()) && older()).then(|| entry.path())
        })
    };
    DRAFTS.iter().flat_map(of).collect()
}

/// When something was last changed, which nobody can set (`st_ctime`).
fn age(meta: &Metadata) -> (i64, i64) {
    (meta.ctime(), meta.ctime_nsec())
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
    fn drafts_of_the_dead_go_and_those_of_the_living_stay() {
        let cache = tempfile::tempdir().unwrap();
        let draft = cache.path().join("layers/.tmpdead");
        let folder = cache.path().join("dependencies/tmp/deps-dead/in");
        let whole = cache.path().join("layers/whole");
        fs::create_dir_all(draft.parent().unwrap()).unwrap();
        fs::create_dir_all(&folder).unwrap();
        for path in [&draft, &whole] {
            fs::write(path, "x").unwrap();
        }
        // The clock of files ticks every few milliseconds.
        std::thread::sleep(std::time::Duration::from_millis(20));
        let living = Workspace::create(cache.path()).unwrap();
        assert!(whole.exists() && !draft.exists() && !folder.exists());
        fs::write(&draft, "x").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        drop(Workspace::create(cache.path()).unwrap());
        assert!(draft.exists());
        drop(living);
        drop(Workspace::create(cache.path()).unwrap());
        assert!(!draft.exists());
    }

    #[test]
    fn a_death_at_the_beginning_or_the_end_leaves_nothing_for_ever() {
        let cache = tempfile::tempdir().unwrap();
        let empty = cache.path().join("runs/run-empty");
        fs::create_dir_all(&empty).unwrap();
        drop(Workspace::create(cache.path()).unwrap());
        assert!(!empty.exists());
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
