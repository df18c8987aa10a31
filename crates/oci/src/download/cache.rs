//! Files from addresses, several at a time.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::http::{Answer, Client};
use super::shelf::{Expected, Shelf, make_dir};
use super::{Error, Result, Source};
use crate::Digest;

/// A file that is to be in the cache.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Where it may be found; tried in this order.
    pub urls: Vec<String>,
    pub sha256: Digest,
    pub size: u64,
}

/// A [`Shelf`] that is filled from addresses.
#[derive(Debug, Clone)]
pub struct Cache {
    shelf: Shelf,
    client: Client,
    connections: usize,
}

impl Cache {
    /// Uses `dir`, which is made if it is not there.
    pub fn open(dir: impl Into<PathBuf>, client: Client) -> Result<Self> {
        let shelf = Shelf::new(dir);
        make_dir(shelf.dir())?;
        Ok(Self {
            shelf,
            client,
            connections: 4,
        })
    }

    pub fn dir(&self) -> &Path {
        self.shelf.dir()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Where a file of this hash lies, or will lie.
    pub fn path(&self, sha256: &Digest) -> PathBuf {
        self.shelf.path(sha256)
    }

    /// The file of this hash, if it is here.
    pub fn find(&self, sha256: &Digest) -> Option<PathBuf> {
        self.shelf.find(sha256)
    }

    /// Makes sure that every file is here; the paths come in the order asked.
    ///
    /// Tells `advance` of every byte, those that were here already included.
    pub fn fetch(
        &self,
        wanted: &[Wanted],
        advance: &(dyn Fn(u64) + Sync),
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
                        if let Err(error) = self.fetch_one(next, advance, &halted) {
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
        advance: &dyn Fn(u64),
        halted: &dyn Fn() -> bool,
    ) -> Result<()> {
        let addresses: Vec<Address<'_>> = wanted
            .urls
            .iter()
            .map(|url| Address {
                url,
                client: &self.client,
            })
            .collect();
        let sources: Vec<&dyn Source> = addresses
            .iter()
            .map(|address| address as &dyn Source)
            .collect();
        let expected = Expected {
            sha256: wanted.sha256,
            size: wanted.size,
        };
        self.shelf
            .fetch(&expected, &sources, advance, halted)
            .map(drop)
    }
}

/// An address as a source.
struct Address<'a> {
    url: &'a str,
    client: &'a Client,
}

impl Source for Address<'_> {
    fn name(&self) -> String {
        self.url.to_owned()
    }

    fn open(&self, start: u64) -> Result<Answer> {
        self.client.open(self.url, start)
    }
}

/// A poisoned lock still guards whole values here: nothing panics inside.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::http::Proxies;
    use super::*;

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
        Cache::open(
            dir,
            Client::new(&Proxies::default(), &Arc::default()).unwrap(),
        )
        .unwrap()
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
        cache.fetch(wanted, &|_| (), &AtomicBool::new(false))
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
            cache.fetch(&[wanted(&[&server])], &|_| (), &cancel)
        });
        assert!(matches!(result, Err(Error::Cancelled)));
        assert!(server.log().len() <= 2);
    }
}
