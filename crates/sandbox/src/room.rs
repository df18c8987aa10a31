//! The mounts of a sandbox: its root, and what stands in it.
//!
//! New file systems and bind mounts are made as detached trees and attached to
//! places that were opened inside the new root as if it were `/`; so no link in
//! an untrusted root can send a mount elsewhere, and no path has to be spelled
//! for the kernel (layers may lie below folders with `:` or `,` in their names).
//!
//! All of this runs between `clone` and `exec` of a copy of whit: only system
//! calls, no allocation.

use std::ffi::CStr;
use std::os::fd::RawFd;

use crate::blueprint::{Blueprint, Source, Upper};
use crate::step::{During, Failed, Step};
use crate::sys::{self, Errno, Sys};

const NOSUID: u64 = libc::MOUNT_ATTR_NOSUID;
const NODEV: u64 = libc::MOUNT_ATTR_NODEV;
const NOEXEC: u64 = libc::MOUNT_ATTR_NOEXEC;
const RDONLY: u64 = libc::MOUNT_ATTR_RDONLY;

/// Builds the root, makes it this process's and leaves its working folder
/// there. Gives the root, open as a path.
pub(crate) fn furnish(plan: &Blueprint) -> Result<RawFd, Failed> {
    let (none, private) = (c"", libc::MS_REC | libc::MS_PRIVATE);
    sys::mount(none, c"/", none, private, none).during(Step::Isolate)?;
    // Clones come first: the stage may cover a folder that holds a layer.
    let mut lowers = [-1; MAX_LOWERS];
    for (index, lower) in plan.lowers.iter().enumerate() {
        lowers[index] = tree(lower).during_item(Step::Lower, index)?;
    }
    let mut binds = [-1; MAX_BINDS];
    for (index, bind) in plan.binds.iter().enumerate() {
        binds[index] = tree(&bind.source).during_item(Step::Mounted, index)?;
    }
    let upper = open_upper(plan).during(Step::UpperFolder)?;
    stage().during(Step::Stage)?;
    for (index, lower) in plan.lowers.iter().enumerate() {
        place(lowers[index], lower.name).during_item(Step::Lower, index)?;
    }
    let root = overlay(plan, upper)?;
    proc(plan, root).during(Step::Proc)?;
    dev(plan, root).during(Step::Dev)?;
    sys_folder(root).during(Step::Sys)?;
    if let Some(rule) = plan.emulator {
        emulator(root, rule).during(Step::Emulator)?;
    }
    mask(root).during(Step::Mask)?;
    small_files(plan, root);
    for (index, bind) in plan.binds.iter().enumerate() {
        let placed = attach_bind(root, binds[index], bind.inside, bind.read_only);
        placed.during_item(Step::Mounted, index)?;
    }
    sys::close(folder(root, plan.cwd).during(Step::WorkingFolder)?);
    pivot(root).during(Step::Pivot)?;
    sys::chdir(plan.cwd).during(Step::WorkingFolder)?;
    Ok(root)
}

/// Most layers that overlayfs takes.
pub(crate) const MAX_LOWERS: usize = 500;
/// Most bind mounts that a sandbox takes.
pub(crate) const MAX_BINDS: usize = 256;

/// The mount tree of a host folder: one that whit made beforehand, or one that
/// is made now, with the rights that the sandbox's master has on the host.
fn tree(source: &Source) -> Sys<RawFd> {
    match source.tree {
        Some(tree) => Ok(tree),
        None => sys::clone_tree(libc::AT_FDCWD, source.path, source.recursive),
    }
}

/// A scratch folder in memory, made the working folder: layers are mounted
/// here under short names.
fn stage() -> Sys<()> {
    let mut last = Errno(libc::ENOENT);
    for place in [c"/tmp", c"/mnt", c"/var/tmp", c"/run", c"/var"] {
        match sys::mount(c"whit", place, c"tmpfs", libc::MS_NODEV, c"mode=0755") {
            Ok(()) => return sys::chdir(place),
            Err(errno) => last = errno,
        }
    }
    Err(last)
}

/// Attaches a tree below the stage under a name of its own.
fn place(tree: RawFd, name: &CStr) -> Sys<()> {
    sys::mkdirat(libc::AT_FDCWD, name, 0o755)?;
    let target = sys::openat(libc::AT_FDCWD, name, libc::O_PATH, 0)?;
    let attached = sys::attach(tree, target);
    sys::close(target);
    attached
}

/// Where the blueprint's overlay options say that the upper folder and its
/// companion are open.
pub(crate) const UPPER_FD: RawFd = 900;
pub(crate) const WORK_FD: RawFd = 901;

/// Opens the folders for writes, where they are folders of the host.
fn open_upper(plan: &Blueprint) -> Sys<Option<RawFd>> {
    let Upper::Folder { upper, work, ready } = &plan.upper else {
        return Ok(None);
    };
    let path = libc::O_PATH | libc::O_DIRECTORY;
    let (tree, upper, work) = match ready {
        Some(ready) => (Some(ready.tree), ready.upper, ready.work),
        None => (
            None,
            sys::openat(libc::AT_FDCWD, upper, path, 0)?,
            sys::openat(libc::AT_FDCWD, work, path, 0)?,
        ),
    };
    sys::install_fd(upper, UPPER_FD)?;
    sys::install_fd(work, WORK_FD)?;
    Ok(tree)
}

/// Mounts the layers and the place for writes on one another.
fn overlay(plan: &Blueprint, upper_tree: Option<RawFd>) -> Result<RawFd, Failed> {
    let here = libc::AT_FDCWD;
    match plan.upper {
        Upper::Memory { options } => {
            sys::mkdirat(here, c"up", 0o755).during(Step::UpperMemory)?;
            sys::mount(c"whit", c"up", c"tmpfs", libc::MS_NODEV, options)
                .during(Step::UpperMemory)?;
            sys::mkdirat(here, c"up/upper", 0o755).during(Step::UpperMemory)?;
            sys::mkdirat(here, c"up/work", 0o755).during(Step::UpperMemory)?;
        }
        Upper::Folder { .. } => {
            if let Some(tree) = upper_tree {
                place(tree, c"up").during(Step::UpperFolder)?;
            }
        }
    }
    // The root folder's mode is that of the upper one: make it the image's.
    let top = plan.lowers.last().map_or(c"", |lower| lower.name);
    let mode = sys::stat(here, top).during(Step::Overlay)?.st_mode & 0o7777;
    sys::fchmodat(here, plan.upper_path, mode).during(Step::UpperFolder)?;
    sys::mkdirat(here, c"root", 0o755).during(Step::Overlay)?;
    sys::mount(c"overlay", c"root", c"overlay", 0, plan.overlay_options).during(Step::Overlay)?;
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    sys::openat(here, c"root", flags, 0).during(Step::Overlay)
}

/// Mounts a new file system at a folder inside.
fn mount_new(
    root: RawFd,
    at: &CStr,
    kind: &CStr,
    options: &[(&CStr, &CStr)],
    attributes: u64,
) -> Sys<()> {
    let tree = sys::new_mount(kind, options, attributes)?;
    let target = folder(root, at)?;
    let attached = sys::attach(tree, target);
    sys::close(target);
    sys::close(tree);
    attached
}

fn proc(plan: &Blueprint, root: RawFd) -> Sys<()> {
    mount_new(root, c"/proc", c"proc", &[], NOSUID | NODEV | NOEXEC)?;
    if plan.own_network {
        // As engines do; refused where ids have no place in the map.
        let set = |path: &CStr, value: &[u8]| {
            if let Ok(file) = sys::open_in_root(root, path, libc::O_WRONLY, 0) {
                let _ = sys::write(file, value);
                sys::close(file);
            }
        };
        set(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0");
        set(c"/proc/sys/net/ipv4/ping_group_range", b"0 2147483647");
    }
    Ok(())
}

/// A `/dev` with what a container engine puts there.
fn dev(plan: &Blueprint, root: RawFd) -> Sys<()> {
    let small = (c"size", c"65536k");
    let tmpfs = [(c"mode", c"0755"), small];
    mount_new(root, c"/dev", c"tmpfs", &tmpfs, NOSUID)?;
    let devices = [
        (c"/dev/null", c"dev/null"),
        (c"/dev/zero", c"dev/zero"),
        (c"/dev/full", c"dev/full"),
        (c"/dev/random", c"dev/random"),
        (c"/dev/urandom", c"dev/urandom"),
        (c"/dev/tty", c"dev/tty"),
    ];
    for (host, inside) in devices {
        let tree = match sys::clone_tree(libc::AT_FDCWD, host, false) {
            Ok(tree) => tree,
            // Not every host has every one of them.
            Err(Errno(libc::ENOENT)) => continue,
            Err(errno) => return Err(errno),
        };
        attach_bind(root, tree, inside, false)?;
    }
    let links = [
        (c"/proc/self/fd", c"dev/fd"),
        (c"/proc/self/fd/0", c"dev/stdin"),
        (c"/proc/self/fd/1", c"dev/stdout"),
        (c"/proc/self/fd/2", c"dev/stderr"),
        (c"pts/ptmx", c"dev/ptmx"),
    ];
    for (target, link) in links {
        sys::symlinkat(target, root, link)?;
    }
    let open = [(c"ptmxmode", c"0666"), (c"mode", c"0620")];
    let with_group = [open[0], open[1], (c"gid", c"5")];
    let pts: &[_] = if plan.has_groups { &with_group } else { &open };
    mount_new(root, c"/dev/pts", c"devpts", pts, NOSUID | NOEXEC)?;
    let shared = [(c"mode", c"1777"), small];
    mount_new(
        root,
        c"/dev/shm",
        c"tmpfs",
        &shared,
        NOSUID | NODEV | NOEXEC,
    )?;
    // A kernel may be built without message queues.
    let _ = mount_new(
        root,
        c"/dev/mqueue",
        c"mqueue",
        &[],
        NOSUID | NODEV | NOEXEC,
    );
    Ok(())
}

/// A read-only `/sys`. It belongs to the network namespace: with the host's
/// network a new one is refused, and the host's is shown instead.
fn sys_folder(root: RawFd) -> Sys<()> {
    let flags = NOSUID | NODEV | NOEXEC | RDONLY;
    match mount_new(root, c"/sys", c"sysfs", &[], flags) {
        Ok(()) => {
            let _ = mount_new(root, c"/sys/fs/cgroup", c"cgroup2", &[], flags);
            Ok(())
        }
        Err(_) => {
            let tree = sys::clone_tree(libc::AT_FDCWD, c"/sys", true)?;
            attach_bind(root, tree, c"sys", true)
        }
    }
}

/// Tells the kernel what runs programs of another processor in this user
/// namespace. The rule lives as long as the mount.
fn emulator(root: RawFd, rule: &[u8]) -> Sys<()> {
    let tree = sys::new_mount(c"binfmt_misc", &[], NOSUID | NODEV | NOEXEC)?;
    let register = sys::openat(tree, c"register", libc::O_WRONLY, 0)?;
    let written = sys::write(register, rule);
    sys::close(register);
    written?;
    let target = folder(root, c"/proc/sys/fs/binfmt_misc")?;
    let attached = sys::attach(tree, target);
    sys::close(target);
    sys::close(tree);
    attached
}

/// Hides and locks what engines hide and lock of the kernel's folders.
fn mask(root: RawFd) -> Sys<()> {
    let locked = [
        c"proc/bus",
        c"proc/fs",
        c"proc/irq",
        c"proc/sys",
        c"proc/sysrq-trigger",
    ];
    for path in locked {
        if let Ok(tree) = clone_in_root(root, path) {
            attach_bind(root, tree, path, true)?;
        }
    }
    let hidden = [
        c"proc/acpi",
        c"proc/asound",
        c"proc/interrupts",
        c"proc/kcore",
        c"proc/keys",
        c"proc/latency_stats",
        c"proc/sched_debug",
        c"proc/scsi",
        c"proc/timer_list",
        c"proc/timer_stats",
        c"sys/devices/virtual/powercap",
        c"sys/firmware",
    ];
    for path in hidden {
        let Ok(target) = sys::open_in_root(root, path, libc::O_PATH, 0) else {
            continue;
        };
        let is_folder = sys::stat(target, c"").is_ok_and(|stat| is_dir(&stat));
        let cover = if is_folder {
            let empty = [(c"size", c"0"), (c"mode", c"0555")];
            sys::new_mount(c"tmpfs", &empty, RDONLY | NOSUID | NODEV | NOEXEC)?
        } else {
            clone_in_root(root, c"dev/null")?
        };
        sys::attach(cover, target)?;
        sys::close(cover);
        sys::close(target);
    }
    Ok(())
}

fn clone_in_root(root: RawFd, path: &CStr) -> Sys<RawFd> {
    let fd = sys::open_in_root(root, path, libc::O_PATH, 0)?;
    let tree = sys::clone_tree(fd, c"", true);
    sys::close(fd);
    tree
}

/// Puts `/etc/hosts` and its like in place, as far as the root allows.
fn small_files(plan: &Blueprint, root: RawFd) {
    for file in plan.small_files {
        let _ = small_file(root, file.name, file.inside, file.content);
    }
}

/// Writes a file on the stage and binds it inside.
fn small_file(root: RawFd, name: &CStr, inside: &CStr, content: &[u8]) -> Sys<()> {
    let flags = libc::O_CREAT | libc::O_WRONLY;
    let fd = sys::openat(libc::AT_FDCWD, name, flags, 0o644)?;
    let written = sys::write(fd, content);
    sys::close(fd);
    written?;
    let tree = sys::clone_tree(libc::AT_FDCWD, name, false)?;
    attach_bind(root, tree, inside, false)
}

/// Attaches a tree at a path inside, which is made if it is not there.
fn attach_bind(root: RawFd, tree: RawFd, inside: &CStr, read_only: bool) -> Sys<()> {
    if read_only {
        sys::make_read_only(tree)?;
    }
    let target = if is_dir(&sys::stat(tree, c"")?) {
        folder(root, inside)?
    } else {
        file(root, inside)?
    };
    let attached = sys::attach(tree, target);
    sys::close(target);
    sys::close(tree);
    attached
}

fn is_dir(stat: &libc::stat) -> bool {
    stat.st_mode & libc::S_IFMT == libc::S_IFDIR
}

/// Room for a path with its NUL.
const PATH: usize = libc::PATH_MAX as usize;

/// Copies a piece of a path, with a NUL at its end.
fn piece<'a>(buffer: &'a mut [u8; PATH], bytes: &[u8]) -> Sys<&'a CStr> {
    let long = Errno(libc::ENAMETOOLONG);
    let room = buffer.get_mut(..=bytes.len()).ok_or(long)?;
    room[..bytes.len()].copy_from_slice(bytes);
    room[bytes.len()] = 0;
    CStr::from_bytes_with_nul(room).map_err(|_| Errno(libc::EINVAL))
}

/// Opens a folder inside the root; it and those above are made where missing.
fn folder(root: RawFd, path: &CStr) -> Sys<RawFd> {
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    match sys::open_in_root(root, path, flags, 0) {
        Err(Errno(libc::ENOENT)) => {}
        other => return other,
    }
    let bytes = path.to_bytes();
    let mut buffer = [0; PATH];
    let mut parent = sys::open_in_root(root, c"/", flags, 0)?;
    let mut start = 0;
    for end in 0..=bytes.len() {
        if end < bytes.len() && bytes[end] != b'/' {
            continue;
        }
        let name = &bytes[start..end];
        start = end + 1;
        if name.is_empty() {
            continue;
        }
        let mut open = sys::open_in_root(root, piece(&mut buffer, &bytes[..end])?, flags, 0);
        if open == Err(Errno(libc::ENOENT)) {
            sys::mkdirat(parent, piece(&mut buffer, name)?, 0o755)?;
            open = sys::open_in_root(root, piece(&mut buffer, &bytes[..end])?, flags, 0);
        }
        sys::close(parent);
        parent = open?;
    }
    Ok(parent)
}

/// Opens a file inside the root as a place to mount on; it is made if missing.
fn file(root: RawFd, path: &CStr) -> Sys<RawFd> {
    match sys::open_in_root(root, path, libc::O_PATH, 0) {
        Err(Errno(libc::ENOENT)) => {}
        other => return other,
    }
    let bytes = path.to_bytes();
    let cut = bytes.iter().rposition(|b| *b == b'/');
    let (above, name) = match cut {
        Some(cut) => (&bytes[..cut], &bytes[cut + 1..]),
        None => (&b""[..], bytes),
    };
    let mut buffer = [0; PATH];
    let above = if above.is_empty() { b"/" } else { above };
    let parent = folder(root, piece(&mut buffer, above)?)?;
    let name = piece(&mut buffer, name)?;
    let create = libc::O_CREAT | libc::O_WRONLY;
    let made = match sys::open_in_root(root, path, create, 0o644) {
        // A link to where there is nothing: a file takes its place.
        Err(Errno(libc::ENOENT)) => {
            sys::unlinkat(parent, name).and_then(|()| sys::open_in_root(root, path, create, 0o644))
        }
        other => other,
    };
    sys::close(parent);
    sys::close(made?);
    sys::open_in_root(root, path, libc::O_PATH, 0)
}

/// Makes `root` the root of this process's world and lets the old one go.
fn pivot(root: RawFd) -> Sys<()> {
    sys::fchdir(root)?;
    // The old root lands on top of the new one, and goes from there.
    sys::pivot_root(c".", c".")?;
    sys::detach(c".")?;
    sys::chdir(c"/")
}
