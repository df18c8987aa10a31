//! What a program sees of its sandbox, and what it leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process;
use std::thread::sleep;
use std::time::{Duration, Instant};

use whit_sandbox::{
    Ability, Error, Exit, Mount, Network, Running, Stdin, Upper, Users, disk_owner,
};

use crate::root::{Root, busybox, command, give, run, skip, spec, start, text};

#[test]
fn a_pipeline_runs_as_pid_one() {
    let Some(root) = busybox() else { return };
    let words = [
        "sh",
        "-c",
        "echo $$; id -u; hostname; seq 5 | wc -l; cat /etc/os-release; pwd; exit 3",
    ];
    let mut command = command(&words);
    command.cwd = "/made/for/it".into();
    // What this process is big with must not count as the program's.
    let ballast = std::hint::black_box(vec![1u8; 100 << 20]);
    let Some(outcome) = run(&root.spec(), &command) else {
        return;
    };
    assert_eq!(text(&outcome.stderr), "");
    let said = "1\n0\nsmall\n5\nID=small\n/made/for/it\n";
    assert_eq!(text(&outcome.stdout), said);
    assert_eq!(outcome.exit, Exit::Code(3));
    assert!(!outcome.truncated);
    assert!(outcome.elapsed > Duration::ZERO && outcome.elapsed < Duration::from_secs(30));
    drop(ballast);
    assert!(
        (100 << 10..6 << 20).contains(&outcome.peak_memory),
        "{}",
        outcome.peak_memory
    );
}

#[test]
fn furniture_is_there() {
    let Some(root) = busybox() else { return };
    let script = "\
        for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done
        head -c 3 /dev/zero | wc -c 2>/dev/null || dd if=/dev/zero bs=3 count=1 2>/dev/null | wc -c
        test -d /proc/1 && test -d /sys/class/net/lo && test -d /dev/shm && test -L /dev/fd || echo no
        echo x > /dev/shm/x && echo x > /tmp/x && echo x > /dev/null && test -c /dev/ptmx || echo no
        echo out > /dev/stdout; echo err > /proc/self/fd/2
        cat /proc/sys/net/ipv4/ip_unprivileged_port_start /etc/hostname
        echo 1 2>/dev/null > /proc/sys/kernel/hostname && echo bad
        echo c 2>/dev/null > /proc/sysrq-trigger && echo bad
        mount -t tmpfs none /tmp 2>/dev/null && echo bad
        # Only our own: this shell and what it starts here.
        test $(ls /proc | grep -c '^[0-9]') -le 5 || echo others
        grep -c localhost /etc/hosts";
    let Some(outcome) = run(&root.spec(), &command(&["sh", "-c", script])) else {
        return;
    };
    assert_eq!(
        text(&outcome.stdout),
        "3\nout\n0\nsmall\n2\n",
        "{}",
        text(&outcome.stderr)
    );
}

/// Every path of a folder with what can change about it.
fn listing(folder: &Path) -> BTreeMap<String, (u32, u64, i64, i64)> {
    let mut found = BTreeMap::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(path) = todo.pop() {
        let meta = fs::symlink_metadata(&path).unwrap();
        let facts = (
            meta.mode(),
            meta.size(),
            meta.mtime_nsec(),
            meta.ctime_nsec(),
        );
        found.insert(path.display().to_string(), facts);
        if meta.is_dir() {
            todo.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found
}

#[test]
fn layers_stay_as_they_are_and_writes_land_above() {
    let Some(root) = busybox() else { return };
    let top = tempfile::tempdir().unwrap();
    // Names that overlayfs's options and long option strings stumble over.
    let odd = top
        .path()
        .join("a:b,c\\d e")
        .join("x".repeat(200))
        .join("y".repeat(200));
    fs::create_dir_all(odd.join("etc")).unwrap();
    fs::write(odd.join("etc/os-release"), "ID=above\n").unwrap();
    give(&odd);
    let kept = tempfile::tempdir().unwrap();
    let (upper, work) = (kept.path().join("up"), kept.path().join("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    let mut spec = spec(vec![root.folder.path().into(), odd.clone()]);
    spec.upper = Upper::Folder {
        upper: upper.clone(),
        work,
    };
    let before = (listing(root.folder.path()), listing(&odd));
    let script = "cat /etc/os-release; echo new > /opt/new; rm /usr/bin/seq; echo y >> /etc/os-release; stat -c %a /";
    let Some(outcome) = run(&spec, &command(&["sh", "-c", script])) else {
        return;
    };
    assert_eq!(
        text(&outcome.stdout),
        "ID=above\n755\n",
        "{}",
        text(&outcome.stderr)
    );
    assert_eq!(text(&outcome.stderr), "");
    assert_eq!((listing(root.folder.path()), listing(&odd)), before);
    assert_eq!(fs::read_to_string(upper.join("opt/new")).unwrap(), "new\n");
    assert_eq!(
        fs::read_to_string(upper.join("etc/os-release")).unwrap(),
        "ID=above\ny\n"
    );
    let owner = fs::metadata(upper.join("opt/new")).unwrap().uid();
    let wanted = disk_owner(0, 0).map_or(nix::unistd::getuid().as_raw(), |(uid, _)| uid);
    assert_eq!(owner, wanted);
    // A second run goes on where the first one ended.
    let again = run(
        &spec,
        &command(&["sh", "-c", "cat /opt/new; ls /usr/bin/seq"]),
    )
    .unwrap();
    assert_eq!(text(&again.stdout), "new\n");
}

#[test]
fn many_layers_in_folders_that_only_their_owner_may_search() {
    let Some(root) = busybox() else { return };
    let closed = tempfile::tempdir().unwrap();
    let mut lowers = vec![root.folder.path().to_path_buf()];
    for number in 0..120 {
        let layer = closed
            .path()
            .join(format!("layer-with-a-long-name-{number:040}"));
        fs::create_dir_all(layer.join("opt")).unwrap();
        fs::write(layer.join(format!("opt/{number}")), "").unwrap();
        lowers.push(layer);
    }
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let Some(outcome) = run(&spec(lowers), &command(&["sh", "-c", "ls /opt | wc -l"])) else {
        return;
    };
    assert_eq!(text(&outcome.stdout), "120\n", "{}", text(&outcome.stderr));
}

#[test]
fn memory_for_writes_is_bounded() {
    let Some(root) = busybox() else { return };
    let mut spec = root.spec();
    spec.upper = Upper::Memory { max_bytes: 4 << 20 };
    let script = "dd if=/dev/zero of=/opt/big bs=1024k count=64; echo $?";
    let Some(outcome) = run(&spec, &command(&["sh", "-c", script])) else {
        return;
    };
    assert_eq!(text(&outcome.stdout), "1\n");
    assert!(text(&outcome.stderr).contains("No space left"));
}

#[test]
fn host_files_are_mounted_where_asked() {
    let Some(root) = busybox() else { return };
    let host = tempfile::tempdir().unwrap();
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(host.path().join("file"), "from the host\n").unwrap();
    let mut spec = root.spec();
    // A link in the root must not lead the mount out of it.
    std::os::unix::fs::symlink("/../../../../../opt", root.path("way-out")).unwrap();
    let mount = |host: &Path, inside: &str, read_only| Mount {
        host: host.into(),
        inside: inside.into(),
        read_only,
    };
    spec.mounts = vec![
        mount(host.path(), "/not/there/yet", true),
        mount(&host.path().join("file"), "/etc/deep/file", true),
        mount(host.path(), "/way-out/in", false),
    ];
    let script = "cat /not/there/yet/file /etc/deep/file /opt/in/file; \
                  echo x 2>/dev/null > /not/there/yet/x && echo bad";
    let Some(outcome) = run(&spec, &command(&["sh", "-c", script])) else {
        return;
    };
    assert_eq!(
        text(&outcome.stdout),
        "from the host\n".repeat(3),
        "{}",
        text(&outcome.stderr)
    );
}

#[test]
fn another_user_has_no_power() {
    let Some(root) = busybox() else { return };
    let mut command = command(&[
        "sh",
        "-c",
        "id -u; id -g; grep CapEff /proc/self/status; touch /etc/x || echo no",
    ]);
    (command.uid, command.gid) = (65532, 65532);
    let Some(outcome) = run(&root.spec(), &command) else {
        return;
    };
    let said = text(&outcome.stdout);
    assert!(
        said.starts_with("65532\n65532\nCapEff:\t0000000000000000\n"),
        "{said}"
    );
    if disk_owner(0, 0).is_some() {
        // Root's files are another user's.
        assert!(said.ends_with("no\n"), "{said}");
    }
}

#[test]
fn a_service_steps_down_from_root() {
    let Some(root) = busybox() else { return };
    fs::write(
        root.path("etc/passwd"),
        "root:x:0:0::/:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
    )
    .unwrap();
    fs::write(
        root.path("etc/group"),
        "root:x:0:\nweb:x:34:\nextra:x:35:web\n",
    )
    .unwrap();
    // As entrypoints do: start over as somebody else.
    let entry = "#!/bin/sh\n[ $(id -u) = 0 ] && chown web /opt && exec su web -c \"$0\"\n\
                 id -u; id -g; id -G; (sleep 0.1; id -u) & wait\nsu root -c id -u 2>/dev/null || echo no way back\n";
    root.script("opt/entry", entry);
    let Some(outcome) = run(&root.spec(), &command(&["/opt/entry"])) else {
        return;
    };
    let said = "33\n34\n34 35\n33\nno way back\n";
    assert_eq!(text(&outcome.stdout), said, "{}", text(&outcome.stderr));
    assert!(outcome.trace.is_empty());
}

#[test]
fn sigterm_reaches_a_handler_and_only_a_handler() {
    let Some(root) = busybox() else { return };
    let deaf = command(&["sh", "-c", "echo up; while true; do sleep 0.05; done"]);
    let Some(mut running) = start(&root.spec(), &deaf) else {
        return;
    };
    until(|| running.output().0 == b"up\n");
    running.signal(libc::SIGTERM).unwrap();
    assert_eq!(running.wait(Duration::from_millis(200)).unwrap(), None);
    assert_eq!(running.finish().unwrap().exit, Exit::Signal(libc::SIGKILL));

    let script = "trap 'echo bye; exit 7' TERM; echo up; while true; do sleep 0.05; done";
    let mut running = start(&root.spec(), &command(&["sh", "-c", script])).unwrap();
    until(|| running.output().0 == b"up\n");
    running.signal(libc::SIGTERM).unwrap();
    assert_eq!(
        running.wait(Duration::from_secs(20)).unwrap(),
        Some(Exit::Code(7))
    );
    assert_eq!(text(&running.finish().unwrap().stdout), "up\nbye\n");
}

/// Waits for something to come true, at most twenty seconds.
fn until(mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited too long");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_server_inside_is_reached() {
    let Some(root) = busybox() else { return };
    fs::create_dir(root.path("www")).unwrap();
    fs::write(root.path("www/index.html"), "small page").unwrap();
    // A port that only a privileged user has elsewhere.
    let mut server = command(&["httpd", "-f", "-p", "127.0.0.1:80", "-h", "/www"]);
    (server.uid, server.gid) = (1000, 1000);
    let Some(running) = start(&root.spec(), &server) else {
        return;
    };
    until(|| !running.listening().unwrap().is_empty());
    let address = running.listening().unwrap()[0];
    assert_eq!(address.to_string(), "127.0.0.1:80");
    for _ in 0..3 {
        let mut stream = running.connect(address, Duration::from_secs(5)).unwrap();
        stream
            .write_all(b"GET /index.html HTTP/1.0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("small page"), "{answer}");
    }
    let everywhere = "0.0.0.0:80".parse().unwrap();
    running.connect(everywhere, Duration::from_secs(5)).unwrap();
    let closed = running.connect("127.0.0.1:81".parse().unwrap(), Duration::from_secs(5));
    assert!(closed.unwrap_err().to_string().contains("refused"));
    assert_eq!(running.finish().unwrap().exit, Exit::Signal(libc::SIGKILL));
}

#[test]
fn a_fork_bomb_ends_at_its_limit() {
    let Some(root) = busybox() else { return };
    let mut spec = root.spec();
    spec.max_processes = 50;
    let script = "b() { sleep 60 & b; }; b; echo never";
    let Some(mut running) = start(&spec, &command(&["sh", "-c", script])) else {
        return;
    };
    running.wait(Duration::from_secs(20)).unwrap();
    let outcome = running.finish().unwrap();
    assert!(
        text(&outcome.stderr).contains("can't fork"),
        "{}",
        text(&outcome.stderr)
    );
}

#[test]
fn input_comes_from_a_file() {
    let Some(root) = busybox() else { return };
    let input = tempfile::NamedTempFile::new().unwrap();
    fs::write(input.path(), "c\na\nb\n").unwrap();
    let mut command = command(&["sort"]);
    command.stdin = Stdin::File(input.path().into());
    let Some(outcome) = run(&root.spec(), &command) else {
        return;
    };
    assert_eq!(text(&outcome.stdout), "a\nb\nc\n");
}

/// The error of a start that cannot succeed.
fn refusal(root: &Root, words: &[&str]) -> Option<String> {
    match Running::start(&root.spec(), &command(words)) {
        Err(Error::Refused { .. }) => {
            skip("sandboxes");
            None
        }
        Err(error) => Some(error.to_string()),
        Ok(_) => panic!("{words:?} started"),
    }
}

#[test]
fn what_cannot_start_says_why() {
    let Some(root) = busybox() else { return };
    root.script("opt/none", "#!/bin/none -x\n");
    root.script("opt/windows", "#!/bin/sh\r\necho\r\n");
    root.script("opt/text", "just text\n");
    fs::write(root.path("opt/plain"), "").unwrap();
    let mut foreign = fs::read(root.path("usr/bin/busybox")).unwrap();
    foreign[18..20].copy_from_slice(&[8, 0]);
    fs::write(root.path("opt/foreign"), foreign).unwrap();
    fs::set_permissions(root.path("opt/foreign"), fs::Permissions::from_mode(0o755)).unwrap();
    let cases = [
        ("nothing", "no folder of PATH has it"),
        ("/opt/nothing", "there is no such file in the image"),
        ("/opt/none", "its interpreter /bin/none is not in the image"),
        ("/opt/windows", "carriage return"),
        ("/opt/text", "exec format error: it is neither"),
        ("/opt/foreign", "built for mips"),
        ("/opt/plain", "no execute permission"),
        ("/opt", "it is a folder"),
    ];
    for (program, reason) in cases {
        let Some(error) = refusal(&root, &[program]) else {
            return;
        };
        assert!(
            error.starts_with(&format!("cannot start {program}: ")),
            "{error}"
        );
        assert!(error.contains(reason), "{error}");
    }
    let error = refusal(&root, &[]).unwrap();
    assert!(error.contains("the command is empty"), "{error}");
}

#[test]
fn a_layer_that_is_not_there_is_named() {
    let Some(_) = busybox() else { return };
    let spec = spec(vec!["/not/there".into()]);
    match Running::start(&spec, &command(&["sh"])) {
        Err(Error::Refused { .. }) => skip("sandboxes"),
        Err(error) => assert!(error.to_string().contains("/not/there"), "{error}"),
        Ok(_) => panic!("started without a root"),
    }
}

#[test]
fn the_check_agrees_with_what_happens() {
    let Some(root) = busybox() else { return };
    let abilities = whit_sandbox::check().unwrap();
    let starts = start(&root.spec(), &command(&["true"])).is_some();
    assert_eq!(abilities.run == Ability::Works, starts);
    if let Ability::Refused { reason, remedy } = abilities.run {
        assert!(!reason.is_empty() && !remedy.is_empty());
    }
    assert_eq!(abilities.users == Users::All, disk_owner(0, 0).is_some());
}

#[test]
fn the_hosts_network_is_there_when_asked_for() {
    let Some(root) = busybox() else { return };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut spec = root.spec();
    spec.network = Network::Host;
    let script =
        format!("echo hello | nc 127.0.0.1 {port}; cat /etc/resolv.conf; test -d /sys/class");
    let Some(running) = start(&spec, &command(&["sh", "-c", &script])) else {
        return;
    };
    let (mut stream, _) = listener.accept().unwrap();
    let mut said = [0; 6];
    stream.read_exact(&mut said).unwrap();
    drop(stream);
    assert_eq!(&said, b"hello\n");
    let mut running = running;
    assert_eq!(
        running.wait(Duration::from_secs(20)).unwrap(),
        Some(Exit::Code(0))
    );
    let resolver = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    assert_eq!(text(&running.finish().unwrap().stdout), resolver);

    // And not otherwise.
    let alone = format!("nc 127.0.0.1 {port} < /dev/null");
    let outcome = run(&root.spec(), &command(&["sh", "-c", &alone])).unwrap();
    assert_eq!(outcome.exit, Exit::Code(1));
}

#[test]
fn many_at_once() {
    let Some(root) = busybox() else { return };
    if start(&root.spec(), &command(&["true"])).is_none() {
        return;
    }
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..12 {
            let spec = root.spec();
            scope.spawn(move || {
                let mut command =
                    command(&["sh", "-c", &format!("cat /etc/os-release; exit {number}")]);
                command.trace = number % 2 == 0;
                let outcome = run(&spec, &command).unwrap();
                assert_eq!(outcome.exit, Exit::Code(number));
                assert_eq!(outcome.trace.is_empty(), number % 2 == 1);
            });
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// Started by the test below, in a process of its own that is killed.
#[test]
#[ignore = "only for `nothing_survives_a_killed_parent`"]
fn parent_to_be_killed() {
    let Some(root) = busybox() else { return };
    // A changed user forgets the signal for a parent's death; so do children
    // in sessions of their own.
    let script = "sleep 987654 & sleep 987654";
    let running = start(&root.spec(), &command(&["sh", "-c", script]));
    if running.is_some() {
        sleep(Duration::from_secs(60));
    }
}

/// Processes of the host whose command line has a word.
fn processes_with(word: &str) -> usize {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok())
        .filter(|line| text(line).contains(word))
        .count()
}

#[test]
fn nothing_survives_a_killed_parent() {
    if busybox().is_none() {
        return;
    }
    let mut parent = process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "run::parent_to_be_killed"])
        .stdout(process::Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while processes_with("987654") < 2 {
        if parent.try_wait().unwrap().is_some() || start.elapsed() > Duration::from_secs(20) {
            let _ = parent.kill();
            skip("sandboxes");
            return;
        }
        sleep(Duration::from_millis(10));
    }
    parent.kill().unwrap();
    parent.wait().unwrap();
    until(|| processes_with("987654") == 0);
}
