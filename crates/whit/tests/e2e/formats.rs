//! What whit writes is taken by everybody, and what others write by whit.

use serde_json::Value;

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

#[test]
fn every_output_is_accepted_by_everybody() {
    if !have(&["docker", "podman", "skopeo", "umoci"]) {
        return;
    }
    let bench = Bench::new();
    let hello = bench.example("hello");
    for (output, compress) in [
        ("docker-archive:a.tar", "gzip"),
        ("oci-archive:b.tar", "zstd"),
        ("oci:c:latest", "gzip:1"),
    ] {
        bench
            .whit(&["build", hello, "-o", output, "--compress", compress])
            .succeeds();
    }
    let at = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let sources = [
        format!("docker-archive:{}", at("a.tar")),
        format!("oci-archive:{}", at("b.tar")),
        format!("oci:{}:latest", at("c")),
    ];
    let _turn = alone();
    for source in &sources {
        let inspected: Value = serde_json::from_str(&tool("skopeo", &["inspect", source])).unwrap();
        assert_eq!(inspected["Os"], "linux", "{source}");
        // What whit wrote, whit reads.
        bench
            .whit(&["run", source, "--", "--help"])
            .succeeds()
            .says("usage:");
    }
    let bundle = at("bundle");
    let image = format!("{}:latest", at("c"));
    tool("umoci", &["unpack", "--image", &image, &bundle]);
    assert!(bench.path("bundle/rootfs/etc/os-release").exists());
    for archive in ["a.tar", "b.tar"] {
        let load = ["load", "-q", "-i", &at(archive)];
        let printed = tool("podman", &[&PODMAN[..], &load].concat());
        let name = printed
            .trim()
            .rsplit("Loaded image: ")
            .next()
            .unwrap()
            .to_owned();
        let run = [&PODMAN[..], &PODMAN_RUN, &[&name]].concat();
        assert!(!tool("podman", &run).is_empty());
    }
    let printed = tool("docker", &["load", "-i", &at("a.tar")]);
    let name = printed.trim().rsplit(": ").next().unwrap().to_owned();
    assert!(!tool("docker", &["run", "--rm", "--network=none", &name]).is_empty());
}
