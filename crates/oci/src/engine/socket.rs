//! The engine's API over its socket (Docker Engine API; Podman speaks the
//! same).

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use ureq::http::Response;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, Body, SendBody};

use super::{EngineError, Kind, Spool};
use crate::meter::{Mark, Meter};
use crate::wire::Dialer;

/// What is read of an answer that is only words.
const WORDS: u64 = 1 << 20;

/// An engine that answered.
pub(super) struct Api {
    kind: Kind,
    agent: Agent,
    /// `http://localhost/v1.41`: the version that the engine itself names.
    base: String,
}

impl Api {
    /// The engine that listens at a socket.
    pub fn at_socket(
        kind: Kind,
        socket: &Path,
        cancel: &Arc<AtomicBool>,
    ) -> Result<Self, EngineError> {
        let dialer = Dialer::unix(socket.to_path_buf(), cancel);
        Self::connect(kind, &socket.display().to_string(), "localhost", dialer)
    }

    /// The engine that listens at a port of this machine.
    pub fn at_port(kind: Kind, port: &str, cancel: &Arc<AtomicBool>) -> Result<Self, EngineError> {
        Self::connect(kind, port, port, Dialer::tcp(cancel))
    }

    fn connect(
        kind: Kind,
        place: &str,
        authority: &str,
        dialer: Dialer,
    ) -> Result<Self, EngineError> {
        let refused = |source| EngineError::Refused {
            engine: kind,
            place: place.to_owned(),
            source,
        };
        // No timeouts: saving a large image takes as long as it takes.
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent(concat!("whit/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = Agent::with_parts(config, dialer, DefaultResolver::default());
        let answer = agent
            .get(format!("http://{authority}/_ping"))
            .call()
            .map_err(|error| refused(error.into_io()))?;
        let version = answer
            .headers()
            .get("api-version")
            .and_then(|value| value.to_str().ok())
            .filter(|text| text.chars().all(|c| c.is_ascii_digit() || c == '.'));
        let base = match version {
            Some(version) => format!("http://{authority}/v{version}"),
            None => {
                return Err(refused(io::Error::other(
                    "it does not answer as an engine does",
                )));
            }
        };
        Ok(Self { kind, agent, base })
    }

    pub fn has(&self, name: &str) -> Result<bool, EngineError> {
        let answer = self.get(name, &format!("/images/{name}/json"))?;
        match answer.status().as_u16() {
            200 => Ok(true),
            404 => Ok(false),
            _ => Err(self.words(name, answer)),
        }
    }

    pub fn save(&self, name: &str, spool: &mut Spool<'_>) -> Result<(), EngineError> {
        // Podman begins with 200 before it looks, Docker sends 404 or 500.
        if !self.has(name)? {
            return Err(EngineError::Missing {
                engine: self.kind,
                name: name.to_owned(),
            });
        }
        let answer = self.get(name, &format!("/images/{name}/get"))?;
        if answer.status() != 200 {
            return Err(self.words(name, answer));
        }
        let mut body = answer
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        spool.take(&mut body)
    }

    pub fn load(&self, archive: &Path, name: &str, meter: &Meter) -> Result<(), EngineError> {
        let lost = |error: io::Error| self.said(name, error.to_string());
        let file = File::open(archive).map_err(lost)?;
        let size = file.metadata().map_err(lost)?.len();
        let archive = Mark::new(meter).read(file, 0);
        let answer = self
            .agent
            .post(format!("{}/images/load?quiet=1", self.base))
            .header("content-type", "application/x-tar")
            .header("content-length", size)
            .send(SendBody::from_owned_reader(archive))
            .map_err(|error| self.said(name, error.to_string()))?;
        if answer.status() != 200 {
            return Err(self.words(name, answer));
        }
        let text = answer
            .into_body()
            .into_with_config()
            .limit(WORDS)
            .read_to_string()
            .map_err(|error| self.said(name, error.to_string()))?;
        // Lines of JSON, sent under a status that was decided before.
        let lines = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        match lines.flatten().find_map(|line| failure(&line)) {
            Some(failure) => Err(self.said(name, failure)),
            None => Ok(()),
        }
    }

    fn get(&self, name: &str, path: &str) -> Result<Response<Body>, EngineError> {
        self.agent
            .get(format!("{}{path}", self.base))
            .call()
            .map_err(|error| self.said(name, error.to_string()))
    }

    /// An answer that is none, as an error.
    fn words(&self, name: &str, answer: Response<Body>) -> EngineError {
        let status = answer.status();
        let text = answer
            .into_body()
            .into_with_config()
            .limit(WORDS)
            .read_to_string()
            .unwrap_or_default();
        let document: Value = serde_json::from_str(&text).unwrap_or_default();
        let words = document["message"].as_str().unwrap_or(text.trim());
        self.said(
            name,
            match words {
                "" => status.to_string(),
                words => words.to_owned(),
            },
        )
    }

    fn said(&self, what: &str, said: String) -> EngineError {
        EngineError::Said {
            engine: self.kind,
            what: what.to_owned(),
            said,
        }
    }
}

fn failure(line: &Value) -> Option<String> {
    let words = line["errorDetail"]["message"]
        .as_str()
        .or_else(|| line["error"].as_str())?;
    Some(words.to_owned())
}
