//! `libc-bin`: `/etc/ld.so.cache`, which `ldconfig` writes.
//!
//! The format is glibc's `glibc-ld.so.cache1.1` (glibc, `elf/dl-cache.h`), in
//! the byte order of the machine, which is the little one on all that Debian
//! still builds for but s390x. What belongs into it follows `elf/ldconfig.c`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use object::elf;
use object::read::ReadCache;
use whit_oci::{ImagePath, Kind};

use super::super::root::{Result, Root};
use super::elf::{Class, Library, read_library};

const CONFIG: &str = "etc/ld.so.conf";
const CACHE: &str = "etc/ld.so.cache";
/// How deep `include` may go in the configuration.
const MAX_INCLUDES: usize = 8;
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// Marks an entry of a `glibc-hwcaps` folder (`DL_CACHE_HWCAP_EXTENSION`).
const HWCAP_EXTENSION: u64 = 1 << 62;
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const TAG_HWCAPS: u32 = 1;

/// Writes the cache of all libraries in the folders that the loader's
/// configuration names, and the links from a library's name to its file where
/// they are missing.
pub fn write(root: &mut Root, architecture: &str) -> Result<()> {
    if architecture == "s390x" {
        return Ok(());
    }
    let mut libraries = Vec::new();
    for folder in folders(root) {
        libraries.extend(in_folder(root, &folder, None)?);
        for (name, below) in hwcaps_below(root, &folder) {
            libraries.extend(in_folder(root, &below, Some(&name))?);
        }
    }
    if libraries.is_empty() {
        return Ok(());
    }
    // Stable: of equals, the folder that was named first comes first.
    libraries.sort_by(compare);
    root.put_file(CACHE, 0o644, &encode(&libraries))
}

/// A line of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cached {
    /// What programs ask for.
    soname: Vec<u8>,
    /// Absolute path of the file or of the link that has this name.
    path: Vec<u8>,
    flags: u32,
    /// The `glibc-hwcaps` folder it is in.
    hwcaps: Option<String>,
}

/// Folders by the names under which they are configured: absolute, without a
/// slash at the end. Those that are the same folder count once.
fn folders(root: &Root) -> Vec<String> {
    let mut named = Vec::new();
    read_config(root, &ImagePath::from(CONFIG), 0, &mut named);
    named.extend(["/lib".to_owned(), "/usr/lib".to_owned()]);
    let mut seen = BTreeSet::new();
    named.retain(|folder| {
        root.resolve(&ImagePath::clamped(folder))
            .is_some_and(|real| seen.insert(real))
    });
    named
}

/// ldconfig(8): one folder a line, `include PATTERN`, comments.
fn read_config(root: &Root, path: &ImagePath, depth: usize, folders: &mut Vec<String>) {
    let bytes = root.read(path).unwrap_or_default();
    for line in String::from_utf8_lossy(&bytes).lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(pattern) = line.strip_prefix("include ") {
            let folder = path.parent().unwrap_or_default();
            if depth < MAX_INCLUDES {
                for included in matching(root, &folder.join(pattern.trim())) {
                    read_config(root, &included, depth + 1, folders);
                }
            }
        } else if line.starts_with('/') {
            // `DIR=TYPE` is an old form that nobody has asked for since libc5.
            let folder = line.split('=').next().unwrap_or(line);
            folders.push(folder.trim_end_matches('/').to_owned());
        }
    }
}

/// The files that a pattern stands for; only the last component may be one.
fn matching(root: &Root, pattern: &ImagePath) -> Vec<ImagePath> {
    let glob = pattern
        .as_str()
        .and_then(|text| {
            globset::GlobBuilder::new(text)
                .literal_separator(true)
                .build()
                .ok()
        })
        .map(|glob| glob.compile_matcher());
    let (Some(glob), Some(folder)) = (glob, pattern.parent()) else {
        return Vec::new();
    };
    root.below(&folder)
        .filter(|entry| entry.path.as_str().is_some_and(|path| glob.is_match(path)))
        .map(|entry| entry.path.clone())
        .collect()
}

fn hwcaps_below(root: &Root, folder: &str) -> Vec<(String, String)> {
    let above = format!("{folder}/glibc-hwcaps");
    let Some(real) = root.resolve(&ImagePath::clamped(&above)) else {
        return Vec::new();
    };
    root.below(&real)
        .filter(|entry| entry.kind == Kind::Dir && entry.path.parent().as_ref() == Some(&real))
        .filter_map(|entry| str::from_utf8(entry.path.name()).ok())
        .map(|name| (name.to_owned(), format!("{above}/{name}")))
        .collect()
}

/// One file of a folder that was chosen for its soname.
struct Choice {
    name: Vec<u8>,
    is_link: bool,
    flags: u32,
}

/// The libraries of a folder, not of those below it.
fn in_folder(root: &mut Root, folder: &str, hwcaps: Option<&str>) -> Result<Vec<Cached>> {
    let Some(real) = root.resolve(&ImagePath::clamped(folder)) else {
        return Ok(Vec::new());
    };
    let mut chosen: BTreeMap<Vec<u8>, Choice> = BTreeMap::new();
    for entry in root.below(&real) {
        let name = entry.path.name();
        if entry.path.parent().as_ref() != Some(&real) || !is_library_name(name) {
            continue;
        }
        let Some((library, flags)) = read(root, &entry.path) else {
            continue;
        };
        let soname = library.soname.unwrap_or_else(|| implicit_soname(name));
        let is_link = matches!(entry.kind, Kind::Symlink { .. });
        // A link that is neither `libx.so`, for the linker, nor the soname
        // itself is just another file.
        let is_link =
            is_link && (name == soname || (name.ends_with(b".so") && soname.starts_with(name)));
        let soname = if is_link { name.to_vec() } else { soname };
        let choice = Choice {
            name: name.to_vec(),
            is_link,
            flags,
        };
        // A file before a link, else the higher version.
        let is_better = chosen.get(&soname).is_none_or(|old| {
            (!is_link && old.is_link)
                || (is_link == old.is_link && compare_names(&old.name, name).is_lt())
        });
        if is_better {
            chosen.insert(soname, choice);
        }
    }
    let mut cached = Vec::new();
    for (soname, choice) in chosen {
        // In the ordinary folders the soname is what counts, in those for
        // certain processors the file.
        let file = if hwcaps.is_some() {
            &choice.name
        } else {
            &soname
        };
        if hwcaps.is_none() && !choice.is_link && root.get(&real.join(&soname)).is_none() {
            let link = real.join(&soname);
            if let (Some(link), Ok(target)) = (link.as_str(), str::from_utf8(&choice.name)) {
                root.put_link(link, target)?;
            }
        }
        cached.push(Cached {
            path: [folder.as_bytes(), b"/", file].concat(),
            soname,
            flags: choice.flags,
            hwcaps: hwcaps.map(str::to_owned),
        });
    }
    Ok(cached)
}

fn is_library_name(name: &[u8]) -> bool {
    let begins = [&b"lib"[..], b"ld-", b"ld.so", b"ld64.so"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    begins && memchr::memmem::find(name, b".so").is_some() && !name.ends_with(b".py")
}

/// `libx.so.1.2` stands for `libx.so.1`.
fn implicit_soname(name: &[u8]) -> Vec<u8> {
    let Some(so) = memchr::memmem::find(name, b".so.") else {
        return name.to_vec();
    };
    let version = so + b".so.".len();
    let end = memchr::memchr(b'.', &name[version..]).map_or(name.len(), |dot| version + dot);
    name[..end].to_vec()
}

fn read(root: &Root, path: &ImagePath) -> Option<(Library, u32)> {
    let file = root.open(&root.resolve(path)?)?;
    let library = read_library(&ReadCache::new(file))?;
    let flags = flags(&library)?;
    Some((library, flags))
}

/// `FLAG_ELF_LIBC6` and the flag of the machine (glibc, `ldconfig.h`).
fn flags(library: &Library) -> Option<u32> {
    let machine = match (library.machine, library.class) {
        (elf::EM_386, Class::Elf32) => 0x0000,
        (elf::EM_X86_64, Class::Elf64) => 0x0300,
        (elf::EM_PPC64, Class::Elf64) => 0x0500,
        (elf::EM_ARM, Class::Elf32) => 0x0900,
        (elf::EM_AARCH64, Class::Elf64) => 0x0a00,
        (elf::EM_RISCV, Class::Elf64) => 0x1000,
        (elf::EM_LOONGARCH, Class::Elf64) => 0x1200,
        _ => return None,
    };
    Some(machine | 3)
}

/// The order in which the loader searches by halving: names from high to low,
/// of one name those for certain processors first (`elf/cache.c`, `compare`).
fn compare(a: &Cached, b: &Cached) -> Ordering {
    compare_names(&b.soname, &a.soname)
        .then_with(|| b.flags.cmp(&a.flags))
        .then_with(|| match (&a.hwcaps, &b.hwcaps) {
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => b.is_some().cmp(&a.is_some()),
        })
}

/// Numbers in names compare as numbers, and sort after everything else
/// (`_dl_cache_libcmp`).
fn compare_names(mut a: &[u8], mut b: &[u8]) -> Ordering {
    loop {
        let (Some(&x), Some(&y)) = (a.first(), b.first()) else {
            return a.len().cmp(&b.len());
        };
        match (x.is_ascii_digit(), y.is_ascii_digit()) {
            (true, true) => {
                let (number_a, rest_a) = take_number(a);
                let (number_b, rest_b) = take_number(b);
                if number_a != number_b {
                    return number_a.cmp(&number_b);
                }
                (a, b) = (rest_a, rest_b);
            }
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) if x != y => return (x as i8).cmp(&(y as i8)),
            (false, false) => (a, b) = (&a[1..], &b[1..]),
        }
    }
}

/// Wraps around as the loader's own `int` does.
fn take_number(bytes: &[u8]) -> (i32, &[u8]) {
    let end = bytes
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(bytes.len());
    let number = bytes[..end].iter().fold(0_i32, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(i32::from(digit - b'0'))
    });
    (number, &bytes[end..])
}

/// Header, entries, strings and, if there are `glibc-hwcaps` folders, their
/// names in an extension. Offsets count from the start of the file.
fn encode(libraries: &[Cached]) -> Vec<u8> {
    let mut strings: Vec<u8> = Vec::new();
    let base = HEADER + ENTRY * libraries.len();
    let names: Vec<&String> = {
        let names: BTreeSet<&String> = libraries
            .iter()
            .filter_map(|one| one.hwcaps.as_ref())
            .collect();
        names.into_iter().collect()
    };
    let mut entries = Vec::with_capacity(ENTRY * libraries.len());
    for library in libraries {
        let path = base + strings.len();
        strings.extend_from_slice(&library.path);
        strings.push(0);
        // A path that ends with the soname serves for both.
        let soname = if library.path.ends_with(&library.soname) {
            path + library.path.len() - library.soname.len()
        } else {
            strings.extend_from_slice(&library.soname);
            strings.push(0);
            base + strings.len() - library.soname.len() - 1
        };
        let hwcap = library
            .hwcaps
            .as_ref()
            .and_then(|name| names.binary_search(&name).ok())
            .map_or(0, |index| HWCAP_EXTENSION | index as u64);
        entries.extend_from_slice(&library.flags.to_le_bytes());
        entries.extend_from_slice(&word(soname));
        entries.extend_from_slice(&word(path));
        entries.extend_from_slice(&0_u32.to_le_bytes());
        entries.extend_from_slice(&hwcap.to_le_bytes());
    }
    let mut offsets = Vec::new();
    for name in &names {
        offsets.push(base + strings.len());
        strings.extend_from_slice(name.as_bytes());
        strings.push(0);
    }
    let end = (base + strings.len()).next_multiple_of(4);
    let extension = if names.is_empty() { 0 } else { end };

    let mut out = Vec::with_capacity(end + 64);
    out.extend_from_slice(b"glibc-ld.so.cache1.1");
    out.extend_from_slice(&word(libraries.len()));
    out.extend_from_slice(&word(strings.len()));
    // Little endian, and three bytes of nothing.
    out.extend_from_slice(&[2, 0, 0, 0]);
    out.extend_from_slice(&word(extension));
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&entries);
    out.extend_from_slice(&strings);
    if !names.is_empty() {
        out.resize(end, 0);
        out.extend_from_slice(&EXTENSION_MAGIC.to_le_bytes());
        // One section: tag, flags, offset, size.
        out.extend_from_slice(&1_u32.to_le_bytes());
        out.extend_from_slice(&TAG_HWCAPS.to_le_bytes());
        out.extend_from_slice(&0_u32.to_le_bytes());
        out.extend_from_slice(&word(end + 24));
        out.extend_from_slice(&word(4 * names.len()));
        for offset in offsets {
            out.extend_from_slice(&word(offset));
        }
    }
    out
}

/// Caches have some kilobytes; nothing here comes near 4 GiB.
fn word(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest shared object that has a soname: one loaded segment with
    /// the dynamic table at 176 and its strings at 256.
    fn library(soname: &str) -> Vec<u8> {
        let mut out = b"\x7fELF\x02\x01\x01".to_vec();
        out.resize(16, 0);
        for half in [3_u16, 62] {
            out.extend_from_slice(&half.to_le_bytes());
        }
        out.extend_from_slice(&1_u32.to_le_bytes());
        for long in [0_u64, 64, 0] {
            out.extend_from_slice(&long.to_le_bytes());
        }
        out.extend_from_slice(&0_u32.to_le_bytes());
        for half in [64_u16, 56, 2, 64, 0, 0] {
            out.extend_from_slice(&half.to_le_bytes());
        }
        let size = 257 + soname.len() as u64 + 1;
        for (kind, offset, size) in [(1_u32, 0_u64, size), (2, 176, 48)] {
            out.extend_from_slice(&kind.to_le_bytes());
            out.extend_from_slice(&4_u32.to_le_bytes());
            for long in [offset, offset, offset, size, size, 8] {
                out.extend_from_slice(&long.to_le_bytes());
            }
        }
        for (tag, value) in [(14_u64, 1_u64), (5, 256), (0, 0)] {
            out.extend_from_slice(&tag.to_le_bytes());
            out.extend_from_slice(&value.to_le_bytes());
        }
        out.resize(257, 0);
        out.extend_from_slice(soname.as_bytes());
        out.push(0);
        out
    }

    /// Reads a cache as the loader does: `soname => path [hwcaps]`.
    fn decode(cache: &[u8]) -> Vec<String> {
        let u32_at = |at: usize| u32::from_le_bytes(cache[at..at + 4].try_into().unwrap()) as usize;
        let text = |at: usize| {
            let end = at + cache[at..].iter().position(|byte| *byte == 0).unwrap();
            String::from_utf8(cache[at..end].to_vec()).unwrap()
        };
        assert_eq!(&cache[..20], b"glibc-ld.so.cache1.1");
        let (count, strings, extension) = (u32_at(20), u32_at(24), u32_at(32));
        let table = if extension == 0 {
            0
        } else {
            assert_eq!(u32_at(extension), 0xeaa4_2174);
            u32_at(extension + 16)
        };
        assert!(HEADER + ENTRY * count + strings <= cache.len());
        (0..count)
            .map(|i| HEADER + ENTRY * i)
            .map(|at| {
                assert_eq!(u32_at(at), 0x0303);
                let mut line = format!("{} => {}", text(u32_at(at + 4)), text(u32_at(at + 8)));
                if u32_at(at + 20) == 1 << 30 {
                    line += &format!(" [{}]", text(u32_at(table + 4 * u32_at(at + 16))));
                }
                line
            })
            .collect()
    }

    #[test]
    fn folders_links_and_processors() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        root.put_dir("usr/lib", 0o755, 0).unwrap();
        root.put_link("lib", "usr/lib").unwrap();
        for (path, text) in [
            ("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"),
            (
                "etc/ld.so.conf.d/a.conf",
                "# local\n/usr/local/lib/\n/gone\n",
            ),
            ("etc/ld.so.conf.d/b.conf", "/lib/multi\n/usr/lib/multi\n"),
            ("etc/ld.so.conf.d/c.conf.off", "/opt\n"),
            ("usr/lib/libscript.so", "INPUT(-lc)"),
        ] {
            root.put_file(path, 0o644, text.as_bytes()).unwrap();
        }
        for (path, soname) in [
            ("usr/local/lib/libz-1.9.so", "libz.so.1"),
            ("usr/lib/multi/libz.so.1.2", "libz.so.1"),
            ("usr/lib/multi/libz.so.1.10", "libz.so.1"),
            ("usr/lib/multi/libnone.so.3.1", ""),
            ("usr/lib/multi/plugin.so", "plugin.so"),
            (
                "usr/lib/multi/glibc-hwcaps/x86-64-v3/libz.so.1.10",
                "libz.so.1",
            ),
            ("usr/lib/multi/sub/libdeep.so.1", "libdeep.so.1"),
            ("usr/lib/libz.so.10", "libz.so.10"),
        ] {
            root.put_file(path, 0o644, &library(soname)).unwrap();
        }
        for (path, target) in [
            ("usr/lib/multi/libz.so", "libz.so.1.10"),
            ("usr/lib/multi/libz.so.1", "libz.so.1.10"),
        ] {
            root.put_link(path, target).unwrap();
        }
        write(&mut root, "amd64").unwrap();
        let cache = root.read(&CACHE.into()).unwrap();
        assert_eq!(
            decode(&cache),
            [
                "libz.so.10 => /lib/libz.so.10",
                "libz.so.1 => /lib/multi/glibc-hwcaps/x86-64-v3/libz.so.1.10 [x86-64-v3]",
                "libz.so.1 => /usr/local/lib/libz.so.1",
                "libz.so.1 => /lib/multi/libz.so.1",
                "libz.so => /lib/multi/libz.so",
                "libnone.so.3 => /lib/multi/libnone.so.3",
            ]
        );
        let made = root.resolve(&"usr/local/lib/libz.so.1".into());
        assert_eq!(made, Some("usr/local/lib/libz-1.9.so".into()));
    }

    #[test]
    fn the_order_of_names() {
        let names = [
            "",
            "liba",
            "libb",
            "libb.so",
            "libb2",
            "libb10",
            "libbz",
            "libc.so.6",
        ];
        for (i, a) in names.iter().enumerate() {
            for (j, b) in names.iter().enumerate() {
                // `libb2` sorts after `libbz`: digits come last.
                let expected = match (*a, *b) {
                    ("libbz", "libb2" | "libb10") => Ordering::Less,
                    ("libb2" | "libb10", "libbz") => Ordering::Greater,
                    _ => i.cmp(&j),
                };
                assert_eq!(
                    compare_names(a.as_bytes(), b.as_bytes()),
                    expected,
                    "{a} {b}"
                );
            }
        }
    }

    #[test]
    fn broken_libraries_are_passed_over() {
        let whole = library("libx.so.1");
        assert_eq!(
            read_library(&whole[..]).unwrap().soname.as_deref(),
            Some(&b"libx.so.1"[..])
        );
        for end in 0..whole.len() {
            let _ = read_library(&whole[..end]);
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = read_library(&bytes[..]);
            }
        }
    }

    #[test]
    fn implicit_names() {
        for (name, soname) in [
            ("liba.so.1.2.3", "liba.so.1"),
            ("liba.so.1", "liba.so.1"),
            ("liba-1.2.so", "liba-1.2.so"),
        ] {
            assert_eq!(implicit_soname(name.as_bytes()), soname.as_bytes());
        }
    }
}
