//! The Debian packages with the libraries that a finished program asks for.

use std::collections::BTreeSet;
use std::path::Path;

use super::{CraftError, Needs};
use crate::source::debian::Indexes;

/// Libraries whose packages are not named after them.
const SPECIAL: [(&str, &str); 15] = [
    ("libc.so.6", "libc6"),
    ("libm.so.6", "libc6"),
    ("libmvec.so.1", "libc6"),
    ("libpthread.so.0", "libc6"),
    ("libdl.so.2", "libc6"),
    ("librt.so.1", "libc6"),
    ("libresolv.so.2", "libc6"),
    ("libutil.so.1", "libc6"),
    ("ld-linux-x86-64.so.2", "libc6"),
    ("ld-linux-aarch64.so.1", "libc6"),
    ("libz.so.1", "zlib1g"),
    ("libgcc_s.so.1", "libgcc-s1"),
    ("libcrypto.so.3", "libssl3"),
    ("libncursesw.so.6", "libncursesw6"),
    ("libstdc++.so.6", "libstdc++6"),
];

/// The packages of a release with everything that a program is linked to;
/// `given` are those that the user names.
///
/// # Errors
/// Names the library for which there is none.
pub fn packages(
    program: &Path,
    needs: &Needs,
    given: &[String],
    indexes: &Indexes,
) -> Result<BTreeSet<String>, CraftError> {
    let mut found: BTreeSet<String> = given.iter().cloned().collect();
    let is_musl = needs
        .loader
        .as_ref()
        .is_some_and(|loader| loader.contains("/ld-musl-"));
    if is_musl {
        found.insert("musl".to_owned());
    }
    for library in &needs.libraries {
        if is_musl && (library.starts_with("libc.musl-") || library == "libc.so") {
            continue;
        }
        let names = candidates(library);
        let known = names.iter().find(|name| has(indexes, name));
        match known {
            Some(name) => drop(found.insert(name.clone())),
            // One of the user's packages may have it: looked at when they are
            // unpacked.
            None if !given.is_empty() => {}
            None => {
                return Err(CraftError::NoLibrary {
                    program: program.to_owned(),
                    library: library.clone(),
                    where_looked: format!(
                        "Debian {} has no package {}",
                        indexes.suite,
                        names.join(" or ")
                    ),
                    package: names.into_iter().next().unwrap_or_default(),
                });
            }
        }
    }
    Ok(found)
}

fn has(indexes: &Indexes, name: &str) -> bool {
    indexes
        .archives
        .iter()
        .any(|(_, index)| index.named(name).next().is_some())
}

/// What the package of a library is called (Debian Policy 8.1: the soname with
/// its version behind, a hyphen between digits), and the names since the
/// switch to 64-bit times.
fn candidates(library: &str) -> Vec<String> {
    let special = SPECIAL.iter().find(|(soname, _)| *soname == library);
    let name = match special {
        Some((_, package)) => (*package).to_owned(),
        None => by_policy(library),
    };
    let timed = format!("{name}t64");
    vec![name, timed]
}

/// `libpq.so.5` → `libpq5`, `libicuuc.so.72` → `libicuuc72`,
/// `libglib-2.0.so.0` → `libglib-2.0-0`.
fn by_policy(library: &str) -> String {
    let (stem, version) = match library.split_once(".so.") {
        Some((stem, version)) => (stem, version),
        // `libapt-private-0.0.so`: the version is part of the name.
        None => (library.strip_suffix(".so").unwrap_or(library), ""),
    };
    let hyphen = match stem.ends_with(|c: char| c.is_ascii_digit()) && !version.is_empty() {
        true => "-",
        false => "",
    };
    format!("{stem}{hyphen}{version}")
        .to_lowercase()
        .replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_after_sonames() {
        for (library, package) in [
            ("libpq.so.5", "libpq5"),
            ("libglib-2.0.so.0", "libglib-2.0-0"),
            ("libX11.so.6", "libx11-6"),
            ("libapt_x.so", "libapt-x"),
            ("libc.so.6", "libc6"),
            ("libgcc_s.so.1", "libgcc-s1"),
            ("libssl.so.3", "libssl3"),
        ] {
            let name = &candidates(library)[0];
            // Debian left the hyphen out of no name that ends in a digit.
            assert_eq!(name, package, "{library}");
        }
    }
}
