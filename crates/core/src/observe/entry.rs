//! A program that the image is started with besides its own.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use whit_oci::ImageConfig;

use super::{Probe, ProbeError, ProbePlan, ProbeTable};
use crate::settings::{TextOrNumber, Words, text_or_number, words};

/// A worker, a migration, another server: what `docker run --entrypoint` starts
/// in the same image. It is a root of what the code can reach, and is observed
/// and proven as the image's own command is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// In the place of the image's entrypoint and command together.
    pub argv: Vec<String>,
    /// Besides the image's own variables, and before them.
    pub env: BTreeMap<String, String>,
    /// In the place of the image's own.
    pub workdir: Option<String>,
    pub user: Option<String>,
    pub probes: Vec<Probe>,
}

/// An `[[entry]]` table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EntryTable {
    /// The program and its arguments: a list of words, or one text that is split
    /// as a shell would.
    #[serde(deserialize_with = "words", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words", required)]
    pub command: Option<Vec<String>>,
    /// Variables besides the image's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Where it starts, if not where the image does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Who runs it, if not who runs the image.
    #[serde(
        deserialize_with = "text_or_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "TextOrNumber")]
    pub user: Option<String>,
    /// Questions to it, as in `[[probe]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub probe: Vec<ProbeTable>,
}

/// Why an entry could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("the entry has no command")]
    NoCommand,
    #[error("the entry {0:?} has a quote that is not closed")]
    Quote(String),
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

impl EntryError {
    /// What to type instead.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCommand => {
                Some("name a program with its arguments, as in 'python -m app.worker'".to_owned())
            }
            Self::Quote(_) => Some("close it, or escape it with \\".to_owned()),
            Self::Probe(error) => error.hint(),
        }
    }
}

impl EntryTable {
    /// Reads `--also COMMAND`: words as a shell splits them, but no shell runs.
    pub fn parse(command: &str) -> Result<Self, EntryError> {
        let argv = shlex::split(command).ok_or_else(|| EntryError::Quote(command.to_owned()))?;
        if argv.is_empty() {
            return Err(EntryError::NoCommand);
        }
        Ok(Self {
            command: Some(argv),
            ..Self::default()
        })
    }
}

impl TryFrom<EntryTable> for Entry {
    type Error = EntryError;

    fn try_from(table: EntryTable) -> Result<Self, EntryError> {
        Ok(Self {
            argv: table.command.ok_or(EntryError::NoCommand)?,
            env: table.env,
            workdir: table.workdir,
            user: table.user,
            probes: table
                .probe
                .into_iter()
                .map(Probe::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Entry {
    /// What a container of `image` is started with, as `docker run
    /// --entrypoint` with `--env`, `--workdir` and `--user` makes it. The ports
    /// that the image exposes are those of its own command.
    pub fn config(&self, image: &ImageConfig) -> ImageConfig {
        let mut config = image.clone();
        config.set_exec("Entrypoint", json!(self.argv));
        config.set_exec("Cmd", Value::Null);
        config.set_exec("ExposedPorts", Value::Null);
        let mut env = image.env();
        env.retain(|(name, _)| !self.env.contains_key(name));
        let own = self
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        env.extend(own);
        let env: Vec<String> = env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        config.set_exec("Env", json!(env));
        if let Some(workdir) = &self.workdir {
            config.set_exec("WorkingDir", json!(workdir));
        }
        if let Some(user) = &self.user {
            config.set_exec("User", json!(user));
        }
        config
    }

    /// How it is asked: with its own probes, as patiently as the image's
    /// command. One that is to be asked over the network has to listen; any
    /// other may be a worker.
    pub fn plan(&self, own: &ProbePlan) -> ProbePlan {
        let needs_port = |probe: &Probe| matches!(probe, Probe::Http(_) | Probe::Script(_));
        ProbePlan {
            given: self.probes.clone(),
            discover: own.discover,
            limits: own.limits.clone(),
            allow_failure: own.allow_failure,
            worker: !self.probes.iter().any(needs_port),
            ports: Vec::new(),
        }
    }

    /// The command as a person would type it.
    pub fn command(&self) -> String {
        shlex::try_join(self.argv.iter().map(String::as_str))
            .unwrap_or_else(|_| format!("{:?}", self.argv))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry '{}'", self.command())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Result<Entry, String> {
        let table: EntryTable = toml::from_str(text).map_err(|error| error.to_string())?;
        Entry::try_from(table).map_err(|error| error.to_string())
    }

    #[test]
    fn a_table_and_a_flag_mean_the_same() {
        let table = entry("command = \"python -m 'my app'\"").unwrap();
        let flag = EntryTable::parse("python -m 'my app'").unwrap();
        assert_eq!(table, Entry::try_from(flag).unwrap());
        assert_eq!(table.to_string(), "entry 'python -m 'my app''");
        for (text, problem) in [
            ("", "no command"),
            ("command = \"\"", "the command is empty"),
            ("comand = \"x\"", "unknown field"),
            (
                "command = \"x\"\n[[probe]]\nhttp = \"get /\"",
                "not an HTTP method",
            ),
        ] {
            let error = entry(text).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
        for text in ["", "a 'b"] {
            assert!(EntryTable::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_entry_takes_the_place_of_entrypoint_and_command() {
        let mut image = ImageConfig::new("amd64");
        image.set_exec("Entrypoint", json!(["serve"]));
        image.set_exec("Cmd", json!(["--all"]));
        image.set_exec("ExposedPorts", json!({"80/tcp": {}}));
        image.set_exec("Env", json!(["A=1", "B=2"]));
        image.set_exec("User", json!("app"));
        image.set_exec("WorkingDir", json!("/srv"));

        let worker = entry("command = \"work -v\"\nenv = { A = \"9\", C = \"3\" }").unwrap();
        let config = worker.config(&image);
        assert_eq!(config.command(), ["work", "-v"]);
        assert!(config.exposed_ports().is_empty());
        let env: Vec<String> = config.env().into_iter().map(|(n, v)| n + &v).collect();
        assert_eq!(env, ["B2", "A9", "C3"]);
        assert_eq!((config.user(), config.working_dir()), ("app", "/srv"));

        let other = entry("command = \"x\"\nuser = 0\nworkdir = \"/w\"").unwrap();
        let config = other.config(&image);
        assert_eq!((config.user(), config.working_dir()), ("0", "/w"));
    }

    #[test]
    fn what_is_asked_over_the_network_is_no_worker() {
        let own = ProbePlan::new(vec![Probe::get("/")]);
        let worker = entry("command = \"x\"\n[[probe]]\nexec = \"x --once\"").unwrap();
        let plan = worker.plan(&own);
        assert!(plan.worker && plan.discover && plan.given.len() == 1);
        let server = entry("command = \"x\"\n[[probe]]\nhttp = \"/health\"").unwrap();
        assert!(!server.plan(&own).worker);
    }
}
