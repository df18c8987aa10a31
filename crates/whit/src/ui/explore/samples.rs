//! A small exploration for tests.

use whit_core::explore::{
    Before, Cause, Exploration, Fate, FileLine, FolderLine, Group, LayerLine, Totals, WasteLine,
    Wasted,
};
use whit_core::index::PackageKind;
use whit_core::inventory::FileType;

fn file(path: &str, bytes: u64, wire: u64, file_type: FileType, package: &str) -> FileLine {
    FileLine {
        path: path.to_owned(),
        bytes,
        wire: Some(wire),
        file_type: Some(file_type),
        layer: Some(0),
        package: (!package.is_empty()).then(|| package.to_owned()),
        link: None,
        wasted: None,
        fate: None,
    }
}

fn group(name: &str, kind: Option<PackageKind>, files: u64, bytes: u64, wire: u64) -> Group {
    Group {
        name: name.to_owned(),
        version: kind.map(|_| "1.2-3".to_owned()),
        kind,
        files,
        bytes,
        wire: Some(wire),
        before: 0,
    }
}

/// Two layers with a program, a library, a module and a deleted list.
pub fn sample() -> Exploration {
    let list = FileLine {
        layer: Some(0),
        wasted: Some(Wasted {
            cause: Cause::Deleted,
            bytes: 40_000_000,
            by: Some(1),
        }),
        ..file(
            "/var/lib/apt/lists/main",
            40_000_000,
            9_000_000,
            FileType::Other,
            "",
        )
    };
    let symbols = FileLine {
        wasted: Some(Wasted {
            cause: Cause::Symbols,
            bytes: 700_000,
            by: None,
        }),
        ..file(
            "/usr/lib/libssl.so.3",
            2_700_000,
            1_100_000,
            FileType::Library,
            "libssl3",
        )
    };
    Exploration {
        image: "app.tar".to_owned(),
        platform: "linux/amd64".to_owned(),
        totals: Totals {
            bytes: 49_500_000,
            seen: 9_500_000,
            wire: 12_800_000,
            wire_estimated: false,
            files: 3,
            wasted: 40_700_000,
        },
        before: None,
        layers: vec![
            LayerLine {
                digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                    .to_owned(),
                created_by: "/bin/sh -c #(nop) ADD file:4 in /".to_owned(),
                bytes: 49_400_000,
                wire: 12_750_000,
                wire_estimated: false,
                files: 2,
                hidden: 40_000_000,
            },
            LayerLine {
                digest: "sha256:1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                    .to_owned(),
                created_by: "RUN /bin/sh -c rm -rf /var/lib/apt/lists/* # buildkit".to_owned(),
                bytes: 100_000,
                wire: 50_000,
                wire_estimated: false,
                files: 1,
                hidden: 0,
            },
        ],
        packages: vec![
            group(
                "python3.11",
                Some(PackageKind::Dpkg),
                1,
                6_700_000,
                2_600_000,
            ),
            group("libssl3", Some(PackageKind::Dpkg), 1, 2_700_000, 1_100_000),
            group("no package", None, 1, 100_000, 50_000),
        ],
        types: vec![
            group("other", None, 1, 40_000_000, 9_000_000),
            group("programs", None, 1, 6_700_000, 2_600_000),
            group("libraries", None, 1, 2_700_000, 1_100_000),
            group("Python", None, 1, 100_000, 50_000),
        ],
        folders: vec![
            FolderLine {
                path: "/var/lib/apt/lists".to_owned(),
                depth: 0,
                files: 1,
                bytes: 40_000_000,
                wire: Some(9_000_000),
            },
            FolderLine {
                path: "/usr".to_owned(),
                depth: 0,
                files: 2,
                bytes: 9_400_000,
                wire: Some(3_700_000),
            },
            FolderLine {
                path: "/usr/bin".to_owned(),
                depth: 1,
                files: 1,
                bytes: 6_700_000,
                wire: Some(2_600_000),
            },
        ],
        wasted: vec![
            WasteLine {
                cause: Cause::Deleted,
                name: Cause::Deleted.name(),
                mend: Cause::Deleted.mend(),
                files: 1,
                bytes: 40_000_000,
                wire: Some(9_000_000),
                examples: vec!["/var/lib/apt/lists/main".to_owned()],
            },
            WasteLine {
                cause: Cause::Symbols,
                name: Cause::Symbols.name(),
                mend: Cause::Symbols.mend(),
                files: 1,
                bytes: 700_000,
                wire: None,
                examples: vec!["/usr/lib/libssl.so.3".to_owned()],
            },
        ],
        files: vec![
            FileLine {
                layer: Some(1),
                ..file("/app/main.py", 100_000, 50_000, FileType::Python, "")
            },
            file(
                "/usr/bin/python3.11",
                6_700_000,
                2_600_000,
                FileType::Program,
                "python3.11",
            ),
            symbols,
            list,
        ],
    }
}

/// The sample as the small image of an original that had perl, too.
pub fn shrunk() -> Exploration {
    let mut exploration = sample();
    exploration.before = Some(Before {
        source: "docker-archive:big.tar".to_owned(),
        bytes: 80_000_000,
        wire: 30_000_000,
        wire_estimated: true,
    });
    let fate = |kept, why: &str, from: Option<&str>, before| {
        Some(Fate {
            kept,
            why: why.to_owned(),
            from: from.map(str::to_owned),
            before,
        })
    };
    exploration.files.pop();
    exploration.files[1].fate = fate(
        true,
        "is the interpreter of",
        Some("/app/main.py"),
        7_000_000,
    );
    exploration.files.insert(
        1,
        FileLine {
            layer: None,
            wire: None,
            bytes: 0,
            fate: fate(
                false,
                "nothing that is kept needs it; it came with perl-base",
                None,
                3_800_000,
            ),
            ..file("/usr/bin/perl", 0, 0, FileType::Other, "perl-base")
        },
    );
    exploration
}
