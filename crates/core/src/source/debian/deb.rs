//! One `.deb` file: an `ar` archive of `debian-binary`, `control.tar` and
//! `data.tar` (deb(5)).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::decompress::Compression;
use super::paragraph;

/// The largest `control.tar` content that is read: symbols files of big
/// libraries have a megabyte.
const MAX_CONTROL: u64 = 64 << 20;
/// The largest `data.tar` that is unpacked.
const MAX_DATA: u64 = 8 << 30;
/// `ar` members that are looked at; a `.deb` has three, sometimes a signature.
const MAX_MEMBERS: usize = 16;

/// A package file that was opened: where its parts are.
#[derive(Debug, Clone)]
pub struct Deb {
    path: PathBuf,
    control: Member,
    data: Member,
}

#[derive(Debug, Clone, Copy)]
struct Member {
    offset: u64,
    size: u64,
    compression: Compression,
}

/// What `control.tar` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Control {
    /// The paragraph as written, without an empty line at its end.
    pub paragraph: String,
    /// Paths of configuration files, as written: absolute.
    pub conffiles: Vec<String>,
    /// Lines of hash and path, as written.
    pub md5sums: String,
}

impl Control {
    pub fn field(&self, name: &str) -> Option<&str> {
        paragraph::parse(&self.paragraph).first()?.get(name)
    }
}

impl Deb {
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let members = read_members(&mut file)?;
        let part = |stem: &str| {
            members
                .iter()
                .find(|(name, ..)| {
                    name.strip_prefix(stem)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                })
                .ok_or_else(|| broken(format!("it has no {stem}")))
                .and_then(|(name, offset, size)| {
                    let compression = Compression::of(name)
                        .ok_or_else(|| broken(format!("{name} is of an unknown compression")))?;
                    Ok(Member {
                        offset: *offset,
                        size: *size,
                        compression,
                    })
                })
        };
        Ok(Self {
            path: path.to_owned(),
            control: part("control.tar")?,
            data: part("data.tar")?,
        })
    }

    /// Reads the parts of `control.tar` that whit has use for. Scripts are not
    /// among them.
    pub fn control(&self) -> io::Result<Control> {
        let mut control = Control::default();
        let mut archive = tar::Archive::new(self.part(self.control, MAX_CONTROL)?);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path_bytes().into_owned();
            // Holes of any size would take no more than a header; dpkg does
            // not know such files either.
            if entry.header().entry_type().is_gnu_sparse() {
                return Err(broken("its control files are sparse"));
            }
            let name = path.strip_prefix(b"./").unwrap_or(&path).to_vec();
            let mut text = String::new();
            if matches!(name.as_slice(), b"control" | b"conffiles" | b"md5sums") {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                text = String::from_utf8_lossy(&bytes).into_owned();
            }
            match name.as_slice() {
                b"control" => control.paragraph = text.trim_end().to_owned(),
                b"md5sums" => control.md5sums = text,
                // `remove-on-upgrade /etc/x` is one that is not there.
                b"conffiles" => {
                    control.conffiles = text
                        .lines()
                        .map(str::trim)
                        .filter(|line| line.starts_with('/'))
                        .map(str::to_owned)
                        .collect();
                }
                _ => {}
            }
        }
        if control.field("Package").is_none() {
            return Err(broken("its control file names no package"));
        }
        Ok(control)
    }

    /// The content of `data.tar`, unpacked.
    pub fn data(&self) -> io::Result<Box<dyn Read + Send>> {
        self.part(self.data, MAX_DATA)
    }

    fn part(&self, member: Member, limit: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(member.offset))?;
        let bytes = io::BufReader::with_capacity(128 << 10, file.take(member.size));
        member.compression.reader(bytes, limit)
    }
}

/// Name, offset and size of each member. Every header is 60 bytes: name (16),
/// date (12), owner (6), group (6), mode (8), size (10), and two fixed bytes;
/// content begins at even offsets.
fn read_members(file: &mut (impl Read + Seek)) -> io::Result<Vec<(String, u64, u64)>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut magic = [0; 8];
    file.read_exact(&mut magic)
        .map_err(|_| broken("it is no ar archive"))?;
    if &magic != b"!<arch>\n" {
        return Err(broken("it is no ar archive"));
    }
    let mut members = Vec::new();
    let mut at = 8_u64;
    while at < end && members.len() < MAX_MEMBERS {
        file.seek(SeekFrom::Start(at))?;
        let mut header = [0; 60];
        file.read_exact(&mut header)
            .map_err(|_| broken("it ends in the middle of a header"))?;
        if &header[58..] != b"`\n" {
            return Err(broken("a header in it is damaged"));
        }
        let name = String::from_utf8_lossy(&header[..16]);
        let name = name.trim_end().trim_end_matches('/').to_owned();
        let size: u64 = std::str::from_utf8(&header[48..58])
            .ok()
            .and_then(|digits| digits.trim_end().parse().ok())
            .ok_or_else(|| broken("a size in it cannot be read"))?;
        let offset = at + 60;
        // Ten decimal digits cannot overflow.
        if offset + size > end {
            return Err(broken(format!("it is cut off in {name}")));
        }
        at = offset + size + size % 2;
        members.push((name, offset, size));
    }
    if members.first().map(|(name, ..)| name.as_str()) != Some("debian-binary") {
        return Err(broken("it is no Debian package"));
    }
    Ok(members)
}

fn broken(cause: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, cause.into())
}

/// Small packages for tests.
#[cfg(test)]
pub(super) mod fixture {
    use std::io::Write;

    /// A tar archive of `(path, mode, content)`; a path that ends with a slash
    /// is a folder, content that begins with `-> ` a link.
    pub fn tar(entries: &[(&str, u32, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, mode, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            header.set_mtime(1_700_000_000);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            // Written raw: the crate refuses the paths that tests are about.
            header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
            let link = content
                .strip_prefix("-> ")
                .map(|target| (tar::EntryType::Symlink, target))
                .or_else(|| {
                    content
                        .strip_prefix("=> ")
                        .map(|t| (tar::EntryType::Link, t))
                });
            let mut data = "";
            if let Some((kind, target)) = link {
                header.set_entry_type(kind);
                header.as_gnu_mut().unwrap().linkname[..target.len()]
                    .copy_from_slice(target.as_bytes());
            } else if path.ends_with('/') {
                header.set_entry_type(tar::EntryType::Directory);
            } else {
                header.set_size(content.len() as u64);
                data = content;
            }
            header.set_cksum();
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    pub fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = b"!<arch>\n".to_vec();
        for (name, content) in members {
            write!(
                out,
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                0,
                0,
                0,
                100644,
                content.len()
            )
            .unwrap();
            out.extend_from_slice(content);
            if content.len() % 2 == 1 {
                out.push(b'\n');
            }
        }
        out
    }

    pub fn deb(control: &[(&str, u32, &str)], data: &[(&str, u32, &str)]) -> Vec<u8> {
        ar(&[
            ("debian-binary", b"2.0\n"),
            ("control.tar", &tar(control)),
            (
                "data.tar.zst",
                &zstd::encode_all(&tar(data)[..], 1).unwrap(),
            ),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{ar, deb};
    use super::*;

    fn open(bytes: &[u8]) -> io::Result<Deb> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.deb");
        std::fs::write(&path, bytes).unwrap();
        let deb = Deb::open(&path)?;
        deb.control()?;
        let mut data = Vec::new();
        deb.data()?.read_to_end(&mut data)?;
        Ok(deb)
    }

    fn whole() -> Vec<u8> {
        deb(
            &[("./control", 0o644, "Package: a\nVersion: 1\n")],
            &[("./usr/", 0o755, ""), ("./usr/x", 0o644, "content")],
        )
    }

    #[test]
    fn a_whole_package() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.deb");
        let conffiles = "/etc/a\nremove-on-upgrade /etc/b\n";
        let control = [
            ("./postinst", 0o755, "#!/bin/sh"),
            ("./control", 0o644, "Package: a\nVersion: 1\n\n"),
            ("./conffiles", 0o644, conffiles),
            ("md5sums", 0o644, "00  usr/x\n"),
        ];
        std::fs::write(&path, deb(&control, &[("./x", 0o644, "y")])).unwrap();
        let control = Deb::open(&path).unwrap().control().unwrap();
        assert_eq!(control.paragraph, "Package: a\nVersion: 1");
        assert_eq!(control.field("version"), Some("1"));
        assert_eq!(control.conffiles, ["/etc/a"]);
        assert_eq!(control.md5sums, "00  usr/x\n");
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let whole = whole();
        open(&whole).unwrap();
        // The last byte is padding.
        for end in (0..whole.len() - 1).step_by(13) {
            assert!(open(&whole[..end]).is_err(), "cut at {end}");
        }
        for at in (0..whole.len()).step_by(13) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            // Some flips do no harm (a date); none may panic.
            let _ = open(&bytes);
        }
    }

    /// A control file of two gigabytes in one block.
    #[test]
    fn holes_are_not_filled() {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_path("control").unwrap();
        header.set_size(0);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.realsize = *b"20000000000\0";
        gnu.sparse[0].offset = *b"20000000000\0";
        gnu.sparse[0].numbytes = *b"00000000000\0";
        header.set_cksum();
        let binary: (&str, &[u8]) = ("debian-binary", b"2.0\n");
        let control = ("control.tar", &header.as_bytes()[..]);
        let error = open(&ar(&[binary, control, ("data.tar", b"")])).unwrap_err();
        assert!(error.to_string().contains("sparse"), "{error}");
    }

    #[test]
    fn other_archives_are_no_packages() {
        let binary: (&str, &[u8]) = ("debian-binary", b"2.0\n");
        for members in [
            vec![("data.tar", &b""[..])],
            vec![binary],
            vec![binary, ("control.tar.bz2", b""), ("data.tar", b"")],
            vec![binary, ("control.tar", b""), ("data.tar", b"")],
        ] {
            assert!(open(&ar(&members)).is_err());
        }
    }
}
