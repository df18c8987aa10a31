//! `whit explore`: a summary, JSON and a page of the same image.

use serde_json::json;

use crate::crafted::{Layer, image};
use crate::support::Bench;

const EVIL: &str = "srv/<script>alert(1)<%2fscript>.html";

fn bench() -> Bench {
    let bench = Bench::new();
    let below = Layer::default()
        .file("var/lib/apt/lists/all", &[b'l'; 40_000])
        .file(EVIL, &[b'e'; 5_000])
        .bytes();
    let above = Layer::default()
        .file("var/lib/apt/lists/.wh.all", b"")
        .bytes();
    std::fs::write(bench.path("app.tar"), image(&[below, above], json!({}))).unwrap();
    bench
}

#[test]
fn a_pipe_gets_a_summary() {
    let bench = bench();
    let done = bench.whit(&["explore", "app.tar"]).succeeds();
    let text = done.stdout();
    for words in [
        "45.0 kB unpacked, ~",
        "40.0 kB wasted (89 %)",
        "deleted in a later layer",
        "such as /var/lib/apt/lists/all",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn json_has_every_file() {
    let bench = bench();
    let json = bench
        .whit(&["explore", "app.tar", "--json"])
        .succeeds()
        .json();
    assert_eq!(json["files"][0]["path"], format!("/{EVIL}"));
    assert_eq!(json["files"][1]["wasted"]["cause"], "deleted");
    assert_eq!(json["wasted"][0]["bytes"], 40_000);
}

#[test]
fn a_page_is_one_file_and_names_are_text() {
    let bench = bench();
    bench
        .whit(&["explore", "app.tar", "--html", "app.html"])
        .succeeds();
    let page = std::fs::read_to_string(bench.path("app.html")).unwrap();
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("\\u003cscript\\u003ealert(1)"));
    assert!(!page.contains("<script>alert"));
}

#[test]
fn a_report_that_is_none_is_refused() {
    let bench = bench();
    std::fs::write(bench.path("app.whit.json"), "{}").unwrap();
    bench
        .whit(&["explore", "app.tar"])
        .exits(2)
        .says("app.whit.json is not a report of whit");
}
