//! The hash of a source file in hash-based `.pyc`s (`importlib.util.source_hash`).

/// CPython's keyed hash of a source: SipHash with the magic number as key, 1-3
/// rounds since 3.11, 2-4 before.
pub fn source_hash(magic: u32, source: &[u8], version: (u8, u8)) -> [u8; 8] {
    let (compress, end) = if version >= (3, 11) { (1, 3) } else { (2, 4) };
    siphash(u64::from(magic), 0, source, compress, end).to_le_bytes()
}

/// SipHash-c-d (Aumasson and Bernstein, 2012).
fn siphash(k0: u64, k1: u64, data: &[u8], compress: usize, end: usize) -> u64 {
    let mut v = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut words = data.chunks_exact(8);
    let take = |word: u64, v: &mut [u64; 4]| {
        v[3] ^= word;
        (0..compress).for_each(|_| round(v));
        v[0] ^= word;
    };
    for word in &mut words {
        take(little(word), &mut v);
    }
    take(
        (data.len() as u64) << 56 | little(words.remainder()),
        &mut v,
    );
    v[2] ^= 0xff;
    (0..end).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn little(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_vector() {
        // Key 00 01 .. 0f, message 00 01 .. 0e (appendix A).
        let message: Vec<u8> = (0..15).collect();
        let k0 = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7]);
        let k1 = u64::from_le_bytes([8, 9, 10, 11, 12, 13, 14, 15]);
        assert_eq!(siphash(k0, k1, &message, 2, 4), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn what_cpython_computes() {
        // importlib.util.source_hash(b"x = 1\n") of 3.11 and 3.10.
        assert_eq!(
            hex::encode(source_hash(0x0a0d_0da7, b"x = 1\n", (3, 11))),
            "4c0372aa93f75252"
        );
        assert_eq!(
            hex::encode(source_hash(0x0a0d_0d6f, b"x = 1\n", (3, 10))),
            "d94aade28c8cbebf"
        );
    }
}
