//! Shared libraries that a build was linked to.
//!
//! `--build-package libpq-dev` is for the build root only; but what was
//! compiled against it wants `libpq.so.5` when it runs, so the package that
//! has that file belongs into the runtime.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::elf::OnDisk;
use crate::reach::elf::Facts;

/// The Debian packages of `build_root` with the libraries that programs and
/// extensions below `installed` are linked to and `runtime` does not have.
pub fn packages(
    installed: &[&Path],
    runtime: &Path,
    build_root: &Path,
) -> io::Result<BTreeSet<String>> {
    let here = libraries(runtime)?;
    let mut needed = BTreeSet::new();
    for folder in installed {
        needed_below(folder, &mut needed)?;
    }
    needed.retain(|soname| !here.contains_key(soname));
    packages_of(&needed, build_root)
}

/// The Debian packages of `root` that have these libraries.
pub fn packages_of(sonames: &BTreeSet<String>, root: &Path) -> io::Result<BTreeSet<String>> {
    let there = libraries(root)?;
    Ok(sonames
        .iter()
        .filter_map(|soname| there.get(soname).cloned())
        .collect())
}

/// Sonames of everything that is linked, below a folder.
pub fn needed_below(folder: &Path, needed: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            needed_below(&entry.path(), needed)?;
        } else if kind.is_file()
            && let Ok(facts) = Facts::parse(&OnDisk::open(&entry.path())?)
        {
            needed.extend(facts.needed);
        }
    }
    Ok(())
}

/// File names in the folders that the loader searches, with the package that
/// brought each.
pub fn libraries(root: &Path) -> io::Result<BTreeMap<String, String>> {
    let mut lists: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(root.join("var/lib/dpkg/info"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "list") {
            lists.push(path);
        }
    }
    lists.sort();
    let mut found = BTreeMap::new();
    for list in lists {
        let stem = list.file_stem().unwrap_or_default().to_string_lossy();
        // `libpq5:amd64.list`
        let package = stem.split(':').next().unwrap_or_default();
        for line in fs::read_to_string(&list)?.lines() {
            if let Some((folder, name)) = line.rsplit_once('/')
                && is_searched(folder)
                && name.contains(".so")
            {
                found
                    .entry(name.to_owned())
                    .or_insert_with(|| package.to_owned());
            }
        }
    }
    Ok(found)
}

/// `/lib`, `/usr/lib`, and their folder for the architecture.
fn is_searched(folder: &str) -> bool {
    let below = folder.strip_prefix("/usr").unwrap_or(folder);
    match below.strip_prefix("/lib") {
        Some("") => true,
        Some(rest) => rest.ends_with("-linux-gnu") && rest.matches('/').count() == 1,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(lists: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let info = dir.path().join("var/lib/dpkg/info");
        fs::create_dir_all(&info).unwrap();
        for (name, text) in lists {
            fs::write(info.join(name), text).unwrap();
        }
        dir
    }

    #[test]
    fn the_runtime_gets_what_it_lacks() {
        // This very test is linked to the C library.
        let program = tempfile::tempdir().unwrap();
        fs::create_dir(program.path().join("bin")).unwrap();
        fs::copy(
            std::env::current_exe().unwrap(),
            program.path().join("bin/x"),
        )
        .unwrap();
        fs::write(program.path().join("y.so"), "no library").unwrap();
        let libc = "/.\n/lib/x86_64-linux-gnu/libc.so.6\n/lib/aarch64-linux-gnu/libc.so.6\n";
        let build = root(&[
            ("libc6:amd64.list", libc),
            ("libyaml-0-2:amd64.list", "/usr/lib/libyaml-0.so.2\n"),
            ("libyaml-0-2:amd64.md5sums", ""),
        ]);
        let of = |runtime: &Path| packages(&[program.path()], runtime, build.path()).unwrap();
        let bare = root(&[("libfake.list", "/usr/lib/fake/libc.so.6\n")]);
        assert_eq!(of(bare.path()), ["libc6".to_owned()].into());
        assert!(of(build.path()).is_empty());
    }
}
