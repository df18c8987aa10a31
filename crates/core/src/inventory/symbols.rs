//! Symbol tables and debug sections of an ELF file that streams by.
//!
//! The table of sections stands at the end of what linkers write, so that a
//! file's first and last bytes tell (System V ABI, chapter 4).

/// First bytes that are wanted: the header of a 64-bit file.
const HEADER: usize = 64;
/// Last bytes that are held. A library has some 40 sections, of 64 bytes and a
/// short name each.
const TAIL: usize = 64 << 10;

const SHT_SYMTAB: u32 = 2;
const SHT_NOBITS: u32 = 8;

/// The first and the last bytes of a file, collected while it is read.
#[derive(Debug, Default)]
pub struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
    length: u64,
}

impl Ends {
    pub fn see(&mut self, bytes: &[u8]) {
        let missing = HEADER.saturating_sub(self.head.len());
        self.head
            .extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.length += bytes.len() as u64;
        let bytes = &bytes[bytes.len().saturating_sub(TAIL)..];
        // Twice the tail is held, so that it is seldom moved.
        if self.tail.len() + bytes.len() > 2 * TAIL {
            let old = self.tail.len().saturating_sub(TAIL - bytes.len());
            self.tail.drain(..old);
        }
        self.tail.extend_from_slice(bytes);
    }

    /// Whether this can be an ELF file as far as it was seen.
    pub fn is_elf(&self) -> bool {
        let magic = b"\x7fELF";
        let seen = self.head.len().min(magic.len());
        self.head[..seen] == magic[..seen]
    }

    /// Bytes that `strip --strip-unneeded` takes away: the symbol table, its
    /// names, and debug sections. 0 for what is no little-endian 64-bit ELF
    /// file, or has its sections elsewhere.
    pub fn symbols(&self) -> u64 {
        self.sections().unwrap_or(0)
    }

    fn sections(&self) -> Option<u64> {
        const CLASS_64_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
        if !self.head.starts_with(CLASS_64_LITTLE_ENDIAN) {
            return None;
        }
        let table = u64::from_le_bytes(self.head.get(0x28..0x30)?.try_into().ok()?);
        let size = usize::from(half(&self.head, 0x3a)?);
        let count = usize::from(half(&self.head, 0x3c)?);
        let names = usize::from(half(&self.head, 0x3e)?);
        let table = self.from(table)?.get(..size.checked_mul(count)?)?;
        let sections: Vec<Section> = table
            .chunks_exact(size.max(1))
            .filter_map(Section::parse)
            .collect();
        let names = self.from(sections.get(names)?.offset)?;
        let symbols = sections.iter().filter(|it| it.kind == SHT_SYMTAB);
        let tables: u64 = symbols
            .map(|table| {
                let text = sections.get(table.link).map_or(0, |names| names.size);
                table.size.saturating_add(text)
            })
            .fold(0, u64::saturating_add);
        let debug = sections
            .iter()
            .filter(|section| section.kind != SHT_NOBITS)
            .filter(|section| {
                let name = names.get(section.name..).unwrap_or_default();
                name.starts_with(b".debug_") || name.starts_with(b".zdebug_")
            })
            .map(|section| section.size)
            .fold(0, u64::saturating_add);
        Some(tables.saturating_add(debug).min(self.length))
    }

    /// The file from an offset on, if that is still held.
    fn from(&self, offset: u64) -> Option<&[u8]> {
        let held = self.length - self.tail.len() as u64;
        self.tail
            .get(usize::try_from(offset.checked_sub(held)?).ok()?..)
    }
}

struct Section {
    name: usize,
    kind: u32,
    offset: u64,
    size: u64,
    link: usize,
}

impl Section {
    /// A header of 64 bytes (`Elf64_Shdr`, elf(5)).
    fn parse(raw: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_le_bytes(raw.get(at..at + 8)?.try_into().ok()?));
        Some(Self {
            name: word(raw, 0)? as usize,
            kind: word(raw, 4)?,
            offset: long(0x18)?,
            size: long(0x20)?,
            link: word(raw, 0x28)? as usize,
        })
    }
}

fn half(raw: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(raw.get(at..at + 2)?.try_into().ok()?))
}

fn word(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(raw.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of a `.debug_info`, a `.symtab`, its names and the names of the
    /// sections.
    fn elf(debug: usize, symbols: usize, strings: usize) -> Vec<u8> {
        let names = b"\0.debug_info\0.symtab\0.strtab\0.shstrtab\0";
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        let mut headers = vec![[0u8; 64]];
        let mut put = |name: u32, kind: u32, content: &[u8], link: u32| {
            let mut header = [0; 64];
            header[0..4].copy_from_slice(&name.to_le_bytes());
            header[4..8].copy_from_slice(&kind.to_le_bytes());
            header[0x18..0x20].copy_from_slice(&(file.len() as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(content.len() as u64).to_le_bytes());
            header[0x28..0x2c].copy_from_slice(&link.to_le_bytes());
            headers.push(header);
            file.extend_from_slice(content);
        };
        put(1, 1, &vec![1; debug], 0);
        put(13, 2, &vec![2; symbols], 3);
        put(21, 3, &vec![3; strings], 0);
        put(29, 3, names, 0);
        let table = file.len() as u64;
        file[0x28..0x30].copy_from_slice(&table.to_le_bytes());
        file[0x3a..0x3c].copy_from_slice(&64u16.to_le_bytes());
        file[0x3c..0x3e].copy_from_slice(&5u16.to_le_bytes());
        file[0x3e..0x40].copy_from_slice(&4u16.to_le_bytes());
        file.extend(headers.concat());
        file
    }

    fn symbols(file: &[u8], piece: usize) -> u64 {
        let mut ends = Ends::default();
        file.chunks(piece).for_each(|piece| ends.see(piece));
        ends.symbols()
    }

    #[test]
    fn what_strip_takes_is_counted() {
        for piece in [1, 7, 100_000, 10_000_000] {
            assert_eq!(symbols(&elf(200_000, 24, 10), piece), 200_034, "{piece}");
        }
        assert_eq!(symbols(&elf(0, 0, 0), 64), 0);
    }

    #[test]
    fn what_is_no_elf_has_none() {
        let mut cut = elf(10, 24, 10);
        cut.truncate(100);
        for file in [&b""[..], b"\x7fELF\x02\x01", b"#!/bin/sh", &cut] {
            assert_eq!(symbols(file, 3), 0);
        }
    }
}
