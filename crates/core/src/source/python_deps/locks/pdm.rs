//! `pdm.lock`.

use serde::Deserialize;

use super::super::{Pin, PinSource, normalize};
use super::{LockFileError, document, file_name, finish, pin_file};

const FILE: &str = "pdm.lock";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    version: Option<String>,
    /// `uvicorn[standard]` has an entry of its own beside `uvicorn`.
    #[serde(default)]
    extras: Vec<String>,
    #[serde(default)]
    groups: Option<Vec<String>>,
    #[serde(default)]
    marker: Option<String>,
    #[serde(default)]
    files: Vec<File>,
    #[serde(default)]
    git: Option<String>,
    #[serde(default)]
    revision: Option<String>,
    #[serde(default)]
    subdirectory: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    url: Option<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    url: Option<String>,
    hash: String,
}

/// The pins of the `default` group.
pub fn pdm(text: &str) -> Result<Vec<Pin>, LockFileError> {
    let lock: Lock = document(text, FILE)?;
    let mut pins = Vec::new();
    for package in &lock.package {
        let Some(groups) = &package.groups else {
            return Err(LockFileError::Old {
                file: FILE,
                problem: "its packages name no groups",
                command: "pdm lock",
            });
        };
        if !groups.iter().any(|group| group == "default") {
            continue;
        }
        let doubled = !package.extras.is_empty()
            && lock.package.iter().any(|other| {
                other.extras.is_empty() && normalize(&other.name) == normalize(&package.name)
            });
        if !doubled {
            pins.push(pin(package)?);
        }
    }
    Ok(finish(pins))
}

fn pin(package: &Package) -> Result<Pin, LockFileError> {
    let fail = |problem: &str| LockFileError::Package {
        file: FILE,
        package: package.name.clone(),
        problem: problem.to_owned(),
    };
    let source = match (&package.git, &package.path, &package.url) {
        (Some(url), _, _) => PinSource::Git {
            url: url.clone(),
            commit: package
                .revision
                .clone()
                .ok_or_else(|| fail("comes from git without a revision"))?,
            subdirectory: package.subdirectory.clone(),
        },
        (_, Some(path), _) => PinSource::Path(path.trim_start_matches("./").to_owned()),
        (_, _, Some(url)) => PinSource::Url(url.clone()),
        (None, None, None) => PinSource::Index,
    };
    if source == PinSource::Index && package.version.is_none() {
        return Err(fail("has no version"));
    }
    let hashed = matches!(source, PinSource::Index | PinSource::Url(_));
    Ok(Pin {
        name: normalize(&package.name),
        version: package.version.clone(),
        marker: package.marker.clone(),
        source,
        files: package
            .files
            .iter()
            .filter(|_| hashed)
            .map(|file| {
                let name = file
                    .file
                    .clone()
                    .or_else(|| file.url.as_deref().and_then(file_name));
                pin_file(file.hash.clone(), name)
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_group_once() {
        let pins = pdm(r#"
            [metadata]
            groups = ["default", "test"]
            [[package]]
            name = "uvicorn"
            version = "0.30"
            groups = ["default"]
            marker = "python_version >= \"3.8\""
            files = [{url = "https://e.org/p/uvicorn-0.30-py3-none-any.whl", hash = "sha256:aa"}]
            [[package]]
            name = "uvicorn"
            version = "0.30"
            extras = ["standard"]
            groups = ["default"]
            files = [{file = "x", hash = "sha256:aa"}]
            [[package]]
            name = "pytest"
            version = "8"
            groups = ["test"]
            "#)
        .unwrap();
        assert_eq!(pins.len(), 1);
        assert_eq!(
            pins[0].line("/src"),
            "uvicorn==0.30 ; python_version >= \"3.8\" --hash=sha256:aa"
        );
        assert_eq!(
            pins[0].files[0].name.as_deref(),
            Some("uvicorn-0.30-py3-none-any.whl")
        );
    }

    #[test]
    fn an_old_lock_names_the_command() {
        let error = pdm("[[package]]\nname = 'a'\nversion = '1'\n").unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("run `pdm lock` once"));
    }
}
