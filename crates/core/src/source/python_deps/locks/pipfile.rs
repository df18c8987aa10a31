//! `Pipfile.lock`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::{Pin, PinSource, normalize};
use super::{LockFileError, finish, pin_file};

const FILE: &str = "Pipfile.lock";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    default: BTreeMap<String, Package>,
}

#[derive(Deserialize)]
struct Package {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    hashes: Vec<String>,
    #[serde(default)]
    markers: Option<String>,
    #[serde(default)]
    git: Option<String>,
    #[serde(rename = "ref", default)]
    reference: Option<String>,
    #[serde(default)]
    subdirectory: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    file: Option<String>,
}

/// The pins of the `default` section.
pub fn pipfile(text: &str) -> Result<Vec<Pin>, LockFileError> {
    let lock: Lock =
        serde_json::from_str(text).map_err(|source| LockFileError::Json { file: FILE, source })?;
    let mut pins = Vec::new();
    for (name, package) in lock.default {
        let fail = |problem: &str| LockFileError::Package {
            file: FILE,
            package: name.clone(),
            problem: problem.to_owned(),
        };
        let version = package
            .version
            .as_deref()
            .map(|text| text.trim_start_matches('=').to_owned());
        let source = match (package.git, package.path, package.file) {
            (Some(url), _, _) => PinSource::Git {
                url,
                commit: package
                    .reference
                    .ok_or_else(|| fail("comes from git without a commit"))?,
                subdirectory: package.subdirectory,
            },
            (_, Some(path), _) => PinSource::Path(path.trim_start_matches("./").to_owned()),
            (_, _, Some(file)) if file.contains("://") => PinSource::Url(file),
            (_, _, Some(file)) => PinSource::Path(file.trim_start_matches("./").to_owned()),
            (None, None, None) => PinSource::Index,
        };
        if source == PinSource::Index && version.is_none() {
            return Err(fail("has no version"));
        }
        let hashed = matches!(source, PinSource::Index | PinSource::Url(_));
        pins.push(Pin {
            name: normalize(&name),
            version,
            marker: package.markers,
            source,
            files: package
                .hashes
                .into_iter()
                .filter(|_| hashed)
                .map(|hash| pin_file(hash, None))
                .collect(),
        });
    }
    Ok(finish(pins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_section() {
        let pins = pipfile(
            r#"{"_meta": {"sources": [{"url": "https://e.org"}]},
                "default": {"Click": {"hashes": ["sha256:bb", "sha256:aa"], "version": "==8.1",
                                      "markers": "python_version >= '3.7'", "index": "x"}},
                "develop": {"pytest": {"version": "==8"}}}"#,
        )
        .unwrap();
        let lines: Vec<String> = pins.iter().map(|pin| pin.line("/src")).collect();
        assert_eq!(
            lines,
            ["click==8.1 ; python_version >= '3.7' --hash=sha256:aa --hash=sha256:bb"]
        );
    }
}
