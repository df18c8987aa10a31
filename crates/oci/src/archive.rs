//! An image archive: a tar whose members are found without reading it through.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::ImagePath;
use crate::image::{ImageError, Options};
use crate::layer::{Member, Problem, Source};
use crate::media::Compression;
use crate::store::Extent;

/// Links from member to member that are followed; `docker save` made one.
const MAX_LINKS: usize = 8;

/// The members of an archive by name.
#[derive(Debug)]
pub(crate) struct Archive {
    pub path: PathBuf,
    file: Arc<File>,
    members: HashMap<ImagePath, Place>,
}

#[derive(Debug)]
enum Place {
    At {
        offset: u64,
        size: u64,
    },
    /// A symbolic or hard link, resolved to the member it names.
    Link(ImagePath),
}

impl Archive {
    /// Opens an archive. A compressed one is unpacked into `scratch`, into a
    /// file without a name that goes away by itself.
    pub fn open(path: &Path, options: &Options) -> Result<Self, ImageError> {
        let io = |source| ImageError::Io {
            path: path.to_path_buf(),
            source,
        };
        if !path.metadata().map_err(io)?.is_file() {
            return Err(ImageError::NoImage {
                path: path.to_path_buf(),
                why: "it is no regular file".to_owned(),
            });
        }
        let file = File::open(path).map_err(io)?;
        let mut magic = [0; Compression::MAGIC_BYTES];
        let got = file.read_at(&mut magic, 0).map_err(io)?;
        let file = match Compression::detect(&magic[..got]) {
            Compression::None => file,
            Compression::Gzip => spool(path, MultiGzDecoder::new(BufReader::new(file)), options)?,
            Compression::Zstd => {
                let decoder = zstd::Decoder::new(file).map_err(io)?;
                spool(path, decoder, options)?
            }
            Compression::Other(with) => {
                return Err(ImageError::Compressed {
                    path: path.to_path_buf(),
                    with,
                });
            }
        };
        Self::of_file(path, file, options)
    }

    /// An archive in a file that is open already; `path` is what errors call
    /// it.
    pub fn of_file(path: &Path, file: File, options: &Options) -> Result<Self, ImageError> {
        let members = index(path, &file, options)?;
        Ok(Self {
            path: path.to_path_buf(),
            file: Arc::new(file),
            members,
        })
    }

    /// The member `name`, links followed.
    pub fn find(&self, name: &str) -> Option<Extent> {
        let mut name = ImagePath::parse(name).ok()?;
        for _ in 0..MAX_LINKS {
            match self.members.get(&name)? {
                Place::At { offset, size } => {
                    return Some(Extent {
                        file: Arc::clone(&self.file),
                        offset: *offset,
                        size: *size,
                    });
                }
                Place::Link(target) => name = target.clone(),
            }
        }
        None
    }
}

/// Decompresses an archive into `scratch`.
fn spool(path: &Path, source: impl Read, options: &Options) -> Result<File, ImageError> {
    let scratch = |source| ImageError::Io {
        path: options.scratch.clone(),
        source,
    };
    let mut file = tempfile::tempfile_in(&options.scratch).map_err(scratch)?;
    let mut source = source.take(options.limits.archive.saturating_add(1));
    let mut buffer = vec![0; 256 << 10];
    loop {
        let count = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(ImageError::Archive {
                    path: path.to_path_buf(),
                    why: error.to_string(),
                });
            }
        };
        io::Write::write_all(&mut file, &buffer[..count]).map_err(scratch)?;
    }
    if source.limit() == 0 {
        return Err(ImageError::TooLong {
            what: format!("{}, decompressed,", path.display()),
            size: options.limits.archive.saturating_add(1),
            limit: options.limits.archive,
        });
    }
    file.seek(SeekFrom::Start(0)).map_err(scratch)?;
    Ok(file)
}

/// Walks from header to header.
fn index(
    path: &Path,
    file: &File,
    options: &Options,
) -> Result<HashMap<ImagePath, Place>, ImageError> {
    let size = file
        .metadata()
        .map_err(|source| ImageError::Io {
            path: path.to_path_buf(),
            source,
        })?
        .len();
    let mut cursor = Cursor {
        file,
        position: 0,
        size,
    };
    let mut members = HashMap::new();
    let mut first = true;
    loop {
        let member = match Member::read(&mut cursor) {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(members),
            Err(problem) => return Err(unreadable(path, problem, first)),
        };
        first = false;
        if members.len() == options.limits.members {
            return Err(ImageError::TooMany {
                path: path.to_path_buf(),
                what: "members",
                limit: options.limits.members,
            });
        }
        let damaged = |why: String| ImageError::Archive {
            path: path.to_path_buf(),
            why,
        };
        let name =
            ImagePath::parse(&member.header.path).map_err(|error| damaged(error.to_string()))?;
        let place = match member.header.kind {
            b'0' if member.sparse.is_none() => Some(Place::At {
                offset: cursor.position,
                size: member.stored,
            }),
            b'1' => Some(Place::Link(ImagePath::clamped(&member.header.link))),
            b'2' => Some(Place::Link(
                name.parent().unwrap_or_default().join(&member.header.link),
            )),
            _ => None,
        };
        if !matches!(cursor.skip(member.stored + member.padding), Ok(true)) {
            return Err(damaged(format!("it ends in the middle of {name}")));
        }
        if let Some(place) = place {
            members.insert(name, place);
        }
    }
}

fn unreadable(path: &Path, problem: Problem, first: bool) -> ImageError {
    let path = path.to_path_buf();
    if first {
        return ImageError::NoImage {
            path,
            why: "it is neither a tar nor a folder with an OCI layout".to_owned(),
        };
    }
    ImageError::Archive {
        path,
        why: problem.to_string(),
    }
}

/// A position in a file, as a tar source that skips for nothing.
struct Cursor<'a> {
    file: &'a File,
    position: u64,
    size: u64,
}

impl Source for Cursor<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], self.position) {
                Ok(0) => break,
                Ok(count) => {
                    filled += count;
                    self.position += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn skip(&mut self, count: u64) -> io::Result<bool> {
        match self.position.checked_add(count) {
            Some(position) if position <= self.size => {
                self.position = position;
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}
