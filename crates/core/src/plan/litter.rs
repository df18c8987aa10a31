//! Files that no package owns and that nobody wrote by hand.

use whit_oci::ImagePath;

use super::DropReason;

/// Places where package managers and their scripts leave files that no
/// package lists. They are not the user's; what is needed of them is reached.
const GENERATED: &[&str] = &[
    "etc/alternatives",
    "etc/apt",
    "etc/ca-certificates",
    "etc/ca-certificates.conf",
    "etc/cron.daily",
    "etc/default",
    "etc/dpkg",
    "etc/init.d",
    "etc/ld.so.cache",
    "etc/logrotate.d",
    "etc/pam.d",
    "etc/perl",
    "etc/rc0.d",
    "etc/rc1.d",
    "etc/rc2.d",
    "etc/rc3.d",
    "etc/rc4.d",
    "etc/rc5.d",
    "etc/rc6.d",
    "etc/rcS.d",
    "etc/security",
    "etc/selinux",
    "etc/ssl/certs",
    "etc/systemd",
    "etc/terminfo",
    "lib/apk",
    "lib/systemd",
    "usr/lib/locale",
    "usr/lib/systemd",
    "usr/lib/udev",
    "usr/lib/sysctl.d",
    "usr/lib/tmpfiles.d",
    "usr/local/share/man",
    "usr/share/applications",
    "usr/share/bash-completion",
    "usr/share/doc",
    "usr/share/fonts",
    "usr/share/i18n",
    "usr/share/icons",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/mime",
    "usr/share/perl",
    "usr/share/pixmaps",
    "usr/share/python3",
    "var/backups",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/lib/pam",
    "var/lib/python",
    "var/lib/systemd",
    "var/lib/ucf",
];

/// Single files that account tools, `locale-gen` and friends write.
const GENERATED_FILES: &[&str] = &[
    "etc/.pwd.lock",
    "etc/adduser.conf",
    "etc/deluser.conf",
    "etc/environment",
    "etc/group-",
    "etc/gshadow",
    "etc/gshadow-",
    "etc/machine-id",
    "etc/mailcap",
    "etc/mtab",
    "etc/nsswitch.conf",
    "etc/passwd-",
    "etc/shadow",
    "etc/shadow-",
    "etc/shells",
    "etc/subgid",
    "etc/subgid-",
    "etc/subuid",
    "etc/subuid-",
    "etc/timezone",
    "usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache",
    "usr/lib/aarch64-linux-gnu/gconv/gconv-modules.cache",
];

/// True for what a package manager's scripts made: not packaged, yet not the
/// user's either.
pub fn generated(path: &ImagePath) -> bool {
    GENERATED
        .iter()
        .any(|folder| path.starts_with(&(*folder).into()))
        || path
            .as_str()
            .is_some_and(|path| GENERATED_FILES.contains(&path))
}

/// Folders whose content is litter wherever they came from.
const LITTER: &[(&str, DropReason)] = &[
    ("var/cache", DropReason::Cache),
    ("var/lib/apt/lists", DropReason::Cache),
    ("root/.cache", DropReason::Cache),
    ("root/.npm", DropReason::Cache),
    ("root/.cargo/registry", DropReason::Cache),
    ("var/log", DropReason::Log),
    ("tmp", DropReason::Temporary),
    ("var/tmp", DropReason::Temporary),
    ("run", DropReason::Temporary),
];

/// Names of folders that tools leave in a project.
const LITTER_NAMES: &[(&[u8], DropReason)] = &[
    (b".git", DropReason::VersionControl),
    (b".hg", DropReason::VersionControl),
    (b".svn", DropReason::VersionControl),
    (b".pytest_cache", DropReason::Cache),
    (b".mypy_cache", DropReason::Cache),
    (b".ruff_cache", DropReason::Cache),
    (b".tox", DropReason::Cache),
    (b".nox", DropReason::Cache),
];

/// Folders in which builders of Node keep what they make anew.
const NODE_CACHES: [[&[u8]; 2]; 2] = [[b".next", b"cache"], [b"node_modules", b".cache"]];

/// Why a path is litter; `None` if it is not. The folder itself stays, its
/// content goes, so that `/var/log` or `/tmp` exist for who writes there.
pub fn litter(path: &ImagePath) -> Option<DropReason> {
    for (folder, reason) in LITTER {
        let folder = ImagePath::from(*folder);
        if path.starts_with(&folder) && *path != folder {
            return Some(reason.clone());
        }
    }
    // Home folders other than root's.
    let parts: Vec<&[u8]> = path.components().collect();
    if parts.len() > 3 && parts[0] == b"home" && matches!(parts[2], b".cache" | b".npm") {
        return Some(DropReason::Cache);
    }
    for pair in parts.windows(2) {
        // A tool may only be allowed to write into the folder, not to make it.
        let is_folder = parts.ends_with(pair);
        if NODE_CACHES.iter().any(|cache| cache == pair) && !is_folder {
            return Some(DropReason::Cache);
        }
    }
    for (name, reason) in LITTER_NAMES {
        if parts.contains(name) {
            return Some(reason.clone());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_stay_and_content_goes() {
        assert_eq!(litter(&"tmp".into()), None);
        assert_eq!(litter(&"tmp/x".into()), Some(DropReason::Temporary));
        assert_eq!(
            litter(&"home/bob/.cache/pip/x".into()),
            Some(DropReason::Cache)
        );
        assert_eq!(
            litter(&"srv/site/.git/HEAD".into()),
            Some(DropReason::VersionControl)
        );
        assert_eq!(litter(&"srv/site/tmp/x".into()), None);
        assert_eq!(litter(&"srv/.next/cache".into()), None);
        assert_eq!(
            litter(&"srv/.next/cache/webpack/0.pack".into()),
            Some(DropReason::Cache)
        );
    }

    #[test]
    fn generated_is_not_the_users() {
        assert!(generated(&"etc/alternatives/awk".into()));
        assert!(generated(&"etc/shadow".into()));
        assert!(!generated(&"etc/myapp.conf".into()));
    }
}
