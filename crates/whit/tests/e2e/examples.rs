//! Every example: built, proven, small enough, and right in a real Docker on
//! all of its routes, those that no probe took too.

use std::path::Path;
use std::process::Command;

use crate::support::{Bench, Finished, alone, built, have, repository};

/// Uncompressed and compressed megabytes that policy `safe` may reach.
const LIMITS: &[(&str, f64, f64)] = &[
    ("hello", 16.0, 6.5),
    ("cli", 22.5, 8.5),
    ("falcon", 25.0, 9.5),
    // The aim is 46.0 / 16.0; what a run touches is 43.6 / 16.0 by itself,
    // its ELF files with their unwind tables.
    ("fastapi", 48.8, 17.75),
    ("requests", 26.0, 10.0),
    ("pyyaml", 17.0, 6.5),
    ("pandas", 110.0, 38.0),
    // Debian's Node and its ICU are all but one of these megabytes.
    ("node", 116.0, 38.5),
    ("java", 56.5, 34.5),
    ("go", 9.6, 3.9),
    ("rust", 1.3, 0.6),
    ("c", 0.05, 0.03),
];

fn build_and_check(name: &str) {
    if !have(&["docker", "python3"]) {
        return;
    }
    let built = built(name);
    let report = &built.report;
    assert_eq!(report["proof"]["proven"], true);
    let probes = report["proof"]["probes"].as_array().unwrap();
    assert!(!probes.is_empty(), "nothing was asked");
    check_in_docker(&built.archive, name);
    let (_, uncompressed, compressed) = LIMITS.iter().find(|limit| limit.0 == name).unwrap();
    let megabytes = |key: &str| report["after"][key].as_f64().unwrap() / 1e6;
    assert!(
        megabytes("bytes") <= *uncompressed && megabytes("compressed") <= *compressed,
        "{name} is {:.2} / {:.2} MB, more than {uncompressed} / {compressed}",
        megabytes("bytes"),
        megabytes("compressed"),
    );
}

/// Puts all of an example's checks to an image, as it is and with nothing
/// allowed.
fn check_in_docker(archive: &Path, name: &str) {
    let _turn = alone();
    for mode in [&[][..], &["--strict"][..]] {
        let mut check = Command::new("python3");
        check
            .arg(repository().join("scripts/check-image.py"))
            .args(mode)
            .arg(archive)
            .arg(name);
        Finished::of(check, &format!("check-image.py {mode:?} {name}")).succeeds();
    }
}

/// Another release of Debian, another Python: its bytecode, its frozen
/// modules, its libraries' names.
#[test]
fn falcon_on_trixie() {
    if !have(&["docker", "python3"]) {
        return;
    }
    let bench = Bench::new();
    let name = bench.example("falcon");
    let report = bench
        .whit(&[
            "build",
            name,
            "--python",
            "3.13",
            "-o",
            "trixie.tar",
            "--json",
        ])
        .succeeds()
        .says("3.13 (Debian trixie)")
        .json();
    assert_eq!(report["proof"]["proven"], true);
    check_in_docker(&bench.path("trixie.tar"), name);
    bench
        .whit(&["why", "trixie.tar", "/usr/lib/python3.13/json/__init__.py"])
        .succeeds()
        .says("bytecode");
    // The interactive prompt of 3.13 would bring readline and curses.
    bench
        .whit(&["why", "trixie.tar", "/usr/lib/python3.13/_pyrepl/main.py"])
        .succeeds()
        .says("dropped");
}

#[test]
fn hello() {
    build_and_check("hello");
}

#[test]
fn cli() {
    build_and_check("cli");
}

#[test]
fn falcon() {
    build_and_check("falcon");
}

#[test]
fn fastapi() {
    build_and_check("fastapi");
}

#[test]
fn requests() {
    build_and_check("requests");
}

#[test]
fn pyyaml() {
    build_and_check("pyyaml");
}

#[test]
fn node() {
    build_and_check("node");
}

#[test]
fn java() {
    build_and_check("java");
}

#[test]
fn go() {
    build_and_check("go");
}

#[test]
fn rust() {
    build_and_check("rust");
}

#[test]
fn c() {
    build_and_check("c");
}

#[test]
fn pandas() {
    build_and_check("pandas");
}
