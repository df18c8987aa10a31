//! `whit compare`: every strategy for real, without an engine.

use serde_json::Value;

use crate::support::Bench;

/// An app that needs a shell, which distroless's packages do not have.
const APP: &str = "\
import subprocess
print(subprocess.run('echo $((6 * 7))', shell=True, capture_output=True, text=True, check=True).stdout)
";

#[test]
fn every_strategy_is_built_and_tried() {
    let bench = Bench::new();
    bench.project("answer", &[("main.py", APP)]);
    let compared = bench
        .whit(&["compare", "answer", "--json", "--html", "answer.html"])
        .succeeds()
        .json();
    let rows = compared["rows"].as_array().unwrap();
    let row = |name: &str| -> &Value {
        let found = rows.iter().find(|row| row["strategy"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {compared}"))
    };
    let number = |name: &str, key: &str| row(name)[key].as_f64().unwrap();
    let size = |name: &str| row(name)["size"]["uncompressed"].as_u64().unwrap();

    for name in ["common", "magic", "legendary", "tight", "one-file"] {
        assert!(
            row(name)["works"]["yes"]["probes"].as_u64() >= Some(1),
            "{name}: {compared}"
        );
        assert!(number(name, "first_answer") > 0.0, "{name}");
        assert!(number(name, "build_warm") > 0.0, "{name}");
        assert_eq!(row(name)["shell"], true, "{name}");
    }
    let why = row("rare")["works"]["no"]["why"].as_str().unwrap();
    assert!(why.contains("exit"), "{why}");
    assert_eq!(row("rare")["shell"], false);
    assert_eq!(row("epic")["outcome"], "absent");

    let order = ["common", "magic", "rare", "legendary", "tight", "one-file"];
    let sizes = order.map(size);
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
    assert!(number("common", "setuid") > 0.0);
    assert_eq!(row("legendary")["setuid"], 0);
    assert!(number("common", "packages") > number("rare", "packages"));

    let page = std::fs::read_to_string(bench.path("answer.html")).unwrap();
    assert!(page.contains("<h1>answer</h1>") && page.contains("legendary"));
    // Nothing but the page was asked for.
    assert_eq!(bench.names(), ["answer", "answer.html"]);
    assert!(!bench.path("answer/whit.lock").exists());
}

#[test]
fn only_what_was_asked_for_and_only_what_exists() {
    let bench = Bench::new();
    bench.project("answer", &[("main.py", "print(42)\n")]);
    let compared = bench
        .whit(&["compare", "answer", "--only", "rare", "--markdown"])
        .succeeds();
    let lines: Vec<String> = compared.stdout().lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("| strategy | size |"), "{lines:?}");
    assert!(
        lines[2].starts_with("| rare | ") && lines[2].ends_with("| yes, 1 probe |"),
        "{lines:?}"
    );
    bench
        .whit(&["compare", "answer", "--only", "cheap"])
        .exits(2)
        .says("none of common, magic");
    bench.whit(&["compare", "nowhere"]).exits(2).says("nowhere");
}
