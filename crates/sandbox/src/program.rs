//! What a program's file says about how it is run.

/// The kind of a program and the interpreter that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    /// `#!`: run by another program.
    Script {
        interpreter: Vec<u8>,
    },
    Elf {
        /// `EI_CLASS`: 1 for 32 bits, 2 for 64.
        class: u8,
        /// `e_machine`.
        machine: u16,
        /// `PT_INTERP`: the dynamic loader.
        interpreter: Option<Vec<u8>>,
    },
    Other,
}

/// Longest first line of a script that the kernel reads (5.1 and later).
const LINE: usize = 256;
const PT_INTERP: u32 = 3;

impl Program {
    /// Reads a program through `read`, which fills a buffer from an offset of
    /// the file and says how much it could fill.
    pub fn read(mut read: impl FnMut(u64, &mut [u8]) -> usize) -> Program {
        let mut start = [0u8; LINE];
        let length = read(0, &mut start).min(LINE);
        let start = &start[..length];
        if let Some(line) = start.strip_prefix(b"#!") {
            return script(line);
        }
        elf(start, &mut read).unwrap_or(Program::Other)
    }
}

/// The first word after `#!`.
fn script(line: &[u8]) -> Program {
    let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
    let word = line
        .split(|b| matches!(b, b' ' | b'\t' | 0))
        .find(|word| !word.is_empty());
    word.map_or(Program::Other, |word| Program::Script {
        interpreter: word.to_vec(),
    })
}

/// Numbers of an ELF file in its own byte order.
struct Numbers<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Numbers<'_> {
    fn get(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at + size)?;
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big {
            bytes.iter().fold(0, join)
        } else {
            bytes.iter().rev().fold(0, join)
        })
    }
}

/// System V ABI, chapters "ELF Header" and "Program Header".
fn elf(start: &[u8], read: &mut impl FnMut(u64, &mut [u8]) -> usize) -> Option<Program> {
    if !start.starts_with(b"\x7fELF") {
        return None;
    }
    let class = *start.get(4)?;
    let wide = class == 2;
    let big = *start.get(5)? == 2;
    let head = Numbers { bytes: start, big };
    let machine = head.get(18, 2)? as u16;
    let (table, size, count) = if wide {
        (head.get(32, 8)?, head.get(54, 2)?, head.get(56, 2)?)
    } else {
        (head.get(28, 4)?, head.get(42, 2)?, head.get(44, 2)?)
    };
    // The kernel refuses larger tables too.
    let mut bytes = vec![0; (size * count).min(64 << 10) as usize];
    let length = read(table, &mut bytes).min(bytes.len());
    bytes.truncate(length);
    let mut interpreter = None;
    for header in bytes.chunks_exact((size as usize).max(1)) {
        let header = Numbers { bytes: header, big };
        if header.get(0, 4) != Some(u64::from(PT_INTERP)) {
            continue;
        }
        let (at, length) = if wide {
            (header.get(8, 8)?, header.get(32, 8)?)
        } else {
            (header.get(4, 4)?, header.get(16, 4)?)
        };
        let mut name = vec![0; length.min(libc::PATH_MAX as u64) as usize];
        let length = read(at, &mut name).min(name.len());
        name.truncate(length);
        let end = name.iter().position(|b| *b == 0).unwrap_or(length);
        name.truncate(end);
        interpreter = (!name.is_empty()).then_some(name);
        break;
    }
    Some(Program::Elf {
        class,
        machine,
        interpreter,
    })
}

/// The architecture's usual name, as images name it.
pub(crate) fn machine_name(machine: u16, class: u8) -> String {
    match (machine, class) {
        (3, _) => "386".into(),
        (62, 1) => "x32".into(),
        (62, _) => "amd64".into(),
        (40, _) => "arm".into(),
        (183, _) => "arm64".into(),
        (243, _) => "riscv64".into(),
        (21, _) => "ppc64le".into(),
        (22, _) => "s390x".into(),
        (258, _) => "loong64".into(),
        (8, _) => "mips".into(),
        (other, _) => format!("ELF machine {other}"),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn read(file: &[u8]) -> Program {
        Program::read(|at, into| {
            let rest = usize::try_from(at).ok().and_then(|at| file.get(at..));
            let rest = rest.unwrap_or_default();
            let length = rest.len().min(into.len());
            into[..length].copy_from_slice(&rest[..length]);
            length
        })
    }

    #[test]
    fn scripts_name_their_interpreter() {
        let script = |name: &str| Program::Script {
            interpreter: name.into(),
        };
        assert_eq!(read(b"#!/bin/sh\necho"), script("/bin/sh"));
        assert_eq!(read(b"#! \t/usr/bin/env python3"), script("/usr/bin/env"));
        assert_eq!(read(b"#!\n/bin/sh"), Program::Other);
        assert_eq!(read(b""), Program::Other);
    }

    /// A small ELF of 64 bits with one program header, little-endian.
    fn tiny(interpreter: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 0x78];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[18] = 183;
        file[32] = 0x40;
        file[54] = 0x38;
        file[56] = 1;
        file[0x40] = 3;
        file[0x48] = 0x78;
        file[0x60] = interpreter.len() as u8;
        file.extend_from_slice(interpreter);
        file
    }

    #[test]
    fn elf_names_its_loader() {
        let elf = |interpreter: Option<&[u8]>| Program::Elf {
            class: 2,
            machine: 183,
            interpreter: interpreter.map(<[u8]>::to_vec),
        };
        assert_eq!(read(&tiny(b"/lib/ld.so\0")), elf(Some(b"/lib/ld.so")));
        assert_eq!(read(&tiny(b"")), elf(None));
        assert_eq!(machine_name(183, 2), "arm64");
    }

    #[test]
    fn broken_elf_is_no_panic() {
        let whole = tiny(b"/lib/ld.so\0");
        for length in 0..whole.len() {
            read(&whole[..length]);
        }
        for at in 0..whole.len() {
            let mut file = whole.clone();
            file[at] = 0xFF;
            read(&file);
        }
    }
}
