//! What whit writes is taken by everybody, and what others write by whit.

use serde_json::Value;

use crate::support::{Bench, alone, example, have, tool};

#[test]
fn every_output_is_accepted_by_everybody() {
    if !have(&["docker", "podman", "skopeo", "umoci"]) {
        return;
    }
    let _turn = alone();
    let bench = Bench::new();
    let hello = example("hello");
    for (output, compress) in [
        ("docker-archive:a.tar", "gzip"),
        ("oci-archive:b.tar", "zstd"),
        ("oci:c:latest", "gzip:1"),
    ] {
        bench
            .whit(&["build", &hello, "-o", output, "--compress", compress])
            .succeeds();
    }
    let at = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let sources = [
        format!("docker-archive:{}", at("a.tar")),
        format!("oci-archive:{}", at("b.tar")),
        format!("oci:{}:latest", at("c")),
    ];
    for source in &sources {
        let inspected: Value = serde_json::from_str(&tool("skopeo", &["inspect", source])).unwrap();
        assert_eq!(inspected["Os"], "linux", "{source}");
    }
    let bundle = at("bundle");
    let image = format!("{}:latest", at("c"));
    tool("umoci", &["unpack", "--image", &image, &bundle]);
    assert!(bench.path("bundle/rootfs/etc/os-release").exists());
    for archive in ["a.tar", "b.tar"] {
        let printed = tool("podman", &["load", "-q", "-i", &at(archive)]);
        let name = printed
            .trim()
            .rsplit("Loaded image: ")
            .next()
            .unwrap()
            .to_owned();
        let said = tool(
            "podman",
            &["run", "--rm", "--network=none", "--cgroups=disabled", &name],
        );
        assert!(!said.is_empty());
    }
    let printed = tool("docker", &["load", "-i", &at("a.tar")]);
    let name = printed.trim().rsplit(": ").next().unwrap().to_owned();
    assert!(!tool("docker", &["run", "--rm", "--network=none", &name]).is_empty());
}
