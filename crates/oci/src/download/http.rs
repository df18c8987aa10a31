//! One request at a time: `http`, `https` and files of this machine.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ureq::config::{Config, ConfigBuilder};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector};

use super::patience::{Patience, wait};
use super::resolver::Remembering;
use super::{Error, Result};
use crate::wire::Dialer;

/// The proxies of the invoking user, as their environment names them
/// (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`).
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    pub http: Option<String>,
    pub https: Option<String>,
    pub all: Option<String>,
    /// Host names apart by commas that are reached without a proxy.
    pub none_for: Option<String>,
}

/// Fetches addresses. TLS trusts what the system trusts.
#[derive(Clone)]
pub struct Client {
    http: ureq::Agent,
    https: ureq::Agent,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// An answer that is being read.
pub struct Answer {
    pub body: Box<dyn Read + Send>,
    /// Where in the file the body starts: what was asked for, or 0 if the
    /// server sends all of it anyway.
    pub start: u64,
}

impl Client {
    /// `cancel` ends every request that waits.
    pub fn new(proxies: &Proxies, cancel: &Arc<AtomicBool>) -> Result<Self> {
        let agent = |scheme| -> Result<ureq::Agent> {
            let config = configured(proxies.of(scheme)?, system_tls());
            Ok(agent(config.build(), cancel))
        };
        Ok(Self {
            http: agent("http")?,
            https: agent("https")?,
        })
    }

    /// Fetches a small file whole; more than `limit` bytes are an error. Where
    /// the network fails, it is tried three times.
    pub fn get(&self, url: &str, limit: u64, cancel: &AtomicBool) -> Result<Vec<u8>> {
        let halted = || cancel.load(Ordering::Relaxed);
        let mut patience = Patience::short();
        loop {
            match self.get_once(url, limit, &halted) {
                Err(error) if error.is_passing() => match patience.pause(error.asked_to_wait()) {
                    Some(pause) => wait(pause, &halted)?,
                    None => return Err(error),
                },
                result => return result,
            }
        }
    }

    fn get_once(&self, url: &str, limit: u64, halted: &dyn Fn() -> bool) -> Result<Vec<u8>> {
        let mut body = self.open(url, 0)?.body;
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 32 << 10];
        loop {
            if halted() {
                return Err(Error::Cancelled);
            }
            match body.read(&mut buffer) {
                Ok(0) => return Ok(bytes),
                Ok(n) => bytes.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(transport(url, &error)),
            }
            if bytes.len() as u64 > limit {
                return Err(Error::TooLarge {
                    url: url.into(),
                    limit,
                });
            }
        }
    }

    /// Starts to read `url` from byte `start` on.
    pub(super) fn open(&self, url: &str, start: u64) -> Result<Answer> {
        match url.split_once(':').map_or("", |(scheme, _)| scheme) {
            "http" => self.request(&self.http, url, start),
            "https" => self.request(&self.https, url, start),
            "file" | "copy" => open_file(url, start),
            _ => Err(Error::Scheme { url: url.into() }),
        }
    }

    fn request(&self, agent: &ureq::Agent, url: &str, start: u64) -> Result<Answer> {
        let mut request = agent.get(url);
        if start > 0 {
            request = request.header("Range", format!("bytes={start}-"));
        }
        let response = request.call().map_err(|source| transport(url, &source))?;
        let status = response.status().as_u16();
        let start = match status {
            200 => 0,
            // A server may answer another range than the one asked for.
            206 if range_start(&response) == Some(start) => start,
            206 => {
                return Err(Error::Transport {
                    url: url.into(),
                    cause: "the server answers a range that was not asked for".into(),
                });
            }
            // Nothing is left after `start`: the part on disk is too long.
            416 if start > 0 => return self.request(agent, url, 0),
            404 | 410 => {
                return Err(Error::NotFound {
                    url: url.into(),
                    status,
                });
            }
            _ => {
                return Err(Error::Status {
                    url: url.into(),
                    status,
                    wait: retry_after(response.headers()),
                });
            }
        };
        let body = response
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        Ok(Answer {
            body: Box::new(body),
            start,
        })
    }
}

/// `Retry-After: 120` (RFC 9110, section 10.2.3). A date says nothing to
/// somebody without a clock, and gets the usual pause.
pub(crate) fn retry_after(headers: &ureq::http::HeaderMap) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// `Content-Range: bytes 100-199/200` (RFC 9110, section 14.4).
pub(crate) fn range_start(response: &ureq::http::Response<ureq::Body>) -> Option<u64> {
    let value = response.headers().get("content-range")?.to_str().ok()?;
    let (start, _) = value.trim().strip_prefix("bytes ")?.split_once('-')?;
    start.trim().parse().ok()
}

fn open_file(url: &str, start: u64) -> Result<Answer> {
    let path = file_path(url).ok_or_else(|| Error::Scheme { url: url.into() })?;
    let mut file = File::open(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound {
            url: url.into(),
            status: 404,
        },
        _ => Error::Io {
            context: format!("cannot read {}", path.display()),
            source,
        },
    })?;
    file.seek(SeekFrom::Start(start))
        .map_err(Error::io(format!("cannot read {}", path.display())))?;
    Ok(Answer {
        body: Box::new(file),
        start,
    })
}

/// The path of a `file:` or `copy:` address: `file:/srv/debian`,
/// `file:///srv/debian` and `copy:/srv/debian` name the same folder.
fn file_path(url: &str) -> Option<PathBuf> {
    let (_, rest) = url.split_once(':')?;
    let path = match rest.strip_prefix("//") {
        Some(rest) => &rest[rest.find('/')?..],
        None => rest,
    };
    if !path.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let escaped = (first == b'%' && tail.len() >= 2)
            .then(|| std::str::from_utf8(&tail[..2]).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = escaped {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(first);
        }
    }
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)))
}

fn transport(url: &str, source: &dyn fmt::Display) -> Error {
    Error::Transport {
        url: url.into(),
        cause: source.to_string(),
    }
}

impl Proxies {
    /// The proxy for addresses of this scheme.
    pub(crate) fn of(&self, scheme: &str) -> Result<Option<ureq::Proxy>> {
        let one = match scheme {
            "https" => &self.https,
            _ => &self.http,
        };
        let proxy = one.as_ref().or(self.all.as_ref());
        proxy
            .filter(|value| !value.is_empty())
            .map(|value| read_proxy(value, self.none_for.as_deref()))
            .transpose()
    }
}

/// TLS that trusts what the system trusts.
fn system_tls() -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build()
}

/// What all of whit's requests have in common.
pub(crate) fn configured(proxy: Option<ureq::Proxy>, tls: TlsConfig) -> ConfigBuilder<AgentScope> {
    ureq::Agent::config_builder()
        .tls_config(tls)
        // Set even when it is `None`: ureq would read the environment itself.
        .proxy(proxy)
        .http_status_as_error(false)
        .user_agent(concat!("whit/", env!("CARGO_PKG_VERSION")))
        .max_idle_connections_per_host(8)
        .timeout_connect(Some(Duration::from_secs(15)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_per_read(Some(Duration::from_secs(30)))
}

/// An agent whose connections end when `cancel` is set.
pub(crate) fn agent(config: Config, cancel: &Arc<AtomicBool>) -> ureq::Agent {
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(Dialer::tcp(cancel))
            .chain(RustlsConnector::default());
    ureq::Agent::with_parts(config, connector, Remembering::new(cancel))
}

fn read_proxy(value: &str, none_for: Option<&str>) -> Result<ureq::Proxy> {
    let bad = || Error::Proxy {
        value: value.into(),
    };
    let parsed = ureq::Proxy::new(value).map_err(|_| bad())?;
    let Some(none_for) = none_for else {
        return Ok(parsed);
    };
    let mut builder = ureq::Proxy::builder(parsed.protocol())
        .host(parsed.host())
        .port(parsed.port());
    if let Some(name) = parsed.username() {
        builder = builder.username(name);
    }
    if let Some(password) = parsed.password() {
        builder = builder.password(password);
    }
    for host in none_for.split(',') {
        builder = builder.no_proxy(host.trim());
    }
    builder.build().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_addresses() {
        for (url, path) in [
            ("file:/srv/debian/x", Some("/srv/debian/x")),
            ("file:///srv/debian/a%2bb", Some("/srv/debian/a+b")),
            ("copy:/srv/100%/x", Some("/srv/100%/x")),
            ("file://host/srv", Some("/srv")),
            ("file:relative", None),
            ("file://host", None),
        ] {
            assert_eq!(file_path(url), path.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn a_proxy_that_is_none_is_refused() {
        let proxies = Proxies {
            http: Some("http://[".into()),
            ..Proxies::default()
        };
        let client = Client::new(&proxies, &Arc::default());
        assert!(matches!(client, Err(Error::Proxy { .. })));
    }
}
