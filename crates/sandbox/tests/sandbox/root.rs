//! A small root to run things in: busybox and a few files.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use whit_sandbox::{Command, Error, Network, Outcome, Running, Spec, Stdin, Upper, disk_owner};

/// A folder with a root in it.
pub struct Root {
    pub folder: TempDir,
}

/// Says loudly that a test is skipped for lack of `need`; in CI it fails.
#[expect(clippy::disallowed_methods, reason = "CI tells by its environment")]
#[track_caller]
pub fn skip(need: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "in CI nothing is skipped, but this test needs {need}"
    );
    // Not by `eprintln`, which is shown of tests that fail only.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs {need}");
}

/// A root with busybox, or `None`, after a loud word, where there is none.
pub fn busybox() -> Option<Root> {
    let program = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .map(Path::new)
        .find(|path| path.exists());
    let Some(program) = program else {
        skip("a static busybox (Debian: busybox-static)");
        return None;
    };
    let root = Root {
        folder: tempfile::tempdir().unwrap(),
    };
    for folder in ["usr/bin", "etc", "tmp", "root", "opt"] {
        fs::create_dir_all(root.path(folder)).unwrap();
    }
    fs::set_permissions(root.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(program, root.path("usr/bin/busybox")).unwrap();
    symlink("usr/bin", root.path("bin")).unwrap();
    let applets = "sh cat ls echo id sleep true wc grep httpd stat ps touch rm mkdir mount hostname \
                   sort seq test kill chown ln mv find env tr dd nc su";
    for applet in applets.split_whitespace() {
        symlink("busybox", root.path("usr/bin").join(applet)).unwrap();
    }
    fs::write(root.path("etc/os-release"), "ID=small\n").unwrap();
    give(root.folder.path());
    Some(root)
}

impl Root {
    pub fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// Writes an executable file.
    pub fn script(&self, inside: &str, text: &str) {
        fs::write(self.path(inside), text).unwrap();
        fs::set_permissions(self.path(inside), fs::Permissions::from_mode(0o755)).unwrap();
        give(self.folder.path());
    }

    pub fn spec(&self) -> Spec {
        spec(vec![self.folder.path().to_path_buf()])
    }
}

/// Gives every file to the image's root, as an unpacker does.
pub fn give(path: &Path) {
    let Some((uid, gid)) = disk_owner(0, 0) else {
        return;
    };
    lchown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

pub fn spec(lowers: Vec<PathBuf>) -> Spec {
    Spec {
        lowers,
        upper: Upper::Memory {
            max_bytes: 64 << 20,
        },
        mounts: Vec::new(),
        network: Network::Private,
        hostname: "small".into(),
        max_processes: 100,
        emulator: None,
    }
}

pub fn command(words: &[&str]) -> Command {
    Command {
        argv: words.iter().map(OsString::from).collect(),
        env: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        cwd: "/".into(),
        uid: 0,
        gid: 0,
        groups: Vec::new(),
        stdin: Stdin::Null,
        trace: false,
    }
}

/// Starts a program; `None`, after a loud word, where the host refuses.
pub fn start(spec: &Spec, command: &Command) -> Option<Running> {
    match Running::start(spec, command) {
        Ok(running) => Some(running),
        Err(error @ Error::Refused { .. }) => {
            let hint = error.hint().unwrap_or_default();
            skip(&format!("sandboxes: {error} ({hint})"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs a program to its end.
pub fn run(spec: &Spec, command: &Command) -> Option<Outcome> {
    let mut running = start(spec, command)?;
    let exit = running.wait(Duration::from_secs(60)).unwrap();
    let outcome = running.finish().unwrap();
    if exit.is_none() {
        let said = String::from_utf8_lossy(&outcome.stderr);
        panic!("still running after a minute; stderr: {said}");
    }
    Some(outcome)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
