//! The kernel's side of watching: notifications and replies.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::{self, Errno};

/// A system call that waits for a reply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notice {
    id: u64,
    /// The thread that made the call, as this process numbers it.
    pub tid: i32,
    pub audit: u32,
    pub number: u32,
    pub arguments: [u64; 6],
}

/// What becomes of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It goes on.
    Continue,
    /// It is not made; this is its result (negative: an error number).
    Instead(i64),
}

/// The end of a filter at which notifications arrive.
pub(crate) struct Listener(OwnedFd);

/// Room for the kernel's `struct seccomp_notif`, now and when it grows; the
/// kernel wants all of it to be zero.
#[repr(C)]
struct Room {
    notice: libc::seccomp_notif,
    spare: [u64; 32],
}

impl Listener {
    pub fn new(fd: OwnedFd) -> Listener {
        // The caller and this thread take turns, so the kernel may wake one on
        // the processor of the other (6.6; without it, several times slower).
        // An older kernel does not know the request.
        const SYNC_WAKE_UP: u64 = 1;
        let request = libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS;
        // SAFETY: the request takes a plain number.
        unsafe { libc::ioctl(fd.as_raw_fd(), request, SYNC_WAKE_UP) };
        Listener(fd)
    }

    /// Waits for the next call; `None` when nobody is left to make one.
    pub fn next(&self) -> Option<Notice> {
        loop {
            let mut polled = [sys::readable(self.0.as_raw_fd())];
            match sys::poll(&mut polled, -1) {
                Ok(_) | Err(Errno(libc::EINTR)) => {}
                Err(_) => return None,
            }
            if polled[0].revents & libc::POLLIN != 0 {
                match self.receive() {
                    Ok(notice) => return Some(notice),
                    // It was killed before it could be heard.
                    Err(Errno(libc::ENOENT | libc::EINTR)) => {}
                    Err(_) => return None,
                }
            } else if polled[0].revents != 0 {
                return None;
            }
        }
    }

    fn receive(&self) -> Result<Notice, Errno> {
        // SAFETY: plain numbers; zero is valid, and what the kernel asks for.
        let mut room: Room = unsafe { std::mem::zeroed() };
        let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
        // SAFETY: the room is at least as large as the kernel's struct.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), request, &raw mut room) };
        if result < 0 {
            return Err(sys::errno());
        }
        Ok(Notice {
            id: room.notice.id,
            tid: room.notice.pid as i32,
            audit: room.notice.data.arch,
            number: room.notice.data.nr as u32,
            arguments: room.notice.data.args,
        })
    }

    /// Replies; false if the call is no more.
    pub fn reply(&self, notice: &Notice, reply: Reply) -> bool {
        let (flags, val, error) = match reply {
            Reply::Continue => (libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32, 0, 0),
            Reply::Instead(value) if value < 0 => (0, 0, value as i32),
            Reply::Instead(value) => (0, value, 0),
        };
        let response = libc::seccomp_notif_resp {
            id: notice.id,
            val,
            error,
            flags,
        };
        let request = libc::SECCOMP_IOCTL_NOTIF_SEND;
        // SAFETY: the struct has the type that the request names.
        unsafe { libc::ioctl(self.0.as_raw_fd(), request, &raw const response) >= 0 }
    }
}
