//! What the user decided: `whit.toml`, `[tool.whit]` of `pyproject.toml`, and
//! the flags, in one type.
//!
//! Every field is optional: what nobody set is detected or has a default
//! where it is used. The caller stacks the sources with [`Settings::or`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::observe::{Entry, EntryError, EntryTable, Probe, ProbeError, ProbeTable};
use crate::plan::Policy;
use crate::size::Budget;
use crate::transform::PythonCode;

/// One layer of settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// The image's `Cmd`: a list of words, or one text that is split as a
    /// shell would.
    #[serde(deserialize_with = "words")]
    pub command: Option<Vec<String>>,
    /// The image's `Entrypoint`, written like `command`.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    pub env: Option<BTreeMap<String, String>>,
    pub expose: Option<Vec<Port>>,
    /// `user`, `uid`, `user:group` or `uid:gid`.
    #[serde(deserialize_with = "text_or_number")]
    pub user: Option<String>,
    /// Absolute path in the image where the app lies and starts.
    pub workdir: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    /// `3.11` or `3.13`.
    pub python: Option<String>,
    /// Debian's name of the release: `bookworm`, `trixie`.
    pub suite: Option<String>,
    pub mirror: Option<String>,
    /// An image archive that is the runtime instead of Debian's packages,
    /// relative to the project.
    pub base: Option<String>,
    pub policy: Option<Policy>,
    pub keep: Option<Vec<String>>,
    pub drop: Option<Vec<String>>,
    /// Debian packages in the runtime, for programs that the app starts.
    pub packages: Option<Vec<String>>,
    /// Java modules in the runtime beside those that the classes name.
    pub add_modules: Option<Vec<String>>,
    /// Debian packages that only the build of source distributions needs.
    pub build_packages: Option<Vec<String>>,
    pub python_code: Option<PythonCode>,
    /// `gzip`, `zstd`, either with `:LEVEL`.
    pub compress: Option<String>,
    /// `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`, `docker://NAME`,
    /// `docker-daemon:NAME`, `podman:NAME`.
    pub output: Option<String>,
    /// `[REGISTRY=]HOST[/FOLDER]`: asked before the registry itself.
    pub registry_mirrors: Option<Vec<String>>,
    pub probe: Option<Vec<ProbeTable>>,
    /// Programs that the image is started with besides its own.
    pub entry: Option<Vec<EntryTable>>,
    /// What `whit size` accepts.
    pub budget: Option<Budget>,
}

/// A port as `EXPOSE` writes it: `8000` or `53/udp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub number: u16,
    pub udp: bool,
}

/// Settings that cannot be read or make no sense.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// toml's message has the line and shows it.
    #[error("{path}: {source}")]
    Parse {
        path: PathBuf,
        source: Box<toml::de::Error>,
    },
    #[error("{path}: [[probe]] number {number}: {problem}")]
    Probe {
        path: PathBuf,
        number: usize,
        problem: ProbeError,
    },
    #[error("{path}: [[entry]] number {number}: {problem}")]
    Entry {
        path: PathBuf,
        number: usize,
        problem: EntryError,
    },
}

impl SettingsError {
    /// What to type or write next.
    pub fn hint(&self) -> Option<String> {
        match self {
            SettingsError::Read { .. } | SettingsError::Parse { .. } => None,
            SettingsError::Probe { problem, .. } => problem.hint(),
            SettingsError::Entry { problem, .. } => problem.hint(),
        }
    }
}

impl Settings {
    /// Reads `whit.toml` and `[tool.whit]` of `pyproject.toml` in `dir`. Where
    /// both set a thing, `whit.toml` wins: it is whit's own file.
    pub fn load(dir: &Path) -> Result<Self, SettingsError> {
        let own = match read(&dir.join("whit.toml"))? {
            Some(text) => Self::parse(&text, &dir.join("whit.toml"))?,
            None => Self::default(),
        };
        let shared = match read(&dir.join("pyproject.toml"))? {
            Some(text) => Self::parse_pyproject(&text, &dir.join("pyproject.toml"))?,
            None => Self::default(),
        };
        Ok(own.or(shared))
    }

    /// Reads the text of a `whit.toml`; `path` is for messages only.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text).map_err(|source| SettingsError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        settings.check(path)
    }

    /// Reads `[tool.whit]` out of the text of a `pyproject.toml`.
    pub fn parse_pyproject(text: &str, path: &Path) -> Result<Self, SettingsError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Document {
            tool: Tool,
        }
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Tool {
            whit: Settings,
        }
        let document: Document = toml::from_str(text).map_err(|source| SettingsError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        document.tool.whit.check(path)
    }

    /// These settings, and where they are silent those of `lower`.
    ///
    /// Names in `env` and `labels` are settings of their own; the globs of
    /// `keep` and `drop`, the build packages, the mirrors, the probes and the
    /// entries of both add up.
    pub fn or(self, lower: Settings) -> Settings {
        Settings {
            // A command of one's own replaces a lower entrypoint too: the two
            // together are one decision.
            entrypoint: match self.command {
                Some(_) => self.entrypoint,
                None => self.entrypoint.or(lower.entrypoint),
            },
            command: self.command.or(lower.command),
            env: merge(self.env, lower.env),
            expose: self.expose.or(lower.expose),
            user: self.user.or(lower.user),
            workdir: self.workdir.or(lower.workdir),
            labels: merge(self.labels, lower.labels),
            python: self.python.or(lower.python),
            suite: self.suite.or(lower.suite),
            mirror: self.mirror.or(lower.mirror),
            base: self.base.or(lower.base),
            policy: self.policy.or(lower.policy),
            keep: append(self.keep, lower.keep),
            drop: append(self.drop, lower.drop),
            packages: append(self.packages, lower.packages),
            add_modules: append(self.add_modules, lower.add_modules),
            build_packages: append(self.build_packages, lower.build_packages),
            python_code: self.python_code.or(lower.python_code),
            compress: self.compress.or(lower.compress),
            output: self.output.or(lower.output),
            registry_mirrors: append(self.registry_mirrors, lower.registry_mirrors),
            probe: append(self.probe, lower.probe),
            entry: append(self.entry, lower.entry),
            budget: match (self.budget, lower.budget) {
                (Some(high), Some(low)) => Some(high.or(low)),
                (high, low) => high.or(low),
            },
        }
    }

    fn check(self, path: &Path) -> Result<Self, SettingsError> {
        for (i, probe) in self.probe.iter().flatten().enumerate() {
            if let Err(problem) = Probe::try_from(probe.clone()) {
                return Err(SettingsError::Probe {
                    path: path.to_owned(),
                    number: i + 1,
                    problem,
                });
            }
        }
        for (i, entry) in self.entry.iter().flatten().enumerate() {
            if let Err(problem) = Entry::try_from(entry.clone()) {
                return Err(SettingsError::Entry {
                    path: path.to_owned(),
                    number: i + 1,
                    problem,
                });
            }
        }
        Ok(self)
    }
}

fn read(path: &Path) -> Result<Option<String>, SettingsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SettingsError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn merge(
    high: Option<BTreeMap<String, String>>,
    low: Option<BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    match (high, low) {
        (Some(high), Some(mut low)) => {
            low.extend(high);
            Some(low)
        }
        (high, low) => high.or(low),
    }
}

fn append<T>(high: Option<Vec<T>>, low: Option<Vec<T>>) -> Option<Vec<T>> {
    match (high, low) {
        (Some(mut high), Some(low)) => {
            high.extend(low);
            Some(high)
        }
        (high, low) => high.or(low),
    }
}

/// A command: a list of words, or one text that is split as a shell would.
pub(crate) fn words<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum Words {
        Text(String),
        List(Vec<String>),
    }
    let words = match Words::deserialize(deserializer)? {
        Words::List(list) => list,
        Words::Text(text) => shlex::split(&text)
            .ok_or_else(|| serde::de::Error::custom("a quotation mark is not closed"))?,
    };
    if words.is_empty() {
        return Err(serde::de::Error::custom("the command is empty"));
    }
    Ok(Some(words))
}

pub(crate) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a name or a number")]
    enum Either {
        Text(String),
        Number(u32),
    }
    Ok(Some(match Either::deserialize(deserializer)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    }))
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, udp) = match text.split_once('/') {
            None => (text, false),
            Some((number, protocol)) if protocol.eq_ignore_ascii_case("tcp") => (number, false),
            Some((number, protocol)) if protocol.eq_ignore_ascii_case("udp") => (number, true),
            Some(_) => return Err(format!("{text:?} is not PORT, PORT/tcp or PORT/udp")),
        };
        match number.parse() {
            Ok(number) if number > 0 => Ok(Self { number, udp }),
            _ => Err(format!("{text:?} is not a port")),
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}/{}",
            self.number,
            if self.udp { "udp" } else { "tcp" }
        )
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text_or_number(deserializer)?
            .unwrap_or_default()
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Bytes;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("whit.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_full_file() {
        let settings = parse(
            r#"
            command = "uvicorn 'my app:app' --port 8000"
            env = { MODE = "prod" }
            expose = [8000, "53/udp"]
            user = 1000
            policy = "tight"
            python-code = "both"
            build-packages = ["libpq-dev"]

            [[probe]]
            http = 'POST /items json={"name":"a"}'

            [[probe]]
            exec = "python -V"

            [[entry]]
            command = "python -m app.worker"
            env = { QUEUE = "mail" }

            [[entry.probe]]
            exec = "python -m app.worker --once"

            [budget]
            size = "20MB"
            packages = { numpy = "30MB" }
            "#,
        )
        .unwrap();
        assert_eq!(
            settings.command.unwrap(),
            ["uvicorn", "my app:app", "--port", "8000"]
        );
        assert_eq!(settings.user.as_deref(), Some("1000"));
        let ports: Vec<String> = settings
            .expose
            .unwrap()
            .iter()
            .map(Port::to_string)
            .collect();
        assert_eq!(ports, ["8000/tcp", "53/udp"]);
        assert_eq!(settings.policy, Some(Policy::Tight));
        assert_eq!(settings.probe.unwrap().len(), 2);
        let entries = settings.entry.unwrap();
        assert_eq!((entries.len(), entries[0].probe.len()), (1, 1));
        let budget = settings.budget.unwrap();
        assert_eq!(budget.size, Some(Bytes(20_000_000)));
        assert_eq!(budget.packages["numpy"], Bytes(30_000_000));
    }

    #[test]
    fn errors_show_the_line() {
        for (text, needles) in [
            ("user = \"a\"\ncomand = \"x\"\n", ["line 2", "comand"]),
            ("expose = [99999]\n", ["line 1", "not a port"]),
            ("policy = \"brave\"\n", ["line 1", "brave"]),
            ("[budget]\nsize = \"big\"\n", ["line 2", "no size"]),
            ("command = \"a 'b\"\n", ["line 1", "quotation mark"]),
            ("command = []\n", ["line 1", "empty"]),
            (
                "[[probe]]\nhttp = \"GET /\"\nexec = \"ls\"\n",
                ["number 1", "asks one question"],
            ),
            (
                "[[entry]]\nuser = \"app\"\n",
                ["[[entry]] number 1", "no command"],
            ),
            (
                "[[probe]]\nexec = \"ls\"\nretries = 200\n",
                ["unknown field", "retries"],
            ),
        ] {
            let error = parse(text).unwrap_err();
            for needle in needles {
                assert!(error.contains(needle), "{needle:?} not in {error}");
            }
        }
    }

    #[test]
    fn pyproject_errors_have_its_own_lines_and_other_tools_are_left_alone() {
        let text = "[tool.black]\nline-length = 3\n[tool.whit]\npolicy = 1\n";
        let error = Settings::parse_pyproject(text, Path::new("pyproject.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 4"), "{error}");
        let none = Settings::parse_pyproject("[tool.black]\n", Path::new("p")).unwrap();
        assert_eq!(none, Settings::default());
    }

    #[test]
    fn the_higher_layer_wins() {
        let high = parse("command = \"a\"\nkeep = [\"x\"]\nenv = { A = \"1\" }").unwrap();
        let low = parse(
            "command = \"b\"\nentrypoint = \"e\"\nkeep = [\"y\"]\nenv = { A = \"2\", B = \"3\" }\nuser = \"u\"",
        )
        .unwrap();
        let both = high.or(low);
        assert_eq!(both.command.unwrap(), ["a"]);
        assert_eq!(both.entrypoint, None);
        assert_eq!(both.keep.unwrap(), ["x", "y"]);
        assert_eq!(both.user.as_deref(), Some("u"));
        let env = both.env.unwrap();
        assert_eq!((env["A"].as_str(), env["B"].as_str()), ("1", "3"));
    }
}
