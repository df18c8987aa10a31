//! Boiled-down indexes: from an archive's paragraphs to sorted lines, in which a
//! look-up is a binary search.

use std::io::{BufRead, Read};

use super::index::IndexError;

/// Longest line of an index that is read: the longest real one is a `Depends` of
/// some 20 kB.
pub const MAX_LINE: u64 = 4 << 20;

/// Reads paragraph by paragraph with one buffer: the whole would be 50 MB. Of
/// each, `visit` gets the values of the fields that `names` has, in that order,
/// empty where there is none; a paragraph without the first of them is left out.
/// The lines of a value are joined by spaces.
pub fn for_each_paragraph<const N: usize>(
    mut text: impl BufRead,
    names: &[&str; N],
    mut visit: impl FnMut(&[String; N]),
) -> Result<(), IndexError> {
    let mut fields: [String; N] = std::array::from_fn(|_| String::new());
    let mut line = Vec::new();
    // The field that a following line that begins with a space belongs to.
    let mut open = None;
    loop {
        line.clear();
        let n = text.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if n as u64 == MAX_LINE {
            return Err(IndexError::LongLine);
        }
        let content = line.trim_ascii_end();
        if content.is_empty() {
            if !fields[0].is_empty() {
                visit(&fields);
            }
            fields.iter_mut().for_each(String::clear);
            open = None;
            if n == 0 {
                return Ok(());
            }
        } else if content.first().is_some_and(u8::is_ascii_whitespace) {
            if let Some(field) = open {
                let text = str::from_utf8(content).map_err(|_| IndexError::Encoding)?;
                let value: &mut String = &mut fields[field];
                value.push(' ');
                value.push_str(text.trim());
            }
        } else {
            let colon = memchr::memchr(b':', content).unwrap_or(content.len());
            open = names
                .iter()
                .position(|name| name.as_bytes() == &content[..colon]);
            if let Some(field) = open {
                let value = content.get(colon + 1..).unwrap_or_default();
                let text = str::from_utf8(value).map_err(|_| IndexError::Encoding)?;
                text.trim().clone_into(&mut fields[field]);
            }
        }
    }
}

/// The lines of a sorted section whose first column is `key`.
pub fn lines_of<'a>(section: &'a str, key: &str) -> impl Iterator<Item = &'a str> {
    let (mut low, mut high) = (0, section.len());
    // `low` is always the start of a line, and everything before it is smaller.
    while low < high {
        let middle = line_start(section, low + (high - low) / 2);
        let end = line_end(section, middle);
        if first_column(&section[middle..end]) < key {
            low = end;
        } else {
            high = middle;
        }
    }
    section[low..]
        .lines()
        .take_while(move |line| first_column(line) == key)
}

fn line_start(text: &str, at: usize) -> usize {
    memchr::memrchr(b'\n', &text.as_bytes()[..at]).map_or(0, |feed| feed + 1)
}

fn line_end(text: &str, at: usize) -> usize {
    memchr::memchr(b'\n', &text.as_bytes()[at..]).map_or(text.len(), |feed| at + feed + 1)
}

fn first_column(line: &str) -> &str {
    line.split(['\t', '\n']).next().unwrap_or_default()
}
