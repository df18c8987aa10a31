//! A static program and an archive become one executable.
//!
//! The archive is a segment of its own, so that the kernel maps it with the
//! program and nothing has to be opened, read or unpacked: the program finds it
//! by its own program headers (`AT_PHDR` of getauxval(3)), as the last `PT_LOAD`,
//! if that begins with [`MAGIC`]. An earlier one may do so by chance: the text to
//! compare with stands among the program's own constants.
//!
//! A header table cannot grow, as code follows it. The last `PT_NOTE` gives its
//! place: notes (the build's ID, mostly) are read by debuggers, never by what
//! runs. Section headers are for linkers and debuggers; they go with everything
//! that no segment needs.

use crate::elf::{
    Bytes, ET_DYN, ET_EXEC, ElfError, Headers, PT_DYNAMIC, PT_INTERP, PT_LOAD, Segment,
};

/// How an archive begins, and how the program knows its segment.
pub const MAGIC: [u8; 8] = *b"WHITARC1";

/// Size of a page on x86-64. Linux has no other there.
const PAGE: u64 = 4096;

/// The first address that no program of x86-64 can have: 47 bits less a page.
const END: u64 = 0x7fff_ffff_f000;

const EM_X86_64: u16 = 62;
const PT_NOTE: u32 = 4;
/// Says "look elsewhere" where a number of program headers stands.
const PN_XNUM: u64 = 0xffff;

/// `p_flags`: readable, and nothing else.
const PF_R: u32 = 4;

// Fields of the file's header (System V ABI, chapter 4).
const E_SHOFF: usize = 40;
const E_SHENTSIZE: usize = 58;

/// Why a program cannot carry an archive.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    #[error("it is not an ELF program")]
    NotElf,
    #[error("it is a damaged ELF file: {0}")]
    Damaged(&'static str),
    #[error("it is a 32-bit program, and only those of x86-64 can carry an archive")]
    Not64Bit,
    #[error("it is for another processor (ELF machine {machine}) than x86-64")]
    Machine { machine: u16 },
    #[error("it is position-independent: link it with -static -no-pie")]
    PositionIndependent,
    #[error("it is no program (ELF type {kind}), but a step on the way to one")]
    NotProgram { kind: u16 },
    #[error("it is linked dynamically (it has a {header}): link it with -static -no-pie")]
    Dynamic { header: &'static str },
    #[error("no segment has its program headers, so that it could not find the archive")]
    HeadersNotLoaded,
    #[error("it has no PT_NOTE to make room for the archive: link it with -Wl,--build-id")]
    NoNote,
    #[error("it carries an archive already")]
    Packed,
    #[error("the archive does not begin as one")]
    NotArchive,
    #[error("with an archive of {archive} bytes it does not fit into the address space")]
    TooBig { archive: u64 },
}

impl From<ElfError> for PackError {
    fn from(error: ElfError) -> Self {
        match error {
            ElfError::NotElf => Self::NotElf,
            ElfError::Damaged(what) => Self::Damaged(what),
            ElfError::Io(_) => Self::Damaged("it cannot be read"),
        }
    }
}

/// The executable of `program`, a static ELF program at a fixed address, with
/// `archive` in it.
///
/// The kernel puts the heap (brk(2)) above the highest segment, which is the
/// archive's now: no gap has to be left for it.
pub fn pack(program: &[u8], archive: &[u8]) -> Result<Vec<u8>, PackError> {
    if !archive.starts_with(&MAGIC) {
        return Err(PackError::NotArchive);
    }
    let place = Place::after(program)?;
    let mut packed = place_in(program, place.address, archive.len() as u64)?;
    packed.resize(place.offset as usize, 0);
    packed.extend_from_slice(archive);
    Ok(packed)
}

/// Where an archive lies behind a program.
pub(super) struct Place {
    /// In the file.
    pub offset: u64,
    /// In memory.
    pub address: u64,
}

impl Place {
    /// The next page.
    pub(super) fn after(program: &[u8]) -> Result<Self, PackError> {
        let headers = Headers::parse(program)?;
        check_kind(&headers)?;
        let ends = Ends::of(program, &headers.segments)?;
        let too_big = || PackError::TooBig { archive: 0 };
        Ok(Self {
            offset: next_page(ends.file).ok_or_else(too_big)?,
            address: next_page(ends.memory).ok_or_else(too_big)?,
        })
    }
}

/// The program without what no segment needs, whose headers say that `size`
/// bytes of an archive are at `address`.
pub(super) fn place_in(program: &[u8], address: u64, size: u64) -> Result<Vec<u8>, PackError> {
    let headers = Headers::parse(program)?;
    check_kind(&headers)?;
    let segments = &headers.segments;
    if segments.len() as u64 >= PN_XNUM {
        return Err(PackError::Damaged("too many program headers"));
    }
    let ends = Ends::of(program, segments)?;
    check_headers_are_loaded(&headers)?;
    let last = headers.loads().last();
    if last.is_some_and(|load| content(program, load).starts_with(&MAGIC)) {
        return Err(PackError::Packed);
    }
    let note = segments
        .iter()
        .rposition(|segment| segment.kind == PT_NOTE)
        .ok_or(PackError::NoNote)?;
    let too_big = || PackError::TooBig { archive: size };
    let end = address.checked_add(size).filter(|end| *end <= END);
    end.ok_or_else(too_big)?;
    let segment = Segment {
        kind: PT_LOAD,
        flags: PF_R,
        offset: next_page(ends.file).ok_or_else(too_big)?,
        address,
        file_size: size,
        // More in memory than in the file would have the kernel write zeroes
        // behind it, where nothing can be written.
        memory_size: size,
        align: PAGE,
    };
    let mut placed = program
        .get(..ends.file as usize)
        .ok_or(PackError::Damaged("a segment lies beyond the end"))?
        .to_vec();
    put_segment(&mut placed, &headers, note, &segment);
    drop_sections(&mut placed);
    Ok(placed)
}

fn check_kind(headers: &Headers) -> Result<(), PackError> {
    let layout = headers.layout;
    if !layout.is_64 {
        return Err(PackError::Not64Bit);
    }
    if headers.machine != EM_X86_64 {
        return Err(PackError::Machine {
            machine: headers.machine,
        });
    }
    if layout.big_endian {
        return Err(PackError::Damaged("x86-64 in the wrong byte order"));
    }
    // An interpreter or a dynamic section says more than the type, which a
    // shared library has, too.
    for (kind, header) in [(PT_INTERP, "PT_INTERP"), (PT_DYNAMIC, "PT_DYNAMIC")] {
        let has = headers.segments.iter().any(|segment| segment.kind == kind);
        if has && headers.kind == ET_EXEC {
            return Err(PackError::Dynamic { header });
        }
    }
    match headers.kind {
        ET_EXEC => Ok(()),
        ET_DYN => Err(PackError::PositionIndependent),
        kind => Err(PackError::NotProgram { kind }),
    }
}

/// Where what is there already ends.
struct Ends {
    /// The last byte in the file that a segment has.
    file: u64,
    /// The highest address.
    memory: u64,
}

impl Ends {
    /// Checks what the kernel would check, and the order that it relies on.
    fn of(program: &[u8], segments: &[Segment]) -> Result<Self, PackError> {
        let mut ends = Self { file: 0, memory: 0 };
        for segment in segments {
            let end = segment.offset.checked_add(segment.file_size);
            let end = end
                .filter(|end| *end <= program.length())
                .ok_or(PackError::Damaged("a segment lies beyond the end"))?;
            if segment.file_size > 0 {
                ends.file = ends.file.max(end);
            }
            if segment.kind != PT_LOAD {
                continue;
            }
            if segment.memory_size < segment.file_size {
                return Err(PackError::Damaged("a segment is larger than its memory"));
            }
            if segment.address % PAGE != segment.offset % PAGE {
                return Err(PackError::Damaged("a segment is not aligned to its page"));
            }
            if segment.address < ends.memory {
                return Err(PackError::Damaged("the segments are not in order"));
            }
            ends.memory = segment
                .address
                .checked_add(segment.memory_size)
                .filter(|end| *end <= END)
                .ok_or(PackError::Damaged("a segment lies outside of the memory"))?;
        }
        match ends.memory {
            0 => Err(PackError::Damaged("nothing of it is loaded")),
            _ => Ok(ends),
        }
    }
}

/// `AT_PHDR` points into the segment that has the header table.
fn check_headers_are_loaded(headers: &Headers) -> Result<(), PackError> {
    let size = headers.segments.len() as u64 * Headers::segment_size(headers.layout);
    let end = headers.segments_at.saturating_add(size);
    let mut loads = headers.loads();
    let is_loaded = loads.any(|load| {
        load.offset <= headers.segments_at && end <= load.offset.saturating_add(load.file_size)
    });
    match is_loaded {
        true => Ok(()),
        false => Err(PackError::HeadersNotLoaded),
    }
}

fn content<'a>(program: &'a [u8], segment: &Segment) -> &'a [u8] {
    let range = segment.offset as usize..segment.offset.saturating_add(segment.file_size) as usize;
    program.get(range).unwrap_or_default()
}

fn next_page(end: u64) -> Option<u64> {
    end.checked_next_multiple_of(PAGE)
}

/// Takes entry `note` out of the table, and puts `segment` behind the last
/// `PT_LOAD`: the kernel and the ABI want these in the order of their addresses.
fn put_segment(packed: &mut [u8], headers: &Headers, note: usize, segment: &Segment) {
    let size = Headers::segment_size(headers.layout) as usize;
    let start = headers.segments_at as usize;
    let Some(table) = packed.get_mut(start..start + headers.segments.len() * size) else {
        return;
    };
    let last = headers
        .segments
        .iter()
        .rposition(|segment| segment.kind == PT_LOAD)
        .unwrap_or(note);
    let place = if note < last {
        table[note * size..(last + 1) * size].rotate_left(size);
        last
    } else {
        table[(last + 1) * size..(note + 1) * size].rotate_right(size);
        last + 1
    };
    let entry = &mut table[place * size..(place + 1) * size];
    let layout = headers.layout;
    layout.put_word(entry, 0, segment.kind);
    layout.put_word(entry, 4, segment.flags);
    for (nth, value) in [
        segment.offset,
        segment.address,
        // The physical address, of which nothing is made.
        segment.address,
        segment.file_size,
        segment.memory_size,
        segment.align,
    ]
    .into_iter()
    .enumerate()
    {
        layout.put_address(entry, 8 + 8 * nth, value);
    }
}

/// No section headers: not where, how large, how many, nor whose names.
fn drop_sections(packed: &mut [u8]) {
    if let Some(field) = packed.get_mut(E_SHOFF..E_SHOFF + 8) {
        field.fill(0);
    }
    if let Some(fields) = packed.get_mut(E_SHENTSIZE..E_SHENTSIZE + 6) {
        fields.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::elf::{Layout, PF_X, PT_GNU_STACK};

    const LAYOUT: Layout = Layout {
        is_64: true,
        big_endian: false,
    };
    const BASE: u64 = 0x40_0000;
    /// Code that reads the byte behind the magic of an archive which is mapped
    /// above `.bss` and ends with it; from [`BASE`] on, the archive is at
    /// `0x403000`.
    const CODE: [u8; 15] = [
        0x0f, 0xb6, 0x3c, 0x25, 0x08, 0x30, 0x40, 0x00, // movzbl 0x403008, %edi
        0xb8, 0x3c, 0x00, 0x00, 0x00, // mov $60, %eax
        0x0f, 0x05, // syscall
    ];

    fn load(offset: u64, address: u64, file_size: u64, memory_size: u64, flags: u32) -> Segment {
        Segment {
            kind: PT_LOAD,
            flags,
            offset,
            address,
            file_size,
            memory_size,
            align: PAGE,
        }
    }

    fn other(kind: u32) -> Segment {
        Segment {
            kind,
            ..load(0, BASE, 0, 0, PF_R)
        }
    }

    /// An ELF file of these program headers, the code behind them, and what a
    /// linker leaves for debuggers at the end.
    fn elf(segments: &[Segment]) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56 * segments.len()];
        bytes[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
        for (at, half) in [
            (16, ET_EXEC),
            (18, EM_X86_64),
            (20, 1),
            (52, 64),
            (54, 56),
            (56, segments.len() as u16),
            (58, 64),
            (60, 3),
            (62, 2),
        ] {
            bytes[at..at + 2].copy_from_slice(&half.to_le_bytes());
        }
        let entry = bytes.len() as u64;
        LAYOUT.put_address(&mut bytes, 24, BASE + entry);
        LAYOUT.put_address(&mut bytes, 32, 64);
        for (nth, segment) in segments.iter().enumerate() {
            let raw = &mut bytes[64 + 56 * nth..];
            LAYOUT.put_word(raw, 0, segment.kind);
            LAYOUT.put_word(raw, 4, segment.flags);
            for (nth, value) in [
                segment.offset,
                segment.address,
                segment.address,
                segment.file_size,
                segment.memory_size,
                segment.align,
            ]
            .into_iter()
            .enumerate()
            {
                LAYOUT.put_address(raw, 8 + 8 * nth, value);
            }
        }
        bytes.extend(CODE);
        bytes.resize(0x400, 0);
        // Section headers, and a string table, somewhere behind.
        LAYOUT.put_address(&mut bytes, E_SHOFF, 0x440);
        bytes.resize(0x600, b'd');
        bytes
    }

    /// Code; data with `.bss` up to 0x402010; a stack.
    fn program() -> Vec<u8> {
        elf(&program_segments())
    }

    fn program_segments() -> [Segment; 4] {
        [
            load(0, BASE, 0x200, 0x200, PF_R | PF_X),
            load(0x200, BASE + 0x1200, 0x100, 0xe10, PF_R | 2),
            other(PT_NOTE),
            other(PT_GNU_STACK),
        ]
    }

    fn archive() -> Vec<u8> {
        let mut archive = MAGIC.to_vec();
        archive.extend(b"*and so on");
        archive
    }

    #[test]
    fn the_archive_is_a_segment() {
        let packed = pack(&program(), &archive()).unwrap();
        let headers = Headers::parse(&packed[..]).unwrap();
        assert_eq!(headers.sections, []);
        assert_eq!(packed.len(), 0x1000 + archive().len());
        let kinds: Vec<u32> = headers.segments.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [PT_LOAD, PT_LOAD, PT_LOAD, PT_GNU_STACK]);
        let size = archive().len() as u64;
        assert_eq!(
            headers.segments[2],
            load(0x1000, BASE + 0x3000, size, size, PF_R)
        );
        assert_eq!(content(&packed, &headers.segments[2]), archive());
        // Nothing else has changed.
        assert_eq!(packed[64..176], program()[64..176]);
        assert_eq!(packed[288..0x300], program()[288..0x300]);
        assert_eq!(packed[0x300..0x1000], [0; 0xd00]);
    }

    #[test]
    fn the_order_of_the_headers() {
        let [code, data, note, stack] = program_segments();
        for segments in [
            [note, code, data, stack],
            [code, note, data, stack],
            [stack, code, data, note],
            [note, stack, code, data],
        ] {
            let before: Vec<u32> = segments.iter().map(|one| one.kind).collect();
            let packed = pack(&elf(&segments), &archive()).unwrap();
            let headers = Headers::parse(&packed[..]).unwrap();
            let loads: Vec<u64> = headers.loads().map(|load| load.address).collect();
            assert_eq!(loads, [BASE, BASE + 0x1200, BASE + 0x3000], "{before:x?}");
            let kept: Vec<Segment> = headers
                .segments
                .iter()
                .filter(|one| one.address != BASE + 0x3000)
                .copied()
                .collect();
            let expected: Vec<Segment> = segments
                .iter()
                .filter(|one| one.kind != PT_NOTE)
                .copied()
                .collect();
            assert_eq!(kept, expected, "{before:x?}");
        }
        // Only the last note goes.
        let packed = pack(&elf(&[code, note, data, note]), &archive()).unwrap();
        let headers = Headers::parse(&packed[..]).unwrap();
        let kinds: Vec<u32> = headers.segments.iter().map(|one| one.kind).collect();
        assert_eq!(kinds, [PT_LOAD, PT_NOTE, PT_LOAD, PT_LOAD]);
    }

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn it_runs_and_reads_the_archive() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, pack(&program(), &archive()).unwrap()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        // Another test's child may still have it open for writing.
        let status = (0..50).find_map(|_| match std::process::Command::new(&path).status() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(20));
                None
            }
            result => Some(result.unwrap()),
        });
        assert_eq!(status.unwrap().code(), Some(i32::from(b'*')));
    }

    /// The error of a program with `bytes` at `at`.
    fn changed(at: usize, bytes: &[u8]) -> String {
        let mut program = program();
        program[at..at + bytes.len()].copy_from_slice(bytes);
        pack(&program, &archive()).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_carry_one_is_told() {
        let word = |value: u64| value.to_le_bytes();
        for (at, bytes, error) in [
            (0, &b"#!/b"[..], "not an ELF"),
            (4, &[1][..], "32-bit"),
            (4, &[9], "unknown class"),
            (5, &[9], "unknown byte order"),
            (18, &[183, 0], "another processor (ELF machine 183)"),
            (16, &[3, 0], "position-independent"),
            (16, &[1, 0], "no program (ELF type 1)"),
            (54, &[32, 0], "odd size"),
            (56, &[0, 0], "nothing of it is loaded"),
            (56, &[0xff, 0xff], "beyond the end"),
            // The second program header becomes another.
            (64 + 56, &[2], "PT_DYNAMIC"),
            (64 + 56, &[3], "PT_INTERP"),
            (64 + 2 * 56, &[7], "no PT_NOTE"),
            (64 + 8, &word(0x1000), "beyond the end"),
            (64 + 32, &word(u64::MAX), "beyond the end"),
            (64 + 32, &word(100), "no segment has its program headers"),
            (64 + 40, &word(1), "larger than its memory"),
            (64 + 40, &word(u64::MAX), "outside of the memory"),
            (64 + 56 + 40, &word(1 << 47), "outside of the memory"),
            (64 + 56 + 16, &word(BASE + 0x1234), "not aligned"),
            (64 + 56 + 16, &word(0x200), "not in order"),
            (0x200, &MAGIC, "carries an archive already"),
        ] {
            let found = changed(at, bytes);
            assert!(found.contains(error), "{at} as {bytes:?}: {found}");
        }
        let near_the_end = changed(64 + 56 + 40, &word(END - BASE - 0x1200));
        assert!(near_the_end.contains("does not fit"), "{near_the_end}");
        let twice = pack(&pack(&program(), &archive()).unwrap(), &archive());
        assert!(matches!(twice, Err(PackError::NoNote | PackError::Packed)));
        assert!(matches!(
            pack(&program(), b"PK\x03\x04"),
            Err(PackError::NotArchive)
        ));
        for end in 0..program().len().min(0x300) {
            assert!(pack(&program()[..end], &archive()).is_err(), "cut at {end}");
        }
    }

    proptest! {
        /// Whatever is changed in the headers: an error, or a program that is
        /// in order.
        #[test]
        fn changed_headers(
            changes in prop::collection::vec((0usize..300, any::<u8>()), 0..6),
            length in 0usize..0x600,
            whole: bool,
        ) {
            let mut bytes = program();
            for (at, value) in changes {
                bytes[at] = value;
            }
            if !whole {
                bytes.truncate(length);
            }
            if let Ok(packed) = pack(&bytes, &archive()) {
                let headers = Headers::parse(&packed[..]).unwrap();
                let loads: Vec<&Segment> = headers.loads().collect();
                let in_order = loads
                    .windows(2)
                    .all(|two| two[0].address + two[0].memory_size <= two[1].address);
                prop_assert!(in_order);
                let last = loads.last().unwrap();
                prop_assert_eq!(content(&packed, last), archive());
                prop_assert_eq!((last.offset % PAGE, last.address % PAGE), (0, 0));
                prop_assert_eq!(last.offset + last.file_size, packed.len() as u64);
                prop_assert!(packed.len() <= 0x1000 + archive().len());
            }
        }
    }
}
