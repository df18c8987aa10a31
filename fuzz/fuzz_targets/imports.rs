//! Python source and compiled modules.
#![no_main]

use libfuzzer_sys::fuzz_target;
use whit_core::reach::python::{Imports, Platform, fuzzing};

const PLATFORM: Platform = Platform { version: (3, 11) };

fuzz_target!(|data: &[u8]| {
    fuzzing::compiled(data);
    let imports = fuzzing::source(data, PLATFORM);
    check(&imports);
    check(&fuzzing::by_line(data, PLATFORM));
    let (bound, depth) = fuzzing::depths(data);
    // A token may stand for a few levels of the tree, and there is a floor.
    assert!(depth <= 4 * bound + 24, "{depth} levels, expected {bound}");
});

/// Every position that facts hold points at something.
fn check(imports: &Imports) {
    for reference in &imports.references {
        assert!((reference.scope as usize) < imports.scopes.len());
        let fallback_of = reference.fallback_of.map_or(0, |of| of as usize + 1);
        assert!(fallback_of <= imports.attempts.len());
    }
    for (position, scope) in imports.scopes.iter().enumerate() {
        assert!(
            scope
                .parent
                .is_none_or(|parent| (parent as usize) < position)
        );
    }
    for attempt in imports.attempts.iter().flatten() {
        assert!(*attempt < imports.references.len());
    }
}
