//! Names of files in the data of a program.
//!
//! A compiler ends texts with NUL, or, in Go and Rust, packs them back to
//! back. Names are cut out at the first byte that no file name of interest
//! has, so the former are found whole; of the latter only [`Strings::zones`]
//! and [`Strings::authorities`], which are looked for as they are.

use std::collections::BTreeSet;

use crate::elf::Bytes;

/// Most names of each kind that are taken from one file.
const MAX_NAMES: usize = 20_000;
/// Longest name that is looked at, `PATH_MAX`.
const MAX_NAME: usize = 4096;
/// Bytes that are held at once.
const CHUNK: usize = 4 << 20;
/// Bytes of one file that are searched, at most.
const MAX_SEARCHED: u64 = 1 << 30;

/// What the data of a program names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Strings {
    /// `libNAME.so.N` and the like, without a folder.
    pub libraries: BTreeSet<String>,
    /// Absolute paths of two components or more.
    pub paths: BTreeSet<String>,
    /// It names the folder of time zones.
    pub zones: bool,
    /// It names a file of certificate authorities, the variable that does, or
    /// a function of OpenSSL's that reads them (for `dlsym`).
    pub authorities: bool,
}

impl Strings {
    /// Searches `ranges` (offset and length) of a file. What lies beyond its
    /// end is not searched.
    pub fn read(bytes: &(impl Bytes + ?Sized), ranges: &[(u64, u64)]) -> Self {
        let mut strings = Self::default();
        let zones = memchr::memmem::Finder::new(b"/usr/share/zoneinfo");
        let authorities = [
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/ssl/cert.pem",
            "SSL_CERT_FILE",
            "SSL_CTX_set_default_verify",
            "X509_STORE_set_default_paths",
        ]
        .map(memchr::memmem::Finder::new);
        chunks(bytes, ranges, |chunk, first, last| {
            strings.zones |= zones.find(chunk).is_some();
            strings.authorities |= authorities.iter().any(|name| name.find(chunk).is_some());
            names(chunk, first, last, is_name_byte, |name| strings.take(name));
        });
        strings
    }

    fn take(&mut self, name: &str) {
        if let Some(rest) = name.strip_prefix('/') {
            if rest.trim_matches('/').contains('/') && self.paths.len() < MAX_NAMES {
                self.paths.insert(name.trim_end_matches('/').to_owned());
            }
        } else if is_library(name) && self.libraries.len() < MAX_NAMES {
            self.libraries.insert(name.to_owned());
        }
    }
}

/// Texts that look like the name of a character set (`CP1252`, `euc-jp`).
pub fn charset_names(bytes: &(impl Bytes + ?Sized), ranges: &[(u64, u64)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    chunks(bytes, ranges, |chunk, first, last| {
        names(chunk, first, last, is_charset_byte, |name| {
            let is_name = name.len() <= 32 && name.bytes().any(|b| b.is_ascii_alphabetic());
            if is_name && found.len() < MAX_NAMES {
                found.insert(name.to_ascii_uppercase());
            }
        });
    });
    found
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/._+-@~".contains(&byte)
}

fn is_charset_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._:+-()".contains(&byte)
}

/// `NAME.so` with any number of `.N` behind, and a name before.
fn is_library(name: &str) -> bool {
    let Some((stem, rest)) = name.split_once(".so") else {
        return false;
    };
    let plain = |part: &str| {
        part.strip_prefix('.')
            .is_none_or(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    stem.as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphanumeric)
        && !name.contains('/')
        && (rest.is_empty() || (rest.starts_with('.') && plain(rest)))
}

/// Hands over the ranges piece by piece, with the flags "begins a range" and
/// "ends a range". Pieces overlap, so that no name is cut in all of them.
fn chunks(
    bytes: &(impl Bytes + ?Sized),
    ranges: &[(u64, u64)],
    mut each: impl FnMut(&[u8], bool, bool),
) {
    // No byte needs to be searched twice, though ranges may overlap.
    let mut budget = MAX_SEARCHED.min(bytes.length());
    for (offset, length) in ranges {
        let room = bytes.length().saturating_sub(*offset);
        let length = (*length).min(room).min(budget);
        budget -= length;
        let mut at = 0;
        while at < length {
            let size = (length - at).min(CHUNK as u64);
            let Ok(chunk) = bytes.at(offset + at, size as usize) else {
                break;
            };
            let end = at + size == length;
            each(&chunk, at == 0, end);
            if end {
                break;
            }
            at += size - MAX_NAME as u64;
        }
    }
}

/// Every run of two or more bytes that `belongs` allows, except those
/// that the edge of a piece cuts.
fn names(
    chunk: &[u8],
    first: bool,
    last: bool,
    belongs: fn(u8) -> bool,
    mut each: impl FnMut(&str),
) {
    let table: [bool; 256] = std::array::from_fn(|byte| belongs(byte as u8));
    let mut start = 0;
    while start < chunk.len() {
        if !table[usize::from(chunk[start])] {
            start += 1;
            continue;
        }
        let rest = &chunk[start..];
        let length = rest
            .iter()
            .position(|byte| !table[usize::from(*byte)])
            .unwrap_or(rest.len());
        let end = start + length;
        let whole = (first || start > 0) && (last || end < chunk.len());
        if whole
            && (2..=MAX_NAME).contains(&length)
            && let Ok(name) = std::str::from_utf8(&chunk[start..end])
        {
            each(name);
        }
        start = end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_paths_are_found() {
        let data = b"\0libz.so.1\0%s.so\0.cpython-311.so\0/etc/ssl/openssl.cnf\0/tmp\0\
            dir=/usr/share/x/:y\0libfoo.so.bar\0a.socket\0plugin.so\0go/usr/share/zoneinfo/x";
        let strings = Strings::read(&data[..], &[(0, data.len() as u64)]);
        let libraries: Vec<&str> = strings.libraries.iter().map(String::as_str).collect();
        assert_eq!(libraries, ["libz.so.1", "plugin.so", "s.so"]);
        let paths: Vec<&str> = strings.paths.iter().map(String::as_str).collect();
        assert_eq!(paths, ["/etc/ssl/openssl.cnf", "/usr/share/x"]);
        assert!(strings.zones);
        assert!(!strings.authorities);
    }

    #[test]
    fn a_name_on_the_edge_of_a_piece_is_found_once_and_whole() {
        for shift in 0..24 {
            let mut data = vec![b' '; CHUNK - 12 + shift];
            data.extend_from_slice(b"libedge.so.12 ");
            data.resize(data.len() + 5000, b' ');
            let strings = Strings::read(&data[..], &[(0, data.len() as u64)]);
            assert_eq!(strings.libraries.len(), 1, "shift {shift}");
            assert!(strings.libraries.contains("libedge.so.12"));
        }
    }

    /// 65,535 sections may each claim to be the whole file.
    #[test]
    fn ranges_that_overlap_are_not_searched_for_ever() {
        let strings = Strings::read(&b"libz.so.1"[..], &[(0, 9), (3, 6)]);
        assert_eq!(Vec::from_iter(strings.libraries), ["libz.so.1"]);
    }

    #[test]
    fn ranges_beyond_the_end_are_cut() {
        let strings = Strings::read(&b"libz.so.1"[..], &[(3, u64::MAX), (100, 5)]);
        assert!(strings.libraries.contains("z.so.1"));
    }
}
