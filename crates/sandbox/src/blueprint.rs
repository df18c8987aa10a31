//! Everything that the processes of a sandbox need to know, laid out before
//! they exist.

use std::ffi::{CStr, OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Component, Path, PathBuf};

use libc::c_char;

use crate::arena::Arena;
use crate::error::{Error, Result, io_error};
use crate::filter::{self, Hearing};
use crate::identity::{Identity, disk_owner};
use crate::room::{MAX_BINDS, MAX_LOWERS, UPPER_FD, WORK_FD};
use crate::sys::{self, Errno};
use crate::{Command, Network, Spec};

/// The plan for the keeper and for the program's process: plain data in an
/// [`Arena`].
pub(crate) struct Blueprint<'a> {
    /// Sockets of the children: towards whit, for requests to connect, and for
    /// reports of the set-up.
    pub control: RawFd,
    pub door: RawFd,
    pub report: RawFd,
    /// What the children need of whit's descriptors, lowest first; their copies
    /// of all others would keep pipes and files of whit open.
    pub kept: &'a [RawFd],
    /// Standard input, output and error; `None` for whit's own.
    pub streams: Option<[RawFd; 3]>,
    /// Memory that the children do without: address and length.
    pub forgotten: &'a [(usize, usize)],

    /// User and group that set the sandbox up.
    pub master: (u32, u32),
    pub has_groups: bool,
    pub uid: u32,
    pub gid: u32,
    pub groups: &'a [u32],
    pub own_network: bool,
    pub hostname: &'a [u8],
    pub max_processes: u64,

    pub lowers: &'a [Source<'a>],
    pub upper: Upper<'a>,
    pub upper_path: &'a CStr,
    pub overlay_options: &'a CStr,
    pub binds: &'a [Bind<'a>],
    pub small_files: &'a [SmallFile<'a>],
    pub cwd: &'a CStr,
    /// A rule for binfmt_misc.
    pub emulator: Option<&'a [u8]>,

    pub filter: &'a [libc::sock_filter],
    /// True if the filter notifies.
    pub listens: bool,
    /// Where the program may lie, in the order of `PATH`.
    pub candidates: &'a [&'a CStr],
    pub argv: &'a [*const c_char],
    pub env: &'a [*const c_char],
}

/// A host folder or file that becomes a mount.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub path: &'a CStr,
    /// Its name on the stage.
    pub name: &'a CStr,
    pub recursive: bool,
    /// The detached mount, where whit had to make it with its own rights.
    pub tree: Option<RawFd>,
}

#[derive(Clone, Copy)]
pub(crate) struct Bind<'a> {
    pub source: Source<'a>,
    pub inside: &'a CStr,
    pub read_only: bool,
}

/// A file that engines write for every container.
#[derive(Clone, Copy)]
pub(crate) struct SmallFile<'a> {
    pub name: &'a CStr,
    pub inside: &'a CStr,
    pub content: &'a [u8],
}

/// Where writes go.
pub(crate) enum Upper<'a> {
    Memory {
        /// Options of the tmpfs.
        options: &'a CStr,
    },
    Folder {
        upper: &'a CStr,
        work: &'a CStr,
        ready: Option<ReadyUpper>,
    },
}

/// An upper folder that whit opened with its own rights: the detached mount of
/// a folder that holds both, and both of them, open in that mount.
#[derive(Clone, Copy)]
pub(crate) struct ReadyUpper {
    pub tree: RawFd,
    pub upper: RawFd,
    pub work: RawFd,
}

/// The children's ends of what connects them to whit.
pub(crate) struct Ends {
    pub control: RawFd,
    pub door: RawFd,
    pub report: RawFd,
    pub streams: Option<[RawFd; 3]>,
}

/// Lays the plan out. The descriptors that it names, other than `ends`, are in
/// the second value and must live until the keeper exists.
pub(crate) fn draw<'a>(
    arena: &'a Arena,
    spec: &Spec,
    command: &Command,
    identity: &Identity,
    ends: &Ends,
    hearing: Hearing,
) -> Result<(Blueprint<'a>, Vec<OwnedFd>)> {
    let mut draft = Draft {
        arena,
        own_trees: *identity == Identity::Range,
        held: Vec::new(),
    };
    let lowers = draft.lowers(spec)?;
    let (upper, upper_path, upper_options) = draft.upper(spec)?;
    let order: Vec<String> = (0..lowers.len()).rev().map(|n| n.to_string()).collect();
    let options = format!("lowerdir={},{upper_options},userxattr", order.join(":"));
    let binds = draft.binds(spec)?;
    let paths = candidates(command)?;
    let mut candidates = Vec::new();
    for path in &paths {
        candidates.push(draft.text(path)?);
    }
    let env = command.env.iter().map(|(name, value)| {
        let mut pair = name.clone();
        pair.push("=");
        pair.push(value);
        pair
    });
    let (argv, env) = (arena.strings(command.argv.iter()), arena.strings(env));
    let (uid, gid) = identity.inside(command.uid, command.gid);
    let groups: Vec<u32> = command
        .groups
        .iter()
        .map(|group| identity.inside(0, *group).1)
        .collect();
    let plan = Blueprint {
        control: ends.control,
        door: ends.door,
        report: ends.report,
        kept: draft.kept(ends)?,
        streams: ends.streams,
        forgotten: draft.list(&forgettable(arena))?,
        master: identity.master(),
        has_groups: identity.has_groups(),
        uid,
        gid,
        groups: draft.list(&groups)?,
        own_network: spec.network == Network::Private,
        hostname: draft.list(host_name(&spec.hostname))?,
        max_processes: spec.max_processes,
        lowers,
        upper,
        upper_path,
        overlay_options: draft.text(OsStr::new(&options))?,
        binds,
        small_files: draft.small_files(spec)?,
        cwd: draft.inside(&command.cwd)?,
        emulator: match &spec.emulator {
            Some(emulator) => Some(draft.list(&emulator.rule())?),
            None => None,
        },
        filter: draft.list(&filter::build(hearing))?,
        listens: hearing.anything(),
        candidates: draft.list(&candidates)?,
        argv: argv.map_err(too_much)?,
        env: env.map_err(too_much)?,
    };
    Ok((plan, draft.held))
}

/// An error of laying out: full, or a NUL byte in a string.
fn too_much(errno: Errno) -> Error {
    io_error("laying out the command and its environment", errno)
}

struct Draft<'a> {
    arena: &'a Arena,
    /// True where whit must make the mounts itself: the sandbox's master is
    /// nobody on the host and may not search whit's folders.
    own_trees: bool,
    held: Vec<OwnedFd>,
}

impl<'a> Draft<'a> {
    fn text(&self, text: impl AsRef<OsStr>) -> Result<&'a CStr> {
        self.arena.string(text).map_err(too_much)
    }

    fn list<T: Copy>(&self, items: &[T]) -> Result<&'a [T]> {
        self.arena.slice(items).map_err(too_much)
    }

    /// A path inside: absolute, without `.` and `..`.
    fn inside(&self, path: &Path) -> Result<&'a CStr> {
        self.text(absolute_inside(path))
    }

    fn hold(&mut self, fd: RawFd) -> RawFd {
        // SAFETY: the descriptor was just made and belongs to nobody else.
        self.held.push(unsafe { OwnedFd::from_raw_fd(fd) });
        fd
    }

    fn source(&mut self, path: &Path, name: String, recursive: bool) -> Result<Source<'a>> {
        let path = std::path::absolute(path)
            .map_err(|source| io_error(format!("finding {}", path.display()), source))?;
        let missing =
            |errno| io_error(format!("opening {} for the sandbox", path.display()), errno);
        let text = self.text(&path)?;
        let tree = if self.own_trees {
            let made = sys::clone_tree(libc::AT_FDCWD, text, recursive).map_err(missing)?;
            Some(self.hold(made))
        } else {
            None
        };
        Ok(Source {
            path: text,
            name: self.text(name)?,
            recursive,
            tree,
        })
    }

    fn lowers(&mut self, spec: &Spec) -> Result<&'a [Source<'a>]> {
        if spec.lowers.is_empty() || spec.lowers.len() > MAX_LOWERS {
            let what = format!("a root of {} layers (1 to {MAX_LOWERS})", spec.lowers.len());
            return Err(io_error(what, io::ErrorKind::InvalidInput));
        }
        let mut lowers = Vec::new();
        for (index, folder) in spec.lowers.iter().enumerate() {
            lowers.push(self.source(folder, index.to_string(), false)?);
        }
        self.list(&lowers)
    }

    fn binds(&mut self, spec: &Spec) -> Result<&'a [Bind<'a>]> {
        if spec.mounts.len() > MAX_BINDS {
            let what = format!("{} bind mounts (at most {MAX_BINDS})", spec.mounts.len());
            return Err(io_error(what, io::ErrorKind::InvalidInput));
        }
        let mut binds = Vec::new();
        for mount in &spec.mounts {
            binds.push(Bind {
                source: self.source(&mount.host, String::new(), true)?,
                inside: self.inside(&mount.inside)?,
                read_only: mount.read_only,
            });
        }
        self.list(&binds)
    }

    /// The place for writes, its path for the set-up, and overlayfs's options
    /// for it.
    fn upper(&mut self, spec: &Spec) -> Result<(Upper<'a>, &'a CStr, String)> {
        match &spec.upper {
            crate::Upper::Memory { max_bytes } => {
                let options = self.text(format!("mode=0755,size={max_bytes}"))?;
                let upper = Upper::Memory { options };
                let text = "upperdir=up/upper,workdir=up/work".to_owned();
                Ok((upper, c"up/upper", text))
            }
            crate::Upper::Folder { upper, work } => {
                let ready = if self.own_trees {
                    Some(self.ready_upper(upper, work)?)
                } else {
                    None
                };
                let upper = Upper::Folder {
                    upper: self.text(upper)?,
                    work: self.text(work)?,
                    ready,
                };
                let fd = |fd: RawFd| format!("/proc/self/fd/{fd}");
                let path = self.text(fd(UPPER_FD))?;
                let text = format!("upperdir={},workdir={}", fd(UPPER_FD), fd(WORK_FD));
                Ok((upper, path, text))
            }
        }
    }

    /// Opens the upper folder and its companion in a mount of their own, and
    /// hands them to the sandbox's root.
    fn ready_upper(&mut self, upper: &Path, work: &Path) -> Result<ReadyUpper> {
        let failed = |path: &Path| {
            let context = format!("opening {} for the sandbox's writes", path.display());
            move |source: io::Error| io_error(context, source)
        };
        for folder in [upper, work] {
            let owner = fs::metadata(folder).map_err(failed(folder))?.uid();
            if let (0, Some((uid, gid))) = (owner, disk_owner(0, 0)) {
                chown(folder, Some(uid), Some(gid)).map_err(failed(folder))?;
            }
        }
        let real_upper = fs::canonicalize(upper).map_err(failed(upper))?;
        let real_work = fs::canonicalize(work).map_err(failed(work))?;
        let common: PathBuf = real_upper
            .components()
            .zip(real_work.components())
            .take_while(|(a, b)| a == b)
            .map(|(a, _)| a)
            .collect();
        let text = self.text(&common)?;
        let tree = sys::clone_tree(libc::AT_FDCWD, text, false)
            .map_err(|errno| failed(&common)(errno.into()))?;
        let tree = self.hold(tree);
        let mut below = |path: &Path| -> Result<RawFd> {
            let relative = path.strip_prefix(&common).unwrap_or(path);
            let flags = libc::O_PATH | libc::O_DIRECTORY;
            let fd = sys::openat(tree, self.text(relative)?, flags, 0)
                .map_err(|errno| failed(path)(errno.into()))?;
            Ok(self.hold(fd))
        };
        Ok(ReadyUpper {
            tree,
            upper: below(&real_upper)?,
            work: below(&real_work)?,
        })
    }

    fn kept(&self, ends: &Ends) -> Result<&'a [RawFd]> {
        let mut kept: Vec<RawFd> = self.held.iter().map(raw).collect();
        kept.extend([ends.control, ends.door, ends.report]);
        kept.extend(ends.streams.unwrap_or_default());
        // Else what the children open would get these numbers, and be lost when
        // the streams are put there.
        kept.extend([0, 1, 2]);
        kept.sort_unstable();
        kept.dedup();
        self.list(&kept)
    }

    fn small_files(&self, spec: &Spec) -> Result<&'a [SmallFile<'a>]> {
        let name = String::from_utf8_lossy(host_name(&spec.hostname)).into_owned();
        let mut hosts =
            b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_vec();
        let mut resolver = b"# this sandbox has no network\n".to_vec();
        if spec.network == Network::Host {
            hosts = host_file("/etc/hosts").unwrap_or(hosts);
            resolver = host_file("/etc/resolv.conf").unwrap_or_default();
        }
        hosts.extend_from_slice(format!("127.0.0.1\t{name}\n").as_bytes());
        let files = [
            (c"hosts", c"/etc/hosts", hosts),
            (
                c"hostname",
                c"/etc/hostname",
                format!("{name}\n").into_bytes(),
            ),
            (c"resolv.conf", c"/etc/resolv.conf", resolver),
        ];
        let mut list = Vec::new();
        for (name, inside, content) in &files {
            list.push(SmallFile {
                name,
                inside,
                content: self.list(content)?,
            });
        }
        self.list(&list)
    }
}

/// A small configuration file of the host.
fn host_file(path: &str) -> Option<Vec<u8>> {
    const MOST: u64 = 64 * 1024;
    let mut content = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(MOST).read_to_end(&mut content).ok()?;
    Some(content)
}

/// The part of a name that the kernel takes as a host name.
fn host_name(name: &str) -> &[u8] {
    &name.as_bytes()[..name.len().min(64)]
}

/// An absolute path without `.` and `..`, which cannot leave the root.
fn absolute_inside(path: &Path) -> PathBuf {
    let mut whole = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => whole.push(name),
            Component::ParentDir => {
                whole.pop();
            }
            _ => {}
        }
    }
    whole
}

/// Where the program may lie: itself if it has a slash, else in each folder of
/// the environment's `PATH`.
pub(crate) fn candidates(command: &Command) -> Result<Vec<OsString>> {
    let Some(program) = command.argv.first().filter(|word| !word.is_empty()) else {
        return Err(Error::Start {
            program: "(nothing)".into(),
            source: io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"),
        });
    };
    if program.as_bytes().contains(&b'/') {
        return Ok(vec![program.clone()]);
    }
    let usual = OsStr::new("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    let path = command
        .env
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map_or(usual, |(_, value)| value.as_os_str());
    let folders = path.as_bytes().split(|b| *b == b':');
    let place = |folder: &[u8]| {
        // An empty entry means the working folder.
        let mut whole = if folder.is_empty() { b"." } else { folder }.to_vec();
        whole.push(b'/');
        whole.extend_from_slice(program.as_bytes());
        OsString::from_vec(whole)
    };
    Ok(folders.map(place).collect())
}

/// Large private mappings of this process that its children need not keep:
/// everything but the arena, this thread's stack and its local storage.
fn forgettable(arena: &Arena) -> Vec<(usize, usize)> {
    const LARGE: usize = 1 << 20;
    let here = 0u8;
    let stack = &raw const here as usize;
    // SAFETY: only the address is taken.
    let local = unsafe { libc::__errno_location() } as usize;
    let (arena_start, arena_size) = arena.span();
    let arena = arena_start..arena_start + arena_size;
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let mut found = Vec::new();
    for (start, end) in maps.lines().filter_map(anonymous) {
        if end - start < LARGE
            || (start..end).contains(&stack)
            || (start < arena.end && arena.start < end)
        {
            continue;
        }
        if (start..end).contains(&local) {
            // In a static program the main thread's storage is in the heap.
            let page = local & !0xFFFF;
            found.push((start, page.saturating_sub(0x1_0000).saturating_sub(start)));
            let after = (page + 0x2_0000).min(end);
            found.push((after, end - after));
        } else {
            found.push((start, end - start));
        }
    }
    found.retain(|(_, length)| *length > 0);
    found
}

/// The bounds of a private, writable mapping of no file.
fn anonymous(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    if words.next()? != "rw-p" || words.nth(2)? != "0" {
        return None;
    }
    if words.next().is_some_and(|name| name != "[heap]") {
        return None;
    }
    let number = |text| usize::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?))
}

/// The plain descriptor of something that is open.
pub(crate) fn raw(fd: &impl AsRawFd) -> RawFd {
    fd.as_raw_fd()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_cannot_leave() {
        for (raw, clean) in [("a/../../b", "/b"), ("", "/"), ("/x/./y/", "/x/y")] {
            assert_eq!(absolute_inside(Path::new(raw)), Path::new(clean));
        }
    }

    #[test]
    fn maps_lines() {
        let line = "7f00-7fff rw-p 00000000 00:00 0 ";
        assert_eq!(anonymous(line), Some((0x7f00, 0x7fff)));
        assert_eq!(
            anonymous("10-20 rw-p 00000000 00:00 0   [heap]"),
            Some((16, 32))
        );
        assert_eq!(anonymous("10-20 rw-p 00000000 00:00 0   [stack]"), None);
        assert_eq!(anonymous("10-20 r--p 00000000 00:00 0 "), None);
        assert_eq!(anonymous("10-20 rw-p 00000000 08:01 77 /lib/x"), None);
    }
}
