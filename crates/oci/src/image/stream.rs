//! A layer's bytes: decompressed and checked while they flow.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::ImageError;
use crate::Digest;
use crate::media::Compression;
use crate::store::Extent;

/// Pieces in which bytes go from the decompressor to the reader, and how many
/// wait between them: 2 MiB at most.
const PIECE: usize = 256 << 10;
const WAITING: usize = 8;

/// What a layer's bytes must be.
#[derive(Debug, Clone)]
pub struct Promise {
    /// What errors call the layer.
    pub what: String,
    /// Of the bytes as stored.
    pub digest: Option<Digest>,
    /// Of the tar.
    pub diff_id: Digest,
}

/// The tar of a layer. A thread of its own reads, hashes and decompresses, so
/// that whoever reads this has a processor to itself.
///
/// In place of the end comes an error if the bytes were not those that the
/// manifest and the configuration promise.
#[derive(Debug)]
pub struct LayerStream {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    position: usize,
    ended: bool,
}

impl LayerStream {
    pub(crate) fn open(extent: Extent, promise: Promise) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(WAITING);
        thread::Builder::new()
            .name("layer".to_owned())
            .spawn(move || {
                let end = pump(&extent, &promise, &sender);
                // Nobody listens any more: the reader was dropped.
                let _ = match end {
                    Ok(()) => sender.send(Ok(Vec::new())),
                    Err(error) => sender.send(Err(error)),
                };
            })?;
        Ok(Self {
            pieces,
            piece: Vec::new(),
            position: 0,
            ended: false,
        })
    }
}

impl Read for LayerStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.piece.len() {
            if self.ended {
                return Ok(0);
            }
            // The thread always says how it ended, unless it died.
            let piece = self.pieces.recv().unwrap_or_else(|_| {
                Err(io::Error::other("the thread that reads the layer has died"))
            });
            self.position = 0;
            self.piece = match piece {
                Ok(piece) => piece,
                Err(error) => {
                    self.ended = true;
                    self.piece = Vec::new();
                    return Err(error);
                }
            };
            self.ended = self.piece.is_empty();
        }
        let count = buffer.len().min(self.piece.len() - self.position);
        buffer[..count].copy_from_slice(&self.piece[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

/// Sends the tar piece by piece, then checks it.
fn pump(
    extent: &Extent,
    promise: &Promise,
    sender: &SyncSender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let compression = extent.compression()?;
    let stored = Hashing {
        source: extent.reader(),
        hash: Sha256::new(),
    };
    let mut stored = BufReader::with_capacity(PIECE, stored);
    let mut plain = Sha256::new();
    let result = match compression {
        // What is stored is the tar, and hashed already.
        Compression::None => copy(&mut stored, |_| (), sender),
        Compression::Gzip => {
            let mut decoder = MultiGzDecoder::new(&mut stored);
            copy(&mut decoder, |piece| plain.update(piece), sender)
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&mut stored)?;
            copy(&mut decoder, |piece| plain.update(piece), sender)
        }
        Compression::Other(with) => Err(Stop::Damaged(io::Error::other(format!(
            "it is compressed with {with}, which no layer is"
        )))),
    };
    if let Err(Stop::Unwanted) = result {
        return Ok(());
    }
    // Wrong bytes are the better explanation of a decompressor's complaint, so
    // the digest is asked first.
    io::copy(&mut stored, &mut io::sink())?;
    let found = Digest::from_hasher(stored.into_inner().hash);
    if let Some(expected) = promise.digest {
        check(&promise.what, expected, found)?;
    }
    match result {
        Err(Stop::Damaged(source)) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            ImageError::Stream {
                what: promise.what.clone(),
                source,
            },
        )),
        _ => {
            let found = match compression {
                Compression::None => found,
                _ => Digest::from_hasher(plain),
            };
            check(
                &format!("the tar of {}", promise.what),
                promise.diff_id,
                found,
            )
        }
    }
}

enum Stop {
    /// The reader was dropped.
    Unwanted,
    Damaged(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error)
    }
}

fn copy(
    source: &mut impl Read,
    mut hash: impl FnMut(&[u8]),
    sender: &SyncSender<io::Result<Vec<u8>>>,
) -> Result<(), Stop> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        source.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(());
        }
        hash(&piece);
        sender.send(Ok(piece)).map_err(|_| Stop::Unwanted)?;
    }
}

fn check(what: &str, expected: Digest, found: Digest) -> io::Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        ImageError::Digest {
            what: what.to_owned(),
            expected,
            found,
        },
    ))
}

/// Hashes what passes through.
struct Hashing<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
