use std::fs;
use std::io::{Read, Write};

use serde_json::{Value, json};

use super::layout::blob_name;
use super::*;

/// A layout in a folder, made blob by blob.
struct Layout {
    dir: tempfile::TempDir,
}

impl Layout {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        fs::write(
            dir.path().join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        Self { dir }
    }

    fn blob(&self, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        fs::write(self.path(digest), bytes).unwrap();
        json!({"digest": digest, "size": bytes.len()})
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.path().join(blob_name(digest))
    }

    fn document(&self, value: &Value) -> Value {
        self.blob(value.to_string().as_bytes())
    }

    /// An image for `architecture` with these layers: stored bytes and tar.
    fn image(&self, architecture: &str, layers: &[(Vec<u8>, Vec<u8>)]) -> Value {
        let diff_ids: Vec<_> = layers.iter().map(|(_, tar)| Digest::of(tar)).collect();
        let config = self.document(&json!({
            "architecture": architecture, "os": "linux",
            "config": {"Cmd": [architecture]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }));
        let layers: Vec<_> = layers.iter().map(|(stored, _)| self.blob(stored)).collect();
        let mut descriptor = self.document(&json!({
            "schemaVersion": 2, "config": config, "layers": layers,
        }));
        descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
        descriptor
    }

    fn index(&self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        fs::write(self.dir.path().join("index.json"), index.to_string()).unwrap();
    }

    fn open(&self, name: Option<&str>, platform: Option<&str>) -> Result<Image, ImageError> {
        let reference = Reference::Oci {
            dir: self.dir.path().to_path_buf(),
            name: name.map(str::to_owned),
        };
        Image::open(&reference, &options(platform))
    }
}

fn options(platform: Option<&str>) -> Options {
    Options {
        platform: platform.map(|text| text.parse().unwrap()),
        scratch: std::env::temp_dir(),
        limits: Limits::default(),
        transports: Transports::default(),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, *content).unwrap();
    }
    out.into_inner().unwrap()
}

fn drain(image: &Image, layer: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    image
        .open_layer(layer)
        .unwrap()
        .unwrap()
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[test]
fn layers_in_every_compression() {
    let layout = Layout::new();
    let tar = tar(&[("a", &[7; 300_000])]);
    // Several members, as pigz and estargz write them.
    let (head, tail) = tar.split_at(1000);
    let members = [gzip(head), gzip(tail)].concat();
    let stored = [
        tar.clone(),
        gzip(&tar),
        members,
        zstd::encode_all(&tar[..], 1).unwrap(),
    ];
    let layers: Vec<_> = stored.into_iter().map(|s| (s, tar.clone())).collect();
    layout.index(&[layout.image("amd64", &layers)]);
    let image = layout.open(None, None).unwrap();
    assert_eq!(image.layers().len(), 4);
    for layer in 0..4 {
        assert_eq!(drain(&image, layer).unwrap(), tar, "layer {layer}");
    }
    assert!(image.open_layer(4).is_none());
    assert_eq!(image.config().cmd(), ["amd64"]);
}

#[test]
fn the_platform_is_found_in_nested_indexes() {
    let layout = Layout::new();
    let layer = || vec![(tar(&[]), tar(&[]))];
    let arm = layout.image("arm64", &layer());
    let intel = layout.image("amd64", &layer());
    let inner = layout.document(&json!({"schemaVersion": 2, "manifests": [arm, intel]}));
    layout.index(&[inner]);
    let cmd = |platform| layout.open(None, platform).unwrap().config().cmd();
    assert_eq!(cmd(Some("linux/arm64")), ["arm64"]);
    assert_eq!(cmd(Some("linux/amd64")), ["amd64"]);
    let error = layout.open(None, Some("linux/s390x")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("there is linux/arm64, linux/amd64")
    );
}

#[test]
fn an_index_of_itself_ends() {
    let layout = Layout::new();
    let mut inner = layout.document(&json!({"manifests": []}));
    for _ in 0..10 {
        inner = layout.document(&json!({"manifests": [inner]}));
    }
    layout.index(&[inner]);
    let error = layout.open(None, None).unwrap_err().to_string();
    assert!(error.contains("too deeply"), "{error}");
}

#[test]
fn damaged_documents_are_refused() {
    let layout = Layout::new();
    let descriptor = layout.image("amd64", &[]);
    layout.index(std::slice::from_ref(&descriptor));
    let digest: Digest = serde_json::from_value(descriptor["digest"].clone()).unwrap();
    let path = layout.path(digest);
    let good = fs::read(&path).unwrap();

    let mut flipped = good.clone();
    flipped[3] ^= 1;
    fs::write(&path, &flipped).unwrap();
    assert!(matches!(
        layout.open(None, None),
        Err(ImageError::Digest { .. })
    ));
    fs::write(&path, &good[1..]).unwrap();
    assert!(matches!(
        layout.open(None, None),
        Err(ImageError::Size { .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        layout.open(None, None),
        Err(ImageError::Missing { .. })
    ));
    let file = fs::File::create(&path).unwrap();
    file.set_len(9 << 20).unwrap();
    assert!(matches!(
        layout.open(None, None),
        Err(ImageError::TooLong { .. })
    ));
}

#[test]
fn damaged_layers_end_in_an_error() {
    let tar = tar(&[("a", &[7; 300_000])]);
    for stored in [
        tar.clone(),
        gzip(&tar),
        zstd::encode_all(&tar[..], 1).unwrap(),
    ] {
        let layout = Layout::new();
        layout.index(&[layout.image("amd64", &[(stored.clone(), tar.clone())])]);
        let path = layout.path(Digest::of(&stored));
        let mut flipped = stored.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        fs::write(&path, &flipped).unwrap();
        let image = layout.open(None, None).unwrap();
        let error = drain(&image, 0).unwrap_err().to_string();
        assert!(
            error.starts_with("layer 1 of 1 (sha256:") && error.contains("its bytes give"),
            "{error}"
        );
        fs::write(&path, &stored[..stored.len() - 1]).unwrap();
        let error = layout.open(None, None).unwrap_err();
        assert!(matches!(error, ImageError::Size { .. }), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn the_tar_must_be_the_one_of_the_configuration() {
    let layout = Layout::new();
    let (tar, other) = (tar(&[("a", b"x")]), tar(&[("a", b"y")]));
    layout.index(&[layout.image("amd64", &[(gzip(&tar), other)])]);
    let image = layout.open(None, None).unwrap();
    let error = drain(&image, 0).unwrap_err().to_string();
    assert!(error.starts_with("the tar of layer 1 of 1"), "{error}");
}

/// Bytes that no compression makes smaller.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = |_| {
        // Knuth's generator (TAOCP, volume 2, 3.3.4).
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..count).map(next).collect()
}

#[test]
fn shares_of_the_stored_layer_are_measured() {
    let layout = Layout::new();
    let contents = [noise(300_000), vec![0; 600_000], noise(50_000)];
    let tar = tar(&[
        ("first", &contents[0]),
        ("zeros", &contents[1]),
        ("last", &contents[2]),
    ]);
    let (head, tail) = tar.split_at(150_000);
    let members = [gzip(head), gzip(tail)].concat();
    let alone = |compress: fn(&[u8]) -> Vec<u8>| contents.each_ref().map(|it| compress(it).len());
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    // Right to a step, which is 4 KiB, or a block of zstd, and the headers.
    let stored = [
        (tar.clone(), contents.each_ref().map(Vec::len), 2_000),
        (gzip(&tar), alone(gzip), 5_000),
        (members, alone(gzip), 5_000),
        (zstd(&tar), alone(zstd), 132_000 / 2),
    ];
    let layers: Vec<_> = stored
        .iter()
        .map(|(stored, ..)| (stored.clone(), tar.clone()))
        .collect();
    layout.index(&[layout.image("amd64", &layers)]);
    let image = layout.open(None, None).unwrap();
    for (i, (stored, expected, tolerance)) in stored.iter().enumerate() {
        let mut reader = image.read_layer(i).unwrap().unwrap();
        let mut starts = Vec::new();
        while reader.next().unwrap().is_some() {
            starts.push(reader.start());
        }
        let offsets = reader.source().offsets();
        let shares = offsets.shares(&starts, reader.start());
        for (share, expected) in shares.iter().zip(expected) {
            let wrong = share.abs_diff(*expected as u64);
            assert!(wrong < *tolerance, "layer {i}: {shares:?}");
        }
        assert_eq!(
            shares.iter().sum::<u64>(),
            offsets.stored_at(reader.start())
        );
        let unseen = stored.len() as u64 - offsets.stored();
        assert!(
            unseen <= 8,
            "layer {i}: {unseen} bytes of {} are nobody's",
            stored.len()
        );
    }
}

#[test]
fn a_reader_that_stops_early_leaves_nobody_waiting() {
    let layout = Layout::new();
    let tar = tar(&[("a", &[7; 30_000_000])]);
    layout.index(&[layout.image("amd64", &[(gzip(&tar), tar)])]);
    let image = layout.open(None, None).unwrap();
    let mut stream = image.open_layer(0).unwrap().unwrap();
    stream.read_exact(&mut [0; 10]).unwrap();
}

#[test]
fn docker_archives_with_links_between_layers() {
    let layer = tar(&[("a", b"x")]);
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": {"diff_ids": [Digest::of(&layer), Digest::of(&layer)]},
    })
    .to_string();
    let name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    let manifest = json!([{
        "Config": name, "RepoTags": ["app:1"],
        "Layers": ["one/layer.tar", "two/layer.tar"],
    }])
    .to_string();
    let mut out = tar::Builder::new(Vec::new());
    for (name, content) in [
        (name.as_str(), config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
        ("one/layer.tar", &layer),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        out.append_data(&mut header, name, content).unwrap();
    }
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    out.append_link(&mut header, "two/layer.tar", "../one/layer.tar")
        .unwrap();
    let archive = out.into_inner().unwrap();

    let dir = tempfile::tempdir().unwrap();
    for (file, bytes) in [
        ("plain", archive.clone()),
        ("gzip", gzip(&archive)),
        ("zstd", zstd::encode_all(&archive[..], 1).unwrap()),
    ] {
        let path = dir.path().join(file);
        fs::write(&path, bytes).unwrap();
        let reference = Reference::Path {
            path: path.clone(),
            name: Some("app:1".to_owned()),
        };
        let image = Image::open(&reference, &options(None)).unwrap();
        assert_eq!(image.name(), Some("app:1"));
        assert_eq!(image.manifest_digest(), None);
        assert_eq!(image.config_digest(), Digest::of(config.as_bytes()));
        assert_eq!(drain(&image, 0).unwrap(), layer);
        assert_eq!(drain(&image, 1).unwrap(), layer);
        let other = Reference::DockerArchive {
            file: path,
            name: Some("app:2".to_owned()),
        };
        assert!(matches!(
            Image::open(&other, &options(None)),
            Err(ImageError::NoSuchName { .. })
        ));
    }
    let path = dir.path().join("cut");
    fs::write(&path, &archive[..1300]).unwrap();
    let reference = Reference::Path { path, name: None };
    let error = Image::open(&reference, &options(None)).unwrap_err();
    assert!(matches!(error, ImageError::Archive { .. }), "{error}");
}

/// Since version 25, `docker save` writes a layout and a `manifest.json` that
/// names its blobs.
#[test]
fn archives_that_are_layouts_too() {
    let layout = Layout::new();
    let layer = tar(&[("a", b"x")]);
    let mut descriptor = layout.image("amd64", &[(layer.clone(), layer.clone())]);
    descriptor["annotations"] = json!({
        "io.containerd.image.name": "docker.io/library/app:1",
        "org.opencontainers.image.ref.name": "1",
    });
    layout.index(std::slice::from_ref(&descriptor));
    let image = layout.open(None, None).unwrap();
    let manifest = json!([{
        "Config": blob_name(image.config_digest()),
        "RepoTags": ["app:1"],
        "Layers": [blob_name(Digest::of(&layer))],
    }]);
    fs::write(
        layout.dir.path().join("manifest.json"),
        manifest.to_string(),
    )
    .unwrap();
    let mut out = tar::Builder::new(Vec::new());
    out.append_dir_all("", layout.dir.path()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.tar");
    fs::write(&file, out.into_inner().unwrap()).unwrap();

    let open = |text: &str| {
        let text = text.replace('%', file.to_str().unwrap());
        Image::open(&Reference::parse(&text).unwrap(), &options(None))
    };
    for text in [
        "%",
        "%:app:1",
        "%:1",
        "oci-archive:%",
        "docker-archive:%:app:1",
    ] {
        let found = open(text).unwrap();
        assert_eq!(found.config_digest(), image.config_digest(), "{text}");
        assert_eq!(found.layers()[0].digest, Some(Digest::of(&layer)));
        assert_eq!(drain(&found, 0).unwrap(), layer);
    }
    assert_eq!(
        open("%").unwrap().manifest_digest(),
        image.manifest_digest()
    );
    assert_eq!(open("docker-archive:%").unwrap().manifest_digest(), None);
}

#[test]
fn an_archive_may_not_have_too_many_members() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.tar");
    fs::write(&path, tar(&[("a", b""), ("b", b""), ("c", b"")])).unwrap();
    let mut options = options(None);
    options.limits.members = 2;
    let error = Image::open(&Reference::Path { path, name: None }, &options).unwrap_err();
    assert!(matches!(error, ImageError::TooMany { .. }), "{error}");
}
