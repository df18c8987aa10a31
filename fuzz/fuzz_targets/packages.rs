//! What a mirror may send, and apt's sources.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use whit_core::source::debian::{Keyring, fuzzing};
use whit_fuzz::{mutate, scratch_file};

/// 1 July 2026, when the signatures among the seeds are valid.
const NOW: i64 = 1_782_864_000;

static KEYS: LazyLock<Keyring> = LazyLock::new(|| {
    let mut keys = Keyring::default();
    let archive = include_bytes!("../../crates/core/src/source/debian/testdata/archive.gpg");
    keys.add(archive).expect("the tests' key is one");
    keys
});

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"!<arch>") {
        let _ = fuzzing::deb(&scratch_file("packages", data));
    } else if let Ok(text) = std::str::from_utf8(data) {
        fuzzing::text(text);
        if text.contains("-----BEGIN PGP") {
            fuzzing::signed(&KEYS, text, NOW);
            fuzzing::keys(data);
        }
    } else {
        fuzzing::unpack(data);
        fuzzing::keys(data);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});
