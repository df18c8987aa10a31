//! Apps in a language that has no analyzer: which packages their code may load.
//!
//! The interpreter's own package is kept whole by `config`. Of libraries the
//! runs of the original tell the first files only; what a later request loads
//! is taken by package, in two ways:
//!
//! 1. a package of which a run read a file, other than a program or a library
//!    of machine code, is kept whole with its dependencies;
//! 2. so is a package that somebody asked for by name, and not apt for another
//!    one's sake, if it has files in the language.
//!
//! What the C library reads on the code's behalf cannot be told either: every
//! time zone stays, and where one of these packages calls iconv(3), every
//! character set.

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::ImagePath;
use whit_sandbox::Access;

use super::config::{Config, Extent, is_covered, is_essential, is_interpreter_named};
use super::{Analyzer, Found, How, surroundings};
use crate::index::{FileId, PackageId, PackageKind, Tree};
use crate::source::FatRoot;

/// Interpreters and the extensions of what is written for them.
const LANGUAGES: [(&str, &[&[u8]]); 8] = [
    ("guile", &[b"scm"]),
    ("lua", &[b"lua"]),
    ("luajit", &[b"lua"]),
    ("perl", &[b"pm"]),
    ("php", &[b"php"]),
    ("php-fpm", &[b"php"]),
    ("ruby", &[b"rb"]),
    ("tclsh", &[b"tcl", b"tm"]),
];

/// Where apt notes which packages came for another one's sake
/// (apt-mark(8)); all others were asked for.
const AUTOMATIC: &str = "var/lib/apt/extended_states";

/// What a file leads to, by file. Known from the beginning, because it depends
/// on what was observed and not on what is reached.
#[derive(Default)]
pub struct Interpreted {
    edges: BTreeMap<FileId, Vec<(FileId, How)>>,
    /// The packages that run the app's code, or are run by it.
    packages: BTreeSet<PackageId>,
}

impl Interpreted {
    /// `observed` is what the runs of the original touched.
    pub fn new(root: &FatRoot, config: &Config, observed: &[(FileId, Access)]) -> Self {
        let tree = &root.tree;
        let interpreters: Vec<FileId> = observed
            .iter()
            .filter(|(id, access)| *access == Access::Exec && is_interpreter(tree, *id))
            .map(|(id, _)| *id)
            .collect();
        let Some(first) = interpreters.first().copied() else {
            return Self::default();
        };
        let mut edges: BTreeMap<FileId, Vec<(FileId, How)>> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let mut take = |from: FileId, package: PackageId| {
            if is_library(tree, package) && taken.insert(package) {
                let whole = config.package_closure(package, Extent::Whole);
                edges.entry(from).or_default().extend(whole);
            }
        };
        for (id, access) in observed {
            let node = tree.node(*id);
            let is_text = node.is_file() && !is_machine_code(root, *id);
            if let Some(package) = node.package.filter(|_| is_text && *access == Access::Read) {
                take(*id, package);
            }
        }
        for package in asked_for(root, &extensions(tree, &interpreters)) {
            take(first, package);
        }
        let how = How::Config("the C library, for any zone in TZ".to_owned());
        let zones = surroundings::zones(tree).into_iter();
        let of_first = edges.entry(first).or_default();
        of_first.extend(zones.map(|id| (id, how.clone())));

        let own = interpreters.iter().filter_map(|id| tree.node(*id).package);
        let own = own.flat_map(|package| config.package_closure(package, Extent::Whole));
        let whole = own.chain(edges.values().flatten().cloned());
        let packages = whole.filter_map(|(id, _)| tree.node(id).package).collect();
        Self { edges, packages }
    }

    /// Packages that run code which is not read, or are run by it.
    pub fn packages(&self) -> &BTreeSet<PackageId> {
        &self.packages
    }
}

impl Analyzer for Interpreted {
    fn follow(&self, file: FileId) -> Found {
        Found {
            edges: self.edges.get(&file).cloned().unwrap_or_default(),
            warnings: Vec::new(),
        }
    }
}

fn is_interpreter(tree: &Tree, file: FileId) -> bool {
    let name = String::from_utf8_lossy(tree.path(file).name());
    tree.node(file).is_file()
        && LANGUAGES
            .iter()
            .any(|(known, _)| is_interpreter_named(&name, known))
}

fn extensions(tree: &Tree, interpreters: &[FileId]) -> BTreeSet<&'static [u8]> {
    let names: Vec<_> = interpreters
        .iter()
        .map(|id| String::from_utf8_lossy(tree.path(*id).name()))
        .collect();
    LANGUAGES
        .iter()
        .filter(|(known, _)| names.iter().any(|name| is_interpreter_named(name, known)))
        .flat_map(|(_, extensions)| extensions.iter().copied())
        .collect()
}

/// True for packages of the distribution that no other rule covers.
fn is_library(tree: &Tree, package: PackageId) -> bool {
    let package = tree.package(package);
    matches!(package.kind, PackageKind::Dpkg | PackageKind::Apk)
        && !is_essential(package)
        && !is_covered(package)
}

/// An ELF file: whoever runs or loads it leads to what it needs.
fn is_machine_code(root: &FatRoot, file: FileId) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    root.content(file)
        .and_then(|host| std::fs::File::open(host).ok())
        .is_some_and(|mut content| content.read_exact(&mut magic).is_ok() && magic == *b"\x7fELF")
}

/// Packages with files in the language that were not installed for another
/// one's sake.
fn asked_for(root: &FatRoot, extensions: &BTreeSet<&[u8]>) -> BTreeSet<PackageId> {
    let tree = &root.tree;
    let automatic = tree
        .lookup(&ImagePath::from(AUTOMATIC))
        .and_then(|id| root.content(id))
        .and_then(|host| std::fs::read_to_string(host).ok())
        .map(|text| automatic(&text))
        .unwrap_or_default();
    tree.iter()
        .filter(|(_, node)| {
            node.path
                .extension()
                .is_some_and(|e| extensions.contains(e))
        })
        .filter_map(|(_, node)| node.package)
        .filter(|id| !automatic.contains(&tree.package(*id).name))
        .collect()
}

/// The packages of an `extended_states` file with `Auto-Installed: 1`.
fn automatic(text: &str) -> BTreeSet<String> {
    let paragraphs = text.split("\n\n");
    paragraphs
        .filter(|paragraph| paragraph.lines().any(|line| line == "Auto-Installed: 1"))
        .filter_map(|paragraph| {
            paragraph
                .lines()
                .find_map(|line| line.strip_prefix("Package: "))
        })
        .map(|name| name.trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::root;

    #[test]
    fn packages_that_were_read_or_asked_for_are_whole() {
        let test = root(
            &[
                "*usr/bin/ruby3.1 @ruby3.1",
                "usr/share/gems/rack/a.rb @ruby-rack",
                "usr/share/gems/rack/late.rb @ruby-rack",
                "usr/share/gems/asked/b.rb @ruby-asked",
                "usr/share/gems/other/c.rb @ruby-other",
                "usr/lib/x86_64-linux-gnu/libz.so.1 = \u{7f}ELF @zlib1g",
                "usr/share/zlib/data @zlib1g",
                "usr/share/asked.txt @unrelated",
                "var/lib/apt/extended_states = Package: ruby-rack\\nAuto-Installed: 1\\n\\nPackage: ruby-other\\nAuto-Installed: 1\\n",
            ],
            &[],
        );
        let config = Config::new(&test.root);
        let read = |path: &str| (test.id(path), Access::Read);
        let mut observed = vec![
            read("usr/share/gems/rack/a.rb"),
            read("usr/lib/x86_64-linux-gnu/libz.so.1"),
        ];
        let without = Interpreted::new(&test.root, &config, &observed);
        assert!(without.edges.is_empty(), "no interpreter ran");

        observed.push((test.id("usr/bin/ruby3.1"), Access::Exec));
        let with = Interpreted::new(&test.root, &config, &observed);
        let follow = |path: &str| test.names(&with.follow(test.id(path)).edges);
        assert_eq!(
            follow("usr/share/gems/rack/a.rb"),
            ["/usr/share/gems/rack/a.rb", "/usr/share/gems/rack/late.rb"]
        );
        assert_eq!(follow("usr/bin/ruby3.1"), ["/usr/share/gems/asked/b.rb"]);
        assert!(follow("usr/lib/x86_64-linux-gnu/libz.so.1").is_empty());
    }
}
