//! `uv.lock`. uv itself turns it into pins (`uv export`), because its markers
//! of groups, extras and conflicts are its own; here only the names of what
//! the project needs are read, to know which servers are there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::normalize;
use super::{LockFileError, document};

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(rename = "optional-dependencies", default)]
    optional: BTreeMap<String, Vec<Dependency>>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    #[serde(default)]
    extra: Vec<String>,
}

/// The names of everything that `project` needs, without development groups.
pub fn uv_names(text: &str, project: &str) -> Result<BTreeSet<String>, LockFileError> {
    let lock: Lock = document(text, "uv.lock")?;
    let mut packages: BTreeMap<String, Vec<&Package>> = BTreeMap::new();
    for package in &lock.package {
        packages
            .entry(normalize(&package.name))
            .or_default()
            .push(package);
    }
    let mut seen = BTreeSet::new();
    let mut open = vec![(normalize(project), None::<String>)];
    while let Some(step) = open.pop() {
        if !seen.insert(step.clone()) {
            continue;
        }
        let (name, extra) = step;
        for package in packages.get(&name).into_iter().flatten() {
            let edges = match &extra {
                None => Some(&package.dependencies),
                Some(extra) => package.optional.get(extra),
            };
            for edge in edges.into_iter().flatten() {
                open.push((normalize(&edge.name), None));
                open.extend(
                    edge.extra
                        .iter()
                        .map(|extra| (normalize(&edge.name), Some(extra.clone()))),
                );
            }
        }
    }
    let own = normalize(project);
    Ok(seen
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| *name != own)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_are_followed_and_groups_are_not() {
        let names = uv_names(
            r#"
            version = 1
            [[package]]
            name = "my-app"
            source = { virtual = "." }
            dependencies = [{ name = "fastapi", extra = ["standard"] }]
            [package.dev-dependencies]
            dev = [{ name = "pytest" }]
            [[package]]
            name = "fastapi"
            dependencies = [{ name = "starlette" }]
            [package.optional-dependencies]
            standard = [{ name = "uvicorn" }]
            all = [{ name = "ujson" }]
            [[package]]
            name = "starlette"
            [[package]]
            name = "uvicorn"
            [[package]]
            name = "pytest"
            "#,
            "My_App",
        )
        .unwrap();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["fastapi", "starlette", "uvicorn"]);
    }
}
