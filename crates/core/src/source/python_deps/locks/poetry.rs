//! `poetry.lock`.
//!
//! Three generations are about: 1.x locks (lock-version 1.1, hashes under
//! `[metadata.files]`), 1.3 to 1.8 (lock-version 2.0, hashes beside the
//! package) and 2.x (lock-version 2.1, which also records groups and
//! markers). The first two don't tell which packages the main group needs, so
//! the graph is walked from the main dependencies of `pyproject.toml`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;

use super::super::{Pin, PinSource, Requirement, normalize};
use super::{LockFileError, both, document, finish, pin_file};

const FILE: &str = "poetry.lock";

/// More different markers than this on the ways to one package, and it counts
/// as always needed.
const MAX_MARKERS: usize = 16;

/// A marker that grew longer than this on its way through the graph counts as
/// always true, in bytes.
const MAX_MARKER: usize = 2048;

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    files: BTreeMap<String, Vec<File>>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    groups: Option<Vec<String>>,
    #[serde(default)]
    markers: Option<Markers>,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    source: Option<Source>,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default)]
    extras: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Markers {
    All(String),
    ByGroup(BTreeMap<String, String>),
}

#[derive(Clone, Deserialize)]
struct File {
    file: String,
    hash: String,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    resolved_reference: Option<String>,
    #[serde(default)]
    subdirectory: Option<String>,
}

/// One edge of the graph: what is needed, with which extras, when.
struct Edge {
    name: String,
    extras: Vec<String>,
    marker: Option<String>,
}

/// The pins of the main group. `pyproject` is the project's own file, already
/// read; its main dependencies are the graph's roots.
pub fn poetry(text: &str, pyproject: &toml::Table) -> Result<Vec<Pin>, LockFileError> {
    let lock: Lock = document(text, FILE)?;
    let mut pins = Vec::new();
    if lock.package.iter().all(|package| package.groups.is_some()) {
        for package in &lock.package {
            let groups = package.groups.as_deref().unwrap_or_default();
            // `optional` in the main group: only an extra of the project asks.
            if groups.iter().any(|group| group == "main") && !package.optional {
                let marker = match &package.markers {
                    None => None,
                    Some(Markers::All(marker)) => Some(marker.clone()),
                    Some(Markers::ByGroup(by)) => by.get("main").cloned(),
                };
                pins.push(pin(package, marker, &lock.metadata)?);
            }
        }
        return Ok(finish(pins));
    }
    let needed = walk(&lock, roots(pyproject));
    for package in &lock.package {
        if let Some(markers) = needed.get(&normalize(&package.name)) {
            let marker = either(markers);
            pins.push(pin(package, marker, &lock.metadata)?);
        }
    }
    Ok(finish(pins))
}

fn pin(
    package: &Package,
    marker: Option<String>,
    metadata: &Metadata,
) -> Result<Pin, LockFileError> {
    let fail = |problem: String| LockFileError::Package {
        file: FILE,
        package: package.name.clone(),
        problem,
    };
    let kind = package.source.as_ref().map(|s| s.kind.as_str());
    let source = match (&package.source, kind) {
        (None, _) | (_, Some("legacy" | "pypi" | "")) => PinSource::Index,
        (Some(source), Some("git")) => PinSource::Git {
            url: source.url.clone(),
            commit: source
                .resolved_reference
                .clone()
                .ok_or_else(|| fail("comes from git without a commit".into()))?,
            subdirectory: source.subdirectory.clone(),
        },
        (Some(source), Some("url")) => PinSource::Url(source.url.clone()),
        (Some(source), Some("directory" | "file")) => PinSource::Path(source.url.clone()),
        (Some(source), _) => return Err(fail(format!("has the unknown source {:?}", source.kind))),
    };
    let files = match package.files.is_empty() {
        false => package.files.clone(),
        true => metadata
            .files
            .iter()
            .find(|(name, _)| normalize(name) == normalize(&package.name))
            .map(|(_, files)| files.clone())
            .unwrap_or_default(),
    };
    let hashed = matches!(source, PinSource::Index | PinSource::Url(_));
    Ok(Pin {
        version: Some(package.version.clone()),
        marker,
        source,
        files: files
            .into_iter()
            .filter(|_| hashed)
            .map(|file| pin_file(file.hash, Some(file.file)))
            .collect(),
        ..Pin::index(&package.name, &package.version)
    })
}

/// The main dependencies: `[tool.poetry.dependencies]` and, since Poetry 2,
/// `[project] dependencies`.
fn roots(pyproject: &toml::Table) -> Vec<Edge> {
    let mut roots = Vec::new();
    let poetry = pyproject
        .get("tool")
        .and_then(|tool| tool.get("poetry"))
        .and_then(|poetry| poetry.get("dependencies"))
        .and_then(toml::Value::as_table);
    for (name, value) in poetry.into_iter().flatten() {
        if name != "python" {
            roots.extend(edges(name, value, &BTreeMap::new(), &BTreeSet::new()));
        }
    }
    let standard = pyproject
        .get("project")
        .and_then(|project| project.get("dependencies"))
        .and_then(toml::Value::as_array);
    for value in standard.into_iter().flatten() {
        if let Some(requirement) = value.as_str().and_then(Requirement::parse) {
            roots.push(Edge {
                name: requirement.name,
                extras: requirement.extras,
                marker: requirement.marker,
            });
        }
    }
    roots
}

/// The edges that one entry of a dependency table stands for. It is a version,
/// a table, or a list of tables of which the markers choose one.
fn edges(
    name: &str,
    value: &toml::Value,
    extras: &BTreeMap<String, Vec<String>>,
    asked: &BTreeSet<String>,
) -> Vec<Edge> {
    let tables: Vec<&toml::Value> = match value {
        toml::Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    tables
        .into_iter()
        .filter_map(|value| {
            let optional = value.get("optional").and_then(toml::Value::as_bool) == Some(true);
            let normal = normalize(name);
            let wanted = asked.iter().any(|extra| {
                extras.iter().any(|(key, list)| {
                    normalize(key) == *extra
                        && list.iter().any(|entry| {
                            Requirement::parse(entry).is_some_and(|r| r.name == normal)
                        })
                })
            });
            if optional && !wanted {
                return None;
            }
            let marker = value.get("markers").and_then(toml::Value::as_str);
            Some(Edge {
                name: normal,
                extras: value
                    .get("extras")
                    .and_then(toml::Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|extra| extra.as_str().map(normalize))
                    .collect(),
                marker: marker.map(|marker| settle_extras(marker, asked)),
            })
        })
        .collect()
}

/// Replaces each `extra == "x"` by a comparison that holds or does not hold
/// everywhere: an installer that gets a flat list knows of no extras.
fn settle_extras(marker: &str, asked: &BTreeSet<String>) -> String {
    let mut settled = String::new();
    let mut rest = marker;
    while let Some(at) = rest.find("extra ==") {
        settled.push_str(&rest[..at]);
        let after = rest[at + "extra ==".len()..].trim_start();
        let quoted = after
            .chars()
            .next()
            .filter(|c| matches!(c, '"' | '\''))
            .and_then(|quote| after[1..].split_once(quote));
        let Some((extra, tail)) = quoted else {
            settled.push_str("extra ==");
            rest = after;
            continue;
        };
        settled.push_str(match asked.contains(&normalize(extra)) {
            true => "python_version >= \"0\"",
            false => "python_version < \"0\"",
        });
        rest = tail;
    }
    settled.push_str(rest);
    settled
}

/// Every package that the roots reach, with the markers under which they do;
/// an empty set of markers means always.
fn walk(lock: &Lock, roots: Vec<Edge>) -> BTreeMap<String, BTreeSet<String>> {
    let mut packages: BTreeMap<String, Vec<&Package>> = BTreeMap::new();
    for package in &lock.package {
        packages
            .entry(normalize(&package.name))
            .or_default()
            .push(package);
    }
    let mut needed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut always: BTreeSet<String> = BTreeSet::new();
    let mut seen: BTreeSet<(String, Vec<String>, Option<String>)> = BTreeSet::new();
    let mut open: VecDeque<Edge> = roots.into();
    while let Some(edge) = open.pop_front() {
        let Some(found) = packages.get(&edge.name) else {
            continue;
        };
        let markers = needed.entry(edge.name.clone()).or_default();
        let mut marker = edge.marker.filter(|_| !always.contains(&edge.name));
        if markers.len() >= MAX_MARKERS || marker.as_ref().is_some_and(|m| m.len() > MAX_MARKER) {
            marker = None;
        }
        match &marker {
            Some(marker) => {
                markers.insert(marker.clone());
            }
            None => {
                always.insert(edge.name.clone());
                markers.clear();
            }
        }
        if !seen.insert((edge.name.clone(), edge.extras.clone(), marker.clone())) {
            continue;
        }
        let asked: BTreeSet<String> = edge.extras.iter().cloned().collect();
        for package in found {
            for (name, value) in &package.dependencies {
                for mut next in edges(name, value, &package.extras, &asked) {
                    next.marker = both(marker.as_deref(), next.marker.as_deref());
                    open.push_back(next);
                }
            }
        }
    }
    needed
}

fn either(markers: &BTreeSet<String>) -> Option<String> {
    match markers.len() {
        0 => None,
        1 => markers.first().cloned(),
        _ => Some(
            markers
                .iter()
                .map(|marker| format!("({marker})"))
                .collect::<Vec<_>>()
                .join(" or "),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lock: &str, pyproject: &str) -> Vec<String> {
        poetry(lock, &toml::from_str(pyproject).unwrap())
            .unwrap()
            .iter()
            .map(|pin| pin.line("/src"))
            .collect()
    }

    #[test]
    fn poetry_2_tells_groups_and_markers() {
        let found = lines(
            r#"
            [[package]]
            name = "Flask"
            version = "3.0"
            optional = false
            groups = ["main"]
            files = [{file = "flask.whl", hash = "sha256:ff"}, {file = "f.tgz", hash = "sha256:aa"}]
            [[package]]
            name = "colorama"
            version = "0.4"
            optional = false
            groups = ["main", "dev"]
            markers = {main = "platform_system == \"Windows\"", dev = "x"}
            files = []
            [[package]]
            name = "pytest"
            version = "8"
            optional = false
            groups = ["dev"]
            files = []
            [[package]]
            name = "psycopg"
            version = "3"
            optional = true
            groups = ["main"]
            files = []
            [metadata]
            lock-version = "2.1"
            "#,
            "",
        );
        assert_eq!(
            found,
            [
                "colorama==0.4 ; platform_system == \"Windows\"",
                "flask==3.0 --hash=sha256:aa --hash=sha256:ff",
            ]
        );
    }

    #[test]
    fn older_locks_are_walked_from_the_main_dependencies() {
        let found = lines(
            r#"
            [[package]]
            name = "uvicorn"
            version = "0.30"
            optional = false
            files = [{file = "u.whl", hash = "sha256:aa"}]
            [package.dependencies]
            click = ">=7"
            h11 = ">=0.8"
            httptools = {version = ">=0.6", optional = true, markers = "extra == \"standard\""}
            uvloop = {version = ">=0.14", optional = true, markers = "(sys_platform != \"win32\") and extra == \"standard\""}
            watchfiles = {version = "*", optional = true, markers = "extra == \"reload\""}
            [package.extras]
            standard = ["httptools (>=0.6)", "uvloop (>=0.14) ; sys_platform != 'win32'"]
            reload = ["watchfiles"]
            [[package]]
            name = "click"
            version = "8"
            optional = false
            files = []
            [package.dependencies]
            colorama = {version = "*", markers = "platform_system == \"Windows\""}
            [[package]]
            name = "colorama"
            version = "0.4"
            optional = false
            files = []
            [[package]]
            name = "h11"
            version = "0.14"
            optional = false
            files = []
            [[package]]
            name = "httptools"
            version = "0.6"
            optional = false
            files = []
            [[package]]
            name = "uvloop"
            version = "0.19"
            optional = false
            files = []
            [[package]]
            name = "watchfiles"
            version = "0.20"
            optional = true
            files = []
            [[package]]
            name = "pytest"
            version = "8"
            optional = false
            files = []
            [package.dependencies]
            colorama = "*"
            [metadata]
            lock-version = "2.0"
            [metadata.files]
            h11 = [{file = "h11.whl", hash = "sha256:bb"}]
            "#,
            r#"
            [tool.poetry.dependencies]
            python = "^3.11"
            uvicorn = {version = "^0.30", extras = ["standard"]}
            [tool.poetry.group.dev.dependencies]
            pytest = "*"
            "#,
        );
        assert_eq!(
            found,
            [
                "click==8",
                "colorama==0.4 ; platform_system == \"Windows\"",
                "h11==0.14 --hash=sha256:bb",
                "httptools==0.6 ; python_version >= \"0\"",
                "uvicorn==0.30 --hash=sha256:aa",
                "uvloop==0.19 ; (sys_platform != \"win32\") and python_version >= \"0\"",
            ]
        );
    }

    #[test]
    fn a_cycle_ends() {
        let found = lines(
            r#"
            [[package]]
            name = "a"
            version = "1"
            [package.dependencies]
            b = {version = "*", markers = "x == 'y'"}
            [[package]]
            name = "b"
            version = "1"
            [package.dependencies]
            a = {version = "*", markers = "z == 'y'"}
            "#,
            "[tool.poetry.dependencies]\na = {version='*', markers = \"k == 'l'\"}\n",
        );
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn git_and_paths_have_no_hashes() {
        let found = lines(
            r#"
            [[package]]
            name = "a"
            version = "1"
            groups = ["main"]
            files = []
            [package.source]
            type = "git"
            url = "https://e.org/a.git"
            reference = "main"
            resolved_reference = "c0ffee"
            [[package]]
            name = "b"
            version = "1"
            groups = ["main"]
            files = []
            [package.source]
            type = "directory"
            url = "libs/b"
            "#,
            "",
        );
        assert_eq!(
            found,
            [
                "a @ git+https://e.org/a.git@c0ffee",
                "b @ file:///src/libs/b"
            ]
        );
    }
}
