//! System calls, as thin as they come.
//!
//! Everything here may be called between `clone` and `exec` in a child of a
//! process with threads: no allocation, no locks, no panics, and none of libc's
//! wrappers that do more than the call (its `setuid` signals every thread).

use std::ffi::CStr;
use std::os::fd::RawFd;

use libc::{c_int, c_long};

/// An error number of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Errno(pub i32);

impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        std::io::Error::from_raw_os_error(errno.0)
    }
}

pub(crate) type Sys<T> = Result<T, Errno>;

/// The last error of this thread.
pub(crate) fn errno() -> Errno {
    // SAFETY: the location of errno is valid for as long as the thread lives.
    Errno(unsafe { *libc::__errno_location() })
}

fn outcome(value: c_long) -> Sys<c_long> {
    if value < 0 { Err(errno()) } else { Ok(value) }
}

/// A raw system call; every argument is widened to a register, so that the
/// variadic call passes whole words.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {
        // SAFETY: pointers among the arguments come from references and slices
        // that outlive the call, with the lengths given beside them; the other
        // arguments are plain numbers.
        outcome(unsafe { libc::syscall($number $(, $argument as c_long)*) })
    };
}

pub(crate) fn close(fd: RawFd) {
    let _ = call!(libc::SYS_close, fd);
}

pub(crate) fn close_range(first: u32, last: u32, flags: u32) -> Sys<()> {
    call!(libc::SYS_close_range, first, last, flags).map(drop)
}

/// Makes `to` a copy of `from` that survives `exec`.
pub(crate) fn install_fd(from: RawFd, to: RawFd) -> Sys<()> {
    if from == to {
        call!(libc::SYS_fcntl, from, libc::F_SETFD, 0).map(drop)
    } else {
        call!(libc::SYS_dup3, from, to, 0).map(drop)
    }
}

pub(crate) fn read(fd: RawFd, into: &mut [u8]) -> Sys<usize> {
    call!(libc::SYS_read, fd, into.as_mut_ptr(), into.len()).map(|n| n as usize)
}

pub(crate) fn write(fd: RawFd, bytes: &[u8]) -> Sys<usize> {
    call!(libc::SYS_write, fd, bytes.as_ptr(), bytes.len()).map(|n| n as usize)
}

pub(crate) fn openat(dir: RawFd, path: &CStr, flags: c_int, mode: u32) -> Sys<RawFd> {
    let flags = flags | libc::O_CLOEXEC;
    call!(libc::SYS_openat, dir, path.as_ptr(), flags, mode).map(|fd| fd as RawFd)
}

/// Opens a path below `dir` as if `dir` were the root: neither `..` nor an
/// absolute link leads out of it.
pub(crate) fn open_in_root(dir: RawFd, path: &CStr, flags: c_int, mode: u32) -> Sys<RawFd> {
    open_resolved(dir, path, flags, mode, libc::RESOLVE_IN_ROOT)
}

fn open_resolved(dir: RawFd, path: &CStr, flags: c_int, mode: u32, resolve: u64) -> Sys<RawFd> {
    // SAFETY: the struct is plain numbers; zero is valid for each of them.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = (flags | libc::O_CLOEXEC) as u64;
    how.mode = u64::from(mode);
    how.resolve = resolve;
    let size = size_of::<libc::open_how>();
    for _ in 0..64 {
        match call!(libc::SYS_openat2, dir, path.as_ptr(), &raw const how, size) {
            // A rename elsewhere raced with the walk.
            Err(Errno(libc::EAGAIN)) => {}
            other => return other.map(|fd| fd as RawFd),
        }
    }
    Err(Errno(libc::EAGAIN))
}

pub(crate) fn mkdirat(dir: RawFd, path: &CStr, mode: u32) -> Sys<()> {
    call!(libc::SYS_mkdirat, dir, path.as_ptr(), mode).map(drop)
}

pub(crate) fn symlinkat(target: &CStr, dir: RawFd, path: &CStr) -> Sys<()> {
    call!(libc::SYS_symlinkat, target.as_ptr(), dir, path.as_ptr()).map(drop)
}

pub(crate) fn unlinkat(dir: RawFd, path: &CStr) -> Sys<()> {
    call!(libc::SYS_unlinkat, dir, path.as_ptr(), 0).map(drop)
}

pub(crate) fn fchdir(fd: RawFd) -> Sys<()> {
    call!(libc::SYS_fchdir, fd).map(drop)
}

pub(crate) fn chdir(path: &CStr) -> Sys<()> {
    call!(libc::SYS_chdir, path.as_ptr()).map(drop)
}

pub(crate) fn fchmodat(dir: RawFd, path: &CStr, mode: u32) -> Sys<()> {
    call!(libc::SYS_fchmodat, dir, path.as_ptr(), mode).map(drop)
}

/// Attributes of an open file, or of `path` below it, not following a link in
/// the last place.
pub(crate) fn stat(dir: RawFd, path: &CStr) -> Sys<libc::stat> {
    // SAFETY: the struct is plain numbers; zero is valid for each of them.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: `path` is a C string and `stat` a struct of the right type;
    // both outlive the call.
    let result = unsafe { libc::fstatat(dir, path.as_ptr(), &raw mut stat, flags) };
    outcome(c_long::from(result)).map(|_| stat)
}

pub(crate) fn readlinkat(dir: RawFd, path: &CStr, into: &mut [u8]) -> Sys<usize> {
    let (buffer, length) = (into.as_mut_ptr(), into.len());
    call!(libc::SYS_readlinkat, dir, path.as_ptr(), buffer, length).map(|n| n as usize)
}

pub(crate) fn mount(
    source: &CStr,
    target: &CStr,
    kind: &CStr,
    flags: u64,
    options: &CStr,
) -> Sys<()> {
    call!(
        libc::SYS_mount,
        source.as_ptr(),
        target.as_ptr(),
        kind.as_ptr(),
        flags,
        options.as_ptr()
    )
    .map(drop)
}

pub(crate) fn detach(path: &CStr) -> Sys<()> {
    call!(libc::SYS_umount2, path.as_ptr(), libc::MNT_DETACH).map(drop)
}

pub(crate) fn pivot_root(new: &CStr, old: &CStr) -> Sys<()> {
    call!(libc::SYS_pivot_root, new.as_ptr(), old.as_ptr()).map(drop)
}

/// A copy of the mount tree at `path`, attached to nothing yet.
pub(crate) fn clone_tree(dir: RawFd, path: &CStr, recursive: bool) -> Sys<RawFd> {
    let mut flags = libc::OPEN_TREE_CLONE | libc::O_CLOEXEC as u32 | libc::AT_EMPTY_PATH as u32;
    if recursive {
        flags |= libc::AT_RECURSIVE as u32;
    }
    call!(libc::SYS_open_tree, dir, path.as_ptr(), flags).map(|fd| fd as RawFd)
}

/// Attaches a detached tree at the place that `target` has open.
pub(crate) fn attach(tree: RawFd, target: RawFd) -> Sys<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    let empty = c"".as_ptr();
    call!(libc::SYS_move_mount, tree, empty, target, empty, flags).map(drop)
}

/// Makes a detached tree and everything mounted below it read-only.
pub(crate) fn make_read_only(tree: RawFd) -> Sys<()> {
    // SAFETY: the struct is plain numbers; zero is valid for each of them.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = libc::MOUNT_ATTR_RDONLY;
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    call!(
        libc::SYS_mount_setattr,
        tree,
        c"".as_ptr(),
        flags,
        &raw const attributes,
        size_of::<libc::mount_attr>()
    )
    .map(drop)
}

/// A new file system of `kind`, mounted but attached to nothing yet.
pub(crate) fn new_mount(kind: &CStr, options: &[(&CStr, &CStr)], attributes: u64) -> Sys<RawFd> {
    let context = call!(libc::SYS_fsopen, kind.as_ptr(), 1)? as RawFd;
    let made = configure(context, options)
        .and_then(|()| call!(libc::SYS_fsmount, context, 1, attributes).map(|fd| fd as RawFd));
    close(context);
    made
}

fn configure(context: RawFd, options: &[(&CStr, &CStr)]) -> Sys<()> {
    const SET_STRING: c_long = 1;
    const CREATE: c_long = 6;
    for (key, value) in options {
        let (key, value) = (key.as_ptr(), value.as_ptr());
        call!(libc::SYS_fsconfig, context, SET_STRING, key, value, 0)?;
    }
    call!(libc::SYS_fsconfig, context, CREATE, 0, 0, 0).map(drop)
}

/// What `clone3` gave: the child's view, or the parent's.
pub(crate) enum Fork {
    Child,
    Parent { pid: i32, pidfd: RawFd },
}

/// Forks with new namespaces. Handlers of the parent are cleared in the child;
/// no signal is sent at its end, so nobody else's `wait` can take it away.
pub(crate) fn fork(namespaces: c_int) -> Sys<Fork> {
    let mut pidfd: RawFd = -1;
    // SAFETY: the struct is plain numbers; zero is valid for each of them.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = (namespaces | libc::CLONE_PIDFD) as u64 | CLONE_CLEAR_SIGHAND;
    arguments.pidfd = &raw mut pidfd as u64;
    let size = size_of::<libc::clone_args>();
    match call!(libc::SYS_clone3, &raw mut arguments, size)? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent {
            pid: pid as i32,
            pidfd,
        }),
    }
}

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// Sets every signal to its default and unblocks them all.
pub(crate) fn default_signals() {
    // The kernel's `struct sigaction`, all zero: SIG_DFL, no flags, no mask.
    let action = [0u64; 4];
    for signal in 1..=64 {
        let old = 0;
        let _ = call!(libc::SYS_rt_sigaction, signal, action.as_ptr(), old, 8);
    }
    set_signal_mask(0);
}

/// Blocks the signals in `mask` and gives back what was blocked before.
pub(crate) fn set_signal_mask(mask: u64) -> u64 {
    let mut before = 0u64;
    let _ = call!(
        libc::SYS_rt_sigprocmask,
        libc::SIG_SETMASK,
        &raw const mask,
        &raw mut before,
        8
    );
    before
}

pub(crate) fn kill(pidfd: RawFd, signal: i32) -> Sys<()> {
    call!(libc::SYS_pidfd_send_signal, pidfd, signal, 0, 0).map(drop)
}

/// Waits for a child and takes its status and resource usage away.
pub(crate) fn reap(pid: i32) -> Sys<(i32, libc::rusage)> {
    let mut status: c_int = 0;
    // SAFETY: the struct is plain numbers; zero is valid for each of them.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        let (status_at, usage_at) = (&raw mut status, &raw mut usage);
        match call!(libc::SYS_wait4, pid, status_at, libc::__WALL, usage_at) {
            Ok(_) => return Ok((status, usage)),
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Waits until one of the descriptors has something, at most so many
/// milliseconds (-1: for ever). False when time ran out.
pub(crate) fn poll(polled: &mut [libc::pollfd], milliseconds: c_int) -> Sys<bool> {
    // SAFETY: the slice is valid for its length throughout the call.
    let ready = unsafe {
        libc::poll(
            polled.as_mut_ptr(),
            polled.len() as libc::nfds_t,
            milliseconds,
        )
    };
    outcome(c_long::from(ready)).map(|n| n > 0)
}

/// One descriptor to wait on for input.
pub(crate) fn readable(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

pub(crate) fn setsid() -> Sys<()> {
    call!(libc::SYS_setsid).map(drop)
}

pub(crate) fn set_groups(groups: &[u32]) -> Sys<()> {
    call!(libc::SYS_setgroups, groups.len(), groups.as_ptr()).map(drop)
}

pub(crate) fn set_gid(gid: u32) -> Sys<()> {
    call!(libc::SYS_setresgid, gid, gid, gid).map(drop)
}

pub(crate) fn set_uid(uid: u32) -> Sys<()> {
    call!(libc::SYS_setresuid, uid, uid, uid).map(drop)
}

pub(crate) fn prctl(option: c_int, argument: u64) -> Sys<c_long> {
    call!(libc::SYS_prctl, option, argument, 0, 0, 0)
}

pub(crate) fn set_umask(mask: u32) {
    let _ = call!(libc::SYS_umask, mask);
}

/// Lowers a limit of this process; one that is lower already stays.
pub(crate) fn lower_limit(resource: u32, most: u64) -> Sys<()> {
    let mut limit = [0u64; 2];
    call!(libc::SYS_prlimit64, 0, resource, 0, limit.as_mut_ptr())?;
    let limit = [most.min(limit[1]); 2];
    call!(libc::SYS_prlimit64, 0, resource, limit.as_ptr(), 0).map(drop)
}

pub(crate) fn set_hostname(name: &[u8]) -> Sys<()> {
    call!(libc::SYS_sethostname, name.as_ptr(), name.len()).map(drop)
}

/// Brings the loopback interface of this network namespace up.
pub(crate) fn loopback_up() -> Sys<()> {
    let socket = call!(
        libc::SYS_socket,
        libc::AF_INET,
        libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
        0
    )? as RawFd;
    // SAFETY: the struct is plain numbers; zero is valid for each of them.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    let at = &raw mut request;
    let result = call!(libc::SYS_ioctl, socket, libc::SIOCSIFFLAGS, at);
    close(socket);
    result.map(drop)
}

/// Begins to connect a new TCP socket; it does not wait for the other side.
pub(crate) fn begin_connect(address: &[u8]) -> Sys<RawFd> {
    let family = match address {
        [low, high, ..] => u16::from_ne_bytes([*low, *high]),
        _ => return Err(Errno(libc::EINVAL)),
    };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let socket = call!(libc::SYS_socket, family, kind, 0)? as RawFd;
    let (at, length) = (address.as_ptr(), address.len());
    match call!(libc::SYS_connect, socket, at, length) {
        Ok(_) | Err(Errno(libc::EINPROGRESS)) => Ok(socket),
        Err(errno) => {
            close(socket);
            Err(errno)
        }
    }
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn monotonic() -> u64 {
    let mut time = [0i64; 2];
    let _ = call!(
        libc::SYS_clock_gettime,
        libc::CLOCK_MONOTONIC,
        time.as_mut_ptr()
    );
    (time[0] as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time[1] as u64)
}

/// Replaces the process. Only comes back with an error.
///
/// # Safety
/// `argv` and `env` must be arrays of C strings that end with a null pointer.
pub(crate) unsafe fn execve(
    program: &CStr,
    argv: *const *const libc::c_char,
    env: *const *const libc::c_char,
) -> Errno {
    match call!(libc::SYS_execve, program.as_ptr(), argv, env) {
        Ok(_) => Errno(0),
        Err(errno) => errno,
    }
}

pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: ends the process without running anything else of it.
    unsafe { libc::_exit(code) }
}

/// Most descriptors that one message carries.
const FDS: usize = 4;

/// Sends bytes, and copies of descriptors, over a socket.
pub(crate) fn send(socket: RawFd, bytes: &[u8], fds: &[RawFd]) -> Sys<()> {
    let mut control = [0u64; 8];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: the struct is plain numbers and pointers; zero is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !fds.is_empty() {
        let payload = size_of_val(fds) as u32;
        debug_assert!(fds.len() <= FDS);
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: `control` is 64 bytes, aligned for a header, and FDS
        // descriptors with their header take 32 of them.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(payload) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(payload) as _;
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            std::ptr::copy_nonoverlapping(fds.as_ptr(), data, fds.len().min(FDS));
        }
    }
    let at = &raw const message;
    loop {
        match call!(libc::SYS_sendmsg, socket, at, libc::MSG_NOSIGNAL) {
            Err(Errno(libc::EINTR)) => {}
            other => return other.map(drop),
        }
    }
}

/// Receives one message: how many bytes, and the descriptors that came along
/// (-1 in places without one). No bytes: the other side is gone.
pub(crate) fn receive(socket: RawFd, into: &mut [u8]) -> Sys<(usize, [RawFd; FDS])> {
    let mut control = [0u64; 8];
    let mut part = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: the struct is plain numbers and pointers; zero is valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let at = &raw mut message;
    let length = loop {
        match call!(libc::SYS_recvmsg, socket, at, libc::MSG_CMSG_CLOEXEC) {
            Err(Errno(libc::EINTR)) => {}
            other => break other? as usize,
        }
    };
    let mut fds = [-1; FDS];
    // SAFETY: the kernel filled `control`; the macros stay inside its length.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if !header.is_null()
            && (*header).cmsg_level == libc::SOL_SOCKET
            && (*header).cmsg_type == libc::SCM_RIGHTS
        {
            let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
            let count = (bytes / size_of::<RawFd>()).min(FDS);
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            std::ptr::copy_nonoverlapping(data, fds.as_mut_ptr(), count);
        }
    }
    Ok((length, fds))
}

/// Gives the pages of a mapping back; they read as zeroes from then on.
pub(crate) fn forget(start: usize, length: usize) {
    let _ = call!(libc::SYS_madvise, start, length, libc::MADV_DONTNEED);
}

/// Installs a filter for this process and its descendants. With `listens`,
/// gives the descriptor on which its notifications arrive.
pub(crate) fn install_filter(filter: &[libc::sock_filter], listens: bool) -> Sys<Option<RawFd>> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let install = |flags: u64| {
        let (mode, at) = (libc::SECCOMP_SET_MODE_FILTER, &raw const program);
        call!(libc::SYS_seccomp, mode, flags, at)
    };
    if !listens {
        return install(0).map(|_| None);
    }
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Once a notification is received, only a deadly signal interrupts the
    // call (5.19); older kernels refuse the flag.
    match install(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno(libc::EINVAL)) => install(listener),
        other => other,
    }
    .map(|fd| Some(fd as RawFd))
}

/// Reads the memory of another process. It must not cross the end of a page.
pub(crate) fn read_memory(tid: i32, address: u64, into: &mut [u8]) -> Sys<usize> {
    let here = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let there = remote(address, into.len());
    let (here, there) = (&raw const here, &raw const there);
    call!(libc::SYS_process_vm_readv, tid, here, 1, there, 1, 0).map(|n| n as usize)
}

/// Writes to the memory of another process.
pub(crate) fn write_memory(tid: i32, address: u64, bytes: &[u8]) -> Sys<()> {
    let here = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let there = remote(address, bytes.len());
    let (here, there) = (&raw const here, &raw const there);
    call!(libc::SYS_process_vm_writev, tid, here, 1, there, 1, 0).map(drop)
}

fn remote(address: u64, length: usize) -> libc::iovec {
    libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: length,
    }
}
