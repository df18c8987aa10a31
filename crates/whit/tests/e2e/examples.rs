//! Every example: built, proven, small enough, and right in a real Docker on
//! all of its routes, those that no probe took too.

use std::process::Command;

use crate::support::{Finished, alone, built, have, repository};

/// Uncompressed and compressed megabytes that policy `safe` may reach.
const LIMITS: &[(&str, f64, f64)] = &[
    ("hello", 16.0, 6.5),
    ("cli", 29.0, 11.0),
    ("falcon", 25.0, 9.5),
    // The aim is 46.0 / 16.0; what a run touches is 43.6 / 16.0 by itself.
    ("fastapi", 49.0, 17.8),
    ("requests", 26.0, 10.0),
    ("pyyaml", 17.0, 6.5),
    ("pandas", 110.0, 38.0),
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
    {
        let _turn = alone();
        for mode in [&[][..], &["--strict"][..]] {
            let mut check = Command::new("python3");
            check
                .arg(repository().join("scripts/check-image.py"))
                .args(mode)
                .arg(&built.archive)
                .arg(name);
            Finished::of(check, &format!("check-image.py {mode:?} {name}")).succeeds();
        }
    }
    let (_, uncompressed, compressed) = LIMITS.iter().find(|limit| limit.0 == name).unwrap();
    let megabytes = |key: &str| report["after"][key].as_f64().unwrap() / 1e6;
    assert!(
        megabytes("bytes") <= *uncompressed && megabytes("compressed") <= *compressed,
        "{name} is {:.2} / {:.2} MB, more than {uncompressed} / {compressed}",
        megabytes("bytes"),
        megabytes("compressed"),
    );
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
fn pandas() {
    build_and_check("pandas");
}
