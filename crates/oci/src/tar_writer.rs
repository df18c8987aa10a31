//! A tar stream whose bytes are a pure function of its entries.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use crate::ustar;
use crate::write_error::WriteError;
use crate::{Entry, Kind};

/// Bytes of a file's content that are in memory at once.
const CHUNK: usize = 256 << 10;

pub(crate) struct TarWriter<W> {
    out: W,
    /// The file that is being written, for errors.
    place: PathBuf,
    chunk: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    pub fn new(out: W, place: PathBuf) -> Self {
        Self {
            out,
            place,
            chunk: vec![0; CHUNK],
        }
    }

    /// Writes an entry. `content` is read where the entry is a file, and must
    /// then have exactly as many bytes as the entry says.
    pub fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), WriteError> {
        let header = ustar::header(entry).map_err(|reason| WriteError::Entry {
            path: entry.path.clone(),
            reason,
        })?;
        self.put(&header)?;
        if let Kind::File { size } = entry.kind {
            self.copy(entry, size, content)?;
            self.put(&[0; ustar::BLOCK][..ustar::padding(size)])?;
        }
        Ok(())
    }

    /// Ends the archive (two blocks of zeros) and gives the output back.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.put(&[0; 2 * ustar::BLOCK])?;
        Ok(self.out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.out
            .write_all(bytes)
            .map_err(|source| WriteError::io("write", &self.place, source))
    }

    fn copy(&mut self, entry: &Entry, size: u64, content: &mut dyn Read) -> Result<(), WriteError> {
        let mut found = 0u64;
        // One byte more is asked for than there should be, so that content
        // that grew is noticed.
        while found <= size {
            let length = match content.read(&mut self.chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    return Err(WriteError::Content {
                        path: entry.path.clone(),
                        source,
                    });
                }
            };
            found += length as u64;
            if found <= size {
                self.out
                    .write_all(&self.chunk[..length])
                    .map_err(|source| WriteError::io("write", &self.place, source))?;
            }
        }
        if found != size {
            return Err(WriteError::Length {
                path: entry.path.clone(),
                expected: size,
                found,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Meta;

    #[test]
    fn a_full_disk_names_the_file_that_is_written() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let entry = Entry {
            path: "etc".into(),
            kind: Kind::Dir,
            meta: Meta::default(),
        };
        let mut tar = TarWriter::new(Full, "out.tar".into());
        let error = tar.append(&entry, &mut io::empty()).unwrap_err();
        assert_eq!(error.to_string(), "cannot write out.tar: no storage space");
        assert!(error.hint().unwrap().contains("free some space"));
    }

    #[test]
    fn unreadable_content_names_the_entry() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("bad sector"))
            }
        }
        let entry = Entry {
            path: "etc/passwd".into(),
            kind: Kind::File { size: 3 },
            meta: Meta::default(),
        };
        let mut tar = TarWriter::new(Vec::new(), "out.tar".into());
        let error = tar.append(&entry, &mut Broken).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the content of /etc/passwd: bad sector"
        );
    }
}
