//! How big something would be, compressed.

use std::io::{self, Write};

use crate::compress::{Compression, Compressor};

/// Compresses what is written to it as a layer would be, on all cores, and
/// keeps nothing but the number of bytes.
pub struct CompressedSize(Compressor<Count>);

struct Count(u64);

impl CompressedSize {
    /// Fails if threads cannot be started.
    pub fn new(compression: Compression) -> io::Result<Self> {
        Compressor::new(Count(0), compression).map(Self)
    }

    /// Bytes of the compressed stream.
    pub fn finish(self) -> io::Result<u64> {
        Ok(self.0.finish()?.0)
    }
}

impl Write for CompressedSize {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
