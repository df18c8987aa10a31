//! A service and a command in real sandboxes, observed, broken and compared.
//! Needs namespaces and a static busybox; says so loudly where they are
//! missing.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde_json::json;
use tempfile::TempDir;
use whit_oci::ImageConfig;
use whit_sandbox::Exit;

use super::*;
use crate::index::Tree;
use crate::verify::{self, Verdict};

/// Says loudly that a test is skipped for lack of `need`; in CI it fails.
#[expect(clippy::disallowed_methods, reason = "CI tells by its environment")]
#[track_caller]
fn skip(need: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "in CI nothing is skipped, but this test needs {need}"
    );
    // Not by `eprintln`, which is shown of tests that fail only.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    let _ = writeln!(std::io::stderr(), "SKIPPED: {test} needs {need}");
}

/// A root with busybox, a web site and a server for it; `None`, after a loud
/// word, where there is no static busybox.
fn root() -> Option<TempDir> {
    let program = ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .map(Path::new)
        .find(|path| path.exists());
    let Some(program) = program else {
        skip("a static busybox (Debian: busybox-static)");
        return None;
    };
    let root = tempfile::tempdir().unwrap();
    let path = |inside: &str| root.path().join(inside);
    for folder in ["bin", "etc", "tmp", "proc", "dev", "sys", "srv/sub"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::copy(program, path("bin/busybox")).unwrap();
    for applet in ["sh", "httpd", "cat", "date", "kill", "sleep"] {
        symlink("busybox", path("bin").join(applet)).unwrap();
    }
    fs::write(path("srv/index.html"), "<a href=sub/page.html>page</a>").unwrap();
    fs::write(path("srv/sub/page.html"), "a page").unwrap();
    let serve = "#!/bin/sh\ntrap 'kill $!; exit 0' TERM\n\
                 echo serving since $(date +%s) >&2\n/bin/httpd -f -p 8080 -h /srv &\nwait\n";
    fs::write(path("bin/serve"), serve).unwrap();
    fs::set_permissions(path("bin/serve"), fs::Permissions::from_mode(0o755)).unwrap();
    give(root.path());
    Some(root)
}

/// Gives every file to the image's root, as an unpacker does.
fn give(path: &Path) {
    let Some((uid, gid)) = whit_sandbox::disk_owner(0, 0) else {
        return;
    };
    lchown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

fn stage(root: &TempDir, cmd: &[&str], scratch: &TempDir) -> Stage {
    let mut config = ImageConfig::new("amd64");
    config.set_exec("Cmd", json!(cmd));
    let tree = Tree::new(BTreeMap::new(), Vec::new());
    let dirs: Vec<PathBuf> = vec![root.path().to_path_buf()];
    Stage::new(&dirs, &config, &tree, scratch.path()).unwrap()
}

/// Both runs of the original; `None`, after a loud word, where the host has no
/// sandboxes.
fn twice(stage: &Stage, plan: &ProbePlan) -> Option<Result<[Observation; 2], Error>> {
    match observe_twice(stage, plan, false, &AtomicBool::new(false)) {
        Err(Error::Sandbox(error @ whit_sandbox::Error::Refused { .. })) => {
            skip(&format!("sandboxes: {error}"));
            None
        }
        result => Some(result),
    }
}

#[test]
fn a_service_and_its_broken_copy() {
    let (Some(fat), Some(small)) = (root(), root()) else {
        return;
    };
    let scratch = tempfile::tempdir().unwrap();
    let plan = ProbePlan::new(vec![Probe::exec("cat /srv/index.html").unwrap()]);
    let original = stage(&fat, &["serve"], &scratch);
    let Some(runs) = twice(&original, &plan) else {
        return;
    };
    let runs = runs.unwrap();
    assert_eq!(runs[0].kind, Kind::Service { ports: vec![8080] });
    assert_eq!(runs[0].stop.as_ref().unwrap().exit, Some(Exit::Code(0)));
    let asked: Vec<String> = runs[0]
        .outcomes
        .iter()
        .map(|o| o.probe.to_string())
        .collect();
    assert!(
        asked.contains(&"GET :8080/sub/page.html".to_owned()),
        "{asked:?}"
    );

    let replay = plan.replay(&runs[0]);
    let again = |root: &TempDir| {
        let copy = stage(root, &["serve"], &scratch);
        let seen = observe(&copy, &replay, false, &AtomicBool::new(false)).unwrap();
        verify::compare(&runs, &seen, &|_| false)
    };
    let found = again(&small);
    assert_eq!(found.verdict(), Verdict::Same, "{found:?}");
    assert_eq!(found.proven.len(), asked.len());

    fs::write(small.path().join("srv/sub/page.html"), "another page").unwrap();
    let found = again(&small);
    assert_eq!(found.differences.len(), 1, "{found:?}");
    assert_eq!(found.differences[0].probe, "GET :8080/sub/page.html");

    fs::remove_file(small.path().join("bin/httpd")).unwrap();
    let found = again(&small);
    assert_eq!(found.differences[0].probe, "start");
    assert!(found.differences[0].diff.contains("httpd"), "{found:?}");

    fs::remove_file(small.path().join("bin/serve")).unwrap();
    let found = again(&small);
    assert!(
        found.differences[0].got.contains("cannot start"),
        "{found:?}"
    );
}

#[test]
fn commands_that_work_and_commands_that_crash() {
    let Some(root) = root() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let input = scratch.path().join("input");
    fs::write(&input, "fed\n").unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();

    let plan = ProbePlan::new(vec![Probe::stdin(input)]);
    let Some(runs) = twice(&stage(&root, &["cat"], &scratch), &plan) else {
        return;
    };
    let [first, _] = runs.unwrap();
    assert_eq!(first.kind, Kind::Command);
    let Answer::Exec(output) = &first.outcomes[0].answer else {
        panic!("{:?}", first.outcomes[0]);
    };
    assert_eq!(output.stdout, b"fed\n");

    let plan = ProbePlan::new(Vec::new());
    for (cmd, why) in [
        (
            &["sh", "-c", "echo out of luck >&2; exit 1"][..],
            "out of luck",
        ),
        (
            &["sh", "-c", "kill -SEGV $$; sleep 9"],
            "neither listened on",
        ),
        (&["nowhere"], "cannot start nowhere"),
    ] {
        let mut plan = plan.clone();
        plan.limits.start = std::time::Duration::from_secs(2);
        let err = twice(&stage(&root, cmd, &scratch), &plan)
            .unwrap()
            .unwrap_err();
        assert!(err.to_string().contains(why), "{cmd:?}: {err}");
    }
}
