//! Why a registry did not do what it was asked.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Digest, download};

/// Why an image cannot be fetched from a registry or sent to it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("{what}: {host} has no such image")]
    Missing { what: String, host: String },
    #[error("{what}: {host} refuses it ({status}{})", told(said))]
    Denied {
        what: String,
        host: String,
        status: u16,
        said: String,
        /// True if nothing is known with which to log in.
        anonymous: bool,
    },
    #[error("{what}: {host} answers with an error ({status}{})", told(said))]
    Status {
        what: String,
        host: String,
        status: u16,
        said: String,
        wait: Option<Duration>,
    },
    #[error("{what}: cannot reach {host}: {cause}")]
    Unreachable {
        what: String,
        host: String,
        cause: String,
        why: Unreachable,
    },
    #[error("{what}: {host} sends what it should not: {why}")]
    Malformed {
        what: String,
        host: String,
        why: String,
    },
    #[error("{what}: {host} sends other bytes than it says: {found} instead of {expected}")]
    Digest {
        what: String,
        host: String,
        expected: Digest,
        found: Digest,
    },
    #[error(transparent)]
    Blob(download::Error),
    #[error("the login for {host}: {cause}")]
    Login { host: String, cause: String },
    #[error("cannot read {}: {cause}", path.display())]
    File { path: PathBuf, cause: String },
    #[error("{0:?} is no mirror")]
    Mirror(String),
    #[error("interrupted")]
    Interrupted,
}

/// What kind of distance there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// The network or the server.
    Network,
    /// Its certificate is signed by nobody that this machine trusts.
    UnknownAuthority,
    /// It wants to see a certificate of this user, or another one.
    OwnCertificate,
    /// It answers without TLS.
    NoTls { loopback: bool },
    /// It answers with TLS where whit speaks plain HTTP.
    Tls,
}

fn told(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

impl RegistryError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => {
                "check the name and the tag; `skopeo list-tags docker://NAME` lists the tags"
                    .to_owned()
            }
            Self::Denied {
                host, anonymous, ..
            } => match anonymous {
                true => format!(
                    "log in with `docker login {host}` or `podman login {host}`; \
                     registries refuse names that do not exist in the same way"
                ),
                false => format!(
                    "the login that is stored has no right to it: `docker login {host}` \
                     stores another one"
                ),
            },
            Self::Status {
                host, status: 429, ..
            } => format!("wait a while, or log in for a higher limit: docker login {host}"),
            Self::Status { .. } => "try again later".to_owned(),
            Self::Unreachable { host, why, .. } => match why {
                Unreachable::Network => {
                    "check the name, the network and the proxy settings (HTTPS_PROXY)".to_owned()
                }
                Unreachable::UnknownAuthority => format!(
                    "put its authority's certificate into /etc/containers/certs.d/{host}/ca.crt \
                     or ~/.config/containers/certs.d/{host}/ca.crt, or name it in SSL_CERT_FILE"
                ),
                Unreachable::OwnCertificate => format!(
                    "it asks for a certificate: put one and its key into \
                     ~/.config/containers/certs.d/{host}/client.cert and client.key"
                ),
                Unreachable::NoTls { loopback: true } => {
                    "it seems to speak plain HTTP: add --insecure".to_owned()
                }
                Unreachable::NoTls { loopback: false } => {
                    "it seems to speak plain HTTP, which whit does only on this machine: \
                     give it a certificate"
                        .to_owned()
                }
                Unreachable::Tls => "it speaks TLS: leave --insecure out".to_owned(),
            },
            Self::Malformed { .. } | Self::Digest { .. } => {
                "this is no working registry, or a proxy on the way changes its answers".to_owned()
            }
            Self::Blob(error) => {
                return match error {
                    download::Error::Source { error, .. } => {
                        error.downcast_ref::<Self>().and_then(Self::hint)
                    }
                    error => error.hint(),
                };
            }
            Self::Login { host, .. } => format!("log in again: docker login {host}"),
            Self::Mirror(_) => "write it as [REGISTRY=]HOST[:PORT][/FOLDER], for example \
                 docker.io=mirror.example/hub"
                .to_owned(),
            Self::File { .. } | Self::Interrupted => return None,
        })
    }

    /// True if another try may succeed: the network's weather, not a fact.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Unreachable { why, .. } => *why == Unreachable::Network,
            _ => false,
        }
    }

    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } => *wait,
            _ => None,
        }
    }
}

impl From<download::Error> for RegistryError {
    fn from(error: download::Error) -> Self {
        match error {
            download::Error::Cancelled => Self::Interrupted,
            download::Error::Source {
                error,
                passing,
                wait,
            } => match error.downcast::<Self>() {
                Ok(own) => *own,
                Err(error) => Self::Blob(download::Error::Source {
                    error,
                    passing,
                    wait,
                }),
            },
            error => Self::Blob(error),
        }
    }
}

impl From<RegistryError> for download::Error {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Interrupted => Self::Cancelled,
            RegistryError::Blob(error) => error,
            error => Self::Source {
                passing: error.is_passing(),
                wait: error.asked_to_wait(),
                error: Box::new(error),
            },
        }
    }
}
