//! What the image runs, and why.
//!
//! The order of the witnesses: the user; the Dockerfile and the Procfile,
//! which were written for exactly this question; the project's only console
//! script; then what the sources look like.

use std::collections::BTreeSet;
use std::path::Path;

use super::dockerfile::{DockerFacts, Invocation};
use super::manifest::Manifest;
use super::webapp::{Modules, module_name};
use super::words::{ports, tidy, without_shell};
use super::{Detected, Folder, ProjectError, server};
use crate::settings::{Port, Settings};
use crate::source::python_deps::normalize;

/// The command of an image; empty where it is known only when the programs
/// are built.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// Ports on which it will listen, as far as its words tell.
    pub ports: Vec<Port>,
    /// Variables that it needs a value for.
    pub env: Vec<(String, String)>,
    pub detected: Detected,
}

impl Command {
    /// A command that whit found: all of it is the entrypoint, so that arguments
    /// of `docker run` are added to it.
    pub fn found(words: Vec<String>, because: String) -> Self {
        Self {
            ports: ports(&words),
            env: Vec::new(),
            detected: Detected {
                what: "command",
                value: shown(&words),
                because,
            },
            entrypoint: words,
            cmd: Vec::new(),
        }
    }

    pub fn is_known(&self) -> bool {
        !self.entrypoint.is_empty() || !self.cmd.is_empty()
    }

    /// The first word of it.
    pub fn first(&self) -> Option<&String> {
        self.entrypoint.iter().chain(&self.cmd).next()
    }

    /// The name of the program that it starts, without folders.
    pub fn program(&self) -> Option<&str> {
        let first = self.first()?;
        Some(first.rsplit('/').next().unwrap_or(first))
    }
}

/// All that is known about the project when its command is chosen.
pub struct Witnesses<'a> {
    pub dir: &'a Path,
    pub name: &'a str,
    pub folder: &'a Folder,
    pub settings: &'a Settings,
    pub manifest: &'a Manifest,
    pub docker: Option<&'a DockerFacts>,
    pub dependencies: &'a BTreeSet<String>,
}

/// Files that are started as they are, by rank.
const SCRIPTS: &[&str] = &[
    "main.py",
    "app.py",
    "run.py",
    "server.py",
    "cli.py",
    "bot.py",
    "start.py",
    "worker.py",
];

/// Console scripts that are for the people who work on the project.
const CHORES: &[&str] = &[
    "test", "tests", "lint", "format", "fmt", "check", "docs", "dev",
];

/// Chooses the command.
pub fn choose(witnesses: &Witnesses<'_>) -> Result<Command, ProjectError> {
    let mut seen = Vec::new();
    if let Some(command) = asked_for(witnesses.settings) {
        return Ok(command);
    }
    if let Some(command) = of_dockerfile(witnesses.docker, NOT_PYTHON, &mut seen) {
        return Ok(command);
    }
    if let Some(command) = of_procfile(witnesses.folder)? {
        return Ok(command);
    }
    if let Some(command) = console_script(witnesses)? {
        return Ok(command);
    }
    let modules = Modules::new(witnesses.folder, witnesses.manifest.packaged.is_some());
    if let Some(command) = main_module(witnesses, &modules) {
        return Ok(command);
    }
    if let Some(command) = django(witnesses, &modules)? {
        return Ok(command);
    }
    let mut suggestion = None;
    if let Some(command) = web(witnesses, &modules, &mut seen, &mut suggestion)? {
        return Ok(command);
    }
    if let Some(command) = script(witnesses, &modules, &mut suggestion)? {
        return Ok(command);
    }
    Err(ProjectError::NoCommand {
        name: witnesses.name.to_owned(),
        dir: witnesses.dir.to_owned(),
        seen,
        suggestion: suggestion.unwrap_or_else(|| "python YOUR_FILE.py".to_owned()),
    })
}

/// The command of a single script.
pub fn of_script(settings: &Settings, file: &str) -> Command {
    asked_for(settings).unwrap_or_else(|| {
        command(
            vec!["python".to_owned(), file.to_owned()],
            "it is the file that was named".to_owned(),
        )
    })
}

fn command(words: Vec<String>, because: String) -> Command {
    Command::found(words, because)
}

fn shown(words: &[String]) -> String {
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" "))
}

fn with_changes(because: &str, changes: &[String]) -> String {
    match changes {
        [] => because.to_owned(),
        changes => format!("{because}; {}", changes.join("; ")),
    }
}

pub fn asked_for(settings: &Settings) -> Option<Command> {
    if settings.command.is_none() && settings.entrypoint.is_none() {
        return None;
    }
    let entrypoint = tidy(settings.entrypoint.as_deref().unwrap_or_default());
    let cmd = tidy(settings.command.as_deref().unwrap_or_default());
    let mut all = entrypoint.words.clone();
    all.extend(cmd.words.clone());
    let changes = [entrypoint.changes, cmd.changes].concat();
    Some(Command {
        entrypoint: entrypoint.words,
        cmd: cmd.words,
        ..command(all, with_changes("it was asked for", &changes))
    })
}

/// Programs that say nothing about how a Python project starts.
const NOT_PYTHON: &[&str] = &["nginx", "node", "npm", "yarn", "sleep", "tail"];

/// Programs that say nothing about how a project in another language starts:
/// those that build it first, or find out themselves.
const NOT_OTHERS: &[&str] = &[
    "nginx", "sleep", "tail", "npm", "npx", "yarn", "pnpm", "corepack", "nodemon", "go", "air",
    "cargo", "make", "mvn", "mvnw", "gradle", "gradlew",
];

/// What the user, the Dockerfile or the Procfile says, for a project in
/// another language than Python.
pub fn said(
    settings: &Settings,
    folder: &Folder,
    docker: Option<&DockerFacts>,
) -> Result<Option<Command>, ProjectError> {
    if let Some(command) = asked_for(settings) {
        return Ok(Some(command));
    }
    if let Some(command) = of_dockerfile(docker, NOT_OTHERS, &mut Vec::new()) {
        return Ok(Some(command));
    }
    let command = of_procfile(folder)?;
    Ok(command.filter(|command| {
        let program = command.program().unwrap_or_default();
        !NOT_OTHERS.contains(&program)
    }))
}

fn of_dockerfile(
    docker: Option<&DockerFacts>,
    unfit: &[&str],
    seen: &mut Vec<String>,
) -> Option<Command> {
    let docker = docker?;
    let mut changes = Vec::new();
    let mut words = |invocation: &Option<Invocation>| match invocation {
        None => Vec::new(),
        Some(Invocation::Exec(words)) => {
            let tidied = tidy(words);
            changes.extend(tidied.changes);
            tidied.words
        }
        Some(Invocation::Shell(text)) => match without_shell(text) {
            Some(words) => {
                let tidied = tidy(&words);
                changes.push("no shell is needed for it".to_owned());
                changes.extend(tidied.changes);
                tidied.words
            }
            None => {
                let mut words = docker.shell.clone();
                words.push(text.clone());
                words
            }
        },
    };
    let entrypoint = words(&docker.entrypoint);
    // A CMD beside a shell-form ENTRYPOINT is never used.
    let cmd = match &docker.entrypoint {
        Some(Invocation::Shell(_)) => Vec::new(),
        _ => words(&docker.cmd),
    };
    let mut all = entrypoint.clone();
    all.extend(cmd.clone());
    let first = all.first()?;
    let program = first.rsplit('/').next().unwrap_or(first);
    let idle = all.len() == 1 && matches!(program, "bash" | "sh" | "python" | "python3");
    if idle || unfit.contains(&program) {
        seen.push(format!("the Dockerfile runs {program}"));
        return None;
    }
    let because = match (&docker.entrypoint, &docker.cmd) {
        (Some(_), Some(_)) => "the Dockerfile's ENTRYPOINT and CMD say so",
        (Some(_), None) => "the Dockerfile's ENTRYPOINT says so",
        _ => "the Dockerfile's CMD says so",
    };
    Some(Command {
        entrypoint,
        cmd,
        ..command(all, with_changes(because, &changes))
    })
}

/// The `web` process of a Procfile, or its only one.
fn of_procfile(folder: &Folder) -> Result<Option<Command>, ProjectError> {
    let text = folder.read("Procfile")?.unwrap_or_default();
    let processes: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, text)| (name.trim(), text.trim()))
        .filter(|(name, text)| !name.contains(' ') && !text.is_empty())
        .collect();
    let services: Vec<_> = processes
        .iter()
        .filter(|(name, _)| *name != "release")
        .collect();
    let process = services.iter().find(|(name, _)| *name == "web").or({
        match services.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    });
    let Some((name, text)) = process else {
        return Ok(None);
    };
    let because = format!("{name} in the Procfile says so");
    if let Some(words) = without_shell(text) {
        let tidied = tidy(&words);
        let because = with_changes(&because, &tidied.changes);
        return Ok(Some(command(tidied.words, because)));
    }
    let words = vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        format!("exec {text}"),
    ];
    let words = match text.contains("&&") || text.contains(';') || text.contains('|') {
        true => vec![words[0].clone(), words[1].clone(), (*text).to_owned()],
        false => words,
    };
    let mut command = command(words, because);
    // Heroku gives the port in a variable.
    if text.contains("$PORT") || text.contains("${PORT") {
        command
            .env
            .push(("PORT".to_owned(), server::PORT.to_string()));
        command.ports.push(Port {
            number: server::PORT,
            udp: false,
        });
    }
    Ok(Some(command))
}

fn console_script(witnesses: &Witnesses<'_>) -> Result<Option<Command>, ProjectError> {
    let manifest = witnesses.manifest;
    if manifest.packaged.is_none() {
        return Ok(None);
    }
    let scripts: Vec<&String> = manifest
        .scripts
        .keys()
        .filter(|name| !CHORES.contains(&name.as_str()))
        .collect();
    let own = manifest.name.as_deref().map(normalize);
    let named = scripts.iter().find(|script| Some(normalize(script)) == own);
    let (script, because) = match (scripts.as_slice(), named) {
        ([], _) => return Ok(None),
        ([one], _) => (*one, "it is the project's only script"),
        (_, Some(named)) => (*named, "it is the script that is named like the project"),
        (several, None) => {
            return Err(ProjectError::SeveralCommands {
                name: witnesses.name.to_owned(),
                dir: witnesses.dir.to_owned(),
                commands: several.iter().map(|name| (*name).clone()).collect(),
            });
        }
    };
    Ok(Some(command(vec![script.clone()], because.to_owned())))
}

/// `python -m package`, or the folder itself.
fn main_module(witnesses: &Witnesses<'_>, modules: &Modules<'_>) -> Option<Command> {
    let folder = witnesses.folder;
    let python = |words: &[&str], file: &str| {
        let mut all = vec!["python".to_owned()];
        all.extend(words.iter().map(|word| (*word).to_owned()));
        command(all, format!("{file} is there"))
    };
    if folder.has_file("__main__.py") {
        return Some(python(&["."], "__main__.py"));
    }
    let installed = witnesses.manifest.packaged.is_some();
    for root in ["", "src/"] {
        for package in modules.packages(root, witnesses.name) {
            let file = format!("{root}{package}/__main__.py");
            if !folder.has_file(&file) {
                continue;
            }
            let mut found = python(&["-m", &package], &file);
            if root == "src/" && !installed {
                found.env.push(("PYTHONPATH".to_owned(), "src".to_owned()));
            }
            return Some(found);
        }
    }
    None
}

fn django(
    witnesses: &Witnesses<'_>,
    modules: &Modules<'_>,
) -> Result<Option<Command>, ProjectError> {
    let Some(facts) = modules.facts("manage.py")? else {
        return Ok(None);
    };
    let site = facts
        .django_settings
        .as_deref()
        .and_then(|settings| settings.split('.').next())
        .unwrap_or_default();
    for file in ["wsgi.py", "asgi.py"] {
        let file = format!("{site}/{file}");
        if let Some(app) = modules.web_app(&file)?
            && let Some((server, words)) = server::command(&app, witnesses.dependencies)
        {
            let because = format!("{file} makes Django's application and {server} is a dependency");
            return Ok(Some(command(words, because)));
        }
    }
    let words = [
        "python",
        "manage.py",
        "runserver",
        "0.0.0.0:8000",
        "--noreload",
    ];
    let words = words.map(str::to_owned).to_vec();
    Ok(Some(command(
        words,
        "manage.py is there, and no server (gunicorn, uvicorn) is a dependency".to_owned(),
    )))
}

fn web(
    witnesses: &Witnesses<'_>,
    modules: &Modules<'_>,
    seen: &mut Vec<String>,
    suggestion: &mut Option<String>,
) -> Result<Option<Command>, ProjectError> {
    for file in modules.candidates(witnesses.name) {
        let Some(app) = modules.web_app(&file)? else {
            continue;
        };
        let maker = match app.made_by.as_str() {
            "function" => format!("{file} has the application {}", app.object),
            maker => format!("{file} makes a {maker} object"),
        };
        if let Some((server, words)) = server::command(&app, witnesses.dependencies) {
            let because = format!("{maker} and {server} is a dependency");
            return Ok(Some(command(words, because)));
        }
        let wanted = server::wanted(app.interface);
        if suggestion.is_none() {
            let with = BTreeSet::from([wanted.to_owned()]);
            *suggestion = server::command(&app, &with).map(|(_, words)| shown(&words));
            seen.push(format!(
                "{maker}, but no server ({wanted}) is among the dependencies"
            ));
        }
    }
    Ok(None)
}

/// A file that runs by itself.
fn script(
    witnesses: &Witnesses<'_>,
    modules: &Modules<'_>,
    suggestion: &mut Option<String>,
) -> Result<Option<Command>, ProjectError> {
    let folder = witnesses.folder;
    let own = format!("{}.py", witnesses.name.replace(['-', '.'], "_"));
    let mut files = vec![own.clone(), format!("src/{own}")];
    for root in ["", "src/"] {
        files.extend(SCRIPTS.iter().map(|name| format!("{root}{name}")));
    }
    let all: Vec<String> = folder
        .names("")
        .into_iter()
        .filter(|name| {
            name.ends_with(".py") && !matches!(name.as_str(), "setup.py" | "conftest.py")
        })
        .collect();
    if let [only] = all.as_slice() {
        files.push(only.clone());
    }
    for file in files {
        let Some(facts) = modules.facts(&file)? else {
            continue;
        };
        let because = match (facts.main_guard, facts.acts) {
            (true, _) => "it has a `__main__` guard",
            (false, true) => "it runs when it is started",
            (false, false) => continue,
        };
        // A file of `src` that imports `src.x` must be started as a module.
        let words = match file.strip_prefix("src/") {
            Some(_) if facts.imports.iter().any(|name| name == "src") => {
                vec!["python".to_owned(), "-m".to_owned(), module_name(&file)]
            }
            _ => vec!["python".to_owned(), file.clone()],
        };
        return Ok(Some(command(words, because.to_owned())));
    }
    if suggestion.is_none()
        && let Some(first) = all.first()
    {
        *suggestion = Some(format!("python {first}"));
    }
    Ok(None)
}
