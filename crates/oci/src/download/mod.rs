//! Files from the network, kept by their hash.
//!
//! Everything big that whit fetches (packages, indexes, wheels) is known by its
//! SHA-256 before the first byte arrives, so one folder of files named by hash
//! serves all of them, and several whits at once.

mod cache;
mod http;
mod patience;
mod resolver;
mod shelf;

pub use cache::{Cache, Wanted};
pub use http::{Answer, Client, Proxies};
pub use shelf::{Expected, Pruned, Shelf};

pub(crate) use http::{agent, configured, range_start, retry_after};
pub(crate) use patience::{Patience, wait};

use std::time::Duration;

use crate::Digest;

/// Where a file may be had.
pub trait Source: Sync {
    /// What errors call it.
    fn name(&self) -> String;

    /// Starts to read it from byte `start` on, or from the beginning where
    /// only that can be had.
    fn open(&self, start: u64) -> Result<Answer>;
}

/// Result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a file could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{url} does not exist (the server says {status})")]
    NotFound { url: String, status: u16 },
    #[error("{url}: the server refuses it ({status})")]
    Status {
        url: String,
        status: u16,
        /// How long the server asks to be left alone.
        wait: Option<Duration>,
    },
    /// A [`Source`] that has errors of its own.
    #[error("{error}")]
    Source {
        error: Box<dyn std::error::Error + Send + Sync>,
        /// True if another try may succeed.
        passing: bool,
        wait: Option<Duration>,
    },
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
            Self::Source { passing, .. } => *passing,
            _ => false,
        }
    }

    fn asked_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } | Self::Source { wait, .. } => *wait,
            _ => None,
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
                | Self::Source { .. }
        )
    }

    pub fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let context = context.into();
        move |source| Self::Io { context, source }
    }
}
