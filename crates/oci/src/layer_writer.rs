//! Writing one layer: entries in, a compressed tar and its digests out.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::Digest as _;
use tempfile::TempPath;

use crate::compress::{Compression, Compressor};
use crate::tar_writer::TarWriter;
use crate::write_error::WriteError;
use crate::{Digest, Entry};

/// Writes a layer's entries, in the order given, to a file.
///
/// The bytes depend on the entries, their contents and the compression alone.
/// A layer that was not finished is removed when the writer is dropped.
pub struct LayerWriter {
    path: TempPath,
    compression: Compression,
    tar: TarWriter<Hashed<Compressor<Hashed<BufWriter<File>>>>>,
}

/// A layer on disk, ready to become a blob of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLayer {
    pub path: PathBuf,
    /// Of the file as it is: the blob's digest.
    pub digest: Digest,
    /// Of the tar before compression.
    pub diff_id: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of the tar before compression.
    pub uncompressed_size: u64,
    pub media_type: &'static str,
    /// What the image's history says of this layer.
    pub created_by: String,
}

impl LayerWriter {
    /// Starts a layer at `path`; a file that is there is replaced.
    pub fn create(path: &Path, compression: Compression) -> Result<Self, WriteError> {
        let failed = |source| WriteError::io("write", path, source);
        let file = BufWriter::new(File::create(path).map_err(failed)?);
        let packed = Compressor::new(Hashed::new(file), compression).map_err(failed)?;
        Ok(Self {
            path: TempPath::try_from_path(path).map_err(failed)?,
            compression,
            tar: TarWriter::new(Hashed::new(packed), path.to_path_buf()),
        })
    }

    /// Writes an entry. `content` is read where the entry is a file, and must
    /// then have exactly as many bytes as the entry says.
    ///
    /// After an error the layer is of no use any more.
    pub fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), WriteError> {
        self.tar.append(entry, content)
    }

    /// Ends the layer. The file stays where it is.
    pub fn finish(self) -> Result<WrittenLayer, WriteError> {
        let failed = |source| WriteError::io("write", &self.path, source);
        let tar = self.tar.finish()?;
        let mut packed = tar.out.finish().map_err(failed)?;
        packed.out.flush().map_err(failed)?;
        let layer = WrittenLayer {
            path: self.path.to_path_buf(),
            digest: Digest::from_hasher(packed.hasher),
            diff_id: Digest::from_hasher(tar.hasher),
            size: packed.size,
            uncompressed_size: tar.size,
            media_type: self.compression.media_type(),
            created_by: "whit".to_owned(),
        };
        self.path
            .keep()
            .map_err(|failed| WriteError::io("keep", &layer.path, failed.error))?;
        Ok(layer)
    }
}

/// Hashes and counts what passes.
struct Hashed<W> {
    out: W,
    hasher: sha2::Sha256,
    size: u64,
}

impl<W> Hashed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            hasher: sha2::Sha256::new(),
            size: 0,
        }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
