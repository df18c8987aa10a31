//! Bytes kept and dropped, package by package.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::FileLine;

/// One package's share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageLine {
    pub name: String,
    pub kept_bytes: u64,
    pub kept_files: u64,
    pub dropped_bytes: u64,
    pub dropped_files: u64,
}

/// Sums of `lines` by package, by name. Files of no package are "your files"
/// where they stay and "files of no package" where they go.
pub fn package_lines(lines: &[FileLine]) -> Vec<PackageLine> {
    let mut sums: BTreeMap<&str, PackageLine> = BTreeMap::new();
    for line in lines {
        let name = match (&line.package, line.kept) {
            (Some(package), _) => package,
            (None, true) if line.edit.as_deref() == Some("generated") => "written by whit",
            (None, true) => "your files",
            (None, false) => "files of no package",
        };
        let sum = sums.entry(name).or_default();
        let after = line.now.unwrap_or(line.size);
        if line.kept {
            sum.kept_files += 1;
            sum.kept_bytes += after;
            sum.dropped_bytes += line.size.saturating_sub(after);
        } else {
            sum.dropped_files += 1;
            sum.dropped_bytes += line.size;
        }
    }
    sums.into_iter()
        .map(|(name, sum)| PackageLine {
            name: name.to_owned(),
            ..sum
        })
        .collect()
}
