//! A distribution at one version, with the hashes of the files that it may be
//! installed from: what a lock file holds per package.

use std::fmt::Write as _;

/// One pinned distribution.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Pin {
    /// Normalized name.
    pub name: String,
    /// `None` only where the source itself says which version it is.
    pub version: Option<String>,
    /// The environment marker under which it is installed.
    pub marker: Option<String>,
    pub source: PinSource,
    /// The files that will do, sorted.
    pub files: Vec<PinFile>,
}

/// Where a pinned distribution comes from. An index is not named: which one is
/// the business of the machine that installs, the hash tells if it is the
/// right file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum PinSource {
    Index,
    /// A file at an address that the project itself names.
    Url(String),
    Git {
        url: String,
        commit: String,
        subdirectory: Option<String>,
    },
    /// A folder or file of the project, relative to its root.
    Path(String),
}

/// One wheel or source archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct PinFile {
    /// `sha256:` and hexadecimal digits, or another algorithm that pip knows.
    pub hash: String,
    /// The file's name, where the lock tells it.
    pub name: Option<String>,
}

impl Pin {
    /// A distribution from an index.
    pub fn index(name: &str, version: &str) -> Self {
        Self {
            name: super::normalize(name),
            version: Some(version.to_owned()),
            marker: None,
            source: PinSource::Index,
            files: Vec::new(),
        }
    }

    /// True if its bytes are fixed by a hash: `--require-hashes` accepts it.
    pub fn is_hashed(&self) -> bool {
        !self.files.is_empty() && matches!(self.source, PinSource::Index | PinSource::Url(_))
    }

    /// The pin as a line of a requirements file. Paths are taken relative to
    /// `project`, the folder where the project lies for the installer.
    pub fn line(&self, project: &str) -> String {
        let mut line = match (&self.source, &self.version) {
            (PinSource::Index, Some(version)) => format!("{}=={version}", self.name),
            (PinSource::Index, None) => self.name.clone(),
            (PinSource::Url(url), _) => format!("{} @ {url}", self.name),
            (
                PinSource::Git {
                    url,
                    commit,
                    subdirectory,
                },
                _,
            ) => {
                let url = url.strip_prefix("git+").unwrap_or(url);
                let below = match subdirectory {
                    Some(folder) => format!("#subdirectory={folder}"),
                    None => String::new(),
                };
                format!("{} @ git+{url}@{commit}{below}", self.name)
            }
            (PinSource::Path(path), _) => {
                format!("{} @ file://{project}/{path}", self.name)
            }
        };
        if let Some(marker) = &self.marker {
            // The space before `;` matters after a URL.
            let _ = write!(line, " ; {marker}");
        }
        for file in &self.files {
            let _ = write!(line, " --hash={}", file.hash);
        }
        line
    }

    /// Puts the files in order, each hash once.
    pub fn sorted(mut self) -> Self {
        self.files.sort();
        self.files.dedup_by(|a, b| a.hash == b.hash);
        self
    }
}

/// A whole list as the text of a requirements file.
pub fn list<'a>(pins: impl IntoIterator<Item = &'a Pin>, project: &str) -> String {
    let mut text = String::new();
    for pin in pins {
        text.push_str(&pin.line(project));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let mut pin = Pin::index("Six", "1.16.0");
        assert_eq!(pin.line("/src"), "six==1.16.0");
        assert!(!pin.is_hashed());
        pin.marker = Some("os_name == 'posix'".into());
        pin.files = vec![PinFile {
            hash: "sha256:ab".into(),
            name: None,
        }];
        assert_eq!(
            pin.line("/src"),
            "six==1.16.0 ; os_name == 'posix' --hash=sha256:ab"
        );
        assert!(pin.is_hashed());
        pin.files.clear();
        pin.marker = None;
        pin.source = PinSource::Git {
            url: "https://e.org/six".into(),
            commit: "c0ffee".into(),
            subdirectory: Some("py".into()),
        };
        assert_eq!(
            pin.line("/src"),
            "six @ git+https://e.org/six@c0ffee#subdirectory=py"
        );
        pin.source = PinSource::Path("libs/six".into());
        assert_eq!(pin.line("/src"), "six @ file:///src/libs/six");
    }
}
