//! The releases of Debian that whit builds on, and the archives of each.

use std::fmt;
use std::str::FromStr;

/// A release of Debian.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// Debian 12, Python 3.11.
    Bookworm,
    /// Debian 13, Python 3.13.
    Trixie,
}

/// A name that is none of the releases whit knows.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0:?} is no Debian suite that whit can build on; there are bookworm and trixie")]
pub struct UnknownSuite(String);

impl Suite {
    pub const ALL: [Suite; 2] = [Suite::Bookworm, Suite::Trixie];

    pub fn name(self) -> &'static str {
        match self {
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
        }
    }

    /// Version of its Python, as in `python3.11`.
    pub fn python(self) -> &'static str {
        match self {
            Suite::Bookworm => "3.11",
            Suite::Trixie => "3.13",
        }
    }
}

impl FromStr for Suite {
    type Err = UnknownSuite;

    fn from_str(name: &str) -> Result<Self, UnknownSuite> {
        Suite::ALL
            .into_iter()
            .find(|suite| suite.name() == name)
            .ok_or_else(|| UnknownSuite(name.to_owned()))
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The archives whose packages make up a release that is kept up to date.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    Main,
    Updates,
    Security,
}

impl Archive {
    pub const ALL: [Archive; 3] = [Archive::Main, Archive::Updates, Archive::Security];

    /// The codename that its `Release` carries, and its folder below `dists/`.
    pub fn codename(self, suite: Suite) -> String {
        match self {
            Archive::Main => suite.name().to_owned(),
            Archive::Updates => format!("{suite}-updates"),
            Archive::Security => format!("{suite}-security"),
        }
    }
}
