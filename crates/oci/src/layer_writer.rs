//! Writing one layer: entries in, a compressed tar and its digests out.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::Digest as _;
use tempfile::TempPath;

use crate::compress::{Compression, Compressor};
use crate::tar_writer::TarWriter;
use crate::write_error::WriteError;
use crate::{Digest, Entry};

/// Writes a layer's entries, in the order given, to a file.
///
/// The bytes depend on the entries, their contents and the compression alone.
/// A layer that was not finished is removed when the writer is dropped.
pub struct LayerWriter {
    path: TempPath,
    compression: Compression,
    tar: TarWriter<Hashed<Compressor<Hashed<BufWriter<File>>>>>,
}

/// A layer on disk, ready to become a blob of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLayer {
    pub path: PathBuf,
    /// Of the file as it is: the blob's digest.
    pub digest: Digest,
    /// Of the tar before compression.
    pub diff_id: Digest,
    /// Bytes of the file.
    pub size: u64,
    /// Bytes of the tar before compression.
    pub uncompressed_size: u64,
    pub media_type: &'static str,
    /// What the image's history says of this layer.
    pub created_by: String,
}

impl LayerWriter {
    /// Starts a layer at `path`; a file that is there is replaced.
    pub fn create(path: &Path, compression: Compression) -> Result<Self, WriteError> {
        let failed = |source| WriteError::io("write", path, source);
        // Never written over: the same file may be a blob of a layout already.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let file = BufWriter::new(File::create_new(path).map_err(failed)?);
        let packed = Compressor::new(Hashed::new(file), compression).map_err(failed)?;
        Ok(Self {
            path: TempPath::try_from_path(path).map_err(failed)?,
            compression,
            tar: TarWriter::new(Hashed::new(packed), path.to_path_buf()),
        })
    }

    /// Writes an entry. `content` is read where the entry is a file, and must
    /// then have exactly as many bytes as the entry says.
    ///
    /// A hard link wants the attributes of its target, since engines apply
    /// them to the file once more (and a chown without the capabilities that
    /// were there drops them). After an error the layer is of no use any more.
    pub fn append(&mut self, entry: &Entry, content: &mut dyn Read) -> Result<(), WriteError> {
        self.tar.append(entry, content)
    }

    /// Ends the layer. The file stays where it is.
    pub fn finish(self) -> Result<WrittenLayer, WriteError> {
        let failed = |source| WriteError::io("write", &self.path, source);
        let tar = self.tar.finish()?;
        let mut packed = tar.out.finish().map_err(failed)?;
        packed.out.flush().map_err(failed)?;
        let layer = WrittenLayer {
            path: self.path.to_path_buf(),
            digest: Digest::from_hasher(packed.hasher),
            diff_id: Digest::from_hasher(tar.hasher),
            size: packed.size,
            uncompressed_size: tar.size,
            media_type: self.compression.media_type(),
            created_by: "whit".to_owned(),
        };
        self.path
            .keep()
            .map_err(|failed| WriteError::io("keep", &layer.path, failed.error))?;
        Ok(layer)
    }
}

/// Hashes and counts what passes.
struct Hashed<W> {
    out: W,
    hasher: sha2::Sha256,
    size: u64,
}

impl<W> Hashed<W> {
    fn new(out: W) -> Self {
        Self {
            out,
            hasher: sha2::Sha256::new(),
            size: 0,
        }
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.out.write(bytes)?;
        self.hasher.update(&bytes[..length]);
        self.size += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{EntryError, ImagePath, Kind, Meta};

    fn meta(mode: u32) -> Meta {
        Meta {
            mode,
            mtime: 1_700_000_000,
            ..Meta::default()
        }
    }

    fn entry(path: &str, kind: Kind) -> Entry {
        Entry {
            path: path.into(),
            kind,
            meta: meta(0o755),
        }
    }

    /// One entry of every kind, and the fields that ustar has no room for.
    fn zoo() -> Vec<(Entry, &'static [u8])> {
        let (major, minor) = (1, 3);
        let long = format!("opt/{}/{}", "d".repeat(120), "f".repeat(120));
        let mut rich = entry("bin/ping", Kind::File { size: 5 });
        rich.meta.mode = 0o4755;
        rich.meta.uid = 3_000_000;
        rich.meta.gid = u32::MAX;
        rich.meta.mtime = -1;
        rich.meta.xattrs = [
            ("security.capability", &b"\x01\0\0\x02\0 \0\0"[..]),
            ("user.note", b"a=b c"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .into();
        let link = |target: &str| Kind::Symlink {
            target: target.as_bytes().to_vec(),
        };
        let hardlink = |target: &str| Kind::Hardlink {
            target: target.into(),
        };
        vec![
            (entry("", Kind::Dir), b""),
            (entry("bin", Kind::Dir), b""),
            (rich, b"\x7fELF!"),
            (entry("bin/ping4", hardlink("bin/ping")), b""),
            (entry("bin/empty", Kind::File { size: 0 }), b""),
            (entry("lib", link("usr/lib")), b""),
            (entry("far", link(&"x/".repeat(100))), b""),
            (entry("dev/null", Kind::CharDevice { major, minor }), b""),
            (entry("dev/loop", Kind::BlockDevice { major, minor }), b""),
            (entry("run/pipe", Kind::Fifo), b""),
            (entry("etc/gone", Kind::Whiteout), b""),
            (entry("gone", Kind::Whiteout), b""),
            (entry("var/cache", Kind::Opaque), b""),
            (entry(&long, Kind::File { size: 3 }), b"abc"),
            (entry(&format!("{long}.ln"), hardlink(&long)), b""),
        ]
    }

    fn write(path: &Path, compression: Compression) -> WrittenLayer {
        let mut writer = LayerWriter::create(path, compression).unwrap();
        for (entry, mut content) in zoo() {
            writer.append(&entry, &mut content).unwrap();
        }
        writer.finish().unwrap()
    }

    /// Images that exist are rebuilt bit for bit: a change of these digests is
    /// a change of every image, and belongs into the change log.
    #[test]
    fn digests_are_pinned() {
        let dir = tempfile::tempdir().unwrap();
        let pins = [
            (
                "none",
                "sha256:f482d397ad360bd936e77c4a404266ad9aa5696d841f6d9bce3980bb6b0d3f31",
            ),
            (
                "gzip:9",
                "sha256:3f298dd2855ddd030d2e826ae8c2e63dcfb45e290e4a4e6fec4ae11ef659e149",
            ),
            (
                "gzip:12",
                "sha256:e338e85cc4a3ef92844539b342e050e2cf1592b76606e5dd3346b41dd23c11a4",
            ),
            (
                "zstd:19",
                "sha256:10a661f19e4df403f482d44a71972d9571d4f6a36501e39dfa32af9037b722af",
            ),
        ];
        for (compression, digest) in pins {
            let path = dir.path().join(compression);
            let layer = write(&path, compression.parse().unwrap());
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(layer.digest.to_string(), digest, "{compression}");
            assert_eq!(layer.diff_id.to_string(), pins[0].1);
            assert_eq!(layer.digest, Digest::of(&bytes));
            assert_eq!(layer.size, bytes.len() as u64);
            assert_eq!(layer.uncompressed_size, 14_336);
        }
    }

    const EXPECTED: &str = "\
5 755 0:0 0 ./
5 755 0:0 0 bin/
0 4755 3000000:4294967295 5 bin/ping \
SCHILY.xattr.security.capability SCHILY.xattr.user.note gid mtime uid
1 755 0:0 0 bin/ping4 bin/ping
0 755 0:0 0 bin/empty
2 755 0:0 0 lib usr/lib
2 755 0:0 0 far XXXlinkpath
3 755 0:0 0 dev/null 1:3
4 755 0:0 0 dev/loop 1:3
6 755 0:0 0 run/pipe
0 755 0:0 0 etc/.wh.gone
0 755 0:0 0 .wh.gone
0 755 0:0 0 var/cache/.wh..wh..opq
0 755 0:0 3 opt/DDD/FFF path
1 755 0:0 0 opt/DDD/FFF.ln opt/DDD/FFFlinkpath path
";

    #[test]
    fn another_reader_sees_every_entry() {
        let dir = tempfile::tempdir().unwrap();
        let layer = write(&dir.path().join("layer"), Compression::None);
        let mut archive = tar::Archive::new(File::open(&layer.path).unwrap());
        let mut text = String::new();
        for found in archive.entries().unwrap() {
            let mut found = found.unwrap();
            let path = String::from_utf8_lossy(&found.path_bytes()).into_owned();
            let link = found.link_name_bytes().unwrap_or_default().into_owned();
            let mut extra = String::from_utf8(link).unwrap();
            for record in found.pax_extensions().unwrap().into_iter().flatten() {
                let key = record.unwrap().key().unwrap().to_owned();
                extra += &format!("{key} ");
            }
            let header = found.header();
            assert_eq!(header.username_bytes(), Some(&b""[..]));
            assert_eq!(header.groupname_bytes(), Some(&b""[..]));
            if let (Ok(Some(major)), Ok(Some(minor @ 1..))) =
                (header.device_major(), header.device_minor())
            {
                extra = format!("{major}:{minor}");
            }
            let line = format!(
                "{} {:o} {}:{} {} {path} {extra}",
                char::from(header.entry_type().as_byte()),
                header.mode().unwrap(),
                header.uid().unwrap(),
                header.gid().unwrap(),
                found.size(),
            );
            text += line.trim();
            text += "\n";
        }
        let text = text
            .replace(&"d".repeat(120), "DDD")
            .replace(&"f".repeat(120), "FFF")
            .replace(&"x/".repeat(100), "XXX");
        assert_eq!(text, EXPECTED);
    }

    #[test]
    fn content_of_another_length_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        for (size, message) in [
            (4, "the content of /f has fewer than the announced 4 bytes"),
            (2, "the content of /f has more than the announced 2 bytes"),
            (0, "the content of /f has more than the announced 0 bytes"),
        ] {
            let mut writer = LayerWriter::create(&path, Compression::None).unwrap();
            let error = writer
                .append(&entry("f", Kind::File { size }), &mut &b"abc"[..])
                .unwrap_err();
            assert_eq!(error.to_string(), message);
            drop(writer);
            assert!(!path.exists());
        }
    }

    #[test]
    fn what_a_layer_cannot_hold() {
        let reason = |entry: &Entry| crate::ustar::header(entry).unwrap_err();
        let device = Kind::CharDevice {
            major: 1 << 21,
            minor: 0,
        };
        let mut odd = entry("f", Kind::Fifo);
        odd.meta.xattrs.insert("user.a=b".to_owned(), Vec::new());
        let mut huge = entry("f", Kind::Fifo);
        huge.meta
            .xattrs
            .insert("user.a".to_owned(), vec![0; 2 << 20]);
        let root = ImagePath::root();
        let no_target = Kind::Symlink { target: Vec::new() };
        for (entry, expected) in [
            (entry("a/.wh.b", Kind::Fifo), EntryError::Reserved),
            (entry("", Kind::Whiteout), EntryError::RootRemoved),
            (
                entry("l", Kind::Hardlink { target: root }),
                EntryError::NoTarget,
            ),
            (entry("l", no_target), EntryError::NoTarget),
            (entry("d", device), EntryError::Device(1 << 21)),
            (odd, EntryError::XattrName("user.a=b".to_owned())),
            (huge, EntryError::TooLong),
        ] {
            assert_eq!(reason(&entry), expected);
        }
    }

    #[test]
    fn writing_a_layer_again_leaves_its_other_names_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("layer");
        let first = write(&path, Compression::None);
        let blob = dir.path().join("blob");
        std::fs::hard_link(&path, &blob).unwrap();
        drop(LayerWriter::create(&path, Compression::default()).unwrap());
        assert_eq!(Digest::of(&std::fs::read(&blob).unwrap()), first.digest);
        assert!(!path.exists());
    }

    proptest! {
        /// Any name, link, owner and size comes back through another reader
        /// (which, against POSIX, takes a line feed for the end of a record).
        #[test]
        fn headers_round_trip(
            name in proptest::collection::vec(proptest::collection::vec(11u8.., 1..130), 1..4),
            target in proptest::collection::vec(11u8.., 1..300),
            uid: u32,
            size: u64,
            folder: bool,
        ) {
            let path = ImagePath::clamped(name.join(&b'/'));
            prop_assume!(!path.is_root() && !path.name().starts_with(b".wh."));
            // Other readers drop a slash at the end of a link's target.
            let target = [&target[..], b"x"].concat();
            let kinds = if folder {
                [Kind::Dir, Kind::Symlink { target: target.clone() }]
            } else {
                [Kind::File { size }, Kind::Hardlink { target: path.clone() }]
            };
            for kind in kinds {
                let meta = Meta { uid, ..meta(0o644) };
                let entry = Entry { path: path.clone(), kind, meta };
                let header = crate::ustar::header(&entry).unwrap();
                prop_assert_eq!(header.len() % 512, 0);
                let mut archive = tar::Archive::new(&header[..]);
                let read = archive.entries().unwrap().next().unwrap().unwrap();
                let read_path = ImagePath::parse(read.path_bytes()).unwrap();
                prop_assert_eq!(&read_path, &entry.path);
                prop_assert_eq!(read.header().uid().unwrap(), u64::from(uid));
                match &entry.kind {
                    Kind::File { size } => prop_assert_eq!(read.size(), *size),
                    Kind::Symlink { target } => {
                        prop_assert_eq!(read.link_name_bytes().unwrap(), &target[..]);
                    }
                    Kind::Hardlink { target } => {
                        prop_assert_eq!(read.link_name_bytes().unwrap(), target.as_bytes());
                    }
                    _ => {}
                }
            }
        }
    }
}
