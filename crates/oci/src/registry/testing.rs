//! A registry in this process, on loopback, with bad days.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Digest;

/// What a registry does with one request instead of answering it well.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
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
    /// Sends so many bytes of the answer, and then nothing: it neither goes on
    /// nor hangs up.
    Stall(usize),
}

#[derive(Default)]
pub struct State {
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// By `REPOSITORY/TAG` and `REPOSITORY/DIGEST`.
    pub manifests: BTreeMap<String, Vec<u8>>,
    uploads: Vec<Vec<u8>>,
    /// Faults by the beginning of `METHOD PATH`; each happens once.
    pub faults: Vec<(&'static str, Fault)>,
    pub log: Vec<String>,
    /// `user:password`, if it wants to know who asks.
    pub password: Option<&'static str>,
    /// A token server's address, if it wants tokens.
    pub tokens: bool,
}

/// A registry that forgets everything at the end.
pub struct Server {
    pub address: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn start() -> Self {
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

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something go wrong from now on.
    pub fn fail(&self, request: &'static str, faults: &[Fault]) {
        let mut state = self.state();
        state.log.clear();
        state.faults = faults.iter().map(|fault| (request, *fault)).collect();
    }

    /// How often something like this was asked for.
    pub fn asked(&self, request: &str) -> usize {
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
    if matches!(fault, Some(Fault::Stall(0))) {
        wait_for_the_end(stream);
        return;
    }
    match fault {
        Some(Fault::HangUp(after) | Fault::Stall(after)) => body.truncate(after),
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
    if matches!(fault, Some(Fault::Stall(_))) {
        wait_for_the_end(stream);
    }
}

/// Until the other side is gone.
fn wait_for_the_end(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
}

impl State {
    fn serve(&mut self, request: &Request, own: &str) -> (u16, String, Vec<u8>) {
        let none = |status| (status, String::new(), Vec::new());
        if request.path == "/token" {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            return match form.contains("refresh_token=r0") && form.contains("scope=repository%3A") {
                true => (200, String::new(), br#"{"access_token":"t0"}"#.to_vec()),
                false => none(401),
            };
        }
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
