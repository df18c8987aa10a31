//! Package indexes: `Packages` boiled down to what resolving needs.
//!
//! A release has 63,000 packages in 50 MB of text, of which a build asks for a
//! hundred. The boiled-down form is one line per package, sorted by name, and
//! kept on disk; a look-up is a binary search in its bytes, so that nothing is
//! parsed that nobody asks for.

use std::io::BufRead;

use whit_oci::Digest;

use super::boiled::{MAX_LINE, for_each_paragraph, lines_of};

/// First line of the boiled-down form: its version, and how many bytes the
/// packages have, in eight hexadecimal digits. What follows them are the names
/// that they provide.
const HEADER: &str = "whit package index 2 ";
const HEADER_LEN: usize = HEADER.len() + 8 + 1;

/// The packages of one archive.
#[derive(Debug, Clone)]
pub struct Index {
    text: Box<str>,
    /// End of the packages, start of the names they provide.
    packages: std::ops::Range<usize>,
    provides: std::ops::Range<usize>,
}

/// One package as it stands in an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing<'a> {
    pub name: &'a str,
    pub version: &'a str,
    pub architecture: &'a str,
    /// 0 `required` to 4 `extra`: which one is preferred of several that
    /// provide the same.
    pub priority: u8,
    /// Path below the archive's base.
    pub filename: &'a str,
    pub size: u64,
    pub sha256: Digest,
    /// `Pre-Depends` and `Depends` in one.
    pub depends: &'a str,
    pub provides: &'a str,
}

/// Why an index cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("{0}")]
    Read(#[from] std::io::Error),
    #[error("a line of it is longer than {MAX_LINE} bytes")]
    LongLine,
    #[error("it is not UTF-8 text")]
    Encoding,
    #[error("it is not in the form that whit writes")]
    Form,
}

impl Index {
    /// Boils down a `Packages` file. Paragraphs that lack a field that resolving
    /// needs are left out.
    pub fn build(packages: impl BufRead) -> Result<Self, IndexError> {
        let mut lines = Vec::new();
        let mut provides = Vec::new();
        for_each_paragraph(packages, &FIELDS, |fields| {
            if let Some(line) = boil_down(fields, &mut provides) {
                lines.push(line);
            }
        })?;
        lines.sort_unstable();
        provides.sort_unstable();
        provides.dedup();
        let length: usize = lines.iter().map(String::len).sum();
        let mut text = format!("{HEADER}{length:08x}\n");
        for line in lines.iter().chain(&provides) {
            text.push_str(line);
        }
        Self::read(text)
    }

    /// Takes the boiled-down form as it was kept.
    pub fn read(text: String) -> Result<Self, IndexError> {
        let middle = text
            .strip_prefix(HEADER)
            .and_then(|rest| usize::from_str_radix(rest.get(..8)?, 16).ok())
            .and_then(|length| length.checked_add(HEADER_LEN))
            .ok_or(IndexError::Form)?;
        // Both parts end with a line feed, and the header with another.
        let ends = |at: usize| text.as_bytes().get(at - 1) == Some(&b'\n');
        if middle > text.len() || !ends(HEADER_LEN) || !ends(middle) || !ends(text.len()) {
            return Err(IndexError::Form);
        }
        Ok(Self {
            packages: HEADER_LEN..middle,
            provides: middle..text.len(),
            text: text.into_boxed_str(),
        })
    }

    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// The packages of this name; more than one if the archive has several
    /// versions.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = Listing<'a>> {
        lines_of(&self.text[self.packages.clone()], name).filter_map(Listing::read)
    }

    /// Names of the packages that provide a name, in order.
    pub fn providers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        lines_of(&self.text[self.provides.clone()], name).filter_map(|line| line.split('\t').nth(1))
    }

    /// All names of packages, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.text[self.packages.clone()]
            .lines()
            .filter_map(|line| line.split('\t').next())
    }
}

impl<'a> Listing<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut columns = line.split('\t');
        Some(Self {
            name: columns.next()?,
            version: columns.next()?,
            architecture: columns.next()?,
            priority: columns.next()?.parse().ok()?,
            filename: columns.next()?,
            size: columns.next()?.parse().ok()?,
            sha256: Digest::from_hex(columns.next()?).ok()?,
            depends: columns.next()?,
            provides: columns.next()?,
        })
    }
}

/// The fields that count.
const FIELDS: [&str; 10] = [
    "Package",
    "Version",
    "Architecture",
    "Priority",
    "Filename",
    "Size",
    "SHA256",
    "Pre-Depends",
    "Depends",
    "Provides",
];

fn boil_down(fields: &[String; FIELDS.len()], provides: &mut Vec<String>) -> Option<String> {
    let [
        name,
        version,
        architecture,
        priority,
        filename,
        size,
        sha256,
        pre_depends,
        depends,
        provided,
    ] = fields;
    let needed = [name, version, architecture, filename, size, sha256];
    if needed.iter().any(|field| field.is_empty())
        || fields.iter().any(|field| field.contains('\t'))
    {
        return None;
    }
    let priority = match priority.as_str() {
        "required" => 0,
        "important" => 1,
        "standard" => 2,
        "optional" => 3,
        _ => 4,
    };
    let depends = match (pre_depends.as_str(), depends.as_str()) {
        ("", one) | (one, "") => one.to_owned(),
        (before, after) => format!("{before}, {after}"),
    };
    for group in super::relation::parse(provided) {
        for relation in group {
            provides.push(format!("{}\t{name}\n", relation.name));
        }
    }
    Some(format!(
        "{name}\t{version}\t{architecture}\t{priority}\t{filename}\t{size}\t{sha256}\t{depends}\t{provided}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(text: &str) -> Index {
        Index::build(text.as_bytes()).unwrap()
    }

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn entry(name: &str, rest: &str) -> String {
        format!(
            "Package: {name}\nVersion: 1\nArchitecture: all\nFilename: pool/{name}.deb\n\
             Size: 7\nSHA256: {HASH}\nDescription: words\n and: more\n{rest}\n"
        )
    }

    #[test]
    fn boiled_down_and_found() {
        let text = entry("b", "Provides: virtual (= 2), other\n")
            + &entry(
                "b-c",
                "Depends: x,\n y (>= 1)\nPre-Depends: z\nPriority: required\n",
            )
            + &entry("a", "Provides: virtual\n")
            + "Package: broken\nVersion: 1\n";
        let index = packages(&text);
        assert_eq!(index.names().collect::<Vec<_>>(), ["a", "b", "b-c"]);
        assert_eq!(index.named("b").count(), 1);
        let found = index.named("b-c").next().unwrap();
        assert_eq!(found.depends, "z, x, y (>= 1)");
        assert_eq!((found.priority, found.size), (0, 7));
        assert_eq!(found.filename, "pool/b-c.deb");
        let providers: Vec<&str> = index.providers("virtual").collect();
        assert_eq!(providers, ["a", "b"]);
        for missing in ["", "0", "aa", "c", "broken", "pool"] {
            assert_eq!(index.named(missing).count(), 0, "{missing:?}");
            assert_eq!(index.providers(missing).count(), 0, "{missing:?}");
        }
        let again = Index::read(index.as_text().to_owned()).unwrap();
        assert_eq!(again.as_text(), index.as_text());
        assert_eq!(again.named("b").next(), index.named("b").next());
    }

    #[test]
    fn every_name_is_found() {
        let names: Vec<String> = (0..300).map(|i| format!("p{}", i * 7 % 300)).collect();
        let text: String = names.iter().map(|name| entry(name, "")).collect();
        let index = packages(&text);
        for name in &names {
            assert_eq!(index.named(name).count(), 1, "{name}");
        }
    }

    #[test]
    fn an_empty_index_is_one() {
        let index = packages("");
        assert_eq!(index.names().count(), 0);
        assert_eq!(index.named("a").count(), 0);
        assert_eq!(index.providers("a").count(), 0);
    }

    #[test]
    fn a_kept_form_that_was_cut_is_refused() {
        let index = packages(&entry("a", "Provides: b\n"));
        let text = index.as_text();
        for end in [0, 5, 30, text.len() - 1] {
            assert!(Index::read(text[..end].to_owned()).is_err(), "cut at {end}");
        }
    }
}
