//! Images written as text, read as streams.

use std::io::Write;
use std::path::Path;

use serde_json::json;
use whit_oci::{Compression, Digest, Image, Limits, Options, Reference};

use super::*;

/// A layer of `PATH`, `PATH/`, `PATH -> TARGET`, `PATH = CONTENT`, `PATH =>
/// TARGET` for a hard link, and `-PATH` for a whiteout.
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
fn archive(layers: &[&[&str]], file: &Path) {
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
        add(name, tar);
    }
    add("config.json", config.to_string().as_bytes());
    add("manifest.json", manifest.to_string().as_bytes());
    builder.into_inner().unwrap().flush().unwrap();
}

fn inventory(layers: &[&[&str]]) -> Inventory {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("image.tar");
    archive(layers, &file);
    let options = Options {
        platform: None,
        scratch: dir.path().to_owned(),
        limits: Limits::default(),
    };
    let reference = Reference::parse(file.to_str().unwrap()).unwrap();
    let image = Image::open(&reference, &options).unwrap();
    let detail = Detail {
        digests: true,
        recompress: vec![Compression::Gzip { level: 9 }],
    };
    read(&image, &detail, &|| false).unwrap()
}

fn waste(inventory: &Inventory) -> Vec<String> {
    inventory
        .waste
        .iter()
        .map(|waste| {
            format!(
                "{} {} {}->{} {:?}",
                waste.path, waste.bytes, waste.layer, waste.by, waste.fate
            )
        })
        .collect()
}

#[test]
fn layers_less_waste_are_the_merged_tree() {
    let inventory = inventory(&[
        &[
            "a/x = 12345",
            "a/y = 123",
            "a/gone = 1234567",
            "same = 22",
            "link -> a/x",
        ],
        &["-a/gone", "a/y = 1234", "same = 22", "new = 1"],
    ]);
    assert_eq!(
        waste(&inventory),
        [
            "/a/gone 7 0->1 Deleted",
            "/a/y 3 0->1 Replaced",
            "/same 2 0->1 Repeated"
        ]
    );
    assert_eq!(inventory.bytes(), 17 + 7);
    assert_eq!(inventory.merged_bytes(), 12);
    let wasted: u64 = inventory.waste.iter().map(|waste| waste.bytes).sum();
    assert_eq!(inventory.bytes() - wasted, inventory.merged_bytes());
    let [lower, upper] = &inventory.layers[..] else {
        panic!("two layers");
    };
    assert_eq!((lower.entries, lower.bytes, lower.link_bytes), (5, 17, 3));
    assert_eq!((upper.entries, upper.bytes), (3, 7));
    assert_eq!(lower.stored, lower.tar);
    assert!(lower.wire.estimated && lower.wire.bytes < lower.tar);
    assert!(lower.recompressed[0].1 < lower.tar);
    assert_eq!([&*lower.created_by, &*upper.created_by], ["FROM", "RUN"]);
}

#[test]
fn a_hard_link_is_lost_with_its_last_name() {
    let inventory = inventory(&[
        &["a = 12345", "b => a", "c = 12345", "d => c"],
        &["-a"],
        &["-c", "-d", "e => b"],
    ]);
    assert_eq!(waste(&inventory), ["/d 5 0->2 Deleted"]);
    assert_eq!(inventory.merged_bytes(), 5);
    assert!(duplicates(&inventory).is_empty());
    let e = inventory.tree.get(&"e".into()).unwrap();
    assert!(inventory.content(e).unwrap().digest.is_some());
}

#[test]
fn sums_by_package_and_type_come_to_the_same() {
    let inventory = inventory(&[
        &[
            "var/lib/dpkg/status = Package: libz\\nStatus: install ok installed\\nVersion: 1\\n",
            "var/lib/dpkg/info/libz.list = /usr/lib/libz.so\\n",
            "usr/lib/libz.so = 1234",
        ],
        &["app/main.py = pass", "app/twin.py = pass", "app/empty.py"],
    ]);
    let names: Vec<_> = by_package(&inventory)
        .into_iter()
        .map(|(package, sum)| {
            let name = package.map(|id| inventory.tree.package(id).name.clone());
            (name.unwrap_or_default(), sum.files)
        })
        .collect();
    assert_eq!(names, [(String::new(), 4), ("libz".to_owned(), 2)]);
    let total = inventory.merged_bytes();
    let sum = |sums: &mut dyn Iterator<Item = Sum>| sums.map(|sum| sum.bytes).sum::<u64>();
    assert_eq!(sum(&mut by_package(&inventory).into_values()), total);
    assert_eq!(sum(&mut by_type(&inventory).into_values()), total);
    assert_eq!(by_folder(&inventory)[&ImagePath::root()].bytes, total);
    assert_eq!(by_type(&inventory)[&FileType::Python].files, 3);
    let twins = duplicates(&inventory);
    assert_eq!((twins.len(), twins[0].wasted()), (1, 4));
}
