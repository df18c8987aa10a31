//! Whose certificates are believed: the system's authorities, and for one
//! registry those that containers-certs.d(5) has for it.

use std::fs;
use std::path::{Path, PathBuf};

use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::RegistryError;

/// The authorities for a registry; `folders` are those that have a folder per
/// registry, like `/etc/containers/certs.d`.
pub(super) fn roots(host: &str, folders: &[PathBuf]) -> Result<RootCerts, RegistryError> {
    let mut own = Vec::new();
    for folder in folders {
        own.extend(certificates(&folder.join(host))?);
    }
    if own.is_empty() {
        return Ok(RootCerts::PlatformVerifier);
    }
    // Layers are often served from another host than the registry's, so the
    // system's authorities count beside its own.
    let system = rustls_native_certs::load_native_certs().certs;
    own.extend(
        system
            .iter()
            .map(|certificate| Certificate::from_der(certificate).to_owned()),
    );
    Ok(RootCerts::new_with_certs(&own))
}

/// The certificates of all `*.crt` in a folder, which need not be there.
fn certificates(folder: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "crt"))
        .collect();
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let wrong = |cause: String| RegistryError::File {
            path: path.clone(),
            cause,
        };
        let pem = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        for item in parse_pem(&pem) {
            match item.map_err(|error| wrong(error.to_string()))? {
                PemItem::Certificate(certificate) => found.push(certificate),
                _ => return Err(wrong("it is no certificate".to_owned())),
            }
        }
    }
    Ok(found)
}
