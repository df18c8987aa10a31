//! What programs say when something of their image is missing.

use super::Reason;
use crate::index::Tree;
use crate::verify;

/// Where programs look for authorities (Go, `crypto/x509/root_linux.go`, and
/// OpenSSL's defaults).
const BUNDLES: [&str; 8] = [
    "etc/ssl/certs/ca-certificates.crt",
    "etc/pki/tls/certs/ca-bundle.crt",
    "etc/ssl/ca-bundle.pem",
    "etc/pki/tls/cacert.pem",
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "etc/ssl/cert.pem",
    "usr/lib/ssl/cert.pem",
    "usr/share/ca-certificates/mozilla",
];

/// What the last words of a program mean, where they are known ones.
pub(super) fn meaning(words: &str, program: &str, tree: &Tree) -> Option<Reason> {
    words.lines().rev().find_map(|line| {
        library(line, program)
            .or_else(|| version(line))
            .or_else(|| module(line))
            .or_else(|| authority(line, tree))
            .or_else(|| network(line))
    })
}

/// glibc's and musl's loaders, and `dlopen`.
fn library(line: &str, program: &str) -> Option<Reason> {
    let name = if let Some((rest, _)) = line.split_once(": cannot open shared object file") {
        rest.rsplit([' ', ':']).next()?
    } else if let Some((_, rest)) = line.split_once("Error loading shared library ") {
        rest.split(':').next()?
    } else {
        return None;
    };
    let by = ["ImportError", "java.lang.UnsatisfiedLinkError"];
    let program = match by.iter().find(|by| line.contains(**by)) {
        Some(by) => format!("an extension ({by})"),
        None => program.to_owned(),
    };
    Some(Reason::NoLibrary {
        program,
        libraries: vec![name.to_owned()],
    })
}

/// ``version `GLIBC_2.34' not found``
fn version(line: &str) -> Option<Reason> {
    let (_, rest) = line.split_once("version `")?;
    let (version, _) = rest.split_once("' not found")?;
    Some(Reason::OldLibrary {
        version: version.to_owned(),
    })
}

fn module(line: &str) -> Option<Reason> {
    let python = [
        "ModuleNotFoundError: No module named ",
        "ImportError: No module named ",
    ];
    let java = [
        "java.lang.ClassNotFoundException: ",
        "java.lang.NoClassDefFoundError: ",
    ];
    let known = [
        ("Python", &python[..]),
        ("Java", &java[..]),
        ("Java", &["Could not find or load main class "]),
        ("Java", &["Unable to access jarfile "]),
        ("Node", &["Error: Cannot find module "]),
        ("Ruby", &["cannot load such file -- "]),
        ("Perl", &["Can't locate "]),
    ];
    known.iter().find_map(|(language, starts)| {
        let rest = starts
            .iter()
            .find_map(|start| line.split_once(start).map(|(_, rest)| rest))?;
        let module = rest.split_whitespace().next()?;
        Some(Reason::NoModule {
            language: (*language).to_owned(),
            module: module.trim_matches(['\'', '"', '(', ')']).to_owned(),
        })
    })
}

fn authority(line: &str, tree: &Tree) -> Option<Reason> {
    let line = line.to_lowercase();
    let unknown = [
        "certificate signed by unknown authority",
        "unable to get local issuer certificate",
        "self-signed certificate in certificate chain",
        "self signed certificate in certificate chain",
        "unable to find valid certification path",
        "no ca certificates",
        "certificate verify failed",
        "trustanchors parameter must be non-empty",
        "error setting certificate verify locations",
    ];
    if !unknown.iter().any(|words| line.contains(words)) {
        return None;
    }
    let has = |path: &str| {
        let file = tree.lookup(&path.into());
        file.is_some_and(|id| tree.node(id).is_dir() || tree.node(id).size() > 0)
    };
    Some(match BUNDLES.iter().any(|path| has(path)) {
        true => Reason::UnknownAuthority,
        false => Reason::NoAuthorities,
    })
}

fn network(line: &str) -> Option<Reason> {
    let lower = line.to_lowercase();
    let known = [
        "temporary failure in name resolution",
        "no such host",
        "name or service not known",
        "could not resolve host",
        "getaddrinfo enotfound",
        "getaddrinfo eai_again",
        "network is unreachable",
        "server misbehaving",
        "java.net.unknownhostexception",
    ];
    known
        .iter()
        .any(|words| lower.contains(words))
        .then(|| Reason::NoNetwork {
            said: verify::printable(line.trim(), 160),
        })
}
