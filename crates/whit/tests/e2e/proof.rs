//! The proof is real: what is missing comes back, what differs is refused,
//! what is dead is never called a success.

use serde_json::Value;

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
    let files = app.report["files"].as_array().unwrap();
    assert!(files.iter().any(|file| file["kept"] == true));
    assert!(files.iter().any(|file| file["kept"] == false));
    let by_path: std::collections::HashMap<&str, &Value> = files
        .iter()
        .map(|file| (file["path"].as_str().unwrap(), file))
        .collect();
    assert_eq!(by_path.len(), files.len(), "each path once");
    for file in files {
        assert!(!file["why"].as_str().unwrap().is_empty(), "{file}");
        // The chain ends at a root.
        let mut here = file;
        for _ in 0..files.len() {
            match here["from"].as_str() {
                Some(from) => here = by_path[from],
                None => break,
            }
        }
        assert!(here["from"].is_null(), "{} goes in circles", file["path"]);
    }
    // What is in the archive is what is called kept.
    let bundle = unpacked(&bench, &app.archive);
    for file in files {
        let path = file["path"].as_str().unwrap();
        if file["kept"] == false {
            let place = format!("{bundle}{path}");
            assert!(
                std::fs::symlink_metadata(place).is_err(),
                "{path} is called dropped and is there"
            );
        }
    }
    // One kept and one dropped path, through the command.
    let archive = app.archive.to_str().unwrap();
    let kept = files
        .iter()
        .find(|file| file["kept"] == true && file["from"].is_string())
        .unwrap();
    bench
        .whit(&["why", archive, kept["path"].as_str().unwrap()])
        .succeeds()
        .says("kept");
    let dropped = files.iter().find(|file| file["kept"] == false).unwrap();
    bench
        .whit(&["why", archive, dropped["path"].as_str().unwrap()])
        .succeeds()
        .says("dropped");
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
