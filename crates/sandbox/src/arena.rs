//! Memory for what a child needs between `clone` and `exec`.
//!
//! The child is a copy of a process with threads: another thread may have held
//! the allocator's lock at that moment, so everything is laid out before. It is
//! laid out in one mapping of its own so that the child can give back the rest
//! of the parent's memory at once (see `keeper`).

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;

use libc::c_char;

use crate::sys::{self, Sys};

/// One anonymous mapping, filled from the front.
pub(crate) struct Arena {
    base: *mut u8,
    size: usize,
    used: Cell<usize>,
}

impl Arena {
    /// Room for `size` bytes; pages that are never filled cost nothing.
    pub fn new(size: usize) -> Sys<Arena> {
        // SAFETY: a new private mapping; nothing else is changed.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(sys::errno());
        }
        Ok(Arena {
            base: base.cast(),
            size,
            used: Cell::new(0),
        })
    }

    /// Copies a slice in. ENOMEM when the arena is full.
    pub fn slice<T: Copy>(&self, items: &[T]) -> Sys<&[T]> {
        let full = sys::Errno(libc::ENOMEM);
        let start = self.used.get().next_multiple_of(align_of::<T>());
        let end = start.checked_add(size_of_val(items)).ok_or(full)?;
        if end > self.size {
            return Err(full);
        }
        self.used.set(end);
        // SAFETY: `start..end` lies in the mapping, is aligned for `T` and was
        // given to nobody else; `T: Copy` needs no drop.
        unsafe {
            let at = self.base.add(start).cast::<T>();
            std::ptr::copy_nonoverlapping(items.as_ptr(), at, items.len());
            Ok(std::slice::from_raw_parts(at, items.len()))
        }
    }

    /// Copies a string in, with a NUL at its end. EINVAL when it holds one.
    pub fn string(&self, text: impl AsRef<OsStr>) -> Sys<&CStr> {
        let text = text.as_ref().as_bytes();
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text);
        bytes.push(0);
        CStr::from_bytes_with_nul(self.slice(&bytes)?).map_err(|_| sys::Errno(libc::EINVAL))
    }

    /// Copies strings in and gives the null-terminated array that `execve`
    /// wants.
    pub fn strings<S: AsRef<OsStr>>(&self, all: impl Iterator<Item = S>) -> Sys<&[*const c_char]> {
        let mut pointers = Vec::new();
        for text in all {
            pointers.push(self.string(text)?.as_ptr());
        }
        pointers.push(std::ptr::null());
        self.slice(&pointers)
    }

    /// First address and length of the mapping.
    pub fn span(&self) -> (usize, usize) {
        (self.base as usize, self.size)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and no borrow of it outlives the arena.
        unsafe { libc::munmap(self.base.cast(), self.size) };
    }
}
