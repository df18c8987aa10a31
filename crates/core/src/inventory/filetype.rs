//! What kind of file something is, by its first bytes and its name.

use serde::Serialize;
use whit_oci::ImagePath;

/// A kind of file, as far as sizes are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    /// An ELF file that runs, or an object file.
    Program,
    /// An ELF file that others load.
    Library,
    /// An `ar` archive, which only a linker reads.
    StaticLibrary,
    Python,
    Bytecode,
    JavaScript,
    /// A text that starts with `#!`.
    Script,
    /// Manual pages, documentation, licences.
    Documentation,
    /// Messages and formats of languages.
    Locale,
    /// C and C++ headers.
    Header,
    /// Something packed: gzip, xz, zstd, zip, jar, wheel.
    Archive,
    /// A picture, a font, a film.
    Media,
    Other,
}

impl FileType {
    /// How many first bytes [`FileType::detect`] wants to see.
    pub const HEAD: usize = 18;

    /// The type of the file at `path` that begins with `head`.
    pub fn detect(path: &ImagePath, head: &[u8]) -> Self {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match head {
            [0x7f, b'E', b'L', b'F', ..] => return elf(path, head),
            [b'!', b'<', b'a', b'r', b'c', b'h', b'>', ..] if extension == b"a" => {
                return Self::StaticLibrary;
            }
            _ => {}
        }
        if let Some(known) = by_extension(&extension) {
            return known;
        }
        if let Some(known) = by_folder(path) {
            return known;
        }
        match head {
            [b'#', b'!', ..] => Self::Script,
            [0x1f, 0x8b, ..]
            | [0xfd, b'7', b'z', b'X', b'Z', ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [b'P', b'K', 3, 4, ..] => Self::Archive,
            _ => Self::Other,
        }
    }

    /// The name of the type in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Program => "programs",
            Self::Library => "libraries",
            Self::StaticLibrary => "static libraries",
            Self::Python => "Python",
            Self::Bytecode => "bytecode",
            Self::JavaScript => "JavaScript",
            Self::Script => "scripts",
            Self::Documentation => "documentation",
            Self::Locale => "locales",
            Self::Header => "headers",
            Self::Archive => "archives",
            Self::Media => "media",
            Self::Other => "other",
        }
    }
}

/// Position-independent programs are `ET_DYN` too (elf(5)): what is called
/// like a library is one.
fn elf(path: &ImagePath, head: &[u8]) -> FileType {
    const ET_DYN: [u8; 2] = [3, 0];
    const ET_DYN_BIG: [u8; 2] = [0, 3];
    const BIG_ENDIAN: u8 = 2;
    let dynamic = match head.get(5) {
        Some(&BIG_ENDIAN) => ET_DYN_BIG,
        _ => ET_DYN,
    };
    let name = path.name();
    let called_library = name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.");
    match head.get(16..18) {
        Some(kind) if kind == dynamic && called_library => FileType::Library,
        _ => FileType::Program,
    }
}

fn by_extension(extension: &[u8]) -> Option<FileType> {
    Some(match extension {
        b"py" | b"pyi" => FileType::Python,
        b"pyc" | b"pyo" => FileType::Bytecode,
        b"js" | b"mjs" | b"cjs" | b"ts" | b"map" => FileType::JavaScript,
        b"h" | b"hh" | b"hpp" | b"hxx" | b"inc" => FileType::Header,
        b"mo" | b"gmo" | b"po" => FileType::Locale,
        b"md" | b"rst" => FileType::Documentation,
        b"zip" | b"jar" | b"whl" | b"tar" | b"tgz" | b"deb" | b"apk" => FileType::Archive,
        b"png" | b"jpg" | b"jpeg" | b"gif" | b"svg" | b"webp" | b"ico" | b"ttf" | b"otf"
        | b"woff" | b"woff2" | b"mp3" | b"mp4" => FileType::Media,
        _ => return None,
    })
}

/// Folders of the file hierarchy whose files are all of a kind (hier(7)).
fn by_folder(path: &ImagePath) -> Option<FileType> {
    const FOLDERS: [(&[u8], FileType); 6] = [
        (b"usr/share/doc/", FileType::Documentation),
        (b"usr/share/man/", FileType::Documentation),
        (b"usr/share/info/", FileType::Documentation),
        (b"usr/share/locale/", FileType::Locale),
        (b"usr/lib/locale/", FileType::Locale),
        (b"usr/include/", FileType::Header),
    ];
    FOLDERS
        .iter()
        .find(|(folder, _)| path.as_bytes().starts_with(folder))
        .map(|(_, file_type)| *file_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types() {
        const PIE: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0";
        const FIXED: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0";
        for (path, head, want) in [
            ("usr/bin/ls", PIE, FileType::Program),
            ("usr/bin/go", FIXED, FileType::Program),
            ("usr/lib/libc.so.6", PIE, FileType::Library),
            ("x/_speedups.cpython-311.so", PIE, FileType::Library),
            ("usr/lib/libc.a", b"!<arch>\n", FileType::StaticLibrary),
            ("usr/bin/a", b"#!/bin/sh", FileType::Script),
            ("app/main.py", b"#!/usr/bin/python3", FileType::Python),
            (
                "usr/share/doc/x/changelog.gz",
                b"\x1f\x8b",
                FileType::Documentation,
            ),
            ("srv/data", b"\x1f\x8b", FileType::Archive),
            ("etc/passwd", b"", FileType::Other),
        ] {
            assert_eq!(FileType::detect(&path.into(), head), want, "{path}");
        }
    }
}
