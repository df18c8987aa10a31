//! Pax extended headers (POSIX.1-2001, pax, "Extended Header").

use std::collections::BTreeMap;

use super::problem::Problem;

/// What extended headers say about the entry that follows them. A field that
/// is `None` or empty leaves the header's own.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Extended {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    pub mtime: Option<i64>,
    pub xattrs: BTreeMap<String, Vec<u8>>,
    pub sparse: SparseRecords,
}

/// GNU's records about sparse files, versions 0.0, 0.1 and 1.0.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SparseRecords {
    pub major: Option<u64>,
    pub name: Option<Vec<u8>>,
    /// `GNU.sparse.size` or `GNU.sparse.realsize`.
    pub size: Option<u64>,
    /// Offsets and lengths in turn.
    pub map: Vec<u64>,
}

/// Reads the records of an `x` header into `extended`.
pub fn read(mut records: &[u8], extended: &mut Extended) -> Result<(), Problem> {
    while !records.is_empty() {
        let (record, rest) = split(records)?;
        records = rest;
        let equals = record
            .iter()
            .position(|b| *b == b'=')
            .ok_or(Problem::Pax("a record without a value"))?;
        apply(&record[..equals], &record[equals + 1..], extended)?;
    }
    Ok(())
}

/// Takes off the first record, `LENGTH KEY=VALUE\n`, of which `KEY=VALUE` is
/// returned. The length counts itself. Values are bytes and may have new-lines
/// in them, as those of `security.capability` do.
fn split(records: &[u8]) -> Result<(&[u8], &[u8]), Problem> {
    let space = records
        .iter()
        .take(20)
        .position(|b| *b == b' ')
        .ok_or(Problem::Pax("a record without a length"))?;
    let length: usize = decimal(&records[..space])?
        .try_into()
        .map_err(|_| Problem::Pax("a record without a length"))?;
    if length <= space + 1 || length > records.len() {
        return Err(Problem::Pax("a record longer than the header"));
    }
    let (record, rest) = records.split_at(length);
    let body = record[space + 1..]
        .strip_suffix(b"\n")
        .ok_or(Problem::Pax("a record without an end"))?;
    Ok((body, rest))
}

fn apply(key: &[u8], value: &[u8], extended: &mut Extended) -> Result<(), Problem> {
    // An empty value takes an earlier record back.
    let number = || {
        if value.is_empty() {
            Ok(None)
        } else {
            decimal(value).map(Some)
        }
    };
    let bytes = || (!value.is_empty()).then(|| value.to_vec());
    match key {
        b"path" => extended.path = bytes(),
        b"linkpath" => extended.link = bytes(),
        b"size" => extended.size = number()?,
        b"uid" => extended.uid = number()?,
        b"gid" => extended.gid = number()?,
        b"mtime" => {
            extended.mtime = if value.is_empty() {
                None
            } else {
                Some(seconds(value)?)
            }
        }
        b"GNU.sparse.major" => extended.sparse.major = number()?,
        b"GNU.sparse.name" => extended.sparse.name = bytes(),
        b"GNU.sparse.size" | b"GNU.sparse.realsize" => extended.sparse.size = number()?,
        b"GNU.sparse.offset" | b"GNU.sparse.numbytes" => {
            extended.sparse.map.push(decimal(value)?);
        }
        b"GNU.sparse.map" => {
            extended.sparse.map = value
                .split(|b| *b == b',')
                .filter(|n| !n.is_empty())
                .map(decimal)
                .collect::<Result<_, _>>()?;
        }
        _ => {
            if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                let name = std::str::from_utf8(name)
                    .map_err(|_| Problem::Pax("an attribute's name is not UTF-8"))?;
                if name.is_empty() || name.contains('\0') {
                    return Err(Problem::Pax("an attribute without a name"));
                }
                extended.xattrs.insert(name.to_owned(), value.to_vec());
            }
        }
    }
    Ok(())
}

pub fn decimal(text: &[u8]) -> Result<u64, Problem> {
    std::str::from_utf8(text)
        .ok()
        .filter(|t| !t.starts_with('+'))
        .and_then(|t| t.parse().ok())
        .ok_or(Problem::Pax("a number that is none"))
}

/// Seconds with a fraction, rounded down.
fn seconds(text: &[u8]) -> Result<i64, Problem> {
    let wrong = Problem::Pax("a time that is none");
    let text = std::str::from_utf8(text).map_err(|_| Problem::Pax("a time that is none"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong);
    }
    let floor: i64 = match whole {
        "" => 0,
        "-" => -0,
        whole => whole.parse().map_err(|_| wrong)?,
    };
    let below = whole.starts_with('-') && fraction.bytes().any(|b| b != b'0');
    Ok(floor.saturating_sub(i64::from(below)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(records: &[u8]) -> Result<Extended, Problem> {
        let mut extended = Extended::default();
        read(records, &mut extended).map(|()| extended)
    }

    #[test]
    fn values_are_bytes() {
        let found = parse(b"32 SCHILY.xattr.user.x=a\nb\0c\xff=d\n").unwrap();
        assert_eq!(found.xattrs["user.x"], b"a\nb\0c\xff=d");
    }

    #[test]
    fn later_records_win_and_empty_ones_take_back() {
        let found = parse(b"9 path=a\n9 path=b\n9 size=7\n8 size=\n").unwrap();
        assert_eq!(found.path.as_deref(), Some(&b"b"[..]));
        assert_eq!(found.size, None);
    }

    #[test]
    fn times_are_rounded_down() {
        for (text, want) in [
            ("12.9", 12),
            ("-1.5", -2),
            ("-0.5", -1),
            ("3", 3),
            (".5", 0),
        ] {
            assert_eq!(seconds(text.as_bytes()).unwrap(), want, "{text}");
        }
        assert!(seconds(b"1.x").is_err());
        assert!(seconds(b"soon").is_err());
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in [
            &b"path=a\n"[..],
            b"99 path=a\n",
            b"2 \n",
            b"9 path=ab",
            b"7 path\n",
            b"10 size=+7\n",
            b"9 size=x\n",
            b"0 ",
        ] {
            assert!(parse(bad).is_err(), "{:?}", bad.escape_ascii().to_string());
        }
    }
}
