//! The table of a code object that tells which instructions come from which
//! place of the source (CPython 3.11 and newer, `Objects/locations.md`).

/// Code units that one entry can span.
const SPAN: usize = 8;
const NO_COLUMNS: u8 = 13;
const LONG: u8 = 14;
const NOWHERE: u8 = 15;

/// The same lines without end lines and columns, as `python -X
/// no_debug_ranges` writes them. `None` for bytes that are no such table.
///
/// Columns are for the carets below a source line in a traceback; where there
/// is no source to show, they are a sixth of a module for nothing.
pub fn without_columns(table: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = table.iter().copied();
    // Runs of code units, and how far the line moves before each.
    let mut runs: Vec<(usize, Option<i64>)> = Vec::new();
    while let Some(first) = bytes.next() {
        if first & 0x80 == 0 {
            return None;
        }
        let length = usize::from(first & 7) + 1;
        let line = match (first >> 3) & 15 {
            NOWHERE => None,
            LONG => {
                let line = signed(&mut bytes)?;
                for _ in 0..3 {
                    unsigned(&mut bytes)?;
                }
                Some(line)
            }
            NO_COLUMNS => Some(signed(&mut bytes)?),
            // One line: two columns follow.
            code @ 10..=12 => {
                bytes.next()?;
                bytes.next()?;
                Some(i64::from(code) - 10)
            }
            // Short: one byte of columns follows.
            _ => {
                bytes.next()?;
                Some(0)
            }
        };
        match (runs.last_mut(), line) {
            (Some((run, Some(_))), Some(0)) | (Some((run, None)), None) => *run += length,
            _ => runs.push((length, line)),
        }
    }
    Some(write(&runs))
}

fn write(runs: &[(usize, Option<i64>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (length, line) in runs {
        let mut left = *length;
        let mut line = *line;
        while left > 0 {
            let span = left.min(SPAN);
            left -= span;
            let code = if line.is_some() { NO_COLUMNS } else { NOWHERE };
            out.push(0x80 | (code << 3) | (span as u8 - 1));
            if let Some(delta) = line {
                put_signed(&mut out, delta);
                line = Some(0);
            }
        }
    }
    out
}

/// Six bits a byte, lowest first, the seventh for "more".
fn unsigned(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..60).step_by(6) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 63) << shift;
        if byte & 64 == 0 {
            return Some(value);
        }
    }
    None
}

/// The sign is the lowest bit.
fn signed(bytes: &mut impl Iterator<Item = u8>) -> Option<i64> {
    let value = unsigned(bytes)?;
    let magnitude = (value >> 1).cast_signed();
    Some(if value & 1 == 1 {
        -magnitude
    } else {
        magnitude
    })
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    let mut rest = value.unsigned_abs() << 1 | u64::from(value < 0);
    loop {
        let byte = (rest & 63) as u8;
        rest >>= 6;
        if rest == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_and_columns_go() {
        // Short form (0, one byte), one-line form (11: next line, two bytes),
        // long form (14: line +3, end line, columns), nowhere (15).
        let table = [
            0x80,
            0x12,
            0x80 | 11 << 3 | 1,
            4,
            9,
            0x80 | 14 << 3,
            6,
            1,
            2,
            3,
            0x80 | 15 << 3,
        ];
        assert_eq!(
            without_columns(&table).unwrap(),
            [
                0x80 | 13 << 3,
                0,
                0x80 | 13 << 3 | 1,
                2,
                0x80 | 13 << 3,
                6,
                0x80 | 15 << 3,
            ]
        );
    }

    #[test]
    fn runs_of_one_line_are_joined() {
        let table: Vec<u8> = (0..12).flat_map(|_| [0x80, 0x12]).collect();
        assert_eq!(
            without_columns(&table).unwrap(),
            [0x80 | 13 << 3 | 7, 0, 0x80 | 13 << 3 | 3, 0]
        );
    }

    #[test]
    fn what_is_no_table_is_left_alone() {
        assert_eq!(without_columns(&[0x12]), None);
        assert_eq!(without_columns(&[0x80]), None);
        assert_eq!(without_columns(&[0x80 | 13 << 3, 64, 64]), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(table in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = without_columns(&table);
        }
    }
}
