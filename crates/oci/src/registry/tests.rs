//! Registries as they are on bad days.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::testing::{Fault, Server};
use super::*;
use crate::image::{Image, ImageError, Options};
use crate::{
    Compression, Destination, Digest, Entry, ImageConfig, Kind, LayerWriter, Limits, Meta,
    Platform, Reference, Staged, Transports, WrittenLayer, media, stage,
};

/// A user with a cache and perhaps a login.
struct Bench {
    dir: TempDir,
    settings: RegistrySettings,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = RegistrySettings {
            cache: dir.path().join("blobs"),
            logins: vec![dir.path().join("config.json")],
            insecure: true,
            ..RegistrySettings::default()
        };
        Self { dir, settings }
    }

    fn login(&self, server: &Server, text: &str) {
        use base64::Engine as _;
        let auth = base64::engine::general_purpose::STANDARD.encode(text);
        let text = format!(
            r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#,
            server.address
        );
        fs::write(self.dir.path().join("config.json"), text).unwrap();
    }

    fn transports(&self) -> Transports {
        Transports::new(
            self.settings.clone(),
            crate::EngineAddress::Unknown,
            crate::EngineAddress::Unknown,
        )
    }

    /// A layer of `size` bytes that do not compress.
    fn layer(&self, seed: u8, size: usize) -> WrittenLayer {
        let path: PathBuf = self.dir.path().join(format!("layer-{seed}-{size}"));
        let mut writer = LayerWriter::create(&path, Compression::None).unwrap();
        let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8 ^ seed).collect();
        let entry = Entry {
            path: "file".into(),
            kind: Kind::File { size: size as u64 },
            meta: Meta::default(),
        };
        writer.append(&entry, &mut content.as_slice()).unwrap();
        writer.finish().unwrap()
    }

    fn staged(&self, name: &str, layers: &[WrittenLayer]) -> Staged {
        let destination: Destination = format!("docker://{name}").parse().unwrap();
        let config = ImageConfig::new("amd64");
        let scratch = self.dir.path();
        stage(&destination, &config, layers, &BTreeMap::new(), 0, scratch).unwrap()
    }

    /// A registry with an image of two layers, `app:1`.
    fn server(&self) -> Server {
        let server = Server::start();
        let layers = [self.layer(1, 200_000), self.layer(2, 100_000)];
        self.staged(&format!("{}/app:1", server.address), &layers)
            .commit(&self.transports())
            .unwrap();
        server.state().log.clear();
        server
    }

    /// Opens the image and reads all of it.
    fn read(&self, name: &str) -> Result<Image, ImageError> {
        self.read_for(name, None)
    }

    fn read_for(&self, name: &str, platform: Option<Platform>) -> Result<Image, ImageError> {
        let reference = Reference::parse(&format!("docker://{name}")).unwrap();
        let options = Options {
            platform,
            scratch: self.dir.path().to_path_buf(),
            limits: Limits::default(),
            transports: self.transports(),
        };
        let image = Image::open(&reference, &options)?;
        for i in 0..image.layers().len() {
            std::io::copy(&mut image.open_layer(i).unwrap()?, &mut std::io::sink()).unwrap();
        }
        Ok(image)
    }
}

/// The error itself, whatever wraps it.
fn registry_error(error: &ImageError) -> &RegistryError {
    match error {
        ImageError::Registry(error) => error,
        error => panic!("{error}"),
    }
}

#[test]
fn what_is_sent_comes_back() {
    let bench = Bench::new();
    let server = bench.server();
    let image = bench.read(&format!("{}/app:1", server.address)).unwrap();
    assert_eq!(image.layers().len(), 2);
    let digest = image.manifest_digest().unwrap();
    let again = bench.read(&format!("{}/app@{digest}", server.address));
    assert_eq!(again.unwrap().manifest_digest(), Some(digest));
    // The second time, the blobs are here.
    assert_eq!(server.asked("GET /v2/app/blobs/"), 3);
    assert_eq!(server.asked("GET /v2/app/manifests/"), 2);
}

#[test]
fn a_bad_day_loses_nothing() {
    use Fault::{HangUp, Lie, Refuse, Silence};
    for (request, fault) in [
        ("/manifests/1", Refuse(429)),
        ("/manifests/1", Refuse(503)),
        ("/manifests/1", HangUp(100)),
        ("/manifests/1", Silence),
        ("/blobs/", Refuse(429)),
        ("/blobs/", Refuse(502)),
        ("/blobs/", Silence),
        ("/blobs/", HangUp(50)),
    ] {
        let bench = Bench::new();
        let server = bench.server();
        server.fail(request, &[fault]);
        bench
            .read(&format!("{}/app:1", server.address))
            .unwrap_or_else(|error| panic!("{request} {fault:?}: {error}"));
        assert!(server.state().faults.is_empty());
    }
    // A mirror that is not there costs a moment, once.
    let mut bench = Bench::new();
    let server = bench.server();
    let rule = format!("{}=127.0.0.1:1", server.address);
    bench.settings.mirrors = vec![rule.parse().unwrap()];
    bench.read(&format!("{}/app:1", server.address)).unwrap();
    assert_eq!(server.asked("/blobs/"), 3);
    // A mirror that lies is not believed, and the registry has it.
    let mut bench = Bench::new();
    let server = bench.server();
    let mirror = bench.server();
    mirror.fail("/blobs/", &[Lie; 6]);
    bench.settings.cache = bench.dir.path().join("other");
    let rule = format!("{}={}", server.address, mirror.address);
    bench.settings.mirrors = vec![rule.parse().unwrap()];
    bench.read(&format!("{}/app:1", server.address)).unwrap();
    assert_eq!(server.asked("/manifests/"), 0);
    assert_eq!(server.asked("/blobs/"), 3);
}

#[test]
fn a_broken_layer_goes_on_where_it_stopped() {
    let bench = Bench::new();
    let server = bench.server();
    let name = format!("{}/app:1", server.address);
    let digest = bench.read(&name).unwrap().layers()[0].digest.unwrap();
    fs::remove_dir_all(&bench.settings.cache).unwrap();
    let blob = format!("/v2/app/blobs/{digest}");
    server.fail(blob.leak(), &[Fault::HangUp(150_000)]);
    bench.read(&name).unwrap();
    assert_eq!(server.asked("bytes=150000-"), 1);
}

#[test]
fn lies_end_in_clear_errors() {
    let error_of = |request, faults: &[Fault]| {
        let bench = Bench::new();
        let server = bench.server();
        server.fail(request, faults);
        let error = bench
            .read(&format!("{}/app:1", server.address))
            .unwrap_err();
        assert!(registry_error(&error).hint().is_some(), "{error}");
        error.to_string()
    };
    let error = error_of("/manifests/1", &[Fault::Lie]);
    assert!(error.contains("sends other bytes than it says"), "{error}");
    let error = error_of("/blobs/", &[Fault::Lie; 3]);
    assert!(
        error.contains("is not the file that was expected"),
        "{error}"
    );
    let error = error_of("/blobs/", &[Fault::Half; 3]);
    assert!(error.contains("were expected"), "{error}");
    assert!(error.contains("blob sha256:"), "{error}");
}

#[test]
fn who_asks_is_told() {
    for tokens in [false, true] {
        let bench = Bench::new();
        let server = bench.server();
        server.state().password = Some("me:secret");
        server.state().tokens = tokens;
        let name = format!("{}/app:1", server.address);
        let error = bench.read(&name).unwrap_err();
        let RegistryError::Denied { anonymous, .. } = registry_error(&error) else {
            panic!("{error}");
        };
        assert!(anonymous);
        let hint = error.hint().unwrap();
        assert!(
            hint.contains(&format!("docker login {}", server.address)),
            "{hint}"
        );

        bench.login(&server, "me:wrong");
        let error = bench.read(&name).unwrap_err();
        assert!(
            error.hint().unwrap().contains("the login that is stored"),
            "{error}"
        );

        bench.login(&server, "me:secret");
        bench.read(&name).unwrap();
        // One question is enough for all blobs.
        let layers = [bench.layer(3, 1000), bench.layer(4, 1000)];
        server.state().log.clear();
        bench
            .staged(&format!("{}/other:1", server.address), &layers)
            .commit(&bench.transports())
            .unwrap();
        assert!(server.asked("/token?") <= 3, "{:?}", server.state().log);
    }
}

#[test]
fn an_identity_is_worth_a_token() {
    let bench = Bench::new();
    let server = bench.server();
    server.state().password = Some("nobody:knows");
    server.state().tokens = true;
    let text = format!(
        r#"{{"auths":{{"{}":{{"identitytoken":"r0"}}}}}}"#,
        server.address
    );
    fs::write(bench.dir.path().join("config.json"), text).unwrap();
    bench.read(&format!("{}/app:1", server.address)).unwrap();
    assert_eq!(server.asked("POST /token"), 1);
}

#[test]
fn an_index_leads_to_the_wanted_platform() {
    let bench = Bench::new();
    let server = bench.server();
    let bytes = server.state().manifests["app/1"].clone();
    let entry = |digest: Digest, architecture: &str| {
        json!({
            "mediaType": media::OCI_MANIFEST,
            "digest": digest,
            "size": bytes.len(),
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let manifest = Digest::of(&bytes);
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media::OCI_INDEX,
        "manifests": [entry(Digest::of(b"gone"), "arm64"), entry(manifest, "amd64")],
    });
    let index = index.to_string().into_bytes();
    server.state().manifests.insert("app/all".to_owned(), index);
    let name = format!("{}/app:all", server.address);
    let read = |platform: &str| bench.read_for(&name, Some(platform.parse().unwrap()));
    let image = read("linux/amd64").unwrap();
    assert_eq!(image.manifest_digest(), Some(manifest));
    let error = read("linux/arm64").unwrap_err();
    assert!(
        matches!(registry_error(&error), RegistryError::Missing { .. }),
        "{error}"
    );
    let error = read("linux/s390x").unwrap_err();
    assert!(error.hint().unwrap().contains("--platform"), "{error}");
}

#[test]
fn what_is_not_there_is_missing() {
    let bench = Bench::new();
    let server = bench.server();
    let error = bench
        .read(&format!("{}/app:2", server.address))
        .unwrap_err();
    assert!(matches!(
        registry_error(&error),
        RegistryError::Missing { .. }
    ));
    assert_eq!(server.asked("/manifests/2"), 1);
    // Nobody listens there: said after a moment, not after a minute.
    let error = bench.read("127.0.0.1:1/app").unwrap_err();
    assert!(
        error.to_string().contains("cannot reach 127.0.0.1:1"),
        "{error}"
    );
}

#[test]
fn plain_http_is_spoken_only_where_it_is_asked_for() {
    let mut bench = Bench::new();
    let server = bench.server();
    bench.settings.insecure = false;
    let error = bench
        .read(&format!("{}/app:1", server.address))
        .unwrap_err();
    assert!(error.hint().unwrap().contains("--insecure"), "{error}");
    assert_eq!(server.asked("GET"), 0);
}

#[test]
fn an_upload_survives_bad_weather() {
    use Fault::{HangUp, Refuse, Silence};
    for (request, fault) in [
        ("HEAD ", Refuse(503)),
        ("POST ", Refuse(429)),
        ("POST ", Silence),
        ("PUT /v2/app/blobs", Refuse(500)),
        ("PUT /v2/app/blobs", Silence),
        ("PUT /v2/app/manifests", Refuse(503)),
        ("PUT /v2/app/manifests", HangUp(0)),
    ] {
        let bench = Bench::new();
        let server = Server::start();
        server.fail(request, &[fault]);
        let name = format!("{}/app:1", server.address);
        bench
            .staged(&name, &[bench.layer(1, 5000)])
            .commit(&bench.transports())
            .unwrap_or_else(|error| panic!("{request} {fault:?}: {error}"));
        bench.read(&name).unwrap();
    }
}

#[test]
fn large_blobs_go_in_pieces_and_go_on_where_they_stopped() {
    let bench = Bench::new();
    let layers = [bench.layer(1, 2_200_000)];
    for (faults, patches) in [
        (&[][..], 3),
        // The registry is asked how far it got, and the piece is sent again.
        (&[Fault::Silence], 4),
        // One that takes no pieces gets the blob whole.
        (&[Fault::Refuse(405)], 1),
    ] {
        let server = Server::start();
        server.fail("PATCH", faults);
        let name = format!("{}/app:1", server.address);
        bench
            .staged(&name, &layers)
            .commit(&bench.transports())
            .unwrap();
        assert_eq!(server.asked("PATCH"), patches, "{faults:?}");
        assert_eq!(server.state().blobs.len(), 2);
    }
}

#[test]
fn a_blob_is_mounted_and_not_sent_twice() {
    let bench = Bench::new();
    let server = bench.server();
    let layers = [bench.layer(1, 200_000), bench.layer(2, 100_000)];
    let push = |name: &str| {
        server.state().log.clear();
        bench
            .staged(&format!("{}/{name}", server.address), &layers)
            .commit(&bench.transports())
            .unwrap();
    };
    push("app:2");
    assert_eq!(server.asked("POST"), 0);
    push("team/app:1");
    assert_eq!(server.asked("from=app"), 3);
    assert_eq!(server.asked("PUT /v2/team/app/blobs"), 0);
    bench
        .read(&format!("{}/team/app:1", server.address))
        .unwrap();
}

#[test]
fn a_push_that_fails_leaves_no_tag() {
    let bench = Bench::new();
    let server = Server::start();
    server.fail("PUT /v2/app/blobs", &[Fault::Refuse(400); 2]);
    let error = bench
        .staged(
            &format!("{}/app:1", server.address),
            &[bench.layer(1, 5000)],
        )
        .commit(&bench.transports())
        .unwrap_err();
    assert!(
        error.to_string().contains("answers with an error (400"),
        "{error}"
    );
    assert!(server.state().manifests.is_empty());
    // What was begun is called off.
    assert!(server.asked("DELETE") > 0);
    let left: Vec<_> = fs::read_dir(bench.dir.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_interruption_is_heard() {
    let bench = Bench::new();
    let server = bench.server();
    bench
        .settings
        .cancel
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let error = bench
        .read(&format!("{}/app:1", server.address))
        .unwrap_err();
    assert!(matches!(registry_error(&error), RegistryError::Interrupted));
    assert_eq!(server.asked("GET"), 0);
}

/// Whoever waits for a server is not kept waiting by it: the flag ends every
/// read and every write. Without it, a server that says nothing is waited for
/// half a minute, and then asked again.
#[test]
fn an_interruption_ends_every_wait() {
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::mpsc::channel;

    let pull = |bench: &Bench, server: &Server| {
        let name = format!("{}/app:1", server.address);
        let error = bench.read(&name).unwrap_err();
        assert!(matches!(registry_error(&error), RegistryError::Interrupted));
    };
    let push = |bench: &Bench, server: &Server| {
        let name = format!("{}/new:1", server.address);
        let layers = [bench.layer(5, 30_000_000)];
        let sent = bench.staged(&name, &layers).commit(&bench.transports());
        let error = sent.unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        assert!(!server.state().manifests.contains_key("new/1"));
    };
    type Work<'a> = &'a (dyn Fn(&Bench, &Server) + Sync);
    let moments: [(&str, Fault, Work<'_>); 5] = [
        ("/manifests/1", Fault::Stall(0), &pull),
        ("/manifests/1", Fault::Stall(100), &pull),
        ("/blobs/", Fault::Stall(50), &pull),
        ("POST ", Fault::Stall(0), &push),
        ("PUT /v2/new/blobs", Fault::Stall(0), &push),
    ];
    for (request, fault, work) in moments {
        let bench = Bench::new();
        let server = bench.server();
        server.fail(request, &[fault; 4]);
        let (sender, done) = channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                work(&bench, &server);
                sender.send(()).unwrap();
            });
            // It has asked, and gets no answer.
            while server.state().faults.len() == 4 {
                thread::sleep(Duration::from_millis(10));
            }
            thread::sleep(Duration::from_millis(100));
            bench.settings.cancel.store(true, Relaxed);
            let patience = Duration::from_secs(15);
            assert!(done.recv_timeout(patience).is_ok(), "{request} {fault:?}");
        });
    }
}

#[test]
fn bytes_are_told_once() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    let mut bench = Bench::new();
    let told = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&told);
    bench.settings.meter = crate::Meter::new(move |bytes| {
        sum.fetch_add(bytes, Relaxed);
    });
    let server = Server::start();
    server.fail("PATCH", &[Fault::Silence]);
    let name = format!("{}/app:1", server.address);
    let staged = bench.staged(&name, &[bench.layer(1, 2_200_000), bench.layer(2, 1000)]);
    let size = staged.size();
    staged.commit(&bench.transports()).unwrap();
    assert_eq!(told.swap(0, Relaxed), size);
    server.fail("/blobs/", &[Fault::HangUp(500), Fault::Silence]);
    let image = bench.read(&name).unwrap();
    assert_eq!(image.bytes_to_come(), Some(image.compressed_size()));
    assert_eq!(told.load(Relaxed), image.compressed_size());
}
