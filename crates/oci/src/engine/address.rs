//! Where an engine listens, as its user has told Docker or Podman.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::Digest;
use crate::registry::is_loopback;

/// Where an engine listens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EngineAddress {
    /// The first of these sockets that is there, or else the program.
    Sockets(Vec<PathBuf>),
    /// The socket that the user names, and nothing else.
    Named(PathBuf),
    /// A port of this machine: `127.0.0.1:2375`.
    Port(String),
    /// On another machine, or by a protocol that whit does not speak.
    Elsewhere(String),
    /// In a Docker context that cannot be read.
    Broken { context: String, cause: String },
    #[default]
    Unknown,
}

impl EngineAddress {
    /// Reads `DOCKER_HOST`, `CONTAINER_HOST` or a context's host.
    pub fn given(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("unix://") {
            return Self::Named(PathBuf::from(path));
        }
        let port = text
            .strip_prefix("tcp://")
            .or_else(|| text.strip_prefix("http://"))
            .map(|rest| rest.trim_end_matches('/'));
        match port {
            // Everybody on the way could read and change what goes by.
            Some(port) if is_loopback(port) => Self::Port(port.to_owned()),
            _ => Self::Elsewhere(text.to_owned()),
        }
    }

    /// The address in the Docker context `name`, or in the one that was chosen
    /// with `docker context use`; `None` if that is none but the default.
    /// `folder` is Docker's own: `~/.docker` (docker.com, "Docker contexts").
    pub fn of_docker_context(folder: &Path, name: Option<&str>) -> Option<Self> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => chosen_context(folder)?,
        };
        if name == "default" {
            return None;
        }
        Some(match context(folder, &name) {
            Ok(address) => address,
            Err(cause) => Self::Broken {
                context: name,
                cause,
            },
        })
    }
}

fn chosen_context(folder: &Path) -> Option<String> {
    // One that is damaged is told when its logins are looked for.
    let text = fs::read(folder.join("config.json")).ok()?;
    let document: Value = serde_json::from_slice(&text).ok()?;
    let name = document["currentContext"].as_str()?;
    (!name.is_empty()).then(|| name.to_owned())
}

fn context(folder: &Path, name: &str) -> Result<EngineAddress, String> {
    let id = Digest::of(name.as_bytes()).hex();
    let path = folder.join("contexts/meta").join(&id).join("meta.json");
    let text = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is none of this name".to_owned(),
        _ => format!("{}: {error}", path.display()),
    })?;
    let document: Value =
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let host = document["Endpoints"]["docker"]["Host"]
        .as_str()
        .filter(|host| !host.is_empty())
        .ok_or_else(|| format!("{}: it names no host", path.display()))?;
    let tls = folder.join("contexts/tls").join(id);
    Ok(match EngineAddress::given(host) {
        EngineAddress::Port(_) if tls.is_dir() => {
            EngineAddress::Elsewhere(format!("{host} with TLS"))
        }
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses() {
        let named = |path: &str| EngineAddress::Named(PathBuf::from(path));
        let port = |text: &str| EngineAddress::Port(text.to_owned());
        for (text, address) in [
            ("unix:///run/docker.sock", named("/run/docker.sock")),
            ("tcp://127.0.0.1:2375", port("127.0.0.1:2375")),
            ("tcp://localhost:2375/", port("localhost:2375")),
            ("http://[::1]:2375", port("[::1]:2375")),
        ] {
            assert_eq!(EngineAddress::given(text), address, "{text}");
        }
        for text in [
            "ssh://me@host",
            "tcp://10.0.0.1:2375",
            "tcp://127.0.0.1.example:2375",
            "https://127.0.0.1:2376",
            "npipe:////./pipe/docker_engine",
            "",
        ] {
            assert_eq!(
                EngineAddress::given(text),
                EngineAddress::Elsewhere(text.to_owned())
            );
        }
    }

    #[test]
    fn contexts() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: Option<&str>| EngineAddress::of_docker_context(folder.path(), name);
        let choose = |name: &str| {
            let config = json!({"currentContext": name}).to_string();
            fs::write(folder.path().join("config.json"), config).unwrap();
        };
        let make = |name: &str, document: Value| {
            let id = Digest::of(name.as_bytes()).hex();
            let place = folder.path().join("contexts/meta").join(id);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("meta.json"), document.to_string()).unwrap();
        };
        assert_eq!(of(None), None);
        choose("rootless");
        make(
            "rootless",
            json!({"Name": "rootless", "Endpoints": {"docker": {"Host": "unix:///run/user/1/docker.sock"}}}),
        );
        make("empty", json!({"Name": "empty"}));
        make(
            "far",
            json!({"Endpoints": {"docker": {"Host": "ssh://me@host"}}}),
        );
        let rootless = Some(EngineAddress::Named("/run/user/1/docker.sock".into()));
        assert_eq!(of(None), rootless);
        assert_eq!(of(Some("rootless")), rootless);
        assert_eq!(of(Some("default")), None);
        assert_eq!(
            of(Some("far")),
            Some(EngineAddress::Elsewhere("ssh://me@host".to_owned()))
        );
        for (name, words) in [("gone", "none of this name"), ("empty", "names no host")] {
            let Some(EngineAddress::Broken { context, cause }) = of(Some(name)) else {
                panic!("{name}");
            };
            assert!(
                context == name && cause.contains(words),
                "{context}: {cause}"
            );
        }
    }
}
