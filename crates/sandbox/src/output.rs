//! What a program writes, gathered by a thread per stream.

use std::io::{self, PipeReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Most bytes kept of one stream.
const MOST: usize = 8 << 20;

/// The gathered part of a stream.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub bytes: Vec<u8>,
    /// True if there was more than is kept.
    pub truncated: bool,
}

/// A stream that is being gathered; the rest is read and thrown away, so that
/// the program never waits.
#[derive(Debug)]
pub(crate) struct Capture {
    gathered: Arc<Mutex<Gathered>>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    pub fn start(pipe: PipeReader) -> io::Result<Capture> {
        let gathered = Arc::new(Mutex::new(Gathered::default()));
        let shared = Arc::clone(&gathered);
        let thread = thread::Builder::new()
            .name("whit-output".into())
            .spawn(move || gather(pipe, &shared))?;
        Ok(Capture {
            gathered,
            thread: Some(thread),
        })
    }

    /// A copy of what there is so far.
    pub fn so_far(&self) -> Vec<u8> {
        lock(&self.gathered).bytes.clone()
    }

    /// Everything, once the last writer is gone.
    pub fn finish(mut self) -> Gathered {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        std::mem::take(&mut lock(&self.gathered))
    }
}

fn gather(mut pipe: PipeReader, shared: &Mutex<Gathered>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = match pipe.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        let mut gathered = lock(shared);
        let kept = read.min(MOST - gathered.bytes.len());
        gathered.bytes.extend_from_slice(&buffer[..kept]);
        gathered.truncated |= kept < read;
    }
}

/// The content of a lock; a thread that panicked leaves it usable.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_flood_is_drained_but_not_kept() {
        let (reader, mut writer) = io::pipe().unwrap();
        let capture = Capture::start(reader).unwrap();
        for _ in 0..9 {
            writer.write_all(&[b'x'; 1 << 20]).unwrap();
        }
        drop(writer);
        let gathered = capture.finish();
        assert_eq!(gathered.bytes.len(), MOST);
        assert!(gathered.truncated);
    }
}
