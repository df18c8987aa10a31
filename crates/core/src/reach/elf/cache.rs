//! glibc's answers to "where do libraries lie": `/etc/ld.so.cache` and
//! `/etc/ld.so.conf`.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0\0";
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// Entries that are read, at most; a full desktop has about 5,000.
const MAX_ENTRIES: usize = 200_000;

/// Soname → paths, in the order of the cache: the best variant first.
pub type Cache = BTreeMap<String, Vec<ImagePath>>;

/// Reads a cache in the format of glibc 2.2 and later (glibc,
/// `sysdeps/generic/dl-cache.h`, `struct cache_file_new`), alone or behind the
/// older one. Entries that point outside of the file are left out.
pub fn parse(bytes: &[u8]) -> Cache {
    let mut cache = Cache::new();
    let Some(new) = new_format(bytes) else {
        return cache;
    };
    // 20 bytes of magic and version, number of entries, size of the strings,
    // flags, 3 bytes of padding, offset of the extensions, 12 bytes unused.
    const HEADER: usize = 48;
    const ENTRY: usize = 24;
    // Written in the machine's byte order; since glibc 2.33 the flags tell
    // which (2: little, 3: big). Older ones are taken for little-endian.
    let big = new.get(28).is_some_and(|flags| flags & 3 == 3);
    let word = |at: usize| -> Option<usize> {
        let raw: [u8; 4] = new.get(at..at + 4)?.try_into().ok()?;
        let word = if big {
            u32::from_be_bytes(raw)
        } else {
            u32::from_le_bytes(raw)
        };
        Some(word as usize)
    };
    let text = |at: usize| -> Option<&str> {
        let rest = new.get(at..)?;
        std::str::from_utf8(&rest[..memchr::memchr(0, rest)?]).ok()
    };
    let count = word(20).unwrap_or(0).min(MAX_ENTRIES);
    for nth in 0..count {
        let at = HEADER + nth * ENTRY;
        // flags, key, value, OS version, hwcap.
        let (Some(key), Some(value)) = (word(at + 4), word(at + 8)) else {
            break;
        };
        if let (Some(soname), Some(path)) = (text(key), text(value)) {
            let paths = cache.entry(soname.to_owned()).or_default();
            paths.push(ImagePath::clamped(path));
        }
    }
    cache
}

fn new_format(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.starts_with(NEW_MAGIC) {
        return Some(bytes);
    }
    if !bytes.starts_with(OLD_MAGIC) {
        return None;
    }
    // 12 bytes of magic, the count, entries of 12 bytes; the new format is
    // aligned to 8, and its strings count from its own start.
    let count = u32::from_le_bytes(bytes.get(12..16)?.try_into().ok()?) as usize;
    let at = count.checked_mul(12)?.checked_add(16)?.checked_add(7)? & !7;
    bytes.get(at..).filter(|rest| rest.starts_with(NEW_MAGIC))
}

/// One line of an `ld.so.conf` that says something (ldconfig(8)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Folder(String),
    /// `include PATTERN`: a glob; relative to the file's own folder.
    Include(String),
}

/// Reads an `ld.so.conf`.
pub fn conf_lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let mut words = line
            .split([' ', '\t', ',', ':'])
            .filter(|word| !word.is_empty());
        match words.next() {
            Some("include") => lines.extend(words.map(|word| Line::Include(word.to_owned()))),
            // Obsolete, and never a folder.
            Some("hwcap") | None => {}
            Some(first) => {
                // `DIR=TYPE` was libc5's.
                let folder = |word: &str| {
                    Line::Folder(word.split('=').next().unwrap_or_default().to_owned())
                };
                lines.push(folder(first));
                lines.extend(words.map(folder));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new_cache(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = NEW_MAGIC.to_vec();
        bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&[0; 24]);
        let mut strings = Vec::new();
        let base = 48 + 24 * entries.len();
        for (soname, path) in entries {
            let mut put = |text: &str| {
                let at = (base + strings.len()) as u32;
                strings.extend_from_slice(text.as_bytes());
                strings.push(0);
                at.to_le_bytes()
            };
            let (key, value) = (put(soname), put(path));
            bytes.extend_from_slice(&[3, 3, 0, 0]);
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&value);
            bytes.extend_from_slice(&[0; 12]);
        }
        bytes.extend_from_slice(&strings);
        bytes
    }

    #[test]
    fn both_formats_are_read() {
        let new = new_cache(&[
            ("libz.so.1", "/opt/glibc-hwcaps/x86-64-v3/libz.so.1"),
            ("libz.so.1", "/opt/libz.so.1"),
            ("liba.so", "/usr/lib/liba.so"),
        ]);
        let cache = parse(&new);
        assert_eq!(cache["libz.so.1"].len(), 2);
        assert_eq!(cache["liba.so"], ["usr/lib/liba.so".into()]);
        let mut old = OLD_MAGIC.to_vec();
        old.extend_from_slice(&[1, 0, 0, 0]);
        old.resize(32, 0);
        old.extend_from_slice(&new);
        assert_eq!(parse(&old), cache);
    }

    #[test]
    fn damage_is_survived() {
        let whole = new_cache(&[("libz.so.1", "/opt/libz.so.1")]);
        for cut in 0..whole.len() {
            parse(&whole[..cut]);
        }
        let mut wild = whole.clone();
        wild[20..24].copy_from_slice(&[0xff; 4]);
        assert_eq!(parse(&wild)["libz.so.1"].len(), 1);
        assert!(parse(b"ld.so-1.7.0\0\xff\xff\xff\xff").is_empty());
    }

    #[test]
    fn conf() {
        let text = "# x\ninclude ld.so.conf.d/*.conf\n/opt/lib /opt/lib2 # y\nhwcap 0 nosegneg\n";
        assert_eq!(
            conf_lines(text),
            [
                Line::Include("ld.so.conf.d/*.conf".into()),
                Line::Folder("/opt/lib".into()),
                Line::Folder("/opt/lib2".into()),
            ]
        );
    }
}
