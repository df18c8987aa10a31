//! The same input gives the same bytes.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Bench, Finished, built, copy_example, have, tool, whit};

/// Two folders, two cold caches, two times of day, two time zones and umasks,
/// and where this test is root, two users. What the second one gets from the
/// first is whit.lock, which is part of the project.
#[test]
fn two_folders_two_users_one_digest() {
    let first = built("falcon");
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("their folder/of projects")).unwrap();
    let theirs = bench.path("their folder/of projects/falcon");
    copy_example("falcon", &theirs);
    std::fs::copy(
        first.archive.with_file_name("falcon").join("whit.lock"),
        theirs.join("whit.lock"),
    )
    .unwrap();
    std::fs::create_dir(bench.path("home")).unwrap();
    let program = bench.path("whit");
    std::fs::copy(whit(), &program).unwrap();
    let locked: i64 = lock_date(&theirs);
    let now = tool("date", &["+%s"]).trim().parse::<i64>().unwrap();
    assert!(now > locked, "a clock that leaks would not be seen");
    let mut second = match have_another_user(bench.dir.path()) {
        true => {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid",
                "12345",
                "--regid",
                "12346",
                "--clear-groups",
                "sh",
            ]);
            command
        }
        false => Command::new("sh"),
    };
    second
        .args(["-c", "umask 077; exec \"$@\"", "sh"])
        .arg(&program)
        .args(["build", "their folder/of projects/falcon"])
        .args(["-o", "second.tar", "--json"])
        .env("HOME", bench.path("home"))
        .env("TZ", "Asia/Tokyo")
        .env_remove("XDG_CACHE_HOME")
        .env_remove("SOURCE_DATE_EPOCH")
        .current_dir(bench.dir.path())
        .stdin(Stdio::null());
    let second = Finished::of(second, "whit build, the second time")
        .succeeds()
        .json();
    assert_eq!(first.report["digest"], second["digest"]);
    assert_eq!(first.report["layers"], second["layers"]);
    // The name of the image in the archive is the project's, not the folder's.
    let same =
        std::fs::read(&first.archive).unwrap() == std::fs::read(bench.path("second.tar")).unwrap();
    assert!(same, "the archives differ");
}

/// The second the lock was made in.
fn lock_date(project: &Path) -> i64 {
    let text = std::fs::read_to_string(project.join("whit.lock")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("date = "));
    line.unwrap().parse().unwrap()
}

/// Gives the folder to another user, where that is allowed.
fn have_another_user(folder: &Path) -> bool {
    let have = have(&["root", "setpriv"]);
    if have {
        tool("chown", &["-R", "12345:12346", folder.to_str().unwrap()]);
    }
    have
}
