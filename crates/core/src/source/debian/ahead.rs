//! Decompressing ahead: packages must be unpacked in order, but the work is in
//! decompressing them, and that can be done side by side.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::deb::{Control, Deb};

/// Bytes that travel at once, and how many such pieces a package may be ahead.
const PIECE: usize = 256 << 10;
const PIECES: usize = 32;
/// How many packages may be begun before the first of them is done. Together
/// they hold at most `WINDOW * PIECES * PIECE` = 40 MiB.
const WINDOW: usize = 5;

/// What is known of a package when its turn comes.
pub struct Opened {
    pub control: Control,
    pub data: Pieces,
}

/// The content of a `data.tar` as it arrives.
pub struct Pieces {
    receiver: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    read: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.receiver.recv() {
                Ok(piece) => self.piece = piece?,
                // The other end was let go: everything was sent.
                Err(_) => return Ok(0),
            }
            self.read = 0;
        }
        let n = buffer.len().min(self.piece.len() - self.read);
        buffer[..n].copy_from_slice(&self.piece[self.read..self.read + n]);
        self.read += n;
        Ok(n)
    }
}

type Message = io::Result<Opened>;

/// Opens packages ahead of `visit`, which gets them one by one, in order.
pub fn for_each<E>(
    debs: &[Deb],
    mut visit: impl FnMut(usize, Message) -> Result<(), E>,
) -> Result<(), E> {
    let gate = Gate::default();
    let (senders, receivers): (Vec<_>, Vec<_>) = debs
        .iter()
        .map(|_| {
            let (sender, receiver) = sync_channel(1);
            (Mutex::new(Some(sender)), receiver)
        })
        .unzip();
    let workers = thread::available_parallelism().map_or(2, |n| n.get().min(4));
    thread::scope(|scope| {
        // Whatever happens here, the workers must not wait for ever.
        let _open = OpenAtEnd(&gate);
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(next) = gate.take(debs.len()) {
                    if let Some(sender) = locked(&senders[next]).take() {
                        work(&debs[next], &sender);
                    }
                }
            });
        }
        for (i, receiver) in receivers.into_iter().enumerate() {
            let opened = receiver
                .recv()
                .unwrap_or_else(|_| Err(io::Error::other("it could not be opened")));
            visit(i, opened)?;
            gate.advance();
        }
        Ok(())
    })
}

fn work(deb: &Deb, out: &SyncSender<Message>) {
    let opened = deb.control().and_then(|control| Ok((control, deb.data()?)));
    let (control, mut content) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            // The receiver is gone if unpacking was given up.
            let _ = out.send(Err(error));
            return;
        }
    };
    let (sender, receiver) = sync_channel(PIECES);
    let data = Pieces {
        receiver,
        piece: Vec::new(),
        read: 0,
    };
    if out.send(Ok(Opened { control, data })).is_err() {
        return;
    }
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        let result = content
            .by_ref()
            .take(PIECE as u64)
            .read_to_end(&mut piece)
            .map(|_| piece);
        let is_end = match &result {
            Ok(piece) => piece.is_empty(),
            Err(_) => true,
        };
        if sender.send(result).is_err() || is_end {
            return;
        }
    }
}

/// Lets packages begin at most [`WINDOW`] ahead of the one that is unpacked.
#[derive(Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    begun: usize,
    done: usize,
    closed: bool,
}

impl Gate {
    /// The next package to begin with; waits for its time. `None` if there is
    /// none any more.
    fn take(&self, total: usize) -> Option<usize> {
        let mut state = locked(&self.state);
        loop {
            if state.closed || state.begun >= total {
                return None;
            }
            if state.begun < state.done + WINDOW {
                state.begun += 1;
                return Some(state.begun - 1);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self) {
        locked(&self.state).done += 1;
        self.changed.notify_all();
    }
}

struct OpenAtEnd<'a>(&'a Gate);

impl Drop for OpenAtEnd<'_> {
    fn drop(&mut self) {
        locked(&self.0.state).closed = true;
        self.0.changed.notify_all();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::deb::fixture;
    use super::*;

    fn debs(dir: &std::path::Path, n: usize) -> Vec<Deb> {
        (0..n)
            .map(|i| {
                let path = dir.join(i.to_string());
                let control = format!("Package: p{i}\n");
                let content = "x".repeat(i * 40_000);
                let bytes =
                    fixture::deb(&[("control", 0o644, &control)], &[("f", 0o644, &content)]);
                std::fs::write(&path, bytes).unwrap();
                Deb::open(&path).unwrap()
            })
            .collect()
    }

    #[test]
    fn in_order_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let debs = debs(dir.path(), 20);
        let mut seen = 0;
        for_each(&debs, |i, opened| {
            let mut opened = opened.unwrap();
            assert_eq!(i, seen);
            assert_eq!(
                opened.control.field("Package"),
                Some(format!("p{i}").as_str())
            );
            let mut data = Vec::new();
            opened.data.read_to_end(&mut data).unwrap();
            assert!(data.len() >= i * 40_000 + 1024);
            seen += 1;
            Ok::<_, ()>(())
        })
        .unwrap();
        assert_eq!(seen, 20);
    }

    #[test]
    fn giving_up_leaves_nobody_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let debs = debs(dir.path(), 20);
        let result = for_each(&debs, |i, _| if i == 3 { Err(i) } else { Ok(()) });
        assert_eq!(result, Err(3));
    }

    #[test]
    fn a_package_that_vanished_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let debs = debs(dir.path(), 3);
        std::fs::remove_file(dir.path().join("1")).unwrap();
        let result = for_each(&debs, |i, opened| opened.map(drop).map_err(|_| i));
        assert_eq!(result, Err(1));
    }
}
