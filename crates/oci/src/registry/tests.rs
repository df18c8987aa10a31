//! Registries as they are on bad days: in this process, on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{fs, thread};

use tempfile::TempDir;

use super::*;
use crate::image::{Image, ImageError, Options};
use crate::{
    Compression, Destination, Digest, Entry, ImageConfig, Kind, LayerWriter, Limits, Meta,
    Reference, Staged, Transports, WrittenLayer, stage,
};

/// What a registry does with one request instead of answering it well.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Says how long the answer is, and hangs up after so many bytes.
    HangUp(usize),
    /// An answer with this status, and with `Retry-After: 0`.
    Refuse(u16),
    /// Half of the answer, as if that were all.
    Half,
    /// Other bytes of the same length.
    Lie,
    /// Hangs up without a word.
    Silence,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<String, Vec<u8>>,
    /// By `REPOSITORY/TAG` and `REPOSITORY/DIGEST`.
    manifests: BTreeMap<String, Vec<u8>>,
    uploads: Vec<Vec<u8>>,
    /// Faults by the beginning of `METHOD PATH`; each happens once.
    faults: Vec<(&'static str, Fault)>,
    log: Vec<String>,
    /// `user:password`, if it wants to know who asks.
    password: Option<&'static str>,
    /// A token server's address, if it wants tokens.
    tokens: bool,
}

/// A registry that forgets everything at the end.
struct Server {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, own) = (Arc::clone(&state), address.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, own) = (Arc::clone(&shared), own.clone());
                thread::spawn(move || answer(stream, &shared, &own));
            }
        });
        Self { address, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something go wrong from now on.
    fn fail(&self, request: &'static str, faults: &[Fault]) {
        let mut state = self.state();
        state.log.clear();
        state.faults = faults.iter().map(|fault| (request, *fault)).collect();
    }

    /// How often something like this was asked for.
    fn asked(&self, request: &str) -> usize {
        let state = self.state();
        state
            .log
            .iter()
            .filter(|line| line.contains(request))
            .count()
    }
}

struct Request {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        method,
        path,
        headers,
        body,
    })
}

fn answer(mut stream: TcpStream, shared: &Mutex<State>, own: &str) {
    let mut first = [0];
    if stream.peek(&mut first).is_ok() && first == [0x16] {
        // A client that speaks TLS, told as servers without TLS tell it.
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        return;
    }
    let Some(request) = read_request(&stream) else {
        return;
    };
    let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let line = format!("{} {}", request.method, request.path);
    let range = request.headers.get("range").cloned().unwrap_or_default();
    state.log.push(format!("{line} {range}").trim().to_owned());
    let fault = state
        .faults
        .iter()
        .position(|(what, _)| line.contains(what))
        .map(|at| state.faults.remove(at).1);
    let (status, mut headers, mut body) = match fault {
        Some(Fault::Refuse(status)) => (status, "Retry-After: 0\r\n".to_owned(), Vec::new()),
        Some(Fault::Silence) => return,
        _ => state.serve(&request, own),
    };
    drop(state);
    let mut length = body.len();
    match fault {
        Some(Fault::HangUp(after)) => body.truncate(after),
        Some(Fault::Half) => {
            body.truncate(length / 2);
            length = body.len();
        }
        Some(Fault::Lie) => body.fill(b'?'),
        _ => {}
    }
    if request.method == "HEAD" {
        body.clear();
    }
    headers.push_str(&format!(
        "Content-Length: {length}\r\nConnection: close\r\n"
    ));
    let _ = stream.write_all(format!("HTTP/1.1 {status} X\r\n{headers}\r\n").as_bytes());
    let _ = stream.write_all(&body);
}

impl State {
    fn serve(&mut self, request: &Request, own: &str) -> (u16, String, Vec<u8>) {
        let none = |status| (status, String::new(), Vec::new());
        if let Some(query) = request.path.strip_prefix("/token?") {
            assert!(query.contains("scope=repository%3A"), "{query}");
            return match self.knows(request) {
                true => (200, String::new(), br#"{"token":"t0"}"#.to_vec()),
                false => none(401),
            };
        }
        let authorization = request.headers.get("authorization");
        if self.tokens && authorization.is_none_or(|value| value != "Bearer t0") {
            let challenge = format!(
                "WWW-Authenticate: Bearer realm=\"http://{own}/token\",service=\"test\"\r\n"
            );
            return (401, challenge, Vec::new());
        }
        if !self.tokens && !self.knows(request) {
            let challenge = "WWW-Authenticate: Basic realm=\"test\"\r\n".to_owned();
            return (401, challenge, Vec::new());
        }
        let path = request.path.trim_start_matches("/v2/").to_owned();
        if let Some((repository, rest)) = path.split_once("/manifests/") {
            let key = format!("{repository}/{rest}");
            if request.method == "PUT" {
                let digest = Digest::of(&request.body);
                let by_digest = format!("{repository}/{digest}");
                self.manifests.insert(by_digest, request.body.clone());
                self.manifests.insert(key, request.body.clone());
                return (
                    201,
                    format!("Docker-Content-Digest: {digest}\r\n"),
                    Vec::new(),
                );
            }
            return match self.manifests.get(&key) {
                Some(bytes) => {
                    let digest = Digest::of(bytes);
                    let header = format!("Docker-Content-Digest: {digest}\r\n");
                    (200, header, bytes.clone())
                }
                None => none(404),
            };
        }
        let Some((repository, rest)) = path.split_once("/blobs/") else {
            return none(404);
        };
        match (request.method.as_str(), rest.strip_prefix("uploads/")) {
            ("GET" | "HEAD", None) => {
                let Some(blob) = self.blobs.get(&format!("{repository} {rest}")) else {
                    return none(404);
                };
                let start = request
                    .headers
                    .get("range")
                    .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'))
                    .and_then(|start| start.parse::<usize>().ok());
                match start {
                    Some(start) => {
                        let (end, all) = (blob.len() - 1, blob.len());
                        let range = format!("Content-Range: bytes {start}-{end}/{all}\r\n");
                        (206, range, blob[start..].to_vec())
                    }
                    None => (200, String::new(), blob.clone()),
                }
            }
            ("POST", Some(query)) => {
                if let Some((digest, from)) = query
                    .strip_prefix("?mount=")
                    .and_then(|rest| rest.split_once("&from="))
                    && let Some(blob) = self.blobs.get(&format!("{from} {digest}")).cloned()
                {
                    self.blobs.insert(format!("{repository} {digest}"), blob);
                    return none(201);
                }
                self.uploads.push(Vec::new());
                let number = self.uploads.len() - 1;
                let location = format!("Location: /v2/{repository}/blobs/uploads/{number}\r\n");
                (202, location, Vec::new())
            }
            (method, Some(rest)) => {
                let (number, query) = rest.split_once('?').unwrap_or((rest, ""));
                let number: usize = number.parse().unwrap();
                let location = format!("Location: /v2/{repository}/blobs/uploads/{number}\r\n");
                let upload = &mut self.uploads[number];
                if let Some(range) = request.headers.get("content-range") {
                    let start: usize = range.split_once('-').unwrap().0.parse().unwrap();
                    if start != upload.len() {
                        return none(416);
                    }
                }
                upload.extend_from_slice(&request.body);
                let have = upload.len();
                let received = format!("{location}Range: 0-{}\r\n", have.saturating_sub(1));
                match method {
                    "PATCH" => (202, received, Vec::new()),
                    "GET" => (204, received, Vec::new()),
                    "DELETE" => none(204),
                    _ => {
                        let digest = query.strip_prefix("digest=").unwrap().replace("%3A", ":");
                        let bytes = std::mem::take(upload);
                        if Digest::of(&bytes).to_string() != digest {
                            return none(400);
                        }
                        self.blobs.insert(format!("{repository} {digest}"), bytes);
                        none(201)
                    }
                }
            }
            _ => none(405),
        }
    }

    fn knows(&self, request: &Request) -> bool {
        use base64::Engine as _;
        let Some(password) = self.password else {
            return true;
        };
        let expected = base64::engine::general_purpose::STANDARD.encode(password);
        request
            .headers
            .get("authorization")
            .is_some_and(|value| *value == format!("Basic {expected}"))
    }
}

/// A user with a cache and perhaps a login.
struct Bench {
    dir: TempDir,
    settings: RegistrySettings,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = RegistrySettings {
            cache: dir.path().join("blobs"),
            logins: vec![dir.path().join("config.json")],
            insecure: true,
            ..RegistrySettings::default()
        };
        Self { dir, settings }
    }

    fn login(&self, server: &Server, text: &str) {
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(text);
        let text = format!(
            r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#,
            server.address
        );
        fs::write(self.dir.path().join("config.json"), text).unwrap();
    }

    fn transports(&self) -> Transports {
        Transports::new(
            self.settings.clone(),
            crate::EngineAddress::Unknown,
            crate::EngineAddress::Unknown,
        )
    }

    /// A layer of `size` bytes that do not compress.
    fn layer(&self, seed: u8, size: usize) -> WrittenLayer {
        let path: PathBuf = self.dir.path().join(format!("layer-{seed}-{size}"));
        let mut writer = LayerWriter::create(&path, Compression::None).unwrap();
        let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8 ^ seed).collect();
        let entry = Entry {
            path: "file".into(),
            kind: Kind::File { size: size as u64 },
            meta: Meta::default(),
        };
        writer.append(&entry, &mut content.as_slice()).unwrap();
        writer.finish().unwrap()
    }

    fn staged(&self, name: &str, layers: &[WrittenLayer]) -> Staged {
        let destination: Destination = format!("docker://{name}").parse().unwrap();
        let config = ImageConfig::new("amd64");
        let scratch = self.dir.path();
        stage(&destination, &config, layers, &BTreeMap::new(), 0, scratch).unwrap()
    }

    /// A registry with an image of two layers, `app:1`.
    fn server(&self) -> Server {
        let server = Server::start();
        let layers = [self.layer(1, 200_000), self.layer(2, 100_000)];
        self.staged(&format!("{}/app:1", server.address), &layers)
            .commit(&self.transports())
            .unwrap();
        server.state().log.clear();
        server
    }

    /// Opens the image and reads all of it.
    fn read(&self, name: &str) -> Result<Image, ImageError> {
        let reference = Reference::parse(&format!("docker://{name}")).unwrap();
        let options = Options {
            platform: None,
            scratch: self.dir.path().to_path_buf(),
            limits: Limits::default(),
            transports: self.transports(),
        };
        let image = Image::open(&reference, &options)?;
        for i in 0..image.layers().len() {
            std::io::copy(&mut image.open_layer(i).unwrap()?, &mut std::io::sink()).unwrap();
        }
        Ok(image)
    }
}

/// The error itself, whatever wraps it.
fn registry_error(error: &ImageError) -> &RegistryError {
    match error {
        ImageError::Registry(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn what_is_sent_comes_back() {
    let bench = Bench::new();
    let server = bench.server();
    let image = bench.read(&format!("{}/app:1", server.address)).unwrap();
    assert_eq!(image.layers().len(), 2);
    let digest = image.manifest_digest().unwrap();
    let again = bench.read(&format!("{}/app@{digest}", server.address));
    assert_eq!(again.unwrap().manifest_digest(), Some(digest));
    // The second time, the blobs are here.
    assert_eq!(server.asked("GET /v2/app/blobs/"), 3);
    assert_eq!(server.asked("GET /v2/app/manifests/"), 2);
}

#[test]
fn a_bad_day_loses_nothing() {
    use Fault::{HangUp, Lie, Refuse, Silence};
    for (request, fault) in [
        ("/manifests/1", Refuse(429)),
        ("/manifests/1", Refuse(503)),
        ("/manifests/1", HangUp(100)),
        ("/manifests/1", Silence),
        ("/blobs/", Refuse(429)),
        ("/blobs/", Refuse(502)),
        ("/blobs/", Silence),
        ("/blobs/", HangUp(50)),
    ] {
        let bench = Bench::new();
        let server = bench.server();
        server.fail(request, &[fault]);
        bench
            .read(&format!("{}/app:1", server.address))
            .unwrap_or_else(|error| panic!("{request} {fault:?}: {error}"));
        assert!(server.state().faults.is_empty());
    }
    // A mirror that lies is not believed, and the registry has it.
    let mut bench = Bench::new();
    let server = bench.server();
    let mirror = bench.server();
    mirror.fail("/blobs/", &[Lie; 6]);
    bench.settings.cache = bench.dir.path().join("other");
    let rule = format!("{}={}", server.address, mirror.address);
    bench.settings.mirrors = vec![rule.parse().unwrap()];
    bench.read(&format!("{}/app:1", server.address)).unwrap();
    assert_eq!(server.asked("/manifests/"), 0);
    assert_eq!(server.asked("/blobs/"), 3);
}

#[test]
fn a_broken_layer_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let server = bench.server();
    let name = format!("{}/app:1", server.address);
    let digest = bench.read(&name).unwrap().layers()[0].digest.unwrap();
    fs::remove_dir_all(&bench.settings.cache).unwrap();
    let blob = format!("/v2/app/blobs/{digest}");
    server.fail(blob.leak(), &[Fault::HangUp(150_000)]);
    bench.read(&name).unwrap();
    assert_eq!(server.asked("bytes=150000-"), 1);
}

#[test]
fn lies_end_in_clear_errors() {
    let error_of = |request, faults: &[Fault]| {
        let bench = Bench::new();
        let server = bench.server();
        server.fail(request, faults);
        let error = bench
            .read(&format!("{}/app:1", server.address))
            .unwrap_err();
        assert!(registry_error(&error).hint().is_some(), "{error}");
        error.to_string()
    };
    let error = error_of("/manifests/1", &[Fault::Lie]);
    assert!(error.contains("sends other bytes than it says"), "{error}");
    let error = error_of("/blobs/", &[Fault::Lie; 3]);
    assert!(
        error.contains("is not the file that was expected"),
        "{error}"
    );
    let error = error_of("/blobs/", &[Fault::Half; 3]);
    assert!(error.contains("were expected"), "{error}");
    assert!(error.contains("blob sha256:"), "{error}");
}

#[test]
fn who_asks_is_told() {
    for tokens in [false, true] {
        let bench = Bench::new();
        let server = bench.server();
        server.state().password = Some("me:secret");
        server.state().tokens = tokens;
        let name = format!("{}/app:1", server.address);
        let error = bench.read(&name).unwrap_err();
        let RegistryError::Denied { anonymous, .. } = registry_error(&error) else {
            panic!("{error}");
        };
        assert!(anonymous);
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(&format!("docker login {}", server.address)),
            "{hint}"
        );

        bench.login(&server, "me:wrong");
        let error = bench.read(&name).unwrap_err();
        assert!(
            error.hint().unwrap().contains("the login that is stored"),
            "{error}"
        );

        bench.login(&server, "me:secret");
        bench.read(&name).unwrap();
        // One question is enough for all blobs.
        let layers = [bench.layer(3, 1000), bench.layer(4, 1000)];
        server.state().log.clear();
        bench
            .staged(&format!("{}/other:1", server.address), &layers)
            .commit(&bench.transports())
            .unwrap();
        assert!(server.asked("/token?") <= 3, "{:?}", server.state().log);
    }
}

#[test]
fn what_is_not_there_is_missing() {
    let bench = Bench::new();
    let server = bench.server();
    let error = bench
        .read(&format!("{}/app:2", server.address))
        .unwrap_err();
    assert!(matches!(
        registry_error(&error),
        RegistryError::Missing { .. }
    ));
    assert_eq!(server.asked("/manifests/2"), 1);
    // Nobody listens there: said after a moment, not after a minute.
    let error = bench.read("127.0.0.1:1/app").unwrap_err();
    assert!(
        error.to_string().contains("cannot reach 127.0.0.1:1"),
        "{error}"
    );
}

#[test]
fn plain_http_is_spoken_only_where_it_is_asked_for() {
    let mut bench = Bench::new();
    let server = bench.server();
    bench.settings.insecure = false;
    let error = bench
        .read(&format!("{}/app:1", server.address))
        .unwrap_err();
    assert!(error.hint().unwrap().contains("--insecure"), "{error}");
    assert_eq!(server.asked("GET"), 0);
}

#[test]
fn an_upload_survives_bad_weather() {
    use Fault::{HangUp, Refuse, Silence};
    for (request, fault) in [
        ("HEAD ", Refuse(503)),
        ("POST ", Refuse(429)),
        ("POST ", Silence),
        ("PUT /v2/app/blobs", Refuse(500)),
        ("PUT /v2/app/blobs", Silence),
        ("PUT /v2/app/manifests", Refuse(503)),
        ("PUT /v2/app/manifests", HangUp(0)),
    ] {
        let bench = Bench::new();
        let server = Server::start();
        server.fail(request, &[fault]);
        let name = format!("{}/app:1", server.address);
        bench
            .staged(&name, &[bench.layer(1, 5000)])
            .commit(&bench.transports())
            .unwrap_or_else(|error| panic!("{request} {fault:?}: {error}"));
        bench.read(&name).unwrap();
    }
}

#[test]
fn large_blobs_go_in_pieces_and_go_on_where_they_stopped() {
    let bench = Bench::new();
    let layers = [bench.layer(1, 2_200_000)];
    for (faults, patches) in [
        (&[][..], 3),
        // The registry is asked how far it got, and the piece is sent again.
        (&[Fault::Silence], 4),
        // One that takes no pieces gets the blob whole.
        (&[Fault::Refuse(405)], 1),
    ] {
        let server = Server::start();
        server.fail("PATCH", faults);
        let name = format!("{}/app:1", server.address);
        bench
            .staged(&name, &layers)
            .commit(&bench.transports())
            .unwrap();
        assert_eq!(server.asked("PATCH"), patches, "{faults:?}");
        assert_eq!(server.state().blobs.len(), 2);
    }
}

#[test]
fn a_blob_is_mounted_and_not_sent_twice() {
    let bench = Bench::new();
    let server = bench.server();
    let layers = [bench.layer(1, 200_000), bench.layer(2, 100_000)];
    let push = |name: &str| {
        server.state().log.clear();
        bench
            .staged(&format!("{}/{name}", server.address), &layers)
            .commit(&bench.transports())
            .unwrap();
    };
    push("app:2");
    assert_eq!(server.asked("POST"), 0);
    push("team/app:1");
    assert_eq!(server.asked("from=app"), 3);
    assert_eq!(server.asked("PUT /v2/team/app/blobs"), 0);
    bench
        .read(&format!("{}/team/app:1", server.address))
        .unwrap();
}

#[test]
fn a_push_that_fails_leaves_no_tag() {
    let bench = Bench::new();
    let server = Server::start();
    server.fail("PUT /v2/app/blobs", &[Fault::Refuse(400); 2]);
    let error = bench
        .staged(
            &format!("{}/app:1", server.address),
            &[bench.layer(1, 5000)],
        )
        .commit(&bench.transports())
        .unwrap_err();
    assert!(
        error.to_string().contains("answers with an error (400"),
        "{error}"
    );
    assert!(server.state().manifests.is_empty());
    // What was begun is called off.
    assert!(server.asked("DELETE") > 0);
    let left: Vec<_> = fs::read_dir(bench.dir.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_interruption_is_heard() {
    let bench = Bench::new();
    let server = bench.server();
    bench
        .settings
        .cancel
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let error = bench
        .read(&format!("{}/app:1", server.address))
        .unwrap_err();
    assert!(matches!(registry_error(&error), RegistryError::Interrupted));
    assert_eq!(server.asked("GET"), 0);
}
