//! What can go wrong between a mirror and an unpacked root.

use std::path::PathBuf;

use super::keyring::Distrust;
use whit_oci::download;

/// Result of this module.
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no Debian mirror is known: this host has no apt sources of Debian")]
    NoMirror,
    #[error("{text:?} is not the address of a Debian mirror")]
    BadMirror { text: String },
    #[error("the keyring {path} cannot be read: {cause}")]
    Keyring { path: String, cause: String },
    /// An index that is not to be believed.
    #[error("{url} is not trusted: {cause}")]
    Untrusted { url: String, cause: Distrust },
    #[error("{url} is not an index of {wanted}: {cause}")]
    WrongIndex {
        url: String,
        wanted: String,
        cause: String,
    },
    #[error("the index of {codename} ended on {until}: it is too old to be trusted")]
    Expired { codename: String, until: String },
    #[error("{codename} has no packages for {architecture}")]
    NoArchitecture {
        codename: String,
        architecture: String,
    },
    #[error("the package index {path} is damaged: {cause}")]
    Index { path: String, cause: String },
    #[error("{suite} has no package {name}")]
    NoPackage {
        suite: String,
        name: String,
        near: Vec<String>,
    },
    #[error("{mirror} has no source packages of {codename}")]
    NoSources { mirror: String, codename: String },
    #[error("{suite} has no source package {name}")]
    NoSource {
        suite: String,
        name: String,
        near: Vec<String>,
    },
    #[error("{suite} has no source package {name} {version}")]
    NoSourceVersion {
        suite: String,
        name: String,
        version: String,
        there: Vec<String>,
    },
    #[error("{wanted} cannot be installed: {cause}")]
    Unmet { wanted: String, cause: String },
    #[error("package {package} is damaged: {cause}")]
    Damaged { package: String, cause: String },
    #[error("package {package} cannot be unpacked: {cause}")]
    Unpack { package: String, cause: String },
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Download(#[from] download::Error),
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// What to type next, where there is something.
    pub fn hint(&self) -> Option<String> {
        let mirror = "--mirror https://MIRROR.EXAMPLE/debian";
        match self {
            Self::NoMirror => Some(format!("name one: {mirror}")),
            Self::BadMirror { .. } => Some(format!(
                "it is written {mirror}, http:, file: and copy: do as well"
            )),
            Self::Untrusted { .. } | Self::WrongIndex { .. } => Some(format!(
                "somebody on the way may have changed it; try another mirror: {mirror}"
            )),
            Self::Expired { .. } => Some(format!(
                "check this machine's clock, or try another mirror: {mirror}"
            )),
            Self::NoSources { .. } => Some(format!(
                "it has binary packages only; name a mirror that has both: {mirror}"
            )),
            Self::NoSourceVersion { there, .. } => Some(format!(
                "it has {}; a lock that names another must be made anew",
                there.join(", ")
            )),
            Self::NoPackage { near, .. } | Self::NoSource { near, .. } if !near.is_empty() => {
                Some(format!("similar names: {}", near.join(", ")))
            }
            Self::Download(
                download::Error::NotFound { url, .. } | download::Error::Status { url, .. },
            ) if url.contains("-security/InRelease") => Some(
                "this mirror has no security archive there; name one, or `none`: \
                     --mirror 'https://MIRROR.EXAMPLE/debian \
                     https://MIRROR.EXAMPLE/debian-security'"
                    .into(),
            ),
            Self::Download(download::Error::NotFound { url, .. }) if url.contains("/pool/") => {
                Some("the mirror has a newer version by now: make the lock anew".into())
            }
            Self::Download(error) => error.hint(),
            _ => None,
        }
    }

    pub(super) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}
