//! What `ldconfig` reads of a library.

use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, ReadRef};

/// A file name cannot be longer (`NAME_MAX`).
const MAX_SONAME: u64 = 256;

/// A shared object as the loader's cache knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// `DT_SONAME`, where it has one.
    pub soname: Option<Vec<u8>>,
    pub class: Class,
    pub machine: elf::Machine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Elf32,
    Elf64,
}

/// Reads a shared object; `None` for anything else, broken ones included.
pub fn read_library<'data>(data: impl ReadRef<'data>) -> Option<Library> {
    let ident: &[u8] = data.read_bytes_at(0, 5).ok()?;
    match (ident.get(..4)? == b"\x7fELF", ident.get(4)?) {
        (true, 1) => read::<elf::FileHeader32<Endianness>>(data, Class::Elf32),
        (true, 2) => read::<elf::FileHeader64<Endianness>>(data, Class::Elf64),
        _ => None,
    }
}

fn read<'data, Elf: FileHeader<Endian = Endianness>>(
    data: impl ReadRef<'data>,
    class: Class,
) -> Option<Library> {
    let header = Elf::parse(data).ok()?;
    let endian = header.endian().ok()?;
    if header.e_type(endian) != elf::ET_DYN {
        return None;
    }
    let segments = header.program_headers(endian, data).ok()?;
    let dynamic = segments
        .iter()
        .find_map(|segment| segment.dynamic(endian, data).ok().flatten())?;
    let value_of = |tag| {
        dynamic
            .iter()
            .take_while(|entry| entry.tag(endian) != elf::DT_NULL)
            .find(|entry| entry.tag(endian) == tag)
            .map(|entry| entry.d_val(endian).into())
    };
    let soname = value_of(elf::DT_SONAME).zip(value_of(elf::DT_STRTAB));
    let soname = soname.and_then(|(offset, table): (u64, u64)| {
        let address = table.checked_add(offset)?;
        // Addresses become places in the file through the loaded segments.
        let place = segments.iter().find_map(|segment| {
            let start: u64 = segment.p_vaddr(endian).into();
            let size: u64 = segment.p_filesz(endian).into();
            let inside = address.checked_sub(start).filter(|inside| *inside < size)?;
            let is_loaded = segment.p_type(endian) == elf::PT_LOAD;
            is_loaded.then(|| segment.p_offset(endian).into().checked_add(inside))?
        })?;
        let end = place.checked_add(MAX_SONAME)?.min(data.len().ok()?);
        data.read_bytes_at_until(place..end, 0).ok()
    });
    Some(Library {
        soname: soname.filter(|name| !name.is_empty()).map(<[u8]>::to_vec),
        class,
        machine: header.e_machine(endian),
    })
}
