//! The tar headers that whit writes: ustar, with pax records where ustar ends.
//!
//! POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
//! A header is a pure function of its entry: no names of users, no clock, no
//! order but that of the fields.

use std::collections::BTreeMap;

use crate::{Entry, ImagePath, Kind};

pub(crate) const BLOCK: usize = 512;

/// Go's reader, and with it every engine, refuses longer pax headers.
const MAX_PAX: usize = 1 << 20;

/// Why an entry cannot be written into a layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("its name begins with `.wh.`, which layers reserve for removals")]
    Reserved,
    #[error("a layer cannot remove the root folder")]
    RootRemoved,
    #[error("its link has no target")]
    NoTarget,
    #[error("device number {0} is too large for a tar header")]
    Device(u32),
    #[error("the name of extended attribute {0:?} contains `=` or NUL")]
    XattrName(String),
    #[error("its names and extended attributes need more than {MAX_PAX} bytes")]
    TooLong,
}

/// The header blocks of `entry`; the content of a file and its padding follow.
pub(crate) fn header(entry: &Entry) -> Result<Vec<u8>, EntryError> {
    let (flag, name, link) = names(entry)?;
    let mut pax: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut block = [0u8; BLOCK];

    match split(&name) {
        Some((prefix, rest)) => {
            block[..rest.len()].copy_from_slice(rest);
            block[345..345 + prefix.len()].copy_from_slice(prefix);
        }
        None => {
            block[..100].copy_from_slice(&name[..100]);
            pax.insert(b"path".to_vec(), name.clone());
        }
    }
    if link.len() <= 100 {
        block[157..157 + link.len()].copy_from_slice(&link);
    } else {
        block[157..257].copy_from_slice(&link[..100]);
        pax.insert(b"linkpath".to_vec(), link.clone());
    }

    let size = match entry.kind {
        Kind::File { size } => size,
        _ => 0,
    };
    let meta = &entry.meta;
    octal(&mut block[100..108], u64::from(meta.mode & 0o7777));
    number(&mut block[108..116], meta.uid.into(), "uid", &mut pax);
    number(&mut block[116..124], meta.gid.into(), "gid", &mut pax);
    number(&mut block[124..136], size.into(), "size", &mut pax);
    number(&mut block[136..148], meta.mtime.into(), "mtime", &mut pax);
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    if let Kind::CharDevice { major, minor } | Kind::BlockDevice { major, minor } = entry.kind {
        for (at, value) in [(329, major), (337, minor)] {
            if !octal(&mut block[at..at + 8], value.into()) {
                return Err(EntryError::Device(value));
            }
        }
    } else {
        octal(&mut block[329..337], 0);
        octal(&mut block[337..345], 0);
    }
    for (xattr, value) in &meta.xattrs {
        if xattr.contains(['=', '\0']) {
            return Err(EntryError::XattrName(xattr.clone()));
        }
        let key = [b"SCHILY.xattr.", xattr.as_bytes()].concat();
        pax.insert(key, value.clone());
    }
    checksum(&mut block);

    let mut blocks = pax_header(&pax)?;
    blocks.extend_from_slice(&block);
    Ok(blocks)
}

/// How many zeros follow a content of `size` bytes.
pub(crate) fn padding(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

/// The type flag, the name and the link's target as they stand in the archive.
fn names(entry: &Entry) -> Result<(u8, Vec<u8>, Vec<u8>), EntryError> {
    let path = &entry.path;
    let plain = path.as_bytes().to_vec();
    let folder = || match path.is_root() {
        true => b"./".to_vec(),
        false => [&plain[..], b"/"].concat(),
    };
    let whiteout = matches!(entry.kind, Kind::Whiteout | Kind::Opaque);
    if !whiteout && path.name().starts_with(b".wh.") {
        return Err(EntryError::Reserved);
    }
    let none = Vec::new();
    Ok(match &entry.kind {
        Kind::File { .. } => (b'0', plain, none),
        Kind::Hardlink { target } if target.is_root() => return Err(EntryError::NoTarget),
        Kind::Hardlink { target } => (b'1', plain, target.as_bytes().to_vec()),
        Kind::Symlink { target } if target.is_empty() => return Err(EntryError::NoTarget),
        Kind::Symlink { target } => (b'2', plain, target.clone()),
        Kind::CharDevice { .. } => (b'3', plain, none),
        Kind::BlockDevice { .. } => (b'4', plain, none),
        Kind::Dir => (b'5', folder(), none),
        Kind::Fifo => (b'6', plain, none),
        Kind::Whiteout => {
            let parent = path.parent().ok_or(EntryError::RootRemoved)?;
            let name = [b".wh.", path.name()].concat();
            (b'0', beneath(&parent, &name), none)
        }
        Kind::Opaque => (b'0', beneath(path, b".wh..wh..opq"), none),
    })
}

fn beneath(folder: &ImagePath, name: &[u8]) -> Vec<u8> {
    match folder.is_root() {
        true => name.to_vec(),
        false => [folder.as_bytes(), b"/", name].concat(),
    }
}

/// Splits a name into ustar's prefix (155 bytes) and name (100 bytes).
///
/// Bytes that are not UTF-8 pass: a ustar name is bytes to every reader.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= 100 {
        return Some((b"", name));
    }
    // The earliest cut that leaves a name short enough, the slash at its end
    // not counted as one.
    let slash = |at: &usize| name[*at] == b'/' && at + 1 < name.len();
    let cut = (name.len() - 101..name.len().min(156)).find(slash)?;
    (cut > 0).then(|| (&name[..cut], &name[cut + 1..]))
}

/// Writes `value` as octal digits and a NUL; false if it does not fit, and the
/// field then says zero.
fn octal(field: &mut [u8], value: u64) -> bool {
    let digits = field.len() - 1;
    let fits = value >> (3 * digits) == 0;
    let mut rest = if fits { value } else { 0 };
    for place in field[..digits].iter_mut().rev() {
        *place = b'0' + (rest & 7) as u8;
        rest >>= 3;
    }
    fits
}

/// Writes `value` into the field, or into the pax record `key` where the field
/// has no room or no sign for it.
fn number(field: &mut [u8], value: i128, key: &str, pax: &mut BTreeMap<Vec<u8>, Vec<u8>>) {
    let fits = u64::try_from(value).is_ok_and(|value| octal(field, value));
    if !fits {
        octal(field, 0);
        pax.insert(key.as_bytes().to_vec(), value.to_string().into_bytes());
    }
}

/// The sum of the header's bytes, its own field taken as spaces.
fn checksum(block: &mut [u8; BLOCK]) {
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    // Six digits, NUL, space.
    octal(&mut block[148..155], sum);
    block[154] = 0;
}

/// The extended header of `records`; nothing if there are none.
fn pax_header(records: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Vec<u8>, EntryError> {
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let mut data = Vec::new();
    let text = |key: &[u8]| {
        records
            .get(key)
            .is_none_or(|v| std::str::from_utf8(v).is_ok())
    };
    if !text(b"path") || !text(b"linkpath") {
        // Says that names are bytes and not UTF-8; it counts from here on.
        record(&mut data, b"hdrcharset", b"BINARY");
    }
    for (key, value) in records {
        record(&mut data, key, value);
    }
    if data.len() > MAX_PAX {
        return Err(EntryError::TooLong);
    }
    let mut block = [0u8; BLOCK];
    let name = b"PaxHeader";
    block[..name.len()].copy_from_slice(name);
    octal(&mut block[100..108], 0o644);
    for field in [108..116, 116..124, 136..148, 329..337, 337..345] {
        octal(&mut block[field], 0);
    }
    octal(&mut block[124..136], data.len() as u64);
    block[156] = b'x';
    block[257..265].copy_from_slice(b"ustar\x0000");
    checksum(&mut block);
    let padding = padding(data.len() as u64);
    let mut blocks = block.to_vec();
    blocks.append(&mut data);
    blocks.resize(blocks.len() + padding, 0);
    Ok(blocks)
}

/// `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too.
fn record(data: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    data.extend_from_slice(length.to_string().as_bytes());
    data.push(b' ');
    data.extend_from_slice(key);
    data.push(b'=');
    data.extend_from_slice(value);
    data.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_counts_its_own_length() {
        for (value, length) in [("", 5), ("1234", 9), ("12345", 11), (&"x".repeat(94), 101)] {
            let mut data = Vec::new();
            record(&mut data, b"k", value.as_bytes());
            assert_eq!(data, format!("{length} k={value}\n").as_bytes());
            assert_eq!(data.len(), length);
        }
    }

    #[test]
    fn names_are_split_where_they_can_be() {
        let (a, b) = ("a".repeat(155), "b".repeat(100));
        let whole = format!("{a}/{b}");
        assert_eq!(split(whole.as_bytes()), Some((a.as_bytes(), b.as_bytes())));
        assert_eq!(split(format!("{a}/{b}b").as_bytes()), None);
        assert_eq!(split(format!("{a}a/{b}").as_bytes()), None);
        // The slash at a folder's end is no place to split.
        assert_eq!(split(format!("{b}/").as_bytes()), None);
        assert_eq!(split(format!("/{b}").as_bytes()), None);
    }
}
