//! What whit writes is taken by everybody, and what others write by whit.

use serde_json::{Value, json};

use crate::crafted::tiny;
use crate::support::{Bench, alone, have, tool};

/// Where an unprivileged container runs podman itself, it may neither raise
/// limits nor make control groups.
const PODMAN: [&str; 4] = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"];
const PODMAN_RUN: [&str; 7] = [
    "run",
    "--rm",
    "--network=none",
    "--ulimit",
    "nofile=500:500",
    "--ulimit",
    "nproc=500:500",
];

/// What `docker-archive`, `oci-archive` and `oci` are written with.
const OUTPUTS: [(&str, &str); 3] = [
    ("docker-archive:a.tar", "gzip"),
    ("oci-archive:b.tar", "zstd:19"),
    ("oci:c:1.2", "gzip:1"),
];

#[test]
fn every_output_of_build_is_accepted_by_everybody() {
    let bench = Bench::new();
    let hello = bench.example("hello");
    everybody_takes(&bench, &["build", hello]);
}

#[test]
fn every_output_of_shrink_is_accepted_by_everybody() {
    let bench = Bench::new();
    let original = tiny(json!({ "Cmd": ["/app/tiny"] }));
    std::fs::write(bench.path("tiny.tar"), original).unwrap();
    let printed = everybody_takes(&bench, &["shrink", "tiny.tar"]);
    assert!(
        printed.iter().all(|text| text == "some data\n"),
        "{printed:?}"
    );
}

/// Writes an image in every form and gives it to every reader. What it prints
/// there comes back.
fn everybody_takes(bench: &Bench, make: &[&str]) -> Vec<String> {
    if !have(&["docker", "podman", "skopeo", "umoci"]) {
        return Vec::new();
    }
    for (output, compress) in OUTPUTS {
        let flags = ["-o", output, "--compress", compress];
        bench.whit(&[make, &flags].concat()).succeeds();
    }
    let at = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let sources = [
        format!("docker-archive:{}", at("a.tar")),
        format!("oci-archive:{}", at("b.tar")),
        format!("oci:{}:1.2", at("c")),
    ];
    let _turn = alone();
    let mut printed = Vec::new();
    for (source, (_, compress)) in sources.iter().zip(OUTPUTS) {
        let inspected: Value = serde_json::from_str(&tool("skopeo", &["inspect", source])).unwrap();
        assert_eq!(inspected["Os"], "linux", "{source}");
        // skopeo unpacks what a Docker archive has.
        if !source.starts_with("docker-") {
            let raw = tool("skopeo", &["inspect", "--raw", source]);
            let manifest: Value = serde_json::from_str(&raw).unwrap();
            let layer = manifest["layers"][0]["mediaType"].as_str().unwrap();
            let packed = compress.split(':').next().unwrap();
            assert!(layer.ends_with(packed), "{source}: {layer}");
        }
        // What whit wrote, whit reads.
        let run = bench.whit(&["run", source]).succeeds();
        printed.push(run.stdout());
    }
    let bundle = at("bundle");
    tool(
        "umoci",
        &["unpack", "--image", &format!("{}:1.2", at("c")), &bundle],
    );
    assert!(
        std::fs::read_dir(bench.path("bundle/rootfs/app"))
            .unwrap()
            .count()
            > 0
    );
    for archive in ["a.tar", "b.tar"] {
        let load = ["load", "-q", "-i", &at(archive)];
        let name = loaded(&tool("podman", &[&PODMAN[..], &load].concat()));
        let run = [&PODMAN[..], &PODMAN_RUN, &[&name]].concat();
        printed.push(tool("podman", &run));
    }
    let name = loaded(&tool("docker", &["load", "-i", &at("a.tar")]));
    printed.push(tool("docker", &["run", "--rm", "--network=none", &name]));
    assert!(printed.iter().all(|text| !text.is_empty()), "{printed:?}");
    printed
}

/// The name in `Loaded image: NAME`.
fn loaded(printed: &str) -> String {
    printed
        .trim()
        .rsplit("Loaded image: ")
        .next()
        .unwrap()
        .to_owned()
}
