//! Rust: a package or workspace with `Cargo.toml`.

use super::{Clues, Known, quoted};
use crate::source::project::craft::{Craft, HostFile, HostSettings, Step};
use crate::source::project::{Folder, ProjectError};

/// Registries, their tokens and the network (The Cargo Book, "Environment
/// Variables"). The target and its folder are whit's business.
const SETTINGS: HostSettings = HostSettings {
    prefixes: &[
        "CARGO_REGISTRY_",
        "CARGO_REGISTRIES_",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_SOURCE_",
    ],
    except: &["CARGO_HTTP_CAINFO"],
    files: &[HostFile {
        named_by: "",
        at_home: ".cargo/config.toml",
        variable: "WHIT_CARGO_CONFIG",
    }],
    caches: &[("CARGO_HOME", "cargo")],
    certificates: &["CARGO_HTTP_CAINFO", "SSL_CERT_FILE", "GIT_SSL_CAINFO"],
};

const SOURCES: &[&str] = &[
    "**/*.rs",
    "**/Cargo.toml",
    "Cargo.lock",
    ".cargo/**",
    "rust-toolchain",
    "rust-toolchain.toml",
    "rustfmt.toml",
    ".rustfmt.toml",
    "clippy.toml",
    "deny.toml",
    "**/benches/**",
    "vendor/**",
    "Makefile",
    "justfile",
];

/// Members of a workspace that are looked at.
const MAX_MEMBERS: usize = 500;

/// A program of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    name: String,
    package: String,
    because: String,
}

pub fn find(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    let Some(manifest) = manifest(clues.folder, "Cargo.toml")? else {
        return Ok(None);
    };
    let mut programs = Vec::new();
    for folder in members(clues.folder, &manifest) {
        programs.extend(programs_of(clues.folder, &folder)?);
    }
    let program = choose(&programs, &manifest, clues)?;
    let mut craft = Craft::new("Rust");
    craft.suite = clues.suite()?;
    craft.tools = ["cargo", "rustc", "gcc", "libc6-dev", "pkgconf"]
        .map(str::to_owned)
        .to_vec();
    craft.settings = SETTINGS;
    craft.sources = SOURCES;
    craft.leftovers = &["target"];
    let has_lock = clues.folder.has_file("Cargo.lock");
    craft.steps = vec![
        Step {
            phase: "fetching crates",
            script: format!("{CARGO}$cargo fetch{}\n", locked(has_lock)),
        },
        Step {
            phase: "compiling",
            script: compile(&program, has_lock),
        },
    ];
    let mut known = Known::new(craft, "Cargo.toml is there");
    known.say("program", program.name.clone(), program.because.clone());
    if !has_lock {
        known.say(
            "crates",
            "the newest that fit",
            "there is no Cargo.lock; commit one, and the same come again",
        );
    }
    let package = manifest.get("package");
    let text = |key: &str| Some(package?.get(key)?.as_str()?.to_owned());
    known.name = Some(program.name);
    known.version = text("version");
    known.description = text("description");
    known.license = text("license");
    known.inputs = vec!["Cargo.toml", "Cargo.lock"];
    Ok(Some(known))
}

const CARGO: &str = "\
cargo=cargo
if [ -n \"$WHIT_CARGO_CONFIG\" ]; then cargo=\"cargo --config $WHIT_CARGO_CONFIG\"; fi
";

fn locked(has_lock: bool) -> &'static str {
    match has_lock {
        true => " --locked",
        false => "",
    }
}

/// glibc inside (`crt-static`), unless a crate links to a library of the
/// system: then dynamic, with that library's package.
///
/// The target is named, for flags for the image's program would otherwise hold
/// for build scripts and procedural macros too.
fn compile(program: &Program, has_lock: bool) -> String {
    let build = format!(
        "$cargo build --release{locked} --target \"$target\" --target-dir /whit/tmp/target -p {package} --bin {name}",
        locked = locked(has_lock),
        package = quoted(&program.package),
        name = quoted(&program.name),
    );
    format!(
        "\
{CARGO}target=$(rustc -vV | sed -n 's/^host: //p')
flags=\"$RUSTFLAGS --remap-path-prefix=$CARGO_HOME=/cargo\"
export RUSTFLAGS=\"$flags -C target-feature=+crt-static\"
if ! {build} 2>/whit/tmp/log; then
    cat /whit/tmp/log >&2
    grep -q -e 'ld: ' -e 'attempted static link' -e 'crt-static' -e 'PKG_CONFIG_ALL_STATIC' /whit/tmp/log || exit 1
    echo 'not static: a library of the system has no static form' >&2
    export RUSTFLAGS=\"$flags\"
    {build}
fi
cp \"/whit/tmp/target/$target/release/\"{name} \"$OUT/programs/\"
",
        name = quoted(&program.name),
    )
}

fn manifest(folder: &Folder, path: &str) -> Result<Option<toml::Table>, ProjectError> {
    let Some(text) = folder.read(path)? else {
        return Ok(None);
    };
    let parsed = toml::from_str(&text).map_err(|error: toml::de::Error| ProjectError::Syntax {
        path: folder.path(path),
        problem: error.to_string(),
    })?;
    Ok(Some(parsed))
}

/// Folders of packages: the root, and the workspace's members. `*` stands for
/// every folder there (The Cargo Book, "Workspaces").
fn members(folder: &Folder, root: &toml::Table) -> Vec<String> {
    let mut found = vec![String::new()];
    let list = root
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(toml::Value::as_array);
    for member in list.into_iter().flatten().filter_map(toml::Value::as_str) {
        match member.strip_suffix("/*").or((member == "*").then_some("")) {
            Some(above) => found.extend(folder.names(above).into_iter().map(|name| match above {
                "" => name,
                above => format!("{above}/{name}"),
            })),
            None => found.push(member.trim_end_matches('/').to_owned()),
        }
    }
    found.truncate(MAX_MEMBERS);
    found
}

/// The executables of one package, declared or found where Cargo finds them.
fn programs_of(folder: &Folder, at: &str) -> Result<Vec<Program>, ProjectError> {
    let below = |path: &str| match at {
        "" => path.to_owned(),
        at => format!("{at}/{path}"),
    };
    let Some(manifest) = manifest(folder, &below("Cargo.toml"))? else {
        return Ok(Vec::new());
    };
    let package = manifest.get("package");
    let Some(name) = package.and_then(|package| package.get("name")?.as_str()) else {
        return Ok(Vec::new());
    };
    let program = |program: &str, because: String| Program {
        name: program.to_owned(),
        package: name.to_owned(),
        because,
    };
    let mut found: Vec<Program> = manifest
        .get("bin")
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|bin| bin.get("name")?.as_str())
        .map(|bin| program(bin, format!("{} has it as [[bin]]", below("Cargo.toml"))))
        .collect();
    let is_automatic = package
        .and_then(|package| package.get("autobins")?.as_bool())
        .unwrap_or(true);
    if is_automatic {
        let mut add = |bin: &str, path: String| {
            if !found.iter().any(|known| known.name == bin) {
                found.push(program(bin, format!("{path} is there")));
            }
        };
        let declared = manifest.contains_key("bin");
        if folder.has_file(&below("src/main.rs")) && !declared {
            add(name, below("src/main.rs"));
        }
        for entry in folder.names(&below("src/bin")) {
            let path = below(&format!("src/bin/{entry}"));
            match entry.strip_suffix(".rs") {
                Some(bin) => add(bin, path),
                None if folder.has_file(&format!("{path}/main.rs")) => add(&entry, path),
                None => {}
            }
        }
    }
    Ok(found)
}

fn choose(
    programs: &[Program],
    manifest: &toml::Table,
    clues: &Clues<'_>,
) -> Result<Program, ProjectError> {
    let package = manifest.get("package");
    let text = |key: &str| package?.get(key)?.as_str();
    let names = [clues.wanted_program(), text("default-run"), text("name")];
    for name in names.into_iter().flatten() {
        if let Some(program) = programs.iter().find(|program| program.name == name) {
            return Ok(program.clone());
        }
    }
    match programs {
        [] => Err(ProjectError::NoProgram {
            language: "Rust",
            path: clues.dir.to_owned(),
            wanted: "src/main.rs or a [[bin]]",
        }),
        [one] => Ok(one.clone()),
        several => Err(ProjectError::SeveralCommands {
            name: text("name").unwrap_or("the workspace").to_owned(),
            dir: clues.dir.to_owned(),
            commands: several.iter().map(|program| program.name.clone()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let folder = Folder::new(dir.path());
        (dir, folder)
    }

    fn names(files: &[(&str, &str)]) -> Vec<String> {
        let (_dir, folder) = folder(files);
        let root = manifest(&folder, "Cargo.toml").unwrap().unwrap();
        members(&folder, &root)
            .iter()
            .flat_map(|member| programs_of(&folder, member).unwrap())
            .map(|program| program.name)
            .collect()
    }

    #[test]
    fn programs_where_cargo_finds_them() {
        let package = "[package]\nname = \"a\"\n";
        assert_eq!(
            names(&[
                ("Cargo.toml", package),
                ("src/main.rs", ""),
                ("src/bin/b.rs", ""),
                ("src/bin/c/main.rs", ""),
            ]),
            ["a", "b", "c"]
        );
        assert_eq!(
            names(&[
                (
                    "Cargo.toml",
                    "[package]\nname = \"a\"\n[[bin]]\nname = \"x\"\npath = \"src/main.rs\"\n"
                ),
                ("src/main.rs", ""),
            ]),
            ["x"]
        );
        assert_eq!(
            names(&[
                (
                    "Cargo.toml",
                    "[workspace]\nmembers = [\"crates/*\", \"tool\"]\n"
                ),
                ("crates/lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
                ("crates/lib/src/lib.rs", ""),
                ("crates/app/Cargo.toml", "[package]\nname = \"app\"\n"),
                ("crates/app/src/main.rs", ""),
                ("tool/Cargo.toml", "[package]\nname = \"tool\"\n"),
                ("tool/src/main.rs", ""),
            ]),
            ["app", "tool"]
        );
    }
}
