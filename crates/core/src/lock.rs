//! `whit.lock`: everything that decides about an image's bytes and is not in
//! the project itself. With it the image is the same on another machine and
//! another day.
//!
//! It names packages and hashes, never a mirror or an index: from where the
//! files come is the business of the machine that builds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use whit_oci::Digest;

use crate::source::debian::{Archive, LockedDeb, LockedSource};
use crate::source::python_deps::{Pin, PinFile, PinSource, Pinned};

/// The file's name in the project's folder.
pub const NAME: &str = "whit.lock";

/// The only form so far.
const VERSION: u32 = 1;

const HEADER: &str = "\
# Written by whit. It pins every Debian and Python package of the image by hash:
# keep it under version control, and the same image comes out everywhere.
# `whit build` renews it when the requirements change; `--locked` refuses that.
";

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Seconds since the epoch: the date of every file in the image
    /// (`SOURCE_DATE_EPOCH`).
    pub date: i64,
    pub basis: Basis,
    /// The runtime's packages.
    pub debs: Vec<LockedDeb>,
    /// What the build root has besides.
    pub build_debs: Vec<LockedDeb>,
    /// Source packages of what is compiled for the image.
    pub sources: Vec<LockedSource>,
    pub python: Pinned,
}

/// What a lock was made for. As long as this is the same, the lock holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Basis {
    /// `amd64`, `arm64`.
    pub architecture: String,
    /// `3.11`; empty for other languages.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub python: String,
    /// Debian's release; none on a base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// The ID of the image that `--base` names: the digest of its
    /// configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Digest>,
    /// Debian packages that were asked for by name, in order.
    pub packages: BTreeSet<String>,
    /// Those that only builds need.
    pub build_packages: BTreeSet<String>,
    /// Digests of what the requirements stand in.
    pub inputs: BTreeMap<String, Digest>,
}

/// One difference between what a lock was made for and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    Value {
        what: &'static str,
        locked: String,
        now: String,
    },
    Changed(String),
    Added(String),
    Removed(String),
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Drift::Value { what, locked, now } => {
                write!(f, "{what} is {now} and was {locked}")
            }
            Drift::Changed(name) => write!(f, "{name} has changed"),
            Drift::Added(name) => write!(f, "{name} is new"),
            Drift::Removed(name) => write!(f, "{name} is gone"),
        }
    }
}

/// What can be wrong with a lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {path}: {source}")]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {source}")]
    Parse {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("{path}: python package {package} {problem}")]
    Package {
        path: PathBuf,
        package: String,
        problem: &'static str,
    },
    #[error("{path} has the form {found}, and this whit knows {VERSION}")]
    Version { path: PathBuf, found: u32 },
    #[error("there is no {path}, and --locked asks for one")]
    Missing { path: PathBuf },
    #[error("{path} does not fit: {}", drifts.iter().map(Drift::to_string).collect::<Vec<_>>().join("; "))]
    Drifted { path: PathBuf, drifts: Vec<Drift> },
}

impl LockError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            LockError::Missing { .. } => {
                Some("build once without --locked; that writes it".to_owned())
            }
            LockError::Drifted { .. } => {
                Some("build without --locked to renew it, and look at the difference".to_owned())
            }
            LockError::Parse { .. } | LockError::Package { .. } => {
                Some("restore it from version control, or remove it and build again".to_owned())
            }
            LockError::Version { .. } => Some("use a newer whit".to_owned()),
            _ => None,
        }
    }
}

impl Basis {
    /// Everything in which `now` differs from what the lock was made for.
    ///
    /// Build packages that the lock has and nobody asks for now are no
    /// difference: they are those that a build was found to lack.
    pub fn drift(&self, now: &Basis) -> Vec<Drift> {
        let mut drifts = Vec::new();
        let suite = |basis: &Basis| basis.suite.clone().unwrap_or_else(|| "none".to_owned());
        let base = |basis: &Basis| {
            basis
                .base
                .map_or("none".to_owned(), |base| base.to_string())
        };
        for (what, locked, now) in [
            (
                "the architecture",
                self.architecture.clone(),
                now.architecture.clone(),
            ),
            ("Python", self.python.clone(), now.python.clone()),
            ("the suite", suite(self), suite(now)),
            ("the base image", base(self), base(now)),
        ] {
            if locked != now {
                drifts.push(Drift::Value { what, locked, now });
            }
        }
        for name in now.packages.difference(&self.packages) {
            drifts.push(Drift::Added(format!("Debian package {name}")));
        }
        for name in self.packages.difference(&now.packages) {
            drifts.push(Drift::Removed(format!("Debian package {name}")));
        }
        for name in now.build_packages.difference(&self.build_packages) {
            drifts.push(Drift::Added(format!("build package {name}")));
        }
        for (name, digest) in &now.inputs {
            match self.inputs.get(name) {
                None => drifts.push(Drift::Added(name.clone())),
                Some(locked) if locked != digest => drifts.push(Drift::Changed(name.clone())),
                Some(_) => {}
            }
        }
        for name in self.inputs.keys() {
            if !now.inputs.contains_key(name) {
                drifts.push(Drift::Removed(name.clone()));
            }
        }
        drifts
    }
}

impl Lock {
    /// Reads a lock; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, path).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LockError::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The lock at `path`, if it was made for `now`. With `locked`, anything
    /// else is an error; without, it is `None`, and a new lock is to be made.
    pub fn fitting(path: &Path, now: &Basis, locked: bool) -> Result<Option<Self>, LockError> {
        let Some(lock) = Self::read(path)? else {
            return match locked {
                true => Err(LockError::Missing {
                    path: path.to_owned(),
                }),
                false => Ok(None),
            };
        };
        let drifts = lock.basis.drift(now);
        match (drifts.is_empty(), locked) {
            (true, _) => Ok(Some(lock)),
            (false, false) => Ok(None),
            (false, true) => Err(LockError::Drifted {
                path: path.to_owned(),
                drifts,
            }),
        }
    }

    /// Reads a lock's text; `path` is for messages only.
    pub fn parse(text: &str, path: &Path) -> Result<Self, LockError> {
        let fail = |source| LockError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        };
        #[derive(Deserialize)]
        struct Form {
            version: u32,
        }
        let form: Form = toml::from_str(text).map_err(fail)?;
        if form.version != VERSION {
            return Err(LockError::Version {
                path: path.to_owned(),
                found: form.version,
            });
        }
        let document: Document = toml::from_str(text).map_err(fail)?;
        let pins = |written: Vec<Written>| -> Result<Vec<Pin>, LockError> {
            written
                .into_iter()
                .map(|one| {
                    let package = one.name.clone();
                    one.into_pin().map_err(|problem| LockError::Package {
                        path: path.to_owned(),
                        package,
                        problem,
                    })
                })
                .collect()
        };
        Ok(Self {
            date: document.date,
            basis: document.basis,
            debs: document.deb,
            build_debs: document.build_deb,
            sources: document.source,
            python: Pinned {
                pins: pins(document.python)?,
                build: pins(document.build_python)?,
            },
        })
    }

    /// The lock as text: the same lock, the same text.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nversion = {VERSION}\ndate = {}\n", self.date);
        text.push_str("\n[basis]\n");
        // Both cannot fail: plain tables of texts and numbers.
        text.push_str(
            &toml::to_string(&self.basis)
                .unwrap_or_default()
                .replace("[inputs]", "[basis.inputs]"),
        );
        for (name, debs) in [("deb", &self.debs), ("build-deb", &self.build_debs)] {
            let mut debs = debs.clone();
            debs.sort();
            for deb in &debs {
                let _ = write!(
                    text,
                    "\n[[{name}]]\n{}",
                    toml::to_string(deb).unwrap_or_default()
                );
            }
        }
        let mut sources = self.sources.clone();
        sources.sort();
        for source in &sources {
            let _ = write!(text, "\n[[source]]\n{}", written_source(source));
        }
        for (name, pins) in [
            ("python", &self.python.pins),
            ("build-python", &self.python.build),
        ] {
            let mut pins = pins.clone();
            pins.sort();
            for pin in &pins {
                let _ = write!(text, "\n[[{name}]]\n{}", written(pin));
            }
        }
        text
    }

    /// Writes the lock in one step: whoever reads `path` meanwhile gets the
    /// old one or the new one.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let fail = |source| LockError::Write {
            path: path.to_owned(),
            source,
        };
        let text = self.to_text();
        if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
            return Ok(());
        }
        let (mut file, draft) = whit_oci::draft::file(path).map_err(fail)?;
        file.write_all(text.as_bytes()).map_err(fail)?;
        draft.persist(path).map_err(|error| fail(error.error))?;
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(rename = "version")]
    _version: u32,
    date: i64,
    basis: Basis,
    #[serde(default)]
    deb: Vec<LockedDeb>,
    #[serde(default)]
    build_deb: Vec<LockedDeb>,
    #[serde(default)]
    source: Vec<LockedSource>,
    #[serde(default)]
    python: Vec<Written>,
    #[serde(default)]
    build_python: Vec<Written>,
}

/// A pin as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    marker: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    git: Option<String>,
    #[serde(default)]
    commit: Option<String>,
    #[serde(default)]
    subdirectory: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    files: Vec<WrittenFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    hash: String,
    #[serde(default)]
    name: Option<String>,
}

impl Written {
    fn into_pin(self) -> Result<Pin, &'static str> {
        // These become words of a requirements file, one per line.
        let texts = [
            Some(&self.name),
            self.version.as_ref(),
            self.marker.as_ref(),
            self.url.as_ref(),
            self.git.as_ref(),
            self.commit.as_ref(),
            self.subdirectory.as_ref(),
            self.path.as_ref(),
        ];
        let texts = texts
            .into_iter()
            .flatten()
            .chain(self.files.iter().map(|file| &file.hash));
        if texts.into_iter().any(|text| text.contains(['\n', '\r'])) {
            return Err("has a line break in a value");
        }
        let is_plain = |text: &str| !text.contains(char::is_whitespace) && !text.starts_with('-');
        let version = self.version.as_deref().unwrap_or("0");
        if !is_plain(&self.name) || self.name.is_empty() || !is_plain(version) {
            return Err("has a name or version that cannot be one");
        }
        if !self
            .files
            .iter()
            .all(|file| is_plain(&file.hash) && file.hash.contains(':'))
        {
            return Err("has a hash that cannot be one");
        }
        let source = match (self.url, self.git, self.path) {
            (None, None, None) => PinSource::Index,
            (Some(url), None, None) => PinSource::Url(url),
            (None, Some(url), None) => PinSource::Git {
                url,
                commit: self.commit.ok_or("comes from git without a commit")?,
                subdirectory: self.subdirectory,
            },
            (None, None, Some(path)) => PinSource::Path(path),
            _ => return Err("comes from two places"),
        };
        if source == PinSource::Index && self.version.is_none() {
            return Err("has no version");
        }
        Ok(Pin {
            name: self.name,
            version: self.version,
            marker: self.marker,
            source,
            files: self
                .files
                .into_iter()
                .map(|file| PinFile {
                    hash: file.hash,
                    name: file.name,
                })
                .collect(),
        })
    }
}

fn written(pin: &Pin) -> String {
    let mut lines = vec![("name", pin.name.clone())];
    lines.extend(pin.version.clone().map(|version| ("version", version)));
    lines.extend(pin.marker.clone().map(|marker| ("marker", marker)));
    match &pin.source {
        PinSource::Index => {}
        PinSource::Url(url) => lines.push(("url", without_login(url))),
        PinSource::Git {
            url,
            commit,
            subdirectory,
        } => {
            lines.push(("git", without_login(url)));
            lines.push(("commit", commit.clone()));
            lines.extend(subdirectory.clone().map(|folder| ("subdirectory", folder)));
        }
        PinSource::Path(path) => lines.push(("path", path.clone())),
    }
    let mut text = String::new();
    for (key, value) in lines {
        let _ = writeln!(text, "{key} = {}", quoted(&value));
    }
    if !pin.files.is_empty() {
        text.push_str("files = [\n");
        for file in &pin.files {
            let name = file
                .name
                .as_ref()
                .map(|name| format!(", name = {}", quoted(name)));
            let _ = writeln!(
                text,
                "    {{ hash = {}{} }},",
                quoted(&file.hash),
                name.unwrap_or_default()
            );
        }
        text.push_str("]\n");
    }
    text
}

/// One line a file: a source package has three or four.
fn written_source(source: &LockedSource) -> String {
    #[derive(Serialize)]
    struct Head<'a> {
        name: &'a str,
        version: &'a str,
        archive: Archive,
    }
    let head = Head {
        name: &source.name,
        version: &source.version,
        archive: source.archive,
    };
    let mut text = toml::to_string(&head).unwrap_or_default();
    text.push_str("files = [\n");
    for file in &source.files {
        let _ = writeln!(
            text,
            "    {{ path = {}, sha256 = \"{}\", size = {} }},",
            quoted(&file.path),
            file.sha256,
            file.size
        );
    }
    text.push_str("]\n");
    text
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// An address without the name and password before its `@`: a lock is shared,
/// a login is not.
fn without_login(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        // `git@` of an ssh address is no secret and is needed.
        Some(at) if scheme.ends_with("ssh") && !rest[..at].contains(':') => url.to_owned(),
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::debian::LockedFile;

    fn lock() -> Lock {
        let hashed = |name: &str, version: &str, files: &[&str]| Pin {
            files: files
                .iter()
                .map(|name| PinFile {
                    hash: "sha256:aa".into(),
                    name: Some((*name).to_owned()),
                })
                .collect(),
            ..Pin::index(name, version)
        };
        Lock {
            date: 1_700_000_000,
            basis: Basis {
                architecture: "amd64".into(),
                python: "3.11".into(),
                suite: Some("bookworm".into()),
                base: None,
                packages: ["bash".to_owned()].into(),
                build_packages: ["gcc".to_owned()].into(),
                inputs: [("requirements.txt".to_owned(), Digest::of(b"x"))].into(),
            },
            debs: vec![LockedDeb {
                name: "libc6".into(),
                version: "2.36-9".into(),
                architecture: "amd64".into(),
                archive: Archive::Main,
                path: "pool/main/g/glibc/libc6.deb".into(),
                sha256: Digest::of(b"deb"),
                size: 7,
            }],
            build_debs: Vec::new(),
            sources: Vec::new(),
            python: Pinned {
                pins: vec![
                    Pin {
                        source: PinSource::Git {
                            url: "https://me:secret@e.org/a".into(),
                            commit: "c0ffee".into(),
                            subdirectory: None,
                        },
                        ..Pin::index("a", "1")
                    },
                    Pin {
                        marker: Some("sys_platform != \"win32\"".into()),
                        ..hashed("six", "1.16.0", &["six-1.16.0-py3-none-any.whl"])
                    },
                ],
                build: vec![hashed("setuptools", "84.2.1", &["setuptools.whl"])],
            },
        }
    }

    #[test]
    fn written_and_read_again() {
        let text = lock().to_text();
        insta::assert_snapshot!(text, @r##"
        # Written by whit. It pins every Debian and Python package of the image by hash:
        # keep it under version control, and the same image comes out everywhere.
        # `whit build` renews it when the requirements change; `--locked` refuses that.

        version = 1
        date = 1700000000

        [basis]
        architecture = "amd64"
        python = "3.11"
        suite = "bookworm"
        packages = ["bash"]
        build-packages = ["gcc"]

        [basis.inputs]
        "requirements.txt" = "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

        [[deb]]
        name = "libc6"
        version = "2.36-9"
        architecture = "amd64"
        archive = "main"
        path = "pool/main/g/glibc/libc6.deb"
        sha256 = "sha256:9cfa1468c93fc18652e34a000f0c6614b0fa18f6f4887477ad9b0d36ca6a7eaa"
        size = 7

        [[python]]
        name = "a"
        version = "1"
        git = "https://e.org/a"
        commit = "c0ffee"

        [[python]]
        name = "six"
        version = "1.16.0"
        marker = 'sys_platform != "win32"'
        files = [
            { hash = "sha256:aa", name = "six-1.16.0-py3-none-any.whl" },
        ]

        [[build-python]]
        name = "setuptools"
        version = "84.2.1"
        files = [
            { hash = "sha256:aa", name = "setuptools.whl" },
        ]
        "##);
        let again = Lock::parse(&text, Path::new(NAME)).unwrap();
        assert_eq!(again.to_text(), text);
        let mut expected = lock();
        expected.python.pins[0].source = PinSource::Git {
            url: "https://e.org/a".into(),
            commit: "c0ffee".into(),
            subdirectory: None,
        };
        assert_eq!(again, expected);
    }

    #[test]
    fn source_packages_are_pinned_file_by_file() {
        let file = |path: &str| LockedFile {
            path: path.into(),
            sha256: Digest::of(path.as_bytes()),
            size: 7,
        };
        let source = |name: &str| LockedSource {
            name: name.into(),
            version: "1:1.2.13-1".into(),
            archive: Archive::Main,
            files: vec![file("pool/z.dsc"), file("pool/z.orig.tar.gz")],
        };
        let lock = Lock {
            sources: vec![source("zlib"), source("a")],
            python: Pinned::default(),
            ..lock()
        };
        let text = lock.to_text();
        let (_, written) = text.split_once("\n[[source]]\n").unwrap();
        insta::assert_snapshot!(written.replace(&file("pool/z.dsc").sha256.hex()[2..], "…"), @r#"
        name = "a"
        version = "1:1.2.13-1"
        archive = "main"
        files = [
            { path = "pool/z.dsc", sha256 = "sha256:8f…", size = 7 },
            { path = "pool/z.orig.tar.gz", sha256 = "sha256:bd9395143cad216eb322c22fa9d711bd9167d3164ae7a04464df60663dda5b62", size = 7 },
        ]

        [[source]]
        name = "zlib"
        version = "1:1.2.13-1"
        archive = "main"
        files = [
            { path = "pool/z.dsc", sha256 = "sha256:8f…", size = 7 },
            { path = "pool/z.orig.tar.gz", sha256 = "sha256:bd9395143cad216eb322c22fa9d711bd9167d3164ae7a04464df60663dda5b62", size = 7 },
        ]
        "#);
        let again = Lock::parse(&text, Path::new(NAME)).unwrap();
        assert_eq!(again.to_text(), text);
        assert_eq!(again.sources, [source("a"), source("zlib")]);
        let odd = text.replace("size = 7", "size = 7, mode = 1");
        assert!(Lock::parse(&odd, Path::new(NAME)).is_err());
    }

    #[test]
    fn drift_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let mut now = lock().basis;
        assert!(Lock::fitting(&path, &now, false).unwrap().is_none());
        assert!(matches!(
            Lock::fitting(&path, &now, true),
            Err(LockError::Missing { .. })
        ));
        lock().write(&path).unwrap();
        assert!(Lock::fitting(&path, &now, true).unwrap().is_some());
        // Nobody asks for gcc by name now: the lock knows that it is needed.
        now.build_packages.clear();
        assert!(Lock::fitting(&path, &now, true).unwrap().is_some());
        now.inputs
            .insert("requirements.txt".into(), Digest::of(b"y"));
        now.inputs.insert("pyproject.toml".into(), Digest::of(b"z"));
        now.python = "3.13".into();
        assert!(Lock::fitting(&path, &now, false).unwrap().is_none());
        let error = Lock::fitting(&path, &now, true).unwrap_err();
        let text = error.to_string();
        for needle in [
            "requirements.txt has changed",
            "pyproject.toml is new",
            "Python is 3.13 and was 3.11",
        ] {
            assert!(text.contains(needle), "{text}");
        }
        assert!(error.hint().unwrap().contains("without --locked"));
        let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file is left");
    }

    #[test]
    fn what_is_no_lock() {
        let parse = |text: &str| Lock::parse(text, Path::new(NAME)).map_err(|e| e.to_string());
        let good = lock().to_text();
        assert!(parse("x = 1").is_err());
        assert!(
            parse(&good.replace("version = 1\n", "version = 9\n"))
                .unwrap_err()
                .contains("form 9")
        );
        let injected = good.replace("\"six\"", "\"six\\n--index-url\"");
        assert!(parse(&injected).unwrap_err().contains("line break"));
        let injected = good.replace("name = \"six\"", "name = \"-r x\"");
        assert!(parse(&injected).is_err());
        assert!(parse(&good.replace("date", "dates")).is_err());
    }

    #[test]
    fn logins_are_not_written() {
        for (url, plain) in [
            ("https://u:p@e.org/x", "https://e.org/x"),
            ("https://e.org/x@1", "https://e.org/x@1"),
            ("ssh://git@e.org/x", "ssh://git@e.org/x"),
            ("git+ssh://git:pw@e.org/x", "git+ssh://e.org/x"),
        ] {
            assert_eq!(without_login(url), plain);
        }
    }
}
