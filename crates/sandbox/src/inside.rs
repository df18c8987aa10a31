//! The process that becomes the program: it furnishes its own root, locks
//! itself in and calls `exec`.
//!
//! All of this runs between `clone` and `exec` of a copy of whit: only system
//! calls, no allocation.

use std::os::fd::RawFd;

use crate::blueprint::Blueprint;
use crate::room;
use crate::step::{self, During, Failed, HEADER, Step};
use crate::sys::{self, Errno, Sys};

/// Sets everything up and runs the program; what goes wrong is reported.
pub(crate) fn become_program(plan: &Blueprint) -> ! {
    match set_up(plan) {
        Ok(()) => run(plan),
        Err(failed) => step::send_fault(plan.report, failed, 0, &[]),
    }
    sys::exit(127)
}

fn set_up(plan: &Blueprint) -> Result<(), Failed> {
    let root = room::furnish(plan)?;
    sys::setsid().during(Step::Isolate)?;
    limit(plan)?;
    drop_capabilities().during(Step::Limits)?;
    connect_streams(plan).during(Step::Streams)?;
    let listener = sys::install_filter(plan.filter, plan.listens).during(Step::Filter)?;
    if let Some(listener) = listener {
        step::send_listening(plan.report, listener, root).during(Step::Filter)?;
        sys::close(listener);
    }
    sys::close(root);
    switch_user(plan).during(Step::Switch)?;
    sys::default_signals();
    // Everything that is still open came from whit by accident.
    sys::close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC).during(Step::Streams)
}

/// No fork bomb, no core dumps.
fn limit(plan: &Blueprint) -> Result<(), Failed> {
    sys::lower_limit(libc::RLIMIT_NPROC, plan.max_processes).during(Step::Limits)?;
    sys::lower_limit(libc::RLIMIT_CORE, 0).during(Step::Limits)
}

/// Capabilities that container engines leave to a root user: CHOWN,
/// DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
/// NET_BIND_SERVICE, NET_RAW, SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP.
const KEPT_CAPABILITIES: [u64; 14] = [0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31];

/// Takes every other capability out of reach of whatever is executed; those
/// that this process holds it keeps until then.
fn drop_capabilities() -> Sys<()> {
    for capability in 0..64 {
        if KEPT_CAPABILITIES.contains(&capability) {
            continue;
        }
        match sys::prctl(libc::PR_CAPBSET_DROP, capability) {
            // Past the last one that this kernel knows.
            Err(Errno(libc::EINVAL)) => break,
            other => other?,
        };
    }
    Ok(())
}

fn connect_streams(plan: &Blueprint) -> Sys<()> {
    if let Some(streams) = plan.streams {
        for (place, stream) in streams.into_iter().enumerate() {
            sys::install_fd(stream, place as RawFd)?;
        }
    }
    Ok(())
}

fn switch_user(plan: &Blueprint) -> Sys<()> {
    if plan.has_groups {
        sys::set_groups(plan.groups)?;
    }
    sys::set_gid(plan.gid)?;
    sys::set_uid(plan.uid)?;
    sys::set_umask(0o022);
    // A change of user makes a process unreadable; the tracer has to read the
    // arguments of the `exec` to come.
    sys::prctl(libc::PR_SET_DUMPABLE, 1).map(drop)
}

/// Tries the candidates for the program in turn. Comes back only when none of
/// them could be run, after a report.
fn run(plan: &Blueprint) {
    if step::send_begin(plan.report, sys::monotonic()).is_err() {
        return;
    }
    let mut worst = Errno(libc::ENOENT);
    let mut at = 0;
    for (index, candidate) in plan.candidates.iter().enumerate() {
        // SAFETY: the arena ends both arrays with a null pointer.
        let errno = unsafe { sys::execve(candidate, plan.argv.as_ptr(), plan.env.as_ptr()) };
        match errno.0 {
            libc::ENOENT | libc::ENOTDIR if sys::stat(libc::AT_FDCWD, candidate).is_err() => {}
            libc::EACCES => (worst, at) = (errno, index),
            // It is there, but it, or its interpreter, cannot be run.
            _ => {
                (worst, at) = (errno, index);
                break;
            }
        }
    }
    let mut header = [0u8; HEADER];
    let (mode, length) = plan
        .candidates
        .get(at)
        .map_or((0, 0), |program| describe(program, &mut header));
    let failed = Failed {
        step: Step::Exec,
        index: at as u32,
        errno: worst,
    };
    step::send_fault(plan.report, failed, mode, &header[..length]);
}

/// The mode of a program and how its file begins, for the explanation.
fn describe(program: &std::ffi::CStr, header: &mut [u8]) -> (u32, usize) {
    let flags = libc::O_RDONLY | libc::O_NONBLOCK;
    let Ok(file) = sys::openat(libc::AT_FDCWD, program, flags, 0) else {
        return (0, 0);
    };
    let mode = sys::stat(file, c"").map_or(0, |stat| stat.st_mode);
    let length = if mode & libc::S_IFMT == libc::S_IFREG {
        sys::read(file, header).unwrap_or(0)
    } else {
        0
    };
    sys::close(file);
    (mode, length)
}
