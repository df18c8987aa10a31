//! `whit.toml`: written, shown, obeyed.

use serde_json::Value;

use crate::support::{Bench, Finished, built, copy_example};

/// What `whit config --json` says of a key: value and source.
fn line(rows: &Value, key: &str) -> (Value, String) {
    let mut found = rows
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["key"] == key);
    let row = found
        .next()
        .unwrap_or_else(|| panic!("no {key} in {rows:#}"));
    (
        row["value"].clone(),
        row["from"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn the_file_that_init_writes_changes_nothing() {
    let without = built("hello");
    let bench = Bench::new();
    copy_example("hello", &bench.path("hello"));
    let lock = without.archive.with_file_name("hello").join("whit.lock");
    std::fs::copy(lock, bench.path("hello/whit.lock")).unwrap();

    bench
        .whit(&["init", "hello"])
        .succeeds()
        .says("wrote hello/whit.toml");
    let file = bench.path("hello/whit.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains("\npython = \"3.11\"\n"), "{written}");
    let with = bench
        .whit(&["build", "hello", "--json", "--locked"])
        .succeeds()
        .json();
    assert_eq!(with["digest"], without.report["digest"]);

    // What is there is not lost by accident.
    std::fs::write(&file, "policy = \"tight\"\n").unwrap();
    bench
        .whit(&["init", "hello"])
        .exits(2)
        .says("hello/whit.toml is there already")
        .says("--force");
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "policy = \"tight\"\n"
    );
    bench.whit(&["init", "hello", "--force"]).succeeds();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), written);
}

#[test]
fn config_says_who_decided() {
    let bench = Bench::new();
    bench.project(
        "app",
        &[
            ("main.py", "print('hello')\n"),
            (
                "whit.toml",
                "policy = \"tight\"\nworkdir = \"/srv\"\n\n[env]\nMODE = \"file\"\n",
            ),
            (
                "pyproject.toml",
                "[project]\nname = \"app\"\n\n[tool.whit]\nuser = 1000\n",
            ),
        ],
    );
    let mut command = bench.command(&["config", "app", "--json", "--env", "MODE=flag"]);
    command
        .env("WHIT_POLICY", "repack")
        .env("WHIT_START_TIMEOUT", "90");
    let rows = Finished::of(command, "whit config").succeeds().json();
    let text = |text: &str| Value::from(text);
    assert_eq!(
        line(&rows, "policy"),
        (text("repack"), "WHIT_POLICY".into())
    );
    assert_eq!(line(&rows, "env.MODE"), (text("flag"), "--env".into()));
    assert_eq!(
        line(&rows, "workdir"),
        (text("/srv"), "app/whit.toml:2".into())
    );
    assert_eq!(
        line(&rows, "user"),
        (text("1000"), "app/pyproject.toml:5".into())
    );
    assert_eq!(line(&rows, "compress"), (text("gzip:10"), "default".into()));
    assert_eq!(
        line(&rows, "start-timeout"),
        (90.into(), "WHIT_START_TIMEOUT".into())
    );
    let (command, why) = line(&rows, "entrypoint");
    assert_eq!(command, serde_json::json!(["python", "main.py"]));
    assert!(why.starts_with("detected: "), "{why}");

    bench
        .whit(&["config", "app"])
        .succeeds()
        .says("app/whit.toml:1");
    let mut command = bench.command(&["config", "app"]);
    command.env("WHIT_POLICY", "brave");
    Finished::of(command, "whit config")
        .exits(2)
        .says("WHIT_POLICY is \"brave\"");
}

#[test]
fn every_command_that_opens_images_reads_the_file() {
    let bench = Bench::new();
    let bad = "registry-mirrors = [\"not a host\"]\n";
    std::fs::write(bench.path("whit.toml"), bad).unwrap();
    std::fs::write(bench.path("Dockerfile"), "FROM scratch\n").unwrap();
    for command in [
        &["shrink", "x.tar"][..],
        &["run", "x.tar"],
        &["size", "x.tar"],
        &["diff", "x.tar", "y.tar"],
        &["explore", "x.tar"],
        &["lint", "--image", "x.tar"],
        &["build"],
    ] {
        bench.whit(command).exits(2).says("not a host");
    }
    std::fs::write(bench.path("whit.toml"), "# mine\nregistry-mirror = []\n").unwrap();
    bench
        .whit(&["run", "x.tar"])
        .exits(2)
        .says("whit.toml:2:1: there is no key `registry-mirror`")
        .says("hint: did you mean `registry-mirrors`?");
}
