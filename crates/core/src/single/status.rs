//! What a scanner sees of an executable, in `var/lib/dpkg/status.d`.
//!
//! An executable has no files of the libraries that are linked into it, and may
//! have them in other versions than the original. So each source package that it
//! was made from is told in the version that was compiled, under the names of
//! its binary packages that the app needs, for that is what advisories know.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use whit_oci::ImagePath;

use super::Ingredient;
use crate::index::{Package, PackageKind, Tree};
use crate::transform::{Edit, SmallTree, generated_file, package_databases};

const FOLDER: &str = "var/lib/dpkg/status.d";

/// The image's tree with the files of packages of which something is left, and
/// of those that were linked in. `small` is what the executable was made of,
/// `kept` what of it is still itself, in the executable or beside it.
pub fn with_status<'a>(
    mut image: SmallTree,
    small: &SmallTree,
    kept: &SmallTree,
    ingredients: impl Iterator<Item = &'a Ingredient>,
    original: &Tree,
    mtime: i64,
) -> SmallTree {
    let folder = ImagePath::from(FOLDER);
    image.files.retain(|path, file| {
        !(path.starts_with(&folder) && *path != folder && file.edit == Some(Edit::Generated))
    });
    let left = package_databases(original, kept, mtime);
    let mut records: BTreeMap<ImagePath, String> = BTreeMap::new();
    for ingredient in ingredients {
        let is_of = |package: &Package| {
            package.kind == PackageKind::Dpkg && package.source() == ingredient.source
        };
        let binaries: Vec<&Package> = original
            .packages()
            .map(|(_, package)| package)
            .filter(|package| is_of(package))
            .filter(|package| small.files.contains_key(&folder.join(&package.name)))
            .collect();
        for package in &binaries {
            let text = in_version(&package.record, ingredient);
            records.insert(folder.join(&package.name), text);
        }
        if binaries.is_empty() {
            let text = of_source(ingredient);
            records.insert(folder.join(&ingredient.source), text);
        }
    }
    for (path, text) in records {
        if !left.files.contains_key(&path) {
            image.files.insert(path, generated_file(text, mtime));
        }
    }
    image.files.extend(left.files);
    image
}

/// The paragraph of a package, as that of another version.
fn in_version(record: &str, ingredient: &Ingredient) -> String {
    let mut text = String::new();
    for line in record.trim_end().lines() {
        let line = match line.split_once(':') {
            Some(("Source", _)) => format!("Source: {}", ingredient.source),
            Some(("Version", _)) => format!("Version: {}", ingredient.version),
            _ => line.to_owned(),
        };
        let _ = writeln!(text, "{line}");
    }
    text
}

/// The paragraph of a source package that the original has nothing of.
fn of_source(ingredient: &Ingredient) -> String {
    format!(
        "Package: {}\nStatus: install ok installed\nArchitecture: all\nVersion: {}\n",
        ingredient.source, ingredient.version
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_told_in_the_version_that_was_compiled() {
        let ingredient = Ingredient {
            source: "openssl".into(),
            version: "3.0.20-1".into(),
            newest: None,
        };
        let record = "Package: libssl3\nSource: openssl (3.0.22-1)\nVersion: 3.0.22-1+b1\n\
                      Description: TLS\n Version: of no field\n";
        assert_eq!(
            in_version(record, &ingredient),
            "Package: libssl3\nSource: openssl\nVersion: 3.0.20-1\nDescription: TLS\n \
             Version: of no field\n"
        );
        assert!(of_source(&ingredient).starts_with("Package: openssl\n"));
    }
}
