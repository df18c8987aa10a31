//! A program in its sandbox.

use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::fchown;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use crate::arena::Arena;
use crate::blueprint::{self, Blueprint, Ends, raw};
use crate::error::{Result, io_error};
use crate::explain;
use crate::filter::Hearing;
use crate::identity::{Identity, disk_owner};
use crate::keeper;
use crate::net;
use crate::output::{Capture, Gathered, lock};
use crate::step::{self, Message};
use crate::sys::{self, Errno, Fork};
use crate::tracer::Tracer;
use crate::{Command, Exit, GivenUp, Outcome, Spec, Stdin, Trace, abilities, activity};

/// A program that was started. Dropping it kills it and everything it began,
/// and takes its mounts and namespaces away.
#[derive(Debug)]
pub struct Running {
    keeper: Keeper,
    /// The program's process.
    program: OwnedFd,
    /// Messages of the keeper.
    control: OwnedFd,
    /// Requests to connect, one at a time.
    door: Mutex<OwnedFd>,
    stdout: Option<Capture>,
    stderr: Option<Capture>,
    tracer: Option<Tracer>,
    /// When the program began, in nanoseconds of the monotonic clock.
    began: u64,
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Copy)]
struct Ended {
    exit: Exit,
    /// Monotonic nanoseconds.
    at: u64,
    /// Bytes.
    peak_memory: u64,
}

/// How soon a wish to cancel is noticed.
const TICK: Duration = Duration::from_millis(20);

/// How long the kernel may take to end a killed program.
const KILLED: Duration = Duration::from_secs(10);

impl Running {
    /// Sets up the sandbox and starts the program as its PID 1, as container
    /// engines do.
    pub fn start(spec: &Spec, command: &Command) -> Result<Running> {
        let identity = Identity::choose(command.uid, command.gid);
        let hearing = Hearing {
            paths: command.trace,
            users: identity.is_single_root(),
        };
        let (here, there) = Wires::lay(command)?;
        let keeper = {
            let arena = Arena::new(ARENA)
                .map_err(|errno| io_error("reserving memory for the sandbox", errno))?;
            let ends = there.ends();
            let (plan, _held) = blueprint::draw(&arena, spec, command, &identity, &ends, hearing)?;
            Keeper::start(&plan)?
        };
        drop(there);
        identity.write_maps(keeper.pid)?;
        let stdout = here.stdout.map(capture).transpose()?;
        let stderr = here.stderr.map(capture).transpose()?;

        let lost = |errno: Errno| io_error("talking to the sandbox", errno);
        sys::send(raw(&here.control), b"g", &[]).map_err(lost)?;
        let program = match step::receive(raw(&here.control)).map_err(lost)? {
            Message::Born { pidfd } => own(pidfd),
            Message::Fault(fault) => return Err(explain::fault_error(spec, command, &fault)),
            _ => return explain::silent(),
        };
        let (mut began, mut tracer) = (None, None);
        loop {
            match step::receive(raw(&here.report)).map_err(lost)? {
                Message::Listening { listener, root } => {
                    let started = Tracer::start(own(listener), own(root), hearing);
                    tracer = Some(started.map_err(|error| io_error("starting the tracer", error))?);
                }
                Message::Begin { at } => began = Some(at),
                Message::Fault(fault) => return Err(explain::fault_error(spec, command, &fault)),
                Message::Gone => break,
                _ => {}
            }
        }
        let Some(began) = began else {
            return explain::silent();
        };
        Ok(Running {
            keeper,
            program,
            control: here.control,
            door: Mutex::new(here.door),
            stdout,
            stderr,
            tracer,
            began,
            ended: None,
        })
    }

    /// TCP ports on which something inside listens, lowest first.
    ///
    /// With the host's network these are the host's.
    pub fn listening(&self) -> Result<Vec<SocketAddr>> {
        let mut tables = String::new();
        for name in ["tcp", "tcp6"] {
            let table = format!("/proc/{}/net/{name}", self.keeper.pid);
            match fs::read_to_string(&table) {
                Ok(text) => tables.push_str(&text),
                // The keeper ends with the program; a kernel may lack IPv6.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                Err(error) => return Err(io_error(format!("reading {table}"), error)),
            }
        }
        Ok(net::listeners(&tables))
    }

    /// Connects to an address inside the sandbox's network.
    pub fn connect(&self, to: SocketAddr, timeout: Duration) -> Result<TcpStream> {
        let door = lock(&self.door);
        net::connect(raw(&*door), to, timeout)
            .map_err(|error| io_error(format!("connecting to {to} in the sandbox"), error))
    }

    /// Sends a signal to the program (not to its children).
    pub fn signal(&self, signal: i32) -> Result<()> {
        match sys::kill(raw(&self.program), signal) {
            // It has ended already.
            Ok(()) | Err(Errno(libc::ESRCH)) => Ok(()),
            Err(errno) => Err(io_error(format!("sending signal {signal}"), errno)),
        }
    }

    /// Waits for the end, at most so long.
    pub fn wait(&mut self, at_most: Duration) -> Result<Option<Exit>> {
        if let Some(ended) = self.ended {
            return Ok(Some(ended.exit));
        }
        let lost = |errno: Errno| io_error("waiting for the program", errno);
        if !net::wait_readable(raw(&self.control), at_most).map_err(lost)? {
            return Ok(None);
        }
        let ended = match step::receive(raw(&self.control)).map_err(lost)? {
            Message::End {
                status,
                at,
                peak_memory,
            } => Ended {
                exit: Exit::of(status),
                at,
                peak_memory: peak_memory.saturating_mul(1024),
            },
            // Somebody killed the keeper, and with it the program.
            _ => Ended {
                exit: Exit::Signal(libc::SIGKILL),
                at: sys::monotonic(),
                peak_memory: 0,
            },
        };
        self.ended = Some(ended);
        Ok(Some(ended.exit))
    }

    /// What it wrote so far: standard output and error.
    pub fn output(&self) -> (Vec<u8>, Vec<u8>) {
        let so_far = |stream: &Option<Capture>| stream.as_ref().map(Capture::so_far);
        (
            so_far(&self.stdout).unwrap_or_default(),
            so_far(&self.stderr).unwrap_or_default(),
        )
    }

    /// Paths touched so far.
    pub fn trace(&self) -> Trace {
        self.tracer.as_ref().map(Tracer::so_far).unwrap_or_default()
    }

    /// How many paths were touched so far; 0 without a trace.
    pub fn touched(&self) -> usize {
        self.tracer.as_ref().map_or(0, Tracer::count)
    }

    /// True while the program, or something that it started, computes or waits
    /// for a disk; false while all of it waits for time, input or the network.
    pub fn is_busy(&self) -> bool {
        activity::is_busy(self.keeper.pid)
    }

    /// Waits for the end and hands over what was gathered. What takes longer
    /// than `limit` is killed, as is everything once `cancel` is set.
    pub fn finish_within(
        mut self,
        limit: Duration,
        cancel: &AtomicBool,
    ) -> Result<std::result::Result<Outcome, GivenUp>> {
        let start = Instant::now();
        while self.wait(TICK)?.is_none() {
            if cancel.load(Ordering::Relaxed) {
                return Ok(Err(GivenUp::Cancelled));
            }
            if start.elapsed() > limit {
                return Ok(Err(GivenUp::TooLong));
            }
        }
        self.finish().map(Ok)
    }

    /// Kills whatever still runs and hands over what was gathered.
    pub fn finish(mut self) -> Result<Outcome> {
        if self.wait(Duration::ZERO)?.is_none() {
            self.signal(libc::SIGKILL)?;
            self.wait(KILLED)?;
        }
        let ended = self.ended.unwrap_or(Ended {
            exit: Exit::Signal(libc::SIGKILL),
            at: sys::monotonic(),
            peak_memory: 0,
        });
        // Should the program still be there, it goes now; and with the last of
        // its processes the streams end.
        self.keeper.end();
        let finish =
            |stream: Option<Capture>| stream.map_or_else(Gathered::default, Capture::finish);
        let stdout = finish(self.stdout.take());
        let stderr = finish(self.stderr.take());
        Ok(Outcome {
            exit: ended.exit,
            truncated: stdout.truncated || stderr.truncated,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            trace: self.tracer.take().map(Tracer::finish).unwrap_or_default(),
            elapsed: Duration::from_nanos(ended.at.saturating_sub(self.began)),
            peak_memory: ended.peak_memory,
        })
    }
}

impl Exit {
    /// Reads a status of `wait4`.
    fn of(status: i32) -> Exit {
        if libc::WIFEXITED(status) {
            Exit::Code(libc::WEXITSTATUS(status))
        } else {
            Exit::Signal(libc::WTERMSIG(status))
        }
    }
}

/// Address space for the plan: as much as the kernel takes for arguments and
/// environment, twice.
const ARENA: usize = 16 << 20;

fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the descriptor was just received and belongs to nobody else.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn capture(pipe: PipeReader) -> Result<Capture> {
    Capture::start(pipe).map_err(|error| io_error("starting a thread for output", error))
}

/// This process's ends of what connects it to a sandbox.
struct Wires {
    control: OwnedFd,
    door: OwnedFd,
    report: OwnedFd,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
}

/// The sandbox's ends.
struct FarEnds {
    control: OwnedFd,
    door: OwnedFd,
    report: OwnedFd,
    streams: Option<[OwnedFd; 3]>,
}

impl Wires {
    fn lay(command: &Command) -> Result<(Wires, FarEnds)> {
        let failed = |error: io::Error| io_error("making the sandbox's pipes", error);
        let (control, far_control) = pair().map_err(failed)?;
        let (door, far_door) = pair().map_err(failed)?;
        let (report, far_report) = pair().map_err(failed)?;
        let stdin = match &command.stdin {
            Stdin::Inherit => None,
            Stdin::Null => Some(File::open("/dev/null").map_err(failed)?),
            Stdin::File(path) => Some(File::open(path).map_err(|error| {
                io_error(
                    format!("opening {} for standard input", path.display()),
                    error,
                )
            })?),
        };
        let (mut stdout, mut stderr, mut streams) = (None, None, None);
        if let Some(stdin) = stdin {
            let (out, far_out) = io::pipe().map_err(failed)?;
            let (err, far_err) = io::pipe().map_err(failed)?;
            for pipe in [&far_out, &far_err] {
                give(pipe, command).map_err(failed)?;
            }
            (stdout, stderr) = (Some(out), Some(err));
            streams = Some([stdin.into(), far_out.into(), far_err.into()]);
        }
        let wires = Wires {
            control,
            door,
            report,
            stdout,
            stderr,
        };
        let far = FarEnds {
            control: far_control,
            door: far_door,
            report: far_report,
            streams,
        };
        Ok((wires, far))
    }
}

impl FarEnds {
    fn ends(&self) -> Ends {
        Ends {
            control: raw(&self.control),
            door: raw(&self.door),
            report: raw(&self.report),
            streams: self
                .streams
                .as_ref()
                .map(|streams| streams.each_ref().map(raw)),
        }
    }
}

/// Gives a pipe to the program's user, as engines do: opening `/dev/stdout`
/// asks for rights to the pipe itself.
fn give(pipe: &PipeWriter, command: &Command) -> io::Result<()> {
    if let Some((uid, gid)) = disk_owner(command.uid, command.gid) {
        fchown(pipe, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Two ends of a socket that keeps messages apart.
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SockType::SeqPacket;
    Ok(socketpair(
        AddressFamily::Unix,
        kind,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?)
}

/// The keeper's process. Dropping it ends everything in the sandbox.
#[derive(Debug)]
struct Keeper {
    pid: i32,
    pidfd: OwnedFd,
    reaped: bool,
}

impl Keeper {
    fn start(plan: &Blueprint) -> Result<Keeper> {
        let mut namespaces = libc::CLONE_NEWUSER
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWUTS
            | libc::CLONE_NEWCGROUP;
        if plan.own_network {
            namespaces |= libc::CLONE_NEWNET;
        }
        // No handler of this process may run in the child.
        let before = sys::set_signal_mask(!0);
        let forked = sys::fork(namespaces);
        if let Ok(Fork::Child) = forked {
            keeper::keep(plan);
        }
        sys::set_signal_mask(before);
        match forked {
            Ok(Fork::Parent { pid, pidfd }) => Ok(Keeper {
                pid,
                pidfd: own(pidfd),
                reaped: false,
            }),
            Ok(Fork::Child) => Err(io_error("starting the sandbox", Errno(libc::ECHILD))),
            Err(errno) if matches!(errno.0, libc::EAGAIN | libc::ENOMEM) => {
                Err(io_error("starting the sandbox's first process", errno))
            }
            Err(errno) => Err(abilities::refused("user namespaces", errno.into())),
        }
    }

    /// Kills the keeper, and with it everything inside, and takes it away.
    fn end(&mut self) {
        if !self.reaped {
            let _ = sys::kill(raw(&self.pidfd), libc::SIGKILL);
            let _ = sys::reap(self.pid);
            self.reaped = true;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}
