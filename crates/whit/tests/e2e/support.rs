//! Running whit and its surroundings.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard};

use serde_json::Value;
use tempfile::TempDir;

/// One folder per test, and the program with it as its working directory.
pub struct Bench {
    pub dir: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a small project.
    pub fn project(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.path(name);
        for (path, text) in files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(whit());
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("SOURCE_DATE_EPOCH")
            .stdin(Stdio::null());
        command
    }

    pub fn whit(&self, arguments: &[&str]) -> Finished {
        Finished::of(
            self.command(arguments),
            &format!("whit {}", arguments.join(" ")),
        )
    }

    /// Names in the folder, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A program that ended.
pub struct Finished {
    what: String,
    pub output: Output,
}

impl Finished {
    pub fn of(mut command: Command, what: &str) -> Self {
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        Self {
            what: what.to_owned(),
            output,
        }
    }

    pub fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "{}\n--- stdout\n{}\n--- stderr\n{}",
            self.what,
            self.stdout(),
            self.stderr()
        );
        self
    }

    /// The error says this, in these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.stderr().contains(words) || self.stdout().contains(words),
            "{} does not say {words:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.what,
            self.stdout(),
            self.stderr()
        );
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.output.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}", self.what, self.stdout()))
    }
}

pub fn whit() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_whit"))
}

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

pub fn example(name: &str) -> String {
    repository()
        .join("examples")
        .join(name)
        .to_str()
        .unwrap()
        .to_owned()
}

/// Runs a tool of the host and returns what it printed.
#[track_caller]
pub fn tool(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    Finished::of(command, &format!("{program} {}", arguments.join(" ")))
        .succeeds()
        .stdout()
}

/// True if all of these are here and answer. Where they are not, a test says
/// so loudly and ends; in CI it fails.
pub fn have(needs: &[&str]) -> bool {
    for need in needs {
        let here = match *need {
            "docker" => succeeds("docker", &["info"]),
            "root" => succeeds("sh", &["-c", "test $(id -u) = 0"]),
            tool => succeeds("sh", &["-c", &format!("command -v {tool}")]),
        };
        if !here {
            assert!(
                std::env::var_os("CI").is_none(),
                "{need} is missing, and in CI nothing is skipped"
            );
            eprintln!("SKIPPED: this test needs {need}");
            return false;
        }
    }
    true
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Tests that start engines or measure go one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(|poison| poison.into_inner())
}
