//! Every flag does what it says.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::crafted::tiny;
use crate::support::{Bench, unpacked};

/// A bench with `tiny.tar`, whose program runs in this mode.
fn bench_with_tiny(mode: &[&str]) -> Bench {
    let mut command = vec!["/app/tiny"];
    command.extend(mode);
    let bench = Bench::new();
    let setting = match mode {
        ["serve"] => json!({ "Cmd": command, "ExposedPorts": { "8000/tcp": {} } }),
        _ => json!({ "Cmd": command }),
    };
    std::fs::write(bench.path("tiny.tar"), tiny(setting)).unwrap();
    bench
}

/// The answers that were compared, by the question's name.
fn proven(report: &Value) -> BTreeMap<&str, &str> {
    lines(&report["proof"]["probes"])
}

fn lines(probes: &Value) -> BTreeMap<&str, &str> {
    let text = |line: &'_ Value, key: &str| line[key].as_str().unwrap().to_owned().leak() as &str;
    let all = probes.as_array().unwrap().iter();
    all.map(|line| (text(line, "probe"), text(line, "result")))
        .collect()
}

fn script(bench: &Bench, name: &str, text: &str) {
    std::fs::write(bench.path(name), text).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bench.path(name), mode).unwrap();
}

/// Asks the service, and writes down that it did.
const ASKS: &str = "#!/usr/bin/env python3
import os, urllib.request
url = os.environ['WHIT_BASE_URL'] + '/from-a-script'
assert urllib.request.urlopen(url).read() == b'ok\\n'
open('asked.txt', 'a').write('asked\\n')
";

#[test]
fn probes_of_every_kind() {
    let bench = bench_with_tiny(&["serve"]);
    let tables = "
        [[probe]]
        http = 'GET /from-a-table'
        [[probe]]
        exec = '/app/tiny sum'
        stdin = 'numbers.txt'
        [[probe]]
        test = 'asks.py'
    ";
    std::fs::write(bench.path("whit.toml"), tables).unwrap();
    std::fs::write(bench.path("numbers.txt"), "1 2 3 4\n").unwrap();
    script(&bench, "asks.py", ASKS);
    script(&bench, "fails.sh", "#!/bin/sh\necho it is broken\nexit 3\n");
    let report = bench
        .whit(&[
            "shrink",
            "tiny.tar",
            "--json",
            "--probe",
            "POST /from-a-flag json={\"a\":1}",
            "--exec",
            "/app/tiny --version",
            "--test",
            "fails.sh",
        ])
        .succeeds()
        .json();
    let proven = proven(&report);
    for (probe, result) in [
        ("GET :8000/", "200, 3 bytes"),
        ("GET :8000/from-a-table", "200, 3 bytes"),
        (r#"POST :8000/from-a-flag body={\"a\":1}"#, "200, 3 bytes"),
        ("exec /app/tiny sum < numbers.txt", "exit 0, 3 bytes"),
        ("exec /app/tiny --version", "exit 0, 7 bytes"),
    ] {
        assert_eq!(proven.get(probe), Some(&result), "{probe} in {proven:?}");
    }
    let asks = proven.iter().find(|(probe, _)| probe.ends_with("asks.py"));
    assert_eq!(asks.unwrap().1, &"exit 0", "{proven:?}");
    // The original twice, the small image once.
    let asked = std::fs::read_to_string(bench.path("asked.txt")).unwrap();
    assert_eq!(asked.lines().count(), 3);
    // What fails on the original proves nothing, and is named.
    let disqualified = lines(&report["proof"]["disqualified"]);
    assert_eq!(disqualified.len(), 1, "{disqualified:?}");
    let (probe, why) = disqualified.first_key_value().unwrap();
    assert!(
        probe.ends_with("fails.sh") && why.contains("exit code 3"),
        "{probe}: {why}"
    );
}

#[test]
fn a_command_is_fed_with_a_file() {
    let bench = bench_with_tiny(&["sum"]);
    std::fs::write(bench.path("numbers.txt"), "20 22\n").unwrap();
    let report = bench
        .whit(&["shrink", "tiny.tar", "--stdin", "numbers.txt", "--json"])
        .succeeds()
        .json();
    let answer = proven(&report).remove("the image's command < numbers.txt");
    assert_eq!(answer, Some("exit 0, 3 bytes"));
}

#[test]
fn runs_without_a_result() {
    let bench = bench_with_tiny(&[]);
    let dry = bench
        .whit(&[
            "shrink",
            "tiny.tar",
            "--dry-run",
            "--json",
            "--save-run",
            "kept-run",
        ])
        .succeeds()
        .json();
    assert_eq!(bench.names(), ["kept-run", "tiny.tar"]);
    assert_eq!(
        (&dry["output"], &dry["digest"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(dry["proof"]["proven"], true);
    // What was saved tells the same story.
    let saved = |name: &str| std::fs::read_to_string(bench.path("kept-run").join(name)).unwrap();
    assert_eq!(saved("source.txt"), "tiny.tar\n");
    assert!(saved("trace.json").contains("/app/data.txt"));
    let plan: Value = serde_json::from_str(&saved("plan.json")).unwrap();
    assert_eq!(plan["files"], dry["files"]);
    bench
        .whit(&["why", "--report", "kept-run/plan.json", "/app/data.txt"])
        .succeeds()
        .says("kept /app/data.txt");

    // Without a run, the saved one tells what is needed.
    let tight = |flags: &[&str]| {
        let asked = [
            "shrink",
            "tiny.tar",
            "--policy",
            "tight",
            "--no-run",
            "--dry-run",
            "--json",
        ];
        let report = bench.whit(&[&asked, flags].concat()).succeeds().json();
        let files = report["files"].as_array().unwrap();
        files
            .iter()
            .any(|file| file["path"] == "/app/data.txt" && file["kept"] == true)
    };
    assert!(!tight(&[]));
    assert!(tight(&["--replay", "kept-run"]));
    bench
        .whit(&["shrink", "tiny.tar", "--replay", "no-run"])
        .exits(2)
        .says("no-run/trace.json")
        .says("--save-run");

    let unproven = bench_with_tiny(&[]);
    let screen = unproven
        .whit(&["shrink", "tiny.tar", "--no-run"])
        .succeeds();
    assert!(screen.stdout().contains("unproven"), "{}", screen.stdout());
    let report: Value =
        serde_json::from_slice(&std::fs::read(unproven.path("tiny-small.whit.json")).unwrap())
            .unwrap();
    assert_eq!(report["proof"]["proven"], false);
    assert_eq!(report["proof"]["probes"], json!([]));
}

#[test]
fn policies_and_globs_decide_what_stays() {
    let bench = bench_with_tiny(&[]);
    let kept = |flags: &[&str]| {
        let arguments = [&["shrink", "tiny.tar", "--dry-run", "--json"], flags].concat();
        let report = bench.whit(&arguments).succeeds().json();
        let files = report["files"].as_array().unwrap().iter();
        let verdict = |path: &str| {
            let line = files.clone().find(|file| file["path"] == path);
            line.unwrap_or_else(|| panic!("no verdict on {path}"))["kept"] == true
        };
        [
            "/app/extra.txt",
            "/usr/share/foo/page",
            "/var/cache/apt/archives/foo.deb",
        ]
        .map(verdict)
    };
    assert_eq!(kept(&[]), [true, false, false]);
    assert_eq!(kept(&["--policy", "tight"]), [false, false, false]);
    assert_eq!(kept(&["--policy", "repack"]), [true, true, false]);
    let keep = ["--keep", "/usr/share/foo/*", "--keep", "/var/cache/**"];
    assert_eq!(kept(&keep), [true, true, true]);
    assert_eq!(kept(&["--drop", "/app/ex*"]), [false, false, false]);
}

#[test]
fn symbols_stay_where_they_are_wanted() {
    let bench = bench_with_tiny(&[]);
    let size = |flags: &[&str]| {
        let arguments = [&["shrink", "tiny.tar", "--dry-run", "--json"], flags].concat();
        let report = bench.whit(&arguments).succeeds().json();
        report["after"]["bytes"].as_u64().unwrap()
    };
    let original = crate::crafted::tiny_program().len() as u64;
    assert!(size(&[]) < original);
    assert!(size(&["--no-strip"]) >= original);
}

#[test]
fn python_code_in_every_form() {
    for (form, source, sourceless, cached) in [
        ("bytecode", false, true, false),
        ("source", true, false, false),
        ("both", true, false, true),
    ] {
        let bench = Bench::new();
        bench.project(
            "app",
            &[("main.py", "import json\nprint(json.dumps([1]))\n")],
        );
        bench
            .whit(&["build", "app", "-o", "app.tar", "--python-code", form])
            .succeeds();
        let root = unpacked(&bench, &bench.path("app.tar"));
        let there = |path: &str| std::fs::exists(format!("{root}{path}")).unwrap();
        let json = "/usr/lib/python3.11/json";
        assert_eq!(there(&format!("{json}/decoder.py")), source, "{form}");
        assert_eq!(there(&format!("{json}/decoder.pyc")), sourceless, "{form}");
        let pyc = format!("{json}/__pycache__/decoder.cpython-311.pyc");
        assert_eq!(there(&pyc), cached, "{form}");
        // The user's own code can always be read in a traceback.
        assert!(there("/app/main.py"), "{form}");
    }
}
