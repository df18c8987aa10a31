//! Layers as a registry may send them: a bare tar, a compressed one, or a
//! whole archive of an image with layers in it.
#![no_main]

use std::io::Read;
use std::path::PathBuf;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use whit_fuzz::{mutate, scratch_file};
use whit_oci::{Image, LayerReader, Limits, Options, Reference};

/// No input here has a reason to unpack to more.
const MAX_TAR: u64 = 8 << 20;

fuzz_target!(|data: &[u8]| {
    let _ = whit_oci::read_all(data);
    same_in_pieces(data);
    if data.starts_with(&[0x1f, 0x8b]) {
        walk(flate2::read::MultiGzDecoder::new(data));
    } else if data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        && let Ok(plain) = zstd::Decoder::new(data)
    {
        walk(plain);
    }
    if has(data, b"manifest.json") || has(data, b"oci-layout") {
        image(data);
    }
});

/// What is read does not depend on how the source hands it out.
fn same_in_pieces(data: &[u8]) {
    let names = |source: &mut dyn Read| {
        let mut reader = LayerReader::new(source, "layer");
        let mut found = Vec::new();
        while let Ok(Some(entry)) = reader.next() {
            let mut content = Vec::new();
            let _ = reader.content().take(1 << 16).read_to_end(&mut content);
            found.push((entry.path, content));
        }
        found
    };
    assert_eq!(names(&mut &*data), names(&mut Crumbs(data)));
}

/// Hands out seven bytes at a time.
struct Crumbs<'a>(&'a [u8]);

impl Read for Crumbs<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(7);
        self.0.read(&mut buffer[..count])
    }
}

fn walk(source: impl Read) {
    let mut reader = LayerReader::new(source.take(MAX_TAR), "layer");
    while let Ok(Some(_)) = reader.next() {}
}

fn image(data: &[u8]) {
    let path = scratch_file("layer", data);
    let options = Options {
        platform: None,
        scratch: PathBuf::from("/dev/shm"),
        limits: Limits {
            archive: MAX_TAR,
            ..Limits::default()
        },
    };
    let reference = Reference::Path { path, name: None };
    let Ok(image) = Image::open(&reference, &options) else {
        return;
    };
    for index in 0..image.layers().len().min(8) {
        if let Some(Ok(layer)) = image.open_layer(index) {
            walk(layer);
        }
    }
}

fn has(data: &[u8], word: &[u8]) -> bool {
    data.windows(word.len()).any(|window| window == word)
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});
