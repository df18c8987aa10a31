//! Other processors: under qemu-user, and without it.

use serde_json::Value;

use crate::support::{Bench, Finished, have, tool};

const MAIN: &str = "\
import json, platform, sys

if 'late' in sys.argv:
    import decimal
    print(decimal.Decimal('1.1') + 1)
else:
    print(json.dumps({'machine': platform.machine()}))
";

fn app(bench: &Bench) {
    bench.project("app", &[("main.py", MAIN)]);
}

/// What a path that no probe took prints.
#[track_caller]
fn runs_late(bench: &Bench, image: &str) {
    let run = bench.whit(&["run", image, "--platform", "linux/arm64", "--", "late"]);
    assert_eq!(run.succeeds().stdout(), "2.1\n");
}

#[test]
fn two_platforms_in_one_index() {
    let bench = Bench::new();
    app(&bench);
    let both = ["--platform", "linux/amd64,linux/arm64"];
    // Before any work.
    bench
        .whit(&[&["build", "app"][..], &both].concat())
        .exits(2)
        .says("holds the image of one platform")
        .says("-o oci:DIR");
    if !have(&["qemu-aarch64-static", "skopeo"]) {
        return;
    }
    let to = ["--json", "-o", "oci:two:1"];
    let reports = bench.whit(&[&["build", "app"][..], &both, &to].concat());
    let reports = reports.succeeds().json();
    for (report, emulator) in [
        (&reports[0], Value::Null),
        (&reports[1], Value::from("qemu-aarch64-static")),
    ] {
        assert_eq!(report["proof"]["proven"], true, "{report:#}");
        assert_eq!(report["proof"]["emulator"], emulator);
    }
    let image = format!("oci:{}:1", bench.path("two").display());
    for architecture in ["amd64", "arm64"] {
        let arch = ["--override-arch", architecture, "inspect", &image];
        let seen: Value = serde_json::from_str(&tool("skopeo", &arch)).unwrap();
        assert_eq!(seen["Architecture"], architecture);
    }
    assert!(bench.path("two.arm64.whit.json").exists());
    assert!(bench.path("app/whit.lock").exists() && bench.path("app/whit.arm64.lock").exists());
    runs_late(&bench, "oci:two:1");
}

#[test]
fn without_an_emulator_the_result_is_unproven() {
    if !have(&["qemu-aarch64-static", "skopeo", "umoci", "root", "unshare"]) {
        return;
    }
    let bench = Bench::new();
    app(&bench);
    let arm = ["--platform", "linux/arm64"];
    let whole = ["--policy", "repack", "--python-code", "source", "--no-run"];
    let to = ["-o", "oci:fat:python"];
    bench
        .whit(&[&["build", "app"][..], &arm, &whole, &to].concat())
        .succeeds();
    // A program in C of the same root.
    let fat = bench.path("fat");
    let image = |tag: &str| format!("{}:{tag}", fat.display());
    let entry = ["--config.entrypoint", "sort", "--config.cmd", "--version"];
    let config = ["config", "--image", &image("python"), "--tag", "c"];
    tool("umoci", &[&config[..], &entry].concat());

    for (tag, small) in [("python", "oci:small-python"), ("c", "oci:small-c")] {
        let mut hidden = std::process::Command::new("unshare");
        let script = "mount --bind /dev/null \"$(command -v qemu-aarch64-static)\" && exec \"$@\"";
        hidden
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(crate::support::whit())
            .args(["shrink", &format!("oci:fat:{tag}"), "-o", small, "--json"])
            .args(arm)
            .current_dir(bench.dir.path());
        let report = Finished::of(hidden, "whit shrink without qemu")
            .succeeds()
            .json();
        assert_eq!(report["proof"]["proven"], false);
        let because = report["proof"]["unrunnable"].as_str().unwrap();
        assert!(because.contains("arm64"), "{because}");
        let (before, after) = (&report["before"]["bytes"], &report["after"]["bytes"]);
        assert!(after.as_u64() < before.as_u64().map(|bytes| bytes / 2));
        let place = small.replace("oci:", &format!("oci:{}/", bench.dir.path().display()));
        let manifest = tool("skopeo", &["inspect", "--raw", &place]);
        let manifest: Value = serde_json::from_str(&manifest).unwrap();
        assert_eq!(manifest["annotations"]["whit.proof"], "unproven");
    }
    runs_late(&bench, "oci:small-python");
    let run = bench.whit(&["run", "oci:small-c", "--platform", "linux/arm64"]);
    assert!(run.succeeds().stdout().contains("GNU coreutils"));
}
