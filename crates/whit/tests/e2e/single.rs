//! `whit build --single`: an app as one executable, right in a real Docker on
//! all of its routes and modes, and small enough.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Bench, Finished, alone, have, repository, tool, unpacked};

/// How an example has to come out: its form, and the megabytes of its image.
struct Aim {
    name: &'static str,
    form: &'static str,
    megabytes: f64,
    /// A module that is left out.
    without: Option<&'static str>,
}

const HELLO: Aim = Aim {
    name: "hello",
    form: "linked",
    megabytes: 3.5,
    without: None,
};

/// Builds an example and puts all of its checks to it, as it is and with a
/// read-only root, another user, no capabilities and no `/tmp`.
fn build_and_check(aim: &Aim, flags: &[&str]) -> Option<(Bench, Value)> {
    if !have(&["docker", "python3"]) {
        return None;
    }
    let bench = Bench::new();
    let name = bench.example(aim.name);
    let archive = format!("{name}.tar");
    let build = ["build", name, "-o", &archive, "--json"];
    let without = aim.without.map(|module| ["--without", module]);
    let without = without.as_ref().map_or(&[][..], |words| words);
    let report = bench
        .whit(&[&build[..], flags, without].concat())
        .succeeds()
        .json();
    assert_eq!(report["proof"]["proven"], true);
    let form = report["single"]["form"].as_str().unwrap();
    assert!(form.starts_with(aim.form), "{}", report["single"]);
    let megabytes = report["after"]["bytes"].as_f64().unwrap() / 1e6;
    assert!(
        megabytes <= aim.megabytes,
        "{name} is {megabytes:.2} MB, more than {}",
        aim.megabytes
    );
    check_in_docker(&bench.path(&archive), name, without);
    Some((bench, report))
}

fn check_in_docker(archive: &Path, name: &str, without: &[&str]) {
    let _turn = alone();
    for mode in [&[][..], &["--strict", "--no-tmp"][..]] {
        let mut check = Command::new("python3");
        check
            .arg(repository().join("scripts/check-image.py"))
            .args(mode)
            .args(without)
            .arg(archive)
            .arg(name);
        Finished::of(check, &format!("check-image.py {mode:?} {name}")).succeeds();
    }
}

#[test]
fn hello_is_static_and_says_why() {
    let Some((bench, report)) = build_and_check(&HELLO, &["--single", "--sbom", "hello.spdx.json"])
    else {
        return;
    };
    let root = unpacked(&bench, &bench.path("hello.tar"));
    let path = report["single"]["path"].as_str().unwrap();
    let executable = format!("{root}{path}");
    assert!(tool("file", &[&executable]).contains("statically linked"));
    let mut ldd = Command::new("ldd");
    ldd.arg(&executable);
    Finished::of(ldd, "ldd")
        .exits(1)
        .says("not a dynamic executable");
    let json = "/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so";
    bench
        .whit(&["why", "hello.tar", json])
        .succeeds()
        .says("linked, in");
    bench
        .whit(&["why", "hello.tar", "/usr/lib/python3.11/argparse.py"])
        .succeeds()
        .says(&format!("in {path}"));
    // Scanners are told of what is in it, not of what the original had.
    let is_told = |name: &str| Path::new(&format!("{root}/var/lib/dpkg/status.d/{name}")).exists();
    assert!(is_told("musl") && is_told("libpython3.11-stdlib"));
    assert!(!is_told("libc6"));
    let bill = std::fs::read_to_string(bench.path("hello.spdx.json")).unwrap();
    assert!(bill.contains("SPDXRef-DebianSource-musl") && !bill.contains("Debian-libc6"));
    // What was compiled is pinned like everything else.
    let lock = std::fs::read_to_string(bench.path("hello/whit.lock")).unwrap();
    assert!(
        lock.contains("[[source]]") && lock.contains("name = \"python3.11\""),
        "{lock}"
    );
}

#[test]
fn an_executable_for_any_linux() {
    if !have(&["strace"]) {
        return;
    }
    let bench = Bench::new();
    let name = bench.example("hello");
    for mode in ["--single", "--single=carried"] {
        bench
            .whit(&["build", name, mode, "-o", "exe:hi"])
            .succeeds()
            .says("exe:hi");
        let hi = bench.path("hi");
        let run = |arguments: &[&str]| {
            let mut command = Command::new(&hi);
            command.args(arguments).current_dir("/");
            Finished::of(command, "hi")
        };
        run(&["greet", "--shout", "Bob"])
            .succeeds()
            .says("HELLO, BOB");
        run(&["nonsense"]).exits(2).says("usage: hello");
        run(&["when", "2000-01-01"]).succeeds().says("Saturday");
        let calls = bench.path("calls");
        let mut traced = Command::new("strace");
        traced
            .args(["-f", "-e", "trace=%file", "-o"])
            .arg(&calls)
            .arg(&hi)
            .env("HOME", "/root");
        Finished::of(traced, "strace hi")
            .succeeds()
            .says("hello, world");
        let calls = std::fs::read_to_string(calls).unwrap();
        let written: Vec<&str> = calls
            .lines()
            .filter(|call| call.contains("O_CREAT") || call.contains("mkdir"))
            .collect();
        assert!(written.is_empty(), "{written:?}");
    }
    assert_eq!(bench.names(), ["calls", "hello", "hi", "hi.whit.json"]);
}

/// What the app reads by a relative name may be its own, what it lists and
/// writes is the caller's.
#[test]
fn an_executable_leaves_the_callers_folder_to_the_caller() {
    let bench = Bench::new();
    let main = "import os\n\
                print(sorted(os.listdir('.')), open('data/words.txt').read())\n\
                os.makedirs('data', exist_ok=True)\n\
                try:\n    open('data/words.txt', 'a').write(' and more')\n\
                except OSError:\n    raise SystemExit('read-only')\n\
                print(open('data/words.txt').read(), os.listdir('data'))\n";
    let files = [("main.py", main), ("data/words.txt", "words")];
    bench.project("words", &files);
    bench
        .whit(&["build", "words", "-o", "exe:say", "--no-run"])
        .succeeds();
    std::fs::create_dir(bench.path("here")).unwrap();
    std::fs::write(bench.path("here/mine"), "").unwrap();
    let mut command = Command::new(bench.path("say"));
    command.current_dir(bench.path("here"));
    Finished::of(command, "say")
        .succeeds()
        .says("['mine'] words\nwords and more ['words.txt']");
    let written = std::fs::read_to_string(bench.path("here/data/words.txt")).unwrap();
    assert_eq!(written, "words and more");
}

#[test]
fn pyyaml() {
    let aim = Aim {
        name: "pyyaml",
        form: "linked with musl",
        megabytes: 4.5,
        without: None,
    };
    build_and_check(&aim, &["--single"]);
    // libyaml is Debian's then.
    let fast = Aim {
        form: "linked with glibc",
        megabytes: 12.0,
        ..aim
    };
    build_and_check(&fast, &["--single=fast"]);
}

#[test]
fn cli() {
    let aim = Aim {
        name: "cli",
        form: "linked",
        megabytes: 5.0,
        without: None,
    };
    build_and_check(&aim, &["--single"]);
}

#[test]
fn falcon_with_real_tls() {
    let aim = Aim {
        name: "falcon",
        form: "linked with musl",
        megabytes: 10.0,
        without: None,
    };
    build_and_check(&aim, &["--single"]);
}

#[test]
fn falcon_without_tls() {
    let aim = Aim {
        name: "falcon",
        form: "linked with musl",
        megabytes: 7.0,
        without: Some("ssl"),
    };
    let Some((_, report)) = build_and_check(&aim, &["--single"]) else {
        return;
    };
    let left_out = report["single"]["left_out"].to_string();
    for module in ["_ssl", "_hashlib"] {
        assert!(left_out.contains(&format!("/{module}.")), "{left_out}");
    }
}

/// Switches stacks, and throws exceptions of C++ and of Python through them.
const COROUTINES: &str = r#"
import threading
from greenlet import error, getcurrent, greenlet

def talk(first):
    try:
        print(first, main.switch("pong"))
    except KeyError as key:
        print("thrown in", key)
    raise ValueError("through a switch")

main = getcurrent()
one = greenlet(talk)
print("ping", one.switch("first"))
try:
    one.throw(KeyError("k"))
except ValueError as value:
    print("raised", value)

def elsewhere():
    try:
        two.switch()
    except error as refused:
        print(str(refused).splitlines()[0])

two = greenlet(lambda: main.switch())
two.switch()
thread = threading.Thread(target=elsewhere)
thread.start()
thread.join()
"#;

#[test]
fn cxx_is_linked_with_musl() {
    let bench = Bench::new();
    let files = [
        ("main.py", COROUTINES),
        ("requirements.txt", "greenlet==3.2.4\n"),
    ];
    bench.project("coroutines", &files);
    let build = ["build", "coroutines", "--single", "-o", "exe:talk"];
    let report = bench
        .whit(&[&build[..], &["--json"]].concat())
        .succeeds()
        .json();
    assert_eq!(report["single"]["form"], "linked with musl");
    let talk = Finished::of(Command::new(bench.path("talk")), "talk");
    assert_eq!(
        String::from_utf8_lossy(&talk.succeeds().output.stdout),
        "ping pong\nthrown in 'k'\nraised through a switch\nCannot switch to a different thread\n"
    );
}

#[test]
fn requests() {
    let aim = Aim {
        name: "requests",
        form: "linked",
        megabytes: 11.0,
        without: None,
    };
    build_and_check(&aim, &["--single"]);
}

/// pydantic's core is in Rust.
#[test]
fn fastapi_is_carried() {
    let aim = Aim {
        name: "fastapi",
        form: "carried",
        megabytes: 28.0,
        without: None,
    };
    let Some((_, report)) = build_and_check(&aim, &["--single"]) else {
        return;
    };
    let why = report["single"]["passed_over"][0]["why"].as_str().unwrap();
    assert!(why.contains("Rust") && !why.contains('\n'), "{why}");
}

#[test]
fn pandas_is_carried() {
    let aim = Aim {
        name: "pandas",
        form: "carried",
        megabytes: 90.0,
        without: None,
    };
    build_and_check(&aim, &["--single=carried"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bench = Bench::new();
    bench.project("answer", &[("main.py", "print(42)\n")]);
    bench
        .whit(&["build", "answer", "--without", "ssl"])
        .exits(2)
        .says("--without means nothing without --single");
    bench
        .whit(&["build", "answer", "--single", "--rescue"])
        .exits(2)
        .says("no rescue layer");
    bench
        .whit(&["build", "answer", "--single=tiny"])
        .exits(2)
        .says("none of small, fast and carried");
    bench
        .whit(&[
            "build",
            "answer",
            "--single=carried",
            "--without",
            "nonsense",
            "-o",
            "a.tar",
        ])
        .exits(2)
        .says("no such module");
    bench
        .whit(&[
            "build",
            "answer",
            "--single=carried",
            "-o",
            "exe:no/such/folder",
        ])
        .exits(2)
        .says("no/such/folder");
    assert_eq!(bench.names(), ["answer"]);
    let name = bench.example("c");
    bench
        .whit(&["build", name, "--single"])
        .exits(2)
        .says("not in Python");
}
