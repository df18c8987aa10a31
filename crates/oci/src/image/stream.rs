//! A layer's bytes: decompressed and checked while they flow.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::ImageError;
use super::offsets::{Offsets, STEP};
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
    pieces: Receiver<io::Result<Piece>>,
    piece: Vec<u8>,
    position: usize,
    /// Bytes of the tar in all pieces so far.
    received: u64,
    offsets: Offsets,
    ended: bool,
}

/// Some bytes of the tar; none at its end.
#[derive(Debug, Default)]
struct Piece {
    bytes: Vec<u8>,
    /// Stored bytes taken in from the layer's beginning, after each [`STEP`]
    /// of `bytes`.
    stored: Vec<u64>,
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
                    Ok(()) => sender.send(Ok(Piece::default())),
                    Err(error) => sender.send(Err(error)),
                };
            })?;
        Ok(Self {
            pieces,
            piece: Vec::new(),
            position: 0,
            received: 0,
            offsets: Offsets::default(),
            ended: false,
        })
    }

    /// Where the tar, as far as it was read, lies in the stored bytes.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    fn note(&mut self, piece: &Piece) {
        for (bytes, stored) in piece.bytes.chunks(STEP).zip(&piece.stored) {
            self.received += bytes.len() as u64;
            self.offsets.look(self.received, *stored);
        }
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
                Ok(piece) => {
                    self.note(&piece);
                    piece.bytes
                }
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
    sender: &SyncSender<io::Result<Piece>>,
) -> io::Result<()> {
    let compression = extent.compression()?;
    let stored = Hashing {
        source: extent.reader(),
        hash: Sha256::new(),
        count: 0,
    };
    let mut stored = BufReader::with_capacity(PIECE, stored);
    let mut plain = Sha256::new();
    let result = match compression {
        // What is stored is the tar, and hashed already.
        Compression::None => copy(&mut stored, taken, |_| (), sender),
        Compression::Gzip => copy(
            &mut MultiGzDecoder::new(&mut stored),
            |decoder| taken(decoder.get_ref()),
            |piece| plain.update(piece),
            sender,
        ),
        Compression::Zstd => copy(
            &mut zstd::Decoder::with_buffer(&mut stored)?,
            |decoder| taken(decoder.get_ref()),
            |piece| plain.update(piece),
            sender,
        ),
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

/// Sends what `source` gives. `taken` tells how many stored bytes it took in.
fn copy<R: Read>(
    source: &mut R,
    taken: impl Fn(&R) -> u64,
    mut hash: impl FnMut(&[u8]),
    sender: &SyncSender<io::Result<Piece>>,
) -> Result<(), Stop> {
    loop {
        let mut bytes = Vec::with_capacity(PIECE);
        let mut stored = Vec::with_capacity(PIECE / STEP);
        while bytes.len() < PIECE && source.by_ref().take(STEP as u64).read_to_end(&mut bytes)? > 0
        {
            stored.push(taken(source));
        }
        if bytes.is_empty() {
            return Ok(());
        }
        hash(&bytes);
        let piece = Piece { bytes, stored };
        sender.send(Ok(piece)).map_err(|_| Stop::Unwanted)?;
    }
}

/// Bytes that have left the buffer.
fn taken<R>(stored: &BufReader<Hashing<R>>) -> u64 {
    stored.get_ref().count - stored.buffer().len() as u64
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

/// Hashes and counts what passes through.
struct Hashing<R> {
    source: R,
    hash: Sha256,
    count: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.count += count as u64;
        Ok(count)
    }
}
