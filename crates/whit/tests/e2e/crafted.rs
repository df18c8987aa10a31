//! Images made by hand, with what no engine would write.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::support::tool;

/// A layer under construction.
#[derive(Clone, Default)]
pub struct Layer {
    entries: Vec<(Header, Vec<u8>)>,
}

impl Layer {
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(EntryType::Regular, name, "", content)
    }

    pub fn dir(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Symlink, name, target, b"")
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(EntryType::Link, name, target, b"")
    }

    pub fn device(self, name: &str, kind: EntryType) -> Self {
        self.entry(kind, name, "", b"")
    }

    /// A file of `size` bytes, all of them a hole (GNU tar's old sparse form).
    pub fn sparse(self, name: &str, size: u64) -> Self {
        let mut this = self.entry(EntryType::GNUSparse, name, "", b"");
        if let Some((header, _)) = this.entries.last_mut() {
            let gnu = header.as_gnu_mut().unwrap();
            gnu.sparse[0].offset.copy_from_slice(&octal(size));
            gnu.sparse[0].numbytes.copy_from_slice(&octal(0));
            gnu.realsize.copy_from_slice(&octal(size));
            header.set_cksum();
        }
        this
    }

    /// Names are written as they are: `tar` itself would refuse some.
    fn entry(mut self, kind: EntryType, name: &str, target: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(content.len() as u64);
        header.set_device_major(8).unwrap();
        header.set_device_minor(0).unwrap();
        let gnu = header.as_gnu_mut().unwrap();
        gnu.name[..name.len()].copy_from_slice(name.as_bytes());
        gnu.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        self.entries.push((header, content.to_vec()));
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (header, content) in self.entries {
            builder.append(&header, Cursor::new(content)).unwrap();
        }
        builder.into_inner().unwrap()
    }
}

/// Eleven octal digits and a zero byte; larger numbers as GNU tar writes them.
fn octal(number: u64) -> [u8; 12] {
    let mut field = [0; 12];
    if number < 1 << 33 {
        field[..11].copy_from_slice(format!("{number:011o}").as_bytes());
    } else {
        field[0] = 0x80;
        field[4..].copy_from_slice(&number.to_be_bytes());
    }
    field
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn config(diff_ids: &[String], setting: &Value) -> Vec<u8> {
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": setting,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    serde_json::to_vec(&config).unwrap()
}

/// The setting of images that are not meant to run.
fn data() -> Value {
    json!({ "Cmd": ["/app/data.txt"] })
}

fn archive(files: &[(String, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// As `docker save` writes it, with one layer; `claimed` in place of its
/// digest.
pub fn docker_archive(layer: &[u8], claimed: Option<&str>) -> Vec<u8> {
    let diff_id = claimed.map_or_else(|| diff_id(layer), str::to_owned);
    saved(&[layer], &config(&[diff_id], &data()))
}

/// As `docker save` writes it, with these layers and what an engine calls the
/// config's `config`: `Cmd`, `ExposedPorts`.
pub fn image(layers: &[Vec<u8>], setting: Value) -> Vec<u8> {
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let diff_ids: Vec<String> = layers.iter().map(|layer| diff_id(layer)).collect();
    saved(&layers, &config(&diff_ids, &setting))
}

fn diff_id(layer: &[u8]) -> String {
    format!("sha256:{}", digest(layer))
}

fn saved(layers: &[&[u8]], config: &[u8]) -> Vec<u8> {
    let name = format!("{}.json", digest(config));
    let places: Vec<String> = (0..layers.len())
        .map(|n| format!("{n}/layer.tar"))
        .collect();
    let manifest = json!([{
        "Config": name,
        "RepoTags": ["crafted:latest"],
        "Layers": places,
    }]);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let mut files: Vec<(String, &[u8])> = places.into_iter().zip(layers.iter().copied()).collect();
    files.push((name, config));
    files.push(("manifest.json".to_owned(), &manifest));
    archive(&files)
}

/// An image whose program is `tiny.c`, with a file that it reads, one that it
/// doesn't, a Debian package that nothing needs, and litter.
pub fn tiny(setting: Value) -> Vec<u8> {
    let status = b"Package: foo\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\
        Maintainer: Nobody <nobody@example.org>\nDescription: a page\n\n";
    let list = b"/.\n/usr\n/usr/share\n/usr/share/foo\n/usr/share/foo/page\n";
    let layer = Layer::default()
        .file("app/tiny", tiny_program())
        .file("app/data.txt", b"some data\n")
        .file("app/extra.txt", b"the user's own\n")
        .file("usr/share/foo/page", b"a page\n")
        .file("var/lib/dpkg/status", status)
        .file("var/lib/dpkg/info/foo.list", list)
        .file("var/cache/apt/archives/foo.deb", b"a package\n");
    image(&[layer.bytes()], setting)
}

/// The program, compiled once: static, with symbols.
pub fn tiny_program() -> &'static [u8] {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/tiny.c");
        tool(
            "cc",
            &[
                "-static",
                "-g",
                "-O1",
                "-o",
                place.to_str().unwrap(),
                source,
            ],
        );
        std::fs::read(place).unwrap()
    })
}

/// What the layer's blob is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blob {
    Honest,
    /// Another byte in it.
    Changed,
    /// Not all of it.
    Shorter,
    Missing,
}

/// An OCI layout in an archive, with one gzip layer.
pub fn oci_archive(layer: &[u8], blob: Blob) -> Vec<u8> {
    let config = config(&[diff_id(layer)], &data());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(layer).unwrap();
    let mut packed = gzip.finish().unwrap();
    let descriptor = |kind: &str, bytes: &[u8]| {
        json!({
            "mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{}", digest(bytes)),
            "size": bytes.len(),
        })
    };
    let manifest = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", &config),
        "layers": [descriptor("layer.v1.tar+gzip", &packed)],
    }))
    .unwrap();
    let index = serde_json::to_vec(&json!({
        "schemaVersion": 2,
        "manifests": [descriptor("manifest.v1+json", &manifest)],
    }))
    .unwrap();
    let place = |bytes: &[u8]| format!("blobs/sha256/{}", digest(bytes));
    let blob_place = place(&packed);
    match blob {
        Blob::Honest | Blob::Missing => {}
        // The operating system in gzip's header: it unpacks all the same.
        Blob::Changed => packed[9] ^= 1,
        Blob::Shorter => packed.truncate(packed.len() - 8),
    }
    let mut files = vec![
        (
            "oci-layout".to_owned(),
            &br#"{"imageLayoutVersion":"1.0.0"}"#[..],
        ),
        ("index.json".to_owned(), &index),
        (place(&manifest), &manifest),
        (place(&config), &config),
    ];
    if blob != Blob::Missing {
        files.push((blob_place, &packed));
    }
    archive(&files)
}
