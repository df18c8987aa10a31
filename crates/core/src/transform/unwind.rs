//! The tables that tell how to walk a stack (`.eh_frame`, LSB Core, chapter
//! 10), out of ELF files written in C.
//!
//! C itself never reads them. C++, Rust and others do when an exception or a
//! panic passes, so their files keep them, and so do the C library and whatever
//! unwinds. Who walks through a file without them ends there: profilers,
//! debuggers and `backtrace` show less, and a thread that is cancelled, or that
//! ends by `pthread_exit`, ends without the cleanup of frames further out.

use crate::elf::{
    Headers, Layout, PF_W, PT_GNU_EH_FRAME, PT_GNU_STACK, PT_LOAD, SHF_WRITE, SHT_DYNSYM,
    SHT_NOBITS, Section, Segment, text_at,
};
use crate::reach::elf::Facts;

/// Linkers write one table and one index.
const MAX_TABLES: usize = 2;
/// Bytes between a table and the end of its segment that are only alignment.
const MAX_PADDING: u64 = 16;

/// `bytes` with the tables zeroed, and the segments that end with them
/// shortened: of the same length, so that no offset changes. `None` where
/// there are none, or somebody needs them.
pub fn without_tables(bytes: &[u8], headers: &Headers) -> Option<Vec<u8>> {
    let tables = tables(bytes, headers)?;
    if tables.is_empty()
        || tables.len() > MAX_TABLES
        || !is_c(bytes, headers, &tables)
        || is_shared(bytes, headers, &tables)
    {
        return None;
    }
    let mut out = bytes.to_vec();
    for table in &tables {
        out.get_mut(range(table.section)?)?.fill(0);
        let entry = Headers::section_size(headers.layout);
        fill(&mut out, headers.sections_at, table.index, entry)?;
    }
    for (index, segment) in headers.segments.iter().enumerate() {
        let entry = Headers::segment_size(headers.layout);
        if segment.kind == PT_GNU_EH_FRAME {
            // All zero is `PT_NULL`: the entry is not used.
            fill(&mut out, headers.segments_at, index, entry)?;
        } else if segment.kind == PT_LOAD {
            let at = headers.segments_at + index as u64 * entry;
            let size = size_without(bytes, segment, &tables);
            put_sizes(
                &mut out,
                usize::try_from(at).ok()?,
                headers.layout,
                size,
                segment,
            );
        }
    }
    is_as_announced(headers, &Headers::parse(&out[..]).ok()?).then_some(out)
}

/// A section with its place among the sections.
struct Table<'h> {
    index: usize,
    section: &'h Section,
    is_index: bool,
}

/// `.eh_frame` and `.eh_frame_hdr`, those that are mapped read-only.
fn tables<'h>(bytes: &[u8], headers: &'h Headers) -> Option<Vec<Table<'h>>> {
    let names = headers.sections.get(usize::from(headers.names))?;
    let names = bytes.get(range(names)?)?;
    let mut tables = Vec::new();
    for (index, section) in headers.sections.iter().enumerate() {
        match headers.section_name(section, names) {
            b".gcc_except_table" | b".gopclntab" => return None,
            name @ (b".eh_frame" | b".eh_frame_hdr") if section.size > 0 => {
                let mapped = section.is_loaded() && section.kind != SHT_NOBITS;
                // Written to by the loader: of another time.
                if !mapped || section.flags & SHF_WRITE != 0 {
                    return None;
                }
                tables.push(Table {
                    index,
                    section,
                    is_index: name == b".eh_frame_hdr",
                });
            }
            _ => {}
        }
    }
    Some(tables)
}

/// True if nothing in the file takes part in exceptions, panics or the
/// unwinding itself.
fn is_c(bytes: &[u8], headers: &Headers, tables: &[Table]) -> bool {
    const UNWINDERS: [&str; 5] = ["libstdc++", "libgcc_s", "libc++", "libsupc++", "libunwind"];
    let Ok(facts) = Facts::parse(bytes) else {
        return false;
    };
    let is_unwinder = |name: &String| UNWINDERS.iter().any(|prefix| name.starts_with(prefix));
    // Threads of older C libraries are apart.
    let is_threads = |name: &String| name.starts_with("libpthread");
    if facts.is_libc(b"")
        || facts.soname.as_ref().is_some_and(is_threads)
        || facts.needed.iter().chain(&facts.soname).any(is_unwinder)
    {
        return false;
    }
    let takes_part = |name: &[u8]| {
        name.starts_with(b"_Unwind_")
            || name.starts_with(b"__register_frame")
            || name.starts_with(b"__deregister_frame")
            || memchr::memmem::find(name, b"personality").is_some()
    };
    let Some(symbols) = symbols(bytes, headers) else {
        // Linked statically: what it is made of is not known.
        return false;
    };
    !symbols.iter().any(|(name, _)| takes_part(name))
        && tables
            .iter()
            .filter(|table| !table.is_index)
            .all(|table| only_plain_frames(bytes, headers, table.section) == Some(true))
}

/// The dynamic symbols: name and address; 0 for those that are imported.
fn symbols<'b>(bytes: &'b [u8], headers: &Headers) -> Option<Vec<(&'b [u8], u64)>> {
    let table = headers.sections.iter().find(|s| s.kind == SHT_DYNSYM)?;
    let texts = headers.sections.get(table.link as usize)?;
    let texts = bytes.get(range(texts)?)?;
    let layout = headers.layout;
    // st_value follows st_name at once, or after st_info, st_other, st_shndx.
    let value = if layout.is_64 { 8 } else { 4 };
    bytes
        .get(range(table)?)?
        .chunks_exact(layout.symbol_size())
        .map(|raw| {
            let name = text_at(texts, u64::from(layout.word(raw, 0)))?;
            Some((name, layout.address(raw, value)))
        })
        .collect()
}

/// True if no function of the table has a handler. What a function has is said
/// by letters (LSB Core, 10.6.1.1.1): `z` and `R` say how to read, `B` and `G`
/// how AArch64 signs and tags; `P` is a personality, `L` its data, `S` the frame
/// of a signal.
fn only_plain_frames(bytes: &[u8], headers: &Headers, section: &Section) -> Option<bool> {
    let table = bytes.get(range(section)?)?;
    let layout = headers.layout;
    let mut at = 0;
    while at < table.len() {
        let length = layout.word(table.get(at..at + 4)?, 0);
        match length {
            // The end of one object file's part.
            0 => {
                at += 4;
                continue;
            }
            // 64-bit DWARF, which no compiler writes here.
            u32::MAX => return None,
            _ => {}
        }
        let end = at.checked_add(4)?.checked_add(length as usize)?;
        let entry = table.get(at + 4..end)?;
        // Descriptions of functions point at a common entry, which has 0.
        if layout.word(entry.get(..4)?, 0) == 0 {
            // The version is before it.
            let letters = text_at(entry, 5)?;
            if !letters.iter().all(|letter| b"zRBG".contains(letter)) {
                return Some(false);
            }
        }
        at = end;
    }
    Some(true)
}

/// True if a table is also part of something else.
fn is_shared(bytes: &[u8], headers: &Headers, tables: &[Table]) -> bool {
    let is_table = |index: usize| tables.iter().any(|table| table.index == index);
    let symbols = symbols(bytes, headers).unwrap_or_default();
    tables.iter().any(|table| {
        let (from, size) = (table.section.offset, table.section.size);
        let overlaps = |offset: u64, length: u64| {
            offset < from.saturating_add(size) && from < offset.saturating_add(length)
        };
        let mut others = headers.sections.iter().enumerate();
        let in_section =
            others.any(|(index, s)| !is_table(index) && overlaps(s.offset, s.file_size()));
        let in_segment = headers.segments.iter().any(|s| match s.kind {
            PT_GNU_EH_FRAME | PT_GNU_STACK => false,
            PT_LOAD => s.flags & PF_W != 0 && overlaps(s.offset, s.file_size),
            _ => overlaps(s.offset, s.file_size),
        });
        let start = table.section.address;
        let named = |(_, address): &(&[u8], u64)| {
            *address >= start && *address < start.saturating_add(size)
        };
        in_section || in_segment || symbols.iter().any(named)
    })
}

/// Bytes of a segment before the tables that end it.
fn size_without(bytes: &[u8], segment: &Segment, tables: &[Table]) -> u64 {
    if segment.file_size != segment.memory_size {
        return segment.file_size;
    }
    let mut end = segment.offset.saturating_add(segment.file_size);
    let ends_there = |table: &&Table, end: u64| {
        let behind = table.section.offset.saturating_add(table.section.size);
        table.section.offset < end
            && end.checked_sub(behind).is_some_and(|gap| gap < MAX_PADDING)
            && bytes
                .get(behind as usize..end as usize)
                .is_some_and(|gap| gap.iter().all(|byte| *byte == 0))
    };
    while let Some(table) = tables.iter().find(|table| ends_there(table, end)) {
        end = table.section.offset;
    }
    // A segment of nothing is not worth the trouble.
    match end.checked_sub(segment.offset) {
        Some(size) if size > 0 => size,
        _ => segment.file_size,
    }
}

fn range(section: &Section) -> Option<std::ops::Range<usize>> {
    let from = usize::try_from(section.offset).ok()?;
    Some(from..from.checked_add(usize::try_from(section.file_size()).ok()?)?)
}

/// Zeroes the nth entry of a table of headers.
fn fill(out: &mut [u8], table: u64, nth: usize, entry: u64) -> Option<()> {
    let from = usize::try_from(table.checked_add(nth as u64 * entry)?).ok()?;
    out.get_mut(from..from.checked_add(entry as usize)?)?
        .fill(0);
    Some(())
}

/// Writes `p_filesz` and `p_memsz` of the program header at `at`.
fn put_sizes(out: &mut [u8], at: usize, layout: Layout, size: u64, segment: &Segment) {
    if size != segment.file_size {
        let first = if layout.is_64 { 32 } else { 16 };
        layout.put_address(out, at + first, size);
        layout.put_address(out, at + first + layout.address_size(), size);
    }
}

/// The check: every segment is where it was and is mapped as it was, if
/// shorter, and only the pointer to the tables is gone.
fn is_as_announced(old: &Headers, new: &Headers) -> bool {
    old.segments.len() == new.segments.len()
        && old.sections.len() == new.sections.len()
        && old.segments.iter().zip(&new.segments).all(|(a, b)| {
            let shorter = Segment {
                file_size: b.file_size,
                memory_size: b.memory_size,
                ..*a
            };
            match a.kind {
                PT_GNU_EH_FRAME => b.kind == 0,
                PT_LOAD => *b == shorter && b.file_size <= a.file_size,
                _ => a == b,
            }
        })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::Command;

    use super::super::strip::{Depth, strip};
    use super::*;

    /// Threads end by `pthread_exit` and by being cancelled, deep in frames
    /// that nothing describes: each must end, with its result, its cleanup and
    /// its own data's.
    const THREADS: &str = r#"
        #include <pthread.h>
        #include <stdio.h>
        #include <unistd.h>
        static pthread_key_t key;
        static int cleaned, forgotten;
        static void clean(void *unused) { cleaned++; }
        static void forget(void *unused) { forgotten++; }
        __attribute__((noinline)) static void deep(int left, long cancelled) {
            volatile int here = left;
            if (left) deep(left - 1, cancelled);
            else if (!cancelled) pthread_exit((void *)42);
            else for (;;) pause();
            here++;
        }
        static void *run(void *cancelled) {
            pthread_setspecific(key, run);
            pthread_cleanup_push(clean, 0);
            deep(10, (long)cancelled);
            pthread_cleanup_pop(0);
            return 0;
        }
        int main() {
            pthread_key_create(&key, forget);
            for (long cancelled = 0; cancelled < 2; cancelled++) {
                pthread_t thread;
                void *result;
                pthread_create(&thread, 0, run, (void *)cancelled);
                if (cancelled) pthread_cancel(thread);
                pthread_join(thread, &result);
                if (result != (cancelled ? PTHREAD_CANCELED : (void *)42)) return 1;
            }
            printf("%d %d\n", cleaned, forgotten);
            return 0;
        }
    "#;

    /// A program from C, with enough functions for some pages of tables.
    fn compiled(folder: &Path, flags: &[&str]) -> Vec<u8> {
        let mut text = THREADS.to_owned();
        for n in 0..400 {
            writeln!(text, "int f{n}(int x) {{ return x * {n}; }}").unwrap();
        }
        let source = folder.join("threads.c");
        fs::write(&source, text).unwrap();
        let output = Command::new("cc")
            .args(["-O1", "-pthread", "-rdynamic", "-o"])
            .arg(folder.join("threads"))
            .args(flags)
            .arg(&source)
            .output()
            .expect("this test needs a C compiler");
        assert!(output.status.success(), "{output:?}");
        fs::read(folder.join("threads")).unwrap()
    }

    fn section_names(bytes: &[u8]) -> Vec<String> {
        let headers = Headers::parse(bytes).unwrap();
        let names = &headers.sections[usize::from(headers.names)];
        let names = &bytes[range(names).unwrap()];
        let name = |s| String::from_utf8_lossy(headers.section_name(s, names)).into_owned();
        headers.sections.iter().map(name).collect()
    }

    #[test]
    fn a_program_in_c_is_shorter_and_its_threads_end() {
        let folder = tempfile::tempdir().unwrap();
        let before = compiled(folder.path(), &[]);
        let symbols = strip(&before, Depth::Symbols).unwrap();
        let after = strip(&before, Depth::UnwindTables).unwrap();
        assert!(after.len() + 0x1000 <= symbols.len());
        assert!(section_names(&symbols).contains(&".eh_frame".to_owned()));
        assert!(
            !section_names(&after)
                .iter()
                .any(|name| name.starts_with(".eh_frame"))
        );
        let headers = Headers::parse(&after[..]).unwrap();
        assert!(headers.segments.iter().all(|s| s.kind != PT_GNU_EH_FRAME));
        assert_eq!(strip(&after, Depth::UnwindTables), None, "nothing is left");

        let path = folder.path().join("small");
        fs::write(&path, &after).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "2 2\n");
    }

    #[test]
    fn who_takes_part_in_unwinding_keeps_the_tables() {
        let folder = tempfile::tempdir().unwrap();
        let same = |bytes: &[u8]| {
            assert!(section_names(bytes).contains(&".eh_frame".to_owned()));
            assert_eq!(
                strip(bytes, Depth::UnwindTables),
                strip(bytes, Depth::Symbols)
            );
        };
        // Rust.
        same(&fs::read("/proc/self/exe").unwrap());
        // C that cleans up when an exception passes.
        same(&compiled(folder.path(), &["-fexceptions"]));
        // A user of the unwinder.
        same(&compiled(folder.path(), &["-Wl,--no-as-needed", "-lgcc_s"]));
    }

    #[test]
    fn tables_that_something_follows_are_zeroed() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = compiled(folder.path(), &["-s"]);
        let headers = Headers::parse(&before[..]).unwrap();
        // As if the segment went on.
        let tables = tables(&before, &headers).unwrap();
        let last = tables.iter().max_by_key(|t| t.section.offset).unwrap();
        let end = last.section.offset + last.section.size;
        let holds = |s: &Segment| s.kind == PT_LOAD && s.offset + s.file_size == end;
        let index = headers.segments.iter().position(holds).unwrap();
        let segment = headers.segments[index];
        let longer = segment.file_size + MAX_PADDING;
        let at = headers.segments_at as usize + index * 56;
        put_sizes(&mut before, at, headers.layout, longer, &segment);
        before[end as usize] = 1;
        let after = strip(&before, Depth::UnwindTables).unwrap();
        assert_eq!(after.len(), before.len());
        let table = range(last.section).unwrap();
        assert!(after[table].iter().all(|byte| *byte == 0));
        let headers = Headers::parse(&after[..]).unwrap();
        assert_eq!(headers.segments[index].file_size, longer);
    }

    #[test]
    fn damaged_headers_never_panic() {
        let folder = tempfile::tempdir().unwrap();
        let whole = compiled(folder.path(), &["-s"]);
        let headers = Headers::parse(&whole[..]).unwrap();
        let tables = tables(&whole, &headers).unwrap();
        let inside = range(tables.last().unwrap().section).unwrap();
        for at in (0..800)
            .chain(inside.step_by(37))
            .chain((headers.sections_at as usize..whole.len()).step_by(3))
        {
            for value in [0, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = strip(&bytes, Depth::UnwindTables);
            }
        }
    }
}
