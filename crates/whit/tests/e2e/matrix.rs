//! `whit matrix`: the example with real engines, and small folders.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::crafted::tiny_program;
use crate::support::{Bench, Finished, alone, have, processes, repository, soon, tool};

const SCRATCH: &str = "FROM scratch\nCOPY tiny data.txt /app/\n";

/// A folder with these Dockerfiles, and what they copy.
fn folder(bench: &Bench, files: &[(&str, &str)]) -> PathBuf {
    let folder = bench.project("matrix", &[files, &[("data.txt", "some data\n")]].concat());
    std::fs::write(folder.join("tiny"), tiny_program()).unwrap();
    tool("chmod", &["755", folder.join("tiny").to_str().unwrap()]);
    folder
}

fn with(command: &str) -> String {
    format!("{SCRATCH}CMD {command}\n")
}

/// whit with a cache of its own.
fn whit(bench: &Bench, arguments: &[&str]) -> Finished {
    let mut command = bench.command(arguments);
    command.env("XDG_CACHE_HOME", bench.path("cache"));
    Finished::of(command, &format!("whit {}", arguments.join(" ")))
}

fn rows(document: &Value) -> BTreeMap<String, Value> {
    let rows = document["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["file"].as_str().unwrap().to_owned(), row.clone()))
        .collect()
}

#[test]
fn every_verdict_and_every_reason_of_the_example() {
    if !have(&["docker", "root", "debootstrap"]) {
        return;
    }
    let _turn = alone();
    let example = repository().join("examples/matrix");
    let script = "cd \"$1\" && exec scripts/base-images.sh $(sed -n 's/^FROM \\([^ ]*\\).*/\\1/p' \
        examples/matrix/*Dockerfile* | sort -u | grep -v '^scratch$')";
    tool("sh", &["-c", script, "sh", repository().to_str().unwrap()]);
    let bench = Bench::new();
    let arguments = [
        "matrix",
        example.to_str().unwrap(),
        "--network",
        "host",
        "--json",
    ];
    let told = whit(&bench, &arguments).succeeds();
    let told = rows(&told.json());
    let expected = std::fs::read(example.join("verdicts.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_slice(&expected).unwrap();
    assert!(expected.len() >= 25);
    let got: BTreeMap<String, Value> = told
        .iter()
        .map(|(file, row)| {
            let verdict = match (&row["reason"], row["smallest"] == true) {
                (Value::Null, true) => "works, the smallest".into(),
                (Value::Null, false) => "works".into(),
                (reason, _) => serde_json::json!({
                    "kind": reason["kind"],
                    "text": reason["text"],
                }),
            };
            (file.clone(), verdict)
        })
        .collect();
    assert_eq!(got, expected);
    for (file, row) in &told {
        assert_eq!(row["as_named"], true, "{file}");
        if row["works"] == true {
            // Not larger than it was, and proven.
            let shrunk = row["shrunk"]["uncompressed"].as_u64();
            let before = row["uncompressed"].as_u64().unwrap();
            // Names of users and the like may be added to a lone binary.
            assert!(
                shrunk.is_some_and(|after| after < before + 10_000),
                "{file}: {row}"
            );
        }
    }
}

#[test]
fn what_is_not_as_its_name_says_is_refused() {
    if !have(&["docker"]) {
        return;
    }
    let bench = Bench::new();
    let fine = with("[\"/app/tiny\"]");
    // Equal Dockerfiles would be one result.
    let second = format!("# The second.\n{fine}");
    let mended = format!("# Mended.\n{fine}");
    let other = with("[\"/app/tiny\", \"--version\"]");
    let shell = with("/app/tiny");
    folder(
        &bench,
        &[
            ("Dockerfile.tiny.one", &fine),
            ("Dockerfile.tiny.two.err", &second),
            ("Dockerfile.tiny.other", &other),
            ("Dockerfile.tiny.shell", &shell),
        ],
    );
    let _turn = alone();
    let document = whit(&bench, &["matrix", "matrix", "--json", "--jobs", "3"])
        .exits(1)
        .says("Dockerfile.tiny.two.err works, and its name says .err")
        .says("Dockerfile.tiny.other does not work: it prints \"tiny 1\", other than")
        .says("Dockerfile.tiny.shell does not work: the command is a string")
        .json();
    let first = rows(&document);
    assert_eq!(first["Dockerfile.tiny.one"]["as_named"], true);
    assert_eq!(first["Dockerfile.tiny.other"]["reason"]["kind"], "differs");

    // Nothing is done twice, and what changed is.
    let again = whit(&bench, &["matrix", "matrix", "--json"]).exits(1);
    assert_eq!(again.stderr().matches("(as before)").count(), 4);
    assert_eq!(rows(&again.json()), first);
    std::fs::write(bench.path("matrix/Dockerfile.tiny.other"), &mended).unwrap();
    std::fs::rename(
        bench.path("matrix/Dockerfile.tiny.shell"),
        bench.path("matrix/Dockerfile.tiny.shell.err"),
    )
    .unwrap();
    std::fs::remove_file(bench.path("matrix/Dockerfile.tiny.two.err")).unwrap();
    let mended = whit(&bench, &["matrix", "matrix"]).succeeds();
    assert_eq!(mended.stderr().matches("(as before)").count(), 2);
    let only = ["matrix", "matrix", "--only", "*.one", "--markdown"];
    let only = whit(&bench, &only).succeeds().stdout();
    assert!(only.contains("<code>Dockerfile.tiny.one</code>"), "{only}");
    assert!(!only.contains("other"), "{only}");
    whit(&bench, &["matrix", "matrix", "--only", "none"])
        .exits(2)
        .says("no Dockerfile of matrix is called none");
}

#[test]
fn a_service_is_asked() {
    if !have(&["docker"]) {
        return;
    }
    let bench = Bench::new();
    let serve = with("[\"/app/tiny\", \"serve\"]");
    let ends = with("[\"/app/tiny\"]");
    folder(
        &bench,
        &[
            ("Dockerfile.serve.one", &serve),
            ("Dockerfile.serve.ends.err", &ends),
            ("Dockerfile.serve.two", &serve),
        ],
    );
    let _turn = alone();
    let document = whit(&bench, &["matrix", "matrix", "--json"])
        .succeeds()
        .json();
    let rows = rows(&document);
    assert_eq!(rows["Dockerfile.serve.one"]["works"], true);
    let reason = &rows["Dockerfile.serve.ends.err"]["reason"];
    assert_eq!(
        reason["text"],
        "it ends by itself, other than Dockerfile.serve.one"
    );
}

#[test]
fn a_compose_file_of_the_matrix() {
    let bench = Bench::new();
    let fine = with("[\"/app/tiny\"]");
    folder(
        &bench,
        &[("Dockerfile.a.b", &fine), ("c.err.Dockerfile", &fine)],
    );
    whit(&bench, &["matrix", "matrix", "--compose", "compose.yaml"]).succeeds();
    let text = std::fs::read_to_string(bench.path("compose.yaml")).unwrap();
    assert!(text.contains("context: \"./matrix\""), "{text}");
    assert!(text.contains("  c-err:\n"), "{text}");
    let empty = bench.project("empty", &[("app.py", "")]);
    whit(&bench, &["matrix", empty.to_str().unwrap()])
        .exits(2)
        .says("hint: names are Dockerfile.PROGRAM.BUILD[.RUN][.err]");
}

#[test]
fn ctrl_c_leaves_nothing_of_a_matrix() {
    if !have(&["docker"]) {
        return;
    }
    let bench = Bench::new();
    let number = bench.path("").display().to_string();
    let endless =
        format!("FROM scratch\nENV BENCH={number}\nCOPY tiny /\nRUN [\"/tiny\", \"serve\"]\n");
    let fine = with("[\"/app/tiny\"]");
    folder(
        &bench,
        &[
            ("Dockerfile.a.b", &fine),
            ("Dockerfile.b.endless", &endless),
        ],
    );
    let _turn = alone();
    let mut command = bench.command(&["matrix", "matrix", "--jobs", "1"]);
    command
        .env("XDG_CACHE_HOME", bench.path("cache"))
        .env("WHIT_TEST_MARK", "interrupted-matrix")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let serves = || !processes(&format!("BENCH={number}")).is_empty();
    let began = soon(serves) || soon(serves);
    tool("kill", &["-s", "INT", &child.id().to_string()]);
    let code = child.wait().unwrap().code();
    assert!(began, "it did not come to the endless build");
    assert_eq!(code, Some(130));
    assert!(soon(|| !serves()), "it still builds");
    assert!(soon(
        || processes("WHIT_TEST_MARK=interrupted-matrix").is_empty()
    ));
    let runs = std::fs::read_dir(bench.path("cache/whit/runs")).unwrap();
    assert_eq!(runs.count(), 0);
    // What was done stays done.
    let only = ["matrix", "matrix", "--only", "*.a.b"];
    whit(&bench, &only).succeeds().says("(as before)");
}
