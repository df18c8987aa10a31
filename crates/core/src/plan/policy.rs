//! How much may go.

use std::fmt;
use std::str::FromStr;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use whit_oci::ImagePath;

/// The levels differ in rules, not in code.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Everything that the code can reach, on paths that no probe took too.
    #[default]
    Safe,
    /// What was observed, and what that is linked to.
    Tight,
    /// Everything but caches, logs and other litter.
    Repack,
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "safe" => Ok(Policy::Safe),
            "tight" => Ok(Policy::Tight),
            "repack" => Ok(Policy::Repack),
            other => Err(format!("{other:?} is none of safe, tight and repack")),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Policy::Safe => "safe",
            Policy::Tight => "tight",
            Policy::Repack => "repack",
        })
    }
}

/// The user's own word on single paths: `--keep` and `--drop`.
///
/// A glob without a leading slash matches at any depth; `*` does not cross a
/// slash, `**` does. A glob that names a folder speaks for all below it.
#[derive(Debug, Clone)]
pub struct Globs {
    texts: Vec<String>,
    set: GlobSet,
}

impl Globs {
    pub fn new(texts: &[String]) -> Result<Self, globset::Error> {
        let mut set = GlobSetBuilder::new();
        for text in texts {
            let path = match text.strip_prefix('/') {
                Some(path) => path.to_owned(),
                None => format!("**/{text}"),
            };
            let path = path.trim_end_matches('/');
            for glob in [path.to_owned(), format!("{path}/**")] {
                set.add(GlobBuilder::new(&glob).literal_separator(true).build()?);
            }
        }
        Ok(Self {
            texts: texts.to_vec(),
            set: set.build()?,
        })
    }

    /// The first glob that matches, as the user wrote it.
    pub fn matching(&self, path: &ImagePath) -> Option<&str> {
        let path = String::from_utf8_lossy(path.as_bytes());
        let first = self.set.matches(path.as_ref()).into_iter().min()?;
        // Two patterns were made of each text.
        self.texts.get(first / 2).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_anchor_and_descend() {
        let globs = Globs::new(&["/usr/share".into(), "*.txt".into()]).unwrap();
        assert_eq!(globs.matching(&"usr/share/a/b".into()), Some("/usr/share"));
        assert_eq!(globs.matching(&"opt/usr/share/a".into()), None);
        assert_eq!(globs.matching(&"app/x/notes.txt".into()), Some("*.txt"));
        assert_eq!(globs.matching(&"app/notes.txt.gz".into()), None);
    }
}
