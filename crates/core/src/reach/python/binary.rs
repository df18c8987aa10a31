//! Module names in compiled extension modules.
//!
//! C, Cython and Rust code imports by strings that no parser sees. What is
//! found here is a list of candidates; whether one counts depends on what the
//! image has.

use std::collections::BTreeSet;

use super::imports::{is_dotted, is_identifier};

/// Words of one extension module's file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Dotted names: `pandas._libs.tslibs`.
    pub dotted: BTreeSet<String>,
    /// Single identifiers.
    pub single: BTreeSet<String>,
}

/// Longest and most names that are looked at.
const LONGEST: usize = 120;
const MOST: usize = 200_000;

/// Every run of printable bytes between two others that is a name. Compilers
/// end strings of C and Cython with a NUL.
pub fn words(bytes: &[u8]) -> Words {
    let mut words = Words::default();
    for run in bytes.split(|b| *b == 0) {
        if run.len() < 2 || run.len() > LONGEST {
            continue;
        }
        let Ok(text) = std::str::from_utf8(run) else {
            continue;
        };
        if words.dotted.len() + words.single.len() >= MOST {
            break;
        }
        if is_identifier(text) {
            words.single.insert(text.to_owned());
        } else if is_dotted(text) {
            words.dotted.insert(text.to_owned());
        }
    }
    words
}

/// Which of `names` occur anywhere, glued to others or not: Rust and newer
/// Cython keep their strings end to end.
pub fn containing<'n>(bytes: &[u8], names: &[&'n str]) -> Vec<&'n str> {
    names
        .iter()
        .filter(|name| memchr::memmem::find(bytes, name.as_bytes()).is_some())
        .copied()
        .collect()
}

/// True for extension modules made by a compiler whose strings are glued.
pub fn is_rust(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"PanicException").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_between_nuls() {
        let words = words(b"\x7fELF\0pandas._libs\0datetime\0a b\0x\0\xff\xfe\0glueddecimaluuid");
        assert_eq!(words.dotted, ["pandas._libs".to_owned()].into());
        assert_eq!(
            words.single,
            ["datetime".to_owned(), "glueddecimaluuid".to_owned()].into()
        );
        assert_eq!(
            containing(b"glueddecimaluuid", &["decimal", "uuid", "enum"]),
            ["decimal", "uuid"]
        );
    }
}
