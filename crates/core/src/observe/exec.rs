//! Programs as probes: inside the sandbox, and the user's tests outside of it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{self, Child};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use whit_oci::Guard;
use whit_sandbox::{Command, Exit, Outcome};

use super::app::{App, Launch};
use super::forward::forward;
use super::{Error, Limits};

/// How often a wait looks at the deadline and at the cancel flag.
const TICK: Duration = Duration::from_millis(50);
/// Bytes of a test's output that are kept.
const MAX_OUTPUT: u64 = 1 << 20;
/// For one connection that a test makes.
const CONNECT: Duration = Duration::from_secs(10);

/// Waits until the program ends; `None` if it does not in time.
pub(super) fn wait_end(
    app: &mut dyn App,
    at_most: Duration,
    cancel: &AtomicBool,
) -> Result<Option<Exit>, Error> {
    let deadline = Instant::now() + at_most;
    loop {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if let Some(exit) = app.wait(left.min(TICK))? {
            return Ok(Some(exit));
        }
        if left.is_zero() {
            return Ok(None);
        }
    }
}

/// Runs a program to its end. The flag tells if it ended by itself; if not, it
/// was killed when its time was over.
pub(super) fn run(
    launch: &dyn Launch,
    command: &Command,
    at_most: Duration,
    cancel: &AtomicBool,
) -> Result<(Outcome, bool), Error> {
    let mut app = launch.launch(command)?;
    let ended = wait_end(app.as_mut(), at_most, cancel)?.is_some();
    Ok((app.finish()?, ended))
}

/// How a test ended.
pub(super) struct Tested {
    /// `None` if its time was over.
    pub(super) exit: Option<Exit>,
    /// Output and errors together.
    pub(super) output: Vec<u8>,
}

/// Runs the user's test on the host, with the service at `address` inside the
/// sandbox reachable as `WHIT_BASE_URL`.
pub(super) fn test(
    script: &Path,
    app: &dyn App,
    address: SocketAddr,
    limits: &Limits,
    cancel: &AtomicBool,
) -> Result<Tested, Error> {
    let lost = |source| Error::Io {
        context: "cannot make a loopback port for the test".to_owned(),
        source,
    };
    let failed = |source| Error::Script {
        script: script.to_owned(),
        source,
    };
    let listener = TcpListener::bind("127.0.0.1:0").map_err(lost)?;
    let port = listener.local_addr().map_err(lost)?.port();
    let mut output = tempfile::tempfile().map_err(lost)?;
    let (child, _guard) = spawn(script, port, &output).map_err(failed)?;
    let connect = || app.connect(address, CONNECT).map_err(io::Error::other);
    let stop = AtomicBool::new(false);
    let exit = thread::scope(|scope| {
        scope.spawn(|| forward(&listener, &connect, &stop));
        let exit = wait_child(child, limits.script, cancel);
        stop.store(true, Ordering::Relaxed);
        exit
    })
    .map_err(failed)?;
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Cancelled);
    }
    let mut bytes = Vec::new();
    output.rewind().map_err(lost)?;
    output
        .take(MAX_OUTPUT)
        .read_to_end(&mut bytes)
        .map_err(lost)?;
    Ok(Tested {
        exit,
        output: bytes,
    })
}

fn spawn(script: &Path, port: u16, output: &File) -> io::Result<(Child, Guard)> {
    // Without a slash the system would look for it in PATH.
    let mut child = process::Command::new(std::path::absolute(script)?)
        .env("WHIT_BASE_URL", format!("http://127.0.0.1:{port}"))
        .stdin(process::Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()?;
    match Guard::of(&child) {
        Ok(guard) => Ok((child, guard)),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error)
        }
    }
}

/// Waits for a test; kills it and what it started when its time is over.
fn wait_child(
    mut child: Child,
    at_most: Duration,
    cancel: &AtomicBool,
) -> io::Result<Option<Exit>> {
    let deadline = Instant::now() + at_most;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(match (status.code(), status.signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, signal) => Exit::Signal(signal.unwrap_or_default()),
            }));
        }
        if cancel.load(Ordering::Relaxed) || Instant::now() >= deadline {
            if let Some(group) = i32::try_from(child.id())
                .ok()
                .and_then(rustix::process::Pid::from_raw)
            {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(TICK);
    }
}
