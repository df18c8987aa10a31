//! Why an image cannot be opened.

use std::path::PathBuf;
use std::sync::Arc;

use crate::Digest;
use crate::engine::EngineError;
use crate::registry::RegistryError;

/// Why an image cannot be opened or a layer's bytes not be trusted.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Registry(Arc<RegistryError>),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{name} is nowhere: {}", tried.join("; "))]
    Nowhere {
        name: String,
        /// Where it was looked for, and what came of it.
        tried: Vec<String>,
        hint: Option<String>,
    },
    #[error("{path} is no image: {why}")]
    NoImage { path: PathBuf, why: String },
    #[error("{path} is compressed with {with}; whit reads gzip and zstd")]
    Compressed { path: PathBuf, with: &'static str },
    #[error("{path}: the archive is damaged: {why}")]
    Archive { path: PathBuf, why: String },
    #[error("{path} holds no {what}")]
    Missing { path: PathBuf, what: String },
    #[error("{what} is {size} bytes long; at most {limit} are allowed")]
    TooLong { what: String, size: u64, limit: u64 },
    #[error("{path} holds more than {limit} {what}")]
    TooMany {
        path: PathBuf,
        what: &'static str,
        limit: usize,
    },
    #[error("{what} is not {expected}: its bytes give {found}")]
    Digest {
        what: String,
        expected: Digest,
        found: Digest,
    },
    #[error("{what} is {found} bytes long, not {expected} as its manifest says")]
    Size {
        what: String,
        expected: u64,
        found: u64,
    },
    #[error("{what} is malformed: {why}")]
    Malformed { what: String, why: String },
    #[error("{path} holds no image {name:?}; there is {}", list(available))]
    NoSuchName {
        path: PathBuf,
        name: String,
        available: Vec<String>,
    },
    #[error("{path} holds several images: {}", list(available))]
    Ambiguous {
        path: PathBuf,
        available: Vec<String>,
    },
    #[error("{path} has no image for {wanted}; there is {}", list(available))]
    NoPlatform {
        path: PathBuf,
        wanted: String,
        available: Vec<String>,
    },
    #[error("{what} is damaged: {source}")]
    Stream {
        what: String,
        source: std::io::Error,
    },
    #[error("layer {number} is not in {path}: it is to be fetched from elsewhere")]
    Foreign { path: PathBuf, number: usize },
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.join(", ")
}

impl From<RegistryError> for ImageError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Arc::new(error))
    }
}

impl From<Arc<RegistryError>> for ImageError {
    fn from(error: Arc<RegistryError>) -> Self {
        Self::Registry(error)
    }
}

impl ImageError {
    /// The next thing to do about it, where there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Registry(error) => return error.hint(),
            Self::Engine(error) => return error.hint(),
            Self::Nowhere { hint, .. } => return hint.clone(),
            Self::Compressed { with, .. } => format!("decompress it with {with} first"),
            Self::NoSuchName { available, .. } | Self::Ambiguous { available, .. } => {
                format!("append `:{}` to the path", available.first()?)
            }
            Self::NoPlatform { available, .. } => {
                format!("choose one with `--platform {}`", available.first()?)
            }
            Self::Archive { .. }
            | Self::Missing { .. }
            | Self::Digest { .. }
            | Self::Size { .. }
            | Self::Stream { .. } => {
                "save or copy the image again: this copy is damaged".to_owned()
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                "`docker save NAME -o FILE` makes an archive; docker-daemon:NAME, podman:NAME and \
                 docker://NAME are read without one"
                    .to_owned()
            }
            Self::NoImage { .. } => {
                "write docker-daemon:NAME for an image of Docker, podman:NAME for one of \
                 Podman, docker://NAME for one of a registry"
                    .to_owned()
            }
            _ => return None,
        })
    }
}
