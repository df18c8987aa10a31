//! The proof is real: what is missing comes back, what differs is refused,
//! what is dead is never called a success.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use whit_core::report::{FileLine, Report, why};

use crate::support::{Bench, built, tool, unpacked};

#[test]
fn a_needed_file_that_was_dropped_comes_back() {
    let bench = Bench::new();
    let report = bench
        .whit(&[
            "build",
            bench.example("hello"),
            "--drop",
            "/usr/lib/python3.*/json",
            "--json",
        ])
        .succeeds()
        .json();
    let repaired: Vec<&str> = report["proof"]["repaired"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        repaired.iter().any(|path| path.contains("/json")),
        "repaired: {repaired:?}"
    );
    let chain = bench
        .whit(&[
            "why",
            "hello.tar",
            "/usr/lib/python3.11/json/decoder.py",
            "--json",
        ])
        .succeeds()
        .stdout();
    assert!(chain.contains("round"), "{chain}");
}

#[test]
fn a_source_comes_back_only_where_the_answer_hangs_on_it() {
    let repaired = |then: &str| {
        let bench = Bench::new();
        let app = format!(
            "import json.decoder, os\n\
             path = os.path.splitext(json.decoder.__file__)[0] + '.' + 'py'\n\
             {then}\n"
        );
        bench.project("app", &[("main.py", &app)]);
        let report = bench.whit(&["build", "app", "--json"]).succeeds().json();
        assert_eq!(report["proof"]["proven"], true);
        report["proof"]["repaired"].clone()
    };
    let source = "/usr/lib/python3.11/json/decoder.py";
    assert_eq!(repaired("print(os.path.exists(path))"), json!([source]));
    // As a traceback does, which one run prints and the next does not.
    assert_eq!(repaired("os.path.exists(path); print('done')"), json!([]));
}

#[test]
fn an_app_that_answers_differently_is_refused() {
    let bench = Bench::new();
    let project = bench.project(
        "counter",
        &[(
            "main.py",
            "import os\nprint('documents:', len(os.listdir('/usr/share')))\n",
        )],
    );
    bench
        .whit(&["build", project.to_str().unwrap(), "-o", "out.tar"])
        .exits(1)
        .says("documents:");
    assert_eq!(bench.names(), ["counter"]);
}

#[test]
fn accepted_differences_are_written_and_named() {
    let bench = Bench::new();
    let project = bench.project(
        "counter",
        &[(
            "main.py",
            "import os\nprint('documents:', len(os.listdir('/usr/share')))\n",
        )],
    );
    let report = bench
        .whit(&[
            "build",
            project.to_str().unwrap(),
            "-o",
            "out.tar",
            "--accept-differences",
            "--json",
        ])
        .succeeds()
        .json();
    assert!(
        !report["proof"]["differences"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

#[test]
fn an_app_that_crashes_is_no_success() {
    let bench = Bench::new();
    bench.project(
        "crash",
        &[(
            "main.py",
            "raise RuntimeError('the database is not there')\n",
        )],
    );
    bench
        .whit(&["build", "crash", "-o", "out.tar", "--", "python", "main.py"])
        .exits(2)
        .says("the database is not there");
    assert_eq!(bench.names(), ["crash"]);
}

#[test]
fn a_service_that_never_listens_ends_with_its_log() {
    let bench = Bench::new();
    let project = bench.project(
        "sleeper",
        &[(
            "main.py",
            "import time\nprint('waiting for godot', flush=True)\ntime.sleep(3600)\n",
        )],
    );
    bench
        .whit(&[
            "build",
            project.to_str().unwrap(),
            "-o",
            "out.tar",
            "--expose",
            "8000",
            "--start-timeout",
            "2",
        ])
        .exits(2)
        .says("waiting for godot");
    assert_eq!(bench.names(), ["sleeper"]);
}

#[test]
fn every_path_of_the_fastapi_example_is_explained() {
    let bench = Bench::new();
    let app = built("fastapi");
    let archive = app.archive.to_str().unwrap();
    let place = app.archive.with_file_name("fastapi.whit.json");
    let report = Report::from_json(&std::fs::read(place).unwrap()).unwrap();
    let mut paths = BTreeSet::new();
    for file in &report.files {
        assert!(paths.insert(&file.path), "{} is there twice", file.path);
        let chain = why(&report, &file.path).unwrap();
        assert_eq!(chain[0].file, file);
        // A module inside the interpreter is wanted, too, and wants others.
        let builtin = |file: &FileLine| file.why.contains("has its code inside");
        for step in &chain {
            assert!(!step.file.why.is_empty(), "{step:?}");
            let holds = step.file.kept || builtin(step.file);
            assert!(holds || chain.len() == 1, "{} hangs on {step:?}", file.path);
        }
        // It ends at a root, and goes in no circle.
        let distinct: BTreeSet<&str> = chain.iter().map(|s| s.file.path.as_str()).collect();
        assert_eq!(distinct.len(), chain.len(), "{}", file.path);
        assert_eq!(chain.last().unwrap().file.from, None, "{}", file.path);
    }
    // Keep + Drop = Tree: what is in the archive is what is called kept, and
    // the rest is called dropped.
    let root = unpacked(&bench, &app.archive);
    let there = tool("find", &[&root, "-mindepth", "1", "-printf", "/%P\n"]);
    let there: BTreeSet<&str> = there.lines().collect();
    let kept: BTreeSet<&str> = report
        .files
        .iter()
        .filter(|file| file.kept && file.path != "/")
        .map(|file| file.moved.as_ref().unwrap_or(&file.path).as_str())
        .collect();
    let wrong: Vec<&&str> = there.symmetric_difference(&kept).collect();
    assert!(wrong.is_empty(), "kept or there, not both: {wrong:?}");
    let dropped = report.files.iter().filter(|file| !file.kept).count();
    assert!(
        kept.len() > 500 && dropped > 500,
        "{} and {dropped}",
        kept.len()
    );
    // The command prints what the library answers.
    let of = |kept: bool| report.files.iter().find(|file| file.kept == kept);
    for (kept, word) in [(true, "kept"), (false, "dropped")] {
        let path = &of(kept).unwrap().path;
        bench
            .whit(&["why", archive, path])
            .succeeds()
            .says(&format!("{word} {path}"));
    }
    bench
        .whit(&["why", archive, "/no/such/path"])
        .exits(2)
        .says("neither the image nor its original");
}

#[test]
fn a_small_image_serves_on_a_port_of_the_host() {
    let app = built("falcon");
    let bench = Bench::new();
    // A port that is free now; the kernel does not give it out again at once.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut service = bench
        .command(&[
            "run",
            app.archive.to_str().unwrap(),
            "-p",
            &format!("{port}:8000"),
        ])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let answered = crate::support::soon(|| ask(port).is_some_and(|text| text.contains(" 200 ")));
    tool("kill", &["-TERM", &service.id().to_string()]);
    let ended = service.wait().unwrap();
    assert!(answered, "no answer; it ended with {ended}");
    assert!(ask(port).is_none(), "it still answers");
}

/// What `GET /` answers there, headers and all.
fn ask(port: u16) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    let wait = Some(std::time::Duration::from_secs(5));
    stream.set_read_timeout(wait).ok()?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}
