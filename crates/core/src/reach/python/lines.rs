//! The table that maps bytecode to lines and columns (CPython's
//! `Objects/locations.md`, 3.11 and newer), without its columns.
//!
//! Columns serve one purpose: the marks under a line of source in a traceback.
//! Where the source is not there they take a tenth of the bytecode for
//! nothing. This is what `-X no_debug_ranges` does, with neighbours of one
//! line put together besides.

/// Code units (of two bytes) and how far the line moves; no line where `None`.
type Entry = (usize, Option<i64>);

/// The same table with lines only. `None` where it is not understood.
pub fn without_columns(table: &[u8]) -> Option<Vec<u8>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut bytes = table.iter().copied();
    while let Some(head) = bytes.next() {
        if head & 0x80 == 0 {
            return None;
        }
        let length = usize::from(head & 7) + 1;
        let line = match head >> 3 & 15 {
            0..10 => {
                bytes.next()?;
                Some(0)
            }
            code @ 10..13 => {
                bytes.next()?;
                bytes.next()?;
                Some(i64::from(code) - 10)
            }
            13 => Some(signed(&mut bytes)?),
            14 => {
                let line = signed(&mut bytes)?;
                for _ in 0..3 {
                    varint(&mut bytes)?;
                }
                Some(line)
            }
            _ => None,
        };
        match (entries.last_mut(), line) {
            (Some((before, Some(_))), Some(0)) | (Some((before, None)), None) => *before += length,
            _ => entries.push((length, line)),
        }
    }
    let mut out = Vec::with_capacity(table.len());
    for (mut length, mut line) in entries {
        while length > 0 {
            let part = length.min(8);
            let code = if line.is_some() { 13 } else { 15 };
            out.push(0x80 | code << 3 | (part as u8 - 1));
            if let Some(moved) = line {
                write_signed(moved, &mut out);
                line = Some(0);
            }
            length -= part;
        }
    }
    Some(out)
}

/// Six bits per byte, lowest first; bit 6 says that more follow.
fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..60).step_by(6) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 0x3f) << shift;
        if byte & 0x40 == 0 {
            return Some(value);
        }
    }
    None
}

/// The lowest bit is the sign.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = varint(bytes)?;
    let size = (value >> 1) as i64;
    Some(if value & 1 == 1 { -size } else { size })
}

fn write_signed(value: i64, out: &mut Vec<u8>) {
    let mut rest = value.unsigned_abs() << 1 | u64::from(value < 0);
    while rest >= 64 {
        out.push(0x40 | (rest & 0x3f) as u8);
        rest >>= 6;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_and_neighbours_join() {
        let table = [
            0xf0,
            3,
            1,
            1,
            1, // long, one unit, line +0... with -1 as sign bit
            0x80 | 2 << 3 | 3,
            0x11, // short, four units, same line
            0x80 | 10 << 3 | 5,
            1,
            2, // one line, six units, same line
            0x80 | 12 << 3,
            1,
            2,                  // one line, one unit, two lines on
            0x80 | 15 << 3 | 1, // none, two units
            0x80 | 15 << 3 | 7, // none, eight units
            0x80 | 13 << 3,
            0x40 | 8,
            3, // no columns, one unit, +100
        ];
        let short = without_columns(&table).unwrap();
        assert_eq!(
            short,
            [
                0x80 | 13 << 3 | 7,
                3, // eight of eleven units, line -1
                0x80 | 13 << 3 | 2,
                0, // the other three
                0x80 | 13 << 3,
                4, // +2
                0x80 | 15 << 3 | 7,
                0x80 | 15 << 3 | 1,
                0x80 | 13 << 3,
                0x40 | 8,
                3,
            ]
        );
        assert_eq!(without_columns(&short).as_deref(), Some(&short[..]));
    }

    #[test]
    fn rubbish_is_refused() {
        assert_eq!(without_columns(&[0x00]), None);
        assert_eq!(without_columns(&[0xf0, 1]), None);
        assert_eq!(without_columns(&[0xe8, 0x7f]), None);
        assert_eq!(without_columns(&[0xff; 12]).map(|t| t.len()), Some(12));
    }
}
