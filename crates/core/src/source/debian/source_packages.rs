//! Source packages: from a name to the files that dpkg-source(1) starts from.
//!
//! `InRelease` (signature) → `Sources.xz` (hash) → `.dsc` and tarballs (hash).
//! Nothing is unpacked here: that is work for a sandbox.

use std::fs;
use std::path::{Path, PathBuf};

use whit_oci::Digest;
use whit_oci::download::{self, Wanted};

use super::archive::Desk;
use super::error::{Error, Result};
use super::lock::addresses;
use super::mirror::Mirror;
use super::paragraph;
use super::resolve;
use super::source_index::{SourceIndex, SourceListing, is_description, is_plain};
use super::suite::{Archive, Suite};
use super::version;

/// A source package that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceWanted {
    pub name: String,
    /// The newest one if it is not given.
    pub version: Option<String>,
}

impl SourceWanted {
    pub fn newest(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: None,
        }
    }

    pub fn exactly(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: Some(version.into()),
        }
    }

    /// What a binary package was built from, by its paragraph in a control file
    /// or in dpkg's database: `Source: NAME (VERSION)`, where the parts that
    /// are as the package's own are left out.
    pub fn of_binary(record: &str) -> Option<Self> {
        let paragraphs = paragraph::parse(record);
        let binary = paragraphs.first()?;
        let source = binary.get("Source").or(binary.get("Package"))?;
        let (name, version) = match source.split_once('(') {
            Some((name, version)) => (name.trim(), version.trim_end_matches(')').trim()),
            None => (source, binary.get("Version")?),
        };
        Some(Self::exactly(name, version))
    }
}

/// A source package as a lock file names it: enough to get the same bytes again
/// without an index.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct LockedSource {
    pub name: String,
    pub version: String,
    pub archive: Archive,
    pub files: Vec<LockedFile>,
}

/// A file of a source package, exactly.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct LockedFile {
    /// Below the archive's base.
    pub path: String,
    pub sha256: Digest,
    pub size: u64,
}

impl LockedSource {
    fn new(archive: Archive, listing: &SourceListing<'_>) -> Self {
        let mut files: Vec<LockedFile> = listing
            .files
            .iter()
            .map(|part| LockedFile {
                path: format!("{}/{}", listing.directory, part.name),
                sha256: part.sha256,
                size: part.size,
            })
            .collect();
        files.sort();
        Self {
            name: listing.name.to_owned(),
            version: listing.version.to_owned(),
            archive,
            files,
        }
    }

    /// A lock may have been edited, and its names become names of files.
    fn check(&self) -> Result<()> {
        let damaged = |cause: String| Error::Damaged {
            package: format!("{} (source)", self.name),
            cause,
        };
        let mut names: Vec<&str> = self.files.iter().map(LockedFile::name).collect();
        names.sort_unstable();
        if let Some(name) = names.iter().find(|name| !is_plain(name)) {
            return Err(damaged(format!("{name:?} is no name of a file")));
        }
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(damaged("two of its files have one name".into()));
        }
        if names.iter().filter(|name| is_description(name)).count() != 1 {
            return Err(damaged("it must have one .dsc".into()));
        }
        Ok(())
    }
}

impl LockedFile {
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The source packages of a release.
#[derive(Debug, Clone)]
pub struct SourceIndexes {
    pub suite: Suite,
    pub archives: Vec<(Archive, SourceIndex)>,
}

impl SourceIndexes {
    /// The files of each, in the order asked.
    pub fn resolve(&self, wanted: &[SourceWanted]) -> Result<Vec<LockedSource>> {
        wanted.iter().map(|one| self.find(one)).collect()
    }

    fn find(&self, wanted: &SourceWanted) -> Result<LockedSource> {
        // There is one, or there would have been an error.
        let mut candidates = self.candidates(wanted)?;
        Ok(candidates.swap_remove(0))
    }

    /// All that would do, the newest first; at least one.
    fn candidates(&self, wanted: &SourceWanted) -> Result<Vec<LockedSource>> {
        let mut found: Vec<(Archive, SourceListing<'_>)> = self
            .archives
            .iter()
            .flat_map(|(archive, index)| {
                index
                    .named(&wanted.name)
                    .map(move |listing| (*archive, listing))
            })
            .collect();
        if found.is_empty() {
            let names = self.archives.iter().flat_map(|(_, index)| index.names());
            return Err(Error::NoSource {
                suite: self.suite.to_string(),
                name: wanted.name.clone(),
                near: resolve::near(&wanted.name, names),
            });
        }
        // Of equal ones, the main archive's stays first.
        found.sort_by(|(_, a), (_, b)| version::compare(b.version, a.version));
        let mut there: Vec<String> = found
            .iter()
            .map(|(_, listing)| listing.version.to_owned())
            .collect();
        there.dedup();
        match &wanted.version {
            Some(version) => {
                found.retain(|(_, listing)| version::compare(listing.version, version).is_eq());
            }
            // What nothing is built from any more only where there is nothing else.
            None if found.iter().any(|(_, listing)| !listing.extra) => {
                found.retain(|(_, listing)| !listing.extra);
            }
            None => {}
        }
        if found.is_empty() {
            return Err(Error::NoSourceVersion {
                suite: self.suite.to_string(),
                name: wanted.name.clone(),
                version: wanted.version.clone().unwrap_or_default(),
                there,
            });
        }
        Ok(found
            .iter()
            .map(|(archive, listing)| LockedSource::new(*archive, listing))
            .collect())
    }
}

/// A source package that was fetched without a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obtained {
    pub source: LockedSource,
    pub files: SourceFiles,
    /// Newer versions that the index has and the mirror has not, newest first.
    /// They may mend what is broken in this one, so somebody has to be told.
    pub passed_over: Vec<String>,
}

/// Fetches source packages, each in the newest version that would do and that
/// the mirror has in whole: some mirrors are quick with packages and slow with
/// the sources of security updates.
pub fn obtain_sources(
    indexes: &SourceIndexes,
    wanted: &[SourceWanted],
    mirror: &Mirror,
    desk: Desk<'_>,
) -> Result<Vec<Obtained>> {
    wanted
        .iter()
        .map(|one| obtain(indexes.candidates(one)?, mirror, desk))
        .collect()
}

fn obtain(candidates: Vec<LockedSource>, mirror: &Mirror, desk: Desk<'_>) -> Result<Obtained> {
    let mut passed_over = Vec::new();
    let mut first = None;
    for source in candidates {
        match fetch_sources(std::slice::from_ref(&source), mirror, desk) {
            Ok(mut files) => {
                // The same version may be in two archives.
                passed_over.retain(|version| *version != source.version);
                return Ok(Obtained {
                    files: files.swap_remove(0),
                    source,
                    passed_over,
                });
            }
            Err(error @ Error::Download(download::Error::NotFound { .. })) => {
                passed_over.push(source.version);
                passed_over.dedup();
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or(Error::NoMirror))
}

/// The files of a source package on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFiles {
    pub name: String,
    pub version: String,
    /// Names that the package gives them, and where they are. These are the
    /// cache's own files, named by hash: nobody writes there.
    pub files: Vec<(String, PathBuf)>,
}

impl SourceFiles {
    /// Copies the files under their own names into a folder, which is made if it
    /// is not there; the path of the `.dsc`.
    ///
    /// Copies and no links, since what runs in a sandbox may write there.
    pub fn copy_into(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder).map_err(Error::io("make", folder))?;
        let mut description = folder.to_owned();
        for (name, path) in &self.files {
            let to = folder.join(name);
            fs::copy(path, &to).map_err(Error::io("write", &to))?;
            if is_description(name) {
                description = to;
            }
        }
        Ok(description)
    }
}

/// Fetches source packages, each file checked by its hash, in the order asked.
pub fn fetch_sources(
    sources: &[LockedSource],
    mirror: &Mirror,
    desk: Desk<'_>,
) -> Result<Vec<SourceFiles>> {
    sources.iter().try_for_each(LockedSource::check)?;
    let of = |source: &LockedSource| {
        let archive = source.archive;
        let wanted = move |file: &LockedFile| Wanted {
            urls: addresses(mirror, archive, &file.path),
            sha256: file.sha256,
            size: file.size,
        };
        source.files.iter().map(wanted).collect::<Vec<_>>()
    };
    let wanted: Vec<Wanted> = sources.iter().flat_map(of).collect();
    let total = wanted.iter().map(|one| one.size).sum();
    desk.progress.phase("fetching sources", Some(total));
    let advance = |bytes| desk.progress.advance(bytes);
    let mut paths = desk
        .cache
        .fetch(&wanted, &advance, desk.cancel)?
        .into_iter();
    Ok(sources
        .iter()
        .map(|source| SourceFiles {
            name: source.name.clone(),
            version: source.version.clone(),
            files: source
                .files
                .iter()
                .map(|file| file.name().to_owned())
                .zip(paths.by_ref())
                .collect(),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::archive::load_source_indexes;
    use super::super::sources::SignedBy;
    use super::*;
    use crate::progress::Silent;
    use whit_oci::download::{Cache, Client, Proxies};

    /// A mirror in a folder.
    struct Bench {
        dir: tempfile::TempDir,
        cache: Cache,
        cancel: AtomicBool,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let client = Client::new(&Proxies::default(), &std::sync::Arc::default()).unwrap();
            let cache = Cache::open(dir.path().join("cache"), client).unwrap();
            Self {
                dir,
                cache,
                cancel: AtomicBool::new(false),
            }
        }

        /// Puts a source package there; its paragraph in the index.
        fn add(&self, name: &str, version: &str, rest: &str) -> String {
            let mut list = String::new();
            let place = self.dir.path().join("mirror/pool").join(name);
            fs::create_dir_all(&place).unwrap();
            for file in [
                format!("{name}_{version}.dsc"),
                format!("{name}_{version}.orig.tar.xz"),
            ] {
                let content = format!("content of {file}");
                fs::write(place.join(&file), &content).unwrap();
                let hash = Digest::of(content.as_bytes()).hex();
                list.push_str(&format!(" {hash} {} {file}\n", content.len()));
            }
            format!(
                "Package: {name}\nVersion: {version}\nDirectory: pool/{name}\n\
                 Checksums-Sha256:\n{list}{rest}\n"
            )
        }

        fn mirror(&self) -> Mirror {
            Mirror::given(&format!("file:{}/mirror none", self.dir.path().display())).unwrap()
        }

        fn fetch(&self, sources: &[LockedSource]) -> Result<Vec<SourceFiles>> {
            fetch_sources(sources, &self.mirror(), self.desk())
        }

        fn desk(&self) -> Desk<'_> {
            Desk {
                cache: &self.cache,
                progress: &Silent,
                cancel: &self.cancel,
                now: 0,
            }
        }
    }

    fn indexes(archives: &[String]) -> SourceIndexes {
        SourceIndexes {
            suite: Suite::Bookworm,
            archives: Archive::ALL
                .into_iter()
                .zip(archives)
                .map(|(archive, text)| (archive, SourceIndex::build(text.as_bytes()).unwrap()))
                .collect(),
        }
    }

    #[test]
    fn the_newest_that_counts_or_the_exact_one() {
        let bench = Bench::new();
        let main = bench.add("ssl", "3.0-1", "") + &bench.add("ssl", "3.0-3", "");
        let updates = bench.add("ssl", "9-1", "Extra-Source-Only: yes\n");
        let security = bench.add("ssl", "3.0-3", "") + &bench.add("ssl", "3.0-2", "");
        let indexes = indexes(&[main, updates, security]);
        let find = |version: Option<&str>| {
            let wanted = SourceWanted {
                name: "ssl".into(),
                version: version.map(str::to_owned),
            };
            let found = indexes.resolve(&[wanted]).map(|mut found| found.remove(0));
            found.map(|source| (source.version, source.archive))
        };
        assert_eq!(find(None).unwrap(), ("3.0-3".into(), Archive::Main));
        assert_eq!(
            find(Some("0:3.0-2")).unwrap(),
            ("3.0-2".into(), Archive::Security)
        );
        assert_eq!(find(Some("9-1")).unwrap(), ("9-1".into(), Archive::Updates));
        let error = find(Some("3.0-4")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bookworm has no source package ssl 3.0-4"
        );
        assert_eq!(
            error.hint().unwrap(),
            "it has 9-1, 3.0-3, 3.0-2, 3.0-1; a lock that names another must be made anew"
        );
        let error = indexes.resolve(&[SourceWanted::newest("sll")]).unwrap_err();
        assert_eq!(error.to_string(), "bookworm has no source package sll");
        assert_eq!(error.hint().unwrap(), "similar names: ssl");
    }

    #[test]
    fn fetched_and_copied_under_their_names() {
        let bench = Bench::new();
        let text = bench.add("a", "1-1", "") + &bench.add("b", "2", "");
        let wanted = [SourceWanted::newest("b"), SourceWanted::exactly("a", "1-1")];
        let locked = indexes(&[text]).resolve(&wanted).unwrap();
        let files = bench.fetch(&locked).unwrap();
        assert_eq!(files[0].name, "b");
        let folder = bench.dir.path().join("copies");
        let description = files[1].copy_into(&folder).unwrap();
        assert_eq!(description, folder.join("a_1-1.dsc"));
        assert_eq!(
            fs::read_to_string(folder.join("a_1-1.orig.tar.xz")).unwrap(),
            "content of a_1-1.orig.tar.xz"
        );
        // They come from the cache now.
        fs::remove_dir_all(bench.dir.path().join("mirror")).unwrap();
        assert_eq!(bench.fetch(&locked).unwrap(), files);
    }

    #[test]
    fn what_is_changed_or_missing_is_refused() {
        let bench = Bench::new();
        let text = bench.add("a", "1", "");
        let locked = indexes(&[text])
            .resolve(&[SourceWanted::newest("a")])
            .unwrap();
        let path = bench.dir.path().join("mirror/pool/a/a_1.dsc");
        fs::write(&path, "CONTENT of a_1.dsc").unwrap();
        assert!(matches!(
            bench.fetch(&locked),
            Err(Error::Download(download::Error::Hash { .. }))
        ));
        fs::remove_file(&path).unwrap();
        let error = bench.fetch(&locked).unwrap_err();
        assert!(error.to_string().contains("a_1.dsc"), "{error}");
        assert!(error.hint().unwrap().contains("make the lock anew"));
        bench
            .cancel
            .store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(matches!(
            bench.fetch(&locked),
            Err(Error::Download(download::Error::Cancelled))
        ));
    }

    #[test]
    fn what_the_mirror_lacks_is_passed_over_and_told() {
        let bench = Bench::new();
        let text = bench.add("a", "1", "") + &bench.add("a", "2", "") + &bench.add("a", "3", "");
        let indexes = indexes(&[text.clone(), text]);
        let lose = |version: &str| {
            let name = format!("mirror/pool/a/a_{version}.orig.tar.xz");
            fs::remove_file(bench.dir.path().join(name)).unwrap();
        };
        let obtain = |wanted| obtain_sources(&indexes, &[wanted], &bench.mirror(), bench.desk());
        lose("3");
        lose("2");
        let found = obtain(SourceWanted::newest("a")).unwrap();
        assert_eq!(found[0].source.version, "1");
        assert_eq!(found[0].files.version, "1");
        assert_eq!(found[0].passed_over, ["3", "2"]);
        // An exact version is that one or none.
        let error = obtain(SourceWanted::exactly("a", "2")).unwrap_err();
        assert!(error.to_string().contains("a_2.orig"), "{error}");
        let found = obtain(SourceWanted::exactly("a", "1")).unwrap();
        assert_eq!(found[0].passed_over, [""; 0]);
        let other = Bench::new();
        let desk = other.desk();
        let nothing = obtain_sources(
            &indexes,
            &[SourceWanted::newest("a")],
            &other.mirror(),
            desk,
        );
        let error = nothing.unwrap_err();
        assert!(error.to_string().contains("a_3"), "{error}");
    }

    #[test]
    fn a_mirror_without_sources_is_named() {
        let bench = Bench::new();
        let folder = bench.dir.path().join("mirror");
        fs::create_dir_all(folder.join("dists/bookworm")).unwrap();
        let release = include_str!("testdata/good.asc");
        fs::write(folder.join("dists/bookworm/InRelease"), release).unwrap();
        let keys = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/source/debian/testdata/archive.gpg"
        );
        let mirror = Mirror {
            main: vec![format!("file:{}", folder.display())],
            security: Vec::new(),
            signed_by: Some(SignedBy::File(keys.into())),
        };
        let desk = Desk {
            // In the time for which it was signed.
            now: 1_782_864_000,
            ..bench.desk()
        };
        let error = load_source_indexes(&mirror, Suite::Bookworm, 0, desk).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} has no source packages of bookworm", mirror.main[0])
        );
        assert!(error.hint().unwrap().contains("--mirror"));
    }

    #[test]
    fn names_of_an_edited_lock_stay_in_their_folder() {
        let bench = Bench::new();
        let text = bench.add("a", "1", "");
        let good = indexes(&[text])
            .resolve(&[SourceWanted::newest("a")])
            .unwrap();
        let with = |paths: &[&str]| {
            let mut locked = good.clone();
            let file = locked[0].files[0].clone();
            locked[0].files = paths
                .iter()
                .map(|path| LockedFile {
                    path: (*path).to_owned(),
                    ..file.clone()
                })
                .collect();
            bench.fetch(&locked)
        };
        assert!(with(&["pool/a/a_1.dsc"]).is_ok());
        for paths in [
            &["pool/a/.."][..],
            &["pool/a/"],
            &["a.tar.xz"],
            &["a.dsc", "b.dsc"],
            &["a.dsc", "x/a.dsc"],
            &[],
        ] {
            assert!(
                matches!(with(paths), Err(Error::Damaged { .. })),
                "{paths:?}"
            );
        }
    }

    #[test]
    fn the_source_of_a_binary() {
        for (record, name, version) in [
            ("Package: zlib\nVersion: 1:1.2-3\n", "zlib", "1:1.2-3"),
            (
                "Package: zlib1g\nSource: zlib\nVersion: 1:1.2-3\n",
                "zlib",
                "1:1.2-3",
            ),
            (
                "Package: bash\nSource: bash (5.2-2)\nVersion: 5.2-2+b9\n",
                "bash",
                "5.2-2",
            ),
        ] {
            assert_eq!(
                SourceWanted::of_binary(record),
                Some(SourceWanted::exactly(name, version))
            );
        }
        assert_eq!(SourceWanted::of_binary("Package: a\n"), None);
        assert_eq!(SourceWanted::of_binary(""), None);
    }
}
