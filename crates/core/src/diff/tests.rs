use super::*;
use crate::inventory::testing::inventory;

const STATUS: &str = "var/lib/dpkg/status = Package: libz\\nStatus: install ok installed\\n";

fn images() -> (Inventory, Inventory) {
    let version = |version: u8| format!("{STATUS}Version: {version}\\n");
    let (old, new) = (version(1), version(2));
    let list = "var/lib/dpkg/info/libz.list = /usr/lib/libz.so\\n";
    let before = inventory(&[&[
        &old,
        list,
        "usr/lib/libz.so = 1234",
        "app/main.py = pass",
        "app/old = 1",
        "app/link -> main.py",
    ]]);
    let after = inventory(&[
        &[&new, list, "usr/lib/libz.so = 12345678", "app/tmp = 123"],
        &[
            "-app/tmp",
            "app/main.py = PASS",
            "app/new = 12345",
            "app/link -> new",
        ],
    ]);
    (before, after)
}

#[test]
fn causes_add_up_to_the_difference() {
    let (before, after) = images();
    let diff = diff(("a", &before), ("b", &after));
    let lines: Vec<String> = diff
        .causes
        .iter()
        .map(|cause| format!("{:?} {} {:+}", cause.kind, cause.name, cause.change()))
        .collect();
    assert_eq!(
        lines,
        ["Folder /app +4", "Package(Dpkg) libz +4", "Hidden  +3"]
    );
    let sum: i128 = diff.causes.iter().map(Cause::change).sum();
    let difference = diff.after.uncompressed as i128 - diff.before.uncompressed as i128;
    assert_eq!(sum, difference);
}

#[test]
fn files_and_packages() {
    let (before, after) = images();
    let diff = diff(("a", &before), ("b", &after));
    let lines: Vec<String> = diff
        .files
        .iter()
        .map(|file| format!("{} {:+} {:?}", file.path, file.change(), file.changed))
        .collect();
    assert_eq!(
        lines,
        [
            "/app/link +0 [Target]",
            "/app/main.py +0 [Content]",
            "/app/new +5 []",
            "/app/old -1 []",
            "/usr/lib/libz.so +4 [Content]",
            "/var/lib/dpkg/status +0 [Content]",
        ]
    );
    let [package] = &diff.packages[..] else {
        panic!("{:?}", diff.packages);
    };
    assert_eq!(
        (
            &*package.name,
            &package.before[0][..],
            &package.after[0][..]
        ),
        ("libz", "1", "2")
    );
    assert!(super::diff(("a", &before), ("a", &before)).files.is_empty());
}

#[test]
fn growth_is_refused() {
    let (before, after) = images();
    let diff = diff(("a", &before), ("b", &after));
    let exceeded = |text: &str| text.parse::<Growth>().unwrap().exceeded(&diff).len();
    assert_eq!(exceeded("1%"), 1);
    assert_eq!(exceeded("100 %"), 0);
    assert_eq!(exceeded("10B"), 1);
    assert_eq!(exceeded("11"), 0);
    for wrong in ["", "%", "-5%", "much", "inf%"] {
        assert!(wrong.parse::<Growth>().is_err(), "{wrong}");
    }
}

#[test]
fn a_file_is_known_by_the_image_that_tells() {
    let before = inventory(&[&[
        "usr/lib/python3/x.dist-info/METADATA = Name: x\\nVersion: 1\\n",
        "usr/lib/python3/x.dist-info/RECORD = x.py,,\\ny.py,,\\n",
        "usr/lib/python3/x.py = 12345",
        "usr/lib/python3/y.py = 123",
    ]]);
    let after = inventory(&[&["usr/lib/python3/x.py = 1", "usr/lib/python3/y.pyc = 1234"]]);
    let diff = diff(("a", &before), ("b", &after));
    let [cause] = &diff.causes[..] else {
        panic!("{:?}", diff.causes);
    };
    assert_eq!((&*cause.name, cause.after), ("x", 5));
}
