//! A recipe makes the same image by an engine alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::rescue::hello_with;
use crate::support::{Bench, Finished, alone, built, have, tool};

/// What engines and layers find hard.
const ODDITIES: &str = r#"
    mkdir -p srv/odd/empty 'srv/odd/two words'
    echo twin > srv/odd/one; ln srv/odd/one srv/odd/two; chown 12:34 srv/odd/two
    ln -s ../nowhere srv/odd/dangling; ln -s one srv/odd/link
    echo x > "srv/odd/two words/it's \$HOME"; echo x > 'srv/odd/b\x2d'
    chmod 1777 srv/odd/empty; chown 5:6 srv/odd/empty
    cp usr/bin/env srv/odd/setuid; chmod 6755 srv/odd/setuid
    rm -f usr/bin/tar bin/tar
    cp usr/bin/env srv/odd/capable; setcap cap_net_raw+ep srv/odd/capable
"#;

/// Everything that a configuration can say.
const CONFIGURATION: &str = r#"FROM recipe-odd:1
ENV GREETING="say \"\$x\" \\ twice" EMPTY=
LABEL "a b"="it's \$5"
EXPOSE 53/udp
VOLUME /data
USER 12:34
WORKDIR /app
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=30s --retries=2 CMD ["/srv/odd/setuid"]
"#;

#[test]
fn docker_makes_the_small_image_by_its_recipe() {
    if !have(&["root", "docker", "skopeo", "umoci", "setcap"]) {
        return;
    }
    let _turn = alone();
    let bench = Bench::new();
    let odd = hello_with(&bench, &["--python-code", "source"], ODDITIES);
    let odd = format!(
        "oci:{}",
        bench.path(odd.strip_prefix("oci:").unwrap()).display()
    );
    tool(
        "skopeo",
        &["copy", "-q", &odd, "docker-daemon:recipe-odd:1"],
    );
    docker_build("recipe-odd:2", CONFIGURATION);
    bench
        .whit(&[
            "shrink",
            "docker-daemon:recipe-odd:2",
            "-t",
            "recipe-small:1",
            "-o",
            "small.tar",
        ])
        .succeeds();
    let recipe = bench.whit(&["recipe", "small.tar"]).succeeds().stdout();
    // For the original has no tar.
    assert!(
        recipe.contains("ARG TOOLS=debian:bookworm-slim"),
        "{recipe}"
    );
    docker_build("recipe-made:1", &recipe);

    let report: Value =
        serde_json::from_slice(&std::fs::read(bench.path("small.whit.json")).unwrap()).unwrap();
    let edits: BTreeMap<&str, &str> = report["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| {
            let path = line["moved"].as_str().or(line["path"].as_str())?;
            Some((path, line["edit"].as_str()?))
        })
        .collect();
    let diff = bench
        .whit(&["diff", "small.tar", "docker-daemon:recipe-made:1", "--json"])
        .succeeds()
        .json();
    let files = diff["files"].as_array().unwrap();
    let compiled = |file: &&Value| edits.get(file["path"].as_str().unwrap()) == Some(&"bytecode");
    assert!(
        files.iter().any(|file| compiled(&file)),
        "nothing was compiled"
    );
    for file in files {
        let path = file["path"].as_str().unwrap();
        assert_eq!(file["changed"], serde_json::json!(["content"]), "{file}");
        assert!(
            matches!(
                edits.get(path),
                Some(&("bytecode" | "stripped" | "trimmed"))
            ),
            "{file}"
        );
    }
    let settings: Vec<&str> = diff["config"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["setting"].as_str().unwrap())
        // The classic builder's note of the image before the last step.
        .filter(|setting| *setting != "Image")
        .collect();
    assert!(settings.is_empty(), "{}", diff["config"]);

    tool(
        "docker",
        &[
            "load",
            "-q",
            "-i",
            bench.path("small.tar").to_str().unwrap(),
        ],
    );
    let says = |image: &str| tool("docker", &["run", "--rm", "--network=none", image]);
    assert_eq!(says("recipe-made:1"), says("recipe-small:1"));
    for image in [
        "recipe-made:1",
        "recipe-small:1",
        "recipe-odd:2",
        "recipe-odd:1",
    ] {
        tool("docker", &["image", "rm", "-f", image]);
    }
}

#[test]
fn what_has_no_recipe_says_why() {
    let bench = Bench::new();
    let hello = built("hello");
    let archive = hello.archive.to_str().unwrap();
    bench
        .whit(&["recipe", archive])
        .exits(2)
        .says("was built from a project")
        .says("--rescue");
    let nothing = bench.path("nothing.tar");
    std::fs::copy(Path::new(archive), &nothing).unwrap();
    bench
        .whit(&["recipe", "nothing.tar"])
        .exits(2)
        .says("cannot read the report nothing.whit.json");
}

/// Builds a Dockerfile without a context, by the classic builder: it is in every
/// engine, BuildKit is not.
#[track_caller]
fn docker_build(tag: &str, dockerfile: &str) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(dockerfile.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut build = Command::new("docker");
    build
        .args(["build", "-q", "-t", tag, "-"])
        .env("DOCKER_BUILDKIT", "0")
        .stdin(Stdio::from(file));
    Finished::of(build, &format!("docker build {tag}:\n{dockerfile}")).succeeds();
}
