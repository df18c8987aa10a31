//! The same input gives the same bytes.

use std::process::Command;

use crate::support::{Bench, Finished, built, copy_example, have, whit};

#[test]
fn two_folders_two_users_one_digest() {
    if !have(&["root", "setpriv"]) {
        return;
    }
    let bench = Bench::new();
    // Two users have the project in two places; the image's name is its own.
    let theirs = bench.path("their-folder/falcon");
    std::fs::create_dir(bench.path("their-folder")).unwrap();
    copy_example("falcon", &theirs);
    let built = built("falcon");
    let first = &built.report;
    // The lock is part of the project: the second build gets it with it.
    std::fs::copy(
        built.archive.with_file_name("falcon").join("whit.lock"),
        theirs.join("whit.lock"),
    )
    .unwrap();
    // Another user, with a cache of their own.
    let home = bench.path("home");
    std::fs::create_dir(&home).unwrap();
    for folder in [bench.dir.path(), &theirs, &home] {
        Finished::of(
            {
                let mut chown = Command::new("chown");
                chown.args(["-R", "12345:12345"]).arg(folder);
                chown
            },
            "chown",
        )
        .succeeds();
    }
    let program = bench.path("whit");
    std::fs::copy(whit(), &program).unwrap();
    let mut second = Command::new("setpriv");
    second
        .args(["--reuid", "12345", "--regid", "12345", "--clear-groups"])
        .arg(&program)
        .args(["build", "their-folder/falcon", "-o", "second.tar", "--json"])
        .env("HOME", &home)
        .env_remove("XDG_CACHE_HOME")
        .env_remove("SOURCE_DATE_EPOCH")
        .current_dir(bench.dir.path());
    let second = Finished::of(second, "whit build as another user")
        .succeeds()
        .json();
    assert_eq!(first["digest"], second["digest"]);
    assert_eq!(first["layers"], second["layers"]);
}
