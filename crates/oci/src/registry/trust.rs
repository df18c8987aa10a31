//! Whose certificates are believed, and which one whit shows: the system's
//! authorities, and for one registry what containers-certs.d(5) has for it.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::RegistryError;

/// TLS with a registry; `folders` are those that have a folder per registry,
/// like `/etc/containers/certs.d`.
pub(super) fn tls(host: &str, folders: &[PathBuf]) -> Result<TlsConfig, RegistryError> {
    let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.join(host)).collect();
    let mut client = None;
    for folder in &folders {
        client = match client {
            None => own_certificate(folder)?,
            found => found,
        };
    }
    Ok(TlsConfig::builder()
        .root_certs(roots(&folders)?)
        .client_cert(client)
        .build())
}

/// The authorities that are believed: the files `*.crt`, beside the system's.
fn roots(folders: &[PathBuf]) -> Result<RootCerts, RegistryError> {
    let mut own = Vec::new();
    for folder in folders {
        for path in files(folder, "crt") {
            own.extend(certificates(&path)?);
        }
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

/// The certificate that is shown to a registry that asks for one: the first
/// `NAME.cert`, with its key in `NAME.key`.
fn own_certificate(folder: &Path) -> Result<Option<ClientCert>, RegistryError> {
    let Some(path) = files(folder, "cert").into_iter().next() else {
        return Ok(None);
    };
    let chain = certificates(&path)?;
    let key_path = path.with_extension("key");
    let wrong = |cause: &dyn std::fmt::Display| RegistryError::File {
        path: key_path.clone(),
        cause: cause.to_string(),
    };
    let pem = fs::read(&key_path).map_err(|error| wrong(&error))?;
    let key = PrivateKey::from_pem(&pem).map_err(|error| wrong(&error))?;
    // ureq takes it for granted that they belong together.
    let provider = ring::default_provider();
    let parts = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(&error))?;
    let der = chain
        .iter()
        .map(|one| CertificateDer::from(one.der().to_vec()))
        .collect();
    CertifiedKey::from_der(der, parts, &provider)
        .map_err(|error| wrong(&format!("with {}: {error}", path.display())))?;
    Ok(Some(ClientCert::new_with_certs(&chain, key)))
}

/// The files of a folder, which need not be there, with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, RegistryError> {
    let wrong = |cause: String| RegistryError::File {
        path: path.to_path_buf(),
        cause,
    };
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&pem) {
        match item.map_err(|error| wrong(error.to_string()))? {
            PemItem::Certificate(certificate) => found.push(certificate),
            _ => return Err(wrong("it is no certificate".to_owned())),
        }
    }
    match found.is_empty() {
        true => Err(wrong("it holds no certificate".to_owned())),
        false => Ok(found),
    }
}
