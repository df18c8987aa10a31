//! What was found out, as settings: for `whit config`, and as the file that
//! `whit init` writes.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Account, Language, Project};
use crate::settings::Port;

/// A value that holds because it was detected.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// A key of `whit.toml`; `env.NAME` for a variable.
    pub key: String,
    pub value: Value,
    pub because: String,
}

/// What `whit init` says of keys that it does not set.
const OTHERS: &str = r#"
# What stays: "safe" is all that code can reach, "tight" what was observed,
# "repack" everything but litter. Globs decide about single paths.
# policy = "safe"
# keep = ["/app/plugins"]
# drop = ["/usr/share/zoneinfo/right"]

# Where the image goes, its name, and how its layers are compressed.
# output = "docker-archive:NAME.tar"
# tag = "NAME:latest"
# compress = "gzip:10"

# Questions to the app besides the automatic ones, one per table.
# [[probe]]
# http = "GET /items?limit=1"
#
# [[probe]]
# exec = "python -m app --version"

# What `whit size` accepts.
# [budget]
# size = "100MB"
# compressed = "40MB"
"#;

impl Project {
    /// Everything that detection says about keys of `whit.toml`.
    pub fn proposals(&self) -> Vec<Proposal> {
        let mut found = Vec::new();
        let mut propose = |key: &str, value: Value, because: String| {
            found.push(Proposal {
                key: key.to_owned(),
                value,
                because,
            });
        };
        for (key, words) in [
            ("entrypoint", &self.command.entrypoint),
            ("command", &self.command.cmd),
        ] {
            if !words.is_empty() {
                propose(key, json!(words), self.command.detected.because.clone());
            }
        }
        for (name, value) in &self.env {
            let because = match self.command.env.iter().any(|(known, _)| known == name) {
                true => "the command reads it",
                false => "the Dockerfile or the base says so",
            };
            propose(&format!("env.{name}"), json!(value), because.to_owned());
        }
        if !self.expose.is_empty() {
            let ports: Vec<String> = self.expose.iter().map(Port::to_string).collect();
            propose("expose", json!(ports), self.reason("port", ""));
        }
        propose("user", json!(self.account.id()), self.reason("user", ""));
        let workdir = self.workdir.to_string();
        let because = self.reason("workdir", "it is where whit puts apps");
        propose("workdir", json!(workdir), because);
        if let Language::Python(app) = &self.language {
            let because = self.reason("python", "");
            propose("python", json!(app.python.version), because.clone());
            if let Some(suite) = app.python.suite {
                propose("suite", json!(suite), because);
            }
        }
        found
    }

    fn reason(&self, what: &str, otherwise: &str) -> String {
        let line = self.detected.iter().find(|line| line.what == what);
        line.map_or(otherwise, |line| &line.because).to_owned()
    }

    /// A `whit.toml` that says what was detected, in words and values, so that
    /// the project is built as it is without the file. What would change
    /// something merely by being said stands in comments.
    pub fn draft(&self) -> String {
        let mut text = String::from(
            "# What whit makes of this project. Every line says what holds without this file,\n\
             # and why; change what should be otherwise. `whit config` shows what holds.\n",
        );
        let mut env = String::new();
        for Proposal {
            key,
            value,
            because,
        } in self.proposals()
        {
            let off = match self.changes_by_being_said(&key) {
                true => "# ",
                false => "",
            };
            match key.strip_prefix("env.") {
                Some(name) => {
                    let because = comment(&because);
                    let (name, value) = (bare(name), literal(&value));
                    let _ = writeln!(env, "# {because}\n{off}{name} = {value}");
                }
                None => {
                    let what = meaning(&key);
                    let because = comment(&because);
                    let value = literal(&value);
                    let _ = write!(text, "\n# {what}: {because}\n{off}{key} = {value}\n");
                }
            }
        }
        text.push_str(OTHERS);
        // A table ends the keys above all tables.
        if !env.is_empty() {
            let _ = write!(
                text,
                "\n# Environment variables of the image.\n[env]\n{env}"
            );
        }
        text
    }

    /// True for keys with more to them than their value: a working directory
    /// puts the places of a Dockerfile's COPY out of force, a user's number has
    /// lost the name and a home that a base gives, and a base has its own
    /// Python.
    fn changes_by_being_said(&self, key: &str) -> bool {
        match key {
            "workdir" => !self.copies.is_empty(),
            "user" => {
                let said = Account::parse(&self.account.id(), "", &self.users);
                said.ok().as_ref() != Some(&self.account)
            }
            "python" => match &self.language {
                Language::Python(app) => app.python.suite.is_none(),
                Language::Other(_) => true,
            },
            // Two keys for one decision are one too many.
            "suite" => true,
            // A Dockerfile that changes should change the image, too.
            key => key
                .strip_prefix("env.")
                .is_some_and(|name| !self.command.env.iter().any(|(known, _)| known == name)),
        }
    }
}

/// What a key means, for the comment above it.
fn meaning(key: &str) -> &'static str {
    match key {
        "entrypoint" => "What the image runs; arguments of `docker run` are added",
        "command" => "What it runs, or is given, if `docker run` says nothing else",
        "expose" => "Where it listens",
        "user" => "Who runs it",
        "workdir" => "Where the app lies and starts",
        "python" => "Python's version, \"3.11\" or \"3.13\"",
        "suite" => "Debian's release, instead of `python`",
        _ => "Setting",
    }
}

/// One line of a comment.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A name as TOML's bare keys are written, where it can be one.
fn bare(name: &str) -> String {
    match name
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    {
        true => name.to_owned(),
        false => toml::Value::from(name).to_string(),
    }
}

fn literal(value: &Value) -> String {
    match toml::Value::try_from(value) {
        Ok(value) => value.to_string(),
        // There is no null among what is proposed.
        Err(_) => String::from("\"\""),
    }
}
