//! Registries and engines, the real ones: pull, shrink, push, run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::registry::{AUTH, Guard, Registry};
use crate::support::{Bench, Finished, alone, built, have, soon, tool};

/// whit with logins and certificates of the bench, and nobody else's.
fn whit(bench: &Bench, arguments: &[&str]) -> Finished {
    let mut command = bench.command(arguments);
    command
        .env("DOCKER_CONFIG", bench.path("docker"))
        .env("XDG_CONFIG_HOME", bench.path("config"))
        .env_remove("REGISTRY_AUTH_FILE")
        .env_remove("XDG_RUNTIME_DIR");
    Finished::of(command, &format!("whit {}", arguments.join(" ")))
}

/// Sends hello, fetches it with an empty cache, shrinks it again, sends that,
/// and runs it by its digest.
fn round_trip(bench: &Bench, registry: &Registry, flags: &[&str]) -> String {
    let hello = built("hello").archive.to_str().unwrap();
    let (one, two) = (
        format!("docker://{}/hello:1", registry.address),
        format!("{}/team/hello:2", registry.address),
    );
    let with = |arguments: &[&str]| whit(bench, &[arguments, flags].concat());
    with(&["shrink", hello, "-o", &one]).succeeds();
    std::fs::create_dir_all(bench.path("cache")).unwrap();
    let mut fresh =
        bench.command(&[&["shrink", &one, "-t", &two, "--push", "--json"], flags].concat());
    fresh
        .env("DOCKER_CONFIG", bench.path("docker"))
        .env("XDG_CONFIG_HOME", bench.path("config"))
        .env("XDG_CACHE_HOME", bench.path("cache"));
    let report = Finished::of(fresh, "whit shrink --push").succeeds().json();
    let digest = report["digest"].as_str().unwrap();
    let by_digest = format!("{}/team/hello@{digest}", registry.address);
    let image = format!("docker://{by_digest}");
    let run = [&["run", &image][..], flags, &["--", "--help"]].concat();
    whit(bench, &run).succeeds().says("usage:");
    by_digest
}

#[test]
fn a_round_trip_through_a_plain_registry() {
    if !have(&["docker-registry", "skopeo", "docker"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::Nobody);
    // Without TLS, and nobody said that this is all right.
    whit(
        &bench,
        &["shrink", &format!("docker://{}/hello", registry.address)],
    )
    .exits(2)
    .says("--insecure");
    let image = round_trip(&bench, &registry, &["--insecure"]);
    let _turn = alone();
    tool(
        "skopeo",
        &[
            "inspect",
            "--tls-verify=false",
            &format!("docker://{image}"),
        ],
    );
    // Docker takes loopback without TLS by itself.
    tool("docker", &["pull", "-q", &image]);
    let printed = tool("docker", &["run", "--rm", "--network=none", &image]);
    assert!(!printed.is_empty());
    tool("docker", &["rmi", "-f", &image]);
}

#[test]
fn a_round_trip_through_a_registry_with_a_password() {
    if !have(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::Password);
    let name = format!("docker://{}/hello:1", registry.address);
    whit(&bench, &["run", &name, "--insecure"])
        .exits(2)
        .says(&format!("docker login {}", registry.address));
    std::fs::create_dir(bench.path("docker")).unwrap();
    std::fs::write(
        bench.path("docker/config.json"),
        format!(
            r#"{{"auths":{{"{}":{{"auth":"{AUTH}"}}}}}}"#,
            registry.address
        ),
    )
    .unwrap();
    round_trip(&bench, &registry, &["--insecure"]);
    whit(
        &bench,
        &[
            "run",
            &format!("docker://{}/gone:1", registry.address),
            "--insecure",
        ],
    )
    .exits(2)
    .says("has no such image");
}

#[test]
fn a_credential_helper_is_asked() {
    if !have(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::Password);
    std::fs::create_dir_all(bench.path("docker")).unwrap();
    let config = format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, registry.address);
    std::fs::write(bench.path("docker/config.json"), config).unwrap();
    let helper = bench.path("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread -r server\ntest \"$1 $server\" = 'get {}' || exit 1\n\
         echo '{{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"secret\"}}'\n",
        registry.address
    );
    std::fs::write(&helper, script).unwrap();
    tool("chmod", &["+x", helper.to_str().unwrap()]);
    let path = format!(
        "{}:{}",
        bench.dir.path().display(),
        std::env::var("PATH").unwrap()
    );
    let name = format!("docker://{}/gone:1", registry.address);
    let mut command = bench.command(&["run", &name, "--insecure"]);
    command
        .env("DOCKER_CONFIG", bench.path("docker"))
        .env("PATH", path);
    // Known, and told that there is no such image.
    Finished::of(command, "whit run with a helper")
        .exits(2)
        .says("has no such image");
}

#[test]
fn a_round_trip_through_a_registry_with_its_own_authority() {
    if !have(&["docker-registry", "openssl"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::Certificate);
    let name = format!("docker://{}/hello:1", registry.address);
    let hint = format!("containers/certs.d/{}/ca.crt", registry.address);
    whit(&bench, &["run", &name]).exits(2).says(&hint);
    whit(&bench, &["run", &name, "--insecure"])
        .exits(2)
        .says("leave --insecure out");
    let folder = bench
        .path("config/containers/certs.d")
        .join(&registry.address);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(bench.path("ca.crt"), folder.join("ca.crt")).unwrap();
    round_trip(&bench, &registry, &[]);
}

#[test]
fn a_registry_that_asks_who_it_speaks_with_is_shown_a_certificate() {
    if !have(&["docker-registry", "openssl"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::BothCertificates);
    let name = format!("docker://{}/hello:1", registry.address);
    let folder = bench
        .path("config/containers/certs.d")
        .join(&registry.address);
    std::fs::create_dir_all(&folder).unwrap();
    let give = |file: &str, name: &str| {
        std::fs::copy(bench.path(file), folder.join(name)).unwrap();
    };
    give("ca.crt", "ca.crt");
    whit(&bench, &["run", &name])
        .exits(2)
        .says("client.cert and client.key");
    give("client.crt", "client.cert");
    whit(&bench, &["run", &name]).exits(2).says("client.key");
    // Somebody else's key.
    give("server.key", "client.key");
    whit(&bench, &["run", &name]).exits(2).says("client.key");
    give("client.key", "client.key");
    round_trip(&bench, &registry, &[]);
}

#[test]
fn logins_are_found_where_engines_keep_them() {
    if !have(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::Password);
    let login = format!(
        r#"{{"auths":{{"{}":{{"auth":"{AUTH}"}}}}}}"#,
        registry.address
    );
    let name = format!("docker://{}/gone:1", registry.address);
    let places = [
        ("REGISTRY_AUTH_FILE", "own/auth.json", "own/auth.json"),
        ("XDG_RUNTIME_DIR", "run", "run/containers/auth.json"),
        ("XDG_CONFIG_HOME", "config", "config/containers/auth.json"),
        ("HOME", "home1", "home1/.config/containers/auth.json"),
        ("DOCKER_CONFIG", "docker", "docker/config.json"),
        ("HOME", "home2", "home2/.docker/config.json"),
    ];
    for (variable, value, file) in places {
        let asked = || {
            let mut command = bench.command(&["run", &name, "--insecure"]);
            for (variable, ..) in places {
                command.env_remove(variable);
            }
            command
                .env("XDG_CACHE_HOME", bench.path("cache"))
                .env(variable, bench.path(value));
            Finished::of(command, &format!("whit run with {variable}")).exits(2)
        };
        asked().says("docker login");
        let file = bench.path(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &login).unwrap();
        // Known, and told that there is no such image.
        asked().says("has no such image");
    }
}

#[test]
fn a_bare_name_is_looked_for_in_engines_and_then_in_its_registry() {
    if !have(&["docker-registry"]) {
        return;
    }
    let bench = Bench::new();
    let registry = Registry::start(&bench, Guard::Nobody);
    let hello = built("hello").archive.to_str().unwrap();
    let name = format!("{}/hello:1", registry.address);
    let whit = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        // Nobody listens there.
        let nowhere = format!("unix://{}", bench.path("nowhere.sock").display());
        command
            .env("DOCKER_HOST", &nowhere)
            .env("CONTAINER_HOST", &nowhere);
        Finished::of(command, &format!("whit {}", arguments.join(" ")))
    };
    let to = format!("docker://{name}");
    whit(&["shrink", hello, "--insecure", "-o", &to]).succeeds();
    whit(&["run", &name, "--insecure", "--", "--help"])
        .succeeds()
        .says("usage:");
    let gone = format!("{}/hello:2", registry.address);
    whit(&["run", &gone, "--insecure"])
        .exits(2)
        .says("Docker is not here")
        .says("Podman is not here")
        .says("has no such image");
}

/// Docker's socket as a port of this machine.
fn docker_at_a_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for here in listener.incoming().flatten() {
            let there = UnixStream::connect("/var/run/docker.sock").unwrap();
            let (mut from, mut to) = (here.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            thread::spawn(move || {
                let (mut from, mut to) = (there, here);
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    });
    address
}

#[test]
fn docker_is_found_as_its_own_program_finds_it() {
    if !have(&["docker"]) {
        return;
    }
    let bench = Bench::new();
    let port = docker_at_a_port();
    let context = |name: &str, host: &str| {
        let id = hex::encode(Sha256::digest(name));
        let folder = bench.path("docker/contexts/meta").join(id);
        std::fs::create_dir_all(&folder).unwrap();
        let meta = json!({ "Name": name, "Endpoints": { "docker": { "Host": host } } });
        std::fs::write(folder.join("meta.json"), meta.to_string()).unwrap();
    };
    context("port", &format!("tcp://{port}"));
    context("far", "ssh://me@example.org");
    let asked = |more: &[(&str, &str)]| {
        let mut command = bench.command(&["run", "docker-daemon:whit-e2e/gone"]);
        command
            .env_remove("DOCKER_HOST")
            .env_remove("DOCKER_CONTEXT")
            .env("DOCKER_CONFIG", bench.path("docker"))
            .envs(more.iter().copied());
        Finished::of(command, &format!("whit run with {more:?}")).exits(2)
    };
    let here = "Docker has no image whit-e2e/gone";
    let tcp = format!("tcp://{port}");
    for more in [
        &[][..],
        &[("DOCKER_HOST", "unix:///var/run/docker.sock")],
        &[("DOCKER_HOST", &tcp)],
        &[("DOCKER_CONTEXT", "port")],
        &[("DOCKER_CONTEXT", "default")],
        &[("DOCKER_CONTEXT", "far"), ("DOCKER_HOST", &tcp)],
    ] {
        asked(more).says(here);
    }
    let elsewhere = "engines of this machine only";
    for (more, words) in [
        (&[("DOCKER_HOST", "ssh://me@example.org")][..], elsewhere),
        (&[("DOCKER_HOST", "tcp://192.0.2.1:2375")], elsewhere),
        (
            &[("DOCKER_HOST", &tcp), ("DOCKER_TLS_VERIFY", "1")],
            elsewhere,
        ),
        (&[("DOCKER_CONTEXT", "far")], elsewhere),
        (&[("DOCKER_CONTEXT", "gone")], "docker context ls"),
        (
            &[("DOCKER_HOST", "tcp://127.0.0.1:1")],
            "cannot speak with Docker at 127.0.0.1:1",
        ),
    ] {
        asked(more).says(words);
    }
    // The one that was chosen with `docker context use`.
    let chosen = json!({ "currentContext": "far" }).to_string();
    std::fs::write(bench.path("docker/config.json"), chosen).unwrap();
    asked(&[]).says(elsewhere);
}

#[test]
fn a_round_trip_through_docker() {
    if !have(&["docker"]) {
        return;
    }
    let bench = Bench::new();
    let hello = built("hello").archive.to_str().unwrap();
    let (one, two) = ("whit-e2e/hello:1", "whit-e2e/hello:2");
    let _turn = alone();
    whit(
        &bench,
        &["shrink", hello, "-o", &format!("docker-daemon:{one}")],
    )
    .succeeds();
    // A bare name is looked for in the engine.
    whit(
        &bench,
        &["shrink", one, "-o", &format!("docker-daemon:{two}")],
    )
    .succeeds();
    let id = tool("docker", &["inspect", "-f", "{{.Id}}", two]);
    let printed = tool("docker", &["run", "--rm", "--network=none", id.trim()]);
    assert!(!printed.is_empty());
    whit(
        &bench,
        &["run", &format!("docker-daemon:{two}"), "--", "--help"],
    )
    .succeeds()
    .says("usage:");
    whit(
        &bench,
        &["why", &format!("docker-daemon:{two}"), "/etc/os-release"],
    )
    .succeeds();
    whit(&bench, &["run", "docker-daemon:whit-e2e/gone"])
        .exits(2)
        .says("Docker has no image whit-e2e/gone");
    tool("docker", &["rmi", "-f", one, two]);
}

/// Where an unprivileged container runs podman itself, it may neither raise
/// limits nor make control groups.
const PODMAN: [&str; 4] = ["--runtime", "runc", "--cgroup-manager", "cgroupfs"];
const LIMITS: [&str; 4] = ["--ulimit", "nofile=500:500", "--ulimit", "nproc=500:500"];

#[test]
fn a_round_trip_through_podman_with_and_without_its_service() {
    if !have(&["podman"]) {
        return;
    }
    let bench = Bench::new();
    let hello = built("hello").archive.to_str().unwrap();
    let _turn = alone();
    let socket = bench.path("podman.sock");
    let mut service = Command::new("podman")
        .args(["system", "service", "--time=0"])
        .arg(format!("unix://{}", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let there = soon(|| std::os::unix::net::UnixStream::connect(&socket).is_ok());
    let round = |number: u32, socket: Option<&Path>| {
        let whit = |arguments: &[&str]| {
            let mut command = bench.command(arguments);
            command.env_remove("CONTAINER_HOST");
            if let Some(socket) = socket {
                command.env("CONTAINER_HOST", format!("unix://{}", socket.display()));
            }
            Finished::of(command, &format!("whit {}", arguments.join(" "))).succeeds()
        };
        let name = |tag: &str| format!("podman:localhost/whit-e2e:{number}{tag}");
        let (one, two) = (name("a"), name("b"));
        whit(&["shrink", hello, "-o", &one]);
        whit(&["shrink", &one, "-o", &two]);
        whit(&["run", &two, "--", "--help"]).says("usage:");
        let name = two.trim_start_matches("podman:");
        let run = ["run", "--rm", "--network=none"];
        let id = tool("podman", &["inspect", "-f", "{{.Id}}", name]);
        let printed = tool(
            "podman",
            &[&PODMAN[..], &run, &LIMITS, &[id.trim()]].concat(),
        );
        assert!(!printed.is_empty());
        tool(
            "podman",
            &["rmi", "-f", name, one.trim_start_matches("podman:")],
        );
    };
    if there {
        round(1, Some(&socket));
    }
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(there, "podman's service does not listen");
    round(2, None);
}

/// A registry that takes everything, and does not answer a blob's last
/// request: whoever sends waits. The lines are what it was asked.
fn sluggish() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, lines) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || slowly(stream, &sender));
        }
    });
    (address, lines)
}

fn slowly(mut stream: TcpStream, lines: &std::sync::mpsc::Sender<String>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut line = first.clone();
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    lines.send(first.clone()).unwrap();
    let answer = match first.split(' ').next() {
        Some("HEAD") => "404 X\r\n",
        Some("POST") => "202 X\r\nLocation: /v2/hello/blobs/uploads/1\r\n",
        _ => {
            // Until the other side is gone.
            let _ = reader.read_to_end(&mut Vec::new());
            return;
        }
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {answer}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
}

#[test]
fn a_push_that_is_killed_leaves_nothing() {
    let bench = Bench::new();
    let hello = built("hello").archive.to_str().unwrap();
    let (address, lines) = sluggish();
    let cache: PathBuf = bench.path("cache");
    let output = format!("docker://{address}/hello:1");
    let push = ["shrink", hello, "--no-run", "--insecure", "-o", &output];
    let mut child = bench
        .command(&push)
        .env("XDG_CACHE_HOME", &cache)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let asked: Vec<String> = lines
        .iter()
        .take_while(|line| !line.starts_with("PUT"))
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!asked.is_empty());
    let rest: Vec<String> = lines.try_iter().collect();
    assert!(
        rest.iter()
            .chain(&asked)
            .all(|line| !line.contains("/manifests/"))
    );
    // What the dead one left is cleared by the next.
    let runs = cache.join("whit/runs");
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 1);
    let mut next = bench.command(&["run", "missing.tar"]);
    next.env("XDG_CACHE_HOME", &cache);
    Finished::of(next, "whit run").exits(2);
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 0);
    assert_eq!(bench.names(), ["cache"]);
}

#[test]
fn caches_are_shown_and_cleared() {
    let bench = Bench::new();
    let hello = built("hello").archive.to_str().unwrap();
    let whit = |arguments: &[&str]| {
        let mut command = bench.command(arguments);
        command.env("XDG_CACHE_HOME", bench.path("cache"));
        Finished::of(command, &format!("whit {}", arguments.join(" ")))
    };
    whit(&["shrink", hello, "--no-run", "-o", "small.tar"]).succeeds();
    let layers = || {
        let list = whit(&["cache", "--json"]).succeeds().json();
        let mut caches = list.as_array().unwrap().clone();
        caches.retain(|cache| cache["name"] == "layers");
        caches[0]["entries"].as_u64().unwrap()
    };
    assert!(layers() > 0);
    whit(&["cache", "clear", "lairs"]).exits(2).says("layers");
    whit(&["cache", "prune", "--max", "1G"])
        .succeeds()
        .says("nothing");
    whit(&["cache", "clear", "layers"])
        .succeeds()
        .says("removed");
    assert_eq!(layers(), 0);
    whit(&["cache"]).succeeds().says("layers that whit made");
}
