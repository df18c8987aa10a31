//! The executable's own code: C, compiled where executables are made.

use std::collections::BTreeMap;

const FILES: [(&str, &str); 22] = [
    ("archive.c", include_str!("runtime/archive.c")),
    ("archive.h", include_str!("runtime/archive.h")),
    ("calls.h", include_str!("runtime/calls.h")),
    ("carried.c", include_str!("runtime/carried.c")),
    ("carrier.c", include_str!("runtime/carrier.c")),
    ("changes.c", include_str!("runtime/changes.c")),
    ("exec.c", include_str!("runtime/exec.c")),
    ("files.c", include_str!("runtime/files.c")),
    ("files.h", include_str!("runtime/files.h")),
    ("folders.c", include_str!("runtime/folders.c")),
    ("frames.c", include_str!("runtime/frames.c")),
    ("frames.h", include_str!("runtime/frames.h")),
    ("image.h", include_str!("runtime/image.h")),
    ("libraries.c", include_str!("runtime/libraries.c")),
    ("linked.c", include_str!("runtime/linked.c")),
    ("musl.c", include_str!("runtime/musl.c")),
    ("open.c", include_str!("runtime/open.c")),
    ("segment.h", include_str!("runtime/segment.h")),
    ("start.c", include_str!("runtime/start.c")),
    ("start.h", include_str!("runtime/start.h")),
    ("statx.c", include_str!("runtime/statx.c")),
    ("unpacker.c", include_str!("runtime/unpacker.c")),
];

/// The calls of the C library that `open.c`, `changes.c`, `folders.c`, `statx.c`
/// and `exec.c` answer; one a line, for the linker.
pub const CALLS: &str = include_str!("runtime/calls.txt");

/// What is no part of a linked program.
const OTHERS: [&str; 3] = ["carried.c", "carrier.c", "unpacker.c"];

/// The runtime of the linked form, by name.
pub fn linked(on_musl: bool) -> BTreeMap<String, Vec<u8>> {
    let mut files = files();
    files.retain(|name, _| !OTHERS.contains(&name.as_str()) && (on_musl || name != "musl.c"));
    files
}

/// Calls that `musl.c` answers besides.
pub const CALLS_ON_MUSL: &str = "gmtime_r sched_getparam sched_getscheduler sched_setparam sched_setscheduler setlocale wcsftime";

/// All of it, by name.
pub fn files() -> BTreeMap<String, Vec<u8>> {
    FILES
        .iter()
        .map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()))
        .collect()
}
