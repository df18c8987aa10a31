//! What maintainer scripts would have done, as far as a running app can tell.
//!
//! No script is run: they want dpkg, debconf and root. The few effects that
//! matter at run time are made here, from the same files that the scripts use;
//! each function names the package whose script it stands for.

mod alternatives;
mod certificates;
mod elf;
mod loader_cache;

use whit_oci::ImagePath;

use super::root::{Result, Root};

/// Links of merged `/usr` (Debian wiki, UsrMerge): made before anything is
/// unpacked, as debootstrap does, because bookworm's `base-files` has folders
/// there and only its successors have the links.
pub fn merge_usr(root: &mut Root, architecture: &str) -> Result<()> {
    let mut names = vec!["bin", "lib", "sbin"];
    if matches!(architecture, "amd64" | "loong64" | "ppc64el") {
        names.push("lib64");
    }
    for name in names {
        let target = format!("usr/{name}");
        root.make_folder(&ImagePath::from(target.as_str()))?;
        root.put_link(name, &target)?;
    }
    Ok(())
}

/// Everything that is done once all packages are unpacked.
pub fn configure(root: &mut Root, architecture: &str) -> Result<()> {
    base_files(root)?;
    accounts(root)?;
    copy_default(
        root,
        "usr/share/libc-bin/nsswitch.conf",
        "etc/nsswitch.conf",
    )?;
    time_zone(root)?;
    alternatives::choose(root)?;
    certificates::bundle(root)?;
    loader_cache::write(root, architecture)
}

/// `base-files`: defaults, and folders that live in memory at run time.
fn base_files(root: &mut Root) -> Result<()> {
    if !exists(root, "usr/share/base-files") {
        return Ok(());
    }
    /// Group ids of base-passwd's master file, fixed for all of Debian.
    const MAIL: u32 = 8;
    for (from, to) in [
        ("dot.profile", "root/.profile"),
        ("dot.bashrc", "root/.bashrc"),
        ("profile", "etc/profile"),
        ("motd", "etc/motd"),
    ] {
        copy_default(root, &format!("usr/share/base-files/{from}"), to)?;
    }
    for dir in ["mnt", "srv", "opt", "etc/opt", "var/opt", "media"] {
        root.put_dir(dir, 0o755, 0)?;
    }
    root.put_dir("var/mail", 0o2775, MAIL)?;
    if !exists(root, "var/spool/mail") {
        root.put_link("var/spool/mail", "../mail")?;
    }
    root.put_dir("run/lock", 0o1777, 0)?;
    root.replace_empty_dir("var/run", "/run")?;
    root.replace_empty_dir("var/lock", "/run/lock")?;
    for dir in [
        "",
        "share",
        "share/man",
        "bin",
        "games",
        "lib",
        "include",
        "sbin",
        "src",
        "etc",
    ] {
        root.put_dir(&format!("usr/local/{dir}"), 0o755, 0)?;
    }
    if !exists(root, "usr/local/man") {
        root.put_link("usr/local/man", "share/man")?;
    }
    if exists(root, "etc/dpkg/origins/debian") && !exists(root, "etc/dpkg/origins/default") {
        root.put_link("etc/dpkg/origins/default", "debian")?;
    }
    Ok(())
}

/// `base-passwd`: users and groups. Passwords are locked (`*`) in the master
/// files, so no shadow file is needed.
fn accounts(root: &mut Root) -> Result<()> {
    copy_default(root, "usr/share/base-passwd/passwd.master", "etc/passwd")?;
    copy_default(root, "usr/share/base-passwd/group.master", "etc/group")
}

/// `tzdata`: UTC, unless somebody has set it.
fn time_zone(root: &mut Root) -> Result<()> {
    if exists(root, "usr/share/zoneinfo/Etc/UTC") && !exists(root, "etc/localtime") {
        root.put_link("etc/localtime", "/usr/share/zoneinfo/Etc/UTC")?;
    }
    Ok(())
}

/// Copies a package's default to where it is used, unless there is one.
fn copy_default(root: &mut Root, from: &str, to: &str) -> Result<()> {
    if exists(root, to) {
        return Ok(());
    }
    match root.read(&ImagePath::from(from)) {
        Some(bytes) => root.put_file(to, 0o644, &bytes),
        None => Ok(()),
    }
}

fn exists(root: &Root, path: &str) -> bool {
    let path = ImagePath::from(path);
    root.get(&path).is_some() || root.resolve(&path).is_some()
}

#[cfg(test)]
mod tests {
    use whit_oci::Kind;

    use super::*;

    fn describe(root: &Root, path: &str) -> String {
        match root
            .get(&path.into())
            .map(|entry| (&entry.kind, &entry.meta))
        {
            None => "none".into(),
            Some((Kind::Symlink { target }, _)) => {
                format!("-> {}", String::from_utf8_lossy(target))
            }
            Some((Kind::Dir, meta)) => format!("dir {:o} {}", meta.mode, meta.gid),
            Some(_) => {
                String::from_utf8_lossy(&root.read(&path.into()).unwrap_or_default()).into_owned()
            }
        }
    }

    #[test]
    fn the_defaults_of_base_packages() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        merge_usr(&mut root, "amd64").unwrap();
        for path in ["var/run", "var/lock"] {
            root.put_dir(path, 0o755, 0).unwrap();
        }
        for (path, content) in [
            ("usr/share/base-files/profile", "profile"),
            ("usr/share/base-passwd/passwd.master", "root:*:0:0:"),
            ("usr/share/base-passwd/group.master", "root:*:0:"),
            ("usr/share/libc-bin/nsswitch.conf", "hosts: files dns"),
            ("usr/share/zoneinfo/Etc/UTC", "TZif"),
            ("etc/profile", "mine"),
            ("lib/x.so", "no library"),
        ] {
            root.put_file(path, 0o644, content.as_bytes()).unwrap();
        }
        configure(&mut root, "amd64").unwrap();
        for (path, expected) in [
            ("lib", "-> usr/lib"),
            ("lib64", "-> usr/lib64"),
            ("usr/lib/x.so", "no library"),
            ("etc/profile", "mine"),
            ("etc/passwd", "root:*:0:0:"),
            ("etc/nsswitch.conf", "hosts: files dns"),
            ("etc/localtime", "-> /usr/share/zoneinfo/Etc/UTC"),
            ("var/run", "-> /run"),
            ("var/lock", "-> /run/lock"),
            ("run/lock", "dir 1777 0"),
            ("var/mail", "dir 2775 8"),
            ("etc/motd", "none"),
        ] {
            assert_eq!(describe(&root, path), expected, "{path}");
        }
    }

    #[test]
    fn a_root_without_base_packages_gets_nothing_of_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        configure(&mut root, "riscv64").unwrap();
        assert_eq!(root.into_entries(), []);
    }
}
