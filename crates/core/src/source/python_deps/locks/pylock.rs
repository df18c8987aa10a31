//! `pylock.toml` (PEP 751): what `uv export` and `uv pip compile` write, and
//! what a project may have itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Pin, PinSource, normalize};
use super::{LockFileError, document, file_name, finish, pin_file};

const FILE: &str = "pylock.toml";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    marker: Option<String>,
    #[serde(default)]
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
    #[serde(default)]
    archive: Option<File>,
    #[serde(default)]
    vcs: Option<Vcs>,
    #[serde(default)]
    directory: Option<Directory>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Vcs {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(rename = "commit-id")]
    commit: String,
    #[serde(default)]
    subdirectory: Option<String>,
}

#[derive(Deserialize)]
struct Directory {
    path: String,
}

/// Every package of the lock. Those that only an extra or a dependency group
/// wants are left out: their markers are not of an installer's language.
pub fn pylock(text: &str) -> Result<Vec<Pin>, LockFileError> {
    let lock: Lock = document(text, FILE)?;
    let mut pins = Vec::new();
    for package in lock.packages {
        let grouped =
            |marker: &String| marker.contains("dependency_groups") || marker.contains(" in extras");
        if !package.marker.as_ref().is_some_and(grouped) {
            pins.push(pin(package)?);
        }
    }
    Ok(finish(pins))
}

fn pin(package: Package) -> Result<Pin, LockFileError> {
    let fail = |problem: String| LockFileError::Package {
        file: FILE,
        package: package.name.clone(),
        problem,
    };
    let mut files = Vec::new();
    let source = if let Some(vcs) = package.vcs {
        match (vcs.kind.as_str(), vcs.url) {
            ("git", Some(url)) => PinSource::Git {
                url,
                commit: vcs.commit,
                subdirectory: vcs.subdirectory,
            },
            (kind, _) => return Err(fail(format!("comes from {kind}, not from a git address"))),
        }
    } else if let Some(directory) = package.directory {
        PinSource::Path(directory.path.trim_start_matches("./").to_owned())
    } else if let Some(archive) = package.archive {
        files.extend(hash_of(&archive));
        match (archive.url, archive.path) {
            (Some(url), _) => PinSource::Url(url),
            (None, Some(path)) => PinSource::Path(path.trim_start_matches("./").to_owned()),
            (None, None) => return Err(fail("has an archive without an address".into())),
        }
    } else {
        files.extend(
            package
                .sdist
                .iter()
                .chain(&package.wheels)
                .filter_map(hash_of),
        );
        if package.version.is_none() {
            return Err(fail("has no version".into()));
        }
        PinSource::Index
    };
    if !matches!(source, PinSource::Index | PinSource::Url(_)) {
        files.clear();
    }
    Ok(Pin {
        name: normalize(&package.name),
        version: package.version,
        marker: package.marker,
        source,
        files,
    })
}

/// The strongest use is sha256, which all have; others are taken as they are.
fn hash_of(file: &File) -> Option<super::PinFile> {
    let (algorithm, digest) = file
        .hashes
        .get_key_value("sha256")
        .or_else(|| file.hashes.iter().next())?;
    let name = file
        .name
        .clone()
        .or_else(|| file.url.as_deref().and_then(file_name))
        .or_else(|| file.path.as_deref().and_then(file_name));
    Some(pin_file(format!("{algorithm}:{digest}"), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_git_folder_and_archive() {
        let pins = pylock(
            r#"
            lock-version = "1.0"
            [[packages]]
            name = "PyYAML"
            version = "6.0"
            sdist = { url = "https://e.org/pyyaml-6.0.tar.gz", hashes = { sha256 = "bb" } }
            wheels = [{ url = "https://e.org/PyYAML-6.0%2Blocal-cp311.whl#x", hashes = { md5 = "0", sha256 = "aa" } }]
            [[packages]]
            name = "a"
            vcs = { type = "git", url = "https://e.org/a", commit-id = "c0", requested-revision = "v1" }
            [[packages]]
            name = "b"
            directory = { path = "./libs/b", editable = true }
            [[packages]]
            name = "c"
            marker = "os_name == 'posix'"
            archive = { url = "https://e.org/c.zip", hashes = { sha256 = "cc" } }
            [[packages]]
            name = "d"
            version = "1"
            marker = "'dev' in dependency_groups"
            "#,
        )
        .unwrap();
        let lines: Vec<String> = pins.iter().map(|pin| pin.line("/src")).collect();
        assert_eq!(
            lines,
            [
                "a @ git+https://e.org/a@c0",
                "b @ file:///src/libs/b",
                "c @ https://e.org/c.zip ; os_name == 'posix' --hash=sha256:cc",
                "pyyaml==6.0 --hash=sha256:aa --hash=sha256:bb",
            ]
        );
        assert_eq!(
            pins[3].files[0].name.as_deref(),
            Some("PyYAML-6.0+local-cp311.whl")
        );
    }
}
