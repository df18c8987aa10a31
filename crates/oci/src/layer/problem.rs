//! What can be wrong with a layer's tar.

use crate::{ImageError, PathError};

/// A layer that cannot be read, and where in it the fault is.
#[derive(Debug)]
pub struct LayerError {
    /// Which layer, in the words of who opened it.
    pub layer: String,
    /// Which entry, as far as that is known.
    pub entry: Option<String>,
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The bytes cannot be read, or are not those that the manifest promised.
    #[error("{0}")]
    Read(#[source] std::io::Error),
    #[error("the tar ends in the middle of {0}")]
    Truncated(&'static str),
    #[error("a tar header's checksum is wrong: the layer is damaged or no tar")]
    Checksum,
    #[error("the {field} in a tar header is no number that can be: {found:?}")]
    Number { field: &'static str, found: String },
    #[error("tar entry type {0:?} is not one that images use")]
    Type(char),
    #[error("the extended header (pax) is malformed: {0}")]
    Pax(&'static str),
    #[error("the map of the sparse file is malformed: {0}")]
    Sparse(&'static str),
    #[error("{what} is {size} bytes long; at most {limit} are allowed")]
    TooLong {
        what: &'static str,
        size: u64,
        limit: u64,
    },
    #[error("more than {0} extended headers in a row")]
    Headers(u32),
    #[error("the path has a `..` in it, which could climb out of the image")]
    Climbs,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("the path is a whiteout of nothing that has a name")]
    Whiteout,
    #[error("the {0} is the root of the image, which can only be a folder")]
    Root(&'static str),
    #[error("the symbolic link has no target or one with a NUL byte")]
    Target,
    #[error("more than {0} bytes follow the end of the tar")]
    Trailing(u64),
}

impl Problem {
    /// True where a checked stream found the fault, which says itself what is
    /// wrong with which layer.
    fn names_the_layer(&self) -> bool {
        match self {
            Self::Read(error) => error.get_ref().is_some_and(|e| e.is::<ImageError>()),
            _ => false,
        }
    }
}

impl std::fmt::Display for LayerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.problem.names_the_layer() {
            return write!(f, "{}", self.problem);
        }
        match &self.entry {
            Some(entry) => write!(f, "{}, entry {entry:?}: {}", self.layer, self.problem),
            None => write!(f, "{}: {}", self.layer, self.problem),
        }
    }
}

impl std::error::Error for LayerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

impl LayerError {
    /// The next thing to do about it, where there is one.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Read(_) | Problem::Truncated(_) | Problem::Checksum => {
                Some("save or copy the image again: this copy is damaged".to_owned())
            }
            _ => None,
        }
    }
}
