use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// A tar from lines: `d PATH`, `f PATH CONTENT`, `l PATH TARGET`,
/// `h PATH TARGET`, `c PATH`, `p PATH`. Paths go into the header as they are.
fn tar(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        let mut words = line.split(' ');
        let kind = words.next().unwrap();
        let path = words.next().unwrap();
        let rest = words.next().unwrap_or_default();
        let (flag, content, link) = match kind {
            "d" => (b'5', "", ""),
            "f" => (b'0', rest, ""),
            "l" => (b'2', "", rest),
            "h" => (b'1', "", rest),
            "c" => (b'3', "", ""),
            "p" => (b'6', "", ""),
            other => (other.as_bytes()[0], rest, ""),
        };
        out.extend(member(
            flag,
            path.as_bytes(),
            link.as_bytes(),
            content.as_bytes(),
        ));
    }
    out.extend([0; 1024]);
    out
}

fn member(flag: u8, path: &[u8], link: &[u8], content: &[u8]) -> Vec<u8> {
    let mut block = header(flag, path, link, content.len() as u64).to_vec();
    block.extend_from_slice(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

fn header(flag: u8, path: &[u8], link: &[u8], size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..path.len()].copy_from_slice(path);
    block[100..107].copy_from_slice(b"0004755");
    block[108..115].copy_from_slice(b"0000012");
    block[116..123].copy_from_slice(b"0000024");
    write!(&mut block[124..136], "{size:011o}").unwrap();
    write!(&mut block[136..148], "{:011o}", 1_700_000_000u64).unwrap();
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[329..336].copy_from_slice(b"0000001");
    block[337..344].copy_from_slice(b"0000003");
    seal(&mut block);
    block
}

fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
    write!(&mut block[148..155], "{sum:06o}\0").unwrap();
}

/// A pax header with these records, before whatever follows.
fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        write!(body, "{length} {key}=").unwrap();
        body.extend_from_slice(value);
        body.push(b'\n');
    }
    member(b'x', b"PaxHeaders/x", b"", &body)
}

/// Reads a tar as lines in the notation of [`tar`], with contents.
fn read(tar: &[u8]) -> Result<Vec<String>, LayerError> {
    let mut reader = LayerReader::new(tar, "layer 1");
    let mut lines = Vec::new();
    while let Some(entry) = reader.next()? {
        let mut content = String::new();
        reader
            .content()
            .take(100)
            .read_to_string(&mut content)
            .map_err(|error| error.downcast::<LayerError>().unwrap())?;
        let path = entry.path;
        lines.push(match entry.kind {
            Kind::File { size } => format!("f {path} {size} {content}"),
            Kind::Dir => format!("d {path}"),
            Kind::Symlink { target } => format!("l {path} {}", target.escape_ascii()),
            Kind::Hardlink { target } => format!("h {path} {target}"),
            Kind::CharDevice { major, minor } => format!("c {path} {major} {minor}"),
            Kind::BlockDevice { major, minor } => format!("b {path} {major} {minor}"),
            Kind::Fifo => format!("p {path}"),
            Kind::Whiteout => format!("whiteout {path}"),
            Kind::Opaque => format!("opaque {path}"),
        });
    }
    Ok(lines)
}

fn refusal(tar: &[u8]) -> String {
    read(tar).unwrap_err().to_string()
}

#[test]
fn every_kind_of_entry() {
    let tar = tar(&[
        "d ./",
        "d ./usr/",
        "f /usr/a hello",
        "l usr/b a",
        "h usr/c ./usr/a",
        "c dev/null",
        "p run/fifo",
        "f usr/.wh.old",
        "f var/.wh..wh..opq",
        "f .wh..wh.plnk/1.2 x",
    ]);
    assert_eq!(
        read(&tar).unwrap(),
        [
            "d /",
            "d /usr",
            "f /usr/a 5 hello",
            "l /usr/b a",
            "h /usr/c /usr/a",
            "c /dev/null 1 3",
            "p /run/fifo",
            "whiteout /usr/old",
            "opaque /var",
        ]
    );
}

#[test]
fn attributes_are_kept() {
    let mut tar = pax(&[
        ("SCHILY.xattr.security.capability", b"\x01\n\0="),
        ("mtime", b"1700000001.75"),
        ("uid", b"3000000000"),
    ]);
    tar.extend(member(b'0', b"x", b"", b""));
    let mut reader = LayerReader::new(&tar[..], "layer 1");
    let meta = reader.next().unwrap().unwrap().meta;
    assert_eq!(meta.xattrs["security.capability"], b"\x01\n\0=");
    assert_eq!(
        (meta.mode, meta.uid, meta.gid, meta.mtime),
        (0o4755, 3_000_000_000, 20, 1_700_000_001)
    );
}

#[test]
fn long_names_in_every_notation() {
    let long = format!("{}/{}", "d".repeat(200), "n".repeat(250));
    let want = format!("f /{long} 1 x");
    let mut by_pax = pax(&[("path", long.as_bytes())]);
    by_pax.extend(member(b'0', b"short", b"", b"x"));
    let mut by_gnu = member(b'L', b"././@LongLink", b"", format!("{long}\0").as_bytes());
    by_gnu.extend(member(b'0', b"short", b"", b"x"));
    for tar in [by_pax, by_gnu] {
        assert_eq!(read(&tar).unwrap(), [want.as_str()]);
    }
    let mut prefixed = member(b'0', b"name", b"", b"");
    prefixed[345..348].copy_from_slice(b"a/b");
    let mut block: [u8; 512] = prefixed[..512].try_into().unwrap();
    seal(&mut block);
    assert_eq!(read(&block).unwrap(), ["f /a/b/name 0 "]);
}

#[test]
fn sparse_files_have_holes() {
    // Version 1.0: the map stands before the data.
    let mut content = b"2\n2\n3\n8\n1\n".to_vec();
    content.resize(512, 0);
    content.extend(b"abcd");
    let mut new = pax(&[
        ("GNU.sparse.major", b"1"),
        ("GNU.sparse.minor", b"0"),
        ("GNU.sparse.name", b"real"),
        ("GNU.sparse.realsize", b"10"),
    ]);
    new.extend(member(b'0', b"GNUSparseFile.0/real", b"", &content));
    // Version 0.1: the map is a record.
    let mut older = pax(&[
        ("GNU.sparse.map", b"2,3,8,1"),
        ("GNU.sparse.name", b"real"),
        ("GNU.sparse.size", b"10"),
    ]);
    older.extend(member(b'0', b"x", b"", b"abcd"));
    // The old notation, in the header.
    let mut block = header(b'S', b"real", b"", 4);
    block[257..265].copy_from_slice(b"ustar  \0");
    block[345..500].fill(0);
    for (at, number) in [(386, 2), (398, 3), (410, 8), (422, 1), (483, 10)] {
        write!(&mut block[at..at + 12], "{number:011o}").unwrap();
    }
    seal(&mut block);
    let mut oldest = block.to_vec();
    oldest.extend(b"abcd");
    oldest.resize(1024, 0);
    for mut tar in [new, older, oldest] {
        tar.extend(member(b'0', b"after", b"", b"y"));
        assert_eq!(
            read(&tar).unwrap(),
            ["f /real 10 \0\0abc\0\0\0d\0", "f /after 1 y"]
        );
    }
}

#[test]
fn paths_that_lead_out_are_refused() {
    for path in [
        "../etc/passwd",
        "/../x",
        "a/../../x",
        "a/../b",
        "..",
        "./..",
    ] {
        let message = refusal(&tar(&[&format!("f {path} x")]));
        assert_eq!(
            message,
            format!(
                "layer 1, entry {path:?}: the path has a `..` in it, which could climb out of \
                 the image"
            )
        );
    }
    assert!(refusal(&tar(&["h a ../../etc/passwd"])).contains("`..`"));
    // A symbolic link may point anywhere; it is followed inside the image.
    assert!(read(&tar(&["l a ../../etc/passwd"])).is_ok());
}

#[test]
fn names_that_are_none_are_refused() {
    for line in [
        "f .wh.",
        "f a/.wh..",
        "f a/.wh...",
        "f .wh.a/b x",
        "f ./ x",
        "l a",
        "h a /",
    ] {
        assert!(read(&tar(&[line])).is_err(), "{line}");
    }
    let mut nul = pax(&[("path", b"a\0b")]);
    nul.extend(member(b'0', b"x", b"", b""));
    assert!(refusal(&nul).contains("NUL"));
    for long in ["n".repeat(256), "d/".repeat(2049)] {
        let mut tar = pax(&[("path", long.as_bytes())]);
        tar.extend(member(b'0', b"x", b"", b""));
        assert!(refusal(&tar).contains("bytes long; at most"));
    }
}

#[test]
fn damage_is_named() {
    let whole = tar(&["f a hello", "f b world"]);
    assert!(refusal(&whole[..515]).contains("ends in the middle of a file"));
    assert!(refusal(&whole[..300]).contains("ends in the middle of a header"));
    let mut flipped = whole.clone();
    flipped[1024 + 124] ^= 1;
    assert!(refusal(&flipped).contains("checksum"));
    assert!(refusal(&[b'x'; 2048]).contains("checksum"));
    assert!(refusal(&tar(&["V label"])).contains("type 'V'"));
    // Lonely blocks of zeros and rubbish behind the end.
    let mut lonely = member(b'0', b"a", b"", b"");
    lonely.extend([0; 512]);
    assert_eq!(read(&lonely).unwrap(), ["f /a 0 "]);
    lonely.extend(member(b'0', b"b", b"", b""));
    assert!(read(&lonely).is_err());
}

#[test]
fn headers_cannot_ask_for_memory() {
    let mut huge = header(b'x', b"p", b"", 8 << 30).to_vec();
    huge.extend([0; 512]);
    assert!(refusal(&huge).contains("at most 1048576"));
    let mut endless = Vec::new();
    for _ in 0..20 {
        endless.extend(pax(&[("path", b"a")]));
    }
    assert!(refusal(&endless).contains("extended headers in a row"));
    let mut overflow = pax(&[("size", b"18446744073709551615")]);
    overflow.extend(member(b'0', b"x", b"", b""));
    assert!(read(&overflow).is_err());
    let mut region = pax(&[
        ("GNU.sparse.map", b"18446744073709551615,1"),
        ("GNU.sparse.size", b"10"),
    ]);
    region.extend(member(b'0', b"x", b"", b"a"));
    assert!(read(&region).is_err());
}

#[test]
fn the_source_is_read_to_its_end() {
    struct Fails(Vec<u8>, usize);
    impl Read for Fails {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = (&self.0[self.1..]).read(buffer)?;
            self.1 += count;
            if count == 0 {
                return Err(io::Error::other("wrong digest"));
            }
            Ok(count)
        }
    }
    let mut tar = tar(&["f a x"]);
    tar.extend([0; 8192]);
    let mut reader = LayerReader::new(Fails(tar, 0), "layer 1");
    assert!(reader.next().unwrap().is_some());
    assert_eq!(
        reader.next().unwrap_err().to_string(),
        "layer 1: wrong digest"
    );
    assert!(reader.next().unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        let _ = read_all(&bytes);
    }

    /// Changed bytes under a right checksum reach further in.
    #[test]
    fn no_change_makes_it_panic(
        changes in proptest::collection::vec((0usize..8192, any::<u8>()), 1..12),
        cut in 0usize..8192,
    ) {
        let mut bytes = pax(&[
            ("path", b"a/b"),
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.realsize", b"4096"),
            ("SCHILY.xattr.user.x", b"y"),
        ]);
        let mut map = b"1\n512\n3\n".to_vec();
        map.resize(512, 0);
        map.extend(b"abc");
        bytes.extend(member(b'0', b"x", b"", &map));
        bytes.extend(member(b'S', b"x", b"", b"abc"));
        bytes.extend(member(b'L', b"x", b"", b"longer"));
        bytes.extend(tar(&["d a", "f a/b c", "l d e", "h f a/b", "f .wh.a"]));
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        for block in bytes.as_chunks_mut::<512>().0 {
            if &block[257..262] == b"ustar" {
                seal(block);
            }
        }
        bytes.truncate(cut.max(512));
        let _ = read_all(&bytes);
    }
}
