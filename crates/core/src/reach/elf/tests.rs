//! Small programs compiled on the spot, in roots of their own, and the host's
//! own loader as the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use rayon::prelude::*;

use super::*;
use crate::reach::Graph;
use crate::testing::{TestRoot, host_root, root};

/// A compiler, or `None` where the machine has none: the tests that need one
/// then have nothing to say.
fn cc(output: &Path, source: &str, flags: &[&str]) -> Option<()> {
    let code = output.with_extension("c");
    std::fs::create_dir_all(output.parent()?).ok()?;
    std::fs::write(&code, source).ok()?;
    let done = Command::new("cc")
        .args(["-nostdlib", "-o"])
        .args([output, &code])
        .args(flags)
        .status()
        .ok()?;
    std::fs::remove_file(code).ok()?;
    done.success().then_some(())
}

/// A root with libraries and a program that needs them; each library is the
/// source text and the flags by its path.
fn compiled(objects: &[(&str, &str, &[&str])], more: &[&str], env: &[&str]) -> Option<TestRoot> {
    let mut lines: Vec<&str> = objects.iter().map(|(path, _, _)| *path).collect();
    lines.extend(more);
    let test = root(&lines, env);
    for (path, source, flags) in objects {
        cc(&test.folder.path().join(path), source, flags)?;
    }
    Some(test)
}

fn edges(test: &TestRoot, file: &str) -> (Vec<String>, Vec<String>) {
    let found = Elf::new(&test.root).follow(test.id(file));
    (test.names(&found.edges), found.warnings)
}

const SHARED: &[&str] = &["-shared", "-fPIC"];

/// A program that needs `liba.so.1`, whichever is found.
fn needs_a(folder: &Path, flags: &[&str]) -> Vec<String> {
    let stub = folder.join("stub/liba.so");
    cc(
        &stub,
        "int a(void){return 1;}",
        &["-shared", "-fPIC", "-Wl,-soname,liba.so.1"],
    );
    let stub = stub.to_string_lossy().into_owned();
    let mut all: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    all.extend([
        "-shared".into(),
        "-fPIC".into(),
        stub,
        "-Wl,--no-as-needed".into(),
    ]);
    all
}

fn with_needs(
    objects: &[(&str, &str, &[&str])],
    user: &str,
    flags: &[&str],
    more: &[&str],
    env: &[&str],
) -> Option<TestRoot> {
    let mut lines = vec![user];
    lines.extend(more);
    let all: Vec<&str> = objects.iter().map(|(path, _, _)| *path).collect();
    lines.extend(all);
    let test = root(&lines, env);
    for (path, source, flags) in objects {
        cc(&test.folder.path().join(path), source, flags)?;
    }
    let flags = needs_a(test.folder.path(), flags);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    cc(
        &test.folder.path().join(user),
        "int a(void); int x(void){return a();}",
        &flags,
    )?;
    Some(test)
}

const A: &str = "int a(void){return 1;}";

#[test]
fn runpath_goes_before_the_default_folder() {
    let places: &[(&str, &str, &[&str])] = &[
        ("opt/lib/liba.so.1", A, SHARED),
        ("usr/lib/liba.so.1", A, SHARED),
    ];
    let runpath = ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lib"];
    let Some(test) = with_needs(places, "opt/bin/x", &runpath, &[], &[]) else {
        return;
    };
    assert_eq!(
        edges(&test, "opt/bin/x"),
        (vec!["/opt/lib/liba.so.1".into()], vec![])
    );
    // Reached by a link elsewhere, the origin is elsewhere too.
    let Some(test) = with_needs(
        &[("srv/lib/liba.so.1", A, SHARED)],
        "opt/bin/x",
        &runpath,
        &["srv/bin/x -> /opt/bin/x"],
        &[],
    ) else {
        return;
    };
    assert_eq!(edges(&test, "opt/bin/x").0, ["/srv/lib/liba.so.1"]);
}

#[test]
fn library_path_stands_between_rpath_and_runpath() {
    let places: &[(&str, &str, &[&str])] = &[
        ("opt/lib/liba.so.1", A, SHARED),
        ("env/liba.so.1", A, SHARED),
    ];
    let env = ["LD_LIBRARY_PATH=/env"];
    let runpath = ["-Wl,--enable-new-dtags,-rpath,/opt/lib"];
    let rpath = ["-Wl,--disable-new-dtags,-rpath,/opt/lib"];
    if let Some(test) = with_needs(places, "x", &runpath, &[], &env) {
        assert_eq!(edges(&test, "x").0, ["/env/liba.so.1"]);
    }
    if let Some(test) = with_needs(places, "x", &rpath, &[], &env) {
        assert_eq!(edges(&test, "x").0, ["/opt/lib/liba.so.1"]);
    }
}

#[test]
fn every_variant_is_found_and_links_are_kept() {
    let places: &[(&str, &str, &[&str])] = &[
        ("usr/lib/liba.so.1.2", A, SHARED),
        ("usr/lib/glibc-hwcaps/x86-64-v3/liba.so.1", A, SHARED),
    ];
    let links = ["usr/lib/liba.so.1 -> liba.so.1.2"];
    if let Some(test) = with_needs(places, "x", &[], &links, &[]) {
        let mut found = edges(&test, "x").0;
        found.sort();
        assert_eq!(
            found,
            [
                "/usr/lib/glibc-hwcaps/x86-64-v3/liba.so.1",
                "/usr/lib/liba.so.1",
                "/usr/lib/liba.so.1.2"
            ]
        );
    }
}

#[test]
fn configured_folders_are_read_and_a_missing_library_is_told() {
    let places: &[(&str, &str, &[&str])] = &[("srv/l/liba.so.1", A, SHARED)];
    let conf = [
        "etc/ld.so.conf = include ld.so.conf.d/*.conf\n",
        "etc/ld.so.conf.d/x.conf = /srv/l\n",
    ];
    if let Some(test) = with_needs(places, "x", &[], &conf, &[]) {
        assert_eq!(edges(&test, "x").0, ["/srv/l/liba.so.1"]);
    }
    if let Some(test) = with_needs(&[], "x", &[], &[], &[]) {
        let (found, warnings) = edges(&test, "x");
        assert!(found.is_empty());
        assert_eq!(
            warnings,
            ["/x needs liba.so.1, which the image does not have"]
        );
    }
}

#[test]
fn a_library_for_another_machine_is_passed_over() {
    let places: &[(&str, &str, &[&str])] = &[("usr/lib/liba.so.1", A, SHARED)];
    let Some(test) = with_needs(places, "x", &[], &["lib/liba.so.1 = x"], &[]) else {
        return;
    };
    let host = test.folder.path().join("lib/liba.so.1");
    let mut bytes = std::fs::read(test.folder.path().join("usr/lib/liba.so.1")).unwrap();
    bytes[18] ^= 0xff; // e_machine
    std::fs::write(host, bytes).unwrap();
    assert_eq!(edges(&test, "x").0, ["/usr/lib/liba.so.1"]);
}

#[test]
fn an_rpath_serves_the_libraries_below() {
    // x (RPATH /opt) -> liba.so.1 -> libb.so.1, which also lies in /usr/lib.
    let Some(test) = with_needs(
        &[
            ("opt/libb.so.1", "int b(void){return 2;}", SHARED),
            ("usr/lib/libb.so.1", "int b(void){return 2;}", SHARED),
        ],
        "x",
        &["-Wl,--disable-new-dtags,-rpath,/opt"],
        &["opt/liba.so.1"],
        &[],
    ) else {
        return;
    };
    let folder = test.folder.path();
    let stub = folder.join("stub/libb.so");
    let shared = ["-shared", "-fPIC", "-Wl,-soname,libb.so.1"];
    cc(&stub, "int b(void){return 2;}", &shared).unwrap();
    let needs_b = [
        "-shared",
        "-fPIC",
        "-Wl,--no-as-needed",
        &stub.to_string_lossy(),
    ];
    let source = "int b(void); int a(void){return b();}";
    cc(&folder.join("opt/liba.so.1"), source, &needs_b).unwrap();
    let elf = Elf::new(&test.root);
    let roots = vec![(test.id("x"), How::Command)];
    let graph = Graph::close(&test.root.tree, roots, &[&elf]);
    let kept = Vec::from_iter(
        graph
            .causes
            .keys()
            .map(|id| test.root.tree.path(*id).to_string()),
    );
    assert!(kept.contains(&"/opt/libb.so.1".to_owned()), "{kept:?}");
}

#[test]
fn names_in_data_lead_to_libraries_files_and_private_folders() {
    let source = r#"
        const char *names[] = {
            "libplug.so.1", "libabsent.so.2", "/etc/ssl/openssl.cnf",
            "/usr/share/thing", "/usr/share/doc/thing", "/usr/lib", "/usr/bin/tool",
        };
        const char **x(void) { return names; }"#;
    let objects: &[(&str, &str, &[&str])] = &[
        ("usr/lib/libuser.so", source, SHARED),
        ("usr/lib/libplug.so.1", A, SHARED),
    ];
    let more = [
        "etc/ssl/openssl.cnf",
        "usr/share/thing/a/data",
        "usr/share/doc/thing/copyright",
        "*usr/bin/tool",
    ];
    let Some(test) = compiled(objects, &more, &[]) else {
        return;
    };
    let mut found = edges(&test, "usr/lib/libuser.so").0;
    found.sort();
    assert_eq!(
        found,
        [
            "/etc/ssl/openssl.cnf",
            "/usr/lib/libplug.so.1",
            "/usr/share/thing",
            "/usr/share/thing/a",
            "/usr/share/thing/a/data",
        ]
    );
}

#[test]
fn imported_functions_bring_what_they_load() {
    let source = "void pthread_exit(void*); int system(const char*);
        void x(void){ system(\"x\"); pthread_exit(0); }";
    let objects: &[(&str, &str, &[&str])] = &[
        ("usr/lib/libuser.so", source, SHARED),
        ("usr/lib/libgcc_s.so.1", A, SHARED),
    ];
    let more = ["bin/sh -> dash", "*bin/dash"];
    if let Some(test) = compiled(objects, &more, &[]) {
        let found = edges(&test, "usr/lib/libuser.so").0;
        assert_eq!(found, ["/usr/lib/libgcc_s.so.1", "/bin/sh", "/bin/dash"]);
    }
}

#[test]
fn musl_reads_its_path_file() {
    let places: &[(&str, &str, &[&str])] = &[
        ("srv/liba.so.1", A, SHARED),
        ("usr/lib/liba.so.1", A, SHARED),
    ];
    let loader = "lib/ld-musl-x86_64.so.1";
    if let Some(test) = with_needs(places, "x", &[], &[loader], &[]) {
        assert_eq!(edges(&test, "x").0, ["/usr/lib/liba.so.1"]);
    }
    let path = "etc/ld-musl-x86_64.path = /nowhere\\n/srv\\n";
    if let Some(test) = with_needs(places, "x", &[], &[loader, path], &[]) {
        assert_eq!(edges(&test, "x").0, ["/srv/liba.so.1"]);
        // musl does not tell RUNPATH from RPATH, and names of its own parts
        // need no file.
        let folder = test.folder.path();
        let own = folder.join("stub/libpthread.so");
        cc(
            &own,
            A,
            &["-shared", "-fPIC", "-Wl,-soname,libpthread.so.0"],
        )
        .unwrap();
        let flags = [
            "-shared",
            "-fPIC",
            "-Wl,--no-as-needed",
            &own.to_string_lossy(),
        ];
        cc(&folder.join("x"), "int x(void){return 0;}", &flags).unwrap();
        assert_eq!(edges(&test, "x"), (vec![], vec![]));
    }
}

#[test]
fn damage_is_told_once_and_by_name() {
    let test = root(
        &["usr/lib/x.so = \u{7f}ELF\u{9}\u{9}................."],
        &[],
    );
    let elf = Elf::new(&test.root);
    let roots = vec![(test.id("usr/lib/x.so"), How::Command)];
    let graph = Graph::close(&test.root.tree, roots, &[&elf]);
    assert_eq!(graph.warnings.len(), 1);
    assert!(
        graph.warnings[0].starts_with("/usr/lib/x.so: damaged"),
        "{:?}",
        graph.warnings
    );
}

/// What `ldd` says about programs of `/usr/bin`, spread over all of them.
#[test]
fn ldd_agrees() {
    /// A few seconds' worth; a third of them are scripts.
    const SAMPLE: usize = 90;
    let root = host_root();
    let elf = Elf::new(&root);
    let programs: Vec<(FileId, String)> = root
        .tree
        .iter()
        .filter(|(_, node)| node.is_executable())
        .map(|(id, node)| (id, node.path.to_string()))
        .filter(|(_, path)| path.starts_with("/usr/bin/"))
        .collect();
    let compared: BTreeMap<&str, Vec<String>> = programs
        .par_iter()
        .step_by(programs.len().div_ceil(SAMPLE).max(1))
        .filter(|(id, _)| {
            elf.facts(*id)
                .is_some_and(|facts| facts.interpreter.is_some())
        })
        .map(|(id, path)| {
            let (ours, theirs) = (linked(&elf, *id), ldd(&root, path));
            let off = ours.symmetric_difference(&theirs).cloned();
            (path.as_str(), Vec::from_iter(off))
        })
        .collect();
    assert!(compared.len() > 10, "only {} are ELF", compared.len());
    let differing = Vec::from_iter(compared.iter().filter(|(_, off)| !off.is_empty()));
    assert!(differing.is_empty(), "{differing:#?}");
}

/// The files that the host's loader names, by their place in the tree.
fn ldd(root: &FatRoot, program: &str) -> BTreeSet<String> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| {
            let path = line.split("=>").last()?.split_whitespace().next()?;
            let path = path.starts_with('/').then(|| ImagePath::from(path))?;
            Some(root.tree.path(root.tree.lookup(&path)?).to_string())
        })
        .collect()
}

/// The closure over `PT_INTERP` and `DT_NEEDED` alone.
fn linked(elf: &Elf<'_>, program: FileId) -> BTreeSet<String> {
    let tree = &elf.root.tree;
    let mut seen = BTreeSet::new();
    let mut open = vec![program];
    while let Some(file) = open.pop() {
        for (id, how) in elf.follow(file).edges {
            if matches!(how, How::Needed(_) | How::Interpreter) && seen.insert(id) {
                open.push(id);
            }
        }
    }
    let text = |id: &FileId| tree.path(*id).to_string();
    seen.iter().map(text).collect()
}
