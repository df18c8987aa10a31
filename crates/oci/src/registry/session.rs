//! Talking to one registry: requests that say who asks, and that are asked
//! again where that helps (OCI distribution spec).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, Method, Request, Response};
use ureq::{AsSendBody, Body, SendBody};
use url::Url;

use super::challenge::Challenge;
use super::credentials::{self, Login};
use super::error::Unreachable;
use super::host::Host;
use super::{RegistryError, RegistrySettings, token, trust};
use crate::download::{Patience, agent, configured, retry_after, wait};
use crate::meter::Mark;
use crate::store::Extent;

/// What is read of an answer that only explains an error.
const EXPLANATION: u64 = 64 << 10;

/// How long an answer to an upload may take: at its end, a registry hashes
/// what it got and puts it where it belongs.
const DIGESTION: Duration = Duration::from_secs(180);

/// Tries while the registry cannot be reached at all: a wrong name is not to
/// be waited for.
const KNOCKS: u32 = 3;

/// A registry, and what it wants to hear from this user.
pub(super) struct Session {
    pub host: Host,
    pub agent: ureq::Agent,
    logins: Vec<PathBuf>,
    /// `Authorization` headers by the scopes that they are good for.
    known: Mutex<BTreeMap<String, String>>,
    cancel: Arc<AtomicBool>,
}

/// One request.
pub(super) struct Ask<'a> {
    /// What errors call its object.
    pub what: &'a str,
    pub method: Method,
    /// A path below the registry, or an address that the registry gave.
    pub place: String,
    pub repository: &'a str,
    /// `repository:NAME:pull,push`
    pub scopes: &'a [String],
    pub headers: Vec<(&'static str, String)>,
    pub content: Option<Content>,
}

/// What a request carries.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// A part of a file, from this position of it on.
    Part {
        part: Extent,
        position: u64,
        mark: Arc<Mark>,
    },
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.host).finish()
    }
}

impl Session {
    pub fn new(registry: &str, settings: &RegistrySettings) -> Result<Self, RegistryError> {
        let host = Host::new(registry, settings.insecure);
        let scheme = if host.is_plain() { "http" } else { "https" };
        let proxy = match host.loopback {
            true => None,
            false => settings.proxies.of(scheme)?,
        };
        let tls = trust::tls(registry, &settings.certificates)?;
        let config = configured(proxy, tls)
            // A registry that has TLS is not left for one that has none.
            .https_only(!host.is_plain())
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_per_write(Some(Duration::from_secs(60)))
            .build();
        Ok(Self {
            host,
            agent: agent(config, &settings.cancel),
            logins: settings.logins.clone(),
            known: Mutex::default(),
            cancel: Arc::clone(&settings.cancel),
        })
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Sleeps before another try, or hands back the error if there is to be
    /// none.
    pub fn pause(
        &self,
        patience: &mut Patience,
        error: RegistryError,
    ) -> Result<(), RegistryError> {
        if !error.is_passing() {
            return Err(error);
        }
        let Some(pause) = patience.pause(error.asked_to_wait()) else {
            return Err(error);
        };
        Ok(wait(pause, &|| self.is_cancelled())?)
    }

    /// Does `attempt` again while it fails for reasons that pass.
    pub fn patiently<T>(
        &self,
        mut attempt: impl FnMut() -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let mut patience = Patience::new();
        let mut knocks = 0;
        loop {
            if self.is_cancelled() {
                return Err(RegistryError::Interrupted);
            }
            let error = match attempt() {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if matches!(error, RegistryError::Unreachable { .. }) {
                knocks += 1;
                if knocks == KNOCKS {
                    return Err(error);
                }
            }
            self.pause(&mut patience, error)?;
        }
    }

    /// Asks, and takes only an answer with one of these statuses.
    pub fn expect(&self, ask: &Ask<'_>, fine: &[u16]) -> Result<Response<Body>, RegistryError> {
        let answer = self.ask(ask)?;
        if fine.contains(&answer.status().as_u16()) {
            return Ok(answer);
        }
        Err(self.refusal(ask, answer))
    }

    /// Asks once; if the registry wants to know who asks, it is told.
    fn ask(&self, ask: &Ask<'_>) -> Result<Response<Body>, RegistryError> {
        let scopes = ask.scopes.join(" ");
        let known = self.lock().get(&scopes).cloned();
        let answer = self.send(ask, known.as_deref())?;
        if answer.status() != 401 {
            return Ok(answer);
        }
        let challenges: Vec<Challenge> = answer
            .headers()
            .get_all("www-authenticate")
            .iter()
            .filter_map(|header| header.to_str().ok())
            .flat_map(Challenge::parse_all)
            .collect();
        let Some(authorization) = self.authorization(ask, &challenges)? else {
            return Ok(answer);
        };
        self.lock().insert(scopes, authorization.clone());
        self.send(ask, Some(&authorization))
    }

    /// What to say to one of these challenges, if there is anything to say.
    fn authorization(
        &self,
        ask: &Ask<'_>,
        challenges: &[Challenge],
    ) -> Result<Option<String>, RegistryError> {
        let of = |scheme| challenges.iter().find(|one| one.scheme == scheme);
        let login = self.login(ask.repository)?;
        if let Some(Login::Bearer(_)) = &login {
            return Ok(login.and_then(|login| login.header()));
        }
        if let Some(challenge) = of("bearer") {
            let token = token::fetch(self, ask, challenge, login.as_ref())?;
            return Ok(Some(format!("Bearer {token}")));
        }
        match of("basic") {
            Some(_) => Ok(login.and_then(|login| login.header())),
            None => Ok(None),
        }
    }

    fn login(&self, repository: &str) -> Result<Option<Login>, RegistryError> {
        credentials::find(&self.logins, &self.host.name, repository)
    }

    /// The address of a request, which may be one that the registry gave
    /// (`Location`), whole or in part.
    pub fn address(&self, ask: &Ask<'_>) -> Result<Url, RegistryError> {
        let malformed = |why: String| RegistryError::Malformed {
            what: ask.what.to_owned(),
            host: self.host.name.clone(),
            why,
        };
        let base = Url::parse(&self.host.base).map_err(|error| malformed(error.to_string()))?;
        let mut address = base
            .join(&ask.place)
            .map_err(|error| malformed(format!("the address {:?}: {error}", ask.place)))?;
        // Behind a proxy that ends TLS, a registry may not know that it has it.
        if address.scheme() == "http" && base.scheme() == "https" {
            if address.host_str() != base.host_str() {
                return Err(malformed(format!("{address} has no TLS")));
            }
            let _ = address.set_scheme("https");
            let _ = address.set_port(base.port());
        }
        Ok(address)
    }

    fn send(
        &self,
        ask: &Ask<'_>,
        authorization: Option<&str>,
    ) -> Result<Response<Body>, RegistryError> {
        if self.is_cancelled() {
            return Err(RegistryError::Interrupted);
        }
        let address = self.address(ask)?;
        let mut request = Request::builder()
            .method(ask.method.clone())
            .uri(address.as_str());
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        // Where an upload goes elsewhere, its address is all that it needs.
        let own = address
            .as_str()
            .starts_with(&format!("{}/", self.host.base));
        if let Some(authorization) = authorization.filter(|_| own) {
            request = request.header("authorization", authorization);
        }
        let answer = match &ask.content {
            None => request
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|request| self.agent.run(request)),
            Some(Content::Bytes(bytes)) => self.upload(request.body(bytes.as_slice())),
            Some(Content::Part {
                part,
                position,
                mark,
            }) => {
                let content = mark.read(part.reader(), *position);
                self.upload(
                    request
                        .header("content-length", part.size)
                        .body(SendBody::from_owned_reader(content)),
                )
            }
        };
        answer.map_err(|error| self.unreachable(ask.what, &error))
    }

    fn upload(
        &self,
        request: Result<Request<impl AsSendBody>, ureq::http::Error>,
    ) -> Result<Response<Body>, ureq::Error> {
        let patient = self
            .agent
            .configure_request(request?)
            .timeout_recv_response(Some(DIGESTION))
            .timeout_per_read(Some(DIGESTION));
        self.agent.run(patient.build())
    }

    /// A whole answer of at most `limit` bytes.
    pub fn body(
        &self,
        what: &str,
        answer: Response<Body>,
        limit: u64,
    ) -> Result<(HeaderMap, Vec<u8>), RegistryError> {
        let (parts, body) = answer.into_parts();
        let bytes =
            body.into_with_config()
                .limit(limit)
                .read_to_vec()
                .map_err(|error| match error {
                    ureq::Error::BodyExceedsLimit(_) => RegistryError::Malformed {
                        what: what.to_owned(),
                        host: self.host.name.clone(),
                        why: format!("more than {limit} bytes"),
                    },
                    error => self.unreachable(what, &error),
                })?;
        Ok((parts.headers, bytes))
    }

    /// An answer that is none, as an error.
    pub fn refusal(&self, ask: &Ask<'_>, answer: Response<Body>) -> RegistryError {
        let status = answer.status().as_u16();
        let wait = retry_after(answer.headers());
        let what = ask.what.to_owned();
        let host = self.host.name.clone();
        let said = self
            .body(ask.what, answer, EXPLANATION)
            .map(|(_, bytes)| explanation(&bytes))
            .unwrap_or_default();
        match status {
            404 => RegistryError::Missing { what, host },
            401 | 403 => RegistryError::Denied {
                what,
                host,
                status,
                said,
                anonymous: !matches!(self.login(ask.repository), Ok(Some(_))),
            },
            // A server that speaks TLS says so in plain words.
            400 if self.host.is_plain() && said.contains("HTTPS server") => {
                RegistryError::Unreachable {
                    what,
                    host,
                    cause: said,
                    why: Unreachable::Tls,
                }
            }
            _ => RegistryError::Status {
                what,
                host,
                status,
                said,
                wait,
            },
        }
    }

    pub fn unreachable(&self, what: &str, error: &ureq::Error) -> RegistryError {
        let cause = error.to_string();
        // rustls says what was wrong only in words once it is an I/O error.
        let says = |words: &[&str]| words.iter().any(|word| cause.contains(word));
        let why = if says(&["UnknownIssuer", "CaUsedAsEndEntity", "unknown issuer"]) {
            Unreachable::UnknownAuthority
        } else if says(&["CertificateRequired", "BadCertificate", "UnknownCA"]) {
            Unreachable::OwnCertificate
        } else if !self.host.is_plain() && says(&["InvalidContentType", "corrupt message"]) {
            Unreachable::NoTls {
                loopback: self.host.loopback,
            }
        } else {
            Unreachable::Network
        };
        RegistryError::Unreachable {
            what: what.to_owned(),
            host: self.host.name.clone(),
            cause,
            why,
        }
    }

    /// A poisoned lock still guards whole values: nothing panics inside.
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words in an error document (OCI distribution spec, "Error codes"), or
/// the beginning of what else it is.
fn explanation(bytes: &[u8]) -> String {
    let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let first = &document["errors"][0];
    let words = [&first["message"], &document["details"], &first["code"]]
        .iter()
        .find_map(|value| value.as_str().filter(|text| !text.is_empty()))
        .map_or_else(
            || String::from_utf8_lossy(bytes).into_owned(),
            str::to_owned,
        );
    let line = words.lines().next().unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_one_line() {
        for (bytes, words) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no access"}]}"#,
                "no access",
            ),
            (r#"{"errors":[{"code":"DENIED","message":""}]}"#, "DENIED"),
            (r#"{"details":"incorrect password"}"#, "incorrect password"),
            ("bad gateway\nmore", "bad gateway"),
            ("\x1b[2Jx", "[2Jx"),
            ("", ""),
        ] {
            assert_eq!(explanation(bytes.as_bytes()), words);
        }
    }
}
