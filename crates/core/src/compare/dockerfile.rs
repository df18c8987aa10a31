//! The Dockerfiles of the trade: what people write for each strategy.

use std::fmt::Write;

use super::Strategy;
use crate::source::project::{Project, PythonApp, Requirements};

/// Where the distroless image has its interpreter.
const DISTROLESS_PYTHON: &str = "/usr/bin/python3";
/// Where its stage before installs.
const PACKAGES: &str = "/opt/packages";

/// A Dockerfile for a strategy; `None` where an engine's build is not what it
/// is made by.
pub fn dockerfile(strategy: Strategy, project: &Project, app: &PythonApp) -> Option<String> {
    let python = &app.python.version;
    let base = match strategy {
        Strategy::Common => format!("python:{python}"),
        Strategy::Magic => format!("python:{python}-slim"),
        Strategy::Rare => "gcr.io/distroless/python3-debian12".to_owned(),
        Strategy::Epic => format!("python:{python}-alpine"),
        Strategy::Legendary | Strategy::Tight | Strategy::OneFile => return None,
    };
    let mut text = String::new();
    let mut command = [
        project.command.entrypoint.clone(),
        project.command.cmd.clone(),
    ]
    .concat();
    if strategy == Strategy::Rare {
        line(
            &mut text,
            format_args!("FROM python:{python}-slim AS build"),
        );
        let _ = write!(text, "{}", copied(project));
        if let Some(words) = install(project, app) {
            line(
                &mut text,
                format_args!("RUN pip install --no-cache-dir --target {PACKAGES} {words}"),
            );
        } else {
            line(&mut text, format_args!("RUN mkdir {PACKAGES}"));
        }
        line(&mut text, format_args!("\nFROM {base}"));
        line(
            &mut text,
            format_args!("COPY --from=build {PACKAGES} {PACKAGES}"),
        );
        line(
            &mut text,
            format_args!("COPY --from=build {0} {0}", project.workdir),
        );
        line(&mut text, format_args!("WORKDIR {}", project.workdir));
        line(
            &mut text,
            format_args!("ENV PYTHONPATH={PACKAGES} PATH={PACKAGES}/bin:/usr/bin:/bin"),
        );
        command = by_interpreter(command);
    } else {
        line(&mut text, format_args!("FROM {base}"));
        let _ = write!(text, "{}", copied(project));
        if let Some(words) = install(project, app) {
            let cache = match strategy {
                Strategy::Common => "",
                _ => "--no-cache-dir ",
            };
            line(&mut text, format_args!("RUN pip install {cache}{words}"));
        }
    }
    for (name, value) in &project.env {
        line(&mut text, format_args!("ENV {name}={}", quoted(value)));
    }
    for port in &project.expose {
        line(&mut text, format_args!("EXPOSE {port}"));
    }
    line(&mut text, format_args!("USER {}", project.account.id()));
    let command: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    if strategy == Strategy::Rare {
        // The image has one of its own.
        line(
            &mut text,
            format_args!("ENTRYPOINT [{}]", command.join(", ")),
        );
    } else {
        line(&mut text, format_args!("CMD [{}]", command.join(", ")));
    }
    Some(text)
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn copied(project: &Project) -> String {
    format!("WORKDIR {}\nCOPY . .\n", project.workdir)
}

/// What is behind `pip install`.
fn install(project: &Project, app: &PythonApp) -> Option<String> {
    if app.installed.is_some() {
        return Some(".".to_owned());
    }
    match &app.requirements {
        Requirements::Nothing => None,
        Requirements::Files(files) => Some(
            files
                .iter()
                .map(
                    |file| match file.ends_with(".txt") || file.ends_with(".lock") {
                        true => format!("-r {file}"),
                        false => ".".to_owned(),
                    },
                )
                .collect::<Vec<_>>()
                .join(" "),
        ),
        Requirements::Lines(lines) => Some(
            lines
                .iter()
                .map(|line| format!("'{line}'"))
                .collect::<Vec<_>>()
                .join(" "),
        ),
        // A list with hashes, or a lock file beside the project's own.
        Requirements::UvLock | Requirements::Pinned(_) => {
            let list = project.inputs.keys().find(|name| name.ends_with(".txt"));
            Some(list.map_or_else(|| ".".to_owned(), |list| format!("-r {list}")))
        }
    }
}

/// Without a shell's `PATH` look-up and with another interpreter: console
/// scripts name that of the stage before.
fn by_interpreter(command: Vec<String>) -> Vec<String> {
    let Some((program, rest)) = command.split_first() else {
        return command;
    };
    let name = program.rsplit('/').next().unwrap_or(program);
    let mut words = vec![DISTROLESS_PYTHON.to_owned()];
    if !name.starts_with("python") {
        words.push(format!("{PACKAGES}/bin/{name}"));
    }
    words.extend_from_slice(rest);
    words
}

/// A JSON string, which Dockerfiles take for a quoted word, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::source::project::{Language, detect};

    fn of(strategy: Strategy) -> Option<String> {
        with(strategy, "gunicorn\nflask\n")
    }

    fn with(strategy: Strategy, requirements: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        write("requirements.txt", requirements).unwrap();
        write("app.py", "from flask import Flask\napp = Flask(__name__)\n").unwrap();
        let project = detect(folder.path(), &Settings::default(), None).unwrap();
        let Language::Python(app) = &project.language else {
            panic!("no Python project");
        };
        dockerfile(strategy, &project, app)
    }

    #[test]
    fn the_engine_s_strategies_have_one() {
        let common = of(Strategy::Common).unwrap();
        assert!(
            common.starts_with(
                "FROM python:3.11\nWORKDIR /app\nCOPY . .\nRUN pip install -r requirements.txt\n"
            ),
            "{common}"
        );
        assert!(
            common.contains("\nUSER 65532:65532\nCMD [\"gunicorn\", "),
            "{common}"
        );
        let epic = of(Strategy::Epic).unwrap();
        assert!(epic.starts_with("FROM python:3.11-alpine\n"), "{epic}");
        assert_eq!(of(Strategy::Legendary), None);
    }

    #[test]
    fn a_list_with_hashes_is_a_list() {
        let hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        let list = format!("gunicorn==23.0.0 --hash={hash}\nflask==3.1.0 --hash={hash}\n");
        let common = with(Strategy::Common, &list).unwrap();
        assert!(
            common.contains("\nRUN pip install -r requirements.txt\n"),
            "{common}"
        );
    }

    #[test]
    fn distroless_has_its_own_interpreter() {
        let rare = of(Strategy::Rare).unwrap();
        assert!(
            rare.contains("ENTRYPOINT [\"/usr/bin/python3\", \"/opt/packages/bin/gunicorn\", "),
            "{rare}"
        );
        assert!(rare.contains("\nCOPY --from=build /app /app\n"), "{rare}");
    }
}
