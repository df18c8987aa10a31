//! The keeper: the process between whit and the program.
//!
//! It is born in the sandbox's namespaces and is the first process of a pid
//! namespace of its own, in which the program's pid namespace lies. When it
//! dies, for whatever reason, the kernel kills everything in there; it dies
//! when whit does, because it waits on a socket that ends then. So not even
//! `kill -9` leaves a process, a mount or a namespace behind.
//!
//! It shares the program's network, so it connects from the inside on whit's
//! behalf; but not its pid namespace, where nobody sees it.
//!
//! All of this runs between `clone` and `exec` of a copy of whit: only system
//! calls, no allocation.

use std::os::fd::RawFd;

use crate::blueprint::Blueprint;
use crate::inside;
use crate::step::{self, During, Failed, Step};
use crate::sys::{self, Fork};

/// Runs the keeper's life.
pub(crate) fn keep(plan: &Blueprint) -> ! {
    keep_only(plan.kept);
    let _ = sys::setsid();
    let _ = sys::prctl(libc::PR_SET_NAME, c"whit-keeper".as_ptr() as u64);
    forget(plan);
    let mut word = [0u8; 1];
    match sys::receive(plan.control, &mut word) {
        Ok((1, _)) => {}
        // whit gave up, or is gone.
        _ => sys::exit(0),
    }
    match prepare(plan) {
        Ok((pid, pidfd)) => serve(plan, pid, pidfd),
        Err(failed) => {
            step::send_fault(plan.control, failed, 0, &[]);
            sys::exit(1)
        }
    }
}

/// Gives back the memory that was copied from whit and that nothing here needs:
/// it would count as the program's largest memory (the kernel carries the
/// figure over `exec`).
fn forget(plan: &Blueprint) {
    for (start, length) in plan.forgotten {
        sys::forget(*start, *length);
    }
}

/// Becomes the sandbox's master, readies its network, and starts the process
/// that will be the program.
fn prepare(plan: &Blueprint) -> Result<(i32, RawFd), Failed> {
    let (uid, gid) = plan.master;
    if plan.has_groups {
        sys::set_groups(&[]).during(Step::User)?;
    }
    sys::set_gid(gid).during(Step::User)?;
    sys::set_uid(uid).during(Step::User)?;
    if plan.own_network {
        sys::loopback_up().during(Step::Loopback)?;
    }
    sys::set_hostname(plan.hostname).during(Step::Hostname)?;
    match sys::fork(libc::CLONE_NEWPID | libc::CLONE_NEWNS).during(Step::Fork)? {
        Fork::Child => inside::become_program(plan),
        Fork::Parent { pid, pidfd } => {
            step::send_born(plan.control, pidfd).during(Step::Fork)?;
            Ok((pid, pidfd))
        }
    }
}

/// Waits for the end of the program or of whit, and connects in between.
fn serve(plan: &Blueprint, pid: i32, pidfd: RawFd) -> ! {
    let mut kept = [plan.control, plan.door, pidfd];
    kept.sort_unstable();
    keep_only(&kept);
    loop {
        let mut polled = [plan.control, plan.door, pidfd].map(sys::readable);
        if sys::poll(&mut polled, -1).is_err() {
            continue;
        }
        if polled[0].revents != 0 {
            // whit never writes here again: it is gone.
            sys::exit(0);
        }
        if polled[1].revents != 0 {
            connect(plan.door);
        }
        if polled[2].revents != 0 {
            let at = sys::monotonic();
            let (status, peak) = match sys::reap(pid) {
                Ok((status, usage)) => (status, usage.ru_maxrss as u64),
                Err(_) => (libc::SIGKILL, 0),
            };
            let _ = step::send_end(plan.control, status, at, peak);
            sys::exit(0);
        }
    }
}

/// Closes every descriptor but these, lowest first.
fn keep_only(kept: &[RawFd]) {
    let mut next = 0;
    for fd in kept {
        let fd = *fd as u32;
        if fd > next {
            let _ = sys::close_range(next, fd - 1, 0);
        }
        next = fd + 1;
    }
    let _ = sys::close_range(next, u32::MAX, 0);
}

/// Answers one request: the socket address comes in, an error number and the
/// socket go out. Nothing here waits for the other side of the connection.
fn connect(door: RawFd) {
    let mut address = [0u8; size_of::<libc::sockaddr_in6>()];
    let Ok((length @ 1.., _)) = sys::receive(door, &mut address) else {
        sys::exit(0);
    };
    let _ = match sys::begin_connect(&address[..length.min(address.len())]) {
        Ok(socket) => {
            let sent = sys::send(door, &0i32.to_ne_bytes(), &[socket]);
            sys::close(socket);
            sent
        }
        Err(errno) => sys::send(door, &errno.0.to_ne_bytes(), &[]),
    };
}
