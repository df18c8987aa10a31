//! Where a project's dependencies stand, and the digests by which whit.lock
//! notices that they changed.

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::Digest;

use super::manifest::{Manifest, names};
use super::{Detected, Folder, ProjectError};
use crate::source::python_deps::{Line, Pin, Requirement, hashed_pins, locks, parse_list};

/// What the installer is to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirements {
    /// The project needs nothing besides Python.
    Nothing,
    /// `uv.lock`: uv itself exports the pins of this project.
    UvLock,
    /// Another tool's lock file, or a list with hashes: everything is pinned.
    Pinned(Vec<Pin>),
    /// Files that uv resolves: requirements files, `pyproject.toml`,
    /// `setup.py`. Relative to the project.
    Files(Vec<String>),
    /// Requirement lines that uv resolves: those of a script (PEP 723) or a
    /// Pipfile.
    Lines(Vec<String>),
}

/// The requirements of a project, with all that is known about them before
/// anything is installed.
#[derive(Debug, Clone)]
pub struct Found {
    pub requirements: Requirements,
    /// Names of what will be there for certain.
    pub names: BTreeSet<String>,
    /// By file name, or by the part of it that matters.
    pub inputs: BTreeMap<String, Digest>,
    pub detected: Detected,
}

/// Requirements files by rank; the first that exists is the one for
/// production.
const FILES: &[&str] = &[
    "requirements.txt",
    "requirements.lock",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements-production.txt",
    "requirements-prod.txt",
    "requirements_prod.txt",
    "requirements/base.txt",
    "requirements/main.txt",
    "requirements/common.txt",
    "requirements/requirements.txt",
    "requirements.in",
];

/// More includes than this go round in circles.
const MAX_INCLUDES: usize = 64;

/// Finds them. `docker` are the requirements files that the Dockerfile
/// installs.
pub fn find(
    folder: &Folder,
    manifest: &Manifest,
    docker: &[String],
) -> Result<Found, ProjectError> {
    let mut inputs = BTreeMap::new();
    if !manifest.pyproject.is_empty() {
        inputs.insert(
            "pyproject.toml".to_owned(),
            Digest::of(relevant(&manifest.pyproject).as_bytes()),
        );
    }
    let direct = names(&manifest.dependencies);
    if let Some(found) = lock_file(folder, manifest, &mut inputs, &direct)? {
        return Ok(found);
    }
    let file = requirements_file(folder, docker);
    if let Some((file, because)) = file {
        let list = included(folder, &file)?;
        let pinned = list.lines.iter().all(|line| match line {
            Line::Requirement { requirement, .. } => {
                requirement.url.is_some() || requirement.exact_version().is_some()
            }
            _ => true,
        });
        if !manifest.declares_dependencies || pinned {
            for (name, text) in &list.texts {
                inputs.insert(name.clone(), Digest::of(text.as_bytes()));
            }
            // A list that includes another is left to uv.
            let pins = hashed_pins(&list.lines).filter(|_| list.texts.len() == 1);
            let because = match (&pins, manifest.declares_dependencies) {
                (Some(_), _) => format!("{because}, every line pinned with hashes"),
                (None, true) => format!("{because} and pins what pyproject.toml names"),
                (None, false) => because,
            };
            let requirements: Vec<Requirement> = list.requirements();
            let mut all = names(&requirements);
            all.extend(direct);
            return Ok(Found {
                requirements: match pins {
                    Some(pins) => Requirements::Pinned(pins),
                    None => Requirements::Files(vec![file.clone()]),
                },
                names: all,
                inputs,
                detected: detected(&file, because),
            });
        }
    }
    declared(folder, manifest, inputs, direct)
}

fn detected(value: &str, because: impl Into<String>) -> Detected {
    Detected {
        what: "dependencies",
        value: value.to_owned(),
        because: because.into(),
    }
}

/// A lock file of another tool. All of them pin with hashes.
fn lock_file(
    folder: &Folder,
    manifest: &Manifest,
    inputs: &mut BTreeMap<String, Digest>,
    direct: &BTreeSet<String>,
) -> Result<Option<Found>, ProjectError> {
    for name in [
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "pylock.toml",
        "Pipfile.lock",
    ] {
        let Some(text) = folder.read(name)? else {
            continue;
        };
        if name == "uv.lock" && manifest.pyproject.is_empty() {
            continue;
        }
        inputs.insert(name.to_owned(), Digest::of(text.as_bytes()));
        let mut names = direct.clone();
        let requirements = match name {
            "uv.lock" => {
                if let Some(project) = &manifest.name {
                    names.extend(locks::uv_names(&text, project)?);
                }
                Requirements::UvLock
            }
            "poetry.lock" => Requirements::Pinned(locks::poetry(&text, &manifest.pyproject)?),
            "pdm.lock" => Requirements::Pinned(locks::pdm(&text)?),
            "pylock.toml" => Requirements::Pinned(locks::pylock(&text)?),
            _ => Requirements::Pinned(locks::pipfile(&text)?),
        };
        if let Requirements::Pinned(pins) = &requirements {
            names.extend(pins.iter().map(|pin| pin.name.clone()));
        }
        return Ok(Some(Found {
            requirements,
            names,
            inputs: std::mem::take(inputs),
            detected: detected(name, "it pins every version"),
        }));
    }
    Ok(None)
}

fn requirements_file(folder: &Folder, docker: &[String]) -> Option<(String, String)> {
    for name in docker {
        let name = name.trim_start_matches("./");
        // A Dockerfile may name where it copied the file to.
        let base = name.rsplit('/').next().unwrap_or(name);
        for candidate in [name, base] {
            if !candidate.starts_with('/') && folder.has_file(candidate) {
                return Some((
                    candidate.to_owned(),
                    "the Dockerfile installs it".to_owned(),
                ));
            }
        }
    }
    let known = FILES.iter().find(|name| folder.has_file(name));
    if let Some(name) = known {
        return Some(((*name).to_owned(), "it is there".to_owned()));
    }
    // One left that is for no particular purpose besides running.
    let mut others: Vec<String> = folder
        .names("")
        .into_iter()
        .filter(|name| name.starts_with("requirements") && name.ends_with(".txt"))
        .chain(
            folder
                .names("requirements")
                .into_iter()
                .filter(|name| name.ends_with(".txt"))
                .map(|name| format!("requirements/{name}")),
        )
        .collect();
    others.retain(|name| {
        ![
            "dev", "test", "doc", "lint", "ci", "local", "typing", "build",
        ]
        .iter()
        .any(|purpose| name.contains(purpose))
    });
    match others.as_slice() {
        [one] => Some((one.clone(), "it is the only such file".to_owned())),
        _ => None,
    }
}

struct List {
    /// Every file that was read, by its name relative to the project.
    texts: BTreeMap<String, String>,
    lines: Vec<Line>,
}

impl List {
    fn requirements(&self) -> Vec<Requirement> {
        self.lines
            .iter()
            .filter_map(|line| match line {
                Line::Requirement { requirement, .. } => Some(requirement.clone()),
                _ => None,
            })
            .collect()
    }
}

/// A requirements file with those that it includes.
fn included(folder: &Folder, file: &str) -> Result<List, ProjectError> {
    let mut list = List {
        texts: BTreeMap::new(),
        lines: Vec::new(),
    };
    let mut open = vec![(file.to_owned(), true)];
    while let Some((file, counts)) = open.pop() {
        if list.texts.contains_key(&file) || list.texts.len() >= MAX_INCLUDES {
            continue;
        }
        // A missing one is for the installer to complain about.
        let Some(text) = folder.read(&file)? else {
            continue;
        };
        let lines = parse_list(&text);
        for line in &lines {
            if let Line::Include(name) | Line::Constraints(name) = line
                && !name.contains("://")
            {
                let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
                let below = whit_oci::ImagePath::parse(format!("{folder}/{name}"));
                // Above the project nothing is read.
                if let Some(below) = below.ok().and_then(|path| path.as_str().map(str::to_owned)) {
                    open.push((below, counts && matches!(line, Line::Include(_))));
                }
            }
        }
        list.texts.insert(file, text);
        if counts {
            list.lines.extend(lines);
        }
    }
    Ok(list)
}

/// Dependencies that are named but not pinned.
fn declared(
    folder: &Folder,
    manifest: &Manifest,
    mut inputs: BTreeMap<String, Digest>,
    names: BTreeSet<String>,
) -> Result<Found, ProjectError> {
    let dynamic = manifest
        .pyproject
        .get("project")
        .and_then(|project| project.get("dynamic"))
        .and_then(toml::Value::as_array)
        .is_some_and(|list| {
            list.iter()
                .any(|item| item.as_str() == Some("dependencies"))
        });
    let (requirements, detected) = if manifest.declares_dependencies || dynamic {
        (
            Requirements::Files(vec!["pyproject.toml".to_owned()]),
            detected(
                "pyproject.toml",
                "it names them; there is no lock file beside it",
            ),
        )
    } else if let Some(lines) = &manifest.pipfile {
        if let Some(text) = folder.read("Pipfile")? {
            inputs.insert("Pipfile".to_owned(), Digest::of(text.as_bytes()));
        }
        (
            Requirements::Lines(lines.clone()),
            detected("Pipfile", "it names them; there is no Pipfile.lock"),
        )
    } else if let Some(file) = ["setup.py", "setup.cfg"]
        .into_iter()
        .find(|file| folder.has_file(file) && manifest.packaged.is_some())
    {
        for name in ["setup.py", "setup.cfg"] {
            if let Some(text) = folder.read(name)? {
                inputs.insert(name.to_owned(), Digest::of(text.as_bytes()));
            }
        }
        (
            Requirements::Files(vec![file.to_owned()]),
            detected(file, "it names them"),
        )
    } else {
        (Requirements::Nothing, detected("none", "no file names any"))
    };
    Ok(Found {
        requirements,
        names,
        inputs,
        detected,
    })
}

/// The parts of `pyproject.toml` that decide about dependencies and the build,
/// as canonical text: a change of a linter's settings is no drift.
fn relevant(document: &toml::Table) -> String {
    let mut kept = toml::Table::new();
    for key in ["build-system", "dependency-groups"] {
        if let Some(value) = document.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    let mut copy = |section: Option<&toml::Value>, name: &str, keys: &[&str]| {
        for key in keys {
            if let Some(value) = section.and_then(|section| section.get(key)) {
                kept.insert(format!("{name}.{key}"), value.clone());
            }
        }
    };
    copy(
        document.get("project"),
        "project",
        &[
            "dependencies",
            "optional-dependencies",
            "requires-python",
            "dynamic",
        ],
    );
    copy(document.get("tool"), "tool", &["uv"]);
    let tool = |name: &str| document.get("tool").and_then(|tool| tool.get(name));
    copy(
        tool("poetry"),
        "tool.poetry",
        &["dependencies", "extras", "source"],
    );
    copy(tool("pdm"), "tool.pdm", &["source", "resolution"]);
    toml::to_string(&kept).unwrap_or_default()
}

/// The package indexes that the project's own files name, as `URL` or
/// `NAME=URL`. That of everybody is left out: the user's settings may stand a
/// mirror in its place.
pub fn indexes(folder: &Folder, manifest: &Manifest) -> Result<Vec<String>, ProjectError> {
    let tool = |path: [&str; 2]| {
        manifest
            .pyproject
            .get("tool")
            .and_then(|tool| tool.get(path[0])?.get(path[1])?.as_array())
            .cloned()
            .unwrap_or_default()
    };
    let mut sources = tool(["uv", "index"]);
    sources.extend(tool(["poetry", "source"]));
    sources.extend(tool(["pdm", "source"]));
    if let Some(text) = folder.read("Pipfile")? {
        let pipfile: toml::Table = toml::from_str(&text).unwrap_or_default();
        let list = pipfile.get("source").and_then(toml::Value::as_array);
        sources.extend(list.cloned().unwrap_or_default());
    }
    let mut found = Vec::new();
    for source in &sources {
        let text = |key: &str| source.get(key).and_then(toml::Value::as_str);
        let Some(url) = text("url") else { continue };
        // By the name that Pipenv and Poetry themselves give it.
        let is_public = text("name").is_some_and(|name| name.eq_ignore_ascii_case("pypi"));
        // Names with other characters are none for uv.
        let name = text("name").filter(|name| {
            name.chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        });
        if !is_public && url.contains("://") && !url.contains(char::is_whitespace) {
            found.push(match name {
                Some(name) => format!("{name}={url}"),
                None => url.to_owned(),
            });
        }
    }
    found.dedup();
    Ok(found)
}

/// The requirements of a single script: its inline metadata (PEP 723).
pub fn of_script(name: &str, lines: Vec<String>) -> Found {
    let requirements: Vec<Requirement> = lines
        .iter()
        .filter_map(|line| Requirement::parse(line))
        .collect();
    Found {
        names: names(&requirements),
        inputs: BTreeMap::from([(
            format!("{name}, dependencies"),
            Digest::of(lines.join("\n").as_bytes()),
        )]),
        detected: match lines.is_empty() {
            true => detected(
                "none",
                format!("{name} has no `# /// script` block that names any"),
            ),
            false => detected(name, "its `# /// script` block names them"),
        },
        requirements: match lines.is_empty() {
            true => Requirements::Nothing,
            false => Requirements::Lines(lines),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest;
    use super::*;

    fn found(files: &[(&str, &str)], docker: &[&str]) -> Found {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let folder = Folder::new(dir.path());
        let docker: Vec<String> = docker.iter().map(|name| (*name).to_owned()).collect();
        find(&folder, &manifest::read(&folder).unwrap(), &docker).unwrap()
    }

    const PROJECT: (&str, &str) = (
        "pyproject.toml",
        "[project]\nname = 'a'\ndependencies = ['flask']\n",
    );

    #[test]
    fn which_file_wins() {
        let files = |found: Found| match found.requirements {
            Requirements::Files(files) => files.join(","),
            other => format!("{other:?}").chars().take(8).collect(),
        };
        for (given, docker, wins) in [
            (
                &[("requirements.txt", "flask\n")][..],
                &[][..],
                "requirements.txt",
            ),
            (&[PROJECT], &[], "pyproject.toml"),
            (
                &[PROJECT, ("requirements.txt", "flask\n")],
                &[],
                "pyproject.toml",
            ),
            (
                &[PROJECT, ("requirements.txt", "flask==1\n")],
                &[],
                "requirements.txt",
            ),
            (
                &[
                    ("pyproject.toml", "[tool.black]\n"),
                    ("requirements.txt", "flask\n"),
                ],
                &[],
                "requirements.txt",
            ),
            (
                &[
                    ("requirements-dev.txt", ""),
                    ("requirements-web.txt", "flask\n"),
                ],
                &[],
                "requirements-web.txt",
            ),
            (
                &[
                    ("requirements/dev.txt", ""),
                    ("requirements/prod.txt", "-r base.txt\n"),
                    ("requirements/base.txt", "a\n"),
                ],
                &[],
                "requirements/prod.txt",
            ),
            (
                &[("requirements.txt", "a\n"), ("deps/web.txt", "b\n")],
                &["/tmp/x.txt", "deps/web.txt"],
                "deps/web.txt",
            ),
            (&[PROJECT, ("uv.lock", "version = 1\n")], &[], "UvLock"),
            (&[("main.py", "")], &[], "Nothing"),
            (
                &[(
                    "setup.py",
                    "from setuptools import setup\nsetup(name='a')\n",
                )],
                &[],
                "setup.py",
            ),
            (
                &[("requirements.txt", "a==1 --hash=sha256:aa\n")],
                &[],
                "Pinned([",
            ),
        ] {
            assert_eq!(files(found(given, docker)), wins, "{given:?}");
        }
    }

    #[test]
    fn includes_are_inputs_and_circles_end() {
        let found = found(
            &[
                ("requirements.txt", "-r more/x.txt\n-c pins.txt\nflask\n"),
                (
                    "more/x.txt",
                    "-r ../requirements.txt\n-r ../../outside.txt\ngunicorn\n",
                ),
                ("pins.txt", "uvicorn==1\n"),
            ],
            &[],
        );
        let inputs: Vec<&str> = found.inputs.keys().map(String::as_str).collect();
        assert_eq!(inputs, ["more/x.txt", "pins.txt", "requirements.txt"]);
        let names: Vec<&str> = found.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["flask", "gunicorn"]);
    }

    #[test]
    fn indexes_of_every_tool() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("pyproject.toml"),
            "[[tool.uv.index]]\nname = 'own'\nurl = 'https://a.example/s'\nexplicit = true\n[[tool.poetry.source]]\nname = 'my index'\nurl = 'https://b.example/s'\n",
        )
        .unwrap();
        std::fs::write(
            dir.path().join("Pipfile"),
            "[[source]]\nurl = 'https://c.example/simple'\nname = 'pypi'\n",
        )
        .unwrap();
        let folder = Folder::new(dir.path());
        let found = indexes(&folder, &manifest::read(&folder).unwrap()).unwrap();
        assert_eq!(found, ["own=https://a.example/s", "https://b.example/s"]);
    }

    #[test]
    fn a_linters_settings_are_no_input() {
        let digest = |extra: &str| {
            let text = format!("{}{extra}", PROJECT.1);
            found(&[("pyproject.toml", &text)], &[]).inputs["pyproject.toml"]
        };
        assert_eq!(digest(""), digest("[tool.ruff]\nline-length = 9\n"));
        assert_ne!(digest(""), digest("[tool.uv]\nindex-strategy = 'x'\n"));
    }
}
