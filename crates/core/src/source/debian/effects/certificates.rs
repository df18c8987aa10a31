//! `ca-certificates`: one file with all certificates (update-ca-certificates(8)).
//!
//! The thousand links by hash that `openssl rehash` makes beside it are left
//! out: OpenSSL looks for them only after the bundle, which `openssl` of both
//! releases has as `/usr/lib/ssl/cert.pem`, and everything else (GnuTLS, curl,
//! Go, Rust, requests' users) reads the bundle alone.

use whit_oci::{ImagePath, Kind};

use super::super::root::{Result, Root};
use super::exists;

const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";
/// Where OpenSSL looks first (`X509_get_default_cert_file`).
const OF_OPENSSL: &str = "usr/lib/ssl/cert.pem";

/// Writes the bundle: the package's certificates in the order of their names,
/// then those of the local administrator.
pub fn bundle(root: &mut Root) -> Result<()> {
    let mut bundle = Vec::new();
    for folder in [
        "usr/share/ca-certificates",
        "usr/local/share/ca-certificates",
    ] {
        for path in certificates(root, folder) {
            let Some(bytes) = root.read(&path) else {
                continue;
            };
            bundle.extend_from_slice(&bytes);
            if bytes.last().is_some_and(|byte| *byte != b'\n') {
                bundle.push(b'\n');
            }
        }
    }
    if bundle.is_empty() || exists(root, BUNDLE) {
        return Ok(());
    }
    root.put_file(BUNDLE, 0o644, &bundle)?;
    if !exists(root, OF_OPENSSL) {
        root.put_link(OF_OPENSSL, &format!("/{BUNDLE}"))?;
    }
    Ok(())
}

/// All of a folder's certificates: each is trusted unless somebody says
/// otherwise, which is what the package's question is about.
fn certificates(root: &Root, folder: &str) -> Vec<ImagePath> {
    root.below(&ImagePath::from(folder))
        .filter(|entry| entry.path.extension() == Some(b"crt") && entry.kind != Kind::Dir)
        .map(|entry| entry.path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_with_line_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        for (path, content) in [
            ("usr/local/share/ca-certificates/a.crt", "local\n"),
            ("usr/share/ca-certificates/mozilla/b.crt", "b"),
            ("usr/share/ca-certificates/mozilla/A.crt", "A\n"),
            ("usr/share/ca-certificates/mozilla/README", "no"),
        ] {
            root.put_file(path, 0o644, content.as_bytes()).unwrap();
        }
        bundle(&mut root).unwrap();
        assert_eq!(root.read(&BUNDLE.into()).unwrap(), b"A\nb\nlocal\n");
        assert_eq!(root.read(&OF_OPENSSL.into()).unwrap(), b"A\nb\nlocal\n");
    }

    #[test]
    fn no_certificates_no_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let mut root = Root::new(dir.path());
        bundle(&mut root).unwrap();
        assert_eq!(root.get(&BUNDLE.into()), None);
    }
}
