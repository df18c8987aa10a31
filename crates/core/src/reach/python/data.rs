//! Which files of a distribution are data that its code may read.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

use super::distributions::Distribution;
use crate::index::{FileId, Tree};

/// Endings of files that serve builders, type checkers and debuggers, never a
/// running program; and of code, which imports bring.
const NOT_DATA: &[&str] = &[
    "py", "pyc", "pyo", "pyi", "pyx", "pxd", "pxi", "c", "cc", "cpp", "cxx", "h", "hh", "hpp",
    "hxx", "a", "o", "la", "f", "f90", "typed", "debug", "pth", "egg-link",
];

/// Folders with a library's own tests.
const TESTS: &[&[u8]] = &[b"tests", b"test"];

/// The data files of a distribution by the top-level folder, relative to its
/// `site-packages`, that holds them: `certifi` → `certifi/cacert.pem`. What
/// lies outside of the site (`share/...`) is under the empty name.
pub fn data(tree: &Tree, distribution: &Distribution) -> BTreeMap<String, Vec<FileId>> {
    let mut found: BTreeMap<String, Vec<FileId>> = BTreeMap::new();
    for file in &distribution.files {
        let path = tree.path(*file);
        if path.starts_with(&distribution.info) || !is_data(path) {
            continue;
        }
        match path.strip_prefix(&distribution.site) {
            Some(rest) => {
                let mut parts = rest.split(|b| *b == b'/');
                let top = parts.next().unwrap_or_default();
                // Tests of a library, and files beside packages.
                if parts.clone().next().is_none() || parts.any(|part| TESTS.contains(&part)) {
                    continue;
                }
                found
                    .entry(String::from_utf8_lossy(top).into_owned())
                    .or_default()
                    .push(*file);
            }
            None if is_shared(path) => found.entry(String::new()).or_default().push(*file),
            None => {}
        }
    }
    found
}

fn is_data(path: &ImagePath) -> bool {
    let name = path.name();
    if name.ends_with(b".so") {
        // An extension module comes by import, a plain library by `dlopen`.
        return name.starts_with(b"lib") && !name.windows(9).any(|w| w == b".cpython-");
    }
    match path.extension() {
        Some(extension) => !NOT_DATA.iter().any(|no| no.as_bytes() == extension),
        None => true,
    }
}

/// Data of a distribution that is installed below the prefix: `share/x`, not
/// manuals, headers and programs.
fn is_shared(path: &ImagePath) -> bool {
    let parts: Vec<&[u8]> = path.components().collect();
    let below = |folder: &[u8]| parts.iter().rposition(|part| *part == folder);
    if below(b"bin").is_some() || below(b"include").is_some() {
        return false;
    }
    match below(b"share") {
        Some(at) => !matches!(parts.get(at + 1), Some(&b"man" | &b"doc" | &b"info")),
        None => below(b"etc").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::python::distributions::Distributions;
    use crate::reach::python::testing::written;

    #[test]
    fn data_is_what_code_reads() {
        let record = [
            "foo/__init__.py",
            "foo/data/x.json",
            "foo/tests/y.json",
            "foo/py.typed",
            "foo/libfoo.so",
            "foo/_foo.cpython-311-x86_64-linux-gnu.so",
            "foo/templates/a",
            "README",
            "../../../share/foo/z",
            "../../../share/man/man1/foo.1",
            "../../../bin/foo",
        ];
        let text = record.join(",,\n");
        let mut files: Vec<(String, String)> = record
            .iter()
            .map(|path| {
                (
                    ImagePath::from("lib/python/site").join(path).to_string(),
                    String::new(),
                )
            })
            .collect();
        files.push(("lib/python/site/foo-1.dist-info/RECORD".to_owned(), text));
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        let (tree, read) = written(&files);
        let all = Distributions::of(&tree, &read);
        let (_, foo) = all.iter().next().unwrap();
        let found = data(&tree, foo);
        let names: Vec<String> = found
            .values()
            .flatten()
            .map(|id| tree.path(*id).to_string())
            .collect();
        assert_eq!(
            names,
            [
                "/share/foo/z",
                "/lib/python/site/foo/data/x.json",
                "/lib/python/site/foo/libfoo.so",
                "/lib/python/site/foo/templates/a",
            ]
        );
    }
}
