//! Several programs in one image: what `--also` and `[[entry]]` name stays,
//! works and is told.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Bench, Finished, alone, have, soon, tool};

const WEB: &str = r#"
from http.server import BaseHTTPRequestHandler, HTTPServer

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the web")

HTTPServer(("", 8000), Page).serve_forever()
"#;

/// Needs what neither of the others imports, and answers to SIGTERM.
const WORKER: &str = r#"
import csv, io, os, signal, sys

def stop(*_):
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
line = next(csv.reader(io.StringIO("working,for " + os.environ.get("QUEUE", "everyone"))))
print("the worker is", *line, flush=True)
while True:
    signal.pause()
"#;

const MIGRATE: &str = r#"
import sqlite3

database = sqlite3.connect(":memory:")
database.execute("create table items (name text)")
print("migrated", database.execute("select count(*) from sqlite_master").fetchone()[0], "table")
"#;

const SETTINGS: &str = r#"
# Nothing but what runs: what an entry needs is there because of the entry.
policy = "tight"
command = "python -m app.web"

[[entry]]
command = "python -m app.worker"
env = { QUEUE = "mail" }
"#;

fn project(bench: &Bench) {
    bench.project(
        "app",
        &[
            ("whit.toml", SETTINGS),
            ("app/__init__.py", ""),
            ("app/web.py", WEB),
            ("app/worker.py", WORKER),
            ("app/migrate.py", MIGRATE),
        ],
    );
}

#[test]
fn a_web_process_a_worker_and_a_migration_are_one_image() {
    if !have(&["docker"]) {
        return;
    }
    let _turn = alone();
    let bench = Bench::new();
    project(&bench);
    let report = bench
        .whit(&[
            "build",
            "app",
            "--also",
            "python -m app.migrate",
            "-t",
            "also-three:1",
            "-o",
            "app.tar",
            "--json",
        ])
        .succeeds()
        .json();
    assert_eq!(report["proof"]["proven"], true);
    let probes = report["proof"]["probes"].as_array().unwrap();
    for (probe, result) in [
        ("GET :8000/", "200, 18 bytes"),
        ("entry 'python -m app.migrate'", "exit 0"),
        (
            "entry 'python -m app.worker'",
            "runs and listens on nothing",
        ),
    ] {
        let found = probes.iter().find(|line| line["probe"] == probe);
        assert_eq!(
            found.unwrap_or(&Value::Null)["result"],
            result,
            "{probes:?}"
        );
    }

    for (path, cause) in [
        (
            "/app/app/worker.py",
            "is what entry 'python -m app.worker' starts",
        ),
        (
            "/usr/lib/python3.11/csv.py",
            "of entry 'python -m app.worker'",
        ),
        (
            "/usr/lib/python3.11/sqlite3/dbapi2.py",
            "of entry 'python -m app.migrate'",
        ),
    ] {
        bench.whit(&["why", "app.tar", path]).succeeds().says(cause);
    }

    tool(
        "docker",
        &["load", "-q", "-i", bench.path("app.tar").to_str().unwrap()],
    );
    let image = "also-three:1";
    let migrated = tool(
        "docker",
        &[
            "run",
            "--rm",
            "--entrypoint",
            "python",
            image,
            "-m",
            "app.migrate",
        ],
    );
    assert_eq!(migrated, "migrated 1 table\n");
    // The image itself is started as before.
    let config = tool(
        "docker",
        &["image", "inspect", "-f", "{{json .Config.Cmd}}", image],
    );
    assert_eq!(config.trim(), r#"["python","-m","app.web"]"#);
    let web = Container::start(&["--publish", "127.0.0.1::8000", image]);
    let published = tool("docker", &["port", &web.0, "8000/tcp"]);
    let address = published.lines().next().unwrap().to_owned();
    assert!(
        soon(|| ask(&address).contains("hello from the web")),
        "{}",
        web.log()
    );
    let worker = Container::start(&[
        "-e",
        "QUEUE=mail",
        "--entrypoint",
        "python",
        image,
        "-m",
        "app.worker",
    ]);
    assert!(
        soon(|| worker.log().contains("the worker is working for mail")),
        "{}",
        worker.log()
    );
    tool("docker", &["stop", &worker.0]);
    let code = tool(
        "docker",
        &["inspect", "-f", "{{.State.ExitCode}}", &worker.0],
    );
    assert_eq!(code.trim(), "0");
    drop((web, worker));
    tool("docker", &["image", "rm", "-f", image]);
}

#[test]
fn an_entry_that_does_not_exist_is_an_error_of_the_input() {
    let bench = Bench::new();
    project(&bench);
    let build = |also: &str| bench.whit(&["build", "app", "--also", also, "-o", "app.tar"]);
    build("no-such-program --now")
        .exits(2)
        .says("entry 'no-such-program --now': the image has no program \"no-such-program\"")
        .says("it is looked for in");
    build("python -m app.nowhere")
        .exits(2)
        .says("entry 'python -m app.nowhere': it ended with exit code 1")
        .says("No module named app.nowhere");
    build("python 'main")
        .exits(2)
        .says("quote that is not closed");
    assert!(!bench.path("app.tar").exists());
}

/// A container of Docker's, removed when it is dropped.
struct Container(String);

impl Container {
    fn start(arguments: &[&str]) -> Self {
        let all = [&["run", "--detach"], arguments].concat();
        Self(tool("docker", &all).trim().to_owned())
    }

    fn log(&self) -> String {
        let mut logs = Command::new("docker");
        logs.args(["logs", &self.0]);
        let said = Finished::of(logs, "docker logs");
        said.stdout() + &said.stderr()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut remove = Command::new("docker");
        remove.args(["rm", "--force", "--volumes", &self.0]);
        let _ = remove.output();
    }
}

/// The answer to `GET /`, or nothing.
fn ask(address: &str) -> String {
    use std::io::{Read, Write};
    let Ok(mut stream) = std::net::TcpStream::connect(address) else {
        return String::new();
    };
    let mut answer = String::new();
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
    let _ = stream.read_to_string(&mut answer);
    answer
}
