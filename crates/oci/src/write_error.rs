//! What can go wrong when an image is written.

use std::io;
use std::path::{Path, PathBuf};

use crate::ImagePath;
use crate::engine::EngineError;
use crate::registry::RegistryError;
use crate::ustar::EntryError;

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("cannot read the content of {path}: {source}")]
    Content { path: ImagePath, source: io::Error },
    #[error("the content of {path} has {} {expected} bytes", compared(*expected, *found))]
    Length {
        path: ImagePath,
        expected: u64,
        found: u64,
    },
    #[error("{path} cannot be written into a layer: {reason}")]
    Entry { path: ImagePath, reason: EntryError },
    #[error("{} exists and is no OCI image layout", .0.display())]
    NotALayout(PathBuf),
    #[error("{} exists and is no image archive", .0.display())]
    NotAnArchive(PathBuf),
    #[error("{} exists and is no regular file", .0.display())]
    NotAFile(PathBuf),
    #[error("{} is not an image layout's index: {reason}", path.display())]
    BadIndex { path: PathBuf, reason: String },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{0} holds the image of one platform, not of several")]
    OnePlatform(String),
    #[error("{0} seconds since the epoch is not a date that an image can carry")]
    Time(i64),
}

impl WriteError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_path_buf(),
            source,
        }
    }

    /// What to do or to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source, .. } => io_hint(path, source.kind()),
            Self::NotALayout(dir) => Some(format!(
                "name a folder that does not exist yet, for example oci:{}",
                dir.join("image").display()
            )),
            Self::NotAnArchive(file) => Some(format!(
                "choose another name, or remove it first: rm {}",
                file.display()
            )),
            Self::NotAFile(_) => Some("choose another name".to_owned()),
            Self::BadIndex { .. } => Some("write to a new folder with -o oci:DIR".to_owned()),
            Self::OnePlatform(_) => Some(
                "name one platform, or write to oci:DIR, oci-archive:FILE or docker://NAME"
                    .to_owned(),
            ),
            Self::Registry(error) => error.hint(),
            Self::Engine(error) => error.hint(),
            Self::Content { .. } | Self::Length { .. } | Self::Entry { .. } | Self::Time(_) => None,
        }
    }
}

fn compared(expected: u64, found: u64) -> &'static str {
    if found < expected {
        "fewer than the announced"
    } else {
        "more than the announced"
    }
}

fn io_hint(path: &Path, kind: io::ErrorKind) -> Option<String> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    Some(match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space there, or write to another disk with -o".to_owned()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "write to a folder of your own with -o".to_owned()
        }
        io::ErrorKind::NotFound => format!("make the folder first: mkdir -p {}", parent.display()),
        io::ErrorKind::FileTooLarge => {
            "the file system or `ulimit -f` forbids files that large; write elsewhere with -o"
                .to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_disks_have_hints() {
        for (kind, hint) in [
            (io::ErrorKind::StorageFull, "free some space"),
            (io::ErrorKind::PermissionDenied, "a folder of your own"),
            (io::ErrorKind::ReadOnlyFilesystem, "a folder of your own"),
            (io::ErrorKind::NotFound, "mkdir -p dist"),
        ] {
            let error = WriteError::io("write", Path::new("dist/app.tar"), kind.into());
            let text = error.to_string();
            assert!(text.starts_with("cannot write dist/app.tar: "), "{text}");
            let found = error.hint().unwrap();
            assert!(found.contains(hint), "{found}");
        }
    }
}
