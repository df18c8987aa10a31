use std::collections::BTreeSet;

use super::*;
use crate::index::Tree;
use crate::observe::{Kind, Observation, Output};
use crate::testing::root;

fn variant(file: &str) -> Variant {
    Variant::of(file).unwrap()
}

fn trial(size: u64, prints: &str) -> Trial {
    Trial {
        build_seconds: Some(1.0),
        sizes: Some(Sizes {
            uncompressed: size,
            compressed: size / 2,
            estimated: true,
        }),
        reason: None,
        answered: vec![Answered {
            question: String::new(),
            answer: prints.to_owned(),
        }],
        shrunk: None,
    }
}

fn broken() -> Trial {
    Trial {
        reason: Some(Reason::NoAuthorities),
        answered: Vec::new(),
        ..trial(1, "")
    }
}

#[test]
fn names_of_dockerfiles() {
    let parts = |file: &str| {
        let variant = variant(file);
        let of = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        format!(
            "{} {} {} {}",
            variant.program,
            of(variant.build),
            of(variant.run),
            variant.should_fail
        )
    };
    for (file, expected) in [
        ("Dockerfile.hello.gcc", "hello gcc - false"),
        ("Dockerfile.hello.gcc.scratch", "hello gcc scratch false"),
        ("Dockerfile.hello.gcc.scratch.err", "hello gcc scratch true"),
        ("Dockerfile.hello.gcc.err", "hello gcc - true"),
        ("Dockerfile.py.3.11.err", "py 3 11 true"),
        ("Dockerfile-api", "api - - false"),
        ("Dockerfile-api.v2.err", "api.v2 - - true"),
        ("web.Dockerfile", "web - - false"),
        ("web.err.Dockerfile", "web - - true"),
    ] {
        assert_eq!(parts(file), expected, "{file}");
    }
    for file in [
        "Dockerfile",
        "Dockerfile.",
        ".Dockerfile",
        "Dockerfile.api.dockerignore",
        "Dockerfile.api~",
        "hello.c",
    ] {
        assert_eq!(Variant::of(file), None, "{file}");
    }
}

#[test]
fn rows_of_a_program_are_compared() {
    let rows = rows(vec![
        (variant("Dockerfile.b.one"), trial(10, "hello\n")),
        (variant("Dockerfile.a.other"), trial(5, "bye\n")),
        (variant("Dockerfile.a.large"), trial(30, "hello\n")),
        (variant("Dockerfile.a.small.err"), trial(20, "hello\n")),
        (variant("Dockerfile.a.tiny.err"), broken()),
        (variant("Dockerfile.a.tiny"), broken()),
    ]);
    let told: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "{} {} {} {}",
                row.variant.file,
                row.reason.as_ref().map_or("works", Reason::kind),
                row.as_named(),
                row.smallest
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "Dockerfile.a.large works true false",
            "Dockerfile.a.other differs false false",
            "Dockerfile.a.small.err works false true",
            "Dockerfile.a.tiny no-authorities false false",
            "Dockerfile.a.tiny.err no-authorities true false",
            "Dockerfile.b.one works true false",
        ]
    );
    assert_eq!(
        rows[1].reason.as_ref().unwrap().to_string(),
        "it prints \"bye\", other than Dockerfile.a.large"
    );
}

#[test]
fn what_changes_by_itself_is_no_difference() {
    let first = "Traceback (most recent call last):\n  File \"/app/a.py\", line 1\n";
    let rows = rows(vec![
        (variant("Dockerfile.a.one"), trial(1, first)),
        (variant("Dockerfile.a.two"), trial(2, first)),
    ]);
    assert!(rows.iter().all(Row::works));
}

#[test]
fn reasons_are_kept_as_they_are() {
    let reason = Reason::NoLoader {
        program: "/hello".to_owned(),
        loader: "/lib64/ld-linux-x86-64.so.2".to_owned(),
        has: Some("musl".to_owned()),
    };
    let text = serde_json::to_value(&reason).unwrap();
    assert_eq!(text["kind"], reason.kind());
    assert_eq!(serde_json::from_value::<Reason>(text).unwrap(), reason);
    assert_eq!(
        reason.to_string(),
        "/hello needs glibc (/lib64/ld-linux-x86-64.so.2), and the base has musl"
    );
    let mut kept = trial(3, "x");
    kept.shrunk = Some(Shrunk::Refused {
        error: "why".to_owned(),
    });
    let text = serde_json::to_vec(&kept).unwrap();
    assert_eq!(serde_json::from_slice::<Trial>(&text).unwrap(), kept);
}

#[test]
fn last_words() {
    let empty = Tree::default();
    let kind = |words: &str| {
        let reason = words::meaning(words, "/app", &empty);
        reason.map(|reason| reason.to_string())
    };
    for (said, expected) in [
        (
            "/app: error while loading shared libraries: libz.so.1: cannot open shared object \
             file: No such file or directory",
            "/app needs libz.so.1, which the image lacks",
        ),
        (
            "Error loading shared library libz.so.1: No such file or directory (needed by /app)",
            "/app needs libz.so.1, which the image lacks",
        ),
        (
            "ImportError: libblas.so.3: cannot open shared object file: No such file or directory",
            "an extension (ImportError) needs libblas.so.3, which the image lacks",
        ),
        (
            "/app: /lib/libc.so.6: version `GLIBC_2.38' not found (required by /app)",
            "it was built against a newer C library: needs GLIBC_2.38, which the image lacks",
        ),
        (
            "Traceback\nModuleNotFoundError: No module named 'yaml'",
            "Python does not find yaml",
        ),
        (
            "Error: Could not find or load main class a.B\n\
             Caused by: java.lang.ClassNotFoundException: a.B",
            "Java does not find a.B",
        ),
        (
            "Get \"https://a\": x509: certificate signed by unknown authority",
            "no CA certificates: it cannot tell whether a server is who it says",
        ),
    ] {
        assert_eq!(kind(said).as_deref(), Some(expected), "{said}");
    }
    assert_eq!(kind("panic: oh no"), None);
    assert!(matches!(
        words::meaning("curl: (6) Could not resolve host: a", "curl", &empty),
        Some(Reason::NoNetwork { .. })
    ));
}

#[test]
fn a_compose_file() {
    let variants = [
        variant("Dockerfile.hello.gcc.scratch"),
        variant("Dockerfile-a$b.err"),
    ];
    assert_eq!(
        compose(&variants, "./matrix", &["V=1".to_owned()]),
        r#"services:
  hello-gcc-scratch:
    image: "matrix/hello-gcc-scratch"
    build:
      context: "./matrix"
      dockerfile: "Dockerfile.hello.gcc.scratch"
      args:
        - "V=1"
  a-b-err:
    image: "matrix/a-b-err"
    build:
      context: "./matrix"
      dockerfile: "Dockerfile-a$$b.err"
      args:
        - "V=1"
    profiles: ["err"]
"#
    );
}

#[test]
fn a_key_changes_with_what_it_depends_on() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("Dockerfile.a.x", "FROM scratch\n");
    write("Dockerfile.b.x", "FROM scratch\n");
    write(".dockerignore", "notes\n");
    write("data", "1");
    let circumstances = |base: &str| Circumstances {
        whit: "1".to_owned(),
        engine: "docker".to_owned(),
        build_args: Vec::new(),
        target: None,
        host_network: false,
        start_seconds: 30,
        shrink: true,
        bases: vec![("debian".to_owned(), Some(base.to_owned()))],
    };
    let with = |base: &str| {
        key(
            folder.path(),
            &variant("Dockerfile.a.x"),
            &circumstances(base),
        )
        .unwrap()
    };
    let first = with("1");
    write("notes", "ignored");
    write("Dockerfile.b.x", "FROM other\n");
    assert_eq!(with("1"), first);
    let mut seen = BTreeSet::from([first]);
    assert!(seen.insert(with("2")));
    write("data", "2");
    assert!(seen.insert(with("1")));
    write("more", "");
    assert!(seen.insert(with("1")));
    write("Dockerfile.a.x", "FROM scratch AS x\n");
    assert!(seen.insert(with("1")));
}

#[test]
fn bases_of_a_dockerfile() {
    assert_eq!(
        bases("FROM --platform=linux/amd64 b AS x\nRUN y\nfrom a\nFROM b\n# FROM c\n"),
        ["a", "b"]
    );
}

/// What is said of an image with these files and this command, where nothing
/// could be started.
fn diagnosed(lines: &[&str], command: &[&str]) -> String {
    let mut test = root(lines, &["PATH=/usr/bin:/bin"]);
    test.root.config.set_exec("Cmd", command.into());
    let seen = Observation {
        kind: Kind::NotStarted("no such file".to_owned()),
        own: Output::default(),
        outcomes: Vec::new(),
        startup: None,
        stop: None,
        trace: whit_sandbox::Trace::new(),
        peak_memory: 0,
        elapsed: std::time::Duration::ZERO,
    };
    diagnose(&test.root, &seen, 30).to_string()
}

#[test]
fn entries_that_cannot_be_started() {
    let shell = ["/bin/sh", "-c", "exec /app --serve"];
    assert_eq!(
        diagnosed(&["*app = #!/bin/sh\\n"], &shell),
        "the command is a string (\"exec /app --serve\"), and that needs /bin/sh, \
         which the image lacks"
    );
    let bin = "*bin/sh = #!/bin/sh2\\n";
    assert_eq!(
        diagnosed(&[bin, "*bin/sh2 = ELF"], &["/app"]),
        "/app is not in the image"
    );
    assert_eq!(
        diagnosed(&["app = text"], &["/app"]),
        "/app is not executable"
    );
    assert_eq!(
        diagnosed(&["*app = echo hello\\n"], &["/app"]),
        "exec format error: /app is neither a program nor a script with #! in its first line"
    );
    assert_eq!(
        diagnosed(&["*app = #!/bin/sh\r\\n"], &["/app"]),
        "the first line of /app ends with a carriage return, which is taken for a part of \
         the interpreter's name"
    );
    assert_eq!(
        diagnosed(&["*app = #!/usr/bin/perl -w\\n"], &["/app"]),
        "/app is a script for /usr/bin/perl, which the image lacks"
    );
    assert_eq!(
        diagnosed(&["*usr/bin/app = MZ"], &["app"]),
        "exec format error: /usr/bin/app is a program for Windows"
    );
    assert_eq!(diagnosed(&[], &["node"]), "node is not in the image");
}
