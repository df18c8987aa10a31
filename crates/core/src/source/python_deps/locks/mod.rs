//! Lock files of other tools, turned into pins.
//!
//! Every reader is pure: text in, pins of the main group out. Development
//! groups and extras that nobody asked for are left out.

mod pdm;
mod pipfile;
mod poetry;
mod pylock;
mod uv;

pub use pdm::pdm;
pub use pipfile::pipfile;
pub use poetry::poetry;
pub use pylock::pylock;
pub use uv::uv_names;

use super::{Pin, PinFile};

/// Why a lock file could not be turned into pins.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    #[error("{file}: {source}")]
    Toml {
        file: &'static str,
        source: Box<toml::de::Error>,
    },
    #[error("{file}: {source}")]
    Json {
        file: &'static str,
        source: serde_json::Error,
    },
    #[error("{file} is written in an old form: {problem}")]
    Old {
        file: &'static str,
        problem: &'static str,
        command: &'static str,
    },
    #[error("{file}: {package} {problem}")]
    Package {
        file: &'static str,
        package: String,
        problem: String,
    },
}

impl LockFileError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            LockFileError::Old { command, .. } => Some(format!("run `{command}` once")),
            _ => None,
        }
    }
}

fn document<T: serde::de::DeserializeOwned>(
    text: &str,
    file: &'static str,
) -> Result<T, LockFileError> {
    toml::from_str(text).map_err(|source| LockFileError::Toml {
        file,
        source: Box::new(source),
    })
}

/// The last part of an address, without query and fragment: the file's name.
fn file_name(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    (!name.is_empty()).then(|| name.replace("%2B", "+").replace("%2b", "+"))
}

/// The one order of pins, and each once.
fn finish(pins: Vec<Pin>) -> Vec<Pin> {
    let mut pins: Vec<Pin> = pins.into_iter().map(Pin::sorted).collect();
    pins.sort();
    pins.dedup();
    pins
}

fn pin_file(hash: String, name: Option<String>) -> PinFile {
    PinFile { hash, name }
}

/// `and`, with each side in parentheses where it needs them.
fn both(left: Option<&str>, right: Option<&str>) -> Option<String> {
    match (left, right) {
        (Some(left), Some(right)) if left == right => Some(left.to_owned()),
        (Some(left), Some(right)) => Some(format!("({left}) and ({right})")),
        (one, other) => one.or(other).map(str::to_owned),
    }
}
