//! What this host allows, and what to do where it does not.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::{Error, Result, io_error};
use crate::identity::Identity;
use crate::{Command, Emulator, Network, Running, Spec, Stdin, Upper};

/// What sandboxes can do on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Programs can be run in a root of their own.
    pub run: Ability,
    /// The paths that they touch can be recorded.
    pub trace: Ability,
    pub users: Users,
}

/// Whether something works; if not, what refuses and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ability {
    Works,
    Refused { reason: String, remedy: String },
}

/// Whom a program can be, and whose files can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Users {
    /// Every user and group from 0 to 65535: whit is the host's root.
    All,
    /// As many as `/etc/subuid` and `/etc/subgid` give, for programs that begin
    /// as root.
    Subordinate,
    /// Only the one that the program begins as; for a root, changes of user and
    /// owner are acknowledged without effect.
    One,
}

/// Tries what this host allows, with a sandbox around an empty root.
pub fn check() -> Result<Abilities> {
    Ok(Abilities {
        run: try_out(false)?,
        trace: try_out(true)?,
        users: match Identity::choose(0, 0) {
            Identity::Range => Users::All,
            Identity::Subordinate { .. } => Users::Subordinate,
            Identity::Single { .. } => Users::One,
        },
    })
}

/// Tries if the kernel takes an emulator's rule in a sandbox (Linux 6.7 and
/// later do).
///
/// # Errors
/// What the kernel or the host says to it.
pub fn emulates(emulator: &Emulator) -> Result<()> {
    match start_nothing(false, Some(emulator.clone()))? {
        Ok(_) | Err(Error::Start { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn try_out(trace: bool) -> Result<Ability> {
    match start_nothing(trace, None)? {
        // All that is missing is the program: everything before it worked.
        Ok(_) | Err(Error::Start { .. }) => Ok(Ability::Works),
        Err(error @ Error::Refused { .. }) => Ok(Ability::Refused {
            reason: error.to_string(),
            remedy: error.hint().unwrap_or_default(),
        }),
        Err(other) => Err(other),
    }
}

/// Starts a program that does not exist in an empty root.
fn start_nothing(trace: bool, emulator: Option<Emulator>) -> Result<Result<Running>> {
    let folder = tempfile::tempdir()
        .map_err(|error| io_error("making an empty root to try sandboxes with", error))?;
    let spec = Spec {
        lowers: vec![folder.path().to_path_buf()],
        upper: Upper::Memory { max_bytes: 1 << 20 },
        mounts: Vec::new(),
        network: Network::Private,
        hostname: "whit".into(),
        max_processes: 16,
        emulator,
    };
    let command = Command {
        argv: vec!["/nothing".into()],
        env: Vec::new(),
        cwd: "/".into(),
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        stdin: Stdin::Null,
        trace,
    };
    Ok(Running::start(&spec, &command))
}

/// The error for something that the host refuses, with a remedy that fits it.
pub(crate) fn refused(what: &'static str, source: io::Error) -> Error {
    let remedy = remedy(&source);
    // The kernel's words for this are about disks and users.
    let source = match source.raw_os_error() {
        Some(libc::ENOSPC | libc::EUSERS) => io::Error::new(
            source.kind(),
            "their number is limited, and the limit is reached",
        ),
        Some(libc::ENOSYS) => io::Error::new(
            source.kind(),
            "the kernel, or a filter around whit, does not know the call",
        ),
        _ => source,
    };
    Error::Refused {
        what,
        remedy,
        source,
    }
}

/// What stands in the way, most specific first.
fn remedy(source: &io::Error) -> String {
    let setting = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
        text.trim().parse::<i64>().ok()
    };
    if setting("user/max_user_namespaces") == Some(0) {
        return "user namespaces are switched off: sudo sysctl user.max_user_namespaces=10000"
            .into();
    }
    if setting("kernel/unprivileged_userns_clone") == Some(0) {
        return "unprivileged user namespaces are switched off: \
                sudo sysctl kernel.unprivileged_userns_clone=1"
            .into();
    }
    if setting("kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return "AppArmor restricts user namespaces here: \
                sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, \
                or run whit as root"
            .into();
    }
    if in_container() {
        return "this is a container with a default profile: run whit on its host, leave the \
                program unrun with --no-run, or start the container with --security-opt \
                seccomp=unconfined --security-opt systempaths=unconfined"
            .into();
    }
    match source.raw_os_error() {
        Some(libc::ENOSPC | libc::EUSERS) => {
            "too many user namespaces: sudo sysctl user.max_user_namespaces=10000".into()
        }
        Some(libc::ENOSYS | libc::ENODEV | libc::EINVAL) => {
            "whit needs Linux 5.12 or later with overlayfs; with --no-run it works without".into()
        }
        Some(libc::EBUSY) => {
            "whit is itself being watched by seccomp notification: run it outside of that".into()
        }
        _ => "run whit as root or on another host, or leave the program unrun with --no-run".into(),
    }
}

fn in_container() -> bool {
    Path::new("/.dockerenv").exists()
        || Path::new("/run/.containerenv").exists()
        || Path::new("/run/systemd/container").exists()
}
