//! The engine's API over its socket (Docker Engine API; Podman speaks the
//! same).

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;
use ureq::config::Config;
use ureq::http::{Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, Body};

use super::{EngineError, Kind, Spool};

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
    pub fn connect(kind: Kind, socket: &Path) -> Result<Self, EngineError> {
        let refused = |source| EngineError::Refused {
            engine: kind,
            socket: socket.to_path_buf(),
            source,
        };
        // No timeouts: saving a large image takes as long as it takes.
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .max_idle_connections(0)
            .user_agent(concat!("whit/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = Agent::with_parts(config, ToSocket(socket.to_path_buf()), Nowhere);
        let answer = agent
            .get("http://localhost/_ping")
            .call()
            .map_err(|error| refused(error.into_io()))?;
        let version = answer
            .headers()
            .get("api-version")
            .and_then(|value| value.to_str().ok())
            .filter(|text| text.chars().all(|c| c.is_ascii_digit() || c == '.'));
        let base = match version {
            Some(version) => format!("http://localhost/v{version}"),
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

    pub fn load(&self, archive: &Path, name: &str) -> Result<(), EngineError> {
        let file = File::open(archive).map_err(|error| self.said(name, error.to_string()))?;
        let answer = self
            .agent
            .post(format!("{}/images/load?quiet=1", self.base))
            .header("content-type", "application/x-tar")
            .send(&file)
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

/// Connects to one socket, whatever the address says.
#[derive(Debug)]
struct ToSocket(PathBuf);

impl Connector<()> for ToSocket {
    type Out = SocketTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<SocketTransport>, ureq::Error> {
        let config = details.config;
        Ok(Some(SocketTransport {
            stream: UnixStream::connect(&self.0)?,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

/// No name is looked up; ureq wants an address all the same.
#[derive(Debug)]
struct Nowhere;

impl Resolver for Nowhere {
    fn resolve(
        &self,
        _: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(found)
    }
}

#[derive(Debug)]
struct SocketTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for SocketTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let amount = loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => break done?,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// No connection is used twice.
    fn is_open(&mut self) -> bool {
        false
    }
}
