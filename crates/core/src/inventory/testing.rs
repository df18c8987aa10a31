//! Images written as text, for tests.

use std::io::Write;
use std::path::Path;

use serde_json::json;
use whit_oci::{Compression, Digest, Image, Limits, Options, Reference};

use super::{Detail, Inventory, read};

fn tar(lines: &[&str]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for line in lines {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        if let Some(path) = line.strip_prefix('-') {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
            let path = format!("{folder}/.wh.{name}");
            let path = path.trim_start_matches('/');
            builder.append_data(&mut header, path, &b""[..]).unwrap();
        } else if let Some((path, target)) = line.split_once(" => ") {
            header.set_entry_type(tar::EntryType::Link);
            builder.append_link(&mut header, path, target).unwrap();
        } else if let Some((path, target)) = line.split_once(" -> ") {
            header.set_entry_type(tar::EntryType::Symlink);
            builder.append_link(&mut header, path, target).unwrap();
        } else if line.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            builder.append_data(&mut header, line, &b""[..]).unwrap();
        } else {
            let (path, content) = line.split_once(" = ").unwrap_or((line, ""));
            let content = content.replace("\\n", "\n");
            header.set_size(content.len() as u64);
            builder
                .append_data(&mut header, path, content.as_bytes())
                .unwrap();
        }
    }
    builder.into_inner().unwrap()
}

/// As `docker save` writes it.
fn archive(layers: &[&[&str]], file: &Path, pack: fn(&[u8]) -> Vec<u8>) {
    let tars: Vec<Vec<u8>> = layers.iter().map(|lines| tar(lines)).collect();
    let ids: Vec<Digest> = tars.iter().map(|tar| Digest::of(tar)).collect();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": ids},
        "history": [{"created_by": "FROM"}, {"created_by": "ENV", "empty_layer": true},
            {"created_by": "RUN"}],
    });
    let names: Vec<String> = (0..tars.len()).map(|i| format!("{i}.tar")).collect();
    let manifest = json!([{"Config": "config.json", "Layers": names}]);
    let mut builder = tar::Builder::new(std::fs::File::create(file).unwrap());
    let mut add = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, bytes).unwrap();
    };
    for (name, tar) in names.iter().zip(&tars) {
        add(name, &pack(tar));
    }
    add("config.json", config.to_string().as_bytes());
    add("manifest.json", manifest.to_string().as_bytes());
    builder.into_inner().unwrap().flush().unwrap();
}

/// An image in a folder of its own.
pub struct Crafted {
    dir: tempfile::TempDir,
}

impl Crafted {
    /// Layers of `PATH`, `PATH/`, `PATH -> TARGET`, `PATH = CONTENT` (with
    /// `\\n` for a new line), `PATH => TARGET` for a hard link, and `-PATH` for
    /// a whiteout.
    pub fn new(layers: &[&[&str]]) -> Self {
        Self::packed(layers, <[u8]>::to_vec)
    }

    /// The same with compressed layers.
    pub fn gzipped(layers: &[&[&str]]) -> Self {
        Self::packed(layers, |tar| {
            let level = flate2::Compression::default();
            let mut out = flate2::write::GzEncoder::new(Vec::new(), level);
            out.write_all(tar).unwrap();
            out.finish().unwrap()
        })
    }

    fn packed(layers: &[&[&str]], pack: fn(&[u8]) -> Vec<u8>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        archive(layers, &dir.path().join("image.tar"), pack);
        Self { dir }
    }

    pub fn image(&self) -> Image {
        let options = Options {
            platform: None,
            scratch: self.dir.path().to_owned(),
            limits: Limits::default(),
            transports: whit_oci::Transports::default(),
        };
        let file = self.dir.path().join("image.tar");
        let reference = Reference::parse(file.to_str().unwrap()).unwrap();
        Image::open(&reference, &options).unwrap()
    }
}

/// The inventory of such an image, with digests.
pub fn inventory(layers: &[&[&str]]) -> Inventory {
    let detail = Detail {
        digests: true,
        recompress: vec![Compression::Zstd { level: 1 }],
        measure_plain: false,
    };
    read(&Crafted::new(layers).image(), &detail, &|| false).unwrap()
}
