//! A small HTTP/1.1 client over a connection that somebody else made.
//!
//! One request, one answer, then the connection is closed. Everything is
//! bounded: the whole exchange by a deadline, the head by 64 KiB and 100
//! headers, the body by the caller. Redirects are not followed and no encoding
//! is asked for: the answer is what the app said (RFC 9112).

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 100;
/// Most interim (1xx) answers before the real one.
const MAX_INTERIM: usize = 8;
/// How often a wait looks at the deadline and at the cancel flag.
const TICK: Duration = Duration::from_millis(100);

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub host: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub status: u16,
    /// In the order they came; names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The media type without parameters, in lower case; empty if not given.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        let kind = value.split(';').next().unwrap_or_default();
        kind.trim().to_ascii_lowercase()
    }
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("the connection was closed without an answer")]
    Closed,
    #[error("the answer is not HTTP ({0})")]
    NotHttp(String),
    #[error("the answer broke off after {0} bytes of its body")]
    Truncated(usize),
    #[error("the answer is larger than {0} bytes")]
    TooBig(usize),
    #[error("no whole answer in time")]
    TimedOut,
    #[error("interrupted")]
    Cancelled,
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// When to give up.
#[derive(Debug, Clone, Copy)]
pub struct Patience<'a> {
    pub deadline: Instant,
    pub max_body: usize,
    pub cancel: &'a AtomicBool,
}

/// Sends one request and reads its answer.
pub fn exchange(
    stream: TcpStream,
    request: &Request<'_>,
    patience: Patience<'_>,
) -> Result<Response, HttpError> {
    stream.set_read_timeout(Some(TICK))?;
    stream.set_write_timeout(Some(TICK))?;
    let mut wire = Wire {
        stream,
        patience,
        buffer: Vec::new(),
        at: 0,
    };
    // A server may answer and close before it read everything: its answer
    // counts, so a failed write is told only if nothing can be read.
    let sent = wire
        .send(&head(request))
        .and_then(|()| wire.send(request.body));
    if let Err(HttpError::TimedOut | HttpError::Cancelled) = sent {
        return sent.map(|()| Response::default());
    }
    match (wire.response(request.method), sent) {
        (Err(HttpError::Closed), Err(err)) => Err(err),
        (answer, _) => answer,
    }
}

fn head(request: &Request<'_>) -> Vec<u8> {
    let given = |name: &str| {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        request.headers.iter().find(same).is_some()
    };
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    if !given("host") {
        head.push_str(&format!("Host: {}\r\n", request.host));
    }
    if !given("user-agent") {
        head.push_str(concat!(
            "User-Agent: whit/",
            env!("CARGO_PKG_VERSION"),
            "\r\n"
        ));
    }
    if !given("accept") {
        head.push_str("Accept: */*\r\n");
    }
    let has_body = !request.body.is_empty() || matches!(request.method, "POST" | "PUT" | "PATCH");
    if has_body && !given("content-length") {
        head.push_str(&format!("Content-Length: {}\r\n", request.body.len()));
    }
    for (name, value) in request.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Connection: close\r\n\r\n");
    head.into_bytes()
}

/// The connection and what was read from it but not used yet.
struct Wire<'a> {
    stream: TcpStream,
    patience: Patience<'a>,
    buffer: Vec<u8>,
    at: usize,
}

impl Wire<'_> {
    fn send(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.check()?;
            match self.stream.write(rest) {
                Ok(0) => return Err(HttpError::Closed),
                Ok(n) => rest = &rest[n..],
                Err(err) if is_wait(&err) => {}
                Err(err) => return Err(err.into()),
            }
        }
        Ok(())
    }

    /// Reads more; false at the end of the stream.
    fn fill(&mut self) -> Result<bool, HttpError> {
        // What was used is given back, so that memory holds one answer only.
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let mut chunk = [0; 16 << 10];
        loop {
            self.check()?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(n) => {
                    self.buffer.extend_from_slice(&chunk[..n]);
                    return Ok(true);
                }
                Err(err) if is_wait(&err) => {}
                // A reset after the answer's last byte is an end like any.
                Err(err) if err.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
                Err(err) => return Err(err.into()),
            }
        }
    }

    fn check(&self) -> Result<(), HttpError> {
        if self.patience.cancel.load(Ordering::Relaxed) {
            return Err(HttpError::Cancelled);
        }
        if Instant::now() >= self.patience.deadline {
            return Err(HttpError::TimedOut);
        }
        Ok(())
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    fn response(&mut self, method: &str) -> Result<Response, HttpError> {
        for _ in 0..=MAX_INTERIM {
            let mut response = self.response_head()?;
            if (100..200).contains(&response.status) && response.status != 101 {
                continue;
            }
            let empty = method == "HEAD" || matches!(response.status, 101 | 204 | 304);
            if !empty {
                response.body = self.body(&response)?;
            }
            return Ok(response);
        }
        Err(HttpError::NotHttp("endless interim answers".to_owned()))
    }

    fn response_head(&mut self) -> Result<Response, HttpError> {
        loop {
            if let Some(response) = self.parse_head()? {
                return Ok(response);
            }
            if self.unread().len() > MAX_HEAD {
                return Err(HttpError::NotHttp("its head has no end".to_owned()));
            }
            if !self.fill()? {
                return Err(match self.unread() {
                    b"" => HttpError::Closed,
                    _ => HttpError::NotHttp("its head breaks off".to_owned()),
                });
            }
        }
    }

    fn parse_head(&mut self) -> Result<Option<Response>, HttpError> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        let status = parsed
            .parse(&self.buffer[self.at..])
            .map_err(|err| HttpError::NotHttp(err.to_string()))?;
        let httparse::Status::Complete(length) = status else {
            return Ok(None);
        };
        let response = Response {
            status: parsed.code.unwrap_or_default(),
            headers: parsed
                .headers
                .iter()
                .map(|header| {
                    let value = String::from_utf8_lossy(header.value);
                    (header.name.to_ascii_lowercase(), value.trim().to_owned())
                })
                .collect(),
            body: Vec::new(),
        };
        self.at += length;
        Ok(Some(response))
    }

    fn body(&mut self, response: &Response) -> Result<Vec<u8>, HttpError> {
        let chunked = response
            .header("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"));
        if chunked {
            return self.chunks();
        }
        let mut lengths = response
            .headers
            .iter()
            .filter(|(name, _)| name == "content-length")
            .map(|(_, value)| value.as_str());
        let Some(length) = lengths.next() else {
            return self.until_end();
        };
        if lengths.any(|other| other != length) {
            return Err(HttpError::NotHttp("two content lengths".to_owned()));
        }
        let length: u64 = length
            .parse()
            .map_err(|_| HttpError::NotHttp(format!("content length {length:?}")))?;
        let mut body = Vec::new();
        self.take(length, &mut body)?;
        Ok(body)
    }

    /// Moves `length` bytes into `body`.
    fn take(&mut self, length: u64, body: &mut Vec<u8>) -> Result<(), HttpError> {
        let max = self.patience.max_body;
        let mut left = usize::try_from(length)
            .ok()
            .filter(|length| *length <= max.saturating_sub(body.len()))
            .ok_or(HttpError::TooBig(max))?;
        while left > 0 {
            if self.unread().is_empty() && !self.fill()? {
                return Err(HttpError::Truncated(body.len()));
            }
            let n = left.min(self.unread().len());
            body.extend_from_slice(&self.buffer[self.at..self.at + n]);
            self.at += n;
            left -= n;
        }
        Ok(())
    }

    /// RFC 9112, 7.1: chunks, a chunk of size 0, trailers, an empty line.
    fn chunks(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            let line = self.line(&body)?;
            let size = match httparse::parse_chunk_size(&line) {
                Ok(httparse::Status::Complete((_, size))) => size,
                _ => return Err(HttpError::NotHttp("a chunk without a size".to_owned())),
            };
            if size == 0 {
                break;
            }
            self.take(size, &mut body)?;
            if !self.line(&body)?.trim_ascii().is_empty() {
                return Err(HttpError::NotHttp("a chunk without an end".to_owned()));
            }
        }
        for _ in 0..MAX_HEADERS {
            if self.line(&body)?.trim_ascii().is_empty() {
                return Ok(body);
            }
        }
        Err(HttpError::NotHttp("endless trailers".to_owned()))
    }

    /// A line with its end.
    fn line(&mut self, body: &[u8]) -> Result<Vec<u8>, HttpError> {
        loop {
            if let Some(end) = self.unread().iter().position(|b| *b == b'\n') {
                let line = self.unread()[..=end].to_vec();
                self.at += end + 1;
                return Ok(line);
            }
            if self.unread().len() > MAX_HEAD {
                return Err(HttpError::NotHttp("a line without an end".to_owned()));
            }
            if !self.fill()? {
                return Err(HttpError::Truncated(body.len()));
            }
        }
    }

    fn until_end(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            body.extend_from_slice(self.unread());
            self.at = self.buffer.len();
            if body.len() > self.patience.max_body {
                return Err(HttpError::TooBig(self.patience.max_body));
            }
            if !self.fill()? {
                return Ok(body);
            }
        }
    }
}

fn is_wait(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// A server that reads one request and then does what `act` says.
    fn ask(act: impl FnOnce(TcpStream) + Send + 'static) -> Result<Response, HttpError> {
        ask_with("GET", b"", Duration::from_millis(800), 1000, act)
    }

    fn ask_with(
        method: &str,
        body: &[u8],
        patience: Duration,
        max_body: usize,
        act: impl FnOnce(TcpStream) + Send + 'static,
    ) -> Result<Response, HttpError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            while !seen.windows(4).any(|w| w == b"\r\n\r\n") {
                let mut chunk = [0; 1024];
                let n = stream.read(&mut chunk).unwrap();
                if n == 0 {
                    return;
                }
                seen.extend_from_slice(&chunk[..n]);
            }
            act(stream);
        });
        exchange(
            TcpStream::connect(address).unwrap(),
            &Request {
                method,
                target: "/",
                host: "localhost",
                headers: &[],
                body,
            },
            Patience {
                deadline: Instant::now() + patience,
                max_body,
                cancel: &AtomicBool::new(false),
            },
        )
    }

    fn say(text: &'static str) -> Result<Response, HttpError> {
        ask(move |mut stream| {
            let _ = stream.write_all(text.as_bytes());
        })
    }

    #[test]
    fn whole_answers() {
        for (text, body) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more",
                "hello",
            ),
            ("HTTP/1.0 200 OK\r\n\r\nto the end", "to the end"),
            ("HTTP/1.1 204 No Content\r\n\r\n", ""),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", ""),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
                "hello world",
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                "ok",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
                "ok",
            ),
        ] {
            let response = say(text).unwrap_or_else(|err| panic!("{text:?}: {err}"));
            assert_eq!(String::from_utf8(response.body).unwrap(), body, "{text:?}");
        }
    }

    #[test]
    fn head_of_an_answer() {
        let response =
            say("HTTP/1.1 302 Found\r\nLOCATION: /x\r\nContent-Type: Text/HTML; charset=x\r\nContent-Length: 0\r\n\r\n")
                .unwrap();
        assert_eq!(response.status, 302);
        assert_eq!(response.header("location"), Some("/x"));
        assert_eq!(response.media_type(), "text/html");
    }

    #[test]
    fn broken_answers() {
        type Check = fn(&HttpError) -> bool;
        let not_http: Check = |err| matches!(err, HttpError::NotHttp(_));
        let truncated: Check = |err| matches!(err, HttpError::Truncated(_));
        let too_big: Check = |err| matches!(err, HttpError::TooBig(_));
        let closed: Check = |err| matches!(err, HttpError::Closed);
        for (text, check) in [
            ("", closed),
            ("-ERR unknown command\r\n", not_http),
            ("HTTP/1.1 200 OK\r\nContent-Le", not_http),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
                truncated,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", too_big),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                not_http,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", not_http),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                not_http,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
                truncated,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                truncated,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                not_http,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                too_big,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
                not_http,
            ),
        ] {
            let err = say(text).unwrap_err();
            assert!(check(&err), "{text:?}: {err}");
        }
    }

    #[test]
    fn an_endless_body_is_cut() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            let err = ask(move |mut stream| {
                let _ = stream.write_all(head.as_bytes());
                while stream.write_all(b"4\r\nxxxx\r\n").is_ok() {}
            })
            .unwrap_err();
            assert!(matches!(err, HttpError::TooBig(1000)), "{err}");
        }
        let err =
            ask(|mut stream| while stream.write_all(b"HTTP/1.1 200 OK\r\nA: b\r\n").is_ok() {})
                .unwrap_err();
        assert!(matches!(err, HttpError::NotHttp(_)), "{err}");
        let err = ask(|mut stream| while stream.write_all(b"HTTP/1.1 100 Go\r\n\r\n").is_ok() {})
            .unwrap_err();
        assert!(matches!(err, HttpError::NotHttp(_)), "{err}");
    }

    #[test]
    fn slow_and_silent_servers_run_out_of_time() {
        let started = Instant::now();
        let err = ask(|mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        })
        .unwrap_err();
        assert!(matches!(err, HttpError::TimedOut), "{err}");
        let err = ask(|_stream| thread::sleep(Duration::from_secs(5))).unwrap_err();
        assert!(matches!(err, HttpError::TimedOut), "{err}");
        assert!(started.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn an_early_answer_to_a_large_request_counts() {
        let body = vec![b'x'; 8 << 20];
        let answer = ask_with("POST", &body, Duration::from_secs(5), 1000, |mut stream| {
            let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut sink = [0; 4096];
            let _ = stream.read(&mut sink);
            thread::sleep(Duration::from_millis(200));
        });
        // The kernel may throw the answer away together with the connection.
        match answer {
            Ok(response) => assert_eq!(response.status, 413),
            Err(err) => assert!(matches!(err, HttpError::Io(_)), "{err}"),
        }
    }
}
