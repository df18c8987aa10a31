//! Indexes of source packages: `Sources` boiled down to what fetching needs,
//! in the same way as [`super::index`].

use std::io::BufRead;

use whit_oci::Digest;

use super::boiled::{for_each_paragraph, lines_of};
use super::index::IndexError;

/// First line of the boiled-down form: its version, and how many bytes follow,
/// in eight hexadecimal digits.
const HEADER: &str = "whit source index 1 ";
const HEADER_LEN: usize = HEADER.len() + 8 + 1;

/// The source packages of one archive.
#[derive(Debug, Clone)]
pub struct SourceIndex {
    text: Box<str>,
}

/// One source package as it stands in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceListing<'a> {
    pub name: &'a str,
    pub version: &'a str,
    /// Path below the archive's base.
    pub directory: &'a str,
    /// Nothing is built from it any more: it is there only because of what
    /// something was built with once (Debian's `Extra-Source-Only`).
    pub extra: bool,
    /// The `.dsc` among them.
    pub files: Vec<SourcePart<'a>>,
}

/// A file of a source package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourcePart<'a> {
    pub name: &'a str,
    pub size: u64,
    pub sha256: Digest,
}

impl SourceIndex {
    /// Boils down a `Sources` file. Paragraphs without what fetching needs are
    /// left out.
    pub fn build(sources: impl BufRead) -> Result<Self, IndexError> {
        let mut lines = Vec::new();
        for_each_paragraph(sources, &FIELDS, |fields| lines.extend(boil_down(fields)))?;
        lines.sort_unstable();
        lines.dedup();
        let length: usize = lines.iter().map(String::len).sum();
        let mut text = format!("{HEADER}{length:08x}\n");
        lines.iter().for_each(|line| text.push_str(line));
        Self::read(text)
    }

    /// Takes the boiled-down form as it was kept.
    pub fn read(text: String) -> Result<Self, IndexError> {
        let is_whole = text
            .strip_prefix(HEADER)
            .and_then(|rest| Some((rest.get(..8)?, rest.get(8..)?.strip_prefix('\n')?)))
            .and_then(|(length, lines)| Some((usize::from_str_radix(length, 16).ok()?, lines)))
            .is_some_and(|(length, lines)| {
                lines.len() == length && (lines.is_empty() || lines.ends_with('\n'))
            });
        match is_whole {
            true => Ok(Self {
                text: text.into_boxed_str(),
            }),
            false => Err(IndexError::Form),
        }
    }

    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// The source packages of this name; more than one if the archive has
    /// several versions.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = SourceListing<'a>> {
        lines_of(self.lines(), name).filter_map(SourceListing::read)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lines()
            .lines()
            .filter_map(|line| line.split('\t').next())
    }

    fn lines(&self) -> &str {
        self.text.get(HEADER_LEN..).unwrap_or_default()
    }
}

impl<'a> SourceListing<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut columns = line.split('\t');
        Some(Self {
            name: columns.next()?,
            version: columns.next()?,
            directory: columns.next()?,
            extra: columns.next()? == "extra",
            files: parts(columns.next()?)?,
        })
    }
}

/// The fields that count.
const FIELDS: [&str; 5] = [
    "Package",
    "Version",
    "Directory",
    "Extra-Source-Only",
    "Checksums-Sha256",
];

fn boil_down(fields: &[String; FIELDS.len()]) -> Option<String> {
    let [name, version, directory, extra, files] = fields;
    if name.is_empty() || version.is_empty() || fields.iter().any(|field| field.contains('\t')) {
        return None;
    }
    let is_inside = !directory.starts_with('/')
        && directory
            .split('/')
            .all(|part| !matches!(part, "" | "." | ".."));
    if !is_inside || parts(files).is_none() {
        return None;
    }
    let extra = if extra == "yes" { "extra" } else { "" };
    Some(format!(
        "{name}\t{version}\t{directory}\t{extra}\t{files}\n"
    ))
}

/// The files of `HASH SIZE NAME HASH SIZE NAME …`; `None` where one cannot be
/// read, or where not exactly one of them is a `.dsc`.
fn parts(files: &str) -> Option<Vec<SourcePart<'_>>> {
    let words: Vec<&str> = files.split_whitespace().collect();
    let (triples, rest) = words.as_chunks::<3>();
    if !rest.is_empty() {
        return None;
    }
    let parts: Vec<SourcePart<'_>> = triples
        .iter()
        .map(|[hash, size, name]| {
            Some(SourcePart {
                name: is_plain(name).then_some(*name)?,
                size: size.parse().ok()?,
                sha256: Digest::from_hex(hash).ok()?,
            })
        })
        .collect::<Option<_>>()?;
    let descriptions = parts.iter().filter(|part| is_description(part.name));
    (descriptions.count() == 1).then_some(parts)
}

/// May this be the name of a file in a folder? It is going to be one.
pub fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0', '\\'])
}

/// Is this what dpkg-source(1) starts from?
pub fn is_description(name: &str) -> bool {
    name.ends_with(".dsc")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn build(text: &str) -> SourceIndex {
        SourceIndex::build(text.as_bytes()).unwrap()
    }

    /// A paragraph as Debian's archive has them.
    fn entry(name: &str, version: &str, files: &[&str], rest: &str) -> String {
        let list = |hash: &str| -> String {
            files
                .iter()
                .map(|file| format!(" {hash} 7 {file}\n"))
                .collect()
        };
        format!(
            "Package: {name}\nBinary: {name}-bin, {name}-dev\nVersion: {version}\n\
             Build-Depends: debhelper (>= 11),\n libx-dev\nFormat: 3.0 (quilt)\n\
             Files:\n{}Checksums-Sha256:\n{}Directory: pool/main/x/{name}\n\
             Package-List:\n {name}-bin deb utils optional arch=any\n{rest}\n",
            list("d41d8cd98f00b204e9800998ecf8427e"),
            list(HASH),
        )
    }

    #[test]
    fn boiled_down_and_found() {
        let text = entry("b", "2-1", &["b_2-1.dsc", "b_2.orig.tar.xz"], "")
            + &entry("b", "1-1", &["b_1-1.dsc"], "Extra-Source-Only: yes\n")
            + &entry("a", "1", &["a_1.dsc", "a_1.tar.xz"], "");
        let index = build(&text);
        assert_eq!(index.names().collect::<Vec<_>>(), ["a", "b", "b"]);
        let found: Vec<_> = index.named("b").collect();
        assert_eq!((found[0].version, found[0].extra), ("1-1", true));
        assert_eq!((found[1].version, found[1].extra), ("2-1", false));
        assert_eq!(found[1].directory, "pool/main/x/b");
        let names: Vec<&str> = found[1].files.iter().map(|part| part.name).collect();
        assert_eq!(names, ["b_2-1.dsc", "b_2.orig.tar.xz"]);
        assert_eq!(found[1].files[0].size, 7);
        for missing in ["", "0", "aa", "c", "b-bin"] {
            assert_eq!(index.named(missing).count(), 0, "{missing:?}");
        }
        let again = SourceIndex::read(index.as_text().to_owned()).unwrap();
        assert_eq!(again.as_text(), index.as_text());
        assert_eq!(build("").names().count(), 0);
    }

    #[test]
    fn what_cannot_be_fetched_is_left_out() {
        let good = entry("a", "1", &["a.dsc", "a.tar.xz"], "");
        assert_eq!(build(&good).names().count(), 1);
        for (what, by) in [
            ("a.tar.xz", "../a.tar.xz"),
            ("a.tar.xz", ".hidden"),
            ("a.tar.xz", "b.dsc"),
            ("a.tar.xz", ""),
            ("a.dsc", "a.txt"),
            (" 7 ", " many "),
            (HASH, "d41d8cd98f00b204e9800998ecf8427e"),
            ("pool/main", "pool/../.."),
            ("Directory: pool", "Directory: /pool"),
            ("Directory:", "Folder:"),
            ("Version:", "Vision:"),
            ("Checksums-Sha256:", "Checksums-Sha1:"),
        ] {
            let changed = good.replace(what, by);
            assert_ne!(changed, good);
            assert_eq!(build(&changed).names().count(), 0, "{what} as {by}");
        }
    }

    #[test]
    fn a_kept_form_that_was_cut_is_refused() {
        let index = build(&entry("a", "1", &["a.dsc"], ""));
        let text = index.as_text();
        for end in [0, 5, HEADER_LEN - 1, HEADER_LEN, text.len() - 1] {
            let cut = text[..end].to_owned();
            assert!(SourceIndex::read(cut).is_err(), "cut at {end}");
        }
        assert!(SourceIndex::read(format!("{text}b\t1\n")).is_err());
    }

    proptest::proptest! {
        /// Whatever the text, it is boiled down to something that is read
        /// again, or refused.
        #[test]
        fn any_text(text in "((Package|Version|Directory|Checksums-Sha256): ?[a-z./ \t0-9]{0,9}\n| [0-9a-f]{0,3}( 1 a.dsc)?\n|\n|\\PC{0,9}\n){0,12}") {
            let index = build(&text);
            let again = SourceIndex::read(index.as_text().to_owned()).unwrap();
            for name in again.names() {
                assert!(again.named(name).count() > 0, "{name:?}");
            }
        }
    }
}
