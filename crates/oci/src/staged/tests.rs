use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::json;

use super::*;
use crate::{Compression, LayerWriter};

const DATE: i64 = 1_700_000_000;

impl Staged {
    /// Commits what is a file or a folder, and returns where it is.
    fn named(self) -> Result<PathBuf, WriteError> {
        let place = self.destination.path().unwrap().to_path_buf();
        self.commit(&Transports::default())?;
        Ok(place)
    }
}

struct Bench {
    dir: TempDir,
    layers: Vec<WrittenLayer>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        let layers = ["a", "b", "a"]
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let path = dir.path().join("work").join(at.to_string());
                let mut writer = LayerWriter::create(&path, Compression::default()).unwrap();
                let entry = Entry {
                    path: (*name).into(),
                    kind: Kind::File { size: 1 },
                    meta: Meta::default(),
                };
                writer.append(&entry, &mut name.as_bytes()).unwrap();
                let mut layer = writer.finish().unwrap();
                layer.created_by = format!("whit: {name}");
                layer
            })
            .collect();
        Self { dir, layers }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn stage(&self, destination: &str) -> Result<Staged, WriteError> {
        let (kind, rest) = destination.split_once(':').unwrap();
        let place = format!("{kind}:{}/{rest}", self.dir.path().display());
        let annotations = [("org.opencontainers.image.title".to_owned(), "t".to_owned())];
        let mut config = ImageConfig::new("amd64");
        config.set_exec("Cmd", json!(["/a"]));
        let destination = place.parse().unwrap();
        stage(
            &destination,
            &config,
            &self.layers,
            &annotations.into(),
            DATE,
            self.dir.path(),
        )
    }

    /// What is there besides the layers' folder.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "work")
            .collect();
        names.sort();
        names
    }
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn members(archive: &Path) -> Vec<(String, Vec<u8>)> {
    tar::Archive::new(File::open(archive).unwrap())
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let path = entry.path().unwrap().display().to_string();
            (path, bytes)
        })
        .collect()
}

#[test]
fn a_docker_archive_is_a_layout_too() {
    let bench = Bench::new();
    let staged = bench.stage("docker-archive:app.tar:shop/app:1").unwrap();
    let manifest_digest = staged.manifest_digest();
    let place = staged.named().unwrap();
    assert_eq!(bench.names(), ["app.tar"]);
    let members = members(&place);
    let names: Vec<&str> = members.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names[..3], ["oci-layout", "index.json", "manifest.json"]);
    assert_eq!(names[3..5], ["blobs/", "blobs/sha256/"]);
    // Configuration, manifest, and the two layers that differ.
    assert_eq!(names.len(), 9);
    let blob = |digest: &str| {
        let path = digest.replace("sha256:", "blobs/sha256/");
        let bytes = &members.iter().find(|(name, _)| *name == path).unwrap().1;
        assert_eq!(
            Digest::of(bytes).to_string(),
            digest.replace("blobs/sha256/", "sha256:")
        );
        bytes.clone()
    };

    let index = json_of(&members[1].1);
    let image = &index["manifests"][0];
    assert_eq!(image["digest"], manifest_digest.to_string());
    assert_eq!(
        image["platform"],
        json!({"architecture": "amd64", "os": "linux"})
    );
    assert_eq!(
        image["annotations"],
        json!({
            "org.opencontainers.image.ref.name": "1",
            "io.containerd.image.name": "docker.io/shop/app:1",
        })
    );
    let manifest = json_of(&blob(image["digest"].as_str().unwrap()));
    assert_eq!(
        manifest["annotations"]["org.opencontainers.image.title"],
        "t"
    );
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 3);
    let config = json_of(&blob(manifest["config"]["digest"].as_str().unwrap()));
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(config["config"]["Cmd"], json!(["/a"]));
    assert_eq!(config["history"][1]["created_by"], "whit: b");
    for (at, layer) in bench.layers.iter().enumerate() {
        assert_eq!(config["rootfs"]["diff_ids"][at], layer.diff_id.to_string());
        assert_eq!(manifest["layers"][at]["digest"], layer.digest.to_string());
        assert_eq!(manifest["layers"][at]["size"], layer.size);
    }

    let docker = json_of(&members[2].1);
    assert_eq!(docker[0]["RepoTags"], json!(["shop/app:1"]));
    assert_eq!(
        json_of(&blob(docker[0]["Config"].as_str().unwrap())),
        config
    );
    for layer in docker[0]["Layers"].as_array().unwrap() {
        blob(layer.as_str().unwrap());
    }
}

#[test]
fn the_same_image_is_the_same_bytes() {
    let bench = Bench::new();
    for (kind, digest) in [
        (
            "docker-archive",
            "sha256:6aa713346c4da31aafb9130c13470dcf2c53f1ad0b1bb967c3125fea0728a859",
        ),
        (
            "oci-archive",
            "sha256:30f6933b549733e53473f0c242ca07879d4a9e0702bbccef6c3de98214491dd8",
        ),
    ] {
        let one = bench.stage(&format!("{kind}:one.tar:app:1")).unwrap();
        let two = bench.stage(&format!("{kind}:two.tar:app:1")).unwrap();
        let bytes = fs::read(one.named().unwrap()).unwrap();
        assert!(bytes == fs::read(two.named().unwrap()).unwrap());
        assert_eq!(Digest::of(&bytes).to_string(), digest);
    }
}

#[test]
fn nothing_is_left_without_a_commit() {
    let bench = Bench::new();
    for destination in ["docker-archive:a.tar", "oci-archive:a.tar", "oci:a"] {
        let staged = bench.stage(destination).unwrap();
        assert!(staged.location().exists());
        assert!(!bench.at("a.tar").exists() && !bench.at("a").exists());
        drop(staged);
        assert_eq!(bench.names(), [""; 0], "{destination}");
    }
    assert!(bench.layers.iter().all(|layer| layer.path.exists()));
}

#[test]
fn a_layout_keeps_the_images_it_has() {
    let bench = Bench::new();
    fs::create_dir(bench.at("out")).unwrap();
    for reference in ["v1", "v2", "v1"] {
        let staged = bench.stage(&format!("oci:out:{reference}")).unwrap();
        assert!(staged.location().join("index.json").exists());
        staged.named().unwrap();
    }
    let layout = bench.at("out");
    let index = json_of(&fs::read(layout.join("index.json")).unwrap());
    let names: Vec<&Value> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["annotations"][assemble::REF_NAME])
        .collect();
    assert_eq!(names, ["v2", "v1"]);
    assert_eq!(fs::read(layout.join("oci-layout")).unwrap(), LAYOUT);
    let mut entries: Vec<_> = fs::read_dir(&layout)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    entries.sort();
    assert_eq!(entries, ["blobs", "index.json", "oci-layout"]);
    for blob in fs::read_dir(layout.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        let digest = Digest::of(&fs::read(blob.path()).unwrap());
        assert_eq!(blob.file_name().to_str(), Some(&digest.hex()[..]));
    }
}

#[test]
fn a_new_layout_is_as_open_as_the_umask_says() {
    let bench = Bench::new();
    fs::create_dir(bench.at("beside")).unwrap();
    fs::write(bench.at("beside/file"), "").unwrap();
    let layout = bench.stage("oci:out").unwrap().named().unwrap();
    let archive = bench.stage("oci-archive:a.tar").unwrap().named().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().mode();
    assert_eq!(mode(&layout), mode(&bench.at("beside")));
    assert_eq!(mode(&archive), mode(&bench.at("beside/file")));
}

#[test]
fn what_is_in_the_way_stays() {
    let bench = Bench::new();
    fs::create_dir(bench.at("notes")).unwrap();
    fs::write(bench.at("notes/todo"), "buy milk").unwrap();
    fs::create_dir(bench.at("broken")).unwrap();
    fs::write(bench.at("broken/oci-layout"), LAYOUT).unwrap();
    fs::write(bench.at("broken/index.json"), "[").unwrap();
    let before = bench.names();
    for (destination, message, hint) in [
        (
            "oci:notes",
            "exists and is no OCI image layout",
            Some("oci:"),
        ),
        (
            "oci:notes/todo",
            "exists and is no OCI image layout",
            Some("oci:"),
        ),
        (
            "oci-archive:notes/todo",
            "exists and is no image archive",
            Some("rm "),
        ),
        (
            "docker-archive:notes",
            "exists and is no regular file",
            Some("other name"),
        ),
        (
            "docker-archive:gone/a.tar",
            "entity not found",
            Some("mkdir -p "),
        ),
        ("oci:gone/out", "entity not found", Some("mkdir -p ")),
    ] {
        let error = bench.stage(destination).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        let found = error.hint();
        assert!(
            found
                .as_deref()
                .unwrap_or_default()
                .contains(hint.unwrap_or_default()),
            "{destination}: {found:?}"
        );
    }
    let error = bench.stage("oci:broken").unwrap().named().unwrap_err();
    assert!(
        error.to_string().contains("not an image layout's index"),
        "{error}"
    );
    assert_eq!(bench.names(), before);
    assert_eq!(fs::read(bench.at("notes/todo")).unwrap(), b"buy milk");
    assert_eq!(fs::read(bench.at("broken/index.json")).unwrap(), b"[");
}

#[test]
fn a_layer_that_changed_meanwhile_is_noticed() {
    let bench = Bench::new();
    fs::write(&bench.layers[1].path, "shorter").unwrap();
    let error = bench.stage("docker-archive:a.tar").unwrap_err();
    assert!(matches!(error, WriteError::Length { .. }), "{error}");
    assert_eq!(bench.names(), [""; 0]);
}

#[test]
fn what_goes_elsewhere_waits_in_the_scratch_folder() {
    let bench = Bench::new();
    for (text, manifest) in [
        ("docker://127.0.0.1:1/app", Some("index.json")),
        ("docker-daemon:app", None),
    ] {
        let destination: Destination = text.parse().unwrap();
        let config = ImageConfig::new("amd64");
        let (layers, none) = (&bench.layers, BTreeMap::new());
        let staged = stage(&destination, &config, layers, &none, DATE, bench.dir.path()).unwrap();
        assert!(staged.location().starts_with(bench.dir.path()));
        let there = manifest.map_or(staged.location().to_path_buf(), |name| {
            staged.location().join(name)
        });
        assert!(there.is_file());
        // Nobody is there to take it.
        let error = staged.commit(&Transports::default()).unwrap_err();
        assert!(error.hint().is_some(), "{error}");
        assert_eq!(bench.names(), [""; 0]);
    }
}

#[test]
fn a_date_that_no_image_can_carry() {
    let bench = Bench::new();
    let destination = Destination::OciDir {
        dir: bench.at("out"),
        reference: None,
    };
    let config = ImageConfig::new("amd64");
    let error = stage(
        &destination,
        &config,
        &[],
        &BTreeMap::new(),
        i64::MAX,
        bench.dir.path(),
    )
    .unwrap_err();
    assert!(matches!(error, WriteError::Time(i64::MAX)));
}
