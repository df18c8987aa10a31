//! Naming an image.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::name::{ImageName, NameError};

/// Where an image is, in the notation of containers-transports(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// `docker-archive:FILE[:NAME:TAG]`: what `docker save` writes.
    DockerArchive { file: PathBuf, name: Option<String> },
    /// `oci:DIR[:REF]`: an OCI image layout.
    Oci { dir: PathBuf, name: Option<String> },
    /// `oci-archive:FILE[:REF]`: an OCI image layout in a tar file.
    OciArchive { file: PathBuf, name: Option<String> },
    /// A path without a transport; what it is shows when it is opened.
    Path { path: PathBuf, name: Option<String> },
    /// `docker://NAME`: an image of a registry.
    Registry(ImageName),
    /// `docker-daemon:NAME`: an image of the Docker engine.
    DockerDaemon(ImageName),
    /// `podman:NAME` or `containers-storage:NAME`: an image of Podman.
    Podman(ImageName),
    /// A bare `NAME[:TAG]` that is no path here: an image of an engine, or
    /// else of a registry.
    Name(ImageName),
}

/// A text that names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    #[error("the name of the image is empty")]
    Empty,
    #[error("{0:?} names no file: write {1}")]
    NoPath(String, &'static str),
    #[error("there is no file or folder {text:?}, and {source}")]
    Nothing { text: String, source: NameError },
    #[error(transparent)]
    Name(#[from] NameError),
}

impl ReferenceError {
    /// What a reference looks like.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Empty | Self::NoPath(..) => None,
            Self::Nothing { source, .. } | Self::Name(source) => Some(source.hint()),
        }
    }
}

impl Reference {
    /// Reads a reference; looks at the disk only to tell whether a text
    /// without a transport is a path.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Self::parse_with(text, &|path| path.exists())
    }

    /// [`Reference::parse`] with the disk as an argument.
    pub fn parse_with(text: &str, exists: &dyn Fn(&Path) -> bool) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some(name) = text.strip_prefix("docker://") {
            return Ok(Self::Registry(name.parse()?));
        }
        match text.split_once(':') {
            Some(("docker-archive", rest)) => {
                let (file, name) = located(text, rest, "docker-archive:FILE[:NAME]", exists)?;
                Ok(Self::DockerArchive { file, name })
            }
            Some(("oci", rest)) => {
                let (dir, name) = located(text, rest, "oci:DIR[:REF]", exists)?;
                Ok(Self::Oci { dir, name })
            }
            Some(("oci-archive", rest)) => {
                let (file, name) = located(text, rest, "oci-archive:FILE[:REF]", exists)?;
                Ok(Self::OciArchive { file, name })
            }
            Some(("docker-daemon", name)) => Ok(Self::DockerDaemon(name.parse()?)),
            Some(("podman" | "containers-storage", name)) => Ok(Self::Podman(name.parse()?)),
            _ => Self::bare(text, exists),
        }
    }

    /// Where it is on this machine; `None` for registries and engines.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::DockerArchive { file, .. } | Self::OciArchive { file, .. } => Some(file),
            Self::Oci { dir, .. } => Some(dir),
            Self::Path { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Its name, where it is no file.
    pub fn name(&self) -> Option<&ImageName> {
        match self {
            Self::Registry(name)
            | Self::DockerDaemon(name)
            | Self::Podman(name)
            | Self::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The same, with a relative path taken from `folder`.
    pub fn from_folder(mut self, folder: &Path) -> Self {
        match &mut self {
            Self::DockerArchive { file: path, .. }
            | Self::OciArchive { file: path, .. }
            | Self::Oci { dir: path, .. }
            | Self::Path { path, .. } => *path = folder.join(&*path),
            Self::Registry(_) | Self::DockerDaemon(_) | Self::Podman(_) | Self::Name(_) => {}
        }
        self
    }

    fn bare(text: &str, exists: &dyn Fn(&Path) -> bool) -> Result<Self, ReferenceError> {
        let (path, name) = split(text, exists);
        if exists(&path) || looks_like_a_path(&path) {
            return Ok(Self::Path { path, name });
        }
        let name = text.parse().map_err(|source| ReferenceError::Nothing {
            text: text.to_owned(),
            source,
        })?;
        Ok(Self::Name(name))
    }
}

/// Splits `PATH[:NAME]`.
fn located(
    text: &str,
    rest: &str,
    form: &'static str,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<(PathBuf, Option<String>), ReferenceError> {
    let (path, name) = split(rest, exists);
    if path.as_os_str().is_empty() {
        return Err(ReferenceError::NoPath(text.to_owned(), form));
    }
    Ok((path, name))
}

/// The path ends at the first colon, unless a file has colons in its name.
fn split(text: &str, exists: &dyn Fn(&Path) -> bool) -> (PathBuf, Option<String>) {
    if exists(Path::new(text)) {
        return (text.into(), None);
    }
    match text.split_once(':') {
        Some((path, name)) if !name.is_empty() => (path.into(), Some(name.to_owned())),
        Some((path, _)) => (path.into(), None),
        None => (text.into(), None),
    }
}

/// A path that is not there deserves "no such file", not a lecture about
/// registries.
fn looks_like_a_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.starts_with('/')
        || text.starts_with("./")
        || text.starts_with("../")
        || [".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.zstd"]
            .iter()
            .any(|end| text.ends_with(end))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, path, name) = match self {
            Self::DockerArchive { file, name } => ("docker-archive:", file, name),
            Self::Oci { dir, name } => ("oci:", dir, name),
            Self::OciArchive { file, name } => ("oci-archive:", file, name),
            Self::Path { path, name } => ("", path, name),
            Self::Registry(name) => return write!(f, "docker://{name}"),
            Self::DockerDaemon(name) => return write!(f, "docker-daemon:{name}"),
            Self::Podman(name) => return write!(f, "podman:{name}"),
            Self::Name(name) => return write!(f, "{name}"),
        };
        write!(f, "{transport}{}", path.display())?;
        match name {
            Some(name) => write!(f, ":{name}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Reference {
        Reference::parse_with(text, &|path| {
            [Path::new("here"), Path::new("a:b.tar")].contains(&path)
        })
        .unwrap()
    }

    #[test]
    fn transports() {
        assert_eq!(
            parse("oci:out"),
            Reference::Oci {
                dir: "out".into(),
                name: None
            }
        );
        assert_eq!(
            parse("docker-archive:/tmp/x.tar:python:3.12"),
            Reference::DockerArchive {
                file: "/tmp/x.tar".into(),
                name: Some("python:3.12".into())
            }
        );
        assert_eq!(
            parse("oci-archive:a:b.tar"),
            Reference::OciArchive {
                file: "a:b.tar".into(),
                name: None
            }
        );
        assert_eq!(
            parse("docker://alpine"),
            Reference::Registry("alpine".parse().unwrap())
        );
        assert_eq!(
            parse("docker-daemon:app:1"),
            Reference::DockerDaemon("app:1".parse().unwrap())
        );
        assert_eq!(
            parse("podman:app"),
            Reference::Podman("app".parse().unwrap())
        );
    }

    #[test]
    fn bare_paths_and_names() {
        let path = |path: &str, name: Option<&str>| Reference::Path {
            path: path.into(),
            name: name.map(str::to_owned),
        };
        assert_eq!(parse("here"), path("here", None));
        assert_eq!(parse("here:tag"), path("here", Some("tag")));
        assert_eq!(parse("./gone"), path("./gone", None));
        assert_eq!(parse("gone.tar"), path("gone.tar", None));
        assert_eq!(
            parse("python:3.12-slim"),
            Reference::Name("python:3.12-slim".parse().unwrap())
        );
        assert_eq!(
            parse("registry:5000/app"),
            Reference::Name("registry:5000/app".parse().unwrap())
        );
    }

    #[test]
    fn what_is_shown_reads_back() {
        for text in [
            "oci:out:v1",
            "oci-archive:x.tar",
            "docker-archive:x.tar:app:1",
            "docker://a/b:c",
            "podman:a",
            "python:3",
            "./x",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn nothing_is_refused() {
        assert_eq!(Reference::parse(""), Err(ReferenceError::Empty));
        assert!(matches!(
            Reference::parse("oci:"),
            Err(ReferenceError::NoPath(..))
        ));
        for text in ["docker://", "docker://App", "podman:", "Some File"] {
            let error = Reference::parse(text).unwrap_err();
            assert!(error.hint().is_some(), "{error}");
        }
    }

    #[test]
    fn paths_of_a_file_are_relative_to_its_folder() {
        for (text, expected) in [
            ("oci:here:1.2", "oci:/project/here:1.2"),
            ("base.tar", "/project/base.tar"),
            ("docker-archive:/there.tar", "docker-archive:/there.tar"),
            ("docker://a/b", "docker://a/b"),
        ] {
            let reference = parse(text).from_folder(Path::new("/project"));
            assert_eq!(reference.to_string(), expected);
        }
    }
}
