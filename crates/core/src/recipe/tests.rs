use serde_json::{Value, json};
use whit_oci::ImageConfig;

use super::*;
use crate::testing::tree;

fn line(path: &str, kept: bool, size: u64) -> Value {
    json!({"path": path, "kept": kept, "why": "", "size": size})
}

fn report(files: Vec<Value>, detected: Value) -> Report {
    serde_json::from_value(json!({
        "whit": "1", "source": "fat", "output": null, "digest": null, "policy": "safe",
        "detected": detected,
        "before": {"bytes": 0, "compressed": 0, "estimated": false, "files": 0},
        "after": {"bytes": 0, "compressed": 0, "estimated": false, "files": 0},
        "layers": [], "pull": [], "proof": {
            "proven": true, "probes": [], "disqualified": [], "rounds": 1, "repaired": [],
            "startup_before": null, "startup_after": null, "memory_before": 0,
            "memory_after": 0, "differences": []
        },
        "packages": [], "phases": [], "warnings": [], "files": files,
    }))
    .unwrap()
}

const NAMES: Names<'_> = Names {
    image: "small.tar",
    original: "api:1",
};

fn recipe(files: Vec<Value>, small: &[&str]) -> Result<String, RecipeError> {
    let report = report(files, json!([]));
    let config = ImageConfig::new("amd64");
    Recipe::new(&report, &tree(small), &config, NAMES).map(|recipe| recipe.to_string())
}

fn edited(path: &str, edit: &str, size: u64, more: Value) -> Value {
    let mut line = line(path, true, size);
    line["edit"] = edit.into();
    line.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    line
}

/// A Python app of a Debian image.
fn files() -> Vec<Value> {
    vec![
        line("/app", true, 0),
        line("/app/main.py", true, 9),
        line("/app/static", true, 0),
        line("/app/static/a.css", true, 1),
        line("/usr", true, 0),
        line("/usr/bin", true, 0),
        line("/usr/bin/perl", false, 100),
        line("/usr/bin/python3.11", true, 100),
        line("/usr/lib", true, 0),
        edited(
            "/usr/lib/libz.so",
            "stripped",
            3_000_000,
            json!({"now": 1_000_000}),
        ),
        edited(
            "/usr/lib/json.py",
            "bytecode",
            7,
            json!({"moved": "/usr/lib/json.pyc", "now": 8}),
        ),
        line("/usr/lib/tests.py", false, 7),
        edited("/app/__pycache__", "generated", 0, json!({})),
        edited(
            "/app/__pycache__/main.cpython-311.pyc",
            "bytecode",
            0,
            json!({"now": 5}),
        ),
        edited(
            "/var/lib/dpkg/status.d/zlib1g",
            "generated",
            0,
            json!({"now": 5}),
        ),
        edited("/var", "generated", 0, json!({})),
        edited("/var/lib", "generated", 0, json!({})),
        edited("/var/lib/dpkg", "generated", 0, json!({})),
        edited("/var/lib/dpkg/status.d", "generated", 0, json!({})),
    ]
}

const SMALL: &[&str] = &[
    "app/main.py",
    "app/__pycache__/main.cpython-311.pyc",
    "app/static/a.css",
    "*usr/bin/python3.11",
    "usr/lib/libz.so",
    "usr/lib/json.pyc",
    "var/lib/dpkg/status.d/zlib1g",
];

#[test]
fn what_stays_is_copied_and_what_was_made_is_made() {
    let text = recipe(files(), SMALL).unwrap();
    let has = |needle: &str| assert!(text.contains(needle), "{needle:?} is not in\n{text}");
    has("ARG ORIGINAL=api:1\n");
    // The original has no tar.
    has("ARG TOOLS=debian:bookworm-slim\n");
    has("of . app; \\\n    } >> /original/.recipe/whole");
    has("of usr/lib json.py libz.so; \\\n");
    has("of usr/bin python3.11; \\\n");
    has("of usr/lib json.py; \\\n    } >> /original/.recipe/sourceless");
    has("of app main.py; \\\n    } >> /original/.recipe/cached");
    has("chroot /original /usr/bin/python3.11 -I -X no_debug_ranges -m compileall -q -f -b");
    has("for name in \\\n        zlib1g; do");
    has("1 programs and libraries keep the symbols");
    assert!(
        !text.contains("perl") && !text.contains("tests.py"),
        "{text}"
    );
    assert!(!text.contains("--xattrs"), "{text}");
}

#[test]
fn an_original_with_tools_needs_no_other_image() {
    let mut all = files();
    for tool in ["sh", "tar", "mkdir", "rm", "awk", "sed", "tr", "xargs"] {
        all.push(line(&format!("/usr/bin/{tool}"), false, 1));
    }
    all.push(line("/usr/sbin/chroot", false, 1));
    let text = recipe(all, SMALL).unwrap();
    assert!(text.contains("FROM ${ORIGINAL} AS root"), "{text}");
    assert!(!text.contains("TOOLS"), "{text}");
}

#[test]
fn what_cannot_be_copied_is_an_error() {
    let built = report(
        files(),
        json!([{"what": "a", "value": "b", "because": "c"}]),
    );
    let config = ImageConfig::new("amd64");
    let error = Recipe::new(&built, &tree(SMALL), &config, NAMES).unwrap_err();
    assert!(matches!(error, RecipeError::Built { .. }), "{error}");

    let mut other = SMALL.to_vec();
    other.push("srv/x");
    let error = recipe(files(), &other).unwrap_err();
    assert!(error.to_string().contains("/srv"), "{error}");

    let without_python: Vec<&str> = SMALL
        .iter()
        .copied()
        .filter(|path| !path.ends_with("python3.11"))
        .collect();
    let error = recipe(files(), &without_python).unwrap_err();
    assert!(matches!(error, RecipeError::NoPython { .. }), "{error}");

    let mut odd = files();
    odd.push(line("/app/a\nb", true, 1));
    let names = [SMALL, &["app/a\nb"]].concat();
    let error = recipe(odd, &names).unwrap_err();
    assert!(matches!(error, RecipeError::Name { .. }), "{error}");
}
