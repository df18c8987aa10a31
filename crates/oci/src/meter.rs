//! Counting bytes on their way, for whoever watches.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Is told of bytes that went by; the default tells nobody.
#[derive(Clone, Default)]
pub struct Meter(Option<Arc<Count>>);

type Count = dyn Fn(u64) + Send + Sync;

impl Meter {
    /// `count` is called with numbers of bytes, from several threads.
    pub fn new(count: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(count)))
    }

    pub(crate) fn add(&self, bytes: u64) {
        if let Some(count) = &self.0 {
            count(bytes);
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

/// How far a file got. Bytes that go twice, because a connection broke, are
/// told once.
#[derive(Debug)]
pub(crate) struct Mark {
    meter: Meter,
    reached: AtomicU64,
}

impl Mark {
    pub fn new(meter: &Meter) -> Arc<Self> {
        Arc::new(Self {
            meter: meter.clone(),
            reached: AtomicU64::new(0),
        })
    }

    pub fn at(&self, position: u64) {
        let before = self.reached.fetch_max(position, Ordering::Relaxed);
        if position > before {
            self.meter.add(position - before);
        }
    }

    /// Marks what is read from `source`, which begins at `position`.
    pub fn read<R: Read>(self: &Arc<Self>, source: R, position: u64) -> Marked<R> {
        Marked {
            source,
            position,
            mark: Arc::clone(self),
        }
    }
}

/// A reader whose position is told.
pub(crate) struct Marked<R> {
    source: R,
    position: u64,
    mark: Arc<Mark>,
}

impl<R: Read> Read for Marked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.position += count as u64;
        self.mark.at(self.position);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_go_twice_are_told_once() {
        let told = Arc::new(AtomicU64::new(0));
        let sum = Arc::clone(&told);
        let meter = Meter::new(move |bytes| {
            sum.fetch_add(bytes, Ordering::Relaxed);
        });
        let mark = Mark::new(&meter);
        let bytes = [0; 100];
        for (from, to) in [(0, 60), (40, 80), (0, 100)] {
            io::copy(
                &mut mark.read(&bytes[from..to], from as u64),
                &mut io::sink(),
            )
            .unwrap();
        }
        mark.at(100);
        assert_eq!(told.load(Ordering::Relaxed), 100);
    }
}
