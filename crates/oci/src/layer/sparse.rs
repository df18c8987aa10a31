//! Sparse files: regions of data with holes between them (GNU tar manual,
//! "Storing Sparse Files").

use super::header::{BLOCK, Block, unsigned};
use super::pax::decimal;
use super::problem::Problem;

/// Most regions that a file may have; GNU tar writes some dozens.
pub const MAX_REGIONS: usize = 1 << 18;

/// Where a sparse file has data. Regions are in order, do not overlap, lie
/// within the file and add up to what the tar stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    pub regions: Vec<(u64, u64)>,
    pub size: u64,
}

impl Map {
    /// Checks offsets and lengths against the file's `size` and the `stored`
    /// bytes.
    pub fn new(regions: Vec<(u64, u64)>, size: u64, stored: u64) -> Result<Self, Problem> {
        let mut end = 0u64;
        let mut sum = 0u64;
        for (offset, length) in &regions {
            if *offset < end {
                return Err(Problem::Sparse("regions overlap or are out of order"));
            }
            end = offset
                .checked_add(*length)
                .filter(|end| *end <= size)
                .ok_or(Problem::Sparse("a region lies beyond the end of the file"))?;
            sum += length;
        }
        if sum != stored {
            return Err(Problem::Sparse("its regions are not what is stored"));
        }
        Ok(Self { regions, size })
    }

    /// Pairs up a list in which offsets and lengths take turns.
    pub fn pairs(list: &[u64]) -> Result<Vec<(u64, u64)>, Problem> {
        if !list.len().is_multiple_of(2) || list.len() / 2 > MAX_REGIONS {
            return Err(Problem::Sparse("offsets and lengths do not pair up"));
        }
        Ok(list.chunks_exact(2).map(|p| (p[0], p[1])).collect())
    }
}

/// Reads the beginning of an old GNU map in the header block; true if
/// extension blocks follow.
pub fn old_header(block: &Block, regions: &mut Vec<(u64, u64)>) -> Result<bool, Problem> {
    old_regions(&block[386..482], regions)?;
    Ok(block[482] != 0)
}

/// The size of the whole file beside an old GNU map.
pub fn old_size(block: &Block) -> Result<u64, Problem> {
    unsigned("sparse size", &block[483..495])
}

/// An extension block; true if another one follows.
pub fn old_extension(block: &Block, regions: &mut Vec<(u64, u64)>) -> Result<bool, Problem> {
    if regions.len() > MAX_REGIONS {
        return Err(Problem::Sparse("it has too many regions"));
    }
    old_regions(&block[..504], regions)?;
    Ok(block[504] != 0)
}

/// Fields of 24 bytes up to the first empty one.
fn old_regions(fields: &[u8], regions: &mut Vec<(u64, u64)>) -> Result<(), Problem> {
    for field in fields.chunks_exact(24) {
        if field[0] == 0 {
            break;
        }
        regions.push((
            unsigned("sparse offset", &field[..12])?,
            unsigned("sparse length", &field[12..])?,
        ));
    }
    Ok(())
}

/// Reads the map of version 1.0, which stands before the data: decimal numbers
/// in lines, padded to whole blocks. `next` yields blocks. Returns the regions
/// and how many blocks they took.
pub fn new_map(
    mut next: impl FnMut() -> Result<Block, Problem>,
) -> Result<(Vec<(u64, u64)>, u64), Problem> {
    let mut numbers: Vec<u64> = Vec::new();
    let mut count: Option<usize> = None;
    let mut line = Vec::new();
    let mut blocks = 0;
    loop {
        let block = next()?;
        blocks += 1;
        for byte in block {
            if byte != b'\n' {
                line.push(byte);
                if line.len() > 20 {
                    return Err(Problem::Sparse("a number is too long"));
                }
                continue;
            }
            let number = decimal(&line).map_err(|_| Problem::Sparse("a number is none"))?;
            line.clear();
            match count {
                None if number > MAX_REGIONS as u64 => {
                    return Err(Problem::Sparse("it has too many regions"));
                }
                None => count = Some(2 * number as usize),
                Some(_) => numbers.push(number),
            }
            if count == Some(numbers.len()) {
                return Ok((Map::pairs(&numbers)?, blocks));
            }
        }
        if blocks as usize * BLOCK > 48 * MAX_REGIONS {
            return Err(Problem::Sparse("it has no end"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_checked() {
        assert!(Map::new(vec![(0, 4), (8, 2)], 10, 6).is_ok());
        assert!(Map::new(vec![(0, 4), (3, 2)], 10, 6).is_err());
        assert!(Map::new(vec![(8, 4)], 10, 4).is_err());
        assert!(Map::new(vec![(u64::MAX, 4)], 10, 4).is_err());
        assert!(Map::new(vec![(0, 4)], 10, 5).is_err());
        assert!(Map::pairs(&[1, 2, 3]).is_err());
    }

    #[test]
    fn the_new_map_ends_with_its_count() {
        let mut block = [0u8; BLOCK];
        block[..12].copy_from_slice(b"2\n0\n4\n8\n2\n\0\0");
        let (regions, blocks) = new_map(|| Ok(block)).unwrap();
        assert_eq!((regions, blocks), (vec![(0, 4), (8, 2)], 1));
        assert!(new_map(|| Ok([b'x'; BLOCK])).is_err());
        assert!(new_map(|| Ok([b'\n'; BLOCK])).is_err());
    }
}
