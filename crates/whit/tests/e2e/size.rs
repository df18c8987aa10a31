//! `whit size`: figures that others confirm, and budgets.

use std::path::Path;

use serde_json::{Value, json};

use crate::crafted::{Layer, image};
use crate::support::{Bench, Finished, alone, have, tool};

/// The bytes of the regular files of [`base`] and of [`app`].
const BASE: u64 = 300_000 + 5_000 + 77;
const APP: u64 = 77 + 1_234;

/// A hard link, links, an empty file and what the next layer hides.
fn base() -> Vec<u8> {
    Layer::default()
        .dir("usr")
        .dir("usr/bin")
        .file("usr/bin/big", &noise(300_000))
        .hard_link("usr/bin/big-again", "usr/bin/big")
        .symlink("bin", "usr/bin")
        .file("usr/gone", &[b'g'; 5_000])
        .file("usr/same", &[b's'; 77])
        .file("usr/empty", b"")
        .bytes()
}

fn app() -> Vec<u8> {
    Layer::default()
        .file("usr/.wh.gone", b"")
        .file("usr/same", &[b's'; 77])
        .dir("app")
        .file("app/data.txt", &[b'd'; 1_234])
        .symlink("app/link", "/usr/bin/big")
        .bytes()
}

/// Bytes that compress by half.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 15
        })
        .collect()
}

fn of_layers(layers: &[Vec<u8>]) -> Vec<u8> {
    image(layers, json!({ "Cmd": ["/app/data.txt"] }))
}

/// A bench with `base.tar` and `app.tar`, which stands on it.
fn bench() -> Bench {
    let bench = Bench::new();
    let (base, app) = (base(), app());
    std::fs::write(
        bench.path("base.tar"),
        of_layers(std::slice::from_ref(&base)),
    )
    .unwrap();
    std::fs::write(bench.path("app.tar"), of_layers(&[base, app])).unwrap();
    bench
}

/// The sizes of `image`, as JSON.
fn size(bench: &Bench, arguments: &[&str]) -> Value {
    let arguments = [&["size", "--json"], arguments].concat();
    bench.whit(&arguments).succeeds().json()["images"][0].clone()
}

#[test]
fn others_count_the_same() {
    if !have(&["docker", "skopeo", "umoci"]) {
        return;
    }
    let bench = bench();
    let at = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let archive = at("app.tar");
    let gzip = format!("oci:{}:gzip", at("layout"));
    let copied = format!("docker-archive:{archive}");
    tool("skopeo", &["copy", "-q", &copied, &gzip]);
    let plain = size(&bench, &[&archive]);
    let packed = size(&bench, &[&gzip]);
    assert_eq!(plain["uncompressed"], BASE + APP);
    assert_eq!(packed["uncompressed"], BASE + APP);

    // docker image inspect: the links' targets besides.
    let _turn = alone();
    tool("docker", &["load", "-q", "-i", &archive]);
    let inspect = [
        "image",
        "inspect",
        "crafted:latest",
        "--format",
        "{{.Size}}",
    ];
    let docker: u64 = tool("docker", &inspect).trim().parse().unwrap();
    tool("docker", &["image", "rm", "-f", "crafted:latest"]);
    let links = plain["link_bytes"].as_u64().unwrap();
    assert_eq!(docker, BASE + APP + links);

    // skopeo inspect: every layer as it is stored.
    for (reference, ours) in [(&copied, &plain), (&gzip, &packed)] {
        let manifest: Value =
            serde_json::from_str(&tool("skopeo", &["inspect", "--raw", reference])).unwrap();
        let theirs: Vec<&Value> = manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| &layer["size"])
            .collect();
        let layers = ours["layers"].as_array().unwrap();
        let stored: Vec<&Value> = layers.iter().map(|layer| &layer["stored"]).collect();
        assert_eq!(stored, theirs, "{reference}");
    }
    assert_eq!(packed["compressed"], packed["stored"]);
    assert_eq!(packed["estimated"], false);
    let ratio = plain["compressed"].as_f64().unwrap() / packed["compressed"].as_f64().unwrap();
    assert!((0.9..1.1).contains(&ratio), "{ratio}");

    // An unpacked copy: what processes see.
    let bundle = at("bundle");
    let image = format!("{}:gzip", at("layout"));
    tool("umoci", &["unpack", "--image", &image, &bundle]);
    let root = Path::new(&bundle).join("rootfs");
    let sizes = tool(
        "find",
        &[root.to_str().unwrap(), "-type", "f", "-printf", "%i %s\n"],
    );
    let mut files: Vec<&str> = sizes.lines().collect();
    files.sort_unstable();
    files.dedup();
    let unpacked: u64 = files
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(plain["visible"], unpacked);
    assert_eq!(unpacked, BASE + APP - 5_000 - 77);
}

#[test]
fn what_a_node_has_is_not_pulled() {
    let bench = bench();
    let alone = size(&bench, &["app.tar", "--bandwidth", "8kbps"]);
    let with_base = size(&bench, &["app.tar", "--have", "base.tar"]);
    assert_eq!(alone["to_pull"], alone["compressed"]);
    assert_eq!(with_base["layers"][0]["there"], true);
    assert_eq!(with_base["to_pull"], alone["layers"][1]["compressed"]);
    // 8 kbit/s is a byte in a millisecond.
    let seconds = alone["pull"][0]["seconds"].as_f64().unwrap();
    assert_eq!((seconds * 1e3).round(), alone["to_pull"].as_f64().unwrap());
}

#[test]
fn recompression_is_measured() {
    let bench = bench();
    let again = size(
        &bench,
        &[
            "app.tar",
            "--recompress",
            "gzip:9",
            "--recompress",
            "zstd:3",
        ],
    );
    assert_eq!(again["estimated"], false);
    let bytes = |i: usize| again["recompressed"][i]["bytes"].as_u64().unwrap();
    assert_eq!(again["compressed"], bytes(0));
    assert!(bytes(1) > 100_000 && bytes(1) < BASE, "{}", bytes(1));
}

#[test]
fn every_form_has_every_image_smallest_first() {
    let bench = bench();
    let sorted = |text: &str| text.find("base.tar").unwrap() < text.find("app.tar").unwrap();
    for form in [&[][..], &["--json"], &["--csv"], &["--markdown"]] {
        let done = bench
            .whit(&[&["size", "app.tar", "base.tar"], form].concat())
            .succeeds();
        assert!(sorted(&done.stdout()), "{form:?}: {}", done.stdout());
    }
    let csv = bench
        .whit(&["size", "--csv", "base.tar"])
        .succeeds()
        .stdout();
    let mut lines = csv.lines();
    let header = lines.next().unwrap();
    assert!(header.starts_with("image,uncompressed,compressed,"));
    let row: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(row.len(), header.split(',').count());
    assert_eq!(row[..2], ["base.tar", &BASE.to_string()]);
}

#[test]
fn a_budget_is_kept_or_the_exit_code_says_so() {
    let bench = bench();
    let with = |arguments: &[&str]| bench.whit(&[&["size", "app.tar"], arguments].concat());
    with(&[
        "--max",
        "1MB",
        "--max-compressed",
        "1MB",
        "--max-layer",
        "1MB",
    ])
    .succeeds();
    with(&["--max", "300kB"])
        .exits(1)
        .says("app.tar")
        .says("uncompressed")
        .says("limit of 300.0 kB");
    with(&["--max-compressed", "10kB"]).exits(1).says("is 1");
    with(&["--max-layer", "300kB"]).exits(1).says("layer 1");
    with(&["--max", "much"]).exits(2).says("like 20MB");
    std::fs::write(bench.path("whit.toml"), "[budget]\nlayer = '300kB'\n").unwrap();
    let over = with(&["--json"]).exits(1).json();
    assert_eq!(over["over"][0]["number"], 1);
    with(&["--max-layer", "1MB"]).succeeds();
}

#[test]
fn what_cannot_be_measured() {
    let bench = Bench::new();
    std::fs::write(bench.path("Dockerfile"), "FROM scratch\n").unwrap();
    let sized = |name: &str| bench.whit(&["size", name]).exits(2);
    bench
        .whit(&["diff", "Dockerfile", "."])
        .exits(2)
        .says("Dockerfile is a Dockerfile");
    sized("none.tar").says("none.tar");
    let bomb = Layer::default().sparse("big", 10 << 30).bytes();
    std::fs::write(bench.path("bomb.tar"), of_layers(&[bomb])).unwrap();
    let big = size(&bench, &["bomb.tar"]);
    assert_eq!(big["uncompressed"], 10u64 << 30);
    let mut damaged = std::fs::read(bench.path("bomb.tar")).unwrap();
    damaged[512 + 257 + 100] ^= 1;
    std::fs::write(bench.path("damaged.tar"), damaged).unwrap();
    let mut command = bench.command(&["size", "damaged.tar"]);
    command.env("XDG_CACHE_HOME", bench.path("cache"));
    Finished::of(command, "size of a damaged image")
        .exits(2)
        .says("damaged.tar");
    assert_eq!(
        std::fs::read_dir(bench.path("cache/whit/runs")).map_or(0, Iterator::count),
        0
    );
}
