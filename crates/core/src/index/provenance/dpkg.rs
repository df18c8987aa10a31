//! Debian's packages: `var/lib/dpkg/status` with its lists of files, and the
//! `status.d` of distroless images.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use whit_oci::ImagePath;

use super::paragraph::{field, paragraphs};
use super::{FileId, Owners, split_name};
use crate::index::{Package, PackageId, PackageKind};

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_D: &str = "var/lib/dpkg/status.d";
const INFO: &str = "var/lib/dpkg/info";
const DIVERSIONS: &str = "var/lib/dpkg/diversions";
/// Where the choice between packages that offer the same program is kept
/// (update-alternatives(1)).
const ALTERNATIVES: &[u8] = b"etc/alternatives/";
/// Where packages' scripts make links to the packages' own files.
const LINKED: [&[u8]; 4] = [
    ALTERNATIVES,
    b"etc/ssl/certs/",
    b"etc/rc",
    b"etc/systemd/system/",
];

/// A paragraph of the status database.
#[derive(Debug, PartialEq, Eq)]
struct Installed {
    name: String,
    architecture: String,
    version: String,
    /// Each clause with its alternatives in order.
    depends: Vec<Vec<String>>,
    provides: Vec<String>,
    record: String,
}

/// The database and its lists, wherever links may have put the folder.
pub fn wants(path: &[u8]) -> bool {
    let (folder, name) = split_name(path);
    if folder.ends_with(b"lib/dpkg") {
        matches!(name, b"status" | b"diversions")
    } else {
        folder.ends_with(b"lib/dpkg/status.d")
            || (folder.ends_with(b"lib/dpkg/info") && name.ends_with(b".list"))
    }
}

pub fn assign(owners: &mut Owners) {
    let status = owners.text(&STATUS.into()).unwrap_or_default();
    let mut installed: Vec<Installed> = paragraphs(&status).filter_map(parse).collect();
    let managed = installed.len();
    let parts = status_d(owners, &mut installed);
    if installed.is_empty() {
        return;
    }
    let packages = resolve(&installed);
    let ids: Vec<PackageId> = packages.into_iter().map(|p| owners.add(p)).collect();

    let info = info_files(owners);
    let diversions = owners.text(&DIVERSIONS.into()).map(|t| diversions(&t));
    let diversions = diversions.unwrap_or_default();
    let mut order: Vec<usize> = (0..managed).collect();
    // Folders that everybody lists are base-files' own.
    order.sort_by_key(|i| (installed[*i].name != "base-files", &installed[*i].name));
    for i in order {
        let package = &installed[i];
        let files = [
            format!("{}:{}", package.name, package.architecture),
            package.name.clone(),
        ]
        .iter()
        .find_map(|stem| info.get(stem));
        let Some(files) = files else { continue };
        for file in files.values() {
            owners.give(*file, ids[i]);
        }
        if let Some(list) = files.get("list") {
            give_list(owners, *list, &package.name, ids[i], &diversions);
        }
    }
    for (i, part) in parts {
        give_part(owners, part, ids[i]);
    }
    if managed > 0 {
        owners.assign_links(|node, target| {
            LINKED
                .iter()
                .any(|folder| node.path.as_bytes().starts_with(folder))
                || target
                    .strip_prefix(b"/")
                    .is_some_and(|t| t.starts_with(ALTERNATIVES))
        });
    }
    if managed < ids.len() {
        // md5sums name no links; a library's soname is one.
        let distroless: BTreeSet<PackageId> = ids[managed..].iter().copied().collect();
        let own: Vec<(FileId, PackageId)> = owners
            .tree
            .iter()
            .filter(|(id, node)| !node.is_dir() && !node.is_file() && owners.owner(*id).is_none())
            .filter_map(|(id, node)| {
                let file = owners.tree.lookup(&node.path)?;
                let owner = owners.owner(file)?;
                let same_layer = owners.tree.node(file).layer == node.layer;
                (same_layer && distroless.contains(&owner)).then_some((id, owner))
            })
            .collect();
        for (file, owner) in own {
            owners.give(file, owner);
        }
    }
}

fn parse(paragraph: &str) -> Option<Installed> {
    // `want flag state`; in every other state files are missing or left over.
    if let Some(status) = field(paragraph, "Status")
        && matches!(
            status.split_whitespace().nth(2),
            Some("not-installed" | "config-files") | None
        )
    {
        return None;
    }
    let clauses = |name| {
        field(paragraph, name)
            .unwrap_or_default()
            .split(',')
            .map(|clause| clause.split('|').filter_map(package_name).collect())
            .filter(|clause: &Vec<String>| !clause.is_empty())
            .collect::<Vec<_>>()
    };
    let mut depends = clauses("Pre-Depends");
    depends.extend(clauses("Depends"));
    Some(Installed {
        name: field(paragraph, "Package").filter(|name| !name.is_empty())?,
        architecture: field(paragraph, "Architecture").unwrap_or_default(),
        version: field(paragraph, "Version").unwrap_or_default(),
        depends,
        provides: clauses("Provides").into_iter().flatten().collect(),
        record: paragraph.to_owned(),
    })
}

/// `libc6:any (>= 2.36) [amd64]` without all but the name.
fn package_name(text: &str) -> Option<String> {
    let name = text
        .split([' ', '\n', '\t', '(', '[', '<', ':'])
        .find(|p| !p.is_empty())?;
    Some(name.to_owned())
}

/// Turns dependencies into names of installed packages: of alternatives the
/// first that is there, virtual packages by who provides them.
fn resolve(installed: &[Installed]) -> Vec<Package> {
    let names: BTreeSet<&str> = installed.iter().map(|p| p.name.as_str()).collect();
    let mut provided: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in installed {
        for name in &package.provides {
            provided.entry(name).or_default().insert(&package.name);
        }
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    installed
        .iter()
        .map(|package| {
            let mut depends: BTreeSet<String> = BTreeSet::new();
            for clause in &package.depends {
                for name in clause {
                    if names.contains(name.as_str()) {
                        depends.insert(name.clone());
                        break;
                    }
                    if let Some(providers) = provided.get(name.as_str()) {
                        depends.extend(providers.iter().map(|p| (*p).to_owned()));
                        break;
                    }
                }
            }
            depends.remove(&package.name);
            // The same package for a second architecture.
            let again = seen.entry(&package.name).or_default();
            *again += 1;
            Package {
                kind: PackageKind::Dpkg,
                name: match *again {
                    1 => package.name.clone(),
                    _ => format!("{}:{}", package.name, package.architecture),
                },
                version: package.version.clone(),
                depends: depends.into_iter().collect(),
                record: package.record.clone(),
            }
        })
        .collect()
}

/// The files of `var/lib/dpkg/info` by package (`NAME` or `NAME:ARCH`) and by
/// what follows the last dot.
fn info_files(owners: &Owners) -> BTreeMap<String, BTreeMap<String, FileId>> {
    let mut found: BTreeMap<String, BTreeMap<String, FileId>> = BTreeMap::new();
    let Some(folder) = owners.tree.lookup(&INFO.into()) else {
        return found;
    };
    for file in owners.tree.children(folder) {
        let name = String::from_utf8_lossy(owners.tree.path(*file).name());
        if let Some((stem, extension)) = name.rsplit_once('.') {
            found
                .entry(stem.to_owned())
                .or_default()
                .insert(extension.to_owned(), *file);
        }
    }
    found
}

/// Path → (path it was moved to, the package that keeps the original name).
type Diversions = BTreeMap<ImagePath, (ImagePath, String)>;

/// Three lines each (dpkg-divert(1)).
fn diversions(text: &str) -> Diversions {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .chunks_exact(3)
        .map(|three| {
            let moved = (ImagePath::clamped(three[1]), three[2].to_owned());
            (ImagePath::clamped(three[0]), moved)
        })
        .collect()
}

fn give_list(
    owners: &mut Owners,
    list: FileId,
    name: &str,
    id: PackageId,
    diversions: &Diversions,
) {
    let layer = owners.tree.node(list).layer;
    let lines = owners.bytes(list).unwrap_or_default();
    for line in lines.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let mut path = ImagePath::clamped(line);
        if let Some((moved, keeper)) = diversions.get(&path)
            && keeper != name
        {
            path = moved.clone();
        }
        if let Some(file) = owners.find(&path) {
            owners.give_recorded(file, id, layer);
        }
    }
}

/// Files of `status.d` that belong to one package.
struct Part {
    paragraph: FileId,
    sums: Option<FileId>,
}

/// Reads `status.d/NAME` and `status.d/NAME.md5sums`.
fn status_d(owners: &Owners, installed: &mut Vec<Installed>) -> Vec<(usize, Part)> {
    let mut parts = Vec::new();
    let Some(folder) = owners.tree.lookup(&STATUS_D.into()) else {
        return parts;
    };
    for file in owners.tree.children(folder) {
        let path = owners.tree.path(*file);
        if path.name().ends_with(b".md5sums") {
            continue;
        }
        let text = owners.text(path).unwrap_or_default();
        let Some(package) = paragraphs(&text).next().and_then(parse) else {
            continue;
        };
        let mut sums = path.name().to_vec();
        sums.extend_from_slice(b".md5sums");
        let folder = path.parent().unwrap_or_default();
        parts.push((
            installed.len(),
            Part {
                paragraph: *file,
                sums: owners.tree.get(&folder.join(sums)),
            },
        ));
        installed.push(package);
    }
    parts
}

fn give_part(owners: &mut Owners, part: Part, id: PackageId) {
    owners.give(part.paragraph, id);
    let Some(sums) = part.sums else { return };
    owners.give(sums, id);
    let layer = owners.tree.node(sums).layer;
    let lines = owners.bytes(sums).unwrap_or_default();
    for line in lines.split(|b| *b == b'\n') {
        // `MD5  PATH`
        let Some(space) = line.iter().position(|b| *b == b' ') else {
            continue;
        };
        let path = ImagePath::clamped(line[space..].trim_ascii());
        if !path.is_root()
            && let Some(file) = owners.find(&path)
        {
            owners.give_recorded(file, id, layer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_become_installed_packages() {
        let status = "\
Package: app
Status: install ok installed
Version: 1
Depends: mail-agent, gone | libz1 (>= 2), missing, libc6:any
Pre-Depends: app, dpkg

Package: postfix
Status: install ok installed
Provides: mail-agent (= 1), x

Package: libz1
Status: hold ok unpacked

Package: libc6

Package: dpkg
Status: deinstall ok config-files
";
        let installed: Vec<_> = paragraphs(status).filter_map(parse).collect();
        let packages = resolve(&installed);
        let names: Vec<_> = packages.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["app", "postfix", "libz1", "libc6"]);
        assert_eq!(packages[0].depends, ["libc6", "libz1", "postfix"]);
        assert!(packages[0].record.starts_with("Package: app\nStatus"));
    }
}
