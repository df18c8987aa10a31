//! A program that is compressed inside of its executable.
//!
//! A small static program takes its place (`runtime/unpacker.c`): it puts the
//! segments where they belong and jumps to where they begin. Behind the archive
//! lies what `runtime/image.h` describes. For the program nothing is different
//! but that its pages are its own and not the file's.

use super::archive::frames;
use super::executable::{PackError, Place, pack, place_in};
use crate::elf::{Headers, PT_LOAD};

/// Begins the image: "WHITPROG".
const MAGIC: u64 = 0x474f_5250_5449_4857;
const PAGE: usize = 4096;
const HEADER: usize = 8 + 8 + 8 + 4 + 4;
const PART: usize = 6 * 8;

/// The executable of `program`, compressed, with `archive`. `unpacker` is what
/// starts it.
pub fn pack_compressed(
    program: &[u8],
    unpacker: &[u8],
    archive: &[u8],
) -> Result<Vec<u8>, PackError> {
    let Place { address, .. } = Place::after(unpacker)?;
    let program = place_in(program, address, archive.len() as u64)?;
    let headers = Headers::parse(program.as_slice())?;
    let parts: Vec<_> = headers
        .segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD && segment.address < address)
        .collect();
    let mut image = Vec::new();
    let mut bodies = Vec::new();
    let mut offset = (HEADER + PART * parts.len()) as u64;
    for part in &parts {
        let range = part.offset as usize..(part.offset + part.file_size) as usize;
        let plain = program
            .get(range)
            .ok_or(PackError::Damaged("a segment lies beyond the end"))?;
        let stored =
            frames(plain).map_err(|_| PackError::Damaged("a segment cannot be compressed"))?;
        for field in [
            part.address,
            part.memory_size,
            part.file_size,
            offset,
            stored.len() as u64,
            u64::from(part.flags),
        ] {
            image.extend(field.to_le_bytes());
        }
        offset += stored.len() as u64;
        bodies.extend(stored);
    }
    let first = parts
        .first()
        .ok_or(PackError::Damaged("nothing of it is loaded"))?;
    let table = first.address + headers.segments_at - first.offset;
    let mut blob = archive.to_vec();
    blob.resize(blob.len().next_multiple_of(PAGE), 0);
    for field in [MAGIC, entry(&program)?, table] {
        blob.extend(field.to_le_bytes());
    }
    for field in [headers.segments.len() as u32, parts.len() as u32] {
        blob.extend(field.to_le_bytes());
    }
    blob.extend(image);
    blob.extend(bodies);
    pack(unpacker, &blob)
}

/// `e_entry`.
fn entry(program: &[u8]) -> Result<u64, PackError> {
    program
        .get(24..32)
        .and_then(|field| field.try_into().ok())
        .map(u64::from_le_bytes)
        .ok_or(PackError::NotElf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_are_compressed() {
        let archive = [&b"WHITARC1"[..], &[0; 8]].concat();
        assert!(matches!(
            pack_compressed(b"#!/bin/sh", b"\x7fELF", &archive),
            Err(PackError::Damaged(_) | PackError::NotElf)
        ));
    }
}
