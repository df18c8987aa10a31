//! Dockerfiles as arguments: built by real engines, then measured and shrunk.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::crafted::tiny_program;
use crate::support::{Bench, Finished, alone, have, processes, soon, tool};

/// Containers of a container: Podman and Buildah may neither raise limits nor
/// make control groups there.
const CONTAINERS: &str = "[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\n\
    [containers]\ndefault_ulimits = [\"nofile=500:500\", \"nproc=500:500\"]\n";

const DOCKERFILE: &str = "\
ARG TEXT=none
FROM scratch AS base
COPY tiny /app/tiny

FROM base AS other
COPY data.txt /app/other.txt

FROM base
ARG TEXT
ENV TEXT=$TEXT
COPY data.txt extra.txt /app/
HEALTHCHECK CMD [\"/app/tiny\"]
ENTRYPOINT [\"/app/tiny\"]
";

/// A folder with a Dockerfile, and what it copies.
fn folder(bench: &Bench, dockerfile: &str) -> PathBuf {
    let files = [
        ("Dockerfile", dockerfile),
        ("data.txt", "some data\n"),
        ("extra.txt", "the user's own\n"),
    ];
    let folder = bench.project("app", &files);
    std::fs::write(folder.join("tiny"), tiny_program()).unwrap();
    tool("chmod", &["755", folder.join("tiny").to_str().unwrap()]);
    folder
}

fn whit(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = bench.command(arguments);
    std::fs::write(bench.path("containers.conf"), CONTAINERS).unwrap();
    command.env("CONTAINERS_CONF", bench.path("containers.conf"));
    command
}

fn run(bench: &Bench, arguments: &[&str]) -> Finished {
    let what = format!("whit {}", arguments.join(" "));
    Finished::of(whit(bench, arguments), &what)
}

/// The names that builds of whit have in an engine, for as long as they last.
fn names(engine: &str) -> Vec<String> {
    let list = [
        "images",
        "--format",
        if engine == "buildah" {
            "{{.Name}}:{{.Tag}}"
        } else {
            "{{.Repository}}:{{.Tag}}"
        },
    ];
    let all = tool(engine, &list);
    let ours = all.lines().filter(|name| name.contains("whit-build"));
    ours.map(str::to_owned).collect()
}

/// Containers that builds of Buildah left; Podman's are the same.
fn working_containers(engine: &str) -> usize {
    match engine {
        "docker" => 0,
        _ => tool("buildah", &["containers", "--quiet"]).lines().count(),
    }
}

/// The configuration of the image in a Docker archive.
fn config(archive: &Path) -> String {
    let archive = archive.to_str().unwrap();
    let manifest = tool("tar", &["-xOf", archive, "manifest.json"]);
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    tool(
        "tar",
        &["-xOf", archive, manifest[0]["Config"].as_str().unwrap()],
    )
}

#[test]
fn each_engine_builds_and_whit_shrinks() {
    let mut sizes = Vec::new();
    for engine in ["docker", "podman", "buildah"] {
        if !have(&[engine]) {
            continue;
        }
        let bench = Bench::new();
        folder(&bench, DOCKERFILE);
        let _turn = alone();
        run(
            &bench,
            &[
                "shrink",
                "--dockerfile",
                "app/Dockerfile",
                "--engine",
                engine,
                "--build-arg",
                "TEXT=hello",
            ],
        )
        .succeeds();
        assert_eq!(names(engine), Vec::<String>::new());
        let ran = run(&bench, &["run", "app-small.tar"]).succeeds();
        assert_eq!(ran.stdout(), "some data\n");
        let config = config(&bench.path("app-small.tar"));
        assert!(config.contains("TEXT=hello"), "{engine}: {config}");
        assert!(config.contains("Healthcheck"), "{engine}: {config}");

        let size = run(
            &bench,
            &["size", "app/Dockerfile", "--engine", engine, "--json"],
        )
        .succeeds()
        .json();
        let size = &size["images"][0];
        assert_eq!(size["image"], "app/Dockerfile");
        sizes.push(size["uncompressed"].as_u64().unwrap());
        let other = run(
            &bench,
            &[
                "size", "app", "--engine", engine, "--target", "base", "--json",
            ],
        )
        .succeeds()
        .json();
        let program = tiny_program().len() as u64;
        assert_eq!(other["images"][0]["uncompressed"], program);
        assert_eq!(names(engine), Vec::<String>::new());
    }
    assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]), "{sizes:?}");
}

#[test]
fn a_step_that_fails_is_named_with_its_line() {
    for engine in ["docker", "podman", "buildah"] {
        if !have(&[engine]) {
            continue;
        }
        let bench = Bench::new();
        let build = |dockerfile: &str| {
            folder(&bench, dockerfile);
            let _turn = alone();
            run(
                &bench,
                &[
                    "shrink",
                    "--dockerfile",
                    "app/Dockerfile",
                    "--engine",
                    engine,
                ],
            )
            .exits(2)
        };
        build("FROM scratch\n\nCOPY tiny /app/\nCOPY gone.txt /\n")
            .says(&format!(
                "{engine} cannot build app/Dockerfile: line 4: COPY gone.txt /: "
            ))
            .says("gone.txt");
        build("# one\nFROM scratch\nCOPY tiny /app/\nRUN [ \"/app/tiny\", \\\n\"none\" ]\n")
            .says("line 4: RUN")
            .says("(exit code 3)");
        build("FROM scratch\nCOPY tiny /\nMAKE it so\n").says("MAKE");
        assert_eq!(bench.names(), ["app", "containers.conf"]);
        assert_eq!(names(engine), Vec::<String>::new());
    }
}

#[test]
fn a_build_ends_with_whit() {
    for engine in ["docker", "podman", "buildah"] {
        if !have(&[engine]) {
            continue;
        }
        let containers = working_containers(engine);
        let bench = Bench::new();
        // It serves until somebody stops it. The argument makes it no other
        // build's step.
        let number = format!("{:?}", bench.dir.path());
        folder(
            &bench,
            &format!("FROM scratch\nENV BENCH={number}\nCOPY tiny /\nRUN [\"/tiny\", \"serve\"]\n"),
        );
        let _turn = alone();
        let mark = format!("interrupted-{engine}");
        let mut command = whit(&bench, &["size", "app", "--engine", engine]);
        command
            .env("XDG_CACHE_HOME", bench.path("cache"))
            .env("WHIT_TEST_MARK", &mark)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let serves = || {
            let inside = processes(&format!("BENCH={}", number.trim_matches('"')));
            inside.iter().any(|line| line.contains("/tiny serve"))
        };
        let began = soon(serves);
        tool("kill", &["-s", "INT", &child.id().to_string()]);
        let code = child.wait().unwrap().code();
        assert!(began, "{engine} did not come to the step");
        assert_eq!(code, Some(130), "{engine}");
        assert!(soon(|| !serves()), "{engine} still builds");
        let left = || processes(&format!("WHIT_TEST_MARK={mark}"));
        assert!(soon(|| left().is_empty()), "{engine} left {:?}", left());
        let runs = std::fs::read_dir(bench.path("cache/whit/runs"));
        assert_eq!(runs.map_or(0, Iterator::count), 0);
        assert_eq!(working_containers(engine), containers);
        assert_eq!(names(engine), Vec::<String>::new());
    }
}

#[test]
fn without_an_engine_there_is_a_hint() {
    let bench = Bench::new();
    folder(&bench, DOCKERFILE);
    let bare = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.env("PATH", bench.path("nothing"));
        Finished::of(command, "whit without engines").exits(2)
    };
    bare(&["size", "app/Dockerfile"])
        .says("docker is not installed; podman is not installed; buildah is not installed")
        .says("hint: apt install buildah");
    bare(&[
        "shrink",
        "--dockerfile",
        "app/Dockerfile",
        "--engine",
        "podman",
    ])
    .says("hint: apt install podman");
    bare(&["shrink", "app/Dockerfile"]).says("whit shrink --dockerfile app/Dockerfile");
    bare(&["size", "app", "--engine", "kaniko"]).says("docker, podman and buildah");
}
