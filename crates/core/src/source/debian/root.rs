//! A root file system that packages are unpacked into, the way dpkg does it.
//!
//! What is on disk was written by us and is remembered here, so paths are
//! resolved in memory and never by the kernel: a link in a package can not
//! lead a later file out of the folder. Owners and full modes live here, too;
//! on disk everything belongs to whoever runs whit, unless that is root.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use whit_oci::{Entry, ImagePath, Kind, Meta};

/// Linux's own limit (`MAXSYMLINKS`, path_resolution(7)).
const MAX_LINKS: usize = 40;
/// `PATH_MAX`, less the terminating NUL.
const MAX_PATH: usize = 4095;
/// More files than a root has: Debian's largest packages have some 100,000.
const MAX_ENTRIES: usize = 3_000_000;

/// Why an entry cannot be put where it wants to be.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    #[error("{0} lies below something that is no folder")]
    NotAFolder(ImagePath),
    #[error("{0} lies behind too many symbolic links, or too deep")]
    Unreachable(ImagePath),
    #[error("{path} is a hard link to {target}, which is no file")]
    NoTarget { path: ImagePath, target: ImagePath },
    #[error("{0} would replace a folder")]
    ReplacesFolder(ImagePath),
    #[error("it has more than {MAX_ENTRIES} files")]
    TooMany,
    #[error("{path}: {source}")]
    Io { path: ImagePath, source: io::Error },
    #[error("{0}")]
    Archive(#[from] io::Error),
}

pub type Result<T> = std::result::Result<T, RootError>;

/// The folder and what is in it.
#[derive(Debug)]
pub struct Root {
    dir: PathBuf,
    entries: BTreeMap<ImagePath, Entry>,
    /// Folders that only came to be because something lies below them: the
    /// first package that mentions one says what it is like.
    implied: BTreeSet<ImagePath>,
    /// Time of the newest file, for the files that are made here.
    newest: i64,
}

impl Root {
    /// Begins in an empty folder that nobody else writes to.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            entries: BTreeMap::new(),
            implied: BTreeSet::new(),
            newest: 0,
        }
    }

    /// Everything in it, in path order. Of a file's names the first one is the
    /// file, the others are links to it.
    pub fn into_entries(self) -> Vec<Entry> {
        let mut first_names: BTreeMap<ImagePath, ImagePath> = BTreeMap::new();
        let mut out: Vec<Entry> = Vec::with_capacity(self.entries.len());
        for entry in self.entries.values() {
            let file = match &entry.kind {
                Kind::Hardlink { target } => target,
                _ => &entry.path,
            };
            let kind = match (first_names.get(file), &entry.kind) {
                (Some(first), _) => Kind::Hardlink {
                    target: first.clone(),
                },
                (None, Kind::Hardlink { target }) => {
                    first_names.insert(target.clone(), entry.path.clone());
                    // Links always point at a file, see `place_hardlink`.
                    self.get(target)
                        .map_or(Kind::File { size: 0 }, |file| file.kind.clone())
                }
                (None, kind) => {
                    if matches!(kind, Kind::File { .. }) {
                        first_names.insert(entry.path.clone(), entry.path.clone());
                    }
                    kind.clone()
                }
            };
            out.push(Entry {
                path: entry.path.clone(),
                kind,
                meta: entry.meta.clone(),
            });
        }
        out
    }

    /// The entry at exactly this path.
    pub fn get(&self, path: &ImagePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Everything below a folder, in path order.
    pub fn below(&self, folder: &ImagePath) -> impl Iterator<Item = &Entry> {
        self.entries
            .range(folder.clone()..)
            .map(|(_, entry)| entry)
            .skip_while(move |entry| entry.path == *folder)
            // `a-b` sorts between `a` and `a/b`.
            .take_while(move |entry| entry.path.as_bytes().starts_with(folder.as_bytes()))
            .filter(move |entry| entry.path.starts_with(folder))
    }

    /// Where a path leads: all links followed, inside the root, as the kernel
    /// would after a chroot. `None` if there is nothing.
    pub fn resolve(&self, path: &ImagePath) -> Option<ImagePath> {
        let found = self.walk(path).ok()?;
        (found.is_root() || self.entries.contains_key(&found)).then_some(found)
    }

    /// The bytes of a file, links followed.
    pub fn read(&self, path: &ImagePath) -> Option<Vec<u8>> {
        let found = self.resolve(path)?;
        matches!(
            self.get(&found)?.kind,
            Kind::File { .. } | Kind::Hardlink { .. }
        )
        .then(|| fs::read(found.under(&self.dir)).ok())
        .flatten()
    }

    /// Opens a file at exactly this path.
    pub fn open(&self, path: &ImagePath) -> Option<File> {
        matches!(
            self.get(path)?.kind,
            Kind::File { .. } | Kind::Hardlink { .. }
        )
        .then(|| File::open(path.under(&self.dir)).ok())
        .flatten()
    }

    /// Puts a package's entry where it belongs.
    pub fn apply(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<()> {
        if self.entries.len() >= MAX_ENTRIES {
            return Err(RootError::TooMany);
        }
        let Some(parent) = entry.path.parent() else {
            return Ok(());
        };
        let folder = self.make_folder(&parent)?;
        let path = folder.join(entry.path.name());
        if path.as_bytes().len() > MAX_PATH {
            return Err(RootError::Unreachable(path));
        }
        match &entry.kind {
            Kind::Dir => self.place_dir(path, &entry.meta),
            Kind::File { .. } => self.place_file(path, &entry.meta, content),
            Kind::Symlink { target } => self.place_symlink(path, target, &entry.meta),
            Kind::Hardlink { target } => self.place_hardlink(path, target),
            // No package has these: they exist in the index alone.
            kind => {
                self.clear(&path)?;
                self.remember(path, kind.clone(), entry.meta.clone());
                Ok(())
            }
        }
    }

    /// Makes a file, or replaces one.
    pub fn put_file(&mut self, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
        let entry = Entry {
            path: path.into(),
            kind: Kind::File {
                size: bytes.len() as u64,
            },
            meta: self.meta(mode),
        };
        self.apply(&entry, &mut &*bytes)
    }

    /// Makes a folder if there is none.
    pub fn put_dir(&mut self, path: &str, mode: u32, gid: u32) -> Result<()> {
        let meta = Meta {
            gid,
            ..self.meta(mode)
        };
        let entry = Entry {
            path: path.into(),
            kind: Kind::Dir,
            meta,
        };
        self.apply(&entry, &mut io::empty())
    }

    /// Makes a link, or replaces a file or a link; never a folder.
    pub fn put_link(&mut self, path: &str, target: &str) -> Result<()> {
        let entry = Entry {
            path: path.into(),
            kind: Kind::Symlink {
                target: target.into(),
            },
            meta: self.meta(0o777),
        };
        self.apply(&entry, &mut io::empty())
    }

    /// Turns an empty folder into a link; leaves one that is not empty.
    pub fn replace_empty_dir(&mut self, path: &str, target: &str) -> Result<()> {
        let folder = ImagePath::from(path);
        let is_empty = self
            .get(&folder)
            .is_some_and(|entry| entry.kind == Kind::Dir)
            && self.below(&folder).next().is_none();
        if is_empty {
            fs::remove_dir(folder.under(&self.dir)).map_err(|source| RootError::Io {
                path: folder.clone(),
                source,
            })?;
            self.entries.remove(&folder);
        }
        self.put_link(path, target)
    }

    fn meta(&self, mode: u32) -> Meta {
        Meta {
            mode,
            mtime: self.newest,
            ..Meta::default()
        }
    }

    /// Follows every component of `raw`; what is missing stays as written.
    fn walk(&self, raw: &ImagePath) -> Result<ImagePath> {
        let too_far = || RootError::Unreachable(raw.clone());
        let mut todo: Vec<Vec<u8>> = raw.components().map(<[u8]>::to_vec).collect();
        todo.reverse();
        let mut here = ImagePath::root();
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part == b".." {
                here = here.parent().unwrap_or_default();
                continue;
            }
            let next = here.join(&part);
            if next.as_bytes().len() > MAX_PATH {
                return Err(too_far());
            }
            let Some(Kind::Symlink { target }) = self.get(&next).map(|entry| &entry.kind) else {
                here = next;
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(too_far());
            }
            if target.first() == Some(&b'/') {
                here = ImagePath::root();
            }
            let parts = target.split(|byte| *byte == b'/').rev();
            todo.extend(
                parts
                    .filter(|part| !part.is_empty() && *part != b".")
                    .map(<[u8]>::to_vec),
            );
        }
        Ok(here)
    }

    /// The real path of a folder; makes it and those above it if they are
    /// missing. What they are like, the first package to mention them says.
    pub fn make_folder(&mut self, raw: &ImagePath) -> Result<ImagePath> {
        let folder = self.walk(raw)?;
        let mut missing = Vec::new();
        for path in std::iter::once(folder.clone()).chain(folder.ancestors()) {
            match self.get(&path).map(|entry| &entry.kind) {
                Some(Kind::Dir) => break,
                Some(_) => return Err(RootError::NotAFolder(raw.clone())),
                None if path.is_root() => break,
                None => missing.push(path),
            }
        }
        for path in missing.into_iter().rev() {
            let meta = self.meta(0o755);
            self.place_dir(path.clone(), &meta)?;
            self.implied.insert(path);
        }
        Ok(folder)
    }

    fn place_dir(&mut self, path: ImagePath, meta: &Meta) -> Result<()> {
        match self.get(&path).map(|entry| &entry.kind) {
            Some(Kind::Dir) => {
                // As dpkg does, the first package to mention a folder counts.
                if self.implied.remove(&path) {
                    finish_dir(&path.under(&self.dir), meta).map_err(io_error(&path))?;
                    self.remember(path, Kind::Dir, meta.clone());
                }
                return Ok(());
            }
            // A link to a folder stands for it: merged /usr lives on that.
            Some(Kind::Symlink { .. }) => {
                let target = self.walk(&path)?;
                if matches!(self.get(&target), Some(entry) if entry.kind == Kind::Dir) {
                    return Ok(());
                }
            }
            _ => {}
        }
        self.clear(&path)?;
        fs::create_dir(path.under(&self.dir)).map_err(io_error(&path))?;
        finish_dir(&path.under(&self.dir), meta).map_err(io_error(&path))?;
        self.remember(path, Kind::Dir, meta.clone());
        Ok(())
    }

    fn place_file(&mut self, path: ImagePath, meta: &Meta, content: &mut dyn Read) -> Result<()> {
        self.clear(&path)?;
        let host = path.under(&self.dir);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&host)
            .map_err(io_error(&path))?;
        let size = io::copy(content, &mut file).map_err(io_error(&path))?;
        finish_file(&file, meta).map_err(io_error(&path))?;
        self.newest = self.newest.max(meta.mtime);
        self.remember(path, Kind::File { size }, meta.clone());
        Ok(())
    }

    fn place_symlink(&mut self, path: ImagePath, target: &[u8], meta: &Meta) -> Result<()> {
        if self.get(&path).is_some_and(|entry| entry.kind == Kind::Dir) {
            // dpkg leaves a folder where a package has a link.
            return Ok(());
        }
        self.clear(&path)?;
        let host = path.under(&self.dir);
        symlink(std::ffi::OsStr::from_bytes(target), &host).map_err(io_error(&path))?;
        if let Some((uid, gid)) = whit_sandbox::disk_owner(meta.uid, meta.gid) {
            lchown(&host, Some(uid), Some(gid)).map_err(io_error(&path))?;
        }
        let target = target.to_vec();
        self.remember(path, Kind::Symlink { target }, meta.clone());
        Ok(())
    }

    fn place_hardlink(&mut self, path: ImagePath, raw_target: &ImagePath) -> Result<()> {
        let nowhere = || RootError::NoTarget {
            path: path.clone(),
            target: raw_target.clone(),
        };
        let parent = raw_target.parent().ok_or_else(nowhere)?;
        let mut target = self.walk(&parent)?.join(raw_target.name());
        if target == path {
            return Ok(());
        }
        let meta = match self.get(&target) {
            Some(entry) => match &entry.kind {
                Kind::File { .. } => entry.meta.clone(),
                Kind::Hardlink { target: first } => {
                    let meta = entry.meta.clone();
                    target = first.clone();
                    meta
                }
                _ => return Err(nowhere()),
            },
            None => return Err(nowhere()),
        };
        if target == path {
            return Ok(());
        }
        self.clear(&path)?;
        fs::hard_link(target.under(&self.dir), path.under(&self.dir)).map_err(io_error(&path))?;
        self.remember(path, Kind::Hardlink { target }, meta);
        Ok(())
    }

    /// Takes away what is at `path`, unless it is a folder.
    fn clear(&mut self, path: &ImagePath) -> Result<()> {
        let Some(entry) = self.get(path) else {
            return Ok(());
        };
        match &entry.kind {
            Kind::Dir => return Err(RootError::ReplacesFolder(path.clone())),
            Kind::File { .. } | Kind::Hardlink { .. } | Kind::Symlink { .. } => {
                fs::remove_file(path.under(&self.dir)).map_err(io_error(path))?;
            }
            _ => {}
        }
        let removed = self.entries.remove(path);
        if let Some(Entry {
            kind: kind @ Kind::File { .. },
            meta,
            ..
        }) = removed
        {
            self.promote_links(path, &kind, &meta);
        }
        Ok(())
    }

    /// The first name of a file is gone: the next one becomes the first.
    fn promote_links(&mut self, gone: &ImagePath, kind: &Kind, meta: &Meta) {
        let mut heir: Option<ImagePath> = None;
        for entry in self.entries.values_mut() {
            let Kind::Hardlink { target } = &mut entry.kind else {
                continue;
            };
            if target != gone {
                continue;
            }
            match &heir {
                Some(heir) => target.clone_from(heir),
                None => {
                    heir = Some(entry.path.clone());
                    entry.kind = kind.clone();
                    entry.meta.clone_from(meta);
                }
            }
        }
    }

    fn remember(&mut self, path: ImagePath, kind: Kind, meta: Meta) {
        let entry = Entry {
            path: path.clone(),
            kind,
            meta,
        };
        self.entries.insert(path, entry);
    }
}

/// Owner, mode and time on disk. Whoever is not root must still be able to read
/// and replace everything, and gains nothing by set-uid bits.
fn finish_file(file: &File, meta: &Meta) -> io::Result<()> {
    let mode = match whit_sandbox::disk_owner(meta.uid, meta.gid) {
        Some((uid, gid)) => {
            fchown(file, Some(uid), Some(gid))?;
            meta.mode
        }
        None => meta.mode & 0o777 | 0o600,
    };
    file.set_permissions(Permissions::from_mode(mode))?;
    let seconds = Duration::from_secs(u64::try_from(meta.mtime).unwrap_or(0));
    let time = UNIX_EPOCH.checked_add(seconds).unwrap_or(UNIX_EPOCH);
    file.set_times(fs::FileTimes::new().set_modified(time))
}

fn finish_dir(host: &Path, meta: &Meta) -> io::Result<()> {
    let mode = match whit_sandbox::disk_owner(meta.uid, meta.gid) {
        Some((uid, gid)) => {
            lchown(host, Some(uid), Some(gid))?;
            meta.mode
        }
        None => meta.mode & 0o1777 | 0o700,
    };
    fs::set_permissions(host, Permissions::from_mode(mode))
}

fn io_error(path: &ImagePath) -> impl FnOnce(io::Error) -> RootError {
    let path = path.clone();
    move |source| RootError::Io { path, source }
}
