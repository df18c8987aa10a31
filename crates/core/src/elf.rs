//! The headers of an ELF file (System V ABI, chapters 4 and 5), as plain
//! numbers, whatever its class and byte order. Who reads the dynamic section
//! or rewrites a file builds on these.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Program and section headers that are looked at, at most. The format allows
/// 65,535 of each before its escape through section 0, which nothing that can
/// be loaded uses.
const MAX_HEADERS: u64 = 65_535;

pub const ET_EXEC: u16 = 2;
pub const ET_DYN: u16 = 3;
pub const PT_LOAD: u32 = 1;
pub const PT_DYNAMIC: u32 = 2;
pub const PT_INTERP: u32 = 3;
pub const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
pub const PT_GNU_STACK: u32 = 0x6474_e551;
pub const PF_X: u32 = 1;
pub const PF_W: u32 = 2;
pub const SHT_NULL: u32 = 0;
pub const SHT_PROGBITS: u32 = 1;
pub const SHT_SYMTAB: u32 = 2;
pub const SHT_STRTAB: u32 = 3;
pub const SHT_NOTE: u32 = 7;
pub const SHT_NOBITS: u32 = 8;
pub const SHT_DYNSYM: u32 = 11;
pub const SHF_WRITE: u64 = 1;
pub const SHF_ALLOC: u64 = 2;
pub const SHF_EXECINSTR: u64 = 4;

/// Why bytes cannot be read as an ELF file.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    #[error("not an ELF file")]
    NotElf,
    #[error("damaged ELF file: {0}")]
    Damaged(&'static str),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Bytes that can be read at any place: a slice, or a file that is too big to
/// be held.
pub trait Bytes {
    fn length(&self) -> u64;

    /// Exactly `len` bytes at `offset`; an error where there are fewer.
    fn at(&self, offset: u64, len: usize) -> Result<Cow<'_, [u8]>, ElfError>;
}

impl Bytes for [u8] {
    fn length(&self) -> u64 {
        self.len() as u64
    }

    fn at(&self, offset: u64, len: usize) -> Result<Cow<'_, [u8]>, ElfError> {
        usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(len)?))
            .map(Cow::Borrowed)
            .ok_or(ElfError::Damaged("a part lies beyond the end"))
    }
}

/// A file on the host, read piece by piece.
pub struct OnDisk {
    file: File,
    length: u64,
}

impl OnDisk {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl Bytes for OnDisk {
    fn length(&self) -> u64 {
        self.length
    }

    fn at(&self, offset: u64, len: usize) -> Result<Cow<'_, [u8]>, ElfError> {
        // Checked before the buffer is made: `len` may come from a header.
        if offset
            .checked_add(len as u64)
            .is_none_or(|end| end > self.length)
        {
            return Err(ElfError::Damaged("a part lies beyond the end"));
        }
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(Cow::Owned(bytes))
    }
}

/// How numbers are laid out: `e_ident[EI_CLASS]` and `e_ident[EI_DATA]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Layout {
    pub is_64: bool,
    pub big_endian: bool,
}

impl Layout {
    /// The unsigned number of `size` bytes (2, 4 or 8) at `at`; 0 beyond the
    /// end of `bytes`, which callers cut to the structure's size beforehand.
    fn number(self, bytes: &[u8], at: usize, size: usize) -> u64 {
        let Some(field) = bytes.get(at..at + size) else {
            return 0;
        };
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.big_endian {
            field.iter().fold(0, add)
        } else {
            field.iter().rev().fold(0, add)
        }
    }

    pub fn half(self, bytes: &[u8], at: usize) -> u16 {
        self.number(bytes, at, 2) as u16
    }

    pub fn word(self, bytes: &[u8], at: usize) -> u32 {
        self.number(bytes, at, 4) as u32
    }

    /// An address or offset: 4 or 8 bytes by class.
    pub fn address(self, bytes: &[u8], at: usize) -> u64 {
        self.number(bytes, at, self.address_size())
    }

    pub fn address_size(self) -> usize {
        if self.is_64 { 8 } else { 4 }
    }

    /// Size of an entry of `.dynsym`.
    pub fn symbol_size(self) -> usize {
        if self.is_64 { 24 } else { 16 }
    }

    /// Writes an address or offset. `at` must lie inside.
    pub fn put_address(self, bytes: &mut [u8], at: usize, value: u64) {
        let size = self.address_size();
        self.put(bytes, at, size, value);
    }

    pub fn put_word(self, bytes: &mut [u8], at: usize, value: u32) {
        self.put(bytes, at, 4, u64::from(value));
    }

    fn put(self, bytes: &mut [u8], at: usize, size: usize, value: u64) {
        let little = value.to_le_bytes();
        if let Some(field) = bytes.get_mut(at..at + size) {
            field.copy_from_slice(&little[..size]);
            if self.big_endian {
                field.reverse();
            }
        }
    }
}

/// A program header: what is loaded where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub file_size: u64,
    pub memory_size: u64,
    pub align: u64,
}

/// A section header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// Offset of the name in the section of names.
    pub name: u32,
    pub kind: u32,
    pub flags: u64,
    pub address: u64,
    pub offset: u64,
    pub size: u64,
    pub link: u32,
    pub align: u64,
}

impl Section {
    pub fn is_loaded(&self) -> bool {
        self.flags & SHF_ALLOC != 0
    }

    /// Bytes that it takes in the file.
    pub fn file_size(&self) -> u64 {
        match self.kind {
            SHT_NOBITS | SHT_NULL => 0,
            _ => self.size,
        }
    }
}

/// The three header tables of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    pub layout: Layout,
    /// `ET_EXEC`, `ET_DYN`, ...
    pub kind: u16,
    pub machine: u16,
    pub segments_at: u64,
    pub sections_at: u64,
    /// Index of the section that holds the sections' names.
    pub names: u16,
    pub segments: Vec<Segment>,
    pub sections: Vec<Section>,
}

impl Headers {
    pub fn parse(bytes: &(impl Bytes + ?Sized)) -> Result<Self, ElfError> {
        let ident = bytes.at(0, 20).map_err(|_| ElfError::NotElf)?;
        if !ident.starts_with(b"\x7fELF") {
            return Err(ElfError::NotElf);
        }
        let layout = Layout {
            is_64: match ident[4] {
                1 => false,
                2 => true,
                _ => return Err(ElfError::Damaged("unknown class")),
            },
            big_endian: match ident[5] {
                1 => false,
                2 => true,
                _ => return Err(ElfError::Damaged("unknown byte order")),
            },
        };
        let size = layout.address_size();
        let header = bytes.at(0, Self::size(layout) as usize)?;
        // e_type, e_machine, e_version, e_entry, e_phoff, e_shoff, e_flags,
        // e_ehsize, e_phentsize, e_phnum, e_shentsize, e_shnum, e_shstrndx.
        let counts = 24 + 3 * size + 4 + 2;
        let mut headers = Self {
            layout,
            kind: layout.half(&header, 16),
            machine: layout.half(&header, 18),
            segments_at: layout.address(&header, 24 + size),
            sections_at: layout.address(&header, 24 + 2 * size),
            names: layout.half(&header, counts + 8),
            segments: Vec::new(),
            sections: Vec::new(),
        };
        let [segment_size, segments, section_size, sections] =
            [0, 2, 4, 6].map(|at| u64::from(layout.half(&header, counts + at)));
        if headers.segments_at != 0 && segments != 0 {
            if segment_size != Self::segment_size(layout) {
                return Err(ElfError::Damaged("odd size of program headers"));
            }
            let table = table(bytes, headers.segments_at, segments, segment_size)?;
            headers.segments = table
                .chunks_exact(segment_size as usize)
                .map(|raw| segment(layout, raw))
                .collect();
        }
        // A file whose section headers were cut off still runs.
        if headers.sections_at != 0 && section_size == Self::section_size(layout) {
            headers.sections = table(bytes, headers.sections_at, sections, section_size)
                .unwrap_or_default()
                .chunks_exact(section_size as usize)
                .map(|raw| section(layout, raw))
                .collect();
        }
        Ok(headers)
    }

    /// Size of the ELF header itself.
    pub fn size(layout: Layout) -> u64 {
        if layout.is_64 { 64 } else { 52 }
    }

    pub fn segment_size(layout: Layout) -> u64 {
        if layout.is_64 { 56 } else { 32 }
    }

    pub fn section_size(layout: Layout) -> u64 {
        if layout.is_64 { 64 } else { 40 }
    }

    pub fn loads(&self) -> impl Iterator<Item = &Segment> {
        self.segments
            .iter()
            .filter(|segment| segment.kind == PT_LOAD)
    }

    /// Where in the file the bytes at a virtual address are.
    pub fn offset_of(&self, address: u64) -> Option<u64> {
        self.loads().find_map(|load| {
            let within = address.checked_sub(load.address)?;
            (within < load.file_size).then(|| load.offset.checked_add(within))?
        })
    }

    /// The name of a section, from the bytes of the section of names.
    pub fn section_name<'a>(&self, section: &Section, names: &'a [u8]) -> &'a [u8] {
        text_at(names, u64::from(section.name)).unwrap_or_default()
    }
}

/// The NUL-terminated text at `at` of a string table.
pub fn text_at(table: &[u8], at: u64) -> Option<&[u8]> {
    let rest = table.get(usize::try_from(at).ok()?..)?;
    let end = memchr::memchr(0, rest)?;
    Some(&rest[..end])
}

fn table(
    bytes: &(impl Bytes + ?Sized),
    at: u64,
    count: u64,
    entry: u64,
) -> Result<Cow<'_, [u8]>, ElfError> {
    bytes.at(at, (count.min(MAX_HEADERS) * entry) as usize)
}

fn segment(layout: Layout, raw: &[u8]) -> Segment {
    let size = layout.address_size();
    // p_flags moved to the front in the 64-bit format.
    let (flags, first) = if layout.is_64 { (4, 8) } else { (24, 4) };
    let align = if layout.is_64 { 48 } else { 28 };
    let address = |nth: usize| layout.address(raw, first + nth * size);
    Segment {
        kind: layout.word(raw, 0),
        flags: layout.word(raw, flags),
        offset: address(0),
        address: address(1),
        file_size: address(3),
        memory_size: address(4),
        align: layout.address(raw, align),
    }
}

fn section(layout: Layout, raw: &[u8]) -> Section {
    let size = layout.address_size();
    let address = |nth: usize| layout.address(raw, 8 + nth * size);
    Section {
        name: layout.word(raw, 0),
        kind: layout.word(raw, 4),
        flags: address(0),
        address: address(1),
        offset: address(2),
        size: address(3),
        link: layout.word(raw, 8 + 4 * size),
        align: layout.address(raw, 8 + 4 * size + 8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_read() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let headers = Headers::parse(&bytes[..]).unwrap();
        assert_eq!(headers.layout.is_64, cfg!(target_pointer_width = "64"));
        let load = headers.loads().last().unwrap();
        assert_eq!(headers.offset_of(load.address), Some(load.offset));
        let names = &headers.sections[usize::from(headers.names)];
        let table = bytes.at(names.offset, names.size as usize).unwrap();
        let text = |section| headers.section_name(section, &table);
        assert!(headers.sections.iter().any(|s| text(s) == b".dynamic"));
        let disk = OnDisk::open("/proc/self/exe".as_ref()).unwrap();
        assert_eq!(Headers::parse(&disk).unwrap(), headers);
    }

    #[test]
    fn cut_and_foreign_bytes_are_errors() {
        assert!(matches!(
            Headers::parse(&b"#!/bin/sh"[..]),
            Err(ElfError::NotElf)
        ));
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        assert!(matches!(
            Headers::parse(&bytes[..100]),
            Err(ElfError::Damaged(_))
        ));
    }
}
