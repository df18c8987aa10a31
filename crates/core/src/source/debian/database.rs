//! dpkg's database of installed packages, as it would be after installing.
//!
//! Scanners and whit's own provenance read it: which packages are here, and
//! which files are theirs.

use whit_oci::ImagePath;

use super::deb::Control;
use super::root::{Result, Root};

/// A package that was unpacked.
pub struct Installed {
    pub control: Control,
    /// Its paths as it names them.
    pub paths: Vec<ImagePath>,
}

/// Writes `/var/lib/dpkg`: `status`, and a list of files and one of hashes per
/// package.
pub fn write(root: &mut Root, packages: &[Installed]) -> Result<()> {
    let mut sorted: Vec<&Installed> = packages.iter().collect();
    sorted.sort_by_key(|package| package.control.field("Package"));
    let mut status = String::new();
    for package in sorted {
        let control = &package.control;
        status.push_str(&paragraph(control));
        status.push('\n');
        let stem = format!("var/lib/dpkg/info/{}", info_name(control));
        put(root, &format!("{stem}.list"), &file_list(&package.paths))?;
        if !control.md5sums.is_empty() {
            put(root, &format!("{stem}.md5sums"), &control.md5sums)?;
        }
        if !control.conffiles.is_empty() {
            let text = control.conffiles.join("\n") + "\n";
            put(root, &format!("{stem}.conffiles"), &text)?;
        }
    }
    // Names with an architecture are of the second form of this folder.
    put(root, "var/lib/dpkg/info/format", "1\n")?;
    put(root, "var/lib/dpkg/status", &status)
}

fn put(root: &mut Root, path: &str, text: &str) -> Result<()> {
    root.put_file(path, 0o644, text.as_bytes())
}

/// The control file's fields with what dpkg adds. dpkg also keeps each
/// configuration file's hash, to see local changes when it upgrades; nothing is
/// upgraded here, so they are marked as it marks new ones.
fn paragraph(control: &Control) -> String {
    let mut out = String::new();
    for line in control.paragraph.lines() {
        out.push_str(line);
        out.push('\n');
        if line
            .split_once(':')
            .is_some_and(|(name, _)| name.eq_ignore_ascii_case("Package"))
        {
            out.push_str("Status: install ok installed\n");
        }
    }
    if !control.conffiles.is_empty() {
        out.push_str("Conffiles:\n");
        for path in &control.conffiles {
            out.push_str(&format!(" {path} newconffile\n"));
        }
    }
    out
}

/// Packages that may be there for several architectures are told apart.
fn info_name(control: &Control) -> String {
    let name = control.field("Package").unwrap_or_default();
    // A name that is a path would lead elsewhere.
    let name = name.replace('/', "_");
    match (control.field("Multi-Arch"), control.field("Architecture")) {
        (Some("same"), Some(architecture)) => {
            format!("{name}:{}", architecture.replace('/', "_"))
        }
        _ => name,
    }
}

/// dpkg writes the root as `/.` and everything else as absolute paths.
fn file_list(paths: &[ImagePath]) -> String {
    paths
        .iter()
        .map(|path| {
            if path.is_root() {
                "/.\n".to_owned()
            } else {
                format!("{path}\n")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(paragraph: &str, conffiles: &[&str], paths: &[&str]) -> Installed {
        Installed {
            control: Control {
                paragraph: paragraph.into(),
                conffiles: conffiles.iter().map(|path| (*path).into()).collect(),
                md5sums: "00  usr/x\n".into(),
            },
            paths: paths.iter().map(|path| ImagePath::from(*path)).collect(),
        }
    }

    #[test]
    fn as_dpkg_would_have_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        let packages = [
            package(
                "Package: libb\nArchitecture: amd64\nMulti-Arch: same\nVersion: 2",
                &[],
                &["", "usr", "usr/x"],
            ),
            package(
                "Package: a\nVersion: 1\nDescription: short\n long",
                &["/etc/a"],
                &["etc/a"],
            ),
        ];
        write(&mut root, &packages).unwrap();
        let read = |path: &str| {
            let bytes = root.read(&format!("var/lib/dpkg/{path}").as_str().into());
            String::from_utf8(bytes.unwrap()).unwrap()
        };
        assert_eq!(
            read("status"),
            "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: short\n long\n\
             Conffiles:\n /etc/a newconffile\n\n\
             Package: libb\nStatus: install ok installed\nArchitecture: amd64\n\
             Multi-Arch: same\nVersion: 2\n\n"
        );
        assert_eq!(read("info/libb:amd64.list"), "/.\n/usr\n/usr/x\n");
        assert_eq!(read("info/a.conffiles"), "/etc/a\n");
        assert_eq!(read("info/a.md5sums"), "00  usr/x\n");
    }

    #[test]
    fn a_name_is_no_path() {
        let control = package("Package: ../../etc/x", &[], &[]).control;
        assert_eq!(info_name(&control), ".._.._etc_x");
    }
}
