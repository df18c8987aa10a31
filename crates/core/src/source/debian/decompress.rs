//! The compressions that Debian's files come in, with bounds: a small file may
//! ask for neither endless output nor endless memory.

use std::io::{self, Read};

use liblzma::read::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

/// Memory for an xz or zstd dictionary; `xz -9` needs 65 MiB.
const MAX_MEMORY: u64 = 256 << 20;
/// The same for zstd, as the logarithm of its window.
const MAX_WINDOW_LOG: u32 = 27;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Xz,
    Zstd,
}

impl Compression {
    /// By the name's ending: `data.tar.xz`. `None` for what Debian's archive
    /// does not hold.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("tar") => Some(Self::None),
            Some("gz") => Some(Self::Gzip),
            Some("xz") => Some(Self::Xz),
            Some("zst") => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The content of `input`; reading more than `limit` bytes of it fails.
    pub fn reader<'a>(
        self,
        input: impl Read + Send + 'a,
        limit: u64,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        let inner: Box<dyn Read + Send + 'a> = match self {
            Self::None => Box::new(input),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
            Self::Xz => {
                let stream = Stream::new_stream_decoder(MAX_MEMORY, CONCATENATED)?;
                Box::new(XzDecoder::new_stream(input, stream))
            }
            Self::Zstd => {
                let mut decoder = zstd::Decoder::new(input)?;
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                Box::new(decoder)
            }
        };
        Ok(Box::new(Limited { inner, left: limit }))
    }
}

/// Unlike [`Read::take`], it does not pass a cut for an end.
struct Limited<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| io::Error::other("it unpacks to more than it may"))?;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(compression: Compression, bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        compression.reader(bytes, limit)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn all_of_them() {
        let content = b"some text ".repeat(100);
        let mut xz = Vec::new();
        liblzma::read::XzEncoder::new(&content[..], 6)
            .read_to_end(&mut xz)
            .unwrap();
        for (compression, bytes) in [
            (Compression::None, content.clone()),
            (Compression::Gzip, gzip(&content)),
            (Compression::Xz, xz),
            (
                Compression::Zstd,
                zstd::encode_all(&content[..], 3).unwrap(),
            ),
        ] {
            assert_eq!(read(compression, &bytes, 1000).unwrap(), content);
            assert!(read(compression, &bytes, 999).is_err(), "{compression:?}");
            let cut = &bytes[..bytes.len() - 4];
            let whole = read(compression, cut, 1000).is_ok_and(|out| out == content);
            assert!(!whole, "{compression:?}");
        }
    }

    #[test]
    fn endings() {
        assert_eq!(Compression::of("data.tar.zst"), Some(Compression::Zstd));
        assert_eq!(Compression::of("control.tar"), Some(Compression::None));
        assert_eq!(Compression::of("data.tar.bz2"), None);
        assert_eq!(Compression::of("data"), None);
    }
}
