//! A folder of files named by their hash.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{
    AtFlags, CWD, FlockOperation, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, flock, utimensat,
};
use sha2::{Digest as _, Sha256};

use super::patience::{Patience, wait};
use super::{Answer, Error, Result, Source};
use crate::Digest;

/// A folder of files by hash, filled from sources.
///
/// A file under its final name is whole and was checked. One that is not yet
/// lies beside it as `HASH.part`, locked by whoever writes it, and is resumed.
#[derive(Debug, Clone)]
pub struct Shelf {
    dir: PathBuf,
}

/// What a file must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub sha256: Digest,
    pub size: u64,
}

impl Shelf {
    /// Uses `dir`, which is made when the first file comes.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a file of this hash lies, or will lie.
    pub fn path(&self, sha256: &Digest) -> PathBuf {
        let hex = sha256.hex();
        self.dir.join("files").join(&hex[..2]).join(hex)
    }

    /// The file of this hash, if it is here.
    pub fn find(&self, sha256: &Digest) -> Option<PathBuf> {
        let path = self.path(sha256);
        path.is_file().then_some(path)
    }

    /// The file, its bytes read through and compared; one that a disk or a
    /// person has changed is removed. It is marked as used now, and is not
    /// pruned while it is open.
    pub fn checked(&self, expected: &Expected) -> Option<File> {
        let path = self.path(&expected.sha256);
        if !is_whole(&path, expected.size) {
            return None;
        }
        let mut file = held(&path, expected.size)?;
        let mut hasher = Sha256::new();
        hash_part(&mut file, &mut hasher).ok()?;
        if Digest::from_hasher(hasher) != expected.sha256 {
            let _ = fs::remove_file(&path);
            return None;
        }
        mark_used(&path);
        Some(file)
    }

    /// Makes sure that the file is here, from the first source that has it. It
    /// is not pruned while it is open.
    ///
    /// `advance` is told of every byte once, however often it is fetched.
    pub fn fetch(
        &self,
        expected: &Expected,
        sources: &[&dyn Source],
        advance: &dyn Fn(u64),
        halted: &dyn Fn() -> bool,
    ) -> Result<File> {
        let path = self.path(&expected.sha256);
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let part_path = path.with_extension("part");
        let mut part = loop {
            if let Some(file) = held(&path, expected.size) {
                advance(expected.size);
                mark_used(&path);
                return Ok(file);
            }
            if let Some(part) = lock_part(&part_path, &path, expected.size, halted)? {
                break part;
            }
        };
        let mut counted = Counted {
            advance,
            reported: 0,
        };
        let mut last = None;
        for source in sources {
            match fill_patiently(*source, expected, &mut part, &mut counted, halted) {
                Ok(()) => {
                    part.sync_data()
                        .map_err(Error::io(format!("cannot write {}", part_path.display())))?;
                    fs::rename(&part_path, &path)
                        .map_err(Error::io(format!("cannot write {}", path.display())))?;
                    // From now on it is only read.
                    let _ = flock(&part, FlockOperation::NonBlockingLockShared);
                    return Ok(part);
                }
                Err(error) if error.is_of_the_address() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::Transport {
            url: expected.sha256.to_string(),
            cause: "no address is known for it".into(),
        }))
    }

    /// Removes files, those first that were not used for the longest time,
    /// until the rest has at most `limit` bytes. Files that are open stay.
    pub fn prune(&self, limit: u64) -> std::io::Result<Pruned> {
        let mut files = Vec::new();
        for folder in folder_entries(&self.dir.join("files"))? {
            for entry in folder_entries(&folder.path())? {
                if let Ok(meta) = entry.metadata() {
                    let used = (meta.atime(), meta.atime_nsec());
                    let changed = (meta.mtime(), meta.mtime_nsec());
                    files.push((used.max(changed), meta.len(), entry.path()));
                }
            }
        }
        files.sort();
        let mut left: u64 = files.iter().map(|(_, size, _)| size).sum();
        let mut pruned = Pruned::default();
        for (_, size, path) in files {
            if left <= limit {
                break;
            }
            let unused = File::open(&path)
                .is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok());
            if unused && fs::remove_file(&path).is_ok() {
                left -= size;
                pruned.bytes += size;
                pruned.files += 1;
            }
        }
        Ok(pruned)
    }
}

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub files: u64,
    pub bytes: u64,
}

/// The whole file under its final name, held against pruning.
fn held(path: &Path, size: u64) -> Option<File> {
    let file = File::open(path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockShared).ok()?;
    // It may have been removed before it was held.
    is_whole(path, size).then_some(file)
}

fn folder_entries(folder: &Path) -> std::io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Fills `part` from one source, trying again while the network fails.
fn fill_patiently(
    source: &dyn Source,
    expected: &Expected,
    part: &mut File,
    counted: &mut Counted<'_>,
    halted: &dyn Fn() -> bool,
) -> Result<()> {
    let mut patience = Patience::new();
    let mut mismatches = 0;
    loop {
        let started_at = part.metadata().map_or(0, |meta| meta.len());
        let error = match fill(source, expected, part, counted, halted) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        match &error {
            // What lay there from an earlier run may be what is wrong.
            Error::Hash { .. } | Error::Size { .. } => {
                part.set_len(0).map_err(Error::io("cannot write a part"))?;
                mismatches += 1;
                if started_at == 0 || mismatches > 1 {
                    return Err(error);
                }
            }
            error if error.is_passing() => {}
            _ => return Err(error),
        }
        let Some(pause) = patience.pause(error.asked_to_wait()) else {
            return Err(error);
        };
        wait(pause, halted)?;
    }
}

/// One try: what is on disk is hashed, the rest fetched and appended.
fn fill(
    source: &dyn Source,
    expected: &Expected,
    part: &mut File,
    counted: &mut Counted<'_>,
    halted: &dyn Fn() -> bool,
) -> Result<()> {
    let name = source.name();
    let write_error = || Error::io(format!("cannot keep {name} in the cache"));
    let mut hasher = Sha256::new();
    let mut have = hash_part(part, &mut hasher).map_err(write_error())?;
    if have > expected.size {
        part.set_len(0).map_err(write_error())?;
        (have, hasher) = (0, Sha256::new());
    }
    if have < expected.size || have == 0 {
        let Answer { mut body, start } = source.open(have)?;
        if start != have {
            (have, hasher) = (start, Sha256::new());
            part.set_len(0).map_err(write_error())?;
        }
        part.seek(SeekFrom::Start(have)).map_err(write_error())?;
        counted.at(have);
        let mut buffer = vec![0; 128 << 10];
        loop {
            if halted() {
                return Err(Error::Cancelled);
            }
            let n = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(Error::Transport {
                        url: name,
                        cause: error.to_string(),
                    });
                }
            };
            have += n as u64;
            if have > expected.size {
                return Err(Error::Size {
                    url: name,
                    expected: expected.size,
                    got: have,
                });
            }
            part.write_all(&buffer[..n]).map_err(write_error())?;
            hasher.update(&buffer[..n]);
            counted.at(have);
        }
    }
    if have < expected.size {
        return Err(Error::Size {
            url: name,
            expected: expected.size,
            got: have,
        });
    }
    let got = Digest::from_hasher(hasher);
    if got != expected.sha256 {
        return Err(Error::Hash {
            url: name,
            expected: expected.sha256,
            got,
        });
    }
    counted.at(have);
    Ok(())
}

/// Reports each byte of a file once, however often it is fetched.
struct Counted<'a> {
    advance: &'a dyn Fn(u64),
    reported: u64,
}

impl Counted<'_> {
    fn at(&mut self, position: u64) {
        if position > self.reported {
            (self.advance)(position - self.reported);
            self.reported = position;
        }
    }
}

/// Opens and locks the unfinished file. `None` if somebody else finished it
/// while we waited.
fn lock_part(
    part_path: &Path,
    path: &Path,
    size: u64,
    halted: &dyn Fn() -> bool,
) -> Result<Option<File>> {
    let context = || Error::io(format!("cannot write {}", part_path.display()));
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(part_path)
            .map_err(context())?;
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR {
                return Err(context()(error.into()));
            }
            wait(Duration::from_millis(50), halted)?;
        }
        // Between our open and our lock it may have got its final name.
        let ours = file.metadata().map_err(context())?;
        let there = fs::symlink_metadata(part_path);
        let still_there =
            there.is_ok_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev());
        if is_whole(path, size) {
            if still_there {
                // Nobody needs the empty part that our open has made.
                let _ = fs::remove_file(part_path);
            }
            return Ok(None);
        }
        if still_there {
            return Ok(Some(file));
        }
    }
}

fn hash_part(part: &mut File, hasher: &mut Sha256) -> std::io::Result<u64> {
    part.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        match part.read(&mut buffer)? {
            0 => return Ok(total),
            n => {
                hasher.update(&buffer[..n]);
                total += n as u64;
            }
        }
    }
}

fn is_whole(path: &Path, size: u64) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.len() == size)
}

pub(super) fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::io(format!("cannot make {}", dir.display())))
}

/// Sets the time of the last use, by which files are pruned; a file of a cache
/// that cannot be written to stays as it is.
fn mark_used(path: &Path) {
    let time = |nsec| Timespec {
        tv_sec: 0,
        tv_nsec: nsec,
    };
    let times = Timestamps {
        last_access: time(UTIME_NOW),
        last_modification: time(UTIME_OMIT),
    };
    let _ = utimensat(CWD, path, &times, AtFlags::empty());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A source of bytes that are in memory.
    struct Memory(&'static [u8]);

    impl Source for Memory {
        fn name(&self) -> String {
            "memory".to_owned()
        }

        fn open(&self, start: u64) -> Result<Answer> {
            Ok(Answer {
                body: Box::new(&self.0[start as usize..]),
                start,
            })
        }
    }

    fn expected(bytes: &[u8]) -> Expected {
        Expected {
            sha256: Digest::of(bytes),
            size: bytes.len() as u64,
        }
    }

    fn put(shelf: &Shelf, bytes: &'static [u8]) -> File {
        shelf
            .fetch(&expected(bytes), &[&Memory(bytes)], &|_| (), &|| false)
            .unwrap()
    }

    #[test]
    fn the_least_used_goes_and_what_is_open_stays() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path());
        for (age, bytes) in [(3, &b"old"[..]), (2, b"held"), (1, b"new")] {
            drop(put(&shelf, bytes));
            let time = fs::FileTimes::new()
                .set_accessed(std::time::UNIX_EPOCH)
                .set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1000 - age));
            let path = shelf.path(&Digest::of(bytes));
            File::open(path).unwrap().set_times(time).unwrap();
        }
        let held = shelf.path(&Digest::of(b"held"));
        let open = super::held(&held, 4).unwrap();
        let pruned = shelf.prune(4).unwrap();
        assert_eq!((pruned.files, pruned.bytes), (2, 6));
        assert!(held.exists());
        drop(open);
        assert_eq!(shelf.prune(4).unwrap(), Pruned::default());
        assert_eq!(shelf.prune(0).unwrap().files, 1);
    }

    #[test]
    fn a_damaged_file_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(dir.path());
        drop(put(&shelf, b"bytes"));
        let path = shelf.path(&Digest::of(b"bytes"));
        assert!(shelf.checked(&expected(b"bytes")).is_some());
        fs::write(&path, b"bites").unwrap();
        assert!(shelf.checked(&expected(b"bytes")).is_none());
        assert!(!path.exists());
    }
}
