//! Files of an image on disk: a layout's folder, or the members of an archive.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::Archive;
use crate::image::ImageError;
use crate::media::Compression;

/// Where an image's documents and blobs lie.
#[derive(Debug)]
pub(crate) enum Store {
    Folder(PathBuf),
    Archive(Archive),
}

/// A range of a file: a blob of a layout or a member of an archive. Reading it
/// moves no cursor that others see.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    pub file: Arc<File>,
    pub offset: u64,
    pub size: u64,
}

impl Store {
    /// What errors call it.
    pub fn path(&self) -> &Path {
        match self {
            Self::Folder(path) => path,
            Self::Archive(archive) => &archive.path,
        }
    }

    /// The file `name`; `None` if there is none. In a folder, `name` comes
    /// from this crate (never from a document), so it cannot lead elsewhere.
    pub fn find(&self, name: &str) -> Result<Option<Extent>, ImageError> {
        match self {
            Self::Archive(archive) => Ok(archive.find(name)),
            Self::Folder(folder) => {
                let path = folder.join(name);
                open_regular(&path).map_err(|source| ImageError::Io { path, source })
            }
        }
    }

    /// The whole of a document, at most `limit` bytes.
    pub fn document(&self, name: &str, limit: u64) -> Result<Vec<u8>, ImageError> {
        let extent = self.find(name)?.ok_or_else(|| ImageError::Missing {
            path: self.path().to_path_buf(),
            what: name.to_owned(),
        })?;
        if extent.size > limit {
            return Err(ImageError::TooLong {
                what: format!("{} in {}", name, self.path().display()),
                size: extent.size,
                limit,
            });
        }
        extent.read().map_err(|source| ImageError::Io {
            path: self.path().join(name),
            source,
        })
    }
}

/// Opens a regular file, and nothing that could block or be a device.
pub(crate) fn open_regular(path: &Path) -> io::Result<Option<Extent>> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() => {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok(Some(Extent {
                file: Arc::new(file),
                offset: 0,
                size,
            }))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Extent {
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.size as usize];
        self.file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes)
    }

    /// How it is compressed, told by its first bytes.
    pub fn compression(&self) -> io::Result<Compression> {
        let mut magic = Vec::new();
        let first = Compression::MAGIC_BYTES as u64;
        self.reader().take(first).read_to_end(&mut magic)?;
        Ok(Compression::detect(&magic))
    }

    /// Its bytes from the beginning.
    pub fn reader(&self) -> ExtentReader {
        ExtentReader {
            extent: self.clone(),
            position: 0,
        }
    }
}

/// Reads an [`Extent`] in order.
pub(crate) struct ExtentReader {
    extent: Extent,
    position: u64,
}

impl Read for ExtentReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.extent.size - self.position;
        let want = (buffer.len() as u64).min(left) as usize;
        let at = self.extent.offset + self.position;
        let got = self.extent.file.read_at(&mut buffer[..want], at)?;
        self.position += got as u64;
        Ok(got)
    }
}
