//! A folder of files named by their hash.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use sha2::{Digest as _, Sha256};
use whit_oci::Digest;

use super::http::{Answer, Client, PAUSES, wait};
use super::{Error, Result};
use crate::progress::Progress;

/// A file that is to be in the cache.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it may be found; tried in this order.
    pub urls: Vec<String>,
    pub sha256: Digest,
    pub size: u64,
}

/// A folder of files by hash, filled from the network.
///
/// A file under its final name is whole and was checked. One that is not yet
/// lies beside it as `HASH.part`, locked by whoever writes it, and is resumed.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    client: Client,
    connections: usize,
}

impl Cache {
    /// Uses `dir`, which is made if it is not there.
    pub fn open(dir: impl Into<PathBuf>, client: Client) -> Result<Self> {
        let dir = dir.into();
        make_dir(&dir)?;
        Ok(Self {
            dir,
            client,
            connections: 4,
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where a file of this hash lies, or will lie.
    pub fn path(&self, sha256: &Digest) -> PathBuf {
        let hex = sha256.hex();
        self.dir.join("files").join(&hex[..2]).join(hex)
    }

    /// The file of this hash, if it is here.
    pub fn find(&self, sha256: &Digest) -> Option<PathBuf> {
        let path = self.path(sha256);
        path.is_file().then_some(path)
    }

    /// Makes sure that every file is here; the paths come in the order asked.
    ///
    /// Advances `progress` by bytes, those that were here already included.
    pub fn fetch(
        &self,
        wanted: &[Wanted],
        progress: &dyn Progress,
        cancel: &AtomicBool,
    ) -> Result<Vec<PathBuf>> {
        let queue: Mutex<VecDeque<&Wanted>> = Mutex::new(wanted.iter().collect());
        let failure: Mutex<Option<Error>> = Mutex::new(None);
        let stop = AtomicBool::new(false);
        let halted = || stop.load(Ordering::Relaxed) || cancel.load(Ordering::Relaxed);
        thread::scope(|scope| {
            for _ in 0..self.connections.min(wanted.len()) {
                scope.spawn(|| {
                    while !halted() {
                        let Some(next) = lock(&queue).pop_front() else {
                            return;
                        };
                        if let Err(error) = self.fetch_one(next, progress, &halted) {
                            stop.store(true, Ordering::Relaxed);
                            // The others only say that they were stopped.
                            lock(&failure).get_or_insert(error);
                        }
                    }
                });
            }
        });
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        match failure.into_inner() {
            Ok(Some(error)) => Err(error),
            _ => Ok(wanted.iter().map(|one| self.path(&one.sha256)).collect()),
        }
    }

    fn fetch_one(
        &self,
        wanted: &Wanted,
        progress: &dyn Progress,
        halted: &dyn Fn() -> bool,
    ) -> Result<()> {
        let path = self.path(&wanted.sha256);
        if is_whole(&path, wanted.size) {
            progress.advance(wanted.size);
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let part_path = path.with_extension("part");
        let Some(mut part) = lock_part(&part_path, &path, wanted.size, halted)? else {
            progress.advance(wanted.size);
            return Ok(());
        };
        let mut counted = Counted {
            progress,
            reported: 0,
        };
        let mut last = None;
        for url in &wanted.urls {
            match self.fetch_url(url, wanted, &mut part, &mut counted, halted) {
                Ok(()) => {
                    part.sync_data()
                        .map_err(Error::io(format!("cannot write {}", part_path.display())))?;
                    return fs::rename(&part_path, &path)
                        .map_err(Error::io(format!("cannot write {}", path.display())));
                }
                Err(error) if error.is_of_the_address() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| Error::Transport {
            url: wanted.sha256.to_string(),
            cause: "no address is known for it".into(),
        }))
    }

    /// Fills `part` from one address, trying again while the network fails.
    fn fetch_url(
        &self,
        url: &str,
        wanted: &Wanted,
        part: &mut File,
        counted: &mut Counted<'_>,
        halted: &dyn Fn() -> bool,
    ) -> Result<()> {
        let mut pauses = PAUSES.iter();
        let mut mismatches = 0;
        loop {
            let started_at = part.metadata().map_or(0, |meta| meta.len());
            let error = match self.fill(url, wanted, part, counted, halted) {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match &error {
                // What lay there from an earlier run may be what is wrong.
                Error::Hash { .. } | Error::Size { .. } => {
                    part.set_len(0).map_err(Error::io("cannot write a part"))?;
                    mismatches += 1;
                    if started_at == 0 || mismatches > 1 {
                        return Err(error);
                    }
                }
                error if error.is_passing() => {}
                _ => return Err(error),
            }
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            wait(*pause, halted)?;
        }
    }

    /// One try: what is on disk is hashed, the rest fetched and appended.
    fn fill(
        &self,
        url: &str,
        wanted: &Wanted,
        part: &mut File,
        counted: &mut Counted<'_>,
        halted: &dyn Fn() -> bool,
    ) -> Result<()> {
        let write_error = || Error::io(format!("cannot keep {url} in the cache"));
        let mut hasher = Sha256::new();
        let mut have = hash_part(part, &mut hasher).map_err(write_error())?;
        if have > wanted.size {
            part.set_len(0).map_err(write_error())?;
            (have, hasher) = (0, Sha256::new());
        }
        if have < wanted.size || have == 0 {
            let Answer { mut body, start } = self.client.open(url, have)?;
            if start != have {
                (have, hasher) = (start, Sha256::new());
                part.set_len(0).map_err(write_error())?;
            }
            part.seek(SeekFrom::Start(have)).map_err(write_error())?;
            counted.at(have);
            let mut buffer = vec![0; 128 << 10];
            loop {
                if halted() {
                    return Err(Error::Cancelled);
                }
                let n = match body.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => n,
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                    Err(error) => {
                        return Err(Error::Transport {
                            url: url.into(),
                            cause: error.to_string(),
                        });
                    }
                };
                have += n as u64;
                if have > wanted.size {
                    return Err(Error::Size {
                        url: url.into(),
                        expected: wanted.size,
                        got: have,
                    });
                }
                part.write_all(&buffer[..n]).map_err(write_error())?;
                hasher.update(&buffer[..n]);
                counted.at(have);
            }
        }
        if have < wanted.size {
            return Err(Error::Size {
                url: url.into(),
                expected: wanted.size,
                got: have,
            });
        }
        let got = Digest::from_hasher(hasher);
        if got != wanted.sha256 {
            return Err(Error::Hash {
                url: url.into(),
                expected: wanted.sha256,
                got,
            });
        }
        counted.at(have);
        Ok(())
    }
}

/// Reports each byte of a file once, however often it is fetched.
struct Counted<'a> {
    progress: &'a dyn Progress,
    reported: u64,
}

impl Counted<'_> {
    fn at(&mut self, position: u64) {
        if position > self.reported {
            self.progress.advance(position - self.reported);
            self.reported = position;
        }
    }
}

/// Opens and locks the unfinished file. `None` if somebody else finished it
/// while we waited.
fn lock_part(
    part_path: &Path,
    path: &Path,
    size: u64,
    halted: &dyn Fn() -> bool,
) -> Result<Option<File>> {
    let context = || Error::io(format!("cannot write {}", part_path.display()));
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(part_path)
            .map_err(context())?;
        while let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK && error != rustix::io::Errno::INTR {
                return Err(context()(error.into()));
            }
            wait(Duration::from_millis(50), halted)?;
        }
        // Between our open and our lock it may have got its final name.
        let ours = file.metadata().map_err(context())?;
        let there = fs::symlink_metadata(part_path);
        let still_there =
            there.is_ok_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev());
        if is_whole(path, size) {
            if still_there {
                // Nobody needs the empty part that our open has made.
                let _ = fs::remove_file(part_path);
            }
            return Ok(None);
        }
        if still_there {
            return Ok(Some(file));
        }
    }
}

fn hash_part(part: &mut File, hasher: &mut Sha256) -> std::io::Result<u64> {
    part.seek(SeekFrom::Start(0))?;
    let mut buffer = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        match part.read(&mut buffer)? {
            0 => return Ok(total),
            n => {
                hasher.update(&buffer[..n]);
                total += n as u64;
            }
        }
    }
}

fn is_whole(path: &Path, size: u64) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.len() == size)
}

fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::io(format!("cannot make {}", dir.display())))
}

/// A poisoned lock still guards whole values here: nothing panics inside.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::super::http::Proxies;
    use super::*;
    use crate::progress::Silent;

    /// What a server does with one request.
    #[derive(Clone, Copy)]
    enum Act {
        /// Sends everything asked for.
        Serve,
        /// Says how long it is, and hangs up after so many bytes.
        HangUp(usize),
        Refuse(u16),
        /// Sends other bytes of the same length.
        Lie,
        /// Sends everything, whatever part was asked for.
        IgnoreRange,
    }

    /// Acts in turn, then goes on serving. The log has the ranges asked for.
    struct Server {
        url: String,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        fn start(content: Vec<u8>, acts: &[Act]) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/file", listener.local_addr().unwrap());
            let log = Arc::new(Mutex::new(Vec::new()));
            let (acts, seen) = (acts.to_vec(), log.clone());
            thread::spawn(move || {
                for (i, stream) in listener.incoming().enumerate() {
                    let act = acts.get(i).copied().unwrap_or(Act::Serve);
                    answer(stream.unwrap(), &content, act, &seen);
                }
            });
            Self { url, log }
        }

        fn log(&self) -> Vec<String> {
            lock(&self.log).clone()
        }
    }

    fn answer(mut stream: std::net::TcpStream, content: &[u8], act: Act, log: &Mutex<Vec<String>>) {
        let mut range = String::new();
        for line in BufReader::new(stream.try_clone().unwrap()).lines() {
            let line = line.unwrap().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("range: bytes=") {
                range = value.to_owned();
            }
        }
        lock(log).push(range.clone());
        let start: usize = match act {
            Act::IgnoreRange => 0,
            _ => range.trim_end_matches('-').parse().unwrap_or(0),
        };
        let (status, body) = match act {
            Act::Refuse(status) => (status, Vec::new()),
            Act::Lie => (200, vec![b'?'; content.len()]),
            _ if start > 0 => (206, content[start..].to_vec()),
            _ => (200, content.to_vec()),
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\
             Content-Range: bytes {start}-{}/{}\r\nConnection: close\r\n\r\n",
            body.len(),
            content.len(),
            content.len()
        );
        let sent = match act {
            Act::HangUp(n) => &body[..n.min(body.len())],
            _ => &body[..],
        };
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(sent);
    }

    fn content() -> Vec<u8> {
        (0..300_000_u32).map(|i| (i * 7 % 251) as u8).collect()
    }

    fn cache(dir: &Path) -> Cache {
        Cache::open(dir, Client::new(&Proxies::default()).unwrap()).unwrap()
    }

    fn wanted(servers: &[&Server]) -> Wanted {
        let content = content();
        Wanted {
            urls: servers.iter().map(|server| server.url.clone()).collect(),
            sha256: Digest::of(&content),
            size: content.len() as u64,
        }
    }

    fn fetch(cache: &Cache, wanted: &[Wanted]) -> Result<Vec<PathBuf>> {
        cache.fetch(wanted, &Silent, &AtomicBool::new(false))
    }

    /// Names in the cache.
    fn names(cache: &Cache) -> Vec<String> {
        let hash = Digest::of(&content());
        let folder = cache.path(&hash).parent().unwrap().to_owned();
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_broken_transfer_goes_on_where_it_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        let server = Server::start(content(), &[Act::HangUp(100_000)]);
        let wanted = wanted(&[&server]);
        let paths = fetch(&cache, std::slice::from_ref(&wanted)).unwrap();
        assert_eq!(fs::read(&paths[0]).unwrap(), content());
        assert_eq!(server.log(), ["", "100000-"]);
        assert_eq!(names(&cache), [wanted.sha256.hex()]);
        // What is here is not asked for again.
        fetch(&cache, &[wanted]).unwrap();
        assert_eq!(server.log().len(), 2);
    }

    #[test]
    fn a_part_of_an_earlier_run_is_used_or_thrown_away() {
        let whole = content();
        let mut long = whole.clone();
        long.push(0);
        let cases: [(&[u8], &[&str]); 4] = [
            (&whole[..1000], &["1000-"]),
            (&whole, &[]),
            (&[0; 1000], &["1000-", ""]),
            (&long, &[""]),
        ];
        for (part, log) in cases {
            let dir = tempfile::tempdir().unwrap();
            let cache = cache(dir.path());
            let server = Server::start(content(), &[]);
            let wanted = wanted(&[&server]);
            let path = cache.path(&wanted.sha256);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path.with_extension("part"), part).unwrap();
            fetch(&cache, &[wanted]).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
            assert_eq!(server.log(), log);
        }
    }

    #[test]
    fn a_server_may_ignore_ranges() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(content(), &[Act::HangUp(5000), Act::IgnoreRange]);
        fetch(&cache(dir.path()), &[wanted(&[&server])]).unwrap();
        assert_eq!(server.log(), ["", "5000-"]);
    }

    #[test]
    fn passing_faults_are_tried_again_lasting_ones_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let busy = Server::start(content(), &[Act::Refuse(503)]);
        fetch(&cache(dir.path()), &[wanted(&[&busy])]).unwrap();
        assert_eq!(busy.log().len(), 2);

        let dir = tempfile::tempdir().unwrap();
        let lost = Server::start(content(), &[Act::Refuse(404)]);
        let liar = Server::start(content(), &[Act::Lie, Act::Lie]);
        let good = Server::start(content(), &[]);
        fetch(&cache(dir.path()), &[wanted(&[&lost, &liar, &good])]).unwrap();
        assert_eq!(good.log().len(), 1);
    }

    #[test]
    fn what_is_not_the_file_never_gets_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        let liar = Server::start(content(), &[Act::Lie, Act::Lie]);
        let error = fetch(&cache, &[wanted(&[&liar])]).unwrap_err();
        assert!(matches!(error, Error::Hash { .. }), "{error}");
        let mut long = content();
        long.push(0);
        let server = Server::start(long, &[]);
        let error = fetch(&cache, &[wanted(&[&server])]).unwrap_err();
        assert!(matches!(error, Error::Size { .. }), "{error}");
        let lost = Server::start(content(), &[Act::Refuse(404)]);
        let error = fetch(&cache, &[wanted(&[&lost])]).unwrap_err();
        assert!(matches!(error, Error::NotFound { status: 404, .. }));
        assert!(cache.find(&Digest::of(&content())).is_none());
    }

    #[test]
    fn several_whits_fetch_a_file_once() {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(content(), &[]);
        let wanted = wanted(&[&server]);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    let cache = cache(dir.path());
                    fetch(&cache, &[wanted.clone(), wanted.clone()]).unwrap();
                });
            }
        });
        assert_eq!(server.log().len(), 1);
        assert_eq!(names(&cache(dir.path())), [wanted.sha256.hex()]);
    }

    #[test]
    fn a_cancellation_is_heard_while_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let cache = cache(dir.path());
        let server = Server::start(content(), &[Act::Refuse(503); 10]);
        let cancel = AtomicBool::new(false);
        let result = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(100));
                cancel.store(true, Ordering::Relaxed);
            });
            cache.fetch(&[wanted(&[&server])], &Silent, &cancel)
        });
        assert!(matches!(result, Err(Error::Cancelled)));
        assert!(server.log().len() <= 2);
    }
}
