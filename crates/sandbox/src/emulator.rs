//! Programs of other processors, run by qemu-user through the kernel's
//! binfmt_misc (Linux, Documentation/admin-guide/binfmt-misc.rst).
//!
//! Since Linux 6.7 every user namespace may have rules of its own, so that a
//! sandbox needs no rights on the host for it.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::program::Program;

/// A program that runs those of another processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emulator {
    program: PathBuf,
    machine: &'static Machine,
}

/// How the ELF header of a processor's programs begins.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    /// qemu's name, which is the kernel's.
    name: &'static str,
    /// `ELFCLASS32` or `ELFCLASS64`, `ELFDATA2LSB` or `ELFDATA2MSB`, `e_machine`
    /// (System V ABI, chapter 4).
    class: u8,
    data: u8,
    number: u16,
}

const fn machine(name: &'static str, class: u8, data: u8, number: u16) -> Machine {
    Machine {
        name,
        class,
        data,
        number,
    }
}

const MACHINES: [Machine; 8] = [
    machine("aarch64", 2, 1, 183),
    machine("arm", 1, 1, 40),
    machine("i386", 1, 1, 3),
    machine("ppc64le", 2, 1, 21),
    machine("riscv64", 2, 1, 243),
    machine("s390x", 2, 2, 22),
    machine("x86_64", 2, 1, 62),
    machine("loongarch64", 2, 1, 258),
];

impl Emulator {
    /// qemu's emulator of a processor, by the kernel's name of it, if one of the
    /// folders has it. It must be linked statically: its libraries are not in
    /// the images that it runs.
    pub fn find(name: &str, folders: &[&Path]) -> Option<Self> {
        let machine = MACHINES.iter().find(|machine| machine.name == name)?;
        let names = [format!("qemu-{name}-static"), format!("qemu-{name}")];
        let program = folders
            .iter()
            .flat_map(|folder| names.iter().map(|name| folder.join(name)))
            .filter_map(|path| path.canonicalize().ok())
            .find(|path| is_static(path))?;
        Some(Self { program, machine })
    }

    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The rule as the kernel reads it. `P`: the program sees its own name as
    /// it was started; `O` and `C`: files that cannot be read and setuid ones
    /// work; `F`: the emulator is opened now, on the host.
    pub(crate) fn rule(&self) -> Vec<u8> {
        let Machine {
            class,
            data,
            number,
            ..
        } = *self.machine;
        let mut magic = [0; 20];
        magic[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, data, 1]);
        let mut mask = [0xff; 20];
        // Whichever operating system's ABI.
        mask[7] = 0;
        let number = match data {
            1 => number.to_le_bytes(),
            _ => number.to_be_bytes(),
        };
        magic[18..].copy_from_slice(&number);
        // ET_EXEC and ET_DYN: 2 and 3.
        let kind = if data == 1 { 16 } else { 17 };
        magic[kind] = 2;
        mask[kind] = 0xfe;
        let escaped = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "\\x{byte:02x}");
                text
            })
        };
        let (magic, mask) = (escaped(&magic), escaped(&mask));
        let program = self.program.display();
        format!(":whit:M::{magic}:{mask}:{program}:POCF").into_bytes()
    }
}

fn is_static(path: &Path) -> bool {
    let Ok(mut file) = fs::File::open(path) else {
        return false;
    };
    let mut start = Vec::new();
    if file.by_ref().take(1 << 16).read_to_end(&mut start).is_err() {
        return false;
    }
    let program = Program::read(|at, into| {
        let rest = usize::try_from(at).ok().and_then(|at| start.get(at..));
        let rest = rest.unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        length
    });
    matches!(
        program,
        Program::Elf {
            interpreter: None,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_that_of_qemu() {
        let emulator = |name: &str| Emulator {
            program: "/usr/bin/qemu".into(),
            machine: MACHINES
                .iter()
                .find(|machine| machine.name == name)
                .unwrap(),
        };
        // As Debian's qemu-user-static registers them.
        let mask = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff";
        let zero = r"\x00\x00\x00\x00\x00\x00\x00\x00\x00";
        assert_eq!(
            String::from_utf8(emulator("aarch64").rule()).unwrap(),
            format!(
                r":whit:M::\x7f\x45\x4c\x46\x02\x01\x01{zero}\x02\x00\xb7\x00:{mask}\xfe\xff\xff\xff:/usr/bin/qemu:POCF"
            )
        );
        assert_eq!(
            String::from_utf8(emulator("s390x").rule()).unwrap(),
            format!(
                r":whit:M::\x7f\x45\x4c\x46\x02\x02\x01{zero}\x00\x02\x00\x16:{mask}\xff\xfe\xff\xff:/usr/bin/qemu:POCF"
            )
        );
    }
}
