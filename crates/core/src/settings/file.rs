//! Reading `whit.toml`, `[tool.whit]` of `pyproject.toml`, and the
//! environment.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::schema::{Unknown, schema, unknown_key};
use super::{KEYS, Layer, Origin, Settings};
use crate::observe::{Entry, EntryError, Probe, ProbeError};

/// whit's own file.
pub(super) const OWN: &str = "whit.toml";

/// Names that are at least so much alike count as the same, misspelt.
const ALIKE: f64 = 0.75;

/// Settings that cannot be read or make no sense.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{place}: {problem}")]
    Syntax { place: Place, problem: String },
    #[error("{place}: there is no key `{key}`")]
    UnknownKey {
        place: Place,
        key: String,
        known: Vec<String>,
    },
    #[error("{place}: {problem}")]
    Probe { place: Place, problem: ProbeError },
    #[error("{place}: {problem}")]
    Entry { place: Place, problem: EntryError },
    #[error("the environment's {name} is {value:?}: {problem}")]
    Variable {
        name: &'static str,
        value: String,
        problem: String,
    },
}

/// A place in a text, counted from 1; the column in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

impl SettingsError {
    /// What to type or write next.
    pub fn hint(&self) -> Option<String> {
        match self {
            SettingsError::Read { .. }
            | SettingsError::Syntax { .. }
            | SettingsError::Variable { .. } => None,
            SettingsError::UnknownKey { key, known, .. } => Some(match nearest(key, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.len() < KEYS.len() => format!("there are {}", known.join(", ")),
                None => "`whit config --schema` prints all keys and what they mean".to_owned(),
            }),
            SettingsError::Probe { problem, .. } => problem.hint(),
            SettingsError::Entry { problem, .. } => problem.hint(),
        }
    }
}

/// The layers of a folder's files: `whit.toml` before `pyproject.toml`, for it
/// is whit's own file.
pub(super) fn layers(dir: &Path) -> Result<Vec<Layer>, SettingsError> {
    let mut found = Vec::new();
    for (name, read) in [
        (OWN, own as fn(&str, &Path) -> _),
        ("pyproject.toml", shared),
    ] {
        let here = dir == Path::new(".");
        let path = match here {
            true => PathBuf::from(name),
            false => dir.join(name),
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(SettingsError::Read { path, source }),
        };
        let mut layer: Layer = read(&text, &path)?;
        let entries = layer.settings.entry.iter_mut().flatten();
        let asked = entries.flat_map(|entry| &mut entry.probe);
        for probe in layer.settings.probe.iter_mut().flatten().chain(asked) {
            // What is in a folder's file is relative to the folder.
            let files = [&mut probe.test, &mut probe.stdin].into_iter().flatten();
            for file in files.filter(|_| !here) {
                *file = dir.join(&file);
            }
        }
        found.push(layer);
    }
    Ok(found)
}

/// Reads the text of a `whit.toml`; `path` is for messages only.
pub(super) fn own(text: &str, path: &Path) -> Result<Layer, SettingsError> {
    read(text, path, &[])
}

/// Reads `[tool.whit]` out of the text of a `pyproject.toml`.
pub(super) fn shared(text: &str, path: &Path) -> Result<Layer, SettingsError> {
    read(text, path, &["tool", "whit"])
}

/// What the variables of the environment set.
pub(super) fn environment(variables: &BTreeMap<String, String>) -> Result<Settings, SettingsError> {
    let schema = schema();
    let mut settings = Settings::default();
    for key in KEYS {
        let Some((name, value)) = key
            .variable
            .and_then(|name| Some((name, variables.get(name)?)))
        else {
            continue;
        };
        let wrong = |problem: String| SettingsError::Variable {
            name,
            value: value.clone(),
            problem,
        };
        let typed = match schema["properties"][key.name]["type"].as_str() {
            Some("integer") => toml::Value::Integer(
                value
                    .parse()
                    .map_err(|_| wrong("it is no number".to_owned()))?,
            ),
            Some("boolean") => toml::Value::Boolean(
                value
                    .parse()
                    .map_err(|_| wrong("it is neither true nor false".to_owned()))?,
            ),
            _ => toml::Value::String(value.clone()),
        };
        let table = toml::Table::from_iter([(key.name.to_owned(), typed)]);
        let one = Settings::deserialize(table)
            .map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        settings = one.or(settings);
    }
    Ok(settings)
}

/// Reads the table at `way` of a document.
fn read(text: &str, path: &Path, way: &[&str]) -> Result<Layer, SettingsError> {
    let place = |span: Range<usize>| Place::of(text, span.start, path);
    let syntax = |error: &toml::de::Error| SettingsError::Syntax {
        place: place(error.span().unwrap_or(0..0)),
        problem: error.message().trim().replace('\n', ", "),
    };
    let mut table = DeTable::parse(text).map_err(|error| syntax(&error))?;
    for step in way {
        let mut below = table.into_inner().into_iter();
        let Some((_, value)) = below.find(|(key, _)| key.get_ref() == step) else {
            return Ok(Layer::of_file(path, BTreeMap::new(), Settings::default()));
        };
        let span = value.span();
        table = match value.into_inner() {
            DeValue::Table(below) => Spanned::new(span, below),
            _ => {
                return Err(SettingsError::Syntax {
                    place: place(span),
                    problem: format!("`{step}` is no table"),
                });
            }
        };
    }
    if let Some(Unknown { key, span, known }) = unknown_key(table.get_ref(), &schema()) {
        return Err(SettingsError::UnknownKey {
            place: place(span),
            key,
            known,
        });
    }
    let lines = lines(text, path, table.get_ref());
    let settings =
        Settings::deserialize(toml::Deserializer::from(table)).map_err(|error| syntax(&error))?;
    let of_table = |key: &str, number: usize| Place {
        path: path.to_owned(),
        line: lines.get(&format!("{key}.{number}")).copied().unwrap_or(1),
        column: 1,
    };
    for (i, probe) in settings.probe.iter().flatten().enumerate() {
        if let Err(problem) = Probe::try_from(probe.clone()) {
            let place = of_table("probe", i);
            return Err(SettingsError::Probe { place, problem });
        }
    }
    for (i, entry) in settings.entry.iter().flatten().enumerate() {
        if let Err(problem) = Entry::try_from(entry.clone()) {
            let place = of_table("entry", i);
            return Err(SettingsError::Entry { place, problem });
        }
    }
    Ok(Layer::of_file(path, lines, settings))
}

/// The line of each key, of `KEY.NAME` in tables and `KEY.NUMBER` in lists.
fn lines(text: &str, path: &Path, table: &DeTable<'_>) -> BTreeMap<String, usize> {
    let line = |span: Range<usize>| Place::of(text, span.start, path).line;
    let mut lines = BTreeMap::new();
    for (key, value) in table {
        lines.insert(key.get_ref().to_string(), line(key.span()));
        match value.get_ref() {
            DeValue::Table(below) => {
                for name in below.keys() {
                    lines.insert(
                        format!("{}.{}", key.get_ref(), name.get_ref()),
                        line(name.span()),
                    );
                }
            }
            DeValue::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    lines.insert(format!("{}.{i}", key.get_ref()), line(item.span()));
                }
            }
            _ => {}
        }
    }
    lines
}

impl Place {
    fn of(text: &str, offset: usize, path: &Path) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }
}

/// The known key that a misspelt one means.
fn nearest<'a>(key: &str, known: &'a [String]) -> Option<&'a String> {
    let key = key.replace('_', "-").to_lowercase();
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(&key, name), name))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

impl Layer {
    fn of_file(path: &Path, lines: BTreeMap<String, usize>, settings: Settings) -> Self {
        Self {
            origin: Origin::File {
                path: path.to_owned(),
                lines,
            },
            settings,
        }
    }
}
