//! The door to the sandbox, narrow enough that tests can stand behind it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use whit_sandbox::{Command, Exit, Outcome, Result, Running, Spec};

/// A program that was started; see [`Running`].
pub(super) trait App: Send + Sync {
    fn listening(&self) -> Result<Vec<SocketAddr>>;
    fn connect(&self, to: SocketAddr, timeout: Duration) -> Result<TcpStream>;
    /// How many paths it touched so far.
    fn touched(&self) -> usize;
    /// True while it computes, false while all of it waits.
    fn is_busy(&self) -> bool;
    fn signal(&self, signal: i32) -> Result<()>;
    fn wait(&mut self, at_most: Duration) -> Result<Option<Exit>>;
    fn finish(self: Box<Self>) -> Result<Outcome>;
}

/// Starts programs, each in a sandbox of its own.
pub(super) trait Launch: Sync {
    fn launch(&self, command: &Command) -> Result<Box<dyn App>>;
}

impl App for Running {
    fn listening(&self) -> Result<Vec<SocketAddr>> {
        Running::listening(self)
    }

    fn connect(&self, to: SocketAddr, timeout: Duration) -> Result<TcpStream> {
        Running::connect(self, to, timeout)
    }

    fn touched(&self) -> usize {
        Running::touched(self)
    }

    fn is_busy(&self) -> bool {
        Running::is_busy(self)
    }

    fn signal(&self, signal: i32) -> Result<()> {
        Running::signal(self, signal)
    }

    fn wait(&mut self, at_most: Duration) -> Result<Option<Exit>> {
        Running::wait(self, at_most)
    }

    fn finish(self: Box<Self>) -> Result<Outcome> {
        Running::finish(*self)
    }
}

impl Launch for Spec {
    fn launch(&self, command: &Command) -> Result<Box<dyn App>> {
        Ok(Box::new(Running::start(self, command)?))
    }
}

/// The address to connect to for a socket that listens on `listener`.
pub(super) fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}
