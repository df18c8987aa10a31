//! Dockerfiles with what is to be found in them.
//!
//! The files lie in `crates/core/tests/lint`. Below a Dockerfile there are
//! `#@ PATH BYTES` and `#@ PATH = TEXT` for files of its context, and
//! `#> LINE RULE MEND` for what is expected.

use std::path::{Path, PathBuf};

use super::*;

struct Example {
    name: String,
    text: String,
    folder: tempfile::TempDir,
    expected: Vec<String>,
}

impl Example {
    fn read(path: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut text, mut expected) = (String::new(), Vec::new());
        for line in std::fs::read_to_string(path).unwrap().lines() {
            if let Some(finding) = line.strip_prefix("#> ") {
                expected.push(finding.to_owned());
            } else if let Some(file) = line.strip_prefix("#@ ") {
                let (name, content) = match file.split_once(" = ") {
                    Some((name, text)) => (name, text.to_owned()),
                    None => {
                        let (name, bytes) = file.split_once(' ').unwrap();
                        (name, "x".repeat(bytes.parse().unwrap()))
                    }
                };
                let place = folder.path().join(name);
                std::fs::create_dir_all(place.parent().unwrap()).unwrap();
                std::fs::write(place, content).unwrap();
            } else {
                text.push_str(line);
                text.push('\n');
            }
        }
        Self {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            text,
            folder,
            expected,
        }
    }

    fn lint(&self, text: &str) -> Vec<Finding> {
        let context = Context::read(self.folder.path(), "Dockerfile").unwrap();
        match lint(text, None, &context, None) {
            Ok((findings, _)) => findings,
            Err(error) => panic!("{}: {error}\n{text}", self.name),
        }
    }
}

fn examples(folder: &str) -> Vec<Example> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/lint")
        .join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths.iter().map(|path| Example::read(path)).collect()
}

fn line(finding: &Finding) -> String {
    let mend = match finding.mend.as_ref().map(|mend| mend.safe) {
        Some(true) => "safe",
        Some(false) => "look",
        None => "hand",
    };
    format!("{} {} {mend}", finding.line, finding.rule)
}

/// What was found and what was expected, where they differ.
fn differences(examples: &[Example]) -> String {
    let mut differences = String::new();
    for example in examples {
        let findings = example.lint(&example.text);
        let mut found: Vec<String> = findings.iter().map(line).collect();
        let mut expected = example.expected.clone();
        found.sort();
        expected.sort();
        if found != expected {
            let messages: Vec<_> = findings.iter().map(|finding| &finding.message).collect();
            let name = &example.name;
            differences.push_str(&format!(
                "{name}\n  found {found:?}\n  not   {expected:?}\n  {messages:?}\n"
            ));
        }
    }
    differences
}

#[test]
fn every_rule_finds_and_spares() {
    let examples = examples("rules");
    for rule in RULES {
        for (suffix, finds) in [("bad", true), ("good", false)] {
            let name = format!("{}.{suffix}.Dockerfile", rule.name);
            let example = examples.iter().find(|example| example.name == name);
            let example = example.unwrap_or_else(|| panic!("{name} is missing"));
            let named = example.expected.iter().any(|line| line.contains(rule.name));
            assert_eq!(named, finds, "{name}");
        }
    }
    let differences = differences(&examples);
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn dockerfiles_as_found_in_the_wild() {
    let examples = examples("corpus");
    assert!(examples.len() >= 20);
    let differences = differences(&examples);
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn mends_end_findings_and_keep_the_rest() {
    for example in examples("rules").iter().chain(&examples("corpus")) {
        for look in [false, true] {
            let allowed =
                |finding: &&Finding| finding.mend.as_ref().is_some_and(|mend| mend.safe || look);
            let mut text = example.text.clone();
            let mut findings = example.lint(&text);
            for _ in 0..8 {
                let (after, _) = fixed(&text, findings.iter().filter(allowed));
                if after == text {
                    break;
                }
                text = after;
                findings = example.lint(&text);
            }
            // A new file ends the finding once it is written.
            findings.retain(|f| f.mend.as_ref().is_none_or(|mend| mend.new_file.is_none()));
            let rest: Vec<_> = findings.iter().filter(allowed).map(line).collect();
            assert!(rest.is_empty(), "{}: {rest:?}\n{text}", example.name);
            let comments = |text: &str| -> Vec<String> {
                let comment = |line: &&str| line.trim_start().starts_with('#');
                text.lines().filter(comment).map(str::to_owned).collect()
            };
            assert_eq!(comments(&text), comments(&example.text), "{}", example.name);
        }
    }
}

fn mended(text: &str) -> String {
    let findings = lint(text, None, &Context::default(), None).unwrap().0;
    fixed(text, findings.iter()).0
}

#[test]
fn mends_keep_the_style() {
    assert_eq!(
        mended(
            "\u{feff}FROM debian:12-slim\r\nRUN apt-get update \\\r\n  && apt-get install -y \\\r\n    git\r\n"
        ),
        "\u{feff}FROM debian:12-slim\r\nRUN apt-get update \\\r\n  && apt-get install --no-install-recommends -y \\\r\n    git ca-certificates \\\r\n  && rm -rf /var/lib/apt/lists/*\r\n"
    );
    assert_eq!(
        mended(
            "FROM debian:12-slim\nRUN apt-get update\n\nRUN apt-get install -y --no-install-recommends tini\nCMD x\n"
        ),
        "FROM debian:12-slim\nRUN apt-get update \\\n    && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*\nCMD x\n"
    );
    assert_eq!(
        mended("FROM python:3.12-bookworm\nCOPY a /app\nRUN chown -R 1:1 /app\nCMD x"),
        "FROM python:3.12-slim-bookworm\nCOPY --chown=1:1 a /app\nCMD x"
    );
}

#[test]
fn another_target_is_another_image() {
    let text = "FROM debian:12-slim AS tools\nRUN pip install x\nFROM scratch\n";
    let rules = |target| {
        let findings = lint(text, target, &Context::default(), None).unwrap().0;
        findings
            .iter()
            .map(|finding| finding.rule)
            .collect::<Vec<_>>()
    };
    assert_eq!(rules(None), [""; 0]);
    assert_eq!(rules(Some("Tools")), ["pip-cache"]);
    let error = lint(text, Some("none"), &Context::default(), None).unwrap_err();
    assert_eq!(error.hint().unwrap(), "its stages: tools");
}

#[test]
fn a_base_with_compilers_makes_the_estimate_moot() {
    let cost = |base: &str| {
        let text = format!("FROM {base}\nRUN apt-get install -y --no-install-recommends gcc\n");
        let findings = lint(&text, None, &Context::default(), None).unwrap().0;
        let tools = findings
            .iter()
            .find(|finding| finding.rule == "build-tools");
        tools.unwrap().bytes
    };
    assert_eq!(cost("python:3.12"), Bytes::Unknown);
    assert!(cost("python:3.12-slim").number() > Some(100_000_000));
}

mod nonsense {
    use proptest::prelude::*;

    use super::*;

    fn piece() -> impl Strategy<Value = String> {
        let known = [
            "FROM a\n",
            "FROM python:3 AS x\n",
            "FROM x\n",
            "RUN ",
            "RUN <<EOF\n",
            "EOF\n",
            "COPY . .\n",
            "apt-get update",
            "apt-get install -y git",
            " && ",
            " \\\n",
            "`\n",
            "; ",
            "# c\n",
            "\n",
            "\r\n",
            "pip install x",
            "rm -rf /var/lib/apt/lists/*",
            "npm ci",
            "'",
            "\"",
            "$(",
            "${",
            "{a,b}",
            "# escape=`\n",
            "ADD x.tar.gz /",
            "tar xf /x.tar.gz",
            "chown -R a /",
            "--mount=type=cache,target=/root ",
            "[\"sh\", \"-c\", \"",
            "\"]",
            "é",
            "\u{feff}",
            "<<-'A' ",
            "ARG A=b\n",
            "RUN [\"pip\", \"install\", \"x\"]\n",
            "ENV A $A\n",
            "ONBUILD ",
            "apk add -t x gcc",
        ];
        prop_oneof![
            6 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
            1 => ".{0,6}",
        ]
    }

    proptest! {
        #[test]
        fn nothing_panics_and_mends_parse(pieces in prop::collection::vec(piece(), 0..40)) {
            let text = pieces.concat();
            if let Ok((findings, _)) = lint(&text, None, &Context::default(), None) {
                for finding in &findings {
                    let (after, _) = fixed(&text, std::iter::once(finding));
                    let _ = lint(&after, None, &Context::default(), None);
                    patch(&text, "Dockerfile", finding);
                }
            }
        }
    }
}
