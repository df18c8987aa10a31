//! Nothing is lost: the small layers and the rescue layer are the original.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{Bench, alone, have, repository, tool};

/// What `find` and `sha256sum` say of a tree: path → everything else.
type Facts = BTreeMap<String, String>;

#[test]
fn small_layers_and_rescue_layer_are_the_original() {
    if !have(&["root", "umoci", "python3", "setcap"]) {
        return;
    }
    let _turn = alone();
    let bench = Bench::new();
    let original = original(&bench);
    bench
        .whit(&["shrink", &original, "-o", "oci:small:latest", "--rescue"])
        .succeeds();
    let small = facts(&unpacked(&bench, "small:latest"));
    let before = facts(&unpacked(&bench, "fat:latest"));
    let after = facts(&unpacked(&bench, "small:latest-rescue"));

    assert!(
        small.len() * 2 < before.len(),
        "{} of {} entries: nothing was made small here",
        small.len(),
        before.len()
    );
    let different: Vec<String> = before
        .iter()
        .filter(|(path, facts)| after.get(*path) != Some(facts))
        .map(|(path, facts)| format!("{path}\n  was {facts}\n  is  {:?}", after.get(path)))
        .chain(
            after
                .keys()
                .filter(|path| !before.contains_key(*path))
                .map(|path| format!("{path}\n  is new")),
        )
        .collect();
    assert!(
        different.is_empty(),
        "{} of {} entries differ:\n{}",
        different.len(),
        before.len(),
        different[..different.len().min(20)].join("\n")
    );
}

/// An image with everything that an entry can be: the example `hello` built
/// with all of its runtime, and a layer of oddities on top.
fn original(bench: &Bench) -> String {
    let script = r#"
        mkdir -p srv/odd/empty opt/links
        echo twin > srv/odd/one; ln srv/odd/one srv/odd/two; ln srv/odd/one opt/links/three
        echo bin > usr/share/left-1; ln usr/share/left-1 usr/share/left-2
        chmod 6755 usr/share/left-1; chown 12:34 srv/odd/two; chmod 1777 srv/odd/empty
        ln -s ../nowhere srv/odd/dangling; mkfifo var/pipe; mknod dev/whit-null c 1 3
        cp usr/bin/env usr/bin/capable; setcap cap_net_raw+ep usr/bin/capable
        note='import os, sys; os.setxattr(sys.argv[1], "user.note", sys.argv[2].encode())'
        python3 -c "$note" usr/share/left-1 kept; python3 -c "$note" srv/odd dir
        touch -d 2001-02-03 srv/odd/empty usr/share/left-2 usr/share
        chmod 700 usr/share/doc; chown 5:6 usr/share/doc
    "#;
    hello_with(bench, &[], script)
}

/// The example `hello` with all of its runtime, and what `script` does in its
/// root as one more layer.
pub fn hello_with(bench: &Bench, options: &[&str], script: &str) -> String {
    let hello = repository().join("examples/hello");
    let hello = hello.to_str().unwrap();
    let build = ["build", hello, "-o", "oci:fat:latest"];
    let whole = ["--policy", "repack", "--no-run"];
    bench
        .whit(&[&build, &whole[..], options].concat())
        .succeeds();
    let bundle = bench.path("bundle");
    let bundle = bundle.to_str().unwrap();
    let image = bench.path("fat:latest");
    let image = image.to_str().unwrap();
    tool("umoci", &["unpack", "--image", image, bundle]);
    let script = format!("cd \"$1/rootfs\"\n{script}");
    tool("sh", &["-euc", &script, "sh", bundle]);
    tool("umoci", &["repack", "--image", image, bundle]);
    "oci:fat:latest".to_owned()
}

/// An image as umoci, which is not whit, puts it on disk.
fn unpacked(bench: &Bench, reference: &str) -> PathBuf {
    let bundle = bench.path(&format!("bundle-{}", reference.replace(':', "-")));
    let image = bench.path(reference);
    tool(
        "umoci",
        &[
            "unpack",
            "--image",
            image.to_str().unwrap(),
            bundle.to_str().unwrap(),
        ],
    );
    bundle.join("rootfs")
}

/// Kind, mode, owner, size, time, link target, content, the other names of the
/// same file and extended attributes of every entry.
fn facts(root: &Path) -> Facts {
    let root = root.to_str().unwrap();
    let list = |script: &str| tool("sh", &["-euc", &format!("cd \"$1\"; {script}"), "sh", root]);
    let mut facts = Facts::new();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in list(r"find . ! -path . -printf '%P\t%y %#m %U:%G %Ts %l\t%i %s %n\n'").lines() {
        let mut parts = line.split('\t');
        let (path, fact) = (parts.next().unwrap(), parts.next().unwrap());
        let disk: Vec<&str> = parts.next().unwrap().split(' ').collect();
        let mut fact = fact.to_owned();
        if fact.starts_with('f') {
            fact.push_str(&format!(" {} bytes", disk[1]));
            names
                .entry(disk[0].to_owned())
                .or_default()
                .push(path.to_owned());
        }
        facts.insert(path.to_owned(), fact);
    }
    for group in names.into_values().filter(|group| group.len() > 1) {
        for name in &group {
            facts
                .get_mut(name)
                .unwrap()
                .push_str(&format!(" = {group:?}"));
        }
    }
    for line in list("find . -type f -print0 | xargs -0 sha256sum").lines() {
        let (sum, path) = line.split_once("  ./").unwrap();
        facts.get_mut(path).unwrap().push_str(&format!(" {sum}"));
    }
    let attributes = r#"
import os, sys
for folder, folders, files in os.walk("."):
    for path in [os.path.join(folder, name)[2:] for name in folders + files]:
        for name in sorted(os.listxattr(path, follow_symlinks=False)):
            print(path, name, os.getxattr(path, name, follow_symlinks=False).hex(), sep="\t")
"#;
    for line in list(&format!("python3 -c '{attributes}'")).lines() {
        let (path, attribute) = line.split_once('\t').unwrap();
        facts
            .get_mut(path)
            .unwrap()
            .push_str(&format!(" {attribute}"));
    }
    facts
}
