//! `Release`: what an archive holds, by hash
//! (wiki.debian.org/DebianRepository/Format).

use std::collections::BTreeMap;

use jiff::Timestamp;
use whit_oci::Digest;

use super::keyring::Verified;
use super::paragraph;

/// How far ahead of ours the archive's clock may be, in seconds.
const CLOCK_SLACK: i64 = 24 * 60 * 60;

/// The facts of a signed `Release`.
#[derive(Debug, Clone)]
pub struct Release {
    pub codename: String,
    /// Seconds since the epoch.
    pub date: i64,
    /// After this second it is not to be used any more.
    pub valid_until: Option<i64>,
    /// Files may be fetched by their hash, so that an update of the mirror
    /// between two requests does no harm.
    pub by_hash: bool,
    pub architectures: Vec<String>,
    files: BTreeMap<String, Listed>,
}

/// A file that the release vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub sha256: Digest,
    pub size: u64,
}

/// Why a text that is properly signed is not the index that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    #[error("it has no {0}")]
    Lacks(&'static str),
    #[error("its {field} {value:?} cannot be read")]
    Unreadable { field: &'static str, value: String },
    #[error("it is the one of {0}")]
    Other(String),
    #[error("it is dated {0}, which is yet to come")]
    Future(String),
}

impl Release {
    /// Reads a release whose signature was checked.
    pub fn parse(verified: &Verified) -> Result<Self, Mismatch> {
        let paragraphs = paragraph::parse(verified.text());
        let [release] = paragraphs.as_slice() else {
            return Err(Mismatch::Lacks("single paragraph"));
        };
        let codename = release.get("Codename").ok_or(Mismatch::Lacks("Codename"))?;
        let date = date("Date", release.get("Date"))?.ok_or(Mismatch::Lacks("Date"))?;
        let files = release
            .lines("SHA256")
            .iter()
            .filter_map(|line| listed(line))
            .collect();
        Ok(Self {
            codename: codename.to_owned(),
            date,
            valid_until: self::date("Valid-Until", release.get("Valid-Until"))?,
            by_hash: release.get("Acquire-By-Hash") == Some("yes"),
            architectures: release.words("Architectures").map(str::to_owned).collect(),
            files,
        })
    }

    /// Is it the release of this name, and not of tomorrow?
    pub fn check(&self, codename: &str, now: i64) -> Result<(), Mismatch> {
        if self.codename != codename {
            return Err(Mismatch::Other(self.codename.clone()));
        }
        if self.date > now + CLOCK_SLACK {
            return Err(Mismatch::Future(show_date(self.date)));
        }
        Ok(())
    }

    pub fn has_expired(&self, now: i64) -> bool {
        self.valid_until.is_some_and(|until| until < now)
    }

    /// A file below the release's folder: `main/binary-amd64/Packages.xz`.
    pub fn file(&self, path: &str) -> Option<Listed> {
        self.files.get(path).copied()
    }
}

/// `2026-07-11T10:16:37Z`
pub fn show_date(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// `HASH SIZE PATH`
fn listed(line: &str) -> Option<(String, Listed)> {
    let mut words = line.split_whitespace();
    let sha256 = Digest::from_hex(words.next()?).ok()?;
    let size = words.next()?.parse().ok()?;
    let path = words.next()?.to_owned();
    Some((path, Listed { sha256, size }))
}

/// `Sat, 11 Jul 2026 10:16:37 UTC`
fn date(field: &'static str, value: Option<&str>) -> Result<Option<i64>, Mismatch> {
    let Some(value) = value else { return Ok(None) };
    // RFC 2822 knows the obsolete zone `GMT`, but not `UTC`.
    let zoned = match value.strip_suffix("UTC").or(value.strip_suffix("Z")) {
        Some(rest) => format!("{} +0000", rest.trim_end()),
        None => value.to_owned(),
    };
    jiff::fmt::rfc2822::parse(&zoned)
        .map(|time| Some(time.timestamp().as_second()))
        .map_err(|_| Mismatch::Unreadable {
            field,
            value: value.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::super::keyring::Keyring;
    use super::*;

    /// 1 July 2026; the fixture is from 1 June and valid until 31 August.
    const NOW: i64 = 1_782_864_000;

    fn release() -> Release {
        let mut keyring = Keyring::default();
        keyring.add(include_bytes!("testdata/archive.gpg")).unwrap();
        let verified = keyring
            .verify(include_str!("testdata/good.asc"), NOW)
            .unwrap();
        Release::parse(&verified).unwrap()
    }

    #[test]
    fn its_facts() {
        let release = release();
        assert_eq!(release.codename, "bookworm");
        assert_eq!(show_date(release.date), "2026-06-01T10:00:00Z");
        assert!(release.by_hash);
        assert_eq!(release.architectures, ["all", "amd64", "arm64"]);
        assert_eq!(release.files.len(), 2);
        let packages = release.file("main/binary-amd64/Packages.xz").unwrap();
        assert_eq!(packages.size, 1_234_567);
        assert_eq!(release.file("main/binary-arm64/Packages.xz"), None);
    }

    #[test]
    fn it_must_be_the_one_that_was_asked_for() {
        let release = release();
        assert_eq!(release.check("bookworm", NOW), Ok(()));
        assert!(matches!(
            release.check("trixie", NOW),
            Err(Mismatch::Other(name)) if name == "bookworm"
        ));
        assert!(matches!(
            release.check("bookworm", NOW - 90 * 24 * 60 * 60),
            Err(Mismatch::Future(_))
        ));
    }

    #[test]
    fn it_has_an_end() {
        let release = release();
        assert!(!release.has_expired(NOW));
        assert!(release.has_expired(NOW + 62 * 24 * 60 * 60));
    }

    #[test]
    fn dates() {
        for text in [
            "Sat, 11 Jul 2026 10:16:37 UTC",
            "Sat, 11 Jul 2026 10:16:37 +0000",
        ] {
            assert_eq!(date("Date", Some(text)), Ok(Some(1_783_764_997)), "{text}");
        }
        assert!(date("Date", Some("yesterday")).is_err());
    }
}
