//! A watched thread: its memory, and the folders that it stands in.

use std::ffi::CString;
use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::sys::{self, Errno};

/// Longest path that the kernel takes, with its NUL.
const PATH: usize = libc::PATH_MAX as usize;
/// Memory is read up to the end of a page: the next one may not be there.
const PAGE: u64 = 4096;

/// A thread that waits in a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracee {
    pub tid: i32,
}

impl Tracee {
    /// The C string at an address.
    pub fn string(self, address: u64) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut buffer = [0u8; PAGE as usize];
        let mut at = address;
        while address != 0 && text.len() < PATH {
            let left = (PAGE - at % PAGE) as usize;
            let read = self.memory(at, &mut buffer[..left]).ok()?;
            let part = &buffer[..read];
            if let Some(end) = part.iter().position(|b| *b == 0) {
                text.extend_from_slice(&part[..end]);
                return Some(text);
            }
            if read < left {
                return None;
            }
            text.extend_from_slice(part);
            at = at.checked_add(read as u64)?;
        }
        None
    }

    /// Fills a small buffer from an address.
    pub fn bytes(self, address: u64, into: &mut [u8]) -> Option<()> {
        let left = ((PAGE - address % PAGE) as usize).min(into.len());
        let (first, second) = into.split_at_mut(left);
        let whole = |at, part: &mut [u8]| {
            let read = if part.is_empty() {
                0
            } else {
                self.memory(at, part).ok()?
            };
            (read == part.len()).then_some(())
        };
        whole(address, first)?;
        whole(address.checked_add(left as u64)?, second)
    }

    /// The list of groups that `setgroups` is given.
    pub fn groups(self, count: u32, address: u64) -> Result<Vec<u32>, i32> {
        /// `NGROUPS_MAX`.
        const MOST: u32 = 65_536;
        if count > MOST {
            return Err(libc::EINVAL);
        }
        let mut groups = Vec::new();
        for n in 0..u64::from(count) {
            let mut group = [0; 4];
            let read = address
                .checked_add(4 * n)
                .and_then(|at| self.bytes(at, &mut group));
            read.ok_or(libc::EFAULT)?;
            groups.push(u32::from_ne_bytes(group));
        }
        Ok(groups)
    }

    /// Writes numbers to an address.
    pub fn put(self, address: u64, numbers: &[u32]) -> Option<()> {
        let mut at = address;
        for number in numbers {
            sys::write_memory(self.tid, at, &number.to_ne_bytes()).ok()?;
            at = at.checked_add(4)?;
        }
        Some(())
    }

    fn memory(self, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
        match sys::read_memory(self.tid, address, into) {
            // Refused by some filter of the surroundings, or not built in.
            Err(Errno(libc::EPERM | libc::ENOSYS)) => {
                let file = File::open(format!("/proc/{}/mem", self.tid));
                let read = file.and_then(|file| file.read_at(into, address));
                read.map_err(|error| Errno(error.raw_os_error().unwrap_or(libc::EIO)))
            }
            other => other,
        }
    }

    /// Where a link of its `/proc` folder (`cwd`, `root`, `exe`, `fd/3`) leads:
    /// a path from the root of its mounts, or `None` if it leads to no file
    /// that has one.
    pub fn link(self, name: &[u8]) -> Option<Vec<u8>> {
        let mut path = format!("/proc/{}/", self.tid).into_bytes();
        path.extend_from_slice(name);
        let path = CString::new(path).ok()?;
        let mut target = vec![0; PATH];
        let length = sys::readlinkat(libc::AT_FDCWD, &path, &mut target).ok()?;
        target.truncate(length);
        let lost = !target.starts_with(b"/") || target.ends_with(b" (deleted)");
        (!lost).then_some(target)
    }
}
