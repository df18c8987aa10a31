//! Compression of layers: the same bytes whatever the number of cores.
//!
//! gzip: the stream is cut into blocks of a fixed size and every block becomes
//! a member of its own (RFC 1952, section 2.2: members simply follow one
//! another). Where a block is cut depends on the data alone, so threads may work
//! on several at once and the result does not know how many there were.
//!
//! zstd: one frame on one thread. Cut into frames of 8 MiB, a Python runtime
//! is 4 % larger at level 19 and takes twice the memory.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

/// Bytes of a gzip member before compression; 4 MiB cost 0.06 % against one
/// long member.
const BLOCK: usize = 4 << 20;

/// A block of which the fastest level saves less than this part is left so: it
/// is compressed or random already, and the other levels take thirty times as
/// long for next to nothing.
const WORTHWHILE: usize = 100;

/// No more threads than this: each holds a block and its compressor's tables,
/// and the memory of writing a layer is to stay small on a large machine too.
const MAX_THREADS: usize = 6;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    /// libdeflate's levels: 1 (fast) to 12 (small, slow).
    Gzip {
        level: u8,
    },
    /// zstd's levels: 1 (fast) to 19 (small, slow).
    Zstd {
        level: u8,
    },
}

/// A text that names no compression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressionError {
    #[error("unknown compression {0:?}")]
    Unknown(String),
    #[error("compression level {level:?} of {name} is not a number from 1 to {max}")]
    Level {
        name: &'static str,
        level: String,
        max: u8,
    },
}

impl CompressionError {
    /// What to type instead.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(_) => "use gzip, gzip:LEVEL, zstd, zstd:LEVEL or none".to_owned(),
            Self::Level { name, max, .. } => format!("use {name}:{max} for the smallest result"),
        })
    }
}

impl Compression {
    const GZIP_MAX: u8 = 12;
    /// Levels 20 to 22 take 700 MB of memory, and windows that a decoder may
    /// refuse, for 0.1 %.
    const ZSTD_MAX: u8 = 19;

    /// The media type of a layer compressed so (OCI image spec, layer.md).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Gzip { .. } => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd { .. } => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// gzip, which every engine reads, at level 9.
impl Default for Compression {
    fn default() -> Self {
        Self::Gzip { level: 9 }
    }
}

impl FromStr for Compression {
    type Err = CompressionError;

    fn from_str(text: &str) -> Result<Self, CompressionError> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let within = |name: &'static str, default: u8, max: u8| match level {
            None => Ok(default),
            Some(level) => match level.parse() {
                Ok(number) if (1..=max).contains(&number) => Ok(number),
                _ => Err(CompressionError::Level {
                    name,
                    level: level.to_owned(),
                    max,
                }),
            },
        };
        match name {
            "gzip" => Ok(Self::Gzip {
                level: within("gzip", 9, Self::GZIP_MAX)?,
            }),
            "zstd" => Ok(Self::Zstd {
                level: within("zstd", 19, Self::ZSTD_MAX)?,
            }),
            "none" if level.is_none() => Ok(Self::None),
            _ => Err(CompressionError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Gzip { level } => write!(f, "gzip:{level}"),
            Self::Zstd { level } => write!(f, "zstd:{level}"),
        }
    }
}

/// Compresses what is written to it and passes it on to `out`.
pub(crate) struct Compressor<W> {
    out: W,
    /// `None` where bytes pass as they are.
    blocks: Option<Blocks>,
}

struct Blocks {
    filling: Vec<u8>,
    jobs: SyncSender<Job>,
    /// The blocks under way, in the order of the stream.
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    most_pending: usize,
}

struct Job {
    block: Vec<u8>,
    /// The stream ends with this block.
    last: bool,
    done: SyncSender<io::Result<Vec<u8>>>,
}

impl<W: Write> Compressor<W> {
    /// Compresses on all cores.
    pub fn new(out: W, compression: Compression) -> io::Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with_threads(out, compression, threads)
    }

    pub fn with_threads(out: W, compression: Compression, threads: usize) -> io::Result<Self> {
        let threads = match compression {
            Compression::None => return Ok(Self { out, blocks: None }),
            Compression::Gzip { .. } => threads.clamp(1, MAX_THREADS),
            Compression::Zstd { .. } => 1,
        };
        let (jobs, queue) = sync_channel::<Job>(threads);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("compress".to_owned())
                .spawn(move || work(&queue, compression))?;
        }
        Ok(Self {
            out,
            blocks: Some(Blocks {
                filling: Vec::new(),
                jobs,
                pending: VecDeque::new(),
                most_pending: threads + 1,
            }),
        })
    }

    /// Writes what is still under way and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        if let Some(blocks) = &mut self.blocks {
            blocks.send(true, &mut self.out)?;
            while blocks.receive(&mut self.out)? {}
        }
        Ok(self.out)
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(blocks) = &mut self.blocks else {
            return self.out.write(bytes);
        };
        // A full block waits for more, so that the last one is never empty
        // (but for an empty stream, which is one empty member and no empty file).
        if blocks.filling.len() == BLOCK && !bytes.is_empty() {
            blocks.send(false, &mut self.out)?;
        }
        let part = bytes.len().min(BLOCK - blocks.filling.len());
        blocks.filling.extend_from_slice(&bytes[..part]);
        Ok(part)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Blocks {
    /// Hands the filled block to the threads, after waiting for the oldest one
    /// if too many are under way.
    fn send(&mut self, last: bool, out: &mut impl Write) -> io::Result<()> {
        if self.pending.len() >= self.most_pending {
            self.receive(out)?;
        }
        let (done, result) = sync_channel(1);
        let block = std::mem::take(&mut self.filling);
        self.jobs
            .send(Job { block, last, done })
            .map_err(|_| stopped())?;
        self.pending.push_back(result);
        Ok(())
    }

    /// Writes the oldest block that is under way; false if there is none.
    fn receive(&mut self, out: &mut impl Write) -> io::Result<bool> {
        let Some(result) = self.pending.pop_front() else {
            return Ok(false);
        };
        out.write_all(&result.recv().map_err(|_| stopped())??)?;
        Ok(true)
    }
}

fn stopped() -> io::Error {
    io::Error::other("a compressing thread stopped")
}

/// One thread: takes blocks until the writer is gone.
fn work(queue: &Mutex<Receiver<Job>>, compression: Compression) {
    let mut encoder = Encoder::new(compression);
    loop {
        let job = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok(Job { block, last, done }) = job else {
            return;
        };
        let result = match &mut encoder {
            Ok(encoder) => encoder.encode(&block, last),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        drop(block);
        // A writer that gave up meanwhile does not want the answer.
        let _ = done.send(result);
    }
}

enum Encoder {
    Gzip {
        /// Says whether a block is worth the trouble.
        quick: libdeflater::Compressor,
        thorough: libdeflater::Compressor,
    },
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

impl Encoder {
    fn new(compression: Compression) -> io::Result<Self> {
        match compression {
            Compression::None => Err(io::Error::other("nothing to compress with")),
            Compression::Gzip { level } => {
                let at = |level: u8| {
                    libdeflater::CompressionLvl::new(level.into())
                        .map(libdeflater::Compressor::new)
                        .map_err(|_| io::Error::other("libdeflate has no such level"))
                };
                Ok(Self::Gzip {
                    quick: at(1)?,
                    thorough: at(level)?,
                })
            }
            Compression::Zstd { level } => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), level.into())?;
                encoder.include_checksum(true)?;
                Ok(Self::Zstd(Box::new(encoder)))
            }
        }
    }

    fn encode(&mut self, block: &[u8], last: bool) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip { quick, thorough } => {
                let member = gzip(quick, block)?;
                if member.len() > block.len() - block.len() / WORTHWHILE {
                    return Ok(member);
                }
                gzip(thorough, block)
            }
            Self::Zstd(encoder) => {
                encoder.write_all(block)?;
                if last {
                    encoder.do_finish()?;
                }
                Ok(std::mem::take(encoder.get_mut()))
            }
        }
    }
}

fn gzip(encoder: &mut libdeflater::Compressor, block: &[u8]) -> io::Result<Vec<u8>> {
    let mut member = vec![0; encoder.gzip_compress_bound(block.len())];
    let length = encoder
        .gzip_compress(block, &mut member)
        .map_err(io::Error::other)?;
    member.truncate(length);
    member.shrink_to_fit();
    Ok(member)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use sha2::Digest as _;

    use super::*;

    /// Bytes that compress, but not to nothing, and differ from block to block.
    fn sample(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        (0..length)
            .map(|at| {
                if at % 64 == 0 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                }
                (state >> 24) as u8
            })
            .collect()
    }

    fn compressed(bytes: &[u8], compression: Compression, threads: usize) -> Vec<u8> {
        let mut compressor = Compressor::with_threads(Vec::new(), compression, threads).unwrap();
        for chunk in bytes.chunks(100_000) {
            compressor.write_all(chunk).unwrap();
        }
        compressor.finish().unwrap()
    }

    fn decompressed(bytes: &[u8], compression: Compression) -> Vec<u8> {
        let mut plain = Vec::new();
        match compression {
            Compression::None => plain.extend_from_slice(bytes),
            Compression::Gzip { .. } => {
                flate2::read::MultiGzDecoder::new(bytes)
                    .read_to_end(&mut plain)
                    .unwrap();
            }
            Compression::Zstd { .. } => {
                zstd::Decoder::new(bytes)
                    .unwrap()
                    .read_to_end(&mut plain)
                    .unwrap();
            }
        }
        plain
    }

    #[test]
    fn the_number_of_threads_does_not_show() {
        let plain = sample(6 * BLOCK + 12_345);
        for compression in [
            Compression::Gzip { level: 1 },
            Compression::Zstd { level: 1 },
        ] {
            let alone = compressed(&plain, compression, 1);
            assert!(alone.len() < plain.len() / 2);
            for threads in [2, 5, 100] {
                assert!(compressed(&plain, compression, threads) == alone);
            }
            assert!(decompressed(&alone, compression) == plain);
        }
    }

    #[test]
    fn what_does_not_compress_is_stored() {
        let noise: Vec<u8> = (0..BLOCK as u64 / 32)
            .flat_map(|i| sha2::Sha256::digest(i.to_le_bytes()))
            .collect();
        let gzip = Compression::Gzip { level: 12 };
        let packed = compressed(&noise, gzip, 1);
        assert!(packed.len() < noise.len() + noise.len() / 1000);
        assert!(decompressed(&packed, gzip) == noise);
    }

    #[test]
    fn block_edges_and_nothing_at_all() {
        for compression in [
            Compression::None,
            Compression::Gzip { level: 1 },
            Compression::Zstd { level: 1 },
        ] {
            for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK] {
                let plain = sample(length);
                let packed = compressed(&plain, compression, 2);
                assert!(decompressed(&packed, compression) == plain, "{length}");
            }
        }
    }

    #[test]
    fn a_failing_output_is_reported() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut compressor = Compressor::new(Full, Compression::default()).unwrap();
        compressor.write_all(b"x").unwrap();
        let error = compressor.finish().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn names() {
        let parse = str::parse::<Compression>;
        assert_eq!(parse("gzip"), Ok(Compression::Gzip { level: 9 }));
        assert_eq!(parse("gzip:12"), Ok(Compression::Gzip { level: 12 }));
        assert_eq!(parse("zstd:18"), Ok(Compression::Zstd { level: 18 }));
        assert_eq!(parse("none"), Ok(Compression::None));
        assert_eq!(parse("zstd:3").unwrap().to_string(), "zstd:3");
        for wrong in ["", "xz", "gzip:", "gzip:0", "gzip:13", "zstd:20", "none:1"] {
            assert!(parse(wrong).unwrap_err().hint().is_some(), "{wrong}");
        }
    }
}
