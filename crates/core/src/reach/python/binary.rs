//! Strings in compiled extension modules.
//!
//! C, Cython and Rust code imports by strings that no parser sees. What is
//! found here are candidates; whether one counts depends on what the image
//! has. Three shapes occur: strings that end with a NUL (C, Cython 3.0 and
//! older), strings glued end to end (Rust; Cython since 3.1), and the latter
//! compressed (Cython since 3.2: zlib, or an LZSS of its own since 3.3).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;

use super::imports::{is_dotted, is_identifier};
use crate::elf::Headers;

/// Strings of one extension module.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strings {
    /// Dotted names: `pandas._libs.tslibs`.
    pub dotted: BTreeSet<String>,
    /// Single identifiers.
    pub single: BTreeSet<String>,
    /// Text without borders between its strings.
    pub glued: Vec<u8>,
    /// It is Cython's, and its names were not found: they are compressed in a
    /// way that is not known here.
    pub unreadable: bool,
}

/// Longest name, and most names, that are looked at.
const LONGEST_NAME: usize = 120;
const MOST_NAMES: usize = 200_000;
/// From this length on, a run of text may be several strings.
const SHORTEST_GLUED: usize = 300;
/// Most glued text that is kept of one file, and that one table may unpack to.
const MOST_GLUED: usize = 16 << 20;
const LARGEST_TABLE: usize = 4 << 20;
/// Most bytes that are unpacked of one file to see whether they are a table,
/// and what each attempt counts for at least.
const MOST_INFLATED: u64 = 256 << 20;
const ATTEMPT: u64 = 16 << 10;

/// Every Cython module has this name, for the marker of its coroutines; it is
/// used only after the app itself imported asyncio.
const IN_EVERY_CYTHON: &str = "asyncio.coroutines";

/// Reads the strings of an extension module's file.
pub fn strings(bytes: &[u8]) -> Strings {
    let mut strings = Strings::default();
    let rust = memchr::memmem::find(bytes, b"PanicException").is_some();
    let cython = memchr::memmem::find(bytes, b"pyx_").is_some();
    let bytes = &*loaded(bytes);
    for run in bytes.split(|b| *b == 0) {
        if run.len() >= SHORTEST_GLUED {
            glued(run, rust, &mut strings.glued);
        } else if run.len() >= 2
            && run.len() <= LONGEST_NAME
            && strings.dotted.len() + strings.single.len() < MOST_NAMES
            && let Ok(text) = std::str::from_utf8(run)
        {
            if is_identifier(text) {
                strings.single.insert(text.to_owned());
            } else if is_dotted(text) {
                strings.dotted.insert(text.to_owned());
            }
        }
    }
    if cython {
        tables(bytes, &mut strings.glued);
        // Every Cython module has this word among its names.
        let word = "cline_in_traceback";
        strings.unreadable = !strings.single.contains(word)
            && !strings.single.contains("__test__")
            && memchr::memmem::find(&strings.glued, b"__test__").is_none();
    }
    strings.dotted.remove(IN_EVERY_CYTHON);
    let marks: Vec<usize> =
        memchr::memmem::find_iter(&strings.glued, IN_EVERY_CYTHON.as_bytes()).collect();
    for at in marks {
        strings.glued[at..at + IN_EVERY_CYTHON.len()].fill(0);
    }
    strings
}

/// What the loader maps of an ELF file: code imports by strings that are in
/// memory, and debugging information names every variable and sibling of the
/// sources. The whole file, where its headers do not say.
fn loaded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let Ok(headers) = Headers::parse(bytes) else {
        return bytes.into();
    };
    let mut ranges: Vec<Range<usize>> = headers
        .loads()
        .map(|segment| {
            let place = |at: u64| usize::try_from(at).map_or(bytes.len(), |at| at.min(bytes.len()));
            place(segment.offset)..place(segment.offset.saturating_add(segment.file_size))
        })
        .filter(|range| !range.is_empty())
        .collect();
    if ranges.is_empty() {
        return bytes.into();
    }
    ranges.sort_by_key(|range| range.start);
    let mut loaded = Vec::new();
    let mut end = 0;
    for range in ranges {
        // Segments may share a page.
        loaded.extend_from_slice(&bytes[range.start.max(end).min(range.end)..range.end]);
        loaded.push(0);
        end = end.max(range.end);
    }
    loaded.into()
}

/// Pieces of a run that read as text. Prose, recognised by its spaces, is
/// documentation; in Rust it stands among names.
fn glued(run: &[u8], rust: bool, into: &mut Vec<u8>) {
    for piece in run.split(|b| !(0x20..0x7f).contains(b) && *b != b'\n') {
        let spaces = memchr::memchr_iter(b' ', piece).count();
        if piece.len() >= SHORTEST_GLUED
            && (rust || spaces * 12 < piece.len())
            && into.len() + piece.len() < MOST_GLUED
        {
            into.extend_from_slice(piece);
            into.push(0);
        }
    }
}

/// Unpacks compressed string tables wherever one begins.
fn tables(bytes: &[u8], into: &mut Vec<u8>) {
    let mut budget = MOST_INFLATED;
    let mut at = 0;
    while at + 16 < bytes.len() && into.len() < MOST_GLUED {
        let here = &bytes[at..];
        let unpacked = match here[0] {
            0x78 if matches!(here[1], 0x01 | 0x5e | 0x9c | 0xda) && budget > 0 => {
                inflate(here, &mut budget)
            }
            // Eight literals: nothing to refer back to yet.
            0xff if here[1..9].iter().all(|b| is_text(*b)) => lzss(here),
            _ => None,
        };
        if let Some(text) = unpacked {
            into.extend_from_slice(&text);
            into.push(0);
        }
        at += 1;
    }
}

fn inflate(bytes: &[u8], budget: &mut u64) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(LARGEST_TABLE.min(bytes.len() * 8));
    let mut inflater = flate2::Decompress::new(true);
    let status = inflater.decompress_vec(bytes, &mut out, flate2::FlushDecompress::Finish);
    *budget = budget.saturating_sub(inflater.total_out().max(ATTEMPT));
    let status = status.ok()?;
    (status == flate2::Status::StreamEnd && out.len() > 64).then_some(out)
}

/// Unpacks Cython's LZSS: a byte of flags, lowest first, then for each flag a
/// literal byte (1) or a reference back (0) of two or three bytes. A distance
/// is counted from the end of what is referred to; a length is 3 more than
/// written. The length of the whole is not stored: reading ends where a
/// reference leads before the beginning.
fn lzss(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::new();
    let mut input = bytes.iter().map(|b| usize::from(*b));
    'all: while out.len() < LARGEST_TABLE {
        let Some(flags) = input.next() else {
            break;
        };
        for bit in 0..8 {
            if flags >> bit & 1 == 1 {
                let Some(literal) = input.next() else {
                    break 'all;
                };
                out.push(literal as u8);
            } else {
                let (Some(low), Some(high)) = (input.next(), input.next()) else {
                    break 'all;
                };
                let (gap, length) = if low & 0x80 == 0 {
                    (low, high)
                } else if high & 0x80 == 0 {
                    (0x80 + ((high << 2) & 0x180 | low & 0x7f), high & 0x1f)
                } else {
                    let Some(length) = input.next() else {
                        break 'all;
                    };
                    (0x80 + ((high & 0x7f) << 7 | low & 0x7f), length)
                };
                let length = length + 3;
                let Some(from) = out.len().checked_sub(gap + length) else {
                    break 'all;
                };
                out.extend_from_within(from..from + length);
            }
        }
        // The table begins with text; anything else is chance.
        if out.len() < 256 && !out.iter().all(|b| is_text(*b)) {
            return None;
        }
    }
    (out.len() >= 256).then_some(out)
}

fn is_text(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) || byte == b'\n' || byte >= 0x80
}

/// Which of `names` occur in glued text.
pub fn within<'n>(glued: &[u8], names: &[&'n str]) -> BTreeSet<&'n str> {
    let Ok(searcher) = AhoCorasick::new(names) else {
        return BTreeSet::new();
    };
    searcher
        .find_overlapping_iter(glued)
        .map(|found| names[found.pattern().as_usize()])
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn names_between_nuls() {
        let strings = strings(b"\x7fELF\0pandas._libs\0datetime\0a b\0x\0\xff\xfe\0");
        assert_eq!(strings.dotted, ["pandas._libs".to_owned()].into());
        assert_eq!(strings.single, ["datetime".to_owned()].into());
        assert!(!strings.unreadable);
    }

    /// A library of one segment, and debugging information behind it.
    #[test]
    fn what_is_not_loaded_is_not_said() {
        let text = b"\0pyx_\0pandas._libs\0cline_in_traceback\0";
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(16, 0);
        bytes.extend([3, 0, 62, 0, 1, 0, 0, 0]);
        for number in [0_u64, 64, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
        bytes.extend([1, 0, 0, 0, 4, 0, 0, 0]);
        for number in [120, 0x1000, 0x1000, text.len() as u64, text.len() as u64, 1] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(text);
        bytes.extend(b"\0pandas._testing\0reader\0");
        let strings = strings(&bytes);
        assert_eq!(strings.dotted, ["pandas._libs".to_owned()].into());
        assert!(!strings.single.contains("reader"));
        assert!(!strings.unreadable);
    }

    #[test]
    fn names_glued_and_prose() {
        let mut bytes = b"\0".to_vec();
        bytes.extend(b"decimaluuidzoneinfo".repeat(40));
        bytes.extend(b"\0");
        bytes.extend(b"some words about threading ".repeat(40));
        let strings = strings(&bytes);
        assert_eq!(
            within(&strings.glued, &["decimal", "uuid", "enum", "threading"]),
            ["decimal", "uuid"].into()
        );
    }

    #[test]
    fn a_zlib_table() {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder
            .write_all("__test__asyncio_noop".repeat(20).as_bytes())
            .unwrap();
        let mut bytes = b"__pyx_capi__\0\0".to_vec();
        bytes.extend(encoder.finish().unwrap());
        bytes.extend([0; 32]);
        let strings = strings(&bytes);
        assert!(!strings.unreadable);
        assert!(within(&strings.glued, &["_noop"]).contains("_noop"));
    }

    #[test]
    fn an_lzss_table() {
        // Literals, then references: 3 + 5 bytes from directly before.
        let mut bytes = b"\xff_noop_a.\xff__test__".to_vec();
        for _ in 0..40 {
            bytes.extend(b"\x00");
            bytes.extend([0u8, 5].repeat(8));
        }
        let text = lzss(&bytes).unwrap();
        assert!(text.starts_with(b"_noop_a.__test____test____test__"));
        let mut file = b"__pyx_capi__\0".to_vec();
        file.extend(bytes);
        assert!(!strings(&file).unreadable);
    }

    #[test]
    fn cython_without_names_is_noticed() {
        assert!(strings(b"\0__pyx_capi__\0\x01\x02\x03").unreadable);
    }

    /// Each took minutes when every piece of the input cost a search of all.
    #[test]
    fn tables_made_to_be_slow() {
        // Stored blocks of which each holds the beginnings of thousands.
        let bomb = b"\x78\x01\x00\xff\xff\x00\x00".repeat(300_000);
        let mut bytes = b"\0pyx_\0".to_vec();
        bytes.extend(bomb);
        assert!(strings(&bytes).glued.len() <= MOST_GLUED + LARGEST_TABLE + 1);
        let marks = IN_EVERY_CYTHON.as_bytes().repeat(MOST_GLUED / 20);
        let glued = strings(&marks).glued;
        assert!(memchr::memmem::find(&glued, IN_EVERY_CYTHON.as_bytes()).is_none());
    }
}
