//! `whit diff`: what changed, for people, programs and pull requests.

use serde_json::json;

use crate::crafted::{Layer, image};
use crate::support::Bench;

/// `old.tar` and `new.tar`, in which `curl` is newer, `main.py` changed and a
/// file has a name that no table expects.
fn bench() -> Bench {
    let bench = Bench::new();
    let status = |version: &str| {
        format!("Package: curl\nStatus: install ok installed\nVersion: {version}\n").into_bytes()
    };
    let crafted = |version: &str, curl: usize| {
        Layer::default()
            .file("var/lib/dpkg/status", &status(version))
            .file("var/lib/dpkg/info/curl.list", b"/usr/bin/curl\n")
            .file("usr/bin/curl", &vec![b'c'; curl])
    };
    let old = crafted("8.0", 10_000).file("app/main.py", b"print(1)");
    let new = crafted("8.1", 12_000)
        .file("app/main.py", b"print(2)")
        .file("app/a|b<i>", b"12345");
    std::fs::write(bench.path("old.tar"), image(&[old.bytes()], json!({}))).unwrap();
    std::fs::write(bench.path("new.tar"), image(&[new.bytes()], json!({}))).unwrap();
    bench
}

#[test]
fn what_changed_and_why() {
    let bench = bench();
    bench
        .whit(&["diff", "old.tar", "new.tar"])
        .succeeds()
        .says("Debian package curl 8.0 → 8.1")
        .says("+2.0 kB  Debian package curl")
        .says("/app/main.py  content")
        .says("/app/a|b<i>  new");
    let json = bench
        .whit(&["diff", "old.tar", "new.tar", "--json"])
        .succeeds()
        .json();
    let sum: i64 = json["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["after"].as_i64().unwrap() - cause["before"].as_i64().unwrap())
        .sum();
    let size = |side: &str| json[side]["uncompressed"].as_i64().unwrap();
    assert_eq!((sum, sum), (2_005, size("after") - size("before")));
    bench
        .whit(&["diff", "new.tar", "new.tar"])
        .succeeds()
        .says("no file, package or setting differs");
}

#[test]
fn a_comment_for_a_pull_request() {
    let bench = bench();
    let text = bench
        .whit(&["diff", "old.tar", "new.tar", "--markdown"])
        .succeeds()
        .stdout();
    assert!(
        text.starts_with("### Image size: 10.1 kB → 12.1 kB (+2.0 kB, +19.9 %)"),
        "{text}"
    );
    assert!(
        text.contains("<details><summary>packages: 1</summary>"),
        "{text}"
    );
    assert!(text.contains("a&#124;b&lt;i&gt;"), "{text}");
    // Every row of a table has the columns of its header and no more.
    let mut columns = None;
    for line in text.lines() {
        let pipes = line.starts_with('|').then(|| line.matches('|').count());
        if columns.is_some() && pipes.is_some() {
            assert_eq!(pipes, columns, "{line}");
        }
        columns = pipes;
    }
}

#[test]
fn growth_is_refused() {
    let bench = bench();
    let grown = |limit| bench.whit(&["diff", "old.tar", "new.tar", "--fail-on-growth", limit]);
    grown("25%").succeeds();
    grown("3kB").succeeds();
    grown("5%").exits(1).says("new.tar grew too much");
    grown("lots").exits(2).says("like 5% or 2MB");
    let shrunk = ["diff", "new.tar", "old.tar", "--fail-on-growth", "0%"];
    bench.whit(&shrunk).succeeds();
}
