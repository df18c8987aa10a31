//! `--base`: an image as the runtime.

use std::process::Command;

use serde_json::Value;

use crate::crafted::{Layer, docker_archive};
use crate::support::{Bench, Finished, alone, built, have, repository};

/// Makes a whole image to build on: Debian's Python with everything that
/// belongs to it, and settings that are to be inherited.
fn make_base(bench: &Bench, name: &str, variable: &str) {
    bench.project(
        "below",
        &[
            ("main.py", "print('the base')\n"),
            ("whit.toml", "user = \"1234\"\nworkdir = \"/srv\"\n"),
        ],
    );
    let arguments = [
        "build",
        "below",
        "-o",
        name,
        "--policy",
        "repack",
        "--python-code",
        "source",
        "--no-strip",
        "--compress",
        "none",
        "--env",
        variable,
    ];
    bench.whit(&arguments).succeeds();
}

fn detected(report: &Value, what: &str) -> String {
    let lines = report["detected"].as_array().unwrap();
    let line = lines.iter().find(|line| line["what"] == what);
    line.unwrap_or_else(|| panic!("nothing says {what}: {lines:?}"))["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn falcon_on_a_base() {
    // Building it the usual way puts uv into the cache; this base has no pip.
    built("falcon");
    let bench = Bench::new();
    make_base(&bench, "base.tar", "COLOUR=green");
    bench.example("falcon");
    // A setting of the project is relative to it, and no part of the app.
    std::fs::rename(bench.path("base.tar"), bench.path("falcon/base.tar")).unwrap();
    std::fs::write(bench.path("falcon/whit.toml"), "base = \"base.tar\"\n").unwrap();
    let build = |output| bench.whit(&["build", "falcon", "-o", output, "--json"]);
    let report = build("small.tar").succeeds().json();

    assert_eq!(report["proof"]["proven"], true);
    assert!(detected(&report, "base").ends_with("falcon/base.tar"));
    assert!(detected(&report, "python").ends_with("(/usr/bin/python3.11)"));
    assert_eq!(detected(&report, "workdir"), "/srv");
    assert_eq!(detected(&report, "user"), "1234:1234 (app)");
    let layers: Vec<&str> = report["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["name"].as_str().unwrap())
        .collect();
    assert_eq!(layers, ["runtime", "dependencies", "app"]);
    let app = report["layers"][2]["bytes"].as_u64().unwrap();
    assert!(app < 100_000, "the base is in the app's layer: {app} bytes");
    // The lock holds to this base: the same again is the same, another is not.
    let again = bench.whit(&["build", "falcon", "-o", "again.tar", "--json", "--locked"]);
    assert_eq!(again.succeeds().json()["digest"], report["digest"]);
    make_base(&bench, "other.tar", "COLOUR=red");
    bench
        .whit(&["build", "falcon", "--base", "other.tar", "--locked"])
        .exits(2)
        .says("whit.lock does not fit: the base image is sha256:");

    // What is inherited holds when it runs.
    let script = "import os\nprint(os.environ['COLOUR'], os.getcwd(), os.getuid())\n";
    bench.project("above", &[("main.py", script)]);
    bench
        .whit(&["build", "above", "--base", "other.tar"])
        .succeeds();
    let inside = bench.whit(&["run", "above.tar"]).succeeds();
    assert_eq!(inside.stdout(), "red /srv 1234\n");

    if have(&["docker", "python3"]) {
        let _turn = alone();
        let mut check = Command::new("python3");
        check
            .arg(repository().join("scripts/check-image.py"))
            .arg(bench.path("small.tar"))
            .arg("falcon");
        Finished::of(check, "check-image.py falcon").succeeds();
    }
}

#[test]
fn a_base_that_does_not_fit() {
    let bench = Bench::new();
    make_base(&bench, "base.tar", "COLOUR=green");
    let empty = Layer::default().file("etc/os-release", b"ID=none\n");
    std::fs::write(
        bench.path("empty.tar"),
        docker_archive(&empty.bytes(), None),
    )
    .unwrap();
    let broken = Layer::default().file("usr/bin/python3", b"no program");
    std::fs::write(
        bench.path("broken.tar"),
        docker_archive(&broken.bytes(), None),
    )
    .unwrap();
    bench.project(
        "new",
        &[
            ("main.py", "print('hello')\n"),
            (
                "pyproject.toml",
                "[project]\nname = \"new\"\nversion = \"1\"\nrequires-python = \">=3.12\"\n",
            ),
        ],
    );
    let before = bench.names();
    for (project, arguments, words) in [
        (
            "new",
            &["--base", "base.tar"][..],
            "wants Python >=3.12, and the base base.tar has 3.11.",
        ),
        (
            "below",
            &["--base", "base.tar", "--python", "3.13"],
            "--python wants Python 3.13",
        ),
        (
            "below",
            &["--base", "base.tar", "--suite", "trixie"],
            "--suite trixie is about Debian's packages",
        ),
        (
            "below",
            &["--base", "base.tar", "--build-package", "gcc"],
            "--build-package gcc is about",
        ),
        (
            "below",
            &["--base", "empty.tar"],
            "the base empty.tar has no Python: no python3 in",
        ),
        (
            "below",
            &["--base", "broken.tar"],
            "what it calls python does not work (/usr/bin/python3:",
        ),
    ] {
        let mut all = vec!["build", project];
        all.extend(arguments);
        bench.whit(&all).exits(2).says(words).says("hint:");
        assert_eq!(bench.names(), before, "{arguments:?} left something");
    }
}
