//! Where an image is written to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

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
        /// Always with a tag.
        reference: Option<String>,
    },
}

/// A text that names no place for an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    #[error("cannot tell what kind of image {0:?} is to be")]
    Unknown(String),
    #[error("writing to {0:?} is not possible yet")]
    Unsupported(String),
    #[error("{0:?} names no file or folder")]
    NoPath(String),
    #[error("{0:?} is not a name for an image")]
    Reference(String),
}

impl DestinationError {
    /// What to type instead.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown(text) => format!(
                "use {text}.tar, docker-archive:FILE[:NAME], oci-archive:FILE[:NAME] or oci:DIR[:NAME]"
            ),
            Self::Unsupported(_) => {
                "write an archive with -o FILE.tar, then `docker load -i FILE.tar` or \
                 `skopeo copy docker-archive:FILE.tar docker://NAME`"
                    .to_owned()
            }
            Self::NoPath(text) => {
                format!("write {}image", text.trim_end_matches(':').to_owned() + ":")
            }
            Self::Reference(_) => {
                "use lower-case letters, digits and . _ - /, then :TAG; for example shop/api:1.2"
                    .to_owned()
            }
        })
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let Some((kind, rest)) = text.split_once(':') else {
            return bare(text);
        };
        if !matches!(kind, "oci" | "oci-archive" | "docker-archive") {
            return Err(match kind {
                "docker" | "docker-daemon" | "podman" | "containers-storage" | "registry"
                | "http" | "https" => DestinationError::Unsupported(text.to_owned()),
                _ => DestinationError::Unknown(text.to_owned()),
            });
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
                reference: reference.map(docker_reference).transpose()?,
            }),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, reference) = match self {
            Self::OciDir { dir, reference } => ("oci", dir, reference),
            Self::OciArchive { file, reference } => ("oci-archive", file, reference),
            Self::DockerArchive { file, reference } => ("docker-archive", file, reference),
        };
        write!(f, "{kind}:{}", path.display())?;
        match reference {
            Some(reference) => write!(f, ":{reference}"),
            None => Ok(()),
        }
    }
}

fn bare(text: &str) -> Result<Destination, DestinationError> {
    if !text.ends_with(".tar") {
        return Err(DestinationError::Unknown(text.to_owned()));
    }
    Ok(Destination::DockerArchive {
        file: PathBuf::from(text),
        reference: None,
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

/// `[HOST[:PORT]/]NAME[:TAG]` as Docker spells it; without a tag, `latest`.
fn docker_reference(text: &str) -> Result<String, DestinationError> {
    let wrong = || DestinationError::Reference(text.to_owned());
    // A colon belongs to a tag only behind the last slash.
    let (name, tag) = match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (text, "latest"),
    };
    let tag_fits = tag.len() <= 128
        && !tag.starts_with(['.', '-'])
        && tag
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let repository = match name.split_once('/') {
        Some((host, rest)) if is_host(host) => rest,
        _ => name,
    };
    if tag.is_empty() || !tag_fits || name.len() > 255 || !repository.split('/').all(is_component) {
        return Err(wrong());
    }
    Ok(format!("{name}:{tag}"))
}

/// True for what Docker takes for a registry and not for part of a name.
pub(crate) fn is_host(text: &str) -> bool {
    let host = text.split_once(':').map_or(text, |(host, _)| host);
    let port_fits = text
        .split_once(':')
        .is_none_or(|(_, port)| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()));
    port_fits
        && (host == "localhost" || text.contains(['.', ':']))
        && !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
}

/// Lower-case letters and digits, joined by `.`, `_`, `__` or dashes.
fn is_component(text: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(word)
        && text.ends_with(word)
        && text
            .split(word)
            .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.chars().all(|c| c == '-'))
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
                "docker://app",
                "writing to \"docker://app\" is not possible yet",
            ),
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
