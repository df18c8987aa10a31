//! Running whit and its surroundings.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

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

    /// A copy of an example, under its own name.
    pub fn example(&self, name: &'static str) -> &'static str {
        copy_example(name, &self.path(name));
        name
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

/// An example, built once for all tests.
pub struct Built {
    pub archive: PathBuf,
    pub report: Value,
}

/// Builds an example, or waits for who does.
#[track_caller]
pub fn built(name: &str) -> &'static Built {
    type Shelf = Mutex<BTreeMap<String, Arc<OnceLock<&'static Built>>>>;
    static SHELF: Shelf = Mutex::new(BTreeMap::new());
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        // Below target/, where it need not be removed; what an earlier run
        // left makes room.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    });
    let place = Arc::clone(
        SHELF
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
            .entry(name.to_owned())
            .or_default(),
    );
    place.get_or_init(|| {
        copy_example(name, &folder.join(name));
        let archive = format!("{name}.tar");
        let mut command = Command::new(whit());
        command
            .args(["build", name, "-o", &archive, "--json"])
            .current_dir(folder)
            .env_remove("SOURCE_DATE_EPOCH")
            .stdin(Stdio::null());
        let report = Finished::of(command, &format!("whit build {name}"))
            .succeeds()
            .json();
        Box::leak(Box::new(Built {
            archive: folder.join(archive),
            report,
        }))
    })
}

/// Copies an example, for whit leaves a `whit.lock` in a project.
pub fn copy_example(name: &str, to: &Path) {
    let from = repository().join("examples").join(name);
    tool("cp", &["-r", from.to_str().unwrap(), to.to_str().unwrap()]);
    let _ = std::fs::remove_file(to.join("whit.lock"));
}

/// Processes that have `mark` in the environment that they were started with.
pub fn processes(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let marked = environment
            .windows(mark.len())
            .any(|part| part == mark.as_bytes());
        if marked {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}

/// Half-made folders and files, which have names of their own in a cache.
pub fn drafts(cache: &Path) -> String {
    let find = r#"test -d "$1"/whit || exit 0; find "$1"/whit -maxdepth 4 \( -path '*/runs/*' \
        -o -path '*/roots/.draft-*' -o -path '*/dependencies/tmp/*' -o -path '*/bytecode*/.tmp*' \
        -o -path '*/bytecode*/compile-*' -o -path '*/layers/.tmp*' -o -path '*/stripped/.tmp*' \
        -o -path '*/origins/.tmp*' \) -prune -print"#;
    tool("sh", &["-c", find, "sh", cache.to_str().unwrap()])
}

/// Waits until a condition holds; processes take a moment to be gone.
pub fn soon(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    true
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

/// The root of a Docker archive, unpacked by tar; once per bench.
pub fn unpacked(bench: &Bench, archive: &Path) -> String {
    let image = bench.path("image");
    let root = bench.path("root");
    std::fs::create_dir(&image).unwrap();
    std::fs::create_dir(&root).unwrap();
    let image = image.to_str().unwrap();
    let root = root.to_str().unwrap();
    tool("tar", &["-xf", archive.to_str().unwrap(), "-C", image]);
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(format!("{image}/manifest.json")).unwrap()).unwrap();
    for layer in manifest[0]["Layers"].as_array().unwrap() {
        let layer = format!("{image}/{}", layer.as_str().unwrap());
        tool("tar", &["-xf", &layer, "-C", root]);
    }
    root.to_owned()
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
            // Not by `eprintln`, which is shown of tests that fail only.
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs {need}");
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
