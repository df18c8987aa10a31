//! What one ELF file says about itself: bytes to facts, nothing else.

use std::collections::BTreeSet;

use super::strings::{Strings, charset_names};
use crate::elf::{
    Bytes, ET_DYN, ET_EXEC, ElfError, Headers, Layout, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD,
    SHF_EXECINSTR, SHT_DYNSYM, SHT_PROGBITS, text_at,
};

/// What is read of one file, at most. Real files stay far below: Chromium has
/// some 80 entries of `.dynamic` and 2 MB of `.dynstr`.
const MAX_DYNAMIC: u64 = 16 << 10;
const MAX_STRINGS: u64 = 64 << 20;
const MAX_SYMBOLS: u64 = 64 << 20;

// Dynamic tags (System V ABI, chapter 5; d_tag).
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_RPATH: u64 = 15;
const DT_RUNPATH: u64 = 29;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
const DF_1_PIE: u64 = 0x0800_0000;

/// Byte order, word size and processor: libraries must agree with the program
/// in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub layout: Layout,
    /// `e_machine`: 62 is x86-64, 183 is AArch64.
    pub machine: u16,
}

/// Facts about a program or shared library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub target: Target,
    /// The loader that the kernel starts (`PT_INTERP`).
    pub interpreter: Option<String>,
    pub soname: Option<String>,
    /// `DT_NEEDED`, in order.
    pub needed: Vec<String>,
    /// `DT_RPATH` as written: folders with colons between.
    pub rpath: Option<String>,
    /// `DT_RUNPATH` as written. Where it is there, `rpath` is not used.
    pub runpath: Option<String>,
    /// A program without a loader and without libraries.
    pub is_static: bool,
    /// Functions of [`Function`] that it takes from other libraries.
    pub imports: BTreeSet<Function>,
    /// It is a C library that offers glibc 2.34's symbols or later ones.
    pub merged_glibc: bool,
    /// What its read-only data names.
    pub strings: Strings,
    /// Texts in its data that may name character sets; only looked for in a
    /// file that imports `iconv_open`.
    pub charsets: BTreeSet<String>,
}

/// Functions whose use makes other files necessary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// `pthread_exit`, `pthread_cancel`, `backtrace`: glibc loads
    /// `libgcc_s.so.1` to unwind the stack (glibc, `misc/unwind-link.c`).
    Unwind,
    /// Users and groups, through the name service switch.
    Accounts,
    /// Host names, through the name service switch.
    Hosts,
    /// `iconv_open`: conversions are modules.
    Iconv,
    /// `system`, `popen`: `/bin/sh -c`.
    Shell,
    /// `setlocale` and its kin: the locale's data.
    Locale,
    /// The certificates that OpenSSL trusts where nobody names others.
    Authorities,
}

impl Function {
    fn of(symbol: &[u8]) -> Option<Self> {
        Some(match symbol {
            b"pthread_exit" | b"pthread_cancel" | b"thrd_exit" | b"backtrace" => Self::Unwind,
            b"getpwnam" | b"getpwuid" | b"getpwent" | b"getpwnam_r" | b"getpwuid_r"
            | b"getpwent_r" | b"getgrnam" | b"getgrgid" | b"getgrent" | b"getgrnam_r"
            | b"getgrgid_r" | b"getgrent_r" | b"getgrouplist" | b"initgroups" | b"getspnam" => {
                Self::Accounts
            }
            b"getaddrinfo" | b"getnameinfo" | b"gethostbyname" | b"gethostbyname_r"
            | b"gethostbyname2_r" | b"gethostbyaddr" | b"gethostbyaddr_r" => Self::Hosts,
            b"iconv_open" => Self::Iconv,
            b"system" | b"popen" => Self::Shell,
            b"setlocale" | b"newlocale" | b"__newlocale" => Self::Locale,
            b"SSL_CTX_set_default_verify_paths"
            | b"SSL_CTX_set_default_verify_dir"
            | b"SSL_CTX_set_default_verify_file"
            | b"SSL_CTX_set_default_verify_store"
            | b"X509_STORE_set_default_paths"
            | b"X509_STORE_set_default_paths_ex" => Self::Authorities,
            _ => return None,
        })
    }
}

impl Facts {
    /// Reads the facts from the bytes of a file. Damage to parts that a
    /// program can run without is overlooked; anything else is an error.
    pub fn parse(bytes: &(impl Bytes + ?Sized)) -> Result<Self, ElfError> {
        let headers = Headers::parse(bytes)?;
        let mut facts = Self {
            target: Target {
                layout: headers.layout,
                machine: headers.machine,
            },
            interpreter: interpreter(bytes, &headers)?,
            soname: None,
            needed: Vec::new(),
            rpath: None,
            runpath: None,
            is_static: false,
            imports: BTreeSet::new(),
            merged_glibc: false,
            strings: Strings::default(),
            charsets: BTreeSet::new(),
        };
        if !matches!(headers.kind, ET_EXEC | ET_DYN) {
            return Ok(facts);
        }
        let dynamic = dynamic(bytes, &headers)?;
        let texts = dynamic_strings(bytes, &headers, &dynamic)?;
        for (tag, value) in &dynamic {
            let text = || {
                let text = text_at(&texts, *value)?;
                std::str::from_utf8(text).ok().map(str::to_owned)
            };
            match *tag {
                DT_NEEDED => facts.needed.extend(text()),
                DT_SONAME => facts.soname = text(),
                DT_RPATH => facts.rpath = text(),
                DT_RUNPATH => facts.runpath = text(),
                _ => {}
            }
        }
        let is_pie = last(&dynamic, DT_FLAGS_1).is_some_and(|flags| flags & DF_1_PIE != 0);
        facts.is_static = facts.interpreter.is_none()
            && facts.needed.is_empty()
            && (headers.kind == ET_EXEC || is_pie);
        facts.imports = imports(bytes, &headers, &dynamic, &texts);
        facts.merged_glibc = facts.soname.as_deref() == Some("libc.so.6")
            && memchr::memmem::find(&texts, b"\0GLIBC_2.34\0").is_some();
        let data = data_ranges(bytes, &headers);
        facts.strings = Strings::read(bytes, &data);
        if facts.imports.contains(&Function::Iconv) {
            facts.charsets = charset_names(bytes, &data);
        }
        Ok(facts)
    }

    /// True for the objects that make up Python itself. What they name and
    /// import is offered to Python code, not used.
    pub fn is_python(&self, file_name: &[u8]) -> bool {
        let named = |name: &[u8]| {
            name.strip_prefix(b"lib")
                .unwrap_or(name)
                .strip_prefix(b"python")
                .is_some_and(|rest| rest.is_empty() || rest[0].is_ascii_digit() || rest[0] == b'.')
        };
        named(file_name)
            || self
                .soname
                .as_deref()
                .is_some_and(|name| named(name.as_bytes()))
    }

    /// True for the C library and its loader, glibc's and musl's.
    pub fn is_libc(&self, file_name: &[u8]) -> bool {
        let name = self.soname.as_deref().map_or(file_name, str::as_bytes);
        [
            &b"libc.so"[..],
            b"ld-linux",
            b"ld-musl",
            b"libc.musl",
            b"ld.so",
            b"ld64.so",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
    }
}

fn interpreter(
    bytes: &(impl Bytes + ?Sized),
    headers: &Headers,
) -> Result<Option<String>, ElfError> {
    let Some(segment) = headers.segments.iter().find(|s| s.kind == PT_INTERP) else {
        return Ok(None);
    };
    // PATH_MAX; the kernel refuses longer ones (fs/binfmt_elf.c).
    let raw = bytes.at(segment.offset, segment.file_size.min(4096) as usize)?;
    let text = raw.split(|b| *b == 0).next().unwrap_or_default();
    Ok(std::str::from_utf8(text).ok().map(str::to_owned))
}

/// The entries of `.dynamic` before `DT_NULL`.
fn dynamic(bytes: &(impl Bytes + ?Sized), headers: &Headers) -> Result<Vec<(u64, u64)>, ElfError> {
    let Some(segment) = headers.segments.iter().find(|s| s.kind == PT_DYNAMIC) else {
        return Ok(Vec::new());
    };
    let size = headers.layout.address_size();
    let length = segment.file_size.min(MAX_DYNAMIC * 2 * size as u64);
    // A debug file keeps the header and not the content.
    let Ok(raw) = bytes.at(segment.offset, length as usize) else {
        return Ok(Vec::new());
    };
    Ok(raw
        .chunks_exact(2 * size)
        .map(|entry| {
            let tag = headers.layout.address(entry, 0);
            (tag, headers.layout.address(entry, size))
        })
        .take_while(|(tag, _)| *tag != DT_NULL)
        .collect())
}

fn last(dynamic: &[(u64, u64)], tag: u64) -> Option<u64> {
    dynamic
        .iter()
        .rev()
        .find(|(t, _)| *t == tag)
        .map(|(_, value)| *value)
}

fn dynamic_strings(
    bytes: &(impl Bytes + ?Sized),
    headers: &Headers,
    dynamic: &[(u64, u64)],
) -> Result<Vec<u8>, ElfError> {
    let (Some(address), Some(size)) = (last(dynamic, DT_STRTAB), last(dynamic, DT_STRSZ)) else {
        return Ok(Vec::new());
    };
    let Some(offset) = headers.offset_of(address) else {
        return Err(ElfError::Damaged("the dynamic strings are not in the file"));
    };
    let room = bytes.length().saturating_sub(offset);
    let length = size.min(MAX_STRINGS).min(room) as usize;
    Ok(bytes.at(offset, length)?.into_owned())
}

/// The known functions among the undefined dynamic symbols.
fn imports(
    bytes: &(impl Bytes + ?Sized),
    headers: &Headers,
    dynamic: &[(u64, u64)],
    texts: &[u8],
) -> BTreeSet<Function> {
    let entry = headers.layout.symbol_size();
    let by_section = headers
        .sections
        .iter()
        .find(|section| section.kind == SHT_DYNSYM)
        .map(|section| (section.offset, section.size));
    // Without section headers the table has no length; every linker puts the
    // strings right behind it.
    let by_tags = || {
        let symbols = last(dynamic, DT_SYMTAB)?;
        let strings = last(dynamic, DT_STRTAB)?;
        Some((headers.offset_of(symbols)?, strings.checked_sub(symbols)?))
    };
    let Some((offset, size)) = by_section.or_else(by_tags) else {
        return BTreeSet::new();
    };
    let room = bytes.length().saturating_sub(offset);
    let Ok(table) = bytes.at(offset, size.min(MAX_SYMBOLS).min(room) as usize) else {
        return BTreeSet::new();
    };
    // st_name is first in both classes; st_shndx is not.
    let defined_in = if headers.layout.is_64 { 6 } else { 14 };
    table
        .chunks_exact(entry)
        .filter(|symbol| headers.layout.half(symbol, defined_in) == 0)
        .filter_map(|symbol| {
            let name = text_at(texts, u64::from(headers.layout.word(symbol, 0)))?;
            Function::of(name)
        })
        .collect()
}

/// Where a compiler puts texts: the read-only and the plain data sections, or
/// every loaded part that is not code where there are no sections.
fn data_ranges(bytes: &(impl Bytes + ?Sized), headers: &Headers) -> Vec<(u64, u64)> {
    let names = headers
        .sections
        .get(usize::from(headers.names))
        .and_then(|names| {
            bytes
                .at(names.offset, names.size.min(1 << 20) as usize)
                .ok()
        })
        .unwrap_or_default();
    let ranges: Vec<(u64, u64)> = headers
        .sections
        .iter()
        .filter(|section| section.kind == SHT_PROGBITS && section.is_loaded())
        .filter(|section| section.flags & SHF_EXECINSTR == 0)
        .filter(|section| {
            let name = headers.section_name(section, &names);
            [&b".rodata"[..], b".lrodata", b".data"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                && !name.starts_with(b".data.rel")
        })
        .map(|section| (section.offset, section.size))
        .collect();
    if !headers.sections.is_empty() {
        return ranges;
    }
    headers
        .segments
        .iter()
        .filter(|segment| segment.kind == PT_LOAD && segment.flags & PF_X == 0)
        .map(|segment| (segment.offset, segment.file_size))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let facts = Facts::parse(&bytes[..]).unwrap();
        assert!(facts.interpreter.unwrap().contains("/ld"));
        assert!(facts.needed.iter().any(|name| name.starts_with("libc.")));
        assert!(!facts.is_static);
        assert_eq!(facts.soname, None);
    }

    #[test]
    fn any_single_damage_is_survived() {
        let whole = std::fs::read("/proc/self/exe").unwrap();
        let cut = &whole[..whole.len().min(20_000)];
        for at in (0..1_500).step_by(7) {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = cut.to_vec();
                bytes[at] = value;
                let _ = Facts::parse(&bytes[..]);
            }
        }
    }

    #[test]
    fn python_and_libc_are_known_by_name() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let facts = Facts::parse(&bytes[..]).unwrap();
        for name in ["python3.11", "python", "libpython3.11.so.1.0"] {
            assert!(facts.is_python(name.as_bytes()), "{name}");
        }
        for name in ["pythonista", "libpythonish.so", "ipython3"] {
            assert!(!facts.is_python(name.as_bytes()), "{name}");
        }
        assert!(facts.is_libc(b"libc.so.6"));
        assert!(!facts.is_libc(b"libcrypto.so.3"));
    }
}
