//! One entry of a layer.

use std::collections::BTreeMap;

use crate::ImagePath;

/// What the file system remembers of an entry besides its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta {
    /// Permission bits with set-uid, set-gid and sticky: `0o7777` at most.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since the epoch.
    pub mtime: i64,
    /// Extended attributes by full name (`security.capability`, `user.x`).
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of `size` bytes.
    File {
        size: u64,
    },
    Dir,
    /// A symbolic link; the target is kept as written, bytes and all.
    Symlink {
        target: Vec<u8>,
    },
    /// Another name of a file of the same layer or of one below.
    Hardlink {
        target: ImagePath,
    },
    CharDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    Fifo,
    /// `.wh.NAME`: the entry's path is the one that a lower layer had and this
    /// one removes (OCI image spec, layer.md, "Whiteouts").
    Whiteout,
    /// `.wh..wh..opq`: everything that lower layers have in the folder at the
    /// entry's path is hidden.
    Opaque,
}

/// One entry of a layer: where, what, and with which attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: ImagePath,
    pub kind: Kind,
    pub meta: Meta,
}
