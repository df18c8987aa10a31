//! Logins that `docker login` and `podman login` stored
//! (containers-auth.json(5), Docker's `config.json` and credential helpers).

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::RegistryError;
use crate::name::DOCKER_HUB;

/// People edit these files: padding or none, both are read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A way to say who one is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password {
        user: String,
        password: String,
    },
    /// A token with which other tokens are asked for (OAuth 2 refresh token).
    Identity(String),
    /// A token as it is sent.
    Bearer(String),
}

impl Login {
    /// The value of an `Authorization` header, where it can be sent as it is.
    pub fn header(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => Some(format!(
                "Basic {}",
                BASE64.encode(format!("{user}:{password}"))
            )),
            Self::Bearer(token) => Some(format!("Bearer {token}")),
            Self::Identity(_) => None,
        }
    }
}

/// Shows that there is one, never what it is.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// What a file says about a registry.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Here(Login),
    /// A program knows it: `docker-credential-NAME`.
    Asked {
        helper: String,
        server: String,
    },
}

/// The first login that one of `files` has for an image; a file that is not
/// there has none.
pub(super) fn find(
    files: &[PathBuf],
    registry: &str,
    repository: &str,
) -> Result<Option<Login>, RegistryError> {
    for path in files {
        let wrong = |cause: String| RegistryError::File {
            path: path.clone(),
            cause,
        };
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(wrong(error.to_string())),
        };
        let document = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        for entry in entries(&document, registry, repository).map_err(wrong)? {
            let login = match entry {
                Entry::Here(login) => Some(login),
                Entry::Asked { helper, server } => ask(&helper, &server, registry)?,
            };
            if login.is_some() {
                return Ok(login);
            }
        }
    }
    Ok(None)
}

/// What a document has for an image, the best first.
fn entries(document: &Value, registry: &str, repository: &str) -> Result<Vec<Entry>, String> {
    let mut found = Vec::new();
    let keys = keys(registry, repository);
    let asked = |helper: &Value, server: &str| {
        helper
            .as_str()
            .filter(|name| !name.is_empty())
            .map(|name| Entry::Asked {
                helper: name.to_owned(),
                server: server.to_owned(),
            })
    };
    for key in &keys {
        found.extend(asked(&document["credHelpers"][key], key));
    }
    for key in &keys {
        found.extend(here(&document["auths"][key])?.map(Entry::Here));
    }
    // Docker's own store; under which of its names a registry is in there, is
    // known from the list of logins.
    let listed = |key: &&String| document["auths"].get(key.as_str()).is_some();
    let stored = keys.iter().find(listed).map_or_else(
        || match registry {
            DOCKER_HUB => "https://index.docker.io/v1/",
            other => other,
        },
        String::as_str,
    );
    found.extend(asked(&document["credsStore"], stored));
    Ok(found)
}

/// Under which names a file can have a login: the most special first.
fn keys(registry: &str, repository: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut path = format!("{registry}/{repository}");
    while path.contains('/') {
        keys.push(path.clone());
        path.truncate(path.rfind('/').unwrap_or_default());
    }
    let hosts: &[&str] = match registry {
        DOCKER_HUB => &[DOCKER_HUB, "index.docker.io", "registry-1.docker.io"],
        other => &[other],
    };
    for host in hosts {
        keys.push((*host).to_owned());
        for scheme in ["https", "http"] {
            for end in ["", "/", "/v1/", "/v2/"] {
                keys.push(format!("{scheme}://{host}{end}"));
            }
        }
    }
    keys
}

/// The login in an entry of `auths`; Docker leaves an empty entry where a
/// store has it.
fn here(entry: &Value) -> Result<Option<Login>, String> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty());
    if let Some(token) = text("registrytoken") {
        return Ok(Some(Login::Bearer(token.to_owned())));
    }
    if let Some(token) = text("identitytoken") {
        return Ok(Some(Login::Identity(token.to_owned())));
    }
    let Some(auth) = text("auth") else {
        return Ok(text("username")
            .zip(text("password"))
            .map(|(user, password)| Login::Password {
                user: user.to_owned(),
                password: password.to_owned(),
            }));
    };
    let decoded = BASE64
        .decode(auth.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or("an `auth` in it is no base64")?;
    let (user, password) = decoded
        .split_once(':')
        .ok_or("an `auth` in it is no USER:PASSWORD")?;
    Ok(Some(Login::Password {
        user: user.to_owned(),
        password: password.trim_end_matches('\0').to_owned(),
    }))
}

/// Asks a credential helper (docker/docker-credential-helpers, its protocol):
/// the server's name on stdin, JSON on stdout.
fn ask(helper: &str, server: &str, registry: &str) -> Result<Option<Login>, RegistryError> {
    let program = format!("docker-credential-{helper}");
    let wrong = |cause: String| RegistryError::Login {
        host: registry.to_owned(),
        cause: format!("{program}: {cause}"),
    };
    // A path in this place would run anything.
    if helper.contains('/') {
        return Err(wrong("this is no name of a helper".to_owned()));
    }
    let mut child = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading says why on its own streams.
        let _ = stdin.write_all(server.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| wrong(error.to_string()))?;
    if !output.status.success() {
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        // The helpers' word for "not here", which is no failure.
        if said.contains("credentials not found") {
            return Ok(None);
        }
        return Err(wrong(match said.as_str() {
            "" => output.status.to_string(),
            _ => said,
        }));
    }
    let answer: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| wrong(error.to_string()))?;
    let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
    let (user, secret) = (text("Username"), text("Secret"));
    Ok(match (user.as_str(), secret.is_empty()) {
        (_, true) => None,
        ("<token>", false) => Some(Login::Identity(secret)),
        _ => Some(Login::Password {
            user,
            password: secret,
        }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn password(user: &str, password: &str) -> Login {
        Login::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        }
    }

    #[test]
    fn the_most_special_login_wins() {
        let document = json!({"auths": {
            "r.io": {"auth": BASE64.encode("host:1")},
            "r.io/team": {"auth": BASE64.encode("team:2:3")},
            "https://index.docker.io/v1/": {"username": "hub", "password": "4"},
            "t.io": {"identitytoken": "i"},
        }});
        let first = |registry, repository| match entries(&document, registry, repository)
            .unwrap()
            .into_iter()
            .next()
        {
            Some(Entry::Here(login)) => Some(login),
            _ => None,
        };
        assert_eq!(first("r.io", "team/app"), Some(password("team", "2:3")));
        assert_eq!(first("r.io", "other/app"), Some(password("host", "1")));
        assert_eq!(first("docker.io", "library/a"), Some(password("hub", "4")));
        assert_eq!(first("t.io", "a"), Some(Login::Identity("i".into())));
        assert_eq!(first("unknown.io", "a"), None);
    }

    #[test]
    fn helpers_come_before_stores() {
        let document = json!({
            "auths": {"https://r.io/v1/": {}, "x.io": {"auth": "YTpi"}},
            "credHelpers": {"gcr.io": "gcloud"},
            "credsStore": "pass",
        });
        let asked = |helper: &str, server: &str| Entry::Asked {
            helper: helper.to_owned(),
            server: server.to_owned(),
        };
        let all = |registry| entries(&document, registry, "a").unwrap();
        assert_eq!(
            all("gcr.io"),
            [asked("gcloud", "gcr.io"), asked("pass", "gcr.io")]
        );
        assert_eq!(all("r.io"), [asked("pass", "https://r.io/v1/")]);
        assert_eq!(all("x.io")[0], Entry::Here(password("a", "b")));
        assert_eq!(
            all("docker.io"),
            [asked("pass", "https://index.docker.io/v1/")]
        );
    }

    #[test]
    fn damaged_files_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.json");
        let missing = dir.path().join("missing.json");
        for text in [
            "[",
            r#"{"auths":{"r.io":{"auth":"!"}}}"#,
            r#"{"auths":{"r.io":{"auth":"YQ"}}}"#,
        ] {
            fs::write(&file, text).unwrap();
            let error = find(&[missing.clone(), file.clone()], "r.io", "a").unwrap_err();
            assert!(error.to_string().contains("config.json"), "{error}");
        }
        assert_eq!(find(&[missing], "r.io", "a").unwrap(), None);
    }
}
