//! What a program can use of a system around it, read from its bytes: a static
//! one gets that and nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use memchr::memmem;

use super::CraftError;
use super::error::io;
use crate::elf::{ElfError, Headers};
use crate::reach::elf::Facts;

/// What one program, or several, can use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// All of them are: no loader, no libraries.
    pub is_static: bool,
    /// Names of the shared libraries that they are linked to.
    pub libraries: BTreeSet<String>,
    pub loader: Option<String>,
    /// For each use the text in the program that shows it.
    pub uses: BTreeSet<(Use, &'static str)>,
}

/// Parts of a system that programs look for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    Authorities,
    Zones,
    Accounts,
    Temporary,
    Services,
    Shell,
}

/// Texts that a program has in it if it knows how to use something: Go's
/// `crypto/x509` and `time`, OpenSSL, Rust's `openssl-probe` and `std::env`,
/// glibc's and musl's name look-ups.
const SIGNS: [(Use, &str); 13] = [
    (Use::Authorities, "/etc/ssl/certs"),
    (Use::Authorities, "/etc/ssl/cert.pem"),
    (Use::Authorities, "SSL_CERT_FILE"),
    (Use::Zones, "/usr/share/zoneinfo"),
    (Use::Accounts, "/etc/passwd"),
    (Use::Accounts, "/etc/group"),
    (Use::Temporary, "TMPDIR"),
    (Use::Temporary, "/tmp/"),
    (Use::Temporary, "\0/tmp\0"),
    (Use::Services, "/etc/services"),
    (Use::Services, "/etc/protocols"),
    (Use::Shell, "\0/bin/sh\0"),
    (Use::Shell, "\0sh\0-c\0"),
];

impl Needs {
    pub fn of(program: &Path) -> Result<Self, CraftError> {
        let bytes = std::fs::read(program).map_err(io(format!("reading {}", program.display())))?;
        let facts = Facts::parse(bytes.as_slice()).map_err(|error| CraftError::NotAProgram {
            program: program.to_owned(),
            problem: match error {
                ElfError::NotElf => "it has no ELF header".to_owned(),
                other => other.to_string(),
            },
        })?;
        check_machine(program, &bytes)?;
        let uses = SIGNS
            .into_iter()
            .filter(|(_, sign)| has(&bytes, sign))
            .collect();
        Ok(Self {
            is_static: facts.is_static,
            libraries: facts.needed.into_iter().collect(),
            loader: facts.interpreter,
            uses,
        })
    }

    /// Those of several programs together.
    pub fn and(mut self, other: Self) -> Self {
        self.is_static &= other.is_static;
        self.libraries.extend(other.libraries);
        self.loader = self.loader.or(other.loader);
        self.uses.extend(other.uses);
        self
    }

    /// The text that shows a use; `None` where nothing does.
    pub fn sign(&self, wanted: Use) -> Option<&'static str> {
        self.uses
            .iter()
            .find(|(found, _)| *found == wanted)
            .map(|(_, sign)| sign.trim_matches('\0'))
    }
}

/// True where a text is there for its own sake. glibc has a list of variables
/// that it takes from setuid programs (`sysdeps/generic/unsecvars.h`), in which
/// these two follow one another.
fn has(bytes: &[u8], sign: &str) -> bool {
    memmem::find_iter(bytes, sign.as_bytes())
        .any(|at| sign != "TMPDIR" || !bytes[at..].starts_with(b"TMPDIR\0TZDIR\0"))
}

/// Programs run here before they are shipped.
fn check_machine(program: &Path, bytes: &[u8]) -> Result<(), CraftError> {
    /// `e_machine` of x86-64 and AArch64 (ELF gABI, table 2).
    const X86_64: u16 = 62;
    const AARCH64: u16 = 183;
    let own = match std::env::consts::ARCH {
        "aarch64" => AARCH64,
        _ => X86_64,
    };
    match Headers::parse(bytes) {
        Ok(headers) if headers.machine == own => Ok(()),
        _ => Err(CraftError::OtherMachine {
            program: program.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_is_dynamic_and_knows_temporary_files() {
        let needs = Needs::of(&std::env::current_exe().unwrap()).unwrap();
        assert!(!needs.is_static);
        assert!(needs.libraries.contains("libc.so.6"));
        assert!(needs.sign(Use::Temporary).is_some());
    }

    #[test]
    fn a_list_of_variables_is_no_sign() {
        assert!(!has(b"RES_OPTIONS\0TMPDIR\0TZDIR\0LD_PROFILE\0", "TMPDIR"));
        assert!(has(b"TMPDIR\0TZDIR\0 TMPDIR/tmp", "TMPDIR"));
        assert!(!has(b"TMP", "TMPDIR"));
    }

    #[test]
    fn what_is_no_program() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "#!/bin/sh\n").unwrap();
        let error = Needs::of(file.path()).unwrap_err().to_string();
        assert!(error.contains("no ELF header"), "{error}");
    }
}
