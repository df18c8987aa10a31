//! From `.deb` files to a root on disk that stays in the cache.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};
use whit_oci::{Digest, Entry, ImagePath, Kind, Meta};

use super::archive::Desk;
use super::database::{self, Installed};
use super::deb::Deb;
use super::error::{Error, Result};
use super::lock::LockedDeb;
use super::mirror::Mirror;
use super::root::{Root, RootError};
use super::{ahead, effects, unpack};

/// Changes with everything that makes the same packages another root: the
/// effects of scripts, the form of the list.
const FORMAT: &str = "whit root 2";

/// A root that was assembled from packages.
#[derive(Debug)]
pub struct Assembled {
    /// Where it is. Others use it, too: nobody writes here.
    pub dir: PathBuf,
    /// Everything in it with its real owner and mode, in path order; hard links
    /// after the file that they are another name of.
    pub entries: Vec<Entry>,
    /// Identifies the content: the same packages give the same key.
    pub key: Digest,
}

/// Fetches packages, unpacks them in order and configures them. What was
/// assembled before is found again.
pub fn assemble(
    debs: &[LockedDeb],
    architecture: &str,
    mirror: &Mirror,
    desk: Desk<'_>,
) -> Result<Assembled> {
    let key = key(debs, architecture);
    let place = desk.cache.dir().join("roots").join(key.hex());
    if let Some(found) = find(&place, key) {
        return Ok(found);
    }
    let paths = fetch(debs, mirror, desk)?;
    let roots = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(roots).map_err(Error::io("make", roots))?;
    sweep(roots);
    let draft = Draft::new(roots)?;
    let entries = build(debs, &paths, architecture, &draft.root, desk)?;
    write_list(&draft.list, &entries)?;
    draft.keep(&place, key)?;
    // Somebody else may have been faster; either is the same.
    find(&place, key).ok_or_else(|| {
        Error::io("find", &place)(std::io::Error::from(std::io::ErrorKind::NotFound))
    })
}

/// The packages, checked by their hash, in the order asked.
pub fn fetch(debs: &[LockedDeb], mirror: &Mirror, desk: Desk<'_>) -> Result<Vec<PathBuf>> {
    let total = debs.iter().map(|deb| deb.size).sum();
    desk.progress.phase("fetching packages", Some(total));
    let wanted: Vec<_> = debs.iter().map(|deb| deb.wanted(mirror)).collect();
    let advance = |bytes| desk.progress.advance(bytes);
    Ok(desk.cache.fetch(&wanted, &advance, desk.cancel)?)
}

fn key(debs: &[LockedDeb], architecture: &str) -> Digest {
    let mut hasher = Sha256::new();
    // Whoever runs whit owns the files: another mapping is another folder.
    let owner = whit_sandbox::disk_owner(0, 0);
    hasher.update(format!("{FORMAT}\n{architecture}\n{owner:?}\n"));
    for deb in debs {
        hasher.update(format!("{} {}\n", deb.sha256, deb.name));
    }
    Digest::from_hasher(hasher)
}

fn build(
    debs: &[LockedDeb],
    paths: &[PathBuf],
    architecture: &str,
    dir: &Path,
    desk: Desk<'_>,
) -> Result<Vec<Entry>> {
    let total = debs.iter().map(|deb| deb.size).sum();
    desk.progress.phase("unpacking packages", Some(total));
    let damaged = |i: usize, cause: String| Error::Damaged {
        package: debs[i].name.clone(),
        cause,
    };
    let mut opened = Vec::new();
    for (i, path) in paths.iter().enumerate() {
        opened.push(Deb::open(path).map_err(|error| damaged(i, error.to_string()))?);
    }
    let not_made = |error: RootError| Error::Unpack {
        package: "base system".into(),
        cause: error.to_string(),
    };
    let mut root = Root::new(dir);
    effects::merge_usr(&mut root, architecture).map_err(not_made)?;
    let mut installed = Vec::new();
    ahead::for_each(&opened, |i, opened| {
        desk.check_cancel()?;
        let mut opened = opened.map_err(|error| damaged(i, error.to_string()))?;
        check_identity(&debs[i], &opened.control)?;
        let paths = unpack::unpack(&mut opened.data, &mut root).map_err(|error| Error::Unpack {
            package: debs[i].name.clone(),
            cause: error.to_string(),
        })?;
        installed.push(Installed {
            control: opened.control,
            paths,
        });
        desk.progress.advance(debs[i].size);
        Ok::<(), Error>(())
    })?;
    database::write(&mut root, &installed).map_err(not_made)?;
    effects::configure(&mut root, architecture).map_err(not_made)?;
    Ok(root.into_entries())
}

/// A lock that names one package and the hash of another is wrong.
fn check_identity(deb: &LockedDeb, control: &super::deb::Control) -> Result<()> {
    for (field, expected) in [
        ("Package", &deb.name),
        ("Version", &deb.version),
        ("Architecture", &deb.architecture),
    ] {
        let found = control.field(field).unwrap_or_default();
        if found != expected {
            return Err(Error::Damaged {
                package: deb.name.clone(),
                cause: format!("its {field} is {found:?}, not {expected:?}"),
            });
        }
    }
    Ok(())
}

/// A root that is being made, under a name of its own; gone if it is given up.
struct Draft {
    /// Locked while it is in use, so that [`sweep`] knows the forgotten ones.
    _lock: File,
    dir: tempfile::TempDir,
    root: PathBuf,
    list: PathBuf,
}

const DRAFT: &str = ".draft-";

impl Draft {
    fn new(roots: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix(DRAFT)
            .tempdir_in(roots)
            .map_err(Error::io("make a folder in", roots))?;
        let lock_path = dir.path().join("lock");
        let lock = File::create(&lock_path).map_err(Error::io("write", &lock_path))?;
        rustix::fs::flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| Error::io("lock", &lock_path)(error.into()))?;
        let root = dir.path().join("root");
        fs::create_dir(&root).map_err(Error::io("make", &root))?;
        open_to_all(&root)?;
        open_to_all(dir.path())?;
        Ok(Self {
            _lock: lock,
            root,
            list: dir.path().join("list"),
            dir,
        })
    }

    /// Gives it its final name. A whole root that is there already stays; a
    /// broken one goes.
    fn keep(self, place: &Path, key: Digest) -> Result<()> {
        let mut renamed = fs::rename(self.dir.path(), place);
        if renamed.is_err() && find(place, key).is_none() {
            let _ = fs::remove_dir_all(place);
            renamed = fs::rename(self.dir.path(), place);
        }
        match renamed {
            Ok(()) => {
                // Nothing is left under the draft's name to be removed.
                let _ = self.dir.keep();
                Ok(())
            }
            Err(_) if find(place, key).is_some() => Ok(()),
            Err(error) => Err(Error::io("make", place)(error)),
        }
    }
}

/// `tempfile` makes folders for their owner only; an app that does not run as
/// root must get through.
fn open_to_all(dir: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(Error::io("open", dir))
}

/// Removes drafts that a whit left which was killed. That none is removed in
/// use, their locks see to; that some stay is no harm.
fn sweep(roots: &Path) {
    for entry in fs::read_dir(roots).into_iter().flatten().flatten() {
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(DRAFT.as_bytes())
        {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join("lock")) else {
            continue;
        };
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn find(place: &Path, key: Digest) -> Option<Assembled> {
    let dir = place.join("root");
    let entries = read_list(&place.join("list"))?;
    dir.is_dir().then_some(Assembled { dir, entries, key })
}

/// One line per entry; the number of lines ends it.
fn write_list(path: &Path, entries: &[Entry]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(path)?);
        for entry in entries {
            let meta = &entry.meta;
            let (kind, detail) = match &entry.kind {
                Kind::File { size } => ('f', size.to_string()),
                Kind::Dir => ('d', String::new()),
                Kind::Symlink { target } => ('l', hex::encode(target)),
                Kind::Hardlink { target } => ('h', hex::encode(target.as_bytes())),
                Kind::CharDevice { major, minor } => ('c', format!("{major}:{minor}")),
                Kind::BlockDevice { major, minor } => ('b', format!("{major}:{minor}")),
                Kind::Fifo => ('p', String::new()),
                Kind::Whiteout | Kind::Opaque => continue,
            };
            writeln!(
                out,
                "{kind} {:o} {} {} {} {} {detail}",
                meta.mode,
                meta.uid,
                meta.gid,
                meta.mtime,
                hex::encode(entry.path.as_bytes()),
            )?;
        }
        writeln!(out, "{}", entries.len())?;
        out.into_inner()?.sync_data()
    };
    write().map_err(Error::io("write", path))
}

fn read_list(path: &Path) -> Option<Vec<Entry>> {
    let mut entries = Vec::new();
    for line in BufReader::new(File::open(path).ok()?).lines() {
        let line = line.ok()?;
        match line.parse::<usize>() {
            Ok(count) => return (count == entries.len()).then_some(entries),
            Err(_) => entries.push(read_line(&line)?),
        }
    }
    None
}

fn read_line(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let kind = words.next()?;
    let meta = Meta {
        mode: u32::from_str_radix(words.next()?, 8).ok()?,
        uid: words.next()?.parse().ok()?,
        gid: words.next()?.parse().ok()?,
        mtime: words.next()?.parse().ok()?,
        ..Meta::default()
    };
    let path = ImagePath::parse(hex::decode(words.next()?).ok()?).ok()?;
    let detail = words.next()?;
    let device = || {
        let (major, minor) = detail.split_once(':')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let kind = match kind {
        "f" => Kind::File {
            size: detail.parse().ok()?,
        },
        "d" => Kind::Dir,
        "l" => Kind::Symlink {
            target: hex::decode(detail).ok()?,
        },
        "h" => Kind::Hardlink {
            target: ImagePath::parse(hex::decode(detail).ok()?).ok()?,
        },
        "c" => device().map(|(major, minor)| Kind::CharDevice { major, minor })?,
        "b" => device().map(|(major, minor)| Kind::BlockDevice { major, minor })?,
        "p" => Kind::Fifo,
        _ => return None,
    };
    Some(Entry { path, kind, meta })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::deb::fixture::deb;
    use super::super::suite::Archive;
    use super::*;
    use crate::progress::Silent;
    use whit_oci::download::{self, Cache, Client, Proxies};

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

        /// Puts a package on the mirror.
        fn add(&self, name: &str, data: &[(&str, u32, &str)]) -> LockedDeb {
            let control = format!("Package: {name}\nVersion: 1\nArchitecture: all\n");
            let bytes = deb(&[("./control", 0o644, &control)], data);
            let path = format!("{name}.deb");
            fs::create_dir_all(self.dir.path().join("mirror")).unwrap();
            fs::write(self.dir.path().join("mirror").join(&path), &bytes).unwrap();
            LockedDeb {
                name: name.into(),
                version: "1".into(),
                architecture: "all".into(),
                archive: Archive::Main,
                path,
                sha256: Digest::of(&bytes),
                size: bytes.len() as u64,
            }
        }

        fn assemble(&self, debs: &[LockedDeb]) -> Result<Assembled> {
            let mirror = format!("file:{}/mirror none", self.dir.path().display());
            let desk = Desk {
                cache: &self.cache,
                progress: &Silent,
                cancel: &self.cancel,
                now: 0,
            };
            assemble(debs, "amd64", &Mirror::given(&mirror).unwrap(), desk)
        }

        /// What lies among the roots, drafts included.
        fn roots(&self) -> Vec<String> {
            fs::read_dir(self.cache.dir().join("roots"))
                .into_iter()
                .flatten()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        }
    }

    #[test]
    fn a_root_is_found_again_and_mended() {
        let bench = Bench::new();
        let debs = [bench.add("a", &[("bin/tool", 0o4755, "#!"), ("tmp/", 0o1777, "")])];
        let made = bench.assemble(&debs).unwrap();
        let again = bench.assemble(&debs).unwrap();
        assert_eq!(made.entries, again.entries);
        assert_eq!(made.dir, again.dir);
        let tool = made
            .entries
            .iter()
            .find(|entry| entry.path == "usr/bin/tool".into())
            .unwrap();
        assert_eq!(
            (tool.meta.mode, &tool.kind),
            (0o4755, &Kind::File { size: 2 })
        );
        assert_eq!(fs::read(made.dir.join("bin/tool")).unwrap(), b"#!");
        fs::write(made.dir.parent().unwrap().join("list"), "f 644").unwrap();
        let mended = bench.assemble(&debs).unwrap();
        assert_eq!(mended.entries, made.entries);
        assert_eq!(bench.roots(), [made.key.hex()]);
    }

    #[test]
    fn what_is_changed_or_missing_is_refused_and_leaves_nothing() {
        let bench = Bench::new();
        let good = bench.add("a", &[("x", 0o644, "content")]);
        let path = bench.dir.path().join("mirror/a.deb");
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert!(matches!(
            bench.assemble(std::slice::from_ref(&good)),
            Err(Error::Download(download::Error::Hash { .. }))
        ));
        fs::remove_file(&path).unwrap();
        assert!(matches!(
            bench.assemble(&[good]),
            Err(Error::Download(download::Error::NotFound { .. }))
        ));
        // The hash is right, but of another package.
        let other = LockedDeb {
            name: "c".into(),
            ..bench.add("b", &[("x", 0o644, "content")])
        };
        let error = bench.assemble(&[other]).unwrap_err().to_string();
        assert!(error.contains("its Package is \"b\", not \"c\""), "{error}");
        let evil = bench.add("evil", &[("a", 0o644, "x"), ("../../y", 0o644, "x")]);
        let error = bench.assemble(&[evil]).unwrap_err().to_string();
        assert!(error.contains("evil cannot be unpacked"), "{error}");
        assert_eq!(bench.roots(), [""; 0]);
    }

    #[test]
    fn a_cancelled_one_leaves_nothing() {
        let bench = Bench::new();
        let deb = bench.add("a", &[("x", 0o644, "content")]);
        bench.cancel.store(true, Ordering::Relaxed);
        assert!(matches!(
            bench.assemble(std::slice::from_ref(&deb)),
            Err(Error::Cancelled | Error::Download(download::Error::Cancelled))
        ));
        assert_eq!(bench.roots(), [""; 0]);
        bench.cancel.store(false, Ordering::Relaxed);
        bench.assemble(&[deb]).unwrap();
    }

    #[test]
    fn a_draft_that_was_forgotten_is_swept_away() {
        let bench = Bench::new();
        let roots = bench.cache.dir().join("roots");
        let draft = roots.join(".draft-x");
        fs::create_dir_all(draft.join("root")).unwrap();
        fs::write(draft.join("lock"), "").unwrap();
        let in_use = Draft::new(&roots).unwrap();
        let deb = bench.add("a", &[("x", 0o644, "content")]);
        bench.assemble(&[deb]).unwrap();
        assert!(!draft.exists());
        assert!(in_use.root.exists());
    }

    #[test]
    fn every_kind_of_entry_is_listed_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        let meta = Meta {
            mode: 0o6755,
            uid: 1,
            gid: 2,
            mtime: -3,
            ..Meta::default()
        };
        let kinds = [
            Kind::File { size: 5 },
            Kind::Dir,
            Kind::Symlink {
                target: b"a b\n\xff".to_vec(),
            },
            Kind::Hardlink {
                target: "usr/x".into(),
            },
            Kind::CharDevice { major: 1, minor: 3 },
            Kind::BlockDevice { major: 8, minor: 0 },
            Kind::Fifo,
        ];
        let entries: Vec<Entry> = kinds
            .into_iter()
            .enumerate()
            .map(|(i, kind)| Entry {
                path: ImagePath::from(format!("a {i}\n").as_str()),
                kind,
                meta: meta.clone(),
            })
            .collect();
        write_list(&list, &entries).unwrap();
        assert_eq!(read_list(&list), Some(entries));
        let text = fs::read(&list).unwrap();
        for end in 0..text.len() - 2 {
            fs::write(&list, &text[..end]).unwrap();
            assert_eq!(read_list(&list), None, "cut at {end}");
        }
    }
}
