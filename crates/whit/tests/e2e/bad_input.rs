//! Bad input: a clear error, exit 2, no output, no trace.

use std::path::Path;

use serde_json::json;

use crate::crafted::{Blob, Layer, docker_archive, image, oci_archive};
use crate::support::{Bench, Finished, built, have, processes, soon, tool, unpacked};

/// `whit shrink bad.tar` with a cache of its own: an error that says `words`,
/// and nothing left anywhere.
#[track_caller]
fn is_refused(what: &str, archive: &[u8], words: &str) {
    let bench = Bench::new();
    std::fs::write(bench.path("bad.tar"), archive).unwrap();
    let mut command = bench.command(&["shrink", "bad.tar", "-o", "small.tar", "--no-run"]);
    command.env("XDG_CACHE_HOME", bench.path("cache"));
    let done = Finished::of(command, &format!("shrink of {what}"))
        .exits(2)
        .says("error:")
        .says(words);
    assert!(!done.stderr().contains("panicked"), "{}", done.stderr());
    assert_eq!(bench.names(), ["bad.tar", "cache"], "{what}");
    assert_eq!(runs_in(&bench.path("cache")), 0, "{what} left a folder");
}

/// Working folders that are still there.
fn runs_in(cache: &Path) -> usize {
    std::fs::read_dir(cache.join("whit/runs")).map_or(0, Iterator::count)
}

#[test]
fn a_truncated_or_flipped_archive() {
    let whole = std::fs::read(&built("hello").archive).unwrap();
    is_refused("a third", &whole[..whole.len() / 3], "bad.tar");
    for part in [2, 3, 5] {
        let mut flipped = whole.clone();
        let place = flipped.len() / part;
        flipped[place] ^= 0x40;
        is_refused("a flipped bit", &flipped, "sha256");
    }
    is_refused("nothing", b"", "bad.tar");
    is_refused("a text", b"this is no image", "bad.tar");
}

#[test]
fn crafted_archives_are_read_where_nothing_is_wrong() {
    // The control: what the other cases are made of is a good image.
    let good = Layer::default()
        .file("app/data.txt", b"hello")
        .hard_link("app/again.txt", "app/data.txt")
        .symlink("unused", "../../../..")
        .device("dev/null", tar::EntryType::Char);
    for archive in [
        docker_archive(&good.clone().bytes(), None),
        oci_archive(&good.bytes(), Blob::Honest),
    ] {
        let bench = Bench::new();
        std::fs::write(bench.path("good.tar"), archive).unwrap();
        bench
            .whit(&["shrink", "good.tar", "-o", "small.tar", "--no-run"])
            .succeeds();
        assert_eq!(
            bench.names(),
            ["good.tar", "small.tar", "small.whit.json"],
            "written"
        );
    }
}

#[test]
fn absolute_links_start_at_the_root_of_the_image() {
    let bench = Bench::new();
    let base = Layer::default()
        .dir("usr/lib")
        .dir("srv/spool")
        .symlink("lib", "usr/lib")
        .symlink("var/spool", "/srv/spool")
        .symlink("opt/up", "../usr/lib");
    let later = Layer::default()
        .file("lib/one", b"1")
        .file("var/spool/two", b"2")
        .file("opt/up/three", b"3");
    let archive = image(
        &[base.bytes(), later.bytes()],
        json!({ "Cmd": ["/lib/one"] }),
    );
    std::fs::write(bench.path("links.tar"), archive).unwrap();
    bench
        .whit(&["shrink", "links.tar", "-o", "small.tar", "--no-run"])
        .succeeds();
    let root = unpacked(&bench, &bench.path("small.tar"));
    for (path, content) in [
        ("usr/lib/one", "1"),
        ("srv/spool/two", "2"),
        ("usr/lib/three", "3"),
    ] {
        let found = std::fs::read_to_string(format!("{root}/{path}"));
        assert_eq!(found.ok().as_deref(), Some(content), "{path}");
    }
    assert!(!Path::new("/srv/spool/two").exists());
}

#[test]
fn paths_that_lead_out_of_the_image() {
    let layer = |name: &str| Layer::default().file(name, b"outside").bytes();
    for name in ["../outside", "app/../../outside", "app/../.."] {
        is_refused(name, &docker_archive(&layer(name), None), name);
        is_refused(name, &oci_archive(&layer(name), Blob::Honest), name);
    }
    // By way of a link, in the same layer and in a later one.
    let link = Layer::default().symlink("a", "../../../../../../../../..");
    let out = "would be written through the link /a, which leads out of the image";
    let through = link.clone().file("a/tmp/whit-was-here", b"outside").bytes();
    is_refused("a file behind a link", &docker_archive(&through, None), out);
    is_refused("the same in OCI", &oci_archive(&through, Blob::Honest), out);
    for later in [
        Layer::default().file("a/tmp/whit-was-here", b"outside"),
        Layer::default().file("a/tmp/.wh.whit-was-here", b""),
        Layer::default().hard_link("shadow", "a/etc/shadow"),
    ] {
        let layers = [link.clone().bytes(), later.bytes()];
        is_refused("a later layer", &image(&layers, json!({})), out);
    }
    assert!(!Path::new("/tmp/whit-was-here").exists());
    assert!(!Path::new("/whit-was-here").exists());
}

#[test]
fn entries_that_no_image_has() {
    let cases = [
        (
            "a hard link to nowhere",
            Layer::default().hard_link("app/link", "no/where"),
            "app/link",
        ),
        (
            "a hard link out of the image",
            Layer::default().hard_link("app/link", "../../etc/shadow"),
            "app/link",
        ),
        (
            "a block device",
            Layer::default().device("dev/sda", tar::EntryType::Block),
            "dev/sda is a device, which no image needs",
        ),
        (
            "a character device outside of /dev",
            Layer::default().device("app/mem", tar::EntryType::Char),
            "app/mem is a device, which no image needs",
        ),
        (
            "a character device where a link leads out of /dev",
            Layer::default()
                .symlink("dev", "/app")
                .device("dev/mem", tar::EntryType::Char),
            "dev/mem is a device, which no image needs",
        ),
        (
            "a file of ten gigabytes in a small layer",
            Layer::default().sparse("app/big", 10 << 30),
            "app/big",
        ),
    ];
    for (what, layer, words) in cases {
        let bytes = layer.bytes();
        is_refused(what, &docker_archive(&bytes, None), words);
    }
}

#[test]
fn a_wrong_digest() {
    let layer = Layer::default().file("app/data.txt", b"hello").bytes();
    let wrong = "sha256:".to_owned() + &"0".repeat(64);
    is_refused(
        "a wrong diff id",
        &docker_archive(&layer, Some(&wrong)),
        "sha256",
    );
    is_refused(
        "a changed blob",
        &oci_archive(&layer, Blob::Changed),
        "sha256",
    );
    is_refused(
        "a missing blob",
        &oci_archive(&layer, Blob::Missing),
        "sha256",
    );
    is_refused(
        "a shorter blob",
        &oci_archive(&layer, Blob::Shorter),
        "sha256",
    );
}

/// `whit build` of a small project from a mirror in a folder.
#[track_caller]
fn mirror_is_refused(bench: &Bench, words: &str) {
    let project = bench.project("app", &[("main.py", "print('hi')\n")]);
    let mirror = format!("file:{}", bench.path("mirror").display());
    let mut command = bench.command(&[
        "build",
        project.to_str().unwrap(),
        "-o",
        "out.tar",
        "--mirror",
        &mirror,
    ]);
    command.env("XDG_CACHE_HOME", bench.path("cache"));
    Finished::of(command, "build from a bad mirror")
        .exits(2)
        .says("error:")
        .says(words);
    assert_eq!(bench.names(), ["app", "cache", "mirror"]);
    assert_eq!(runs_in(&bench.path("cache")), 0);
    assert!(!project.join("whit.lock").exists());
}

#[test]
fn an_index_that_nobody_signed() {
    let bench = Bench::new();
    let release = "Origin: Debian\nSuite: oldstable\nCodename: bookworm\n";
    bench.project("mirror", &[("dists/bookworm/InRelease", release)]);
    mirror_is_refused(&bench, "InRelease");
}

#[test]
fn an_index_that_was_tampered_with() {
    // Debian's own, as the host's apt left it.
    let lists = tool(
        "sh",
        &[
            "-c",
            "ls /var/lib/apt/lists/*dists_bookworm_InRelease || true",
        ],
    );
    let Some(list) = lists.lines().next() else {
        assert!(!have(&["Debian's bookworm in /var/lib/apt/lists"]));
        return;
    };
    let genuine = std::fs::read_to_string(list).unwrap();
    // One digit of one hash.
    let bench = Bench::new();
    let at = genuine.find("Packages.xz").unwrap();
    let digit = genuine[..at]
        .rfind(|c: char| c.is_ascii_hexdigit())
        .unwrap();
    let mut changed = genuine.clone();
    let other = if &genuine[digit..=digit] == "1" {
        "2"
    } else {
        "1"
    };
    changed.replace_range(digit..=digit, other);
    bench.project("mirror", &[("dists/bookworm/InRelease", &changed)]);
    mirror_is_refused(&bench, "InRelease");
    // The right signature, and an index that is not the one it signs.
    let bench = Bench::new();
    bench.project(
        "mirror",
        &[
            ("dists/bookworm/InRelease", &genuine),
            ("dists/bookworm/main/binary-amd64/Packages.xz", "not this"),
            ("dists/bookworm/main/binary-arm64/Packages.xz", "not this"),
        ],
    );
    mirror_is_refused(&bench, "Packages.xz");
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
fn what_is_nowhere_is_told_with_all_places() {
    let bench = Bench::new();
    bench
        .whit(&["shrink", "127.0.0.1:1/app"])
        .exits(2)
        .says("127.0.0.1:1/app is nowhere")
        .says("Podman")
        .says("hint:");
    bench
        .whit(&["shrink", "docker://Not A Name"])
        .exits(2)
        .says("is not a name for an image")
        .says("hint:");
}

#[test]
fn a_command_that_forks_for_ever() {
    let bench = Bench::new();
    bench.project(
        "bomb",
        &[(
            "main.py",
            "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n",
        )],
    );
    let mark = "WHIT_TEST_MARK=forks-for-ever";
    let mut command = bench.command(&[
        "build",
        "bomb",
        "-o",
        "out.tar",
        "--start-timeout",
        "3",
        "--probe-timeout",
        "3",
        "--env",
        mark,
        "--",
        "python",
        "main.py",
    ]);
    command.env("WHIT_TEST_MARK", "forks-for-ever");
    Finished::of(command, "build of a fork bomb")
        .exits(2)
        .says("running the original")
        .says("error:");
    assert!(!bench.path("out.tar").exists());
    assert!(
        soon(|| processes(mark).is_empty()),
        "left: {:?}",
        processes(mark)
    );
}

/// A small disk, as long as it lives.
struct TinyDisk(String);

impl TinyDisk {
    fn new(bench: &Bench, name: &str, size: &str) -> Self {
        let place = bench.path(name);
        std::fs::create_dir(&place).unwrap();
        let place = place.to_str().unwrap();
        let size = format!("size={size}");
        tool("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", place]);
        Self(place.to_owned())
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        tool("umount", &[&self.0]);
    }
}

#[test]
fn a_full_disk() {
    if !have(&["root"]) {
        return;
    }
    let archive = built("hello").archive.to_str().unwrap();
    // No room for the image.
    let bench = Bench::new();
    let disk = TinyDisk::new(&bench, "tiny", "2m");
    bench
        .whit(&["shrink", archive, "-o", "tiny/small.tar"])
        .exits(2)
        .says("error: cannot write")
        .says("No space left on device")
        .says("hint: free some space");
    assert_eq!(std::fs::read_dir(&disk.0).unwrap().count(), 0);
    // No room to work in.
    let bench = Bench::new();
    let _disk = TinyDisk::new(&bench, "cache", "4m");
    let mut command = bench.command(&["shrink", archive, "-o", "small.tar"]);
    command.env("XDG_CACHE_HOME", bench.path("cache"));
    Finished::of(command, "shrink with a full cache")
        .exits(2)
        .says("error: no room left on the disk that holds")
        .says("hint: free some space");
    assert_eq!(runs_in(&bench.path("cache")), 0);
    assert_eq!(bench.names(), ["cache"]);
}
