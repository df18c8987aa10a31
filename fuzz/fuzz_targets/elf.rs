//! Programs, libraries and the loader's own files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use whit_core::elf::{ET_DYN, Headers};
use whit_core::reach::elf::{Facts, cache, fuzzing};
use whit_core::transform::strip::{self, Depth};

fuzz_target!(|data: &[u8]| {
    cache::parse(data);
    if !data.starts_with(b"\x7fELF") {
        let text = String::from_utf8_lossy(data);
        cache::conf_lines(&text);
        fuzzing::tables(&text);
        return;
    }
    let before = Facts::parse(data);
    for depth in [Depth::Symbols, Depth::UnwindTables] {
        let Some(stripped) = strip::strip(data, depth) else {
            continue;
        };
        // Tables that cannot go are zeroed.
        assert!(stripped.len() < data.len() + usize::from(depth == Depth::UnwindTables));
        let (old, new) = (Headers::parse(data), Headers::parse(&stripped[..]));
        let (Ok(old), Ok(new)) = (old, new) else {
            panic!("what was stripped is no ELF file any more");
        };
        assert_eq!(old.segments.len(), new.segments.len());
        assert!(old.kind != ET_DYN || new.kind == ET_DYN);
        // What the loader reads is what it was.
        if let (Ok(before), Ok(after)) = (&before, Facts::parse(&stripped[..])) {
            assert_eq!(before.needed, after.needed);
            assert_eq!(before.interpreter, after.interpreter);
        }
    }
});
