//! Why an engine did not do what it was asked.

use std::io;
use std::path::PathBuf;

use super::Kind;

/// Why an image cannot be fetched from an engine or handed to it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("{engine} is not here: {}", looked_for(sockets))]
    Absent { engine: Kind, sockets: Vec<PathBuf> },
    #[error(
        "{engine} is at {address}, and whit speaks with engines of this machine only, \
         at a socket or without TLS at a loopback port"
    )]
    Elsewhere { engine: Kind, address: String },
    #[error("the Docker context {name:?} is no use: {cause}")]
    Context { name: String, cause: String },
    #[error("cannot speak with {engine} at {place}: {source}")]
    Refused {
        engine: Kind,
        /// A socket or a port.
        place: String,
        source: io::Error,
    },
    #[error("{engine} has no image {name}")]
    Missing { engine: Kind, name: String },
    #[error("{engine}, asked for {what}: {said}")]
    Said {
        engine: Kind,
        what: String,
        said: String,
    },
    #[error("cannot keep what {engine} sends: {source}")]
    Spool { engine: Kind, source: io::Error },
    #[error("interrupted")]
    Interrupted,
}

fn looked_for(sockets: &[PathBuf]) -> String {
    let names: Vec<String> = sockets
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    match names.as_slice() {
        [] => "there is neither a socket nor a program of it".to_owned(),
        names => format!("nothing listens at {}", names.join(" or ")),
    }
}

impl EngineError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent {
                engine: Kind::Docker,
                ..
            } => "start it (systemctl start docker), or name its socket: \
                  DOCKER_HOST=unix:///run/user/1000/docker.sock"
                .to_owned(),
            Self::Absent {
                engine: Kind::Podman,
                ..
            } => {
                "install podman, or name its socket: CONTAINER_HOST=unix:///run/podman/podman.sock"
                    .to_owned()
            }
            Self::Elsewhere { engine, .. } => format!(
                "use an archive: {0} save NAME -o FILE.tar there, {0} load -i FILE.tar back",
                engine.program()
            ),
            Self::Refused { engine, source, .. } => match (engine, source.kind()) {
                (Kind::Docker, io::ErrorKind::PermissionDenied) => {
                    "only members of the group `docker` may: run whit as one, \
                     or use `docker save` and an archive"
                        .to_owned()
                }
                (Kind::Podman, io::ErrorKind::PermissionDenied) => {
                    "it is another user's podman: unset CONTAINER_HOST".to_owned()
                }
                _ => return None,
            },
            Self::Missing { engine, .. } => {
                format!("`{0} images` lists what is there", engine.program())
            }
            Self::Spool { .. } => "free some space in whit's cache folder".to_owned(),
            Self::Context { .. } => {
                "`docker context ls` lists those that there are; DOCKER_CONTEXT=default, or \
                 DOCKER_HOST with a socket, goes without"
                    .to_owned()
            }
            Self::Said { .. } | Self::Interrupted => return None,
        })
    }
}
