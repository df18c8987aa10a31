//! Developer's chores: `cargo xtask test`.

use std::env;
use std::process::{Command, ExitCode};

/// What `cargo xtask test` runs, in order of how soon it tells something.
const STEPS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    (
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    (
        "crates",
        &[
            "deny",
            "--log-level",
            "error",
            "check",
            "licenses",
            "bans",
            "sources",
        ],
    ),
    // Last, so that the summary of the tests is what one reads.
    ("tests", &["test", "--workspace"]),
];

#[expect(
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a chore talks to the developer and to CI"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().map(String::as_str) != Some("test") {
        eprintln!("usage: cargo xtask test");
        return ExitCode::from(2);
    }
    // In CI nothing is skipped: what is missing there is a failure.
    let strict = env::var_os("CI").is_some();
    for (name, arguments) in STEPS {
        if *name == "crates" && !strict && !has_cargo_deny() {
            eprintln!("SKIPPED: {name}: cargo-deny is not installed (cargo install cargo-deny)");
            continue;
        }
        eprintln!("== {name}: cargo {}", arguments.join(" "));
        let passed = Command::new(env!("CARGO"))
            .args(*arguments)
            .status()
            .is_ok_and(|status| status.success());
        if !passed {
            eprintln!("FAILED: {name}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn has_cargo_deny() -> bool {
    Command::new(env!("CARGO"))
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}
