//! One tar header block (POSIX.1-1988 ustar, GNU tar, star, v7).

use super::problem::Problem;

/// Tar's unit: headers are one block, contents are padded to whole ones.
pub const BLOCK: usize = 512;
pub type Block = [u8; BLOCK];

/// The fields of a header block, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub kind: u8,
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub size: u64,
    pub mtime: i64,
    pub major: u32,
    pub minor: u32,
}

impl Header {
    /// Reads a block; `None` for one of zeros, which ends a tar.
    pub fn parse(block: &Block) -> Result<Option<Self>, Problem> {
        if block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        check_sum(block)?;
        let posix = &block[257..263] == b"ustar\0";
        let gnu = &block[257..265] == b"ustar  \0";
        let star = posix && &block[508..512] == b"tar\0";
        let mut path = Vec::new();
        if posix {
            let prefix = text(&block[345..if star { 476 } else { 500 }]);
            if !prefix.is_empty() {
                path.extend_from_slice(prefix);
                path.push(b'/');
            }
        }
        path.extend_from_slice(text(&block[..100]));
        let (major, minor) = match block[156] {
            b'3' | b'4' if posix || gnu => (
                small("device number", &block[329..337])?,
                small("device number", &block[337..345])?,
            ),
            _ => (0, 0),
        };
        Ok(Some(Self {
            kind: block[156],
            path,
            link: text(&block[157..257]).to_vec(),
            mode: (number("mode", &block[100..108])? & 0o7777) as u32,
            uid: unsigned("owner", &block[108..116])?,
            gid: unsigned("group", &block[116..124])?,
            size: unsigned("size", &block[124..136])?,
            mtime: number("time", &block[136..148])?,
            major,
            minor,
        }))
    }
}

/// The sum of all bytes, the checksum's own counted as spaces. Some old tars
/// added them up as signed numbers.
fn check_sum(block: &Block) -> Result<(), Problem> {
    let stated = number("checksum", &block[148..156]).map_err(|_| Problem::Checksum)?;
    let bytes = || block[..148].iter().chain(&block[156..]);
    let plain: i64 = 8 * 32 + bytes().map(|b| i64::from(*b)).sum::<i64>();
    let signed: i64 = 8 * 32 + bytes().map(|b| i64::from(*b as i8)).sum::<i64>();
    if stated == plain || stated == signed {
        Ok(())
    } else {
        Err(Problem::Checksum)
    }
}

/// A field up to its first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or_default()
}

/// An octal number between blanks, or GNU's base 256 where the first bit is
/// set (two's complement in the remaining bits).
pub fn number(name: &'static str, field: &[u8]) -> Result<i64, Problem> {
    let wrong = || Problem::Number {
        field: name,
        found: field.escape_ascii().to_string(),
    };
    match field.first() {
        Some(first) if first & 0x80 != 0 => {
            let negative = first & 0x40 != 0;
            let mut value: i64 = if negative { -1 } else { 0 };
            for (i, byte) in field.iter().enumerate() {
                let byte = if i == 0 && !negative {
                    byte & 0x7f
                } else {
                    *byte
                };
                value = value.checked_mul(256).ok_or_else(wrong)? | i64::from(byte);
            }
            Ok(value)
        }
        _ => {
            let text = text(field).trim_ascii();
            if text.is_empty() {
                return Ok(0);
            }
            text.iter().try_fold(0i64, |value, digit| match digit {
                b'0'..=b'7' => value
                    .checked_mul(8)
                    .map(|v| v + i64::from(digit - b'0'))
                    .ok_or_else(wrong),
                _ => Err(wrong()),
            })
        }
    }
}

pub fn unsigned(name: &'static str, field: &[u8]) -> Result<u64, Problem> {
    u64::try_from(number(name, field)?).map_err(|_| Problem::Number {
        field: name,
        found: field.escape_ascii().to_string(),
    })
}

fn small(name: &'static str, field: &[u8]) -> Result<u32, Problem> {
    u32::try_from(number(name, field)?).map_err(|_| Problem::Number {
        field: name,
        found: field.escape_ascii().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_every_notation() {
        let read = |field: &[u8]| number("x", field).unwrap();
        assert_eq!(read(b"0000644\0"), 0o644);
        assert_eq!(read(b"   644 \0"), 0o644);
        assert_eq!(read(b"\0\0\0\0"), 0);
        assert_eq!(read(b"\x80\0\0\0\0\0\x01\0"), 256);
        assert_eq!(read(&[0xff; 12]), -1);
        assert!(number("x", b"12x4").is_err());
        assert!(number("x", &[0x80, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(unsigned("x", &[0xff; 12]).is_err());
    }
}
