//! Writing layers to disk while they are indexed, in one pass.

mod error;
mod folders;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmodat, chownat, fchmod, futimens,
    linkat, mkdirat, openat, symlinkat, unlinkat, utimensat,
};
use whit_oci::{Chunk, Entry, ImagePath, Kind, LayerReader, Meta};

use crate::index::{Builder, Change, Placed};

pub use error::UnpackError;
use folders::Folders;

/// Bytes that an image may unpack to where nothing else was said.
const DEFAULT_LIMIT: u64 = 64 << 30;
/// A file is suspicious from this size on, if it is so many times larger than
/// its whole compressed layer. Deflate cannot do better than 1032.
const SUSPICIOUS_SIZE: u64 = 1 << 30;
const SUSPICIOUS_RATIO: u64 = 1000;
/// Bytes of the disk that are left alone.
const RESERVE: u64 = 256 << 20;
/// Blocks of zeros of this size become holes; smaller ones would only tear
/// files apart.
const HOLE: usize = 64 << 10;
const BUFFER: usize = 256 << 10;

/// Unpacks layers, or packages, into one folder and indexes them.
///
/// On disk, files are readable and writable for their owner, have no set-uid
/// bits and no extended attributes (overlayfs would believe some of them);
/// devices and fifos are not made. The index has everything as it should be.
pub struct Unpacker<'a> {
    dir: PathBuf,
    folders: Folders,
    builder: Builder,
    umask: u32,
    /// `None`: [`DEFAULT_LIMIT`], and traps are looked for.
    limit: Option<u64>,
    /// Bytes of content as files show them, and as the disk must hold them.
    apparent: u64,
    stored: u64,
    room: u64,
    cancelled: &'a dyn Fn() -> bool,
    buffer: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    /// Unpacks into `dir`, an empty folder that exists. `limit` is how many
    /// bytes may come of it; without one, a generous default holds and files
    /// that look like traps are refused. `cancelled` is asked all the time.
    pub fn new(
        dir: &Path,
        builder: Builder,
        limit: Option<u64>,
        cancelled: &'a dyn Fn() -> bool,
    ) -> Result<Self, UnpackError> {
        let failed = |source| UnpackError::Io {
            path: dir.to_path_buf(),
            source,
        };
        let disk = rustix::fs::statvfs(dir).map_err(|error| failed(error.into()))?;
        let folders = Folders::new(dir).map_err(failed)?;
        let umask = umask(&folders).map_err(failed)?;
        Ok(Self {
            dir: dir.to_path_buf(),
            folders,
            builder,
            umask,
            limit,
            apparent: 0,
            stored: 0,
            room: disk
                .f_bavail
                .saturating_mul(disk.f_frsize)
                .saturating_sub(RESERVE),
            cancelled,
            buffer: vec![0; BUFFER],
        })
    }

    /// Unpacks every entry of a tar as layer number `layer`. `name` is what
    /// errors call it; `compressed` its size as it was downloaded or stored.
    pub fn layer<R: Read>(
        &mut self,
        layer: u16,
        name: &str,
        compressed: u64,
        reader: &mut LayerReader<R>,
    ) -> Result<(), UnpackError> {
        while let Some(entry) = reader.next()? {
            self.entry(layer, name, compressed, &entry, &mut |buffer| {
                Ok(reader.read_chunk(buffer)?)
            })?;
        }
        Ok(())
    }

    /// Puts a single entry that is in no tar; `content` is a file's.
    pub fn put(&mut self, layer: u16, entry: &Entry, content: &[u8]) -> Result<(), UnpackError> {
        let mut rest = content;
        self.entry(
            layer,
            "whit",
            u64::MAX,
            entry,
            &mut |buffer| match rest.read(buffer) {
                Ok(0) | Err(_) => Ok(Chunk::End),
                Ok(count) => Ok(Chunk::Data(count)),
            },
        )
    }

    /// What was indexed so far.
    pub fn builder(&self) -> &Builder {
        &self.builder
    }

    /// Gives the folders their times, which are final only now, and the index
    /// back.
    pub fn finish(self) -> Result<Builder, UnpackError> {
        for node in self.builder.nodes().filter(|node| node.is_dir()) {
            if !node.path.is_root() {
                // A time that the file system cannot hold is not worth failing.
                let _ = utimensat(
                    self.folders.root(),
                    node.path.as_bytes(),
                    &times(node.meta.mtime),
                    AtFlags::SYMLINK_NOFOLLOW,
                );
            }
        }
        Ok(self.builder)
    }

    fn entry(
        &mut self,
        layer: u16,
        name: &str,
        compressed: u64,
        entry: &Entry,
        content: &mut dyn FnMut(&mut [u8]) -> Result<Chunk, UnpackError>,
    ) -> Result<(), UnpackError> {
        if (self.cancelled)() {
            return Err(UnpackError::Cancelled);
        }
        if let Kind::File { size } = entry.kind {
            self.judge(name, compressed, &entry.path, size)?;
        }
        let change = self
            .builder
            .apply(layer, entry)
            .map_err(|source| UnpackError::Index {
                layer: name.to_owned(),
                source,
            })?;
        // Where it is with links followed: one may lead out of /dev.
        match entry.kind {
            Kind::CharDevice { .. } if change.path.starts_with(&ImagePath::clamped("dev")) => {}
            Kind::CharDevice { .. } | Kind::BlockDevice { .. } => {
                return Err(UnpackError::Device {
                    layer: name.to_owned(),
                    path: entry.path.clone(),
                });
            }
            _ => {}
        }
        self.clear(&change)?;
        let path = &change.path;
        match &change.placed {
            Placed::Nothing | Placed::Special => Ok(()),
            Placed::Dir => self
                .make_dir(path, &entry.meta)
                .map_err(|error| self.failed(path, error)),
            Placed::Symlink => {
                let Kind::Symlink { target } = &entry.kind else {
                    return Ok(());
                };
                self.make_symlink(path, target, &entry.meta)
                    .map_err(|error| self.failed(path, error))
            }
            Placed::Link(target) => self
                .make_link(path, target)
                .map_err(|error| self.failed(path, error)),
            Placed::File => self.make_file(path, &entry.meta, content),
        }
    }

    /// Refuses files that cannot be meant, before anything is written.
    fn judge(
        &mut self,
        name: &str,
        compressed: u64,
        path: &ImagePath,
        size: u64,
    ) -> Result<(), UnpackError> {
        let trap = size >= SUSPICIOUS_SIZE && size / SUSPICIOUS_RATIO >= compressed;
        if trap && self.limit.is_none() {
            return Err(UnpackError::Bomb {
                layer: name.to_owned(),
                path: path.clone(),
                size,
                compressed,
            });
        }
        let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
        self.apparent = self.apparent.saturating_add(size);
        if self.apparent > limit {
            return Err(UnpackError::TooBig {
                layer: name.to_owned(),
                path: path.clone(),
                limit,
            });
        }
        Ok(())
    }

    /// Takes away and makes on disk what the index took away and made on the
    /// way to the entry.
    fn clear(&mut self, change: &Change) -> Result<(), UnpackError> {
        for removed in &change.removed {
            self.folders.forget(&removed.path);
            let flags = match removed.dir {
                true => AtFlags::REMOVEDIR,
                false => AtFlags::empty(),
            };
            let result = self.folders.parent(&removed.path).and_then(|(dir, name)| {
                match unlinkat(dir, name, flags) {
                    // Devices exist in the index alone.
                    Err(rustix::io::Errno::NOENT) => Ok(()),
                    result => Ok(result?),
                }
            });
            result.map_err(|error| self.failed(&removed.path, error))?;
        }
        for path in &change.made {
            let meta = self.builder.get(path).map(|node| node.meta.clone());
            self.make_dir(path, &meta.unwrap_or_default())
                .map_err(|error| self.failed(path, error))?;
        }
        Ok(())
    }

    fn make_dir(&mut self, path: &ImagePath, meta: &Meta) -> io::Result<()> {
        if path.is_root() {
            return Ok(());
        }
        let mode = Mode::from_raw_mode(meta.mode & 0o777 | 0o700);
        let umask = self.umask;
        let (dir, name) = self.folders.parent(path)?;
        match mkdirat(dir, name, mode) {
            Ok(()) if mode.as_raw_mode() & umask == 0 => {}
            Ok(()) | Err(rustix::io::Errno::EXIST) => {
                chmodat(dir, name, mode, AtFlags::empty())?;
            }
            Err(error) => return Err(error.into()),
        }
        own(dir, name, meta)
    }

    fn make_symlink(&mut self, path: &ImagePath, target: &[u8], meta: &Meta) -> io::Result<()> {
        let (dir, name) = self.folders.parent(path)?;
        symlinkat(target, dir, name)?;
        own(dir, name, meta)
    }

    fn make_link(&mut self, path: &ImagePath, target: &ImagePath) -> io::Result<()> {
        // Two folders are needed at once, and the cache lends one at a time.
        let (dir, from) = self.folders.parent(target)?;
        let dir = dir.try_clone_to_owned()?;
        let (to_dir, to) = self.folders.parent(path)?;
        Ok(linkat(dir, from, to_dir, to, AtFlags::empty())?)
    }

    fn make_file(
        &mut self,
        path: &ImagePath,
        meta: &Meta,
        content: &mut dyn FnMut(&mut [u8]) -> Result<Chunk, UnpackError>,
    ) -> Result<(), UnpackError> {
        let file = self
            .create(path, meta)
            .map_err(|error| self.failed(path, error))?;
        let mut buffer = std::mem::take(&mut self.buffer);
        let written = self.fill(path, &file, &mut buffer, content);
        self.buffer = buffer;
        let end = written?;
        if end.trailing_hole {
            file.set_len(end.length)
                .map_err(|error| self.failed(path, error))?;
        }
        // A time that the file system cannot hold is not worth failing.
        let _ = futimens(&file, &times(meta.mtime));
        Ok(())
    }

    fn create(&mut self, path: &ImagePath, meta: &Meta) -> io::Result<File> {
        let mode = Mode::from_raw_mode(meta.mode & 0o777 | 0o600);
        let umask = self.umask;
        let (dir, name) = self.folders.parent(path)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = openat(dir, name, flags, mode)?;
        if mode.as_raw_mode() & umask != 0 {
            fchmod(&file, mode)?;
        }
        own(dir, name, meta)?;
        Ok(file.into())
    }

    /// Writes the content, and zeros as holes.
    fn fill(
        &mut self,
        path: &ImagePath,
        file: &File,
        buffer: &mut [u8],
        content: &mut dyn FnMut(&mut [u8]) -> Result<Chunk, UnpackError>,
    ) -> Result<End, UnpackError> {
        let mut position = 0u64;
        let mut trailing_hole = false;
        loop {
            let filled = match content(buffer)? {
                Chunk::End => {
                    return Ok(End {
                        length: position,
                        trailing_hole,
                    });
                }
                Chunk::Hole(length) => {
                    position = position.saturating_add(length);
                    trailing_hole = true;
                    continue;
                }
                Chunk::Data(filled) => filled,
            };
            if (self.cancelled)() {
                return Err(UnpackError::Cancelled);
            }
            for run in runs(&buffer[..filled]) {
                trailing_hole = run.zeros;
                if !run.zeros {
                    self.stored += run.bytes.len() as u64;
                    if self.stored > self.room {
                        return Err(UnpackError::Full {
                            dir: self.dir.clone(),
                            path: path.clone(),
                        });
                    }
                    file.write_all_at(run.bytes, position)
                        .map_err(|error| self.failed(path, error))?;
                }
                position += run.bytes.len() as u64;
            }
        }
    }

    fn failed(&self, path: &ImagePath, source: io::Error) -> UnpackError {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => UnpackError::Full {
                dir: self.dir.clone(),
                path: path.clone(),
            },
            _ => UnpackError::Write {
                dir: self.dir.clone(),
                path: path.clone(),
                source,
            },
        }
    }
}

struct End {
    length: u64,
    trailing_hole: bool,
}

/// A stretch of a buffer that is all zeros, or is not.
struct Run<'a> {
    bytes: &'a [u8],
    zeros: bool,
}

/// Splits a buffer into stretches of whole [`HOLE`]s of zeros, and the rest.
fn runs(buffer: &[u8]) -> impl Iterator<Item = Run<'_>> {
    static ZEROS: [u8; HOLE] = [0; HOLE];
    let mut rest = buffer;
    std::iter::from_fn(move || {
        let is_zero = |block: &[u8]| block == &ZEROS[..];
        let zeros = is_zero(rest.chunks(HOLE).next()?);
        let count = rest
            .chunks(HOLE)
            .take_while(|block| is_zero(block) == zeros)
            .map(<[u8]>::len)
            .sum();
        let (bytes, after) = rest.split_at(count);
        rest = after;
        Some(Run { bytes, zeros })
    })
}

/// Gives a file on disk to whoever must own it there.
fn own(dir: impl rustix::fd::AsFd, name: impl rustix::path::Arg, meta: &Meta) -> io::Result<()> {
    let Some((uid, gid)) = whit_sandbox::disk_owner(meta.uid, meta.gid) else {
        return Ok(());
    };
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    Ok(chownat(
        dir,
        name,
        Some(uid),
        Some(gid),
        AtFlags::SYMLINK_NOFOLLOW,
    )?)
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: mtime,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

/// Which permission bits new files lose here. Asking the process would mean to
/// change it for a moment, under the feet of other threads.
fn umask(folders: &Folders) -> io::Result<u32> {
    const PROBE: &str = ".whit-umask";
    let root = folders.root();
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let file = openat(root, PROBE, flags, Mode::from_raw_mode(0o777))?;
    unlinkat(root, PROBE, AtFlags::empty())?;
    let mode = File::from(file).metadata()?;
    Ok(!std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777)
}

#[cfg(test)]
mod tests;
