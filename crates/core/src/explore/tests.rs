use super::*;
use crate::inventory::testing::Crafted;
use crate::inventory::{self, Detail};
use crate::report;

fn look(layers: &[&[&str]], report: Option<&Report>) -> Exploration {
    let crafted = Crafted::gzipped(layers);
    let image = crafted.image();
    let detail = Detail {
        digests: true,
        ..Detail::default()
    };
    let inventory = inventory::read(&image, &detail, &|| false).unwrap();
    explore("app", &image, &inventory, report)
}

fn wasted(exploration: &Exploration) -> Vec<String> {
    let files = exploration.files.iter();
    files
        .filter_map(|file| {
            let wasted = file.wasted?;
            Some(format!("{} {:?} {}", file.path, wasted.cause, wasted.bytes))
        })
        .collect()
}

const LAYERS: &[&[&str]] = &[
    &[
        "app/main.py = print(1)",
        "app/__pycache__/main.cpython-311.pyc = 12345",
        "app/gone = 1234567",
        "app/same = 4444",
        "app/twin = 4444",
        "app/name => app/main.py",
        "usr/share/doc/x/README = doc",
        "usr/share/doc/x/copyright = law",
        "var/cache/apt/x = 22",
        "owned = 333",
    ],
    &["-app/gone", "owned = 333", "app/link -> main.py"],
];

#[test]
fn every_wasted_byte_has_one_cause() {
    let exploration = look(LAYERS, None);
    assert_eq!(
        wasted(&exploration),
        [
            "/app/__pycache__/main.cpython-311.pyc Bytecode 5",
            "/app/gone Deleted 7",
            "/app/twin Duplicate 4",
            "/owned Repeated 3",
            "/usr/share/doc/x/README Documentation 3",
            "/var/cache/apt/x Cache 2",
        ]
    );
    assert_eq!(exploration.totals.wasted, 24);
    assert_eq!(exploration.layers[0].hidden, 10);
    let causes: Vec<Cause> = exploration.wasted.iter().map(|line| line.cause).collect();
    assert_eq!(causes[..2], [Cause::Deleted, Cause::Bytecode]);
}

#[test]
fn all_sums_are_the_image() {
    let exploration = look(LAYERS, None);
    let forest = Forest::grow(&exploration.files);
    let totals = &exploration.totals;
    let sum = |groups: &[Group]| groups.iter().map(|group| group.bytes).sum::<u64>();
    assert_eq!(forest.nodes[0].bytes, totals.bytes);
    assert_eq!(
        forest.nodes[0].files,
        totals.files + 2,
        "and two hidden ones"
    );
    assert_eq!(sum(&exploration.types), totals.bytes);
    assert_eq!(sum(&exploration.packages), totals.seen);
    let layers = exploration.layers.iter().map(|layer| layer.bytes);
    assert_eq!(layers.sum::<u64>(), totals.bytes);
}

#[test]
fn files_share_the_wire() {
    let noise: String = (0u32..4000)
        .map(|i| char::from(33 + (i.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
        .collect();
    let line = format!("noise = {}", noise);
    let zeros = format!("zeros = {}", "0".repeat(40_000));
    let exploration = look(&[&[&line, &zeros], &["small = 1"]], None);
    let wire = |path: &str| {
        let file = exploration.files.iter().find(|file| file.path == path);
        file.and_then(|file| file.wire).unwrap()
    };
    let stored = exploration.totals.wire;
    let all: u64 = ["/noise", "/zeros", "/small"].map(wire).iter().sum();
    // The archive's end and gzip's trailer are nobody's.
    assert!(all <= stored && stored - all < 100, "{all} of {stored}");
    assert!(
        wire("/noise") > 5 * wire("/zeros"),
        "{:?}",
        exploration.files
    );
    assert!(!exploration.totals.wire_estimated);
}

#[test]
fn plain_layers_have_no_measured_wire() {
    let crafted = Crafted::new(&[&["a = 1"]]);
    let image = crafted.image();
    let inventory = inventory::read(&image, &Detail::default(), &|| false).unwrap();
    let exploration = explore("app", &image, &inventory, None);
    assert_eq!(exploration.files[0].wire, None);
    assert_eq!(exploration.packages[0].wire, None);
    assert!(exploration.totals.wire_estimated);
}

fn line(path: &str, kept: bool, why: &str, size: u64) -> report::FileLine {
    report::FileLine {
        path: path.to_owned(),
        kept,
        why: why.to_owned(),
        from: None,
        size,
        now: None,
        package: None,
        edit: None,
        moved: None,
        inside: None,
    }
}

#[test]
fn a_report_brings_back_what_was_dropped() {
    let report = Report {
        whit: "0".into(),
        source: "big".into(),
        output: None,
        digest: None,
        policy: "safe".into(),
        detected: Vec::new(),
        before: report::Sizes::default(),
        after: report::Sizes::default(),
        layers: Vec::new(),
        pull: Vec::new(),
        proof: report::Proof::default(),
        single: None,
        packages: Vec::new(),
        phases: Vec::new(),
        warnings: Vec::new(),
        files: vec![
            line("/", true, "is the root", 0),
            line("/lib", true, "holds a kept file", 0),
            line("/lib/big.so", false, "nothing needs it", 900),
            report::FileLine {
                moved: Some("/lib/m.pyc".into()),
                package: Some("m".into()),
                ..line("/lib/m.py", true, "is imported", 50)
            },
            line("/run", true, "was written", 70),
        ],
    };
    let exploration = look(&[&["lib/m.pyc = 1234", "run = 7"]], Some(&report));
    let lines: Vec<String> = exploration
        .files
        .iter()
        .map(|file| {
            let fate = file.fate.clone().unwrap();
            format!(
                "{} {}<-{} {} {}",
                file.path, file.bytes, fate.before, fate.kept, fate.why
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "/lib/big.so 0<-900 false nothing needs it",
            "/lib/m.py 0<-50 true is imported, now /lib/m.pyc",
            "/lib/m.pyc 4<-0 true is imported",
            "/run 1<-70 true was written",
        ]
    );
    let package = exploration.packages.iter().find(|line| line.name == "m");
    assert_eq!(package.map(|line| (line.before, line.bytes)), Some((50, 4)));
    assert_eq!(Forest::grow(&exploration.files).nodes[0].before, 1020);
}

#[test]
fn folders_are_those_that_hold_most() {
    let exploration = look(
        &[&[
            "opt/venv/lib/a = 1234567890123456789012345678901234567890",
            "opt/venv/lib/b = 123456789012345678901234567890",
            "opt/venv/bin/c = 12",
            "srv/d/e/f = 123456789",
            "etc/g = 1",
        ]],
        None,
    );
    let folders: Vec<String> = exploration
        .folders
        .iter()
        .map(|line| format!("{} {} {}", line.depth, line.path, line.bytes))
        .collect();
    assert_eq!(folders, ["0 /opt/venv/lib 70", "0 /srv/d/e 9"]);
}
