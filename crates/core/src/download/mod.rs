//! Files from the network, kept by their hash.
//!
//! Everything big that whit fetches (packages, indexes, wheels) is known by its
//! SHA-256 before the first byte arrives, so one folder of files named by hash
//! serves all of them, and several whits at once.

mod cache;
mod http;
mod resolver;

pub use cache::{Cache, Wanted};
pub use http::{Client, Proxies};

use whit_oci::Digest;

/// Result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{url} does not exist (the server says {status})")]
    NotFound { url: String, status: u16 },
    #[error("{url}: the server refuses it ({status})")]
    Status { url: String, status: u16 },
    #[error("cannot fetch {url}: {cause}")]
    Transport { url: String, cause: String },
    #[error("{url} has {got} bytes, {expected} were expected")]
    Size {
        url: String,
        expected: u64,
        got: u64,
    },
    #[error("{url} is not the file that was expected: its hash is {got}, expected {expected}")]
    Hash {
        url: String,
        expected: Digest,
        got: Digest,
    },
    #[error("{url} is larger than the {limit} bytes that such a file may have")]
    TooLarge { url: String, limit: u64 },
    #[error("{url} is not an http, https, file or copy address")]
    Scheme { url: String },
    #[error("{value:?} is not the address of a proxy")]
    Proxy { value: String },
    #[error("{context}: {source}")]
    Io {
        context: String,
        source: std::io::Error,
    },
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Hash { .. } | Self::Size { .. } => Some(
                "the mirror or a proxy on the way serves something else; try another mirror".into(),
            ),
            Self::Transport { .. } => {
                Some("check the network and the proxy settings (HTTP_PROXY, HTTPS_PROXY)".into())
            }
            _ => None,
        }
    }

    /// True if another try may succeed: the network's weather, not a fact.
    fn is_passing(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            _ => false,
        }
    }

    /// True if the same file may well be fine at another address.
    fn is_of_the_address(&self) -> bool {
        matches!(
            self,
            Self::NotFound { .. }
                | Self::Status { .. }
                | Self::Transport { .. }
                | Self::Size { .. }
                | Self::Hash { .. }
        )
    }

    pub(crate) fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let context = context.into();
        move |source| Self::Io { context, source }
    }
}
