//! CPython itself where no package manager put it there, as in the official
//! Python images, pyenv's, conda's and uv's installations.

use whit_oci::ImagePath;

use super::{Owners, split_name};
use crate::index::{FileId, Package, PackageKind};

/// Programs of an installation, by how their names begin.
const PROGRAMS: [&[u8]; 4] = [b"python", b"pydoc", b"idle", b"2to3"];

/// The header that tells the version.
pub fn wants(path: &[u8]) -> bool {
    split_name(path).1 == b"patchlevel.h"
}

/// Makes every standard library that nobody owns a package `cpython`. Were it
/// taken for the user's, all of it would have to stay.
pub fn assign(owners: &mut Owners) {
    let found: Vec<FileId> = owners
        .tree
        .iter()
        .filter(|(id, node)| node.path.name() == b"os.py" && owners.owner(*id).is_none())
        .map(|(id, _)| id)
        .collect();
    for landmark in found {
        install(owners, landmark);
    }
}

/// `PREFIX/lib/python3.12/os.py` is how Python finds its own library
/// (getpath.py).
fn install(owners: &mut Owners, landmark: FileId) -> Option<()> {
    let tree = owners.tree;
    let library = tree.path(landmark).parent()?;
    let name = std::str::from_utf8(library.name()).ok()?.to_owned();
    let short = name.strip_prefix("python").filter(|v| is_version(v))?;
    let lib = library
        .parent()
        .filter(|lib| matches!(lib.name(), b"lib" | b"lib64"))?;
    let prefix = lib.parent()?;
    let include = prefix.join(format!("include/{name}"));
    let version = owners
        .text(&include.join("patchlevel.h"))
        .and_then(|text| patch_level(&text))
        .unwrap_or_else(|| short.to_owned());
    let package = owners.add(Package {
        kind: PackageKind::Python,
        name: "cpython".to_owned(),
        version,
        depends: Vec::new(),
        record: String::new(),
    });
    let layer = tree.node(landmark).layer;
    let mut own: Vec<FileId> = Vec::new();
    let mut whole = |folder: &ImagePath| {
        if let Some(id) = tree.get(folder) {
            own.push(id);
            own.extend(tree.below(id));
        }
    };
    whole(&include);
    whole(&library);
    own.retain(|id| {
        let inside = tree.path(*id).strip_prefix(&library).unwrap_or_default();
        !inside.starts_with(b"site-packages") && !inside.starts_with(b"dist-packages")
    });
    let named = |folder: &str, fits: &dyn Fn(&[u8]) -> bool| -> Vec<FileId> {
        let folder = tree.get(&prefix.join(folder));
        folder
            .map(|id| tree.children(id))
            .unwrap_or_default()
            .iter()
            .filter(|id| fits(tree.path(**id).name()))
            .copied()
            .collect()
    };
    own.extend(named("bin", &|name| {
        PROGRAMS.iter().any(|program| name.starts_with(program))
    }));
    own.extend(named("lib", &|name| name.starts_with(b"libpython")));
    own.extend(named("lib/pkgconfig", &|name| name.starts_with(b"python")));
    own.extend(named("share/man/man1", &|name| name.starts_with(b"python")));
    for file in own {
        owners.give_recorded(file, package, layer);
    }
    Some(())
}

fn is_version(text: &str) -> bool {
    let text = text.strip_suffix('t').unwrap_or(text);
    text.split_once('.').is_some_and(|(major, minor)| {
        [major, minor]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// `#define PY_VERSION "3.12.4"`
fn patch_level(header: &str) -> Option<String> {
    let line = header
        .lines()
        .find_map(|line| line.strip_prefix("#define PY_VERSION"))?;
    Some(line.trim().trim_matches('"').to_owned()).filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert!(is_version("3.12"));
        assert!(is_version("3.13t"));
        assert!(!is_version("3"));
        assert!(!is_version(""));
        assert_eq!(
            patch_level("#define PY_MAJOR 3\n#define PY_VERSION      \t\"3.12.4\"\n").as_deref(),
            Some("3.12.4")
        );
    }
}
