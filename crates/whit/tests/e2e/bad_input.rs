//! Bad input: a clear error, exit 2, no output, no trace.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::{Bench, Finished, alone, example, have, whit};

fn hello_archive(bench: &Bench) -> Vec<u8> {
    bench
        .whit(&["build", &example("hello"), "-o", "hello.tar"])
        .succeeds();
    let mut bytes = Vec::new();
    std::fs::File::open(bench.path("hello.tar"))
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn a_truncated_or_flipped_archive() {
    let bench = Bench::new();
    let whole = hello_archive(&bench);
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    for (name, bytes) in [
        ("cut.tar", &whole[..whole.len() / 3]),
        ("flip.tar", &flipped),
    ] {
        std::fs::File::create(bench.path(name))
            .unwrap()
            .write_all(bytes)
            .unwrap();
        let before = bench.names();
        bench
            .whit(&["shrink", name, "-o", "small.tar"])
            .exits(2)
            .says("error:");
        assert_eq!(bench.names(), before);
    }
}

#[test]
fn a_requirement_that_does_not_exist() {
    let bench = Bench::new();
    let project = bench.project(
        "app",
        &[
            ("main.py", "print('hi')\n"),
            ("requirements.txt", "no-such-package-by-whit-tests==1.0\n"),
        ],
    );
    bench
        .whit(&["build", project.to_str().unwrap(), "-o", "out.tar"])
        .exits(2)
        .says("no-such-package-by-whit-tests");
    assert_eq!(bench.names(), ["app"]);
}

#[test]
fn an_empty_folder_shows_the_command_to_type() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench
        .whit(&["build", "empty"])
        .exits(2)
        .says("hint:")
        .says("whit build");
}

#[test]
fn registries_are_for_later() {
    let bench = Bench::new();
    bench
        .whit(&["shrink", "docker://python:3.12"])
        .exits(2)
        .says("hint:");
}

#[test]
fn a_command_that_forks_for_ever() {
    let bench = Bench::new();
    let project = bench.project(
        "bomb",
        &[(
            "main.py",
            "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
        )],
    );
    bench
        .whit(&[
            "build",
            project.to_str().unwrap(),
            "-o",
            "out.tar",
            "--start-timeout",
            "3",
        ])
        .exits(2);
    assert_eq!(bench.names(), ["bomb"]);
}

#[test]
fn a_full_disk() {
    if !have(&["root"]) {
        return;
    }
    let bench = Bench::new();
    hello_archive(&bench);
    std::fs::create_dir(bench.path("tiny")).unwrap();
    let tiny = bench.path("tiny");
    let mount = |arguments: &[&str]| {
        let mut command = std::process::Command::new(arguments[0]);
        command.args(&arguments[1..]).arg(&tiny);
        Finished::of(command, "mount").succeeds()
    };
    mount(&["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    let result = bench.whit(&["shrink", "hello.tar", "-o", "tiny/small.tar"]);
    let left = std::fs::read_dir(&tiny).unwrap().count();
    mount(&["umount"]);
    result.exits(2).says("error:");
    assert_eq!(left, 0);
}

#[test]
fn an_interrupt_in_every_phase_leaves_nothing() {
    let _turn = alone();
    let bench = Bench::new();
    // Warm caches, so that every phase comes by in a few seconds.
    bench
        .whit(&["build", &example("falcon"), "-o", "warm.tar"])
        .succeeds();
    let cache = bench.path("cache");
    for step in 0..16u64 {
        let mut command = bench.command(&["build", &example("falcon"), "-o", "out.tar"]);
        if step % 4 == 3 {
            // Cold downloads and installation too.
            command.env("XDG_CACHE_HOME", &cache);
        }
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150 + step * 350));
        let pid = child.id().to_string();
        let interrupt = std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status();
        let code = child.wait().unwrap().code();
        if interrupt.is_ok_and(|status| status.success()) && code != Some(0) {
            assert!(
                matches!(code, Some(2 | 130)),
                "interrupted after {step} steps: {code:?}"
            );
            let left: Vec<String> = bench
                .names()
                .into_iter()
                .filter(|name| name != "cache" && !name.starts_with("warm."))
                .collect();
            assert!(left.is_empty(), "left behind: {left:?}");
        } else {
            // It was done before the signal came.
            for name in ["out.tar", "out.whit.json"] {
                let _ = std::fs::remove_file(bench.path(name));
            }
        }
    }
    let processes = std::process::Command::new("pgrep")
        .args(["-f", "gunicorn"])
        .output();
    if let Ok(processes) = processes {
        assert_eq!(
            String::from_utf8_lossy(&processes.stdout),
            "",
            "processes were left"
        );
    }
    let _ = whit();
}
