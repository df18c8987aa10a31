//! Where an image is written to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::name::{ImageName, NameError};

/// A place for an image, as people type it after `-o`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `oci:DIR[:REF]`: an image layout (OCI image spec, image-layout.md).
    OciDir {
        dir: PathBuf,
        reference: Option<String>,
    },
    /// `oci-archive:FILE[:REF]`: a tar of an image layout.
    OciArchive {
        file: PathBuf,
        reference: Option<String>,
    },
    /// `docker-archive:FILE[:REF]` or `FILE.tar`: what `docker load` reads, and
    /// an image layout at the same time.
    DockerArchive {
        file: PathBuf,
        name: Option<ImageName>,
    },
    /// `docker://NAME[:TAG]`: a registry.
    Registry(ImageName),
    /// `docker-daemon:NAME[:TAG]`: the Docker engine.
    DockerDaemon(ImageName),
    /// `podman:NAME[:TAG]`: Podman's storage.
    Podman(ImageName),
}

/// A text that names no place for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    #[error("cannot tell what kind of image {0:?} is to be")]
    Unknown(String),
    #[error("{0:?} names no file or folder")]
    NoPath(String),
    #[error("{0:?} is not a name for an image")]
    Reference(String),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("{0:?}: the digest of an image is what comes out, not what it is named")]
    Digest(String),
}

impl DestinationError {
    /// What to type instead.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(text) => format!(
                "use {text}.tar, docker-archive:FILE[:NAME], oci-archive:FILE[:NAME], oci:DIR[:NAME], \
                 docker://NAME[:TAG], docker-daemon:NAME[:TAG] or podman:NAME[:TAG]"
            ),
            Self::NoPath(text) => {
                format!("write {}image", text.trim_end_matches(':').to_owned() + ":")
            }
            Self::Reference(_) => {
                "use letters, digits and - . _ : @ + /, for example oci:out:1.2".to_owned()
            }
            Self::Name(error) => error.hint(),
            Self::Digest(_) => "name a tag: docker://HOST/NAME:TAG".to_owned(),
        })
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let Some((kind, rest)) = text.split_once(':') else {
            return bare(text);
        };
        match kind {
            "docker" => {
                let name = rest.strip_prefix("//").unwrap_or(rest);
                return Ok(Self::Registry(new_name(name)?));
            }
            "docker-daemon" => return Ok(Self::DockerDaemon(new_name(rest)?)),
            "podman" | "containers-storage" => return Ok(Self::Podman(new_name(rest)?)),
            "oci" | "oci-archive" | "docker-archive" => {}
            _ => return Err(DestinationError::Unknown(text.to_owned())),
        }
        let (path, reference) = match rest.split_once(':') {
            Some((path, reference)) => (path, Some(reference)),
            None => (rest, None),
        };
        if path.is_empty() {
            return Err(DestinationError::NoPath(text.to_owned()));
        }
        let path = PathBuf::from(path);
        match kind {
            "oci" => Ok(Self::OciDir {
                dir: path,
                reference: reference.map(oci_reference).transpose()?,
            }),
            "oci-archive" => Ok(Self::OciArchive {
                file: path,
                reference: reference.map(oci_reference).transpose()?,
            }),
            _ => Ok(Self::DockerArchive {
                file: path,
                name: reference.map(new_name).transpose()?,
            }),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, reference) = match self {
            Self::OciDir { dir, reference } => ("oci", dir, reference.clone()),
            Self::OciArchive { file, reference } => ("oci-archive", file, reference.clone()),
            Self::DockerArchive { file, name } => {
                let name = name.as_ref().map(ImageName::tagged);
                ("docker-archive", file, name)
            }
            Self::Registry(name) => return write!(f, "docker://{}", name.tagged()),
            Self::DockerDaemon(name) => return write!(f, "docker-daemon:{}", name.tagged()),
            Self::Podman(name) => return write!(f, "podman:{}", name.tagged()),
        };
        write!(f, "{kind}:{}", path.display())?;
        match reference {
            Some(reference) => write!(f, ":{reference}"),
            None => Ok(()),
        }
    }
}

impl Destination {
    /// The file or folder that it is; `None` for what is elsewhere.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::OciDir { dir: path, .. }
            | Self::OciArchive { file: path, .. }
            | Self::DockerArchive { file: path, .. } => Some(path),
            Self::Registry(_) | Self::DockerDaemon(_) | Self::Podman(_) => None,
        }
    }
}

fn bare(text: &str) -> Result<Destination, DestinationError> {
    if !text.ends_with(".tar") {
        return Err(DestinationError::Unknown(text.to_owned()));
    }
    Ok(Destination::DockerArchive {
        file: PathBuf::from(text),
        name: None,
    })
}

/// A reference as the OCI image spec allows it in an index (annotations.md,
/// `org.opencontainers.image.ref.name`).
fn oci_reference(text: &str) -> Result<String, DestinationError> {
    let edges_fit = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    let characters_fit = |part: &str| {
        part.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-._:@+".contains(c))
    };
    if text
        .split('/')
        .all(|part| edges_fit(part) && characters_fit(part))
    {
        Ok(text.to_owned())
    } else {
        Err(DestinationError::Reference(text.to_owned()))
    }
}

/// A name that an image is to get: always with a tag.
fn new_name(text: &str) -> Result<ImageName, DestinationError> {
    let name: ImageName = text.parse()?;
    if name.digest.is_some() {
        return Err(DestinationError::Digest(text.to_owned()));
    }
    let tag = name.tag_or_latest().to_owned();
    Ok(name.with_tag(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, canonical) in [
            ("oci:out", "oci:out"),
            ("oci:out:v1", "oci:out:v1"),
            ("oci-archive:a/b.tar:x/y:1", "oci-archive:a/b.tar:x/y:1"),
            (
                "docker-archive:a.tar:app",
                "docker-archive:a.tar:app:latest",
            ),
            (
                "docker-archive:a.tar:localhost:5000/app",
                "docker-archive:a.tar:localhost:5000/app:latest",
            ),
            (
                "docker-archive:a.tar:r.io/a__b/c--d:V1.2",
                "docker-archive:a.tar:r.io/a__b/c--d:V1.2",
            ),
            ("dist/app.tar", "docker-archive:dist/app.tar"),
            ("docker://r.io/app", "docker://r.io/app:latest"),
            ("docker-daemon:app:small", "docker-daemon:app:small"),
            ("containers-storage:app", "podman:app:latest"),
        ] {
            let destination: Destination = text.parse().unwrap();
            assert_eq!(destination.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(destination));
        }
    }

    #[test]
    fn refusals_come_with_a_hint() {
        for (text, message) in [
            ("app", "cannot tell what kind of image \"app\" is to be"),
            (
                "x.tar:app",
                "cannot tell what kind of image \"x.tar:app\" is to be",
            ),
            ("oci:", "\"oci:\" names no file or folder"),
            (
                "oci-archive::v1",
                "\"oci-archive::v1\" names no file or folder",
            ),
            (
                "docker://app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                "\"app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\": \
                 the digest of an image is what comes out, not what it is named",
            ),
            ("podman:", "\"\" is not a name for an image"),
            (
                "docker-archive:a.tar:App",
                "\"App\" is not a name for an image",
            ),
            ("docker-archive:a.tar:", "\"\" is not a name for an image"),
            (
                "docker-archive:a.tar:a:",
                "\"a:\" is not a name for an image",
            ),
            (
                "docker-archive:a.tar:a..b",
                "\"a..b\" is not a name for an image",
            ),
            ("oci:out:v 1", "\"v 1\" is not a name for an image"),
            ("oci:out:", "\"\" is not a name for an image"),
        ] {
            let error = text.parse::<Destination>().unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().is_some());
        }
    }
}
