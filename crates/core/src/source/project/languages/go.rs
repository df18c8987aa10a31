//! Go: a module with `go.mod`.

use std::collections::BTreeSet;

use super::{Clues, Known, quoted};
use crate::source::project::craft::{Craft, HostFile, HostSettings, Step};
use crate::source::project::{Folder, ProjectError};

/// The variables that say from where modules come and whom to trust
/// (`go help environment`).
const SETTINGS: HostSettings = HostSettings {
    prefixes: &[
        "GOPROXY",
        "GOPRIVATE",
        "GONO",
        "GOSUMDB",
        "GOINSECURE",
        "GOAUTH",
    ],
    except: &[],
    files: &[HostFile {
        named_by: "GOENV",
        at_home: ".config/go/env",
        variable: "GOENV",
    }],
    caches: &[("GOMODCACHE", "go-modules"), ("GOCACHE", "go-build")],
    certificates: &["SSL_CERT_FILE", "GIT_SSL_CAINFO"],
};

const SOURCES: &[&str] = &[
    "**/*.go",
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "vendor/**",
    "**/testdata/**",
    "Makefile",
    ".golangci.y*ml",
];

/// Folders that Go does not look into (`go help packages`) or that hold other
/// modules' packages.
const NOT_LOOKED_INTO: [&str; 3] = ["vendor", "testdata", "node_modules"];

/// Folders below the module that are searched for programs.
const MAX_DEPTH: usize = 4;

pub fn find(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    let Some(text) = clues.folder.read("go.mod")? else {
        return Ok(None);
    };
    let module = directive(&text, "module").unwrap_or_default();
    let mut programs = Vec::new();
    search(clues.folder, "", 0, &mut programs)?;
    let chosen = choose(&programs, &module, clues)?;
    let mut craft = Craft::new("Go");
    craft.suite = clues.suite()?;
    craft.tools = vec!["golang-go".to_owned(), "git".to_owned()];
    craft.settings = SETTINGS;
    craft.sources = SOURCES;
    let mut known = Known::new(craft, "go.mod is there");
    for program in &chosen {
        known.say(
            "program",
            program_name(program, &module),
            match program.as_str() {
                "" => "the module is package main".to_owned(),
                folder => format!("{folder} is package main"),
            },
        );
    }
    known.craft.steps = vec![
        Step {
            phase: "fetching modules",
            script: "[ -f vendor/modules.txt ] || go mod download".to_owned(),
        },
        Step {
            phase: "compiling",
            script: compile(&chosen, &module),
        },
    ];
    known.name = chosen.first().map(|program| program_name(program, &module));
    known.inputs = vec!["go.mod", "go.sum", "go.work", "go.work.sum"];
    Ok(Some(known))
}

/// Without C a program is static. One that uses C through a dependency is
/// linked to the C library, as its author meant it.
fn compile(programs: &[String], module: &str) -> String {
    let folders: Vec<String> = programs
        .iter()
        .map(|folder| quoted(&format!("./{folder}")))
        .collect();
    let folders = folders.join(" ");
    let mut script = format!(
        "\
c=$(CGO_ENABLED=1 go list -deps -f '{{{{if and .CgoFiles (not .Standard)}}}}{{{{.ImportPath}}}}{{{{end}}}}' {folders})
export CGO_ENABLED=0
if [ -n \"$c\" ]; then
    command -v gcc >/dev/null || {{ echo whit needs: gcc libc6-dev pkgconf; exit 75; }}
    export CGO_ENABLED=1
fi
"
    );
    for folder in programs {
        script.push_str(&format!(
            "go build -trimpath -buildvcs=false -o \"$OUT/programs/\"{} {}\n",
            quoted(&program_name(folder, module)),
            quoted(&format!("./{folder}")),
        ));
    }
    script
}

/// The value of a one-line directive of a `go.mod`.
fn directive(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.split("//").next()?.trim();
        let rest = line.strip_prefix(name)?;
        rest.starts_with([' ', '\t'])
            .then(|| rest.trim().trim_matches('"').to_owned())
    })
}

/// The name that `go build` gives: the last element of the path, without a
/// major version.
fn program_name(folder: &str, module: &str) -> String {
    let path = match folder {
        "" => module,
        folder => folder,
    };
    let is_version = |part: &&str| {
        part.strip_prefix('v')
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    path.rsplit('/')
        .find(|part| !is_version(part) && !part.is_empty())
        .unwrap_or("app")
        .to_owned()
}

/// Folders with `package main`, the module itself as "".
fn search(
    folder: &Folder,
    at: &str,
    depth: usize,
    found: &mut Vec<String>,
) -> Result<(), ProjectError> {
    let names = folder.names(at);
    let below = |name: &str| match at {
        "" => name.to_owned(),
        at => format!("{at}/{name}"),
    };
    for name in &names {
        if name.ends_with(".go")
            && !name.ends_with("_test.go")
            && let Some(text) = folder.read(&below(name))?
            && is_main(&text)
        {
            found.push(at.to_owned());
            break;
        }
    }
    for name in names {
        let is_skipped = name.starts_with(['.', '_']) || NOT_LOOKED_INTO.contains(&name.as_str());
        let path = below(&name);
        let is_other_module = folder.has_file(&format!("{path}/go.mod"));
        if depth < MAX_DEPTH && !is_skipped && folder.has_dir(&path) && !is_other_module {
            search(folder, &path, depth + 1, found)?;
        }
    }
    Ok(())
}

/// True for a file of `package main` that every build has: no constraint, or
/// one on the system (`//go:build ignore` marks scripts).
fn is_main(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let ignored = text
        .lines()
        .take_while(|line| !line.starts_with("package "))
        .any(|line| line.trim() == "//go:build ignore" || line.trim() == "// +build ignore");
    !ignored
        && lines.any(|line| {
            line.strip_prefix("package main")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '/', ';']))
        })
}

/// The programs to build: the one that the command names, the module itself,
/// the only one, or the one that is called like the module.
fn choose(
    programs: &[String],
    module: &str,
    clues: &Clues<'_>,
) -> Result<Vec<String>, ProjectError> {
    if let Some(wanted) = clues.wanted_program() {
        let named: Vec<String> = programs
            .iter()
            .filter(|folder| program_name(folder, module) == wanted)
            .cloned()
            .collect();
        if !named.is_empty() {
            return Ok(named);
        }
    }
    let by_name = |folder: &&String| {
        folder.is_empty() || program_name(folder, module) == program_name("", module)
    };
    let in_cmd = |folder: &&String| folder.starts_with("cmd/");
    let commands: Vec<&String> = programs.iter().filter(in_cmd).collect();
    match (programs, programs.iter().find(by_name), commands.as_slice()) {
        ([], _, _) => Err(ProjectError::NoProgram {
            language: "Go",
            path: clues.dir.to_owned(),
            wanted: "package main",
        }),
        ([one], _, _) => Ok(vec![one.clone()]),
        (_, Some(own), _) => Ok(vec![own.clone()]),
        (_, None, [one]) => Ok(vec![(*one).clone()]),
        (several, None, _) => {
            let names: BTreeSet<String> = several
                .iter()
                .map(|folder| program_name(folder, module))
                .collect();
            Err(ProjectError::SeveralCommands {
                name: program_name("", module),
                dir: clues.dir.to_owned(),
                commands: names.into_iter().collect(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_named_as_go_names_them() {
        for (folder, module, name) in [
            ("", "example.org/me/hello", "hello"),
            ("", "example.org/me/hello/v2", "hello"),
            ("cmd/server", "example.org/x", "server"),
            ("", "", "app"),
        ] {
            assert_eq!(program_name(folder, module), name);
        }
        let text = "// c\nmodule \"example.org/a\" // d\n\ngo 1.22\n";
        assert_eq!(directive(text, "module").unwrap(), "example.org/a");
        assert_eq!(directive(text, "toolchain"), None);
    }

    #[test]
    fn scripts_and_other_packages_are_no_programs() {
        assert!(is_main("// Doc.\npackage main\n\nfunc main() {}\n"));
        assert!(is_main("//go:build linux\n\npackage main // x\n"));
        assert!(!is_main("//go:build ignore\n\npackage main\n"));
        assert!(!is_main("package mainly\n"));
        assert!(!is_main("package a\n"));
    }
}
