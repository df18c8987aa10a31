//! From the bytes of a `data.tar` to entries.

use std::io::{self, Read};

use tar::EntryType;
use whit_oci::{Entry, ImagePath, Kind, Meta};

use super::root::{Result, Root};

/// Unpacks a tar archive into the root, entry by entry. Returns the paths that
/// the package has, as it names them.
pub fn unpack(data: &mut dyn Read, into: &mut Root) -> Result<Vec<ImagePath>> {
    let mut paths = Vec::new();
    {
        let mut archive = tar::Archive::new(&mut *data);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let Some(read) = read_entry(&entry)? else {
                continue;
            };
            into.apply(&read, &mut entry)?;
            paths.push(read.path);
        }
    }
    // What follows the end of the archive is padding, but the compression has
    // its own checks there, and a cut file shows only now.
    io::copy(data, &mut io::sink())?;
    Ok(paths)
}

fn read_entry<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<Option<Entry>> {
    let bad = |error: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
    };
    let path = ImagePath::parse(entry.path_bytes()).map_err(|error| bad(&error))?;
    let header = entry.header();
    let target = || {
        entry
            .link_name_bytes()
            .map(|target| target.into_owned())
            .ok_or_else(|| bad(&format!("{path} is a link to nothing")))
    };
    let kind = match header.entry_type() {
        EntryType::Regular | EntryType::Continuous => Kind::File { size: entry.size() },
        // Holes of any size take no more than a header, so that no limit of
        // the archive holds. dpkg refuses them, too (lib/dpkg/tarfn.c).
        EntryType::GNUSparse => return Err(bad(&format!("{path} is a sparse file"))),
        EntryType::Directory => Kind::Dir,
        EntryType::Symlink => Kind::Symlink { target: target()? },
        EntryType::Link => Kind::Hardlink {
            target: ImagePath::parse(target()?).map_err(|error| bad(&error))?,
        },
        EntryType::Fifo => Kind::Fifo,
        EntryType::Char => Kind::CharDevice {
            major: header.device_major()?.unwrap_or(0),
            minor: header.device_minor()?.unwrap_or(0),
        },
        EntryType::Block => Kind::BlockDevice {
            major: header.device_major()?.unwrap_or(0),
            minor: header.device_minor()?.unwrap_or(0),
        },
        // Global headers and the like say nothing about a file.
        _ => return Ok(None),
    };
    let id = |value: u64| u32::try_from(value).map_err(|_| bad(&format!("{path} has no owner")));
    let meta = Meta {
        mode: header.mode()? & 0o7777,
        uid: id(header.uid()?)?,
        gid: id(header.gid()?)?,
        mtime: i64::try_from(header.mtime()?).unwrap_or(i64::MAX),
        xattrs: std::collections::BTreeMap::new(),
    };
    Ok(Some(Entry { path, kind, meta }))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::super::deb::fixture::tar;
    use super::*;

    /// Unpacks archives over each other; every entry as a line.
    fn unpacked(dir: &Path, archives: &[&[(&str, u32, &str)]]) -> Result<Vec<String>> {
        let mut root = Root::new(dir);
        for entries in archives {
            unpack(&mut &tar(entries)[..], &mut root)?;
        }
        let entries = root.into_entries();
        Ok(entries
            .iter()
            .map(|entry| match &entry.kind {
                Kind::Dir => format!("{}/ {:o}", entry.path, entry.meta.mode),
                Kind::Symlink { target } => {
                    format!("{} -> {}", entry.path, String::from_utf8_lossy(target))
                }
                Kind::Hardlink { target } => format!("{} => {target}", entry.path),
                _ => format!(
                    "{} {}",
                    entry.path,
                    fs::read_to_string(entry.path.under(dir)).unwrap()
                ),
            })
            .collect())
    }

    #[test]
    fn sparse_files_are_refused() {
        let mut header = ::tar::Header::new_gnu();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_path("x").unwrap();
        header.set_size(0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.realsize = *b"20000000000\0";
        gnu.sparse[0].offset = *b"20000000000\0";
        gnu.sparse[0].numbytes = *b"00000000000\0";
        header.set_cksum();
        let dir = tempfile::tempdir().unwrap();
        let error = unpack(&mut &header.as_bytes()[..], &mut Root::new(dir.path())).unwrap_err();
        assert!(error.to_string().contains("sparse"), "{error}");
    }

    fn check(archives: &[&[(&str, u32, &str)]], expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(unpacked(dir.path(), archives).unwrap(), expected);
        let on_disk: Vec<String> = expected
            .iter()
            .map(|line| line.split([' ']).next().unwrap().trim_matches('/').into())
            .collect();
        for path in on_disk {
            assert!(dir.path().join(&path).symlink_metadata().is_ok(), "{path}");
        }
    }

    #[test]
    fn folders_files_and_links() {
        check(
            &[&[
                ("./", 0o755, ""),
                ("./usr/", 0o700, ""),
                ("./usr/lib/x", 0o644, "content"),
                ("./usr/y", 0o777, "-> lib/x"),
                ("./z", 0o644, "=> ./usr/lib/x"),
            ]],
            &[
                "/usr/ 700",
                "/usr/lib/ 755",
                "/usr/lib/x content",
                "/usr/y -> lib/x",
                "/z => /usr/lib/x",
            ],
        );
    }

    #[test]
    fn the_first_of_a_files_names_is_the_file() {
        check(
            &[&[
                ("m", 0o644, "content"),
                ("a", 0o644, "=> m"),
                ("b", 0o644, "=> a"),
                ("z", 0o644, "=> m"),
            ]],
            &["/a content", "/b => /a", "/m => /a", "/z => /a"],
        );
    }

    #[test]
    fn a_link_to_a_folder_stands_for_it() {
        check(
            &[
                &[("usr/lib/", 0o755, ""), ("lib", 0o777, "-> usr/lib")],
                &[
                    ("lib/", 0o700, ""),
                    ("lib/a", 0o644, "1"),
                    ("lib/b", 0o644, "=> lib/a"),
                ],
                &[("usr/lib", 0o777, "-> elsewhere")],
            ],
            &[
                "/lib -> usr/lib",
                "/usr/ 755",
                "/usr/lib/ 755",
                "/usr/lib/a 1",
                "/usr/lib/b => /usr/lib/a",
            ],
        );
    }

    #[test]
    fn the_later_package_wins_a_file_the_first_a_folder() {
        check(
            &[
                &[
                    ("d/f", 0o644, "old"),
                    ("d/g", 0o644, "=> d/f"),
                    ("l", 0o777, "-> d/f"),
                ],
                &[
                    ("d/", 0o1777, ""),
                    ("d/f", 0o644, "new"),
                    ("l", 0o644, "file"),
                ],
                &[("d/", 0o755, "")],
            ],
            &["/d/ 1777", "/d/f new", "/d/g old", "/l file"],
        );
    }

    #[test]
    fn nothing_leaves_the_root() {
        let outside = tempfile::tempdir().unwrap();
        let target = outside.path().to_str().unwrap();
        let link = format!("-> {target}");
        let up = "-> ../../../../../../../../../../..";
        for entries in [
            [("out", 0o777, link.as_str()), ("out/x", 0o644, "evil")],
            [("out", 0o777, up), ("out/tmp-of-whit/x", 0o644, "evil")],
        ] {
            let dir = tempfile::tempdir().unwrap();
            unpacked(dir.path(), &[&entries]).unwrap();
            assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
            assert!(!Path::new("/tmp-of-whit").exists());
        }
        // A file is never written through a link at its own path either.
        let dir = tempfile::tempdir().unwrap();
        let victim = outside.path().join("victim");
        fs::write(&victim, "safe").unwrap();
        let link = format!("-> {}", victim.display());
        unpacked(dir.path(), &[&[("f", 0o777, &link), ("f", 0o644, "evil")]]).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "safe");
        for path in ["../x", "a/../../x", "./../x"] {
            let dir = tempfile::tempdir().unwrap();
            assert!(
                unpacked(dir.path(), &[&[(path, 0o644, "x")]]).is_err(),
                "{path}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for entries in [
            &[("a", 0o644, ""), ("a/b", 0o644, "")][..],
            &[("a", 0o777, "-> a"), ("a/b", 0o644, "")],
            &[("a", 0o644, "=> b")],
            &[("d/", 0o755, ""), ("a", 0o644, "=> d")],
            &[("d/x", 0o644, ""), ("d", 0o644, "")],
            &[("a", 0o644, "=> ../../etc/passwd")],
        ] {
            let dir = tempfile::tempdir().unwrap();
            assert!(unpacked(dir.path(), &[entries]).is_err(), "{entries:?}");
        }
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let whole = tar(&[("a", 0o644, "content"), ("b", 0o644, "content")]);
        for end in [100, 512, 515, 1030, 1600] {
            let dir = tempfile::tempdir().unwrap();
            let mut root = Root::new(dir.path());
            let result = unpack(&mut &whole[..end], &mut root);
            let paths = result.map(|paths| paths.len()).unwrap_or(0);
            assert!(paths < 2, "cut at {end}");
        }
    }
}
