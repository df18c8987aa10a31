//! Why a root file system cannot be unpacked.

use std::io;
use std::path::PathBuf;

use whit_oci::{ImageError, ImagePath, LayerError, Problem};

use crate::index::IndexError;

/// Why an image, a layer or a package cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error("{layer}: {source}")]
    Index {
        layer: String,
        #[source]
        source: IndexError,
    },
    #[error("cannot write {path} below {dir}: {source}")]
    Write {
        dir: PathBuf,
        path: ImagePath,
        source: io::Error,
    },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    /// The disk is full, or would be but for what is held back.
    #[error("no room left on the disk that holds {dir} ({path} did not fit)")]
    Full { dir: PathBuf, path: ImagePath },
    #[error(
        "{layer}: the image unpacks to more than {} (at {path})",
        megabytes(*.limit)
    )]
    TooBig {
        layer: String,
        path: ImagePath,
        limit: u64,
    },
    /// A file that a layer can only hold because almost all of it is nothing.
    #[error(
        "{layer}: {path} is {} large in a layer of {}: this is a trap or a mistake",
        megabytes(*.size),
        megabytes(*.compressed)
    )]
    Bomb {
        layer: String,
        path: ImagePath,
        size: u64,
        compressed: u64,
    },
    /// Images get their devices from whoever runs them. What stands in `/dev`
    /// of old images is hidden by that and does no harm; anything else is a way
    /// to the host's disks.
    #[error("{layer}: {path} is a device, which no image needs")]
    Device { layer: String, path: ImagePath },
    #[error("interrupted")]
    Cancelled,
}

fn megabytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

impl UnpackError {
    /// The next thing to do about it, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Image(error) => error.hint(),
            Self::Layer(error) => match &error.problem {
                Problem::Read(source) => inner(source)
                    .and_then(ImageError::hint)
                    .or_else(|| error.hint()),
                _ => error.hint(),
            },
            Self::Full { dir, .. } => Some(format!(
                "free some space, or let XDG_CACHE_HOME name a folder on a larger disk than {}",
                dir.display()
            )),
            Self::TooBig { limit, .. } => Some(format!(
                "if the image is right, allow more with `--max-unpacked {}`",
                gigabytes_above(*limit)
            )),
            Self::Bomb { size, .. } => Some(format!(
                "if the file is right, allow it with `--max-unpacked {}`",
                gigabytes_above(*size)
            )),
            _ => None,
        }
    }
}

fn inner(error: &io::Error) -> Option<&ImageError> {
    error.get_ref()?.downcast_ref()
}

/// Twice as much, in whole gigabytes.
fn gigabytes_above(bytes: u64) -> String {
    format!("{}G", (bytes / 500_000_000).max(1) + 1)
}
