//! `whit lint`: exit codes, and what it writes.

use crate::support::Bench;

const DOCKERFILE: &str = "\
FROM python:3.12-slim
# the app's dependencies
RUN pip install flask
COPY app.py /app/
";

#[test]
fn finds_mends_and_is_content() {
    let bench = Bench::new();
    bench.project("app", &[("Dockerfile", DOCKERFILE), ("app.py", "")]);
    bench
        .whit(&["lint", "app"])
        .exits(1)
        .says("app/Dockerfile:3: pip-cache");
    bench.whit(&["lint", "app", "--exit-zero"]).succeeds();
    let found = bench.whit(&["lint", "app", "--json"]).exits(1).json();
    assert_eq!(found["findings"][0]["line"], 3);
    assert_eq!(found["findings"][0]["safe"], true);
    let patch = found["findings"][0]["patch"].as_str().unwrap();
    assert!(
        patch.contains("\n+RUN pip install --no-cache-dir flask\n"),
        "{patch}"
    );
    bench
        .whit(&["lint", "app", "--fix"])
        .succeeds()
        .says("1 finding mended");
    let mended = std::fs::read_to_string(bench.path("app/Dockerfile")).unwrap();
    assert_eq!(
        mended,
        DOCKERFILE.replace("install", "install --no-cache-dir")
    );
}

#[test]
fn unsafe_mends_are_written_when_asked() {
    let bench = Bench::new();
    let text = "FROM node:22-slim\nCOPY . /app\n";
    bench.project("app", &[("Dockerfile", text), (".git/index", "x")]);
    bench
        .whit(&["lint", "app", "--fix"])
        .exits(1)
        .says("copy-all");
    bench
        .whit(&["lint", "app", "--fix", "--unsafe-fixes"])
        .succeeds();
    assert!(bench.path("app/.dockerignore").exists());
}

#[test]
fn bad_files_are_the_inputs_fault() {
    let bench = Bench::new();
    bench.project(
        "bad",
        &[("Dockerfile", "FROM a\nMAKE it so\n"), ("binary", "")],
    );
    bench
        .whit(&["lint", "bad"])
        .exits(2)
        .says("cannot lint bad/Dockerfile");
    bench
        .whit(&["lint", "none"])
        .exits(2)
        .says("cannot read none")
        .says("hint:");
    std::fs::write(bench.path("bad/binary"), [0xff, 0xfe, 0]).unwrap();
    bench
        .whit(&["lint", "bad/binary"])
        .exits(2)
        .says("is not UTF-8");
    bench
        .whit(&["lint", "--rules"])
        .succeeds()
        .says("deleted-later");
}
