//! What this host allows, and what to do where it does not.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::Error;

/// The error for something that the host refuses, with a remedy that fits it.
pub(crate) fn refused(what: &'static str, source: io::Error) -> Error {
    Error::Refused {
        what,
        remedy: remedy(&source),
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
        return "user namespaces are switched off: sudo sysctl user.max_user_namespaces=10000".into();
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
        return "this is a container with a default profile: run whit on its host, start the \
                container with --privileged, or leave the program unrun with --no-run"
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
