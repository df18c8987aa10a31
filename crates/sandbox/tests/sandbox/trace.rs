//! What the tracer records.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use whit_sandbox::{Access, Spec};

use crate::root::{busybox, command, run, text};

/// Runs a shell script and writes its touches down, one a line.
fn touches(spec: &Spec, script: &str) -> Option<BTreeSet<String>> {
    let mut command = command(&["sh", "-c", script]);
    command.env = vec![("PATH".into(), "/opt/bin:/bin".into())];
    command.trace = true;
    let outcome = run(spec, &command)?;
    println!("{}{}", text(&outcome.stdout), text(&outcome.stderr));
    let name = |access| match access {
        Access::Read => "read",
        Access::Write => "write",
        Access::Exec => "exec",
        Access::Stat => "stat",
        Access::List => "list",
        Access::Link => "link",
        Access::Missing => "missing",
    };
    let lines = outcome.trace.iter();
    Some(
        lines
            .map(|touch| format!("{} {}", name(touch.access), touch.path.display()))
            .collect(),
    )
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn a_shell_that_reads_and_misses() {
    let Some(root) = busybox() else { return };
    // Busybox's shell runs its own tools without a look at their files, so
    // one is called by its path.
    let script = "/bin/cat /etc/os-release; ls /nonexistent; nothing";
    let Some(touches) = touches(&root.spec(), script) else {
        return;
    };
    let wanted = lines(
        "link /bin
         missing /opt/bin/sh
         link /usr/bin/sh
         link /usr/bin/cat
         exec /usr/bin/busybox
         read /etc/os-release
         missing /nonexistent
         missing /opt/bin/nothing
         missing /usr/bin/nothing",
    );
    assert_eq!(touches, wanted);
}

#[test]
fn every_way_to_touch() {
    let Some(root) = busybox() else { return };
    fs::create_dir_all(root.path("opt/dir")).unwrap();
    fs::write(root.path("opt/dir/data"), "x").unwrap();
    fs::write(root.path("opt/old"), "x").unwrap();
    symlink("dir/data", root.path("opt/way")).unwrap();
    root.script("opt/script", "#!/opt/inner -x\n");
    root.script("opt/inner", "#!/bin/sh\n");
    let script = "cd /opt; cat way; ls dir >/dev/null; : > new; mv old older; rm new; mkdir made; \
                  ./script; /proc/self/exe true; cat /proc/self/status > /dev/null; echo x >> dir/data; \
                  ln -s /opt/dir turn; cat turn/data; rm turn; ln -s /etc turn; cat turn/os-release; \
                  cat dir/data/below; chown 7 script; : > no/file";
    let Some(touches) = touches(&root.spec(), script) else {
        return;
    };
    let wanted = lines(
        "link /opt/way
         read /opt/dir/data
         write /opt/dir/data
         list /opt/dir
         write /opt/new
         write /opt/old
         read /opt/old
         write /opt/older
         write /opt/made
         exec /opt/script
         exec /opt/inner
         exec /usr/bin/busybox
         link /opt/turn
         read /etc/os-release
         missing /opt/dir/data/below
         missing /opt/no
         missing /opt/no/file
         write /opt/script",
    );
    let lost: Vec<&String> = wanted.difference(&touches).collect();
    assert!(lost.is_empty(), "lost {lost:?} of {touches:#?}");
    let kernels = ["/proc", "/dev", "/sys"];
    assert!(
        !touches
            .iter()
            .any(|touch| kernels.iter().any(|folder| touch.contains(folder)))
    );
}

#[test]
fn two_thousand_forks_lose_nothing() {
    let Some(root) = busybox() else { return };
    let mut spec = root.spec();
    spec.max_processes = 1000;
    let script = "i=0; while [ $i -lt 2000 ]; do (: > /tmp/$i) & i=$((i+1)); \
                  [ $((i % 100)) = 0 ] && wait; done; wait; ls /tmp | wc -l";
    let Some(touches) = touches(&spec, script) else {
        return;
    };
    let made = touches
        .iter()
        .filter(|touch| touch.starts_with("write /tmp/"));
    assert_eq!(made.count(), 2000);
}
