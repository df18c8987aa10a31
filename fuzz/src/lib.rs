//! What the targets share.

use std::path::PathBuf;

/// Puts `data` into a file of this process's own, in memory, for readers that
/// want a path.
///
/// # Panics
/// When it cannot be written.
pub fn scratch_file(target: &str, data: &[u8]) -> PathBuf {
    let path = PathBuf::from(format!(
        "/dev/shm/whit-fuzz-{target}-{}",
        std::process::id()
    ));
    std::fs::write(&path, data).expect("memory is writable");
    path
}

/// Changes an input as libFuzzer does, then puts the checksum of every tar
/// header in it right: nearly every change to one would end at that otherwise.
/// One in eight is left wrong.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let size = libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    if !seed.is_multiple_of(8) {
        sum_up(&mut data[..size]);
    }
    size
}

fn sum_up(data: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = data[from..].windows(5).position(|word| word == b"ustar") {
        from += at + 5;
        let Some(start) = (from - 5).checked_sub(257) else {
            continue;
        };
        let Some(block) = data.get_mut(start..start + 512) else {
            return;
        };
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    }
}
