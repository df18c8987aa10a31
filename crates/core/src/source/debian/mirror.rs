//! Which server the packages come from.

use super::sources::{SignedBy, Source};
use super::suite::Archive;

/// The servers of Debian's archives. Each has its alternatives, the preferred
/// one first; an address is without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// For the release and its `-updates`.
    pub main: Vec<String>,
    /// For security updates; empty if the user said that there are none.
    pub security: Vec<String>,
    /// Keys to trust for it in place of Debian's own.
    pub signed_by: Option<SignedBy>,
}

/// Names that suites of Debian have had, have or will have.
const DEBIAN_SUITES: [&str; 12] = [
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

impl Mirror {
    /// What a user wrote: the main archive's address, and after a space or a
    /// comma the security archive's or `none`. Not given, the latter is
    /// derived the way Debian's own servers are laid out.
    ///
    /// `None` if there is no address in it that whit can fetch from.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text
            .split(|c: char| c == ',' || c.is_whitespace())
            .filter(|word| !word.is_empty());
        let main = clean(words.next()?)?;
        let security = match words.next() {
            None => vec![derive_security(&main)],
            Some("none") => Vec::new(),
            Some(word) => vec![clean(word)?],
        };
        Some(Self {
            main: vec![main],
            security,
            signed_by: None,
        })
    }

    /// The mirror that the host's own apt uses, if it is one of Debian's.
    pub fn from_sources(sources: &[Source]) -> Option<Self> {
        let of_debian = |source: &&Source| source.components.iter().any(|name| name == "main");
        let main = sources
            .iter()
            .filter(of_debian)
            .find(|source| source.suites.iter().any(|suite| is_main(suite)))?;
        let main_uris: Vec<String> = main.uris.iter().filter_map(|uri| clean(uri)).collect();
        let mut security: Vec<String> = sources
            .iter()
            .filter(of_debian)
            .filter(|source| source.suites.iter().any(|suite| is_security(suite)))
            .flat_map(|source| source.uris.iter().filter_map(|uri| clean(uri)))
            .collect();
        if security.is_empty() {
            security = main_uris.iter().map(|uri| derive_security(uri)).collect();
        }
        (!main_uris.is_empty()).then(|| Self {
            main: main_uris,
            security,
            signed_by: main.signed_by.clone(),
        })
    }

    /// The addresses of an archive.
    pub fn bases(&self, archive: Archive) -> &[String] {
        match archive {
            Archive::Main | Archive::Updates => &self.main,
            Archive::Security => &self.security,
        }
    }

    /// The addresses of a file of an archive.
    pub fn urls(&self, archive: Archive, path: &str) -> Vec<String> {
        self.bases(archive)
            .iter()
            .map(|base| format!("{base}/{}", escape(path)))
            .collect()
    }
}

/// Debian's servers have the security archive beside the main one.
fn derive_security(main: &str) -> String {
    format!("{main}-security")
}

fn is_main(suite: &str) -> bool {
    DEBIAN_SUITES.contains(&suite)
}

/// `bookworm-security`, or `buster/updates` as it was before.
fn is_security(suite: &str) -> bool {
    suite
        .strip_suffix("-security")
        .or_else(|| suite.strip_suffix("/updates"))
        .is_some_and(is_main)
}

fn clean(uri: &str) -> Option<String> {
    let scheme = uri.split_once(':')?.0;
    let known = matches!(scheme, "http" | "https" | "file" | "copy");
    known.then(|| uri.trim_end_matches('/').to_owned())
}

/// Package files are named by letters, digits and `.+-~_%`: of these only `%`
/// (and what does not belong there) must be escaped in an address. `+` is
/// escaped too, as apt does, because some servers read it as a space.
fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'~' | b'_' | b'/' => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sources::{parse_list, parse_sources};
    use super::*;

    #[test]
    fn given_by_the_user() {
        let mirror = Mirror::parse("https://mirror.example/debian/").unwrap();
        assert_eq!(mirror.main, ["https://mirror.example/debian"]);
        assert_eq!(mirror.security, ["https://mirror.example/debian-security"]);
        let mirror = Mirror::parse("file:/srv/a, http://b.example/s").unwrap();
        assert_eq!(mirror.security, ["http://b.example/s"]);
        assert!(
            Mirror::parse("file:/srv/a none")
                .unwrap()
                .security
                .is_empty()
        );
        for text in ["", "mirror.example/debian", "ftp://mirror.example/debian"] {
            assert_eq!(Mirror::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn taken_from_the_host() {
        let sources = parse_sources(
            "Types: deb\nURIs: http://vendor.example/repo\nSuites: bookworm\nComponents: stable\n\n\
             Types: deb\nURIs: http://a.example/debian/\nSuites: bullseye bullseye-updates\n\
             Components: main\n\n\
             Types: deb\nURIs: http://b.example/sec\nSuites: bullseye-security\nComponents: main\n",
        );
        let mirror = Mirror::from_sources(&sources).unwrap();
        assert_eq!(mirror.main, ["http://a.example/debian"]);
        assert_eq!(mirror.security, ["http://b.example/sec"]);
        assert_eq!(
            mirror.urls(Archive::Updates, "pool/a_1.0+b~c_all.deb"),
            ["http://a.example/debian/pool/a_1.0%2bb~c_all.deb"]
        );
    }

    #[test]
    fn other_distributions_are_none_of_debians() {
        let sources = parse_list(
            "deb http://a.example/ubuntu noble main\ndeb cdrom:[Debian 12]/ bookworm main\n\
             deb http://a.example/x noble-security main\n",
        );
        assert_eq!(Mirror::from_sources(&sources), None);
    }
}
