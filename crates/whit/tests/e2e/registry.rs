//! Debian's `docker-registry`, as the tests need it.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::support::{Bench, soon, tool};

/// The password `secret`, as bcrypt has it with the fewest rounds.
const HTPASSWD: &str = "me:$2b$04$VALC1EUCE7lpFQbnu/G2bup.axK9H2SioL8kgSjcGbteAGHsKa8H2\n";
/// `me:secret`
pub const AUTH: &str = "bWU6c2VjcmV0";

/// Debian's `docker-registry` on loopback.
pub struct Registry {
    child: Child,
    pub address: String,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Guard {
    Nobody,
    Password,
    Certificate,
    /// It wants to see one of its own authority, too.
    BothCertificates,
}

impl Registry {
    pub fn start(bench: &Bench, guard: Guard) -> Self {
        let address = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().to_string()
        };
        let at = |name: &str| bench.path(name).to_str().unwrap().to_owned();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http:\n  addr: {address}\n",
            at("registry")
        );
        match guard {
            Guard::Nobody => {}
            Guard::Password => {
                std::fs::write(at("htpasswd"), HTPASSWD).unwrap();
                config.push_str(&format!(
                    "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                    at("htpasswd")
                ));
            }
            Guard::Certificate | Guard::BothCertificates => {
                certificates(bench);
                config.push_str(&format!(
                    "  tls:\n    certificate: {}\n    key: {}\n",
                    at("server.crt"),
                    at("server.key")
                ));
            }
        }
        if guard == Guard::BothCertificates {
            config.push_str(&format!("    clientcas: [{}]\n", at("ca.crt")));
        }
        std::fs::write(at("registry.yml"), config).unwrap();
        let child = Command::new("docker-registry")
            .args(["serve", &at("registry.yml")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(soon(|| TcpStream::connect(&address).is_ok()));
        Self { child, address }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority, and certificates that it signed: `server`, for 127.0.0.1, and
/// `client`.
fn certificates(bench: &Bench) {
    let at = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let request = |more: &[&str]| {
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
        tool("openssl", &[&["req", "-nodes"], &curve[..], more].concat());
    };
    let (key, certificate) = (at("ca.key"), at("ca.crt"));
    let whose = ["-subj", "/CN=whit test authority"];
    let to = ["-keyout", &key, "-out", &certificate];
    request(&[&["-x509", "-days", "2"], &whose[..], &to].concat());
    for (name, subject) in [("server", "/CN=127.0.0.1"), ("client", "/CN=me")] {
        let file = |end: &str| at(&format!("{name}.{end}"));
        let to = ["-keyout", &file("key"), "-out", &file("csr")];
        request(&[&["-subj", subject], &to[..]].concat());
        std::fs::write(at("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let sign = ["-CA", &certificate, "-CAkey", &key, "-CAcreateserial"];
        let names = ["-extfile", &at("names"), "-days", "2"];
        let from = ["-in", &file("csr"), "-out", &file("crt")];
        tool(
            "openssl",
            &[&["x509", "-req"], &sign[..], &names, &from].concat(),
        );
    }
}
