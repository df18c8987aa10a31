//! Node: a project with `package.json`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node_version::Demand;
use super::{Clues, Known, quoted};
use crate::source::project::command::Command;
use crate::source::project::craft::{Craft, HostFile, HostSettings, Step};
use crate::source::project::words::without_shell;
use crate::source::project::{Folder, ProjectError};

/// npm reads its settings from variables too, in either case (npm-config(7));
/// pnpm shares npm's, yarn has its own.
const SETTINGS: HostSettings = HostSettings {
    prefixes: &[
        "npm_config_",
        "NPM_CONFIG_",
        "NPM_TOKEN",
        "NODE_AUTH_TOKEN",
        "YARN_",
    ],
    except: &[
        "npm_config_cache",
        "npm_config_prefix",
        "npm_config_userconfig",
        "npm_config_globalconfig",
        "npm_config_nodedir",
        "NPM_CONFIG_CACHE",
        "NPM_CONFIG_PREFIX",
        "NPM_CONFIG_USERCONFIG",
        "YARN_CACHE_FOLDER",
        "YARN_GLOBAL_FOLDER",
        "YARN_RC_FILENAME",
    ],
    files: &[HostFile {
        named_by: "NPM_CONFIG_USERCONFIG",
        at_home: ".npmrc",
        variable: "npm_config_userconfig",
    }],
    caches: &[
        ("npm_config_cache", "npm"),
        ("npm_config_store_dir", "pnpm"),
        ("YARN_CACHE_FOLDER", "yarn"),
        ("WHIT_NODE_TOOLS", "node-tools"),
    ],
    certificates: &["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "GIT_SSL_CAINFO"],
};

/// What package managers and editors read. The app's own sources stay.
const SOURCES: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "yarn.lock",
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".yarn/**",
    ".nvmrc",
    ".node-version",
    ".eslintrc*",
    "eslint.config.*",
    ".prettierrc*",
    "jest.config.*",
    "vitest.config.*",
];

/// Programs that start what `build` made.
const SERVES_BUILD: [&str; 8] = [
    "next",
    "nuxt",
    "vite",
    "astro",
    "serve",
    "remix-serve",
    "react-router-serve",
    "nest",
];

/// Folders that builds write to.
const OUTPUTS: [&str; 6] = ["dist", "build", "out", ".next", ".output", "lib"];

/// Who installs the dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Manager {
    kind: Kind,
    /// The lock file, if there is one.
    lock: Option<&'static str>,
    because: String,
    /// Sets the manager up; empty for npm, which Debian has.
    prelude: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Npm,
    Pnpm,
    /// Version 1.
    Yarn,
    /// Version 2 and later.
    Berry,
}

/// A package manager of the registry: its package, version and hash, and the
/// program in it.
struct Tool {
    program: &'static str,
    script: &'static str,
    package: &'static str,
    version: &'static str,
    integrity: &'static str,
}

const PNPM_10: Tool = Tool {
    program: "pnpm",
    script: "bin/pnpm.cjs",
    package: "pnpm",
    version: "10.15.0",
    integrity: "sha512-SG68JZ0+mZpOhpHOA7XKxKccvso5Nyqbdiy1AM/fCHPiyxar49lRse4s8BJQPwJ7mLZYTk3yJSTgx0UNnseqew==",
};
const PNPM_8: Tool = Tool {
    program: "pnpm",
    script: "bin/pnpm.cjs",
    package: "pnpm",
    version: "8.15.9",
    integrity: "sha512-SZQ0ydj90aJ5Tr9FUrOyXApjOrzuW7Fee13pDzL0e1E6ypjNXP0AHDHw20VLw4BO3M1XhQHkyik6aBYWa72fgQ==",
};
const YARN: Tool = Tool {
    program: "yarn",
    script: "bin/yarn.js",
    package: "yarn",
    version: "1.22.22",
    integrity: "sha512-prL3kGtyG7o9Z9Sv8IPfBNrWTDmXB4Qbes8A9rEzt6wkJV8mUvoirjU0Mp3GGAU06Y0XQyA3/2/RQFVuK7MTfg==",
};
const BERRY: Tool = Tool {
    program: "yarn",
    script: "bin/yarn.js",
    package: "@yarnpkg/cli-dist",
    version: "4.9.2",
    integrity: "sha512-qrMyWzvEnWhaWOflvE1pGxWGiVOPsO/q4XfGCeRPnLU8ECkvhrhJEfCNakcy3s3VHcApBASQ4fmL0sOEw6xtZQ==",
};

pub fn find(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    let Some(text) = clues.folder.read("package.json")? else {
        return Ok(None);
    };
    let package: Value = serde_json::from_str(&text).map_err(|error| ProjectError::Syntax {
        path: clues.folder.path("package.json"),
        problem: error.to_string(),
    })?;
    let manager = manager(clues.folder, &package)?;
    let start = match clues.command {
        Some(command) => Start {
            command: command.clone(),
            // What a Dockerfile starts may be what its build made.
            entry: command.first().and(entry_of(&words_of(command))),
        },
        None => match start(clues.folder, &package)? {
            Some(start) => start,
            None => return no_start(clues, &package),
        },
    };
    let build = build_reason(clues.folder, &package, &start);
    let demand = Demand::of(clues.folder, &package)?;
    let mut craft = Craft::new("Node");
    craft.settings = SETTINGS;
    craft.sources = SOURCES;
    craft.leftovers = &["node_modules"];
    craft.runtime = vec!["nodejs".to_owned()];
    craft.tools = vec!["npm".to_owned()];
    craft.env = vec![("NODE_ENV", "production")];
    craft.path = vec!["node_modules/.bin"];
    craft.stands_alone = false;
    let node = demand.choose(clues)?;
    craft.suite = node.suite;
    craft.steps = steps(&manager, build.is_some(), has_dependencies(&package));
    let mut known = Known::new(craft, "package.json is there");
    if clues.base.is_none() {
        known.say("node", node.value, node.because);
    }
    known.say(
        "packages",
        match manager.lock {
            Some(lock) => format!("{} ({lock})", manager.kind.name()),
            None => format!("{}, the newest that fit", manager.kind.name()),
        },
        manager.because.clone(),
    );
    if let Some(because) = build {
        known.say(
            "build",
            format!("{} run build", manager.kind.name()),
            because,
        );
    }
    let field = |key: &str| Some(package.get(key)?.as_str()?.to_owned());
    known.name = field("name").map(|name| name.rsplit('/').next().unwrap_or_default().to_owned());
    known.version = field("version");
    known.description = field("description");
    known.license = field("license");
    known.command = Some(start.command);
    known.inputs = vec![
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "pnpm-lock.yaml",
        "yarn.lock",
    ];
    Ok(Some(known))
}

/// A `package.json` that starts nothing: often only the settings of a tool,
/// beside a project in another language.
fn no_start(clues: &Clues<'_>, package: &Value) -> Result<Option<Known>, ProjectError> {
    if !has_dependencies(package) {
        return Ok(None);
    }
    Err(ProjectError::NoCommand {
        name: package["name"].as_str().unwrap_or("the project").to_owned(),
        dir: clues.dir.to_owned(),
        seen: vec!["package.json has no start script, no main and no bin that is there".to_owned()],
        suggestion: "node YOUR_FILE.js".to_owned(),
    })
}

fn has_dependencies(package: &Value) -> bool {
    ["dependencies", "optionalDependencies", "workspaces"]
        .iter()
        .any(|key| match &package[*key] {
            Value::Object(map) => !map.is_empty(),
            Value::Array(list) => !list.is_empty(),
            _ => false,
        })
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Npm => "npm",
            Kind::Pnpm => "pnpm",
            Kind::Yarn | Kind::Berry => "yarn",
        }
    }

    /// Installs everything, or what production needs.
    fn install(self, is_locked: bool, production: bool) -> String {
        let text = match (self, is_locked, production) {
            (Kind::Npm, true, false) => "npm ci --include=dev",
            (Kind::Npm, true, true) => "npm ci --omit=dev",
            (Kind::Npm, false, false) => "npm install --include=dev",
            (Kind::Npm, false, true) => "npm install --omit=dev",
            (Kind::Pnpm, true, false) => "pnpm install --frozen-lockfile",
            (Kind::Pnpm, true, true) => "pnpm install --frozen-lockfile --prod",
            (Kind::Pnpm, false, false) => "pnpm install",
            (Kind::Pnpm, false, true) => "pnpm install --prod",
            (Kind::Yarn, _, false) => "yarn install --frozen-lockfile --production=false",
            (Kind::Yarn, _, true) => "yarn install --frozen-lockfile --production",
            (Kind::Berry, _, false) => "yarn install --immutable",
            (Kind::Berry, _, true) => "yarn workspaces focus --all --production",
        };
        match self {
            Kind::Npm => format!("{text} --no-audit --no-fund"),
            _ => text.to_owned(),
        }
    }

    /// Takes what only development needs away again.
    fn prune(self) -> &'static str {
        match self {
            Kind::Npm => "npm prune --omit=dev --no-audit --no-fund",
            Kind::Pnpm => "pnpm prune --prod",
            Kind::Yarn => {
                "yarn install --frozen-lockfile --production --ignore-scripts --prefer-offline"
            }
            Kind::Berry => "yarn workspaces focus --all --production",
        }
    }
}

/// `node-gyp` says so in its log when a package compiles an addon.
const INSTALL: &str = "\
install() {
    if ! \"$@\" >/whit/tmp/log 2>&1; then
        cat /whit/tmp/log
        if grep -q -e 'gyp ERR' -e 'node-gyp' /whit/tmp/log && ! command -v g++ >/dev/null; then
            echo whit needs: g++ make python3 libnode-dev
            exit 75
        fi
        exit 1
    fi
}
export npm_config_nodedir=/usr YARN_NODE_LINKER=node-modules YARN_ENABLE_TELEMETRY=0
command -v npm >/dev/null || { echo whit needs: npm; exit 75; }
";

/// What is new in the folder is the build's.
const COLLECT: &str = "\
mkdir -p \"$OUT/built$APP\"
find . -path ./node_modules -prune -o -path ./.yarn -prune -o -type f -newer /whit/tmp/begun ! -name '*.tsbuildinfo' -print \
| while read -r file; do
    cp --parents -P \"$file\" \"$OUT/built$APP/\"
done
rm -rf \"$OUT/built$APP/.next/cache\"
";

const KEEP_DEPENDENCIES: &str = "\
if [ -d node_modules ]; then
    mkdir -p \"$OUT/dependencies$APP\"
    rm -rf node_modules/.cache node_modules/.package-lock.json node_modules/.modules.yaml node_modules/.yarn-integrity node_modules/.yarn-state.yml
    mv node_modules \"$OUT/dependencies$APP/\"
fi
";

fn steps(manager: &Manager, is_built: bool, has_dependencies: bool) -> Vec<Step> {
    let kind = manager.kind;
    let prelude = format!("{INSTALL}{}", manager.prelude);
    let mut steps = Vec::new();
    let mut add = |phase, script: String| steps.push(Step { phase, script });
    if has_dependencies || is_built {
        let install = kind.install(manager.lock.is_some(), !is_built);
        add(
            "installing packages",
            format!("{prelude}install {install}\n"),
        );
    }
    if is_built {
        let name = kind.name();
        add(
            "building",
            format!("{prelude}touch /whit/tmp/begun\nsleep 0.01\n{name} run build\n{COLLECT}"),
        );
        add(
            "leaving development out",
            format!("{prelude}{}\n", kind.prune()),
        );
    }
    add("keeping packages", KEEP_DEPENDENCIES.to_owned());
    steps
}

/// By the lock file; `packageManager` says which version.
fn manager(folder: &Folder, package: &Value) -> Result<Manager, ProjectError> {
    let asked = package["packageManager"].as_str().unwrap_or_default();
    let (asked_name, asked_version) = asked.split_once('@').unwrap_or((asked, ""));
    let asked_version = asked_version.split('+').next().unwrap_or_default();
    let found = |kind, lock: &'static str, prelude: String| Manager {
        kind,
        lock: Some(lock),
        because: format!("{lock} is there"),
        prelude,
    };
    for lock in ["package-lock.json", "npm-shrinkwrap.json"] {
        if folder.has_file(lock) {
            return Ok(found(Kind::Npm, lock, String::new()));
        }
    }
    if let Some(text) = folder.read("pnpm-lock.yaml")? {
        let is_old = text
            .lines()
            .find_map(|line| line.strip_prefix("lockfileVersion:"))
            .is_some_and(|version| {
                let version = version.trim().trim_matches(['\'', '"']);
                version.starts_with("6.") || version.starts_with("5.")
            });
        let tool = if is_old { PNPM_8 } else { PNPM_10 };
        let own = (asked_name == "pnpm").then_some(asked_version);
        let prelude = tool.prelude(own, "export npm_config_package_import_method=copy\n");
        return Ok(found(Kind::Pnpm, "pnpm-lock.yaml", prelude));
    }
    if let Some(text) = folder.read("yarn.lock")? {
        let own = (asked_name == "yarn").then_some(asked_version);
        return Ok(match text.contains("\n__metadata:") {
            true => found(Kind::Berry, "yarn.lock", BERRY.prelude(own, "")),
            false => found(Kind::Yarn, "yarn.lock", YARN.prelude(own, "")),
        });
    }
    Ok(Manager {
        kind: Kind::Npm,
        lock: None,
        because: "there is no lock file; commit package-lock.json, and the same come again"
            .to_owned(),
        prelude: String::new(),
    })
}

impl Tool {
    /// Installs the tool once, and puts it in front of `PATH`. npm checks the
    /// hash of the pinned version; a version that the project names is checked
    /// by what the registry says.
    fn prelude(&self, own: Option<&str>, more: &str) -> String {
        let own = own.filter(|version| {
            !version.is_empty()
                && version
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        });
        let package = self.package;
        let version = own.unwrap_or(self.version);
        let manifest =
            format!("{{\"private\":true,\"dependencies\":{{\"{package}\":\"{version}\"}}}}");
        let fetch = match own {
            Some(_) => "npm install --ignore-scripts --no-audit --no-fund".to_owned(),
            None => format!(
                "printf %s '{{\"lockfileVersion\":3,\"requires\":true,\"packages\":{{\"\":{{\"dependencies\":{{\"{package}\":\"{version}\"}}}},\"node_modules/{package}\":{{\"version\":\"{version}\",\"integrity\":\"{}\",\"bin\":{{\"{}\":\"{}\"}}}}}}}}' >package-lock.json; npm ci --ignore-scripts --no-audit --no-fund",
                self.integrity, self.program, self.script
            ),
        };
        let name = package.trim_start_matches('@').replace('/', "-");
        format!(
            "\
tool=\"$WHIT_NODE_TOOLS/{name}-{version}\"
if [ ! -d \"$tool\" ]; then
    draft=$(mktemp -d \"$WHIT_NODE_TOOLS/.draft-XXXXXX\")
    (cd \"$draft\"; printf %s '{manifest}' >package.json; {fetch}) >/whit/tmp/tool 2>&1 || {{ cat /whit/tmp/tool; exit 1; }}
    mv -T \"$draft\" \"$tool\" || rm -rf \"$draft\"
fi
PATH=\"$tool/node_modules/.bin:$PATH\"
{more}"
        )
    }
}

/// How a project starts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Start {
    command: Command,
    /// The file that is run, relative to the project.
    entry: Option<String>,
}

fn start(folder: &Folder, package: &Value) -> Result<Option<Start>, ProjectError> {
    if let Some(text) = package["scripts"]["start"].as_str() {
        let scripts = &package["scripts"];
        return Ok(Some(of_script(scripts, text)));
    }
    let of_file = |file: &str, because: String| {
        let file = file.trim_start_matches("./");
        Start {
            command: Command::found(vec!["node".to_owned(), file.to_owned()], because),
            entry: Some(file.to_owned()),
        }
    };
    let is_there = |file: &str| {
        folder.has_file(file)
            || OUTPUTS.iter().any(|output| {
                file.trim_start_matches("./")
                    .starts_with(&format!("{output}/"))
            })
    };
    // What `npm start` runs where nobody says otherwise.
    if folder.has_file("server.js") {
        return Ok(Some(of_file("server.js", "server.js is there".to_owned())));
    }
    if let Some(main) = package["main"].as_str() {
        let main = match folder.has_dir(main) {
            true => format!("{}/index.js", main.trim_end_matches('/')),
            false => main.to_owned(),
        };
        let with_ending = format!("{main}.js");
        if let Some(file) = [main, with_ending].into_iter().find(|file| is_there(file)) {
            return Ok(Some(of_file(
                &file,
                "main in package.json says so".to_owned(),
            )));
        }
    }
    let bin = match &package["bin"] {
        Value::String(file) => Some(file.as_str()),
        Value::Object(map) if map.len() == 1 => map.values().next().and_then(Value::as_str),
        _ => None,
    };
    if let Some(file) = bin.filter(|file| is_there(file)) {
        return Ok(Some(of_file(
            file,
            "bin in package.json says so".to_owned(),
        )));
    }
    let usual = ["index.js", "app.js", "main.js", "index.mjs", "server.mjs"];
    Ok(usual
        .into_iter()
        .find(|file| folder.has_file(file))
        .map(|file| of_file(file, format!("{file} is there"))))
}

/// The command of a script, without the shell and npm around it where they do
/// nothing.
fn of_script(scripts: &Value, text: &str) -> Start {
    const MAX_DEPTH: usize = 8;
    let mut text = text.trim().to_owned();
    let mut env = BTreeMap::new();
    for _ in 0..MAX_DEPTH {
        let (assigned, rest) = assignments(&text);
        env.extend(assigned);
        text = rest;
        let next = ["npm run ", "pnpm run ", "yarn run ", "yarn ", "pnpm "]
            .iter()
            .find_map(|runner| text.strip_prefix(runner))
            .and_then(|name| scripts[name.trim()].as_str());
        match next {
            Some(next) => text = next.trim().to_owned(),
            None => break,
        }
    }
    let words = match without_shell(&text) {
        Some(mut words) => {
            if words.first().is_some_and(|word| word == "nodemon") {
                words[0] = "node".to_owned();
            }
            words
        }
        None => vec!["/bin/sh".to_owned(), "-c".to_owned(), text.clone()],
    };
    let entry = entry_of(&words);
    let because = format!("the start script says {}", quoted(&text));
    let mut command = Command::found(words, because);
    command.env = env.into_iter().collect();
    Start { command, entry }
}

/// Assignments in front of a command, cross-env's too.
fn assignments(text: &str) -> (Vec<(String, String)>, String) {
    let mut rest = text.trim_start();
    if let Some(after) = rest.strip_prefix("cross-env ") {
        rest = after.trim_start();
    }
    let mut found = Vec::new();
    while let Some((word, after)) = rest.split_once(' ') {
        let Some((name, value)) = word.split_once('=') else {
            break;
        };
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !is_name || value.contains(['$', '"', '\'', '`']) {
            break;
        }
        found.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    (found, rest.to_owned())
}

fn words_of(command: &Command) -> Vec<String> {
    [command.entrypoint.as_slice(), command.cmd.as_slice()].concat()
}

/// The file that `node` is given.
fn entry_of(words: &[String]) -> Option<String> {
    let (first, rest) = words.split_first()?;
    if first.rsplit('/').next() != Some("node") {
        return None;
    }
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-r" | "--require" | "--import" | "--loader" | "--env-file" => drop(rest.next()),
            word if word.starts_with('-') => {}
            word => return Some(word.trim_start_matches("./").to_owned()),
        }
    }
    None
}

/// Why `build` has to run, if it has.
fn build_reason(folder: &Folder, package: &Value, start: &Start) -> Option<String> {
    package["scripts"]["build"].as_str()?;
    let program = start.command.program().unwrap_or_default();
    if SERVES_BUILD.contains(&program) {
        return Some(format!("{program} serves what it makes"));
    }
    let entry = start.entry.as_deref()?;
    let candidates = [
        entry.to_owned(),
        format!("{entry}.js"),
        format!("{entry}/index.js"),
    ];
    if !candidates.iter().any(|file| folder.has_file(file)) {
        return Some(format!("it makes {entry}, which is started"));
    }
    let text = candidates
        .iter()
        .find_map(|file| folder.read(file).ok().flatten())?;
    let output = OUTPUTS.iter().find(|output| {
        let named = [
            format!("'{output}"),
            format!("\"{output}"),
            format!("/{output}"),
        ];
        !folder.has_dir(output) && named.iter().any(|name| text.contains(name))
    })?;
    Some(format!("{entry} names {output}, which is not there"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    /// The command, and why the build runs.
    fn started(package: Value, files: &[(&str, &str)]) -> (String, Option<String>) {
        let (_dir, folder) = folder(files);
        let start = start(&folder, &package).unwrap().unwrap();
        let build = build_reason(&folder, &package, &start);
        let env: String = start
            .command
            .env
            .iter()
            .map(|(n, v)| format!("{n}={v} "))
            .collect();
        (env + &words_of(&start.command).join(" "), build)
    }

    #[test]
    fn commands_without_the_shell_around_them() {
        for (script, command) in [
            ("node server.js", "node server.js"),
            (
                "NODE_ENV=production node ./a.js --x",
                "NODE_ENV=production node ./a.js --x",
            ),
            ("cross-env A=1 B=2 node a.js", "A=1 B=2 node a.js"),
            ("npm run serve", "node s.js"),
            ("nodemon a.js", "node a.js"),
            (
                "node a.js && node b.js",
                "/bin/sh -c node a.js && node b.js",
            ),
            ("A=$B node a.js", "/bin/sh -c A=$B node a.js"),
            ("next start", "next start"),
        ] {
            let package = json!({"scripts": {"start": script, "serve": "node s.js"}});
            assert_eq!(started(package, &[]).0, command, "{script}");
        }
        let main = json!({"main": "lib"});
        assert_eq!(
            started(main, &[("lib/index.js", "")]).0,
            "node lib/index.js"
        );
        let bin = json!({"bin": {"tool": "./cli.js"}});
        assert_eq!(started(bin, &[("cli.js", "")]).0, "node cli.js");
        assert_eq!(started(json!({}), &[("server.js", "")]).0, "node server.js");
    }

    #[test]
    fn builds_run_where_the_start_needs_them() {
        let package = |start: &str| json!({"scripts": {"start": start, "build": "tsc"}});
        let reason = |start: &str, files: &[(&str, &str)]| started(package(start), files).1;
        assert!(
            reason("node dist/a.js", &[])
                .unwrap()
                .contains("makes dist/a.js")
        );
        assert!(reason("next start", &[]).unwrap().contains("serves"));
        assert_eq!(reason("node a.js", &[("a.js", "1")]), None);
        let server = "app.use(express.static('dist'))";
        assert!(
            reason("node a.js", &[("a.js", server)])
                .unwrap()
                .contains("names dist")
        );
        assert_eq!(
            reason("node a.js", &[("a.js", server), ("dist/x", "")]),
            None
        );
        assert_eq!(started(json!({"main": "dist/a.js"}), &[]).1, None);
    }

    #[test]
    fn who_installs() {
        let kind = |files: &[(&str, &str)]| {
            let (_dir, folder) = folder(files);
            let package = json!({"packageManager": "pnpm@9.1.0+sha512.ab"});
            let manager = manager(&folder, &package).unwrap();
            (manager.kind, manager.prelude)
        };
        assert_eq!(kind(&[("package-lock.json", "")]).0, Kind::Npm);
        assert_eq!(kind(&[("yarn.lock", "# yarn lockfile v1\n")]).0, Kind::Yarn);
        assert_eq!(kind(&[("yarn.lock", "#\n\n__metadata:\n")]).0, Kind::Berry);
        let (kind, prelude) = kind(&[("pnpm-lock.yaml", "lockfileVersion: '9.0'\n")]);
        assert_eq!(kind, Kind::Pnpm);
        assert!(prelude.contains("pnpm-9.1.0"), "{prelude}");
    }
}
