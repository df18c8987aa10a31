//! Where a set-up can fail, and the messages that say so.
//!
//! The processes that set a sandbox up cannot allocate or format; they send a
//! number for the step, one for the item, and the kernel's error. Words are
//! made of it on this side.

use std::os::fd::RawFd;

use crate::sys::{self, Errno, Sys};

/// One step of setting a sandbox up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Step {
    User,
    Loopback,
    Hostname,
    Fork,
    Isolate,
    Stage,
    Lower,
    Mounted,
    UpperMemory,
    UpperFolder,
    Overlay,
    Proc,
    Dev,
    Sys,
    Emulator,
    Mask,
    Pivot,
    WorkingFolder,
    Limits,
    Filter,
    Switch,
    Streams,
    Exec,
}

impl Step {
    const ALL: [Step; 23] = [
        Step::User,
        Step::Loopback,
        Step::Hostname,
        Step::Fork,
        Step::Isolate,
        Step::Stage,
        Step::Lower,
        Step::Mounted,
        Step::UpperMemory,
        Step::UpperFolder,
        Step::Overlay,
        Step::Proc,
        Step::Dev,
        Step::Sys,
        Step::Emulator,
        Step::Mask,
        Step::Pivot,
        Step::WorkingFolder,
        Step::Limits,
        Step::Filter,
        Step::Switch,
        Step::Streams,
        Step::Exec,
    ];

    fn from_number(number: u32) -> Option<Step> {
        Self::ALL.get(number as usize).copied()
    }
}

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub step: Step,
    /// Which of several items (layers, mounts, candidates for the program).
    pub index: u32,
    pub errno: Errno,
    /// Mode of the program, where it could be asked for; else 0.
    pub mode: u32,
    /// How the program's file begins, where it could be read.
    pub header: Vec<u8>,
}

/// A failed step as a child notes it: no allocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failed {
    pub step: Step,
    pub index: u32,
    pub errno: Errno,
}

/// Names the step of a system call that failed.
pub(crate) trait During<T> {
    fn during(self, step: Step) -> Result<T, Failed>;
    fn during_item(self, step: Step, index: usize) -> Result<T, Failed>;
}

impl<T> During<T> for Sys<T> {
    fn during(self, step: Step) -> Result<T, Failed> {
        self.during_item(step, 0)
    }
    fn during_item(self, step: Step, index: usize) -> Result<T, Failed> {
        self.map_err(|errno| Failed {
            step,
            index: index as u32,
            errno,
        })
    }
}

/// Longest beginning of a program's file that a fault carries.
pub(crate) const HEADER: usize = 1024;
const FIXED: usize = 20;

/// What the processes of a sandbox tell the one that started it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The set-up failed.
    Fault(Fault),
    /// The program's process exists; its pidfd came along.
    Born { pidfd: RawFd },
    /// The filter is in place; its listener and the root came along.
    Listening { listener: RawFd, root: RawFd },
    /// The program is about to begin, at this monotonic time.
    Begin { at: u64 },
    /// The program ended.
    End {
        status: i32,
        at: u64,
        /// Kibibytes.
        peak_memory: u64,
    },
    /// The other side is gone.
    Gone,
}

const FAULT: u32 = 1;
const BORN: u32 = 2;
const LISTENING: u32 = 3;
const BEGIN: u32 = 4;
const END: u32 = 5;

pub(crate) fn send_fault(socket: RawFd, failed: Failed, mode: u32, header: &[u8]) {
    let mut bytes = [0u8; FIXED + HEADER];
    let header = &header[..header.len().min(HEADER)];
    let fields = [
        FAULT,
        failed.step as u32,
        failed.index,
        failed.errno.0 as u32,
        mode,
    ];
    put(&mut bytes, &fields);
    bytes[FIXED..FIXED + header.len()].copy_from_slice(header);
    let _ = sys::send(socket, &bytes[..FIXED + header.len()], &[]);
}

pub(crate) fn send_born(socket: RawFd, pidfd: RawFd) -> Sys<()> {
    send(socket, [BORN, 0, 0, 0, 0], &[pidfd])
}

pub(crate) fn send_listening(socket: RawFd, listener: RawFd, root: RawFd) -> Sys<()> {
    send(socket, [LISTENING, 0, 0, 0, 0], &[listener, root])
}

pub(crate) fn send_begin(socket: RawFd, at: u64) -> Sys<()> {
    send(socket, [BEGIN, at as u32, (at >> 32) as u32, 0, 0], &[])
}

pub(crate) fn send_end(socket: RawFd, status: i32, at: u64, peak_memory: u64) -> Sys<()> {
    let peak = u32::try_from(peak_memory).unwrap_or(u32::MAX);
    let fields = [END, at as u32, (at >> 32) as u32, status as u32, peak];
    send(socket, fields, &[])
}

fn send(socket: RawFd, fields: [u32; 5], fds: &[RawFd]) -> Sys<()> {
    let mut bytes = [0u8; FIXED];
    put(&mut bytes, &fields);
    sys::send(socket, &bytes, fds)
}

fn put(bytes: &mut [u8], fields: &[u32; 5]) {
    for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_ne_bytes());
    }
}

/// Receives the next message.
pub(crate) fn receive(socket: RawFd) -> Sys<Message> {
    let mut bytes = [0u8; FIXED + HEADER];
    let (length, fds) = match sys::receive(socket, &mut bytes) {
        Err(Errno(libc::ECONNRESET)) => return Ok(Message::Gone),
        other => other?,
    };
    if length == 0 {
        return Ok(Message::Gone);
    }
    read(&bytes[..length.min(bytes.len())], fds[0], fds[1]).ok_or(Errno(libc::EBADMSG))
}

fn read(bytes: &[u8], first: RawFd, second: RawFd) -> Option<Message> {
    let field = |n: usize| {
        let four = bytes.get(4 * n..4 * n + 4)?;
        Some(u32::from_ne_bytes(four.try_into().ok()?))
    };
    let at = u64::from(field(1)?) | u64::from(field(2)?) << 32;
    Some(match field(0)? {
        FAULT => Message::Fault(Fault {
            step: Step::from_number(field(1)?)?,
            index: field(2)?,
            errno: Errno(field(3)? as i32),
            mode: field(4)?,
            header: bytes.get(FIXED..)?.to_vec(),
        }),
        BORN => Message::Born { pidfd: first },
        LISTENING => Message::Listening {
            listener: first,
            root: second,
        },
        BEGIN => Message::Begin { at },
        END => Message::End {
            status: field(3)? as i32,
            at,
            peak_memory: u64::from(field(4)?),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_have_their_own_numbers() {
        for (number, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, number);
        }
        assert_eq!(Step::from_number(99), None);
    }

    #[test]
    fn messages_survive_the_socket() {
        let mut pair = [0; 2];
        // SAFETY: `pair` has room for the two descriptors.
        let made =
            unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, pair.as_mut_ptr()) };
        assert_eq!(made, 0);
        let failed = Failed {
            step: Step::Exec,
            index: 3,
            errno: Errno(libc::ENOENT),
        };
        send_fault(pair[0], failed, 0o755, b"#!/bin/none\n");
        send_end(pair[0], 256, 0x1_2345_6789, 7).unwrap();
        let fault = Fault {
            step: Step::Exec,
            index: 3,
            errno: Errno(libc::ENOENT),
            mode: 0o755,
            header: b"#!/bin/none\n".to_vec(),
        };
        assert_eq!(receive(pair[1]), Ok(Message::Fault(fault)));
        let end = Message::End {
            status: 256,
            at: 0x1_2345_6789,
            peak_memory: 7,
        };
        assert_eq!(receive(pair[1]), Ok(end));
        sys::close(pair[0]);
        assert_eq!(receive(pair[1]), Ok(Message::Gone));
        sys::close(pair[1]);
    }
}
