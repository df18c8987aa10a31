//! A loopback port that leads into a sandbox.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How often a wait looks at the stop flag.
const TICK: Duration = Duration::from_millis(50);
/// Connections served at once; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 128;

/// Serves `listener` until `stop` is set: each connection is joined with one
/// that `connect` makes. A connection that cannot be made closes its peer;
/// that is all the peer could learn from a dead service, too.
///
/// Blocks; run it in a thread of its own. All connections are closed when it
/// returns.
///
/// # Errors
/// Only those of the listener itself.
pub fn forward(
    listener: &TcpListener,
    connect: &(dyn Fn() -> io::Result<TcpStream> + Sync),
    stop: &AtomicBool,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let open = AtomicUsize::new(0);
    thread::scope(|scope| {
        while !stop.load(Ordering::Relaxed) {
            if open.load(Ordering::Relaxed) >= MAX_CONNECTIONS {
                thread::sleep(TICK);
                continue;
            }
            match listener.accept() {
                Ok((outside, _)) => {
                    open.fetch_add(1, Ordering::Relaxed);
                    let open = &open;
                    scope.spawn(move || {
                        // Errors of one connection end that connection.
                        let _ = join(&outside, connect, stop);
                        open.fetch_sub(1, Ordering::Relaxed);
                    });
                }
                Err(err) if is_wait(&err) => thread::sleep(TICK),
                // The peer was gone before it was accepted.
                Err(err) if err.kind() == ErrorKind::ConnectionAborted => {}
                Err(err) => {
                    stop.store(true, Ordering::Relaxed);
                    return Err(err);
                }
            }
        }
        Ok(())
    })
}

/// Copies both ways until both sides have ended.
fn join(
    outside: &TcpStream,
    connect: &(dyn Fn() -> io::Result<TcpStream> + Sync),
    stop: &AtomicBool,
) -> io::Result<()> {
    let inside = connect()?;
    for stream in [outside, &inside] {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TICK))?;
        stream.set_write_timeout(Some(TICK))?;
    }
    thread::scope(|scope| {
        scope.spawn(|| copy(outside, &inside, stop));
        copy(&inside, outside, stop);
    });
    Ok(())
}

fn copy(from: &TcpStream, to: &TcpStream, stop: &AtomicBool) {
    let mut reader = from;
    let mut chunk = [0; 16 << 10];
    while !stop.load(Ordering::Relaxed) {
        match reader.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) if write_all(to, &chunk[..n], stop).is_ok() => {}
            Err(err) if is_wait(&err) => {}
            Ok(_) | Err(_) => {
                // Broken, not ended: the other direction has no use either.
                let _ = from.shutdown(Shutdown::Both);
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn write_all(to: &TcpStream, bytes: &[u8], stop: &AtomicBool) -> io::Result<()> {
    let mut writer = to;
    let mut rest = bytes;
    while !rest.is_empty() {
        match writer.write(rest) {
            Ok(n) => rest = &rest[n..],
            Err(err) if is_wait(&err) && !stop.load(Ordering::Relaxed) => {}
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

fn is_wait(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back what it reads, in upper case, after the peer has finished.
    fn echo() -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.try_clone().unwrap();
        thread::spawn(move || {
            for stream in server.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut text = Vec::new();
                    stream.read_to_end(&mut text).unwrap();
                    stream.write_all(&text.to_ascii_uppercase()).unwrap();
                });
            }
        });
        listener
    }

    #[test]
    fn both_directions_and_half_closes() {
        let server = echo().local_addr().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| forward(&listener, &|| TcpStream::connect(server), &stop));
            for text in ["hello".to_owned(), "x".repeat(1 << 20)] {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(text.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut back = String::new();
                stream.read_to_string(&mut back).unwrap();
                assert_eq!(back, text.to_uppercase());
            }
            // One that stays open does not keep the forwarder from stopping.
            let _idle = TcpStream::connect(address).unwrap();
            thread::sleep(Duration::from_millis(100));
            stop.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn a_dead_service_closes_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let dead = || Err(io::Error::from(ErrorKind::ConnectionRefused));
            let stop = &stop;
            let listener = &listener;
            scope.spawn(move || forward(listener, &dead, stop));
            let mut stream = TcpStream::connect(address).unwrap();
            let mut back = Vec::new();
            let _ = stream.read_to_end(&mut back);
            assert!(back.is_empty());
            stop.store(true, Ordering::Relaxed);
        });
    }
}
