//! Symbols and debugging information out of ELF files.
//!
//! Nothing that is loaded is rewritten: no address, no dynamic table, no
//! symbol index changes. Sections that nobody loads are left out, what lies
//! behind them moves forward by whole pages, and the headers follow. That is
//! less than a linker could do, and it holds for files that other tools have
//! patched before (`patchelf` puts loaded parts behind the symbols, where
//! binutils' `strip` breaks them).

use std::collections::BTreeSet;

use super::unwind;
use crate::elf::{
    Bytes, ET_DYN, ET_EXEC, Headers, Layout, PT_LOAD, SHT_NOTE, SHT_NULL, SHT_STRTAB, SHT_SYMTAB,
    Section, Segment,
};

/// Bytes that must be gained; less is not worth a file that differs from the
/// package's.
const MIN_GAIN: u64 = 512;
/// Bytes of padding that may follow the last part of a file.
const MAX_PADDING: u64 = 64;

/// How much goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Symbols and debugging information.
    Symbols,
    /// The tables for walking a stack too, where nothing but C is in a file.
    UnwindTables,
}

/// `bytes` without symbols and debugging information; `None` where there is
/// nothing to gain or the file is better left alone: relocatable objects,
/// damaged ones, and those that carry something which is not ELF (AppImages,
/// PyInstaller's, Nuitka's and staticx's programs).
pub fn strip(bytes: &[u8], depth: Depth) -> Option<Vec<u8>> {
    let headers = Headers::parse(bytes).ok()?;
    if !matches!(headers.kind, ET_EXEC | ET_DYN) || headers.segments.is_empty() {
        return None;
    }
    let dropped = droppable(bytes, &headers)?;
    if has_payload(bytes, &headers) {
        return None;
    }
    if depth == Depth::UnwindTables
        && let Some(blank) = unwind::without_tables(bytes, &headers)
    {
        let headers = Headers::parse(&blank[..]).ok()?;
        // Where nothing can move, zeroes still compress well.
        return Some(shortened(&blank, &headers, &dropped).unwrap_or(blank));
    }
    if dropped.is_empty() {
        return None;
    }
    shortened(bytes, &headers, &dropped)
}

/// `bytes` without the dropped sections and without whatever no header names.
fn shortened(bytes: &[u8], headers: &Headers, dropped: &BTreeSet<usize>) -> Option<Vec<u8>> {
    let islands = islands(bytes, headers, dropped)?;
    let shorter = write(bytes, headers, dropped, &islands)?;
    let gained = (bytes.len() as u64).checked_sub(shorter.len() as u64)?;
    (gained >= MIN_GAIN && is_same_program(bytes, headers, &shorter)).then_some(shorter)
}

/// The sections that go, by index. `None` if one is there whose purpose is
/// unknown and that is not loaded: a payload.
fn droppable(bytes: &[u8], headers: &Headers) -> Option<BTreeSet<usize>> {
    let names = headers.sections.get(usize::from(headers.names))?;
    let names = bytes
        .at(names.offset, usize::try_from(names.size).ok()?)
        .ok()?;
    let mut dropped = BTreeSet::new();
    for (index, section) in headers.sections.iter().enumerate() {
        if section.is_loaded() || section.kind == SHT_NULL || index == usize::from(headers.names) {
            continue;
        }
        let name = headers.section_name(section, &names);
        if is_debugging(section, name) {
            dropped.insert(index);
        } else if !is_harmless(section, name) {
            return None;
        }
    }
    // The strings of the symbols go with them, unless somebody else's are
    // among them.
    let links = |by_dropped: bool| -> BTreeSet<usize> {
        headers
            .sections
            .iter()
            .enumerate()
            .filter(|(index, user)| {
                dropped.contains(index) == by_dropped && user.link as usize != *index
            })
            .map(|(_, user)| user.link as usize)
            .collect()
    };
    let (by_dropped, by_kept) = (links(true), links(false));
    for (index, section) in headers.sections.iter().enumerate() {
        if section.kind == SHT_STRTAB
            && !section.is_loaded()
            && index != usize::from(headers.names)
            && by_dropped.contains(&index)
            && !by_kept.contains(&index)
        {
            dropped.insert(index);
        }
    }
    Some(dropped)
}

fn is_debugging(section: &Section, name: &[u8]) -> bool {
    const PREFIXES: [&[u8]; 6] = [
        b".debug_",
        b".zdebug_",
        b".stab",
        b".gnu.debuglto_",
        b".gnu_debug",
        b".gdb_index",
    ];
    section.kind == SHT_SYMTAB
        || name == b".comment"
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_harmless(section: &Section, name: &[u8]) -> bool {
    // SHT_ARM_ATTRIBUTES, SHT_RISCV_ATTRIBUTES, SHT_GNU_ATTRIBUTES.
    const ATTRIBUTES: [u32; 2] = [0x7000_0003, 0x6fff_fff5];
    section.kind == SHT_STRTAB
        || section.kind == SHT_NOTE
        || ATTRIBUTES.contains(&section.kind)
        || name.starts_with(b".note.")
        || section.size == 0
}

/// True if something follows the last part that the headers know of, or lies
/// in the marks of an AppImage.
fn has_payload(bytes: &[u8], headers: &Headers) -> bool {
    let layout = headers.layout;
    let segments = headers.segments.iter().map(|s| (s.offset, s.file_size));
    let sections = headers.sections.iter().map(|s| (s.offset, s.file_size()));
    let tables = [
        (0, Headers::size(layout)),
        (
            headers.sections_at,
            headers.sections.len() as u64 * Headers::section_size(layout),
        ),
    ];
    let end = segments
        .chain(sections)
        .chain(tables)
        .map(|(offset, size)| offset.saturating_add(size))
        .max()
        .unwrap_or(0);
    bytes.len() as u64 > end.saturating_add(MAX_PADDING) || bytes.get(8..10) == Some(b"AI")
}

/// A stretch of the file that is kept, and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Island {
    start: u64,
    end: u64,
    to: u64,
}

/// What is kept of the file, in order. Parts that overlap or touch are one
/// island. Each goes to the first place behind the one before at which
/// addresses and offsets still agree modulo the page size of its segment.
fn islands(bytes: &[u8], headers: &Headers, dropped: &BTreeSet<usize>) -> Option<Vec<Island>> {
    let layout = headers.layout;
    let table = headers.segments.len() as u64 * Headers::segment_size(layout);
    // (start, end, alignment)
    let mut parts = vec![
        (0, Headers::size(layout), 1),
        (
            headers.segments_at,
            headers.segments_at.checked_add(table)?,
            8,
        ),
    ];
    for segment in &headers.segments {
        let end = segment.offset.checked_add(segment.file_size)?;
        let align = if segment.kind == PT_LOAD {
            segment.align.max(0x1000)
        } else {
            segment.align.max(1)
        };
        parts.push((segment.offset, end, align));
    }
    for (index, section) in headers.sections.iter().enumerate() {
        let is_names = index == usize::from(headers.names);
        if !dropped.contains(&index) && !is_names && section.file_size() > 0 {
            let end = section.offset.checked_add(section.size)?;
            parts.push((section.offset, end, section.align.max(1)));
        }
    }
    parts.retain(|(start, end, _)| start < end);
    parts.sort_unstable();
    let mut islands: Vec<(u64, u64, u64)> = Vec::new();
    for (start, end, align) in parts {
        if end > bytes.len() as u64 || !align.is_power_of_two() {
            return None;
        }
        match islands.last_mut() {
            Some(last) if start <= last.1 => {
                last.1 = last.1.max(end);
                last.2 = last.2.max(align);
            }
            _ => islands.push((start, end, align)),
        }
    }
    let mut at = 0;
    let mut placed = Vec::new();
    for (start, end, align) in islands {
        let to = congruent(at, start, align)?;
        // Never further back than it was.
        let to = to.min(start);
        placed.push(Island { start, end, to });
        at = to.checked_add(end - start)?;
    }
    Some(placed)
}

/// The first number from `from` up that agrees with `with` modulo `modulus`.
fn congruent(from: u64, with: u64, modulus: u64) -> Option<u64> {
    let ahead = with.wrapping_sub(from) & (modulus - 1);
    from.checked_add(ahead)
}

fn write(
    bytes: &[u8],
    headers: &Headers,
    dropped: &BTreeSet<usize>,
    islands: &[Island],
) -> Option<Vec<u8>> {
    let layout = headers.layout;
    // What is nowhere kept has no new place; headers of empty parts may point
    // there.
    let moved = |offset: u64| {
        let holds = |i: &&Island| (i.start..=i.end).contains(&offset);
        // Where two touch a hole, the one that begins there is meant.
        let island = islands.iter().rev().find(holds)?;
        Some(island.to + (offset - island.start))
    };
    let mut out = Vec::with_capacity(bytes.len());
    for island in islands {
        out.resize(usize::try_from(island.to).ok()?, 0);
        let range = usize::try_from(island.start).ok()?..usize::try_from(island.end).ok()?;
        out.extend_from_slice(bytes.get(range)?);
    }

    let (names, name_offsets) = names(bytes, headers, dropped)?;
    let names_at = out.len() as u64;
    out.extend_from_slice(&names);
    out.resize(out.len().next_multiple_of(8), 0);
    let sections_at = out.len() as u64;
    let entry = Headers::section_size(layout);
    let old_table = usize::try_from(headers.sections_at).ok()?;
    // Trailing entries go; one in between becomes empty, so that the indexes
    // in symbols and links stay true.
    let count = headers.sections.len() - trailing(headers, dropped);
    for (index, section) in headers.sections.iter().take(count).enumerate() {
        let from = old_table + index * entry as usize;
        let mut raw = bytes.get(from..from + entry as usize)?.to_vec();
        if dropped.contains(&index) {
            raw.fill(0);
        } else if section.kind != SHT_NULL {
            let (offset, size) = if index == usize::from(headers.names) {
                (names_at, names.len() as u64)
            } else {
                (moved(section.offset).unwrap_or(0), section.size)
            };
            layout.put_word(&mut raw, 0, name_offsets[index]);
            layout.put_address(&mut raw, section_field(layout, 2), offset);
            layout.put_address(&mut raw, section_field(layout, 3), size);
        }
        out.extend_from_slice(&raw);
    }

    let size = layout.address_size();
    let segments_at = moved(headers.segments_at)?;
    layout.put_address(&mut out, 24 + size, segments_at);
    layout.put_address(&mut out, 24 + 2 * size, sections_at);
    let counts = 24 + 3 * size + 4 + 2;
    put_half(&mut out, counts + 6, layout, u16::try_from(count).ok()?);
    for (index, segment) in headers.segments.iter().enumerate() {
        let at = segments_at + index as u64 * Headers::segment_size(layout);
        let at = usize::try_from(at).ok()? + if layout.is_64 { 8 } else { 4 };
        let offset = if segment.file_size == 0 {
            // Takes nothing from the file, but offset and address must agree.
            moved(segment.offset).unwrap_or(segment.offset & (segment.align.max(1) - 1))
        } else {
            moved(segment.offset)?
        };
        layout.put_address(&mut out, at, offset);
    }
    Some(out)
}

fn put_half(bytes: &mut [u8], at: usize, layout: Layout, value: u16) {
    let raw = if layout.big_endian {
        value.to_be_bytes()
    } else {
        value.to_le_bytes()
    };
    if let Some(field) = bytes.get_mut(at..at + 2) {
        field.copy_from_slice(&raw);
    }
}

/// Where in a section header the nth of its address-sized fields lies: flags,
/// address, offset, size.
fn section_field(layout: Layout, nth: usize) -> usize {
    8 + nth * layout.address_size()
}

fn trailing(headers: &Headers, dropped: &BTreeSet<usize>) -> usize {
    (0..headers.sections.len())
        .rev()
        .take_while(|index| dropped.contains(index))
        .count()
}

/// A new table of section names, and for each section where its name begins.
fn names(
    bytes: &[u8],
    headers: &Headers,
    dropped: &BTreeSet<usize>,
) -> Option<(Vec<u8>, Vec<u32>)> {
    let old = headers.sections.get(usize::from(headers.names))?;
    let old = bytes.at(old.offset, usize::try_from(old.size).ok()?).ok()?;
    let mut table = vec![0];
    let mut offsets = Vec::new();
    for (index, section) in headers.sections.iter().enumerate() {
        let name = headers.section_name(section, &old);
        if dropped.contains(&index) || name.is_empty() {
            offsets.push(0);
            continue;
        }
        offsets.push(u32::try_from(table.len()).ok()?);
        table.extend_from_slice(name);
        table.push(0);
    }
    Some((table, offsets))
}

/// The check that decides: whatever is loaded has the same bytes at the same
/// addresses, and can be mapped from where it now is.
fn is_same_program(before: &[u8], old: &Headers, after: &[u8]) -> bool {
    let Ok(new) = Headers::parse(after) else {
        return false;
    };
    let same_segments = old.segments.len() == new.segments.len()
        && old.segments.iter().zip(&new.segments).all(|(a, b)| {
            let page = a.align.max(1);
            let can_be_mapped = a.kind != PT_LOAD || a.offset & (page - 1) == b.offset & (page - 1);
            let offset = b.offset;
            can_be_mapped && Segment { offset, ..*a } == *b && same_bytes(before, old, a, after, b)
        });
    let loaded = |headers: &Headers| -> Vec<(u32, u64, u64, u64)> {
        headers
            .sections
            .iter()
            .filter(|section| section.is_loaded())
            .map(|section| (section.kind, section.flags, section.address, section.size))
            .collect()
    };
    same_segments && loaded(old) == loaded(&new)
}

/// Compares a segment with itself after the move, except where it holds the
/// headers: offsets in them have changed.
fn same_bytes(before: &[u8], old: &Headers, a: &Segment, after: &[u8], b: &Segment) -> bool {
    let table = old.segments.len() as u64 * Headers::segment_size(old.layout);
    let headers = [
        (0, Headers::size(old.layout)),
        (old.segments_at, old.segments_at.saturating_add(table)),
    ];
    let end = a.offset.saturating_add(a.file_size);
    let mut at = a.offset;
    while at < end {
        if let Some((_, behind)) = headers.iter().find(|(from, to)| (*from..*to).contains(&at)) {
            at = *behind;
            continue;
        }
        let starts = headers.iter().map(|(from, _)| *from);
        let until = starts.filter(|from| *from > at).fold(end, u64::min);
        let length = until - at;
        let x = piece(before, at, length);
        let y = piece(after, b.offset.saturating_add(at - a.offset), length);
        if x.is_none() || x != y {
            return false;
        }
        at = until;
    }
    true
}

fn piece(bytes: &[u8], at: u64, length: u64) -> Option<&[u8]> {
    let from = usize::try_from(at).ok()?;
    bytes.get(from..from.checked_add(usize::try_from(length).ok()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test program has symbols and debugging information.
    fn program() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn a_stripped_program_is_smaller_and_still_runs() {
        let before = program();
        let after = strip(&before, Depth::Symbols).unwrap();
        assert!(after.len() < before.len());
        let names = Headers::parse(&after[..]).unwrap();
        assert!(!names.sections.iter().any(|s| s.kind == SHT_SYMTAB));
        assert_eq!(
            strip(&after, Depth::Symbols),
            None,
            "nothing is left to gain"
        );

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, &after).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        let output = std::process::Command::new(&path)
            .arg("--list")
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("transform::strip"));
    }

    /// As `patchelf` leaves files: a loaded part behind the symbols, and the
    /// program headers in it.
    #[test]
    fn a_loaded_part_behind_the_symbols_moves_by_whole_pages() {
        let mut before = program();
        let headers = Headers::parse(&before[..]).unwrap();
        let table = headers.segments.len() * Headers::segment_size(headers.layout) as usize;
        let from = headers.segments_at as usize;
        let mut moved = before[from..from + table].to_vec();
        // The last segment that is only a hint becomes the new loaded part.
        let hint = headers
            .segments
            .iter()
            .rposition(|s| s.file_size == 0)
            .unwrap();
        before.resize(before.len().next_multiple_of(0x1000), 0);
        let at = before.len() as u64;
        let address = headers
            .loads()
            .map(|s| s.address + s.memory_size)
            .max()
            .unwrap();
        let address = address.next_multiple_of(0x10_0000);
        let raw = &mut moved[hint * 56..][..56];
        headers.layout.put_word(raw, 0, PT_LOAD);
        let fields = [at, address, address, table as u64, table as u64, 0x1000];
        for (nth, value) in fields.into_iter().enumerate() {
            headers.layout.put_address(raw, 8 + 8 * nth, value);
        }
        before.extend_from_slice(&moved);
        headers.layout.put_address(&mut before, 32, at);

        let after = strip(&before, Depth::Symbols).unwrap();
        let new = Headers::parse(&after[..]).unwrap();
        assert!(new.segments_at < at);
        assert_eq!(new.segments_at % 0x1000, 0);
        assert_eq!(new.segments[hint].address, address);
        assert_eq!(new.segments[hint].offset, new.segments_at);
    }

    #[test]
    fn what_carries_a_payload_is_left_alone() {
        let mut appended = program();
        appended.extend_from_slice(&[7; 100]);
        assert_eq!(strip(&appended, Depth::Symbols), None);
        let mut marked = program();
        marked[8..11].copy_from_slice(b"AI\x02");
        assert_eq!(strip(&marked, Depth::Symbols), None);
        assert_eq!(strip(b"#!/bin/sh", Depth::Symbols), None);
        assert_eq!(strip(&program()[..5000], Depth::Symbols), None);
    }

    #[test]
    fn damaged_headers_never_panic() {
        let whole = program();
        let headers = Headers::parse(&whole[..]).unwrap();
        let sections = headers.sections_at as usize;
        for at in (0..400)
            .step_by(3)
            .chain((sections..whole.len()).step_by(41))
        {
            for value in [0, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = strip(&bytes, Depth::Symbols);
            }
        }
    }

    /// As many sections as there can be, each a table of strings: they were
    /// compared each with each.
    #[test]
    fn a_multitude_of_sections() {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64 + 56, 0);
        bytes[16] = ET_DYN as u8;
        bytes[32] = 64;
        bytes[40] = 64 + 56;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[58] = 64;
        bytes[60..62].copy_from_slice(&[0xff; 2]);
        let mut section = [0; 64];
        section[4] = SHT_STRTAB as u8;
        for _ in 0..u16::MAX {
            bytes.extend_from_slice(&section);
        }
        assert_eq!(Headers::parse(&bytes[..]).unwrap().sections.len(), 65_535);
        assert_eq!(strip(&bytes, Depth::Symbols), None);
    }
}
