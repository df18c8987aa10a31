//! Which of a layer's stored bytes hold which part of its tar.

/// Bytes of the tar after which a layer's stream looks how far it has come in
/// the stored bytes. Between two looks the stored bytes are spread evenly.
pub(super) const STEP: usize = 4 << 10;

/// How the offsets of a layer's tar map to those of its stored bytes, noted
/// while it is decompressed.
///
/// For gzip the map is right to 4 KiB of tar, for zstd to one of its blocks,
/// of at most 128 KiB (RFC 8878, section 3.1.1.2.4): a decoder takes a block
/// in at once. A layer that is not compressed maps to itself.
///
/// A file's share is what the stored layer grows by where the file stands:
/// what resembles something that came shortly before costs less than alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Tar offset and stored offset; both rise strictly.
    points: Vec<(u64, u64)>,
    /// The last look: where the next point begins if the stream moves on.
    end: (u64, u64),
}

impl Offsets {
    /// The stream has given `tar` bytes and taken in `stored` for them. A
    /// decoder that only gives out what it took in before makes no point, so
    /// that a block's bytes are spread over the whole block.
    pub(super) fn look(&mut self, tar: u64, stored: u64) {
        if stored > self.end.1 {
            self.points.push(self.end);
        }
        self.end = (tar, stored.max(self.end.1));
    }

    /// Bytes as stored up to this offset of the tar.
    pub fn stored_at(&self, tar: u64) -> u64 {
        let next = self.points.partition_point(|point| point.0 <= tar);
        let Some(before) = next.checked_sub(1).and_then(|i| self.points.get(i)) else {
            return 0;
        };
        let after = self.points.get(next).unwrap_or(&self.end);
        let (length, grown) = (after.0 - before.0, after.1 - before.1);
        let inside = (tar - before.0).min(length);
        match length {
            0 => before.1,
            // In 128 bits: a layer may be larger than what two factors of 32 hold.
            _ => before.1 + (u128::from(grown) * u128::from(inside) / u128::from(length)) as u64,
        }
    }

    /// The stored bytes of the whole layer.
    pub fn stored(&self) -> u64 {
        self.end.1
    }

    /// The share of each part of the tar that begins at one of `starts`, which
    /// rise; the last one ends at `end`.
    pub fn shares(&self, starts: &[u64], end: u64) -> Vec<u64> {
        let ends = starts.iter().skip(1).chain(std::iter::once(&end));
        starts
            .iter()
            .zip(ends)
            .map(|(from, to)| self.stored_at(*to).saturating_sub(self.stored_at(*from)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_spread_over_all_that_it_gives() {
        let mut offsets = Offsets::default();
        // Two blocks of 100 and 20 bytes, each seen in four steps.
        for (tar, stored) in [(10, 100), (20, 100), (30, 100), (40, 100)] {
            offsets.look(tar, stored);
        }
        for (tar, stored) in [(50, 120), (60, 120), (70, 120), (80, 120)] {
            offsets.look(tar, stored);
        }
        assert_eq!(offsets.stored_at(0), 0);
        assert_eq!(offsets.stored_at(20), 50);
        assert_eq!(offsets.stored_at(40), 100);
        assert_eq!(offsets.stored_at(60), 110);
        assert_eq!(offsets.stored_at(80), 120);
        assert_eq!(offsets.stored_at(900), 120);
        assert_eq!(offsets.shares(&[0, 20, 40], 80), [50, 50, 20]);
    }

    #[test]
    fn nothing_read_is_nothing_stored() {
        assert_eq!(Offsets::default().stored_at(7), 0);
        assert_eq!(Offsets::default().shares(&[], 0), Vec::<u64>::new());
    }
}
