//! Ctrl-C and its relatives, in every phase: 128 and the signal's number, no
//! output, nothing left.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{Bench, built, drafts, processes, soon, tool};

/// The phases of a build on a cold cache, in their order. Each run finds in the
/// cache what the one before it has done.
const BUILD: &[&str] = &[
    "reading package indexes",
    "fetching packages",
    "unpacking packages",
    "resolving dependencies",
    "installing dependencies",
    "building the project",
    "compiling the original's modules",
    "running the original, twice",
    "following what the code can reach",
    "stripping and compiling",
    "writing layers",
    "running the small image",
    "writing the report",
    "writing the rescue layer",
];

const SHRINK: &[&str] = &[
    "unpacking the original",
    "compiling the original's modules",
    "running the original, twice",
    "following what the code can reach",
    "stripping and compiling",
    "writing layers",
    "running the small image",
    "writing the report",
    "writing the rescue layer",
];

/// Who gets the signal.
#[derive(Clone, Copy)]
enum To {
    /// The whole process group, as a terminal's Ctrl-C does it.
    Group,
    /// whit alone, as `kill` and service managers do it.
    Program,
}

/// A run in the bench's folder, with a cache of its own there.
struct Trial<'a> {
    bench: &'a Bench,
    arguments: &'a [&'a str],
    /// In the environment of whit and of whatever it starts.
    mark: &'static str,
    /// What is in the folder before, and shall be all that is in it after.
    inputs: &'a [&'a str],
}

impl Trial<'_> {
    fn command(&self) -> Command {
        let mut command = self.bench.command(self.arguments);
        command
            .env("XDG_CACHE_HOME", self.bench.path("cache"))
            .env("WHIT_TEST_MARK", self.mark)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// Sends a signal as soon as a phase begins, and looks at what is left.
    /// The phases that it went through come back.
    #[track_caller]
    fn interrupted_in(&self, phase: &str, signal: (&str, i32), to: To) -> BTreeSet<String> {
        let (name, number) = signal;
        let mut child = self.command().spawn().unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            if line == phase {
                let target = match to {
                    To::Group => format!("-{}", child.id()),
                    To::Program => child.id().to_string(),
                };
                tool("kill", &["-s", name, "--", &target]);
            }
            lines.push(line);
        }
        let code = child.wait().unwrap().code();
        let what = format!("SIG{name} in {phase:?}: {code:?}\n{}", lines.join("\n"));
        assert!(
            lines.iter().any(|line| line == phase),
            "never began: {what}"
        );
        assert_eq!(code, Some(128 + number), "{what}");
        assert_eq!(lines.last().unwrap(), INTERRUPTED, "{what}");
        self.left_nothing(&what);
        phases(&lines)
    }

    #[track_caller]
    fn left_nothing(&self, what: &str) {
        let mut expected = self.inputs.to_vec();
        expected.push("cache");
        expected.sort_unstable();
        assert_eq!(self.bench.names(), expected, "{what}");
        let mark = format!("WHIT_TEST_MARK={}", self.mark);
        assert!(
            soon(|| processes(&mark).is_empty()),
            "left {:?} after {what}",
            processes(&mark)
        );
        let cache = self.bench.path("cache");
        assert_eq!(drafts(&cache), "", "after {what}");
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(cache.to_str().unwrap()), "{what}");
    }
}

const INTERRUPTED: &str = "error: interrupted; nothing was written";

/// Lines that are no notes.
fn phases(lines: &[String]) -> BTreeSet<String> {
    lines
        .iter()
        .filter(|line| !line.starts_with(' ') && *line != INTERRUPTED)
        .cloned()
        .collect()
}

#[test]
fn ctrl_c_in_every_phase_of_a_build() {
    let bench = Bench::new();
    // A package, so that the project itself is built as well.
    let project = [
        ("pyproject.toml", PYPROJECT),
        ("tiny/__init__.py", ""),
        ("tiny/__main__.py", "import colorama\nprint('hello')\n"),
    ];
    bench.project("tiny", &project);
    let trial = Trial {
        bench: &bench,
        arguments: &[
            "build",
            "tiny",
            "-o",
            "out.tar",
            "--rescue",
            "--compress",
            "gzip:1",
            "--",
            "python",
            "-m",
            "tiny",
        ],
        mark: "interrupted-build",
        inputs: &["tiny"],
    };
    let mut seen = BTreeSet::new();
    for phase in BUILD {
        seen.extend(trial.interrupted_in(phase, ("INT", 2), To::Group));
        assert!(!bench.path("tiny/whit.lock").exists(), "in {phase:?}");
    }
    // A new phase is to be interrupted here, too.
    assert_eq!(seen, BUILD.iter().map(ToString::to_string).collect());
}

const PYPROJECT: &str = r#"
[project]
name = "tiny"
version = "1"
description = "Says hello"
requires-python = ">=3.11"
dependencies = ["colorama"]

[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"
"#;

#[test]
fn signals_in_every_phase_of_a_shrink() {
    let bench = Bench::new();
    let archive = built("hello").archive.to_str().unwrap();
    let trial = Trial {
        bench: &bench,
        arguments: &[
            "shrink",
            archive,
            "-o",
            "oci:small",
            "--rescue",
            "--compress",
            "gzip:1",
        ],
        mark: "interrupted-shrink",
        inputs: &[],
    };
    let signals = [
        ("INT", 2, To::Group),
        ("TERM", 15, To::Program),
        ("HUP", 1, To::Program),
    ];
    let mut seen = BTreeSet::new();
    for (phase, (name, number, to)) in SHRINK.iter().zip(signals.iter().cycle()) {
        seen.extend(trial.interrupted_in(phase, (name, *number), *to));
    }
    assert_eq!(seen, SHRINK.iter().map(ToString::to_string).collect());
}
