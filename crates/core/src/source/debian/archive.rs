//! From a mirror to indexes that can be trusted.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::UNIX_EPOCH;

use whit_oci::Digest;
use whit_oci::download::{self, Cache, Wanted};

use super::decompress::Compression;
use super::error::{Error, Result};
use super::index::{Index, IndexError};
use super::keyring::Keyring;
use super::mirror::Mirror;
use super::release::{Listed, Release, show_date};
use super::resolve::Indexes;
use super::source_index::SourceIndex;
use super::source_packages::SourceIndexes;
use super::sources::{self, SignedBy, Source};
use super::suite::{Archive, Suite};
use crate::progress::Progress;

/// The largest `InRelease` that is read; real ones have 150 kB.
const MAX_RELEASE: u64 = 16 << 20;
/// The largest index that is unpacked; real ones have 60 MB.
const MAX_INDEX: u64 = 1 << 30;

/// Where Debian's package `debian-archive-keyring` puts its keys.
const HOST_KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// What a build's network work is done with.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub cache: &'a Cache,
    pub progress: &'a dyn Progress,
    pub cancel: &'a AtomicBool,
    /// Seconds since the epoch, for everything that can expire.
    pub now: i64,
}

impl Desk<'_> {
    pub(super) fn check_cancel(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        Ok(())
    }
}

impl Mirror {
    /// The mirror that apt's configuration in `etc_apt` (`/etc/apt`) names.
    /// Files that cannot be read count as absent.
    pub fn of_host(etc_apt: &Path) -> Result<Self> {
        Self::from_sources(&host_sources(etc_apt)).ok_or(Error::NoMirror)
    }

    /// The mirror that a user wrote, see [`Mirror::parse`].
    pub fn given(text: &str) -> Result<Self> {
        Self::parse(text).ok_or_else(|| Error::BadMirror { text: text.into() })
    }

    /// The keys that may sign its indexes: Debian's, as whit carries them and as
    /// the host has them (which may be newer), unless its entry in apt's sources
    /// names others, for an archive that is signed by somebody else.
    pub fn keyring(&self) -> Result<Keyring> {
        let unreadable = |path: &str| {
            let path = path.to_owned();
            move |cause: String| Error::Keyring { path, cause }
        };
        match &self.signed_by {
            Some(SignedBy::Armored(key)) => {
                let mut keyring = Keyring::default();
                keyring
                    .add(key.as_bytes())
                    .map_err(|error| unreadable("of the apt source")(error.to_string()))?;
                Ok(keyring)
            }
            Some(SignedBy::File(path)) if !path.contains("/debian-archive-") => {
                let mut keyring = Keyring::default();
                let bytes = fs::read(path).map_err(|error| unreadable(path)(error.to_string()))?;
                keyring
                    .add(&bytes)
                    .map_err(|error| unreadable(path)(error.to_string()))?;
                Ok(keyring)
            }
            _ => {
                let mut keyring = Keyring::embedded()
                    .map_err(|error| unreadable("of whit itself")(error.to_string()))?;
                for path in HOST_KEYRINGS {
                    // A host's keyring in a format of the future is no reason
                    // to fail: it only adds to what is here.
                    if let Ok(bytes) = fs::read(path) {
                        let _ = keyring.add(&bytes);
                    }
                }
                Ok(keyring)
            }
        }
    }
}

fn host_sources(etc_apt: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    found.extend(sources::parse_list(&read(&etc_apt.join("sources.list"))));
    let mut parts: Vec<PathBuf> = fs::read_dir(etc_apt.join("sources.list.d"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    parts.sort();
    for path in parts {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("list") => found.extend(sources::parse_list(&read(&path))),
            Some("sources") => found.extend(sources::parse_sources(&read(&path))),
            _ => {}
        }
    }
    found
}

/// Fetches and checks the indexes of a release with its updates.
///
/// An index that was fetched less than `reuse` seconds ago is not asked for
/// again.
pub fn load_indexes(
    mirror: &Mirror,
    suite: Suite,
    architecture: &str,
    reuse: i64,
    desk: Desk<'_>,
) -> Result<Indexes> {
    let folder = format!("main/binary-{architecture}");
    let archives = load(mirror, suite, desk, &|place, keyring| {
        place.load(keyring, reuse, &folder, || Error::NoArchitecture {
            codename: place.codename.clone(),
            architecture: architecture.to_owned(),
        })
    })?;
    Ok(Indexes {
        suite,
        architecture: architecture.to_owned(),
        archives,
        held: None,
    })
}

/// The same for source packages.
pub fn load_source_indexes(
    mirror: &Mirror,
    suite: Suite,
    reuse: i64,
    desk: Desk<'_>,
) -> Result<SourceIndexes> {
    let archives = load(mirror, suite, desk, &|place, keyring| {
        let none = || Error::NoSources {
            mirror: place.mirror.bases(place.archive).join(" "),
            codename: place.codename.clone(),
        };
        match place.load(keyring, reuse, SOURCES, none) {
            // A mirror of packages only passes on a release that lists sources.
            Err(Error::Download(
                download::Error::NotFound { url, .. }
                | download::Error::Status {
                    url,
                    status: 400..=499,
                    ..
                },
            )) if url.contains(&format!("/{SOURCES}/")) => Err(none()),
            result => result,
        }
    })?;
    Ok(SourceIndexes { suite, archives })
}

/// The folder of the index of sources, below a release's.
const SOURCES: &str = "main/source";

/// An index that is kept in a boiled-down form.
trait Boiled: Sized + Send {
    /// The file's name in the release.
    const FILE: &'static str;
    /// How the names of kept ones begin.
    const KEPT: &'static str;

    fn build(text: impl BufRead) -> std::result::Result<Self, IndexError>;
    fn read(text: String) -> std::result::Result<Self, IndexError>;
    fn as_text(&self) -> &str;
}

impl Boiled for Index {
    const FILE: &'static str = "Packages.xz";
    const KEPT: &'static str = "index";

    fn build(text: impl BufRead) -> std::result::Result<Self, IndexError> {
        Index::build(text)
    }

    fn read(text: String) -> std::result::Result<Self, IndexError> {
        Index::read(text)
    }

    fn as_text(&self) -> &str {
        Index::as_text(self)
    }
}

impl Boiled for SourceIndex {
    const FILE: &'static str = "Sources.xz";
    const KEPT: &'static str = "sources";

    fn build(text: impl BufRead) -> std::result::Result<Self, IndexError> {
        SourceIndex::build(text)
    }

    fn read(text: String) -> std::result::Result<Self, IndexError> {
        SourceIndex::read(text)
    }

    fn as_text(&self) -> &str {
        SourceIndex::as_text(self)
    }
}

/// Loads the same of every archive that the mirror has, side by side.
fn load<T: Send>(
    mirror: &Mirror,
    suite: Suite,
    desk: Desk<'_>,
    one: &(dyn Fn(&Place<'_>, &Keyring) -> Result<T> + Sync),
) -> Result<Vec<(Archive, T)>> {
    let keyring = mirror.keyring()?;
    let used: Vec<Archive> = Archive::ALL
        .into_iter()
        .filter(|archive| !mirror.bases(*archive).is_empty())
        .collect();
    let results: Vec<Result<T>> = thread::scope(|scope| {
        let started: Vec<_> = used
            .iter()
            .map(|archive| {
                let place = Place {
                    mirror,
                    archive: *archive,
                    codename: archive.codename(suite),
                    desk,
                };
                let keyring = &keyring;
                scope.spawn(move || one(&place, keyring))
            })
            .collect();
        started
            .into_iter()
            .map(|thread| {
                // A panic there would be a fault of ours; hand it on.
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect()
    });
    used.into_iter()
        .zip(results)
        .map(|(archive, index)| Ok((archive, index?)))
        .collect()
}

/// One archive of one suite on one mirror.
struct Place<'a> {
    mirror: &'a Mirror,
    archive: Archive,
    codename: String,
    desk: Desk<'a>,
}

impl Place<'_> {
    /// The index in `folder` of the release; `none` is what to say where the
    /// release has none.
    fn load<I: Boiled>(
        &self,
        keyring: &Keyring,
        reuse: i64,
        folder: &str,
        none: impl FnOnce() -> Error,
    ) -> Result<I> {
        let release = self.release(keyring, reuse)?;
        self.desk.check_cancel()?;
        let listed = release
            .file(&format!("{folder}/{}", I::FILE))
            .ok_or_else(none)?;
        let kept = self.kept(&format!("{}-{}", I::KEPT, listed.sha256.hex()));
        // Anything wrong with what is kept is mended by making it anew.
        if let Some(index) = fs::read_to_string(&kept)
            .ok()
            .and_then(|text| I::read(text).ok())
        {
            return Ok(index);
        }
        let index: I = self.build(folder, listed, release.by_hash)?;
        write_whole(&kept, index.as_text().as_bytes())?;
        Ok(index)
    }

    fn build<I: Boiled>(&self, folder: &str, listed: Listed, by_hash: bool) -> Result<I> {
        let dists = format!("dists/{}/{folder}", self.codename);
        let mut urls = Vec::new();
        if by_hash {
            let path = format!("{dists}/by-hash/SHA256/{}", listed.sha256.hex());
            urls.extend(self.mirror.urls(self.archive, &path));
        }
        let plain = format!("{dists}/{}", I::FILE);
        urls.extend(self.mirror.urls(self.archive, &plain));
        let wanted = Wanted {
            urls,
            sha256: listed.sha256,
            size: listed.size,
        };
        let desk = &self.desk;
        let paths = desk.cache.fetch(
            &[wanted],
            &|bytes| desk.progress.advance(bytes),
            desk.cancel,
        )?;
        let path = paths.first().cloned().unwrap_or_default();
        let damaged = |cause: String| Error::Index {
            path: path.display().to_string(),
            cause,
        };
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let text = Compression::Xz
            .reader(file, MAX_INDEX)
            .map_err(|error| damaged(error.to_string()))?;
        I::build(BufReader::with_capacity(1 << 20, text))
            .map_err(|error| damaged(error.to_string()))
    }

    /// Fetches the release, or takes the one that was fetched a moment ago, and
    /// checks it, whichever it is.
    fn release(&self, keyring: &Keyring, reuse: i64) -> Result<Release> {
        let urls = self
            .mirror
            .urls(self.archive, &format!("dists/{}/InRelease", self.codename));
        let mut last = None;
        for url in urls {
            let kept = self.kept(&format!(
                "release-{}",
                &Digest::of(url.as_bytes()).hex()[..16]
            ));
            if age(&kept, self.desk.now).is_some_and(|age| (0..reuse).contains(&age))
                && let Ok(bytes) = fs::read(&kept)
                && let Ok(release) = self.check(&url, &bytes, keyring)
            {
                return Ok(release);
            }
            self.desk.check_cancel()?;
            let client = self.desk.cache.client();
            match client.get(&url, MAX_RELEASE, self.desk.cancel) {
                Ok(bytes) => {
                    let release = self.check(&url, &bytes, keyring)?;
                    write_whole(&kept, &bytes)?;
                    return Ok(release);
                }
                Err(download::Error::Cancelled) => return Err(Error::Cancelled),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or(Error::NoMirror, Error::Download))
    }

    fn check(&self, url: &str, bytes: &[u8], keyring: &Keyring) -> Result<Release> {
        let now = self.desk.now;
        // Signed text that is not UTF-8 would not survive the conversion, and
        // its signature not the check.
        let text = String::from_utf8_lossy(bytes);
        let verified = keyring
            .verify(&text, now)
            .map_err(|cause| Error::Untrusted {
                url: url.to_owned(),
                cause,
            })?;
        let wrong = |cause: super::release::Mismatch| Error::WrongIndex {
            url: url.to_owned(),
            wanted: self.codename.clone(),
            cause: cause.to_string(),
        };
        let release = Release::parse(&verified).map_err(wrong)?;
        release.check(&self.codename, now).map_err(wrong)?;
        match release.valid_until {
            Some(until) if release.has_expired(now) => Err(Error::Expired {
                codename: self.codename.clone(),
                until: show_date(until),
            }),
            _ => Ok(release),
        }
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.desk.cache.dir().join("debian").join(name)
    }
}

/// Seconds since a file was written.
fn age(path: &Path, now: i64) -> Option<i64> {
    let written = path.metadata().ok()?.modified().ok()?;
    let written = written.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(now - i64::try_from(written).ok()?)
}

/// Writes a file that others see whole or not at all.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(Error::io("make", parent))?;
    let mut file =
        tempfile::NamedTempFile::new_in(parent).map_err(Error::io("write in", parent))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_data())
        .map_err(Error::io("write", path))?;
    file.persist(path)
        .map_err(|error| Error::io("write", path)(error.error))?;
    Ok(())
}
