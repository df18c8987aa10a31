//! Folders of the unpacked root, opened without ever following a link.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat, openat2};
use whit_oci::ImagePath;

/// How many folders stay open. Entries of one folder stand together in a tar,
/// so a few are enough.
const OPEN: usize = 64;

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::RDONLY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens folders by their path in the image. That path has its links resolved
/// already; a link in it nevertheless is refused by the kernel.
pub struct Folders {
    root: OwnedFd,
    open: HashMap<ImagePath, OwnedFd>,
    /// False on kernels before 5.6 and where a filter refuses the call.
    openat2: bool,
}

impl Folders {
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self {
            root: open(root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?,
            open: HashMap::new(),
            openat2: true,
        })
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The folder that holds `path`, and the name in it.
    pub fn parent<'a>(&mut self, path: &'a ImagePath) -> io::Result<(BorrowedFd<'_>, &'a OsStr)> {
        let name = OsStr::from_bytes(path.name());
        let parent = path.parent().unwrap_or_default();
        if parent.is_root() {
            return Ok((self.root.as_fd(), name));
        }
        if !self.open.contains_key(&parent) {
            if self.open.len() >= OPEN {
                self.open.clear();
            }
            let folder = self.open_folder(&parent)?;
            self.open.insert(parent.clone(), folder);
        }
        match self.open.get(&parent) {
            Some(folder) => Ok((folder.as_fd(), name)),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Forgets a folder that is about to go.
    pub fn forget(&mut self, path: &ImagePath) {
        self.open.remove(path);
    }

    fn open_folder(&mut self, path: &ImagePath) -> io::Result<OwnedFd> {
        if self.openat2 {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            match openat2(&self.root, path.as_bytes(), FOLDER, Mode::empty(), resolve) {
                Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => self.openat2 = false,
                result => return Ok(result?),
            }
        }
        let mut here: Option<OwnedFd> = None;
        for part in path.components() {
            let from = here.as_ref().map_or(self.root.as_fd(), AsFd::as_fd);
            here = Some(openat(from, part, FOLDER, Mode::empty())?);
        }
        here.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        std::os::unix::fs::symlink("/", dir.path().join("out")).unwrap();
        let mut folders = Folders::new(dir.path()).unwrap();
        for openat2 in [true, false] {
            folders.openat2 = openat2;
            folders.open.clear();
            assert!(folders.parent(&"a/b/c".into()).is_ok());
            assert!(folders.parent(&"link/b/c".into()).is_err());
            assert!(folders.parent(&"out/tmp".into()).is_err());
            assert!(folders.parent(&"gone/x".into()).is_err());
        }
    }
}
