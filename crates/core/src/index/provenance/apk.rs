//! Alpine's packages: `lib/apk/db/installed` (apk-installed(5)).

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::ImagePath;

use super::Owners;
use super::paragraph::paragraphs;
use crate::index::{Package, PackageId, PackageKind};

/// The database; apk 3 moved it below `/usr`.
const INSTALLED: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
const BUSYBOX: &[u8] = b"/bin/busybox";

/// A paragraph of the database.
#[derive(Debug, Default, PartialEq, Eq)]
struct Installed {
    name: String,
    version: String,
    depends: Vec<String>,
    provides: Vec<String>,
    folders: Vec<String>,
    files: Vec<String>,
}

pub fn wants(path: &[u8]) -> bool {
    path.ends_with(b"lib/apk/db/installed")
}

pub fn assign(owners: &mut Owners) {
    let Some((database, text)) = INSTALLED.iter().find_map(|path| {
        let path = ImagePath::from(*path);
        Some((owners.tree.lookup(&path)?, owners.text(&path)?))
    }) else {
        return;
    };
    let layer = owners.tree.node(database).layer;
    let installed: Vec<(Installed, &str)> = paragraphs(&text)
        .map(|paragraph| (parse(paragraph), paragraph))
        .filter(|(package, _)| !package.name.is_empty())
        .collect();
    let providers = providers(&installed);
    let mut folders: Vec<(ImagePath, PackageId)> = Vec::new();
    for (package, record) in &installed {
        let depends: BTreeSet<String> = package
            .depends
            .iter()
            .filter_map(|name| providers.get(bare(name)))
            .filter(|name| **name != package.name)
            .map(|name| (*name).to_owned())
            .collect();
        let id = owners.add(Package {
            kind: PackageKind::Apk,
            name: package.name.clone(),
            version: package.version.clone(),
            depends: depends.into_iter().collect(),
            record: (*record).to_owned(),
        });
        for file in &package.files {
            if let Some(file) = owners.find(&ImagePath::clamped(file)) {
                owners.give_recorded(file, id, layer);
            }
        }
        folders.extend(package.folders.iter().map(|f| (ImagePath::clamped(f), id)));
    }
    for (folder, id) in folders {
        if !folder.is_root()
            && let Some(file) = owners.find(&folder)
        {
            owners.give(file, id);
        }
    }
    // Its applets are links that its installation makes.
    owners.assign_links(|_, target| target == BUSYBOX);
}

fn parse(paragraph: &str) -> Installed {
    let mut package = Installed::default();
    let mut folder = "";
    for line in paragraph.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match key {
            "P" => package.name = value.to_owned(),
            "V" => package.version = value.to_owned(),
            "D" => package.depends = words(),
            "p" => package.provides = words(),
            "F" => {
                folder = value;
                package.folders.push(value.to_owned());
            }
            "R" => package.files.push(format!("{folder}/{value}")),
            _ => {}
        }
    }
    package
}

/// Who answers to a name: packages by their own, and `so:`, `cmd:`, `pc:`.
fn providers<'a>(installed: &'a [(Installed, &str)]) -> BTreeMap<&'a str, &'a str> {
    let mut found = BTreeMap::new();
    for (package, _) in installed {
        for name in &package.provides {
            found.entry(bare(name)).or_insert(package.name.as_str());
        }
    }
    for (package, _) in installed {
        found.insert(package.name.as_str(), package.name.as_str());
    }
    found
}

/// A name without its version: `so:libz.so.1=1.3`, `musl>=1.2`. Conflicts
/// (`!name`) keep their mark and so match nothing.
fn bare(name: &str) -> &str {
    name.split(['=', '<', '>', '~']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph() {
        let package = parse(
            "C:Q1x=\nP:zlib\nV:1.3-r0\nD:so:libc.musl-x86_64.so.1 !old\np:so:libz.so.1=1.3\n\
             F:lib\nR:libz.so.1\na:0:0:777\nF:usr/lib\nR:x\n",
        );
        assert_eq!(package.name, "zlib");
        assert_eq!(package.files, ["lib/libz.so.1", "usr/lib/x"]);
        assert_eq!(bare(&package.provides[0]), "so:libz.so.1");
    }
}
