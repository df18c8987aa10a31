//! Name, version, dependencies and scripts of a project, from whichever file
//! of its packaging tool tells them.

use std::collections::{BTreeMap, BTreeSet};

use ruff_python_ast::{Expr, Stmt};

use super::module::with_syntax;
use super::{Folder, ProjectError};
use crate::source::ini;
use crate::source::python_deps::{Requirement, normalize};

/// What the packaging files say.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Manifest {
    /// As written.
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    pub license: Option<String>,
    /// The demand and the file that makes it.
    pub requires_python: Option<(String, &'static str)>,
    /// Direct main dependencies.
    pub dependencies: Vec<Requirement>,
    /// Console scripts: name and `module:function`.
    pub scripts: BTreeMap<String, String>,
    /// How the project itself is installed; `None` if it is only a folder of
    /// sources.
    pub packaged: Option<&'static str>,
    /// The dependencies stand in `pyproject.toml`.
    pub declares_dependencies: bool,
    /// `pyproject.toml` itself, for those who read more of it.
    pub pyproject: toml::Table,
    /// Dependencies of the main section of a `Pipfile`, as requirement lines.
    pub pipfile: Option<Vec<String>>,
}

/// Reads whatever there is. `pyproject.toml` wins over `setup.cfg`, that over
/// `setup.py`.
pub fn read(folder: &Folder) -> Result<Manifest, ProjectError> {
    let mut manifest = Manifest::default();
    if let Some(text) = folder.read("pyproject.toml")? {
        manifest.pyproject = table(&text, folder, "pyproject.toml")?;
        standard(&mut manifest);
        poetry(&mut manifest);
    }
    if let Some(text) = folder.read("setup.cfg")? {
        setup_cfg(&mut manifest, &text);
    }
    if let Some(text) = folder.read("setup.py")? {
        setup_py(&mut manifest, &text);
    }
    if let Some(text) = folder.read("Pipfile")? {
        let pipfile = table(&text, folder, "Pipfile")?;
        read_pipfile(&mut manifest, &pipfile);
    }
    Ok(manifest)
}

fn table(text: &str, folder: &Folder, name: &str) -> Result<toml::Table, ProjectError> {
    toml::from_str(text).map_err(|error: toml::de::Error| ProjectError::Syntax {
        path: folder.path(name),
        problem: error.to_string(),
    })
}

fn text(table: Option<&toml::Value>, key: &str) -> Option<String> {
    Some(table?.get(key)?.as_str()?.to_owned())
}

/// `[project]` and `[build-system]` (PEP 621, PEP 518), and the switches by
/// which tools say that there is nothing to install.
fn standard(manifest: &mut Manifest) {
    let document = manifest.pyproject.clone();
    let project = document.get("project");
    let tool = document.get("tool");
    manifest.name = text(project, "name");
    manifest.version = text(project, "version");
    manifest.description = text(project, "description");
    manifest.license = text(project, "license")
        .or_else(|| text(project.and_then(|project| project.get("license")), "text"));
    manifest.requires_python =
        text(project, "requires-python").map(|text| (text, "requires-python in pyproject.toml"));
    let list = project
        .and_then(|project| project.get("dependencies"))
        .and_then(toml::Value::as_array);
    manifest.declares_dependencies = list.is_some_and(|list| !list.is_empty());
    manifest.dependencies.extend(
        list.into_iter()
            .flatten()
            .filter_map(|item| Requirement::parse(item.as_str()?)),
    );
    scripts(manifest, project.and_then(|project| project.get("scripts")));
    let switch = |path: [&str; 2]| tool.and_then(|tool| tool.get(path[0])?.get(path[1])?.as_bool());
    let off = switch(["uv", "package"]) == Some(false)
        || switch(["poetry", "package-mode"]) == Some(false)
        || switch(["pdm", "distribution"]) == Some(false);
    manifest.packaged = if off {
        None
    } else if document.contains_key("build-system") {
        Some("pyproject.toml has a [build-system]")
    } else if switch(["uv", "package"]) == Some(true) {
        Some("pyproject.toml says package = true")
    } else if !manifest.scripts.is_empty() {
        // pip installs it with setuptools then (PEP 517).
        Some("pyproject.toml has [project.scripts]")
    } else {
        None
    };
}

/// `[tool.poetry]`, where it is used instead of `[project]`.
fn poetry(manifest: &mut Manifest) {
    let document = manifest.pyproject.clone();
    let poetry = document.get("tool").and_then(|tool| tool.get("poetry"));
    let Some(poetry) = poetry else { return };
    let or = |value: &mut Option<String>, key| {
        if value.is_none() {
            *value = text(Some(poetry), key);
        }
    };
    or(&mut manifest.name, "name");
    or(&mut manifest.version, "version");
    or(&mut manifest.description, "description");
    or(&mut manifest.license, "license");
    scripts(manifest, poetry.get("scripts"));
    let dependencies = poetry.get("dependencies").and_then(toml::Value::as_table);
    for (name, value) in dependencies.into_iter().flatten() {
        let version = value
            .as_str()
            .or_else(|| value.get("version").and_then(toml::Value::as_str));
        if name == "python" {
            if manifest.requires_python.is_none() {
                manifest.requires_python = version
                    .map(|version| (version.to_owned(), "python in [tool.poetry.dependencies]"));
            }
            continue;
        }
        let optional = value.get("optional").and_then(toml::Value::as_bool) == Some(true);
        if optional {
            continue;
        }
        manifest.declares_dependencies = true;
        manifest.dependencies.push(Requirement {
            name: normalize(name),
            extras: extras(value),
            specifiers: String::new(),
            url: None,
            marker: None,
        });
    }
}

fn extras(value: &toml::Value) -> Vec<String> {
    value
        .get("extras")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|extra| extra.as_str().map(normalize))
        .collect()
}

fn scripts(manifest: &mut Manifest, table: Option<&toml::Value>) {
    for (name, value) in table.and_then(toml::Value::as_table).into_iter().flatten() {
        // Poetry also knows `{ reference = "...", type = "file" }`.
        let target = value
            .as_str()
            .or_else(|| value.get("reference").and_then(toml::Value::as_str))
            .or_else(|| value.get("callable").and_then(toml::Value::as_str));
        if let Some(target) = target {
            manifest.scripts.insert(name.clone(), target.to_owned());
        }
    }
}

fn setup_cfg(manifest: &mut Manifest, text: &str) {
    let ini = ini::parse(text);
    let get = |section: &str, key: &str| ini.get(section)?.get(key).cloned();
    let Some(name) = get("metadata", "name") else {
        // Only the settings of other tools.
        return;
    };
    if manifest.name.is_none() {
        manifest.name = Some(name);
        manifest.version =
            get("metadata", "version").filter(|version| !version.starts_with("attr:"));
    }
    if manifest.requires_python.is_none() {
        manifest.requires_python =
            get("options", "python_requires").map(|text| (text, "python_requires in setup.cfg"));
    }
    manifest.dependencies.extend(
        get("options", "install_requires")
            .unwrap_or_default()
            .lines()
            .filter_map(Requirement::parse),
    );
    entry_points(
        manifest,
        &get("options.entry_points", "console_scripts").unwrap_or_default(),
    );
    manifest
        .packaged
        .get_or_insert("setup.cfg names a distribution");
}

fn entry_points(manifest: &mut Manifest, lines: &str) {
    for line in lines.lines() {
        if let Some((name, target)) = line.split_once('=') {
            manifest
                .scripts
                .entry(name.trim().to_owned())
                .or_insert_with(|| target.trim().to_owned());
        }
    }
}

/// The literal arguments of `setup(...)`; anything computed is unknown here
/// and known to the build.
fn setup_py(manifest: &mut Manifest, text: &str) {
    with_syntax(text, |body| setup_call(manifest, body));
}

fn setup_call(manifest: &mut Manifest, body: &[Stmt]) {
    let call = body.iter().find_map(|statement| {
        let Stmt::Expr(expression) = statement else {
            return None;
        };
        let Expr::Call(call) = &*expression.value else {
            return None;
        };
        let called = match &*call.func {
            Expr::Name(name) => name.id.as_str(),
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            _ => return None,
        };
        (called == "setup").then_some(call)
    });
    let Some(call) = call else { return };
    manifest.packaged.get_or_insert("it has a setup.py");
    for keyword in &call.arguments.keywords {
        let Some(name) = &keyword.arg else { continue };
        match (name.as_str(), &keyword.value) {
            ("name", value) if manifest.name.is_none() => manifest.name = literal(value),
            ("version", value) if manifest.version.is_none() => manifest.version = literal(value),
            ("python_requires", value) if manifest.requires_python.is_none() => {
                manifest.requires_python =
                    literal(value).map(|text| (text, "python_requires in setup.py"));
            }
            ("install_requires", value) => manifest.dependencies.extend(
                literals(value)
                    .iter()
                    .filter_map(|text| Requirement::parse(text)),
            ),
            ("entry_points", Expr::Dict(dict)) => {
                for item in &dict.items {
                    if item.key.as_ref().and_then(literal).as_deref() == Some("console_scripts") {
                        entry_points(manifest, &literals(&item.value).join("\n"));
                    }
                }
            }
            _ => {}
        }
    }
}

fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
        _ => None,
    }
}

fn literals(expression: &Expr) -> Vec<String> {
    match expression {
        Expr::List(list) => list.elts.iter().filter_map(literal).collect(),
        Expr::Tuple(tuple) => tuple.elts.iter().filter_map(literal).collect(),
        one => literal(one).into_iter().collect(),
    }
}

/// `[packages]` of a Pipfile as lines that an installer understands.
fn read_pipfile(manifest: &mut Manifest, pipfile: &toml::Table) {
    let wanted = pipfile.get("requires").and_then(|requires| {
        text(Some(requires), "python_full_version")
            .or_else(|| text(Some(requires), "python_version"))
    });
    if manifest.requires_python.is_none() {
        manifest.requires_python = wanted.map(|text| (text, "python_version in the Pipfile"));
    }
    let mut lines = Vec::new();
    let packages = pipfile.get("packages").and_then(toml::Value::as_table);
    for (name, value) in packages.into_iter().flatten() {
        let mut line = name.clone();
        let extras = extras(value);
        if !extras.is_empty() {
            line.push_str(&format!("[{}]", extras.join(",")));
        }
        let version = value
            .as_str()
            .or_else(|| value.get("version").and_then(toml::Value::as_str));
        if let Some(git) = value.get("git").and_then(toml::Value::as_str) {
            let reference = text(Some(value), "ref").map(|r| format!("@{r}"));
            line.push_str(&format!(" @ git+{git}{}", reference.unwrap_or_default()));
        } else if let Some(path) = value.get("path").and_then(toml::Value::as_str) {
            line = path.to_owned();
        } else if let Some(version) = version.filter(|version| *version != "*") {
            line.push_str(version);
        }
        if let Some(markers) = text(Some(value), "markers") {
            line.push_str(&format!(" ; {markers}"));
        }
        manifest.dependencies.extend(Requirement::parse(&line));
        lines.push(line);
    }
    manifest.pipfile = Some(lines);
}

/// Names of everything that the direct dependencies bring for certain: the
/// names themselves, and the servers that well-known extras stand for.
pub fn names(requirements: &[Requirement]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = requirements.iter().map(|r| r.name.clone()).collect();
    for requirement in requirements {
        let has = |extra: &str| requirement.extras.iter().any(|known| known == extra);
        if requirement.name == "fastapi" && (has("standard") || has("all")) {
            names.insert("uvicorn".to_owned());
            names.insert("fastapi-cli".to_owned());
        }
        if requirement.name == "litestar" && has("standard") {
            names.insert("uvicorn".to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(files: &[(&str, &str)]) -> Manifest {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        read(&Folder::new(dir.path())).unwrap()
    }

    #[test]
    fn pep_621() {
        let found = manifest(&[(
            "pyproject.toml",
            r#"
            [build-system]
            requires = ["hatchling"]
            [project]
            name = "My.App"
            version = "1.2"
            requires-python = ">=3.12"
            dependencies = ["fastapi[standard]>=0.1", "six; os_name == 'nt'"]
            [project.scripts]
            my-app = "my_app.cli:main"
            "#,
        )]);
        assert_eq!(found.name.as_deref(), Some("My.App"));
        assert_eq!(found.scripts["my-app"], "my_app.cli:main");
        assert!(found.packaged.is_some());
        let names = names(&found.dependencies);
        assert!(names.contains("uvicorn") && names.contains("six"));
    }

    #[test]
    fn poetry_and_its_way_to_say_no_package() {
        let text = r#"
            [tool.poetry]
            name = "x"
            package-mode = false
            [tool.poetry.dependencies]
            python = "^3.11"
            flask = { version = "^3", extras = ["async"] }
            extra = { version = "1", optional = true }
            [build-system]
            requires = ["poetry-core"]
        "#;
        let found = manifest(&[("pyproject.toml", text)]);
        assert_eq!(found.packaged, None);
        assert_eq!(found.requires_python.unwrap().0, "^3.11");
        assert_eq!(found.dependencies.len(), 1);
        assert!(found.declares_dependencies);
    }

    #[test]
    fn tool_settings_alone_are_no_project() {
        let found = manifest(&[
            ("pyproject.toml", "[tool.black]\nline-length = 100\n"),
            ("setup.cfg", "[flake8]\nmax = 1\n"),
        ]);
        assert_eq!(found.packaged, None);
        assert_eq!(found.name, None);
        assert!(!found.declares_dependencies);
    }

    #[test]
    fn setuptools_the_old_way() {
        let found = manifest(&[(
            "setup.py",
            "from setuptools import setup\nsetup(name='old', install_requires=['six>=1'], version=v(),\n entry_points={'console_scripts': ['old = old.cli:main']}, python_requires='>=3.8')\n",
        )]);
        assert_eq!(found.name.as_deref(), Some("old"));
        assert_eq!(found.version, None);
        assert_eq!(found.scripts["old"], "old.cli:main");
        assert_eq!(found.dependencies[0].name, "six");
        let found = manifest(&[(
            "setup.cfg",
            "[metadata]\nname = c\nversion = attr: c.v\n[options]\ninstall_requires =\n  flask\n  gunicorn\n[options.entry_points]\nconsole_scripts =\n  c = c:main\n",
        )]);
        assert_eq!(found.dependencies.len(), 2);
        assert_eq!(found.scripts["c"], "c:main");
        assert_eq!(found.version, None);
    }

    #[test]
    fn pipfiles() {
        let found = manifest(&[(
            "Pipfile",
            "[packages]\nflask = \"*\"\nuvicorn = {extras = [\"standard\"], version = \">=0.2\"}\nlib = {path = \"./lib\", editable = true}\n[dev-packages]\npytest = \"*\"\n[requires]\npython_version = \"3.11\"\n",
        )]);
        assert_eq!(
            found.pipfile.unwrap(),
            ["flask", "./lib", "uvicorn[standard]>=0.2"]
        );
        assert_eq!(found.requires_python.unwrap().0, "3.11");
    }

    #[test]
    fn a_syntax_error_has_a_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pyproject.toml"), "[project]\nname = \n").unwrap();
        let error = read(&Folder::new(dir.path())).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
