//! Images made by hand, with what no engine would write.

use std::io::{Cursor, Write};

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

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

fn config(diff_ids: &[String]) -> Vec<u8> {
    let config = json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": { "Cmd": ["/app/data.txt"] },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    serde_json::to_vec(&config).unwrap()
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

/// As `docker save` writes it; `claimed` in place of the layer's digest.
pub fn docker_archive(layer: &[u8], claimed: Option<&str>) -> Vec<u8> {
    let diff_id = format!("sha256:{}", digest(layer));
    saved(&[layer], &[claimed.unwrap_or(&diff_id).to_owned()])
}

/// The same of several layers, the bottom one first.
pub fn docker_image(layers: &[&[u8]]) -> Vec<u8> {
    let diff_id = |layer: &&[u8]| format!("sha256:{}", digest(layer));
    let diff_ids: Vec<String> = layers.iter().map(diff_id).collect();
    saved(layers, &diff_ids)
}

fn saved(layers: &[&[u8]], diff_ids: &[String]) -> Vec<u8> {
    let config = config(diff_ids);
    let name = format!("{}.json", digest(&config));
    let places: Vec<String> = (1..=layers.len())
        .map(|i| format!("{i}/layer.tar"))
        .collect();
    let manifest = json!([{
        "Config": name,
        "RepoTags": ["crafted:latest"],
        "Layers": places,
    }]);
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let mut files: Vec<(String, &[u8])> = places.into_iter().zip(layers.iter().copied()).collect();
    files.push((name, &config));
    files.push(("manifest.json".to_owned(), &manifest));
    archive(&files)
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
    let config = config(&[format!("sha256:{}", digest(layer))]);
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
