//! Python's distributions: what pip, uv and distributions' packages wrote down
//! (packaging.python.org, "Recording installed projects").

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;
use whit_oci::ImagePath;

use super::paragraph::{field, fields};
use super::{FileId, Owners, split_name};
use crate::index::{Package, PackageId, PackageKind, Tree};

/// An installed Python distribution, whoever installed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Normalized: lower case, single dashes.
    pub name: String,
    pub version: String,
    /// The `.dist-info` or `.egg-info`.
    pub dist_info: ImagePath,
    /// Its files, metadata and bytecode included, in path order.
    pub files: Vec<FileId>,
    /// Names of the modules and packages that it adds next to its metadata:
    /// what stands first after `import`.
    pub modules: BTreeSet<String>,
    /// Normalized names of the distributions that it requires without any
    /// extra, installed or not.
    pub requires: Vec<String>,
    /// Installed with `-e`: the metadata belongs to code that lies elsewhere
    /// and is the user's own.
    pub editable: bool,
    /// The package that owns the metadata: its own, or dpkg's or apk's.
    pub package: Option<PackageId>,
}

/// What [`read`] and [`listed`] look at.
const METADATA: [&str; 6] = [
    "METADATA",
    "PKG-INFO",
    "RECORD",
    "installed-files.txt",
    "top_level.txt",
    "direct_url.json",
];

pub fn wants(path: &[u8]) -> bool {
    let (folder, name) = split_name(path);
    let is_info = |name: &[u8]| name.ends_with(b".dist-info") || name.ends_with(b".egg-info");
    name.ends_with(b".egg-info")
        || (is_info(folder) && METADATA.iter().any(|known| name == known.as_bytes()))
}

/// Finds all distributions and gives their files to them, as far as no package
/// of the operating system owns them.
pub fn assign(owners: &mut Owners) -> Vec<Distribution> {
    let tree = owners.tree;
    let mut found: Vec<FileId> = tree
        .iter()
        .filter(|(_, node)| {
            (node.is_dir() && node.path.name().ends_with(b".dist-info"))
                || node.path.name().ends_with(b".egg-info")
        })
        .map(|(id, _)| id)
        .collect();
    // What a distribution brings along for itself (setuptools/_vendor) lies
    // deeper than its own metadata, and is a part of it.
    found.sort_by_key(|id| (tree.path(*id).components().count(), *id));
    let mut parts: HashSet<FileId> = HashSet::new();
    let mut distributions = Vec::new();
    for info in found {
        let metadata = metadata(tree, info);
        if metadata.is_none_or(|file| parts.contains(&file)) {
            continue;
        }
        let Some(mut distribution) = read(owners, info) else {
            continue;
        };
        parts.extend(&distribution.files);
        if !distribution.editable {
            own(owners, &mut distribution, info);
        }
        distributions.push(distribution);
    }
    distributions.sort_by(|a, b| a.dist_info.cmp(&b.dist_info));
    connect(owners, &distributions);
    distributions
}

/// The file with `Name:` and `Version:`. An `.egg-info` may be that file.
fn metadata(tree: &Tree, info: FileId) -> Option<FileId> {
    if tree.node(info).is_file() {
        return Some(info);
    }
    let path = tree.path(info);
    ["METADATA", "PKG-INFO"]
        .iter()
        .find_map(|name| tree.get(&path.join(name)))
}

fn read(owners: &mut Owners, info: FileId) -> Option<Distribution> {
    let tree = owners.tree;
    let path = tree.path(info).clone();
    let site = path.parent().unwrap_or_default();
    let text = owners.text(tree.path(metadata(tree, info)?))?;
    let head = text.split("\n\n").next().unwrap_or_default();
    let name = normalize(&field(head, "Name")?);
    let is_site = matches!(site.name(), b"site-packages" | b"dist-packages");
    let is_egg = path.name().ends_with(b".egg-info");
    let mut distribution = Distribution {
        name,
        version: field(head, "Version").unwrap_or_default(),
        editable: is_editable(owners, &path) || (is_egg && !is_site),
        files: Vec::new(),
        modules: BTreeSet::new(),
        requires: fields(head, "Requires-Dist")
            .filter_map(|line| requirement(&line))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        dist_info: path,
        package: None,
    };
    let mut files: BTreeSet<FileId> = listed(owners, &distribution, &site);
    files.insert(info);
    files.extend(tree.below(info));
    files.retain(|id| !tree.node(*id).is_dir());
    distribution.files = files.into_iter().collect();
    distribution.modules.extend(
        distribution
            .files
            .iter()
            .filter_map(|id| tree.path(*id).strip_prefix(&site))
            .filter_map(module),
    );
    Some(distribution)
}

/// The files that the distribution's own list names, or, where there is no
/// list, those of its top-level modules.
fn listed(owners: &mut Owners, distribution: &Distribution, site: &ImagePath) -> BTreeSet<FileId> {
    let tree = owners.tree;
    let info = &distribution.dist_info;
    let lists = [("RECORD", site), ("installed-files.txt", info)];
    for (list, base) in lists {
        let Some(text) = owners.text(&info.join(list)) else {
            continue;
        };
        let files: BTreeSet<FileId> = text
            .lines()
            .filter_map(first_column)
            .filter_map(|path| owners.find(&base.join(path.as_bytes())))
            .collect();
        if !files.is_empty() {
            return files;
        }
    }
    if distribution.editable {
        return BTreeSet::new();
    }
    let names = match owners.text(&info.join("top_level.txt")) {
        Some(text) => text.lines().map(|l| l.trim().to_owned()).collect(),
        None => vec![distribution.name.replace('-', "_")],
    };
    let mut files = BTreeSet::new();
    let Some(folder) = tree.get(site) else {
        return files;
    };
    for child in tree.children(folder) {
        let name = tree.path(*child).name();
        let is_dir = tree.node(*child).is_dir();
        let belongs = |wanted: &String| {
            if is_dir {
                name == wanted.as_bytes()
            } else {
                module(name).as_ref() == Some(wanted)
            }
        };
        if names.iter().any(belongs) {
            files.insert(*child);
            files.extend(tree.below(*child));
        }
    }
    files
}

/// Makes the distribution a package, unless another one owns its metadata.
fn own(owners: &mut Owners, distribution: &mut Distribution, info: FileId) {
    let tree = owners.tree;
    let Some(metadata) = metadata(tree, info) else {
        return;
    };
    if let Some(owner) = owners.owner(metadata) {
        distribution.package = Some(owner);
        return;
    }
    let package = owners.add(Package {
        kind: PackageKind::Python,
        name: distribution.name.clone(),
        version: distribution.version.clone(),
        depends: Vec::new(),
        record: String::new(),
    });
    distribution.package = Some(package);
    let record = tree.get(&distribution.dist_info.join("RECORD"));
    let layer = tree.node(record.unwrap_or(metadata)).layer;
    for file in &distribution.files {
        owners.give_recorded(*file, package, layer);
    }
}

/// Fills in what packages depend on: the names of installed distributions.
fn connect(owners: &mut Owners, distributions: &[Distribution]) {
    let installed: HashSet<&str> = distributions.iter().map(|d| d.name.as_str()).collect();
    for distribution in distributions {
        if let Some(id) = distribution.package
            && let Some(package) = owners.packages.get_mut(id.0 as usize)
            && package.kind == PackageKind::Python
        {
            package.depends = distribution
                .requires
                .iter()
                .filter(|name| installed.contains(name.as_str()))
                .cloned()
                .collect();
        }
    }
}

/// PEP 610: a folder that was installed with `-e`.
fn is_editable(owners: &Owners, info: &ImagePath) -> bool {
    owners
        .text(&info.join("direct_url.json"))
        .and_then(|text| serde_json::from_str::<Value>(&text).ok())
        .and_then(|url| url.get("dir_info")?.get("editable")?.as_bool())
        .unwrap_or(false)
}

/// The module that a path below the site folder adds: its first component, if
/// that is an identifier.
fn module(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    let name = match path.split_once('/') {
        Some(("__pycache__", _)) => return None,
        Some((folder, _)) => folder,
        None => {
            let (name, end) = path.split_once('.')?;
            // `x.py`, `x.pyc`, `x.so`, `x.abi3.so`, `x.cpython-311-x86_64-linux-gnu.so`
            if !matches!(end, "py" | "pyc") && !end.ends_with("so") {
                return None;
            }
            name
        }
    };
    let identifier = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c == '_' || c.is_alphanumeric());
    identifier.then(|| name.to_owned())
}

/// The first column of a line of comma-separated values (RFC 4180).
fn first_column(line: &str) -> Option<String> {
    let path = match line.strip_prefix('"') {
        None => line.split(',').next().unwrap_or_default().to_owned(),
        Some(rest) => {
            let mut path = String::new();
            let mut chars = rest.chars().peekable();
            while let Some(c) = chars.next() {
                match c {
                    '"' if chars.next_if_eq(&'"').is_some() => path.push('"'),
                    '"' => break,
                    c => path.push(c),
                }
            }
            path
        }
    };
    (!path.is_empty()).then_some(path)
}

/// The name in `Requires-Dist: name[extra] (>=1); marker`; none where only an
/// extra asks for it.
fn requirement(line: &str) -> Option<String> {
    let (what, marker) = line.split_once(';').unwrap_or((line, ""));
    if marker
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == "extra")
    {
        return None;
    }
    let name: String = what
        .trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        .collect();
    (!name.is_empty()).then(|| normalize(&name))
}

/// PEP 503.
pub fn normalize(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modules() {
        for (path, want) in [
            ("yaml/__init__.py", Some("yaml")),
            ("six.py", Some("six")),
            ("_cffi.cpython-311-x86_64-linux-gnu.so", Some("_cffi")),
            ("x.abi3.so", Some("x")),
            ("numpy.libs/libopenblas.so", None),
            ("PyYAML-6.0.dist-info/METADATA", None),
            ("__pycache__/six.cpython-311.pyc", None),
            ("a.pth", None),
            ("", None),
        ] {
            assert_eq!(module(path.as_bytes()).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn requirements() {
        for (line, want) in [
            ("Jinja2 (>=3.0)", Some("jinja2")),
            (
                "typing_extensions>=4; python_version < \"3.10\"",
                Some("typing-extensions"),
            ),
            ("httptools>=0.5; extra == \"standard\"", None),
            ("uvicorn[standard]", Some("uvicorn")),
            ("zope.interface", Some("zope-interface")),
            ("", None),
        ] {
            assert_eq!(requirement(line).as_deref(), want, "{line}");
        }
    }

    #[test]
    fn columns() {
        assert_eq!(
            first_column("a/b.py,sha256=x,12").as_deref(),
            Some("a/b.py")
        );
        assert_eq!(first_column("\"a,\"\"b\",,").as_deref(), Some("a,\"b"));
        assert_eq!(first_column(""), None);
        assert_eq!(first_column("\""), None);
    }
}
