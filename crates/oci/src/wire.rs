//! Connections that hear a cancellation.
//!
//! ureq's own sockets sleep in the kernel until something arrives or a timeout
//! of half a minute ends. Here every wait is cut into short ones, between
//! which the flag is looked at: connecting, reading and writing alike.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
    sockopt,
};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

/// How long a wait lasts before the flag is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// What a wait that was cancelled ends with. Not
/// [`io::ErrorKind::Interrupted`], after which everybody tries again.
pub(crate) fn cancelled() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "interrupted")
}

/// Makes connections.
pub(crate) struct Dialer {
    /// A socket of this machine, whatever address is asked for.
    socket: Option<PathBuf>,
    cancel: Arc<AtomicBool>,
}

impl Dialer {
    /// To the addresses that names resolve to.
    pub fn tcp(cancel: &Arc<AtomicBool>) -> Self {
        Self {
            socket: None,
            cancel: Arc::clone(cancel),
        }
    }

    /// To one socket of this machine.
    pub fn unix(socket: PathBuf, cancel: &Arc<AtomicBool>) -> Self {
        Self {
            socket: Some(socket),
            cancel: Arc::clone(cancel),
        }
    }

    fn dial(&self, details: &ConnectionDetails<'_>) -> Result<OwnedFd, ureq::Error> {
        if let Some(path) = &self.socket {
            let stream = UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            return Ok(stream.into());
        }
        let mut end = None;
        for (tried, address) in details.addrs.iter().enumerate() {
            // An address that nobody answers leaves time for the others.
            let mut timeout = details.timeout;
            if let Some(all) = timeout.not_zero() {
                let shares = (details.addrs.len() - tried) as u32;
                timeout.after = (*all / shares).into();
            }
            match self.dial_address(*address, timeout) {
                Ok(socket) => {
                    if details.config.no_delay() {
                        sockopt::set_tcp_nodelay(&socket, true).map_err(io::Error::from)?;
                    }
                    return Ok(socket);
                }
                Err(error) if self.cancel.load(Ordering::Relaxed) => return Err(error),
                Err(error) => end = Some(error),
            }
        }
        Err(end.unwrap_or(ureq::Error::HostNotFound))
    }

    fn dial_address(
        &self,
        address: SocketAddr,
        timeout: NextTimeout,
    ) -> Result<OwnedFd, ureq::Error> {
        let family = match address {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket =
            socket_with(family, SocketType::STREAM, flags, None).map_err(io::Error::from)?;
        match connect(&socket, &address) {
            Ok(()) => {}
            Err(Errno::INPROGRESS | Errno::INTR) => {
                wait(&socket, PollFlags::OUT, timeout, &self.cancel)?;
                sockopt::socket_error(&socket)
                    .and_then(|connected| connected)
                    .map_err(io::Error::from)?;
            }
            Err(error) => return Err(io::Error::from(error).into()),
        }
        Ok(socket)
    }
}

impl<In: Transport> Connector<In> for Dialer {
    type Out = Either<In, Wire>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        // A proxy has connected already.
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let config = details.config;
        Ok(Some(Either::B(Wire {
            socket: self.dial(details)?,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            cancel: Arc::clone(&self.cancel),
        })))
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dialer").field(&self.socket).finish()
    }
}

/// An open connection.
pub(crate) struct Wire {
    /// Never blocks.
    socket: OwnedFd,
    buffers: LazyBuffers,
    cancel: Arc<AtomicBool>,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let mut rest = &self.buffers.output()[..amount];
        while !rest.is_empty() {
            match send(&self.socket, rest, SendFlags::NOSIGNAL) {
                Ok(sent) => rest = &rest[sent..],
                Err(Errno::AGAIN) => wait(
                    &self.socket,
                    PollFlags::OUT,
                    timeout.for_write(),
                    &self.cancel,
                )?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let received = loop {
            let room = self.buffers.input_append_buf();
            match recv(&self.socket, room, RecvFlags::empty()) {
                Ok((received, _)) => break received,
                Err(Errno::AGAIN) => {
                    wait(
                        &self.socket,
                        PollFlags::IN,
                        timeout.for_read(),
                        &self.cancel,
                    )?;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
            }
        };
        self.buffers.input_appended(received);
        Ok(received > 0)
    }

    /// A connection that is at rest has nothing to say: neither bytes that
    /// nobody asked for, nor its end.
    fn is_open(&mut self) -> bool {
        let mut byte = [0];
        matches!(
            recv(&self.socket, &mut byte, RecvFlags::PEEK),
            Err(Errno::AGAIN)
        )
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").finish_non_exhaustive()
    }
}

/// Waits until a socket can go on.
fn wait(
    socket: impl AsFd,
    what: PollFlags,
    timeout: NextTimeout,
    cancel: &AtomicBool,
) -> Result<(), ureq::Error> {
    let end = timeout.not_zero().map(|after| Instant::now() + *after);
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(cancelled().into());
        }
        let left = end.map_or(TICK, |end| end.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(ureq::Error::Timeout(timeout.reason));
        }
        let step = left.min(TICK);
        let step = Timespec {
            tv_sec: 0,
            tv_nsec: step.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&socket, what)], Some(&step)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}
