//! The sandbox's network, seen from outside.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::sys::{self, Errno, Sys};

/// Sockets in state LISTEN of a `/proc/net/tcp` or `tcp6` table, by port.
pub(crate) fn listeners(table: &str) -> Vec<SocketAddr> {
    const LISTEN: &str = "0A";
    let mut found: Vec<SocketAddr> = table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let local = fields.nth(1)?;
            let state = fields.nth(1)?;
            (state == LISTEN).then(|| address(local)).flatten()
        })
        .collect();
    found.sort_by_key(|address| (address.port(), address.ip()));
    found.dedup();
    found
}

/// An address as the kernel prints it: words of the machine's byte order in
/// hexadecimal, a colon, the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |n: usize| {
        let digits = host.get(8 * n..8 * n + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    let ip = match host.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (n, place) in bytes.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&word(n)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Connects inside: the keeper at the other end of `door` makes the socket,
/// this side waits for it.
pub(crate) fn connect(door: RawFd, to: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + timeout;
    sys::send(door, &raw_address(to), &[])?;
    let mut polled = [sys::readable(door)];
    if !sys::poll(&mut polled, milliseconds(until))? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut reply = [0u8; 4];
    let (length, fds) = sys::receive(door, &mut reply)?;
    if length < reply.len() {
        let gone = "the program has ended";
        return Err(io::Error::new(io::ErrorKind::NotConnected, gone));
    }
    if fds[0] < 0 {
        return Err(io::Error::from_raw_os_error(i32::from_ne_bytes(reply)));
    }
    // SAFETY: the kernel just made this descriptor for us.
    let stream = TcpStream::from(unsafe { OwnedFd::from_raw_fd(fds[0]) });
    let mut polled = [libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    }];
    if !sys::poll(&mut polled, milliseconds(until))? {
        return Err(io::ErrorKind::TimedOut.into());
    }
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Waits until there is something to receive, at most so long.
pub(crate) fn wait_readable(fd: RawFd, at_most: Duration) -> Sys<bool> {
    let until = Instant::now().checked_add(at_most);
    loop {
        let left = until.map_or(i32::MAX, milliseconds);
        match sys::poll(&mut [sys::readable(fd)], left) {
            Err(Errno(libc::EINTR)) => {}
            Ok(false) if until.is_none() => {}
            other => return other,
        }
    }
}

/// What is left until a moment, rounded up, as `poll` wants it.
fn milliseconds(until: Instant) -> i32 {
    let left = until.saturating_duration_since(Instant::now());
    i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// A socket address as the kernel wants it. The unspecified address means
/// loopback, where a server that listens everywhere can be reached.
fn raw_address(to: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    let family = |number: i32| (number as u16).to_ne_bytes();
    match to.ip() {
        IpAddr::V4(ip) => {
            let ip = if ip.is_unspecified() {
                Ipv4Addr::LOCALHOST
            } else {
                ip
            };
            bytes.extend_from_slice(&family(libc::AF_INET));
            bytes.extend_from_slice(&to.port().to_be_bytes());
            bytes.extend_from_slice(&ip.octets());
            bytes.extend_from_slice(&[0; 8]);
        }
        IpAddr::V6(ip) => {
            let ip = if ip.is_unspecified() {
                Ipv6Addr::LOCALHOST
            } else {
                ip
            };
            bytes.extend_from_slice(&family(libc::AF_INET6));
            bytes.extend_from_slice(&to.port().to_be_bytes());
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&ip.octets());
            bytes.extend_from_slice(&[0; 4]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listeners_are_found() {
        let four = "  sl  local_address rem_address   st tx_queue\n\
                    0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n\
                    1: 00000000:0050 00000000:0000 0A 00000000:00000000\n\
                    2: 0100007F:1F90 0100007F:D4A2 01 00000000:00000000\n";
        let found: Vec<String> = listeners(four).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["0.0.0.0:80", "127.0.0.1:8080"]);
        let six = "head\n0: 00000000000000000000000001000000:1F91 \
                   00000000000000000000000000000000:0000 0A x\n1: rubbish\n2: 1:2:3 0 0A\n";
        let found: Vec<String> = listeners(six).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["[::1]:8081"]);
    }

    #[test]
    fn everywhere_is_reached_on_loopback() {
        let bytes = raw_address("0.0.0.0:80".parse().unwrap());
        assert_eq!(bytes[2..8], [0, 80, 127, 0, 0, 1]);
        assert_eq!(bytes.len(), 16);
        assert_eq!(raw_address("[::]:80".parse().unwrap()).len(), 28);
    }
}
