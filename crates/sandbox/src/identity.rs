//! Who the sandbox's users are on the host.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

use crate::error::{Error, Result};

/// First host user and group of the range that stands for an image's ids when
/// whit is the host's root. Far above what `/etc/subuid` hands out, so that an
/// id in a sandbox is nobody on the host.
const BASE: u32 = 0x7E57_0000;
/// How many ids the range has: those that images use.
const RANGE: u32 = 65_536;
const NOBODY: u32 = 65_534;

/// How ids inside are mapped to ids outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identity {
    /// whit is the host's root: 0 to 65535 are a range of nobody's ids.
    Range,
    /// 0 is the caller; 1 and above are the caller's subordinate ids, written
    /// by the setuid helpers.
    Subordinate { uids: Sub, gids: Sub },
    /// The one user inside is the caller; there is nobody else.
    Single { uid: u32, gid: u32 },
}

/// A range of subordinate ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sub {
    pub first: u32,
    pub count: u32,
}

/// The host's user and group that a file of the image's `uid` and `gid` must
/// belong to on disk, so that it has the right owner inside a sandbox.
///
/// `None` where whit is not the host's root: files then belong to the invoking
/// user, who is mapped to the image's user or to its root. Ids above 65535 have
/// no place in the range and become 65534 (nobody).
pub fn disk_owner(uid: u32, gid: u32) -> Option<(u32, u32)> {
    let place = |id: u32| BASE + if id < RANGE { id } else { NOBODY };
    owns_range().then(|| (place(uid), place(gid)))
}

/// True if this process may map the range: it is root, and not merely the root
/// of some container whose own ids end below the range.
fn owns_range() -> bool {
    static OWNS: OnceLock<bool> = OnceLock::new();
    *OWNS.get_or_init(|| {
        let whole = |file: &str| fs::read_to_string(file).is_ok_and(|map| covers(&map, BASE));
        effective_ids().0 == 0
            && has_set_ids()
            && whole("/proc/self/uid_map")
            && whole("/proc/self/gid_map")
    })
}

/// True if an id map has a line for every id of the range that begins at
/// `first`.
fn covers(map: &str, first: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(inside)), Some(Ok(_)), Some(Ok(count))) => {
                inside <= u64::from(first) && inside + count >= u64::from(first + RANGE)
            }
            _ => false,
        }
    })
}

/// True if this process holds CAP_SETGID (6), CAP_SETUID (7) and CAP_SYS_ADMIN
/// (21).
fn has_set_ids() -> bool {
    const WANTED: u64 = 1 << 6 | 1 << 7 | 1 << 21;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & WANTED == WANTED)
}

fn effective_ids() -> (u32, u32) {
    (
        nix::unistd::geteuid().as_raw(),
        nix::unistd::getegid().as_raw(),
    )
}

impl Identity {
    /// The best that this process can do for a program that runs as `uid` and
    /// `gid`.
    pub fn choose(uid: u32, gid: u32) -> Identity {
        if owns_range() {
            return Identity::Range;
        }
        if uid == 0
            && let (Some(uids), Some(gids)) = (subordinate("uid"), subordinate("gid"))
            && helper("newuidmap").is_some()
            && helper("newgidmap").is_some()
        {
            return Identity::Subordinate { uids, gids };
        }
        Identity::Single { uid, gid }
    }

    /// The ids with which the sandbox is set up, as seen inside.
    pub fn master(&self) -> (u32, u32) {
        match self {
            Identity::Range | Identity::Subordinate { .. } => (0, 0),
            Identity::Single { uid, gid } => (*uid, *gid),
        }
    }

    /// An id inside that is nearest to the wanted one: ids without a place in
    /// the map become nobody.
    pub fn inside(&self, uid: u32, gid: u32) -> (u32, u32) {
        let nearest = |id: u32, count: u32| {
            if id < count {
                id
            } else {
                (count - 1).min(NOBODY)
            }
        };
        match self {
            Identity::Range => (nearest(uid, RANGE), nearest(gid, RANGE)),
            Identity::Subordinate { uids, gids } => {
                (nearest(uid, uids.count + 1), nearest(gid, gids.count + 1))
            }
            Identity::Single { uid, gid } => (*uid, *gid),
        }
    }

    /// True if there is a root inside, but nobody else whom it could become or
    /// give a file to.
    pub fn is_single_root(&self) -> bool {
        matches!(self, Identity::Single { uid: 0, .. })
    }

    /// True if the user inside may have more groups than its main one.
    pub fn has_groups(&self) -> bool {
        !matches!(self, Identity::Single { .. })
    }

    /// Writes the maps of a process in a new user namespace.
    pub fn write_maps(&self, pid: i32) -> Result<()> {
        match self {
            Identity::Range => {
                let map = format!("0 {BASE} {RANGE}\n");
                write_map(pid, "gid_map", &map)?;
                write_map(pid, "uid_map", &map)
            }
            Identity::Subordinate { uids, gids } => {
                let (uid, gid) = effective_ids();
                run_helper("newgidmap", pid, gid, gids)?;
                run_helper("newuidmap", pid, uid, uids)
            }
            Identity::Single { uid, gid } => {
                let (host_uid, host_gid) = effective_ids();
                write_map(pid, "setgroups", "deny")?;
                write_map(pid, "gid_map", &format!("{gid} {host_gid} 1\n"))?;
                write_map(pid, "uid_map", &format!("{uid} {host_uid} 1\n"))
            }
        }
    }
}

fn write_map(pid: i32, name: &str, text: &str) -> Result<()> {
    let file = format!("/proc/{pid}/{name}");
    fs::write(&file, text).map_err(|source| Error::Refused {
        what: "to map users into a namespace",
        remedy: "run whit outside of a container, or in one that was started with \
                 --privileged"
            .into(),
        source,
    })
}

/// Runs a setuid helper of shadow-utils: 0 becomes the caller, 1 and above the
/// subordinate range.
fn run_helper(name: &'static str, pid: i32, caller: u32, sub: &Sub) -> Result<()> {
    let refused = |source: io::Error| Error::Refused {
        what: "to map subordinate users into a namespace",
        remedy: format!(
            "check that {name} is setuid root and that /etc/subuid and /etc/subgid give you a range"
        ),
        source,
    };
    let program = helper(name).ok_or_else(|| refused(io::ErrorKind::NotFound.into()))?;
    let output = process::Command::new(program)
        .arg(pid.to_string())
        .args(["0", &caller.to_string(), "1"])
        .args(["1", &sub.first.to_string(), &sub.count.to_string()])
        .output()
        .map_err(refused)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(refused(io::Error::other(said)))
}

/// Where a helper lies: they are system programs, so only system folders count.
fn helper(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

/// The caller's first useful range in `/etc/subuid` or `/etc/subgid`.
fn subordinate(kind: &str) -> Option<Sub> {
    let table = fs::read(format!("/etc/sub{kind}")).ok()?;
    let uid = effective_ids().0;
    let names = fs::read("/etc/passwd").unwrap_or_default();
    find_range(&table, &names, uid)
}

/// The widest range in `table` that belongs to `uid`, by number or by one of
/// its names in `passwd`.
fn find_range(table: &[u8], passwd: &[u8], uid: u32) -> Option<Sub> {
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.trim().parse::<u32>().ok();
    let fields = |line: &'_ [u8]| -> Vec<Vec<u8>> {
        line.split(|b| *b == b':').map(<[u8]>::to_vec).collect()
    };
    let names: Vec<Vec<u8>> = passwd
        .split(|b| *b == b'\n')
        .map(fields)
        .filter(|entry| entry.get(2).and_then(|id| number(id)) == Some(uid))
        .map(|mut entry| entry.swap_remove(0))
        .collect();
    table
        .split(|b| *b == b'\n')
        .map(fields)
        .filter_map(|entry| {
            let [owner, first, count] = entry.as_slice() else {
                return None;
            };
            let mine = names.contains(owner) || number(owner) == Some(uid);
            mine.then_some(Sub {
                first: number(first)?,
                count: number(count)?.min(RANGE - 1),
            })
        })
        .filter(|sub| sub.count > 0)
        .max_by_key(|sub| sub.count)
}

/// The name of a file as the user would write it, for messages.
pub(crate) fn shown(text: &OsStr) -> String {
    String::from_utf8_lossy(text.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_found_by_name_and_by_number() {
        let passwd = b"root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
        let sub = |first, count| Some(Sub { first, count });
        let table = b"bob:1:65536\nann:100000:65536\n";
        assert_eq!(find_range(table, passwd, 1000), sub(100_000, 65_535));
        assert_eq!(find_range(b"1000:7:10", passwd, 1000), sub(7, 10));
        assert_eq!(find_range(b"ann:7:10:x\nann:x:1\n", passwd, 1000), None);
        assert_eq!(find_range(table, passwd, 1001), None);
    }

    #[test]
    fn only_a_whole_map_covers_the_range() {
        assert!(covers("         0          0 4294967295\n", BASE));
        assert!(!covers("0 1000 1\n1 100000 65536\n", BASE));
        assert!(!covers("rubbish\n", BASE));
    }
}
