//! Who set what: flags before environment before files before defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::{KEYS, Key, NetworkChoice, Settings, SettingsError, file};
use crate::plan::Policy;
use crate::source::project::Proposal;
use crate::transform::PythonCode;

/// Settings of one source.
#[derive(Debug, Clone)]
pub struct Layer {
    pub origin: Origin,
    pub settings: Settings,
}

/// Where settings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flags,
    Environment,
    File {
        path: PathBuf,
        /// Of keys, of `KEY.NAME` in tables and of `KEY.NUMBER` in lists.
        lines: BTreeMap<String, usize>,
    },
    Default,
}

/// All sources, the one that wins first.
#[derive(Debug, Clone)]
pub struct Layers(Vec<Layer>);

/// A value, and who set it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// A key of `whit.toml`; `KEY.NAME` for an entry of a table.
    pub key: String,
    pub value: Value,
    /// A flag, a variable, `FILE:LINE`, `detected: WHY`, or `default`.
    pub from: String,
}

impl Layers {
    /// Stacks the flags, the `variables` of the environment and the files of a
    /// folder.
    pub fn new(
        flags: Settings,
        variables: &BTreeMap<String, String>,
        folder: &Path,
    ) -> Result<Self, SettingsError> {
        let layer = |origin, settings| Layer { origin, settings };
        let mut layers = vec![
            layer(Origin::Flags, flags),
            layer(Origin::Environment, file::environment(variables)?),
        ];
        layers.extend(file::layers(folder)?);
        layers.push(layer(Origin::Default, Settings::defaults()));
        Ok(Self(layers))
    }

    /// What they come to.
    pub fn merged(&self) -> Settings {
        self.0
            .iter()
            .cloned()
            .map(|layer| layer.settings)
            .fold(Settings::default(), Settings::or)
    }

    /// The same without what `whit.toml` says.
    pub fn without_own_file(mut self) -> Self {
        self.0.retain(|layer| match &layer.origin {
            Origin::File { path, .. } => path.file_name() != Some(file::OWN.as_ref()),
            _ => true,
        });
        self
    }

    /// Replaces what files say about something.
    pub fn map_files<E>(
        mut self,
        change: impl Fn(Settings) -> Result<Settings, E>,
    ) -> Result<Self, E> {
        for layer in &mut self.0 {
            if matches!(layer.origin, Origin::File { .. }) {
                layer.settings = change(std::mem::take(&mut layer.settings))?;
            }
        }
        Ok(self)
    }

    /// Every value of [`Layers::merged`] with its source, in the order of
    /// [`KEYS`].
    pub fn explained(&self) -> Vec<Explained> {
        KEYS.iter().flat_map(|key| self.explain(key)).collect()
    }

    /// The same, and what was detected where nobody set it.
    pub fn explained_with(&self, detected: &[Proposal]) -> Vec<Explained> {
        let mut rows = self.explained();
        let set: BTreeSet<String> = rows.iter().map(|row| row.key.clone()).collect();
        // The two are one decision.
        let started = set.contains("command") || set.contains("entrypoint");
        let unset = detected.iter().filter(|found| match found.key.as_str() {
            "command" | "entrypoint" => !started,
            key => !set.contains(key),
        });
        rows.extend(unset.map(|found| Explained {
            key: found.key.clone(),
            value: found.value.clone(),
            from: format!("detected: {}", found.because),
        }));
        let place = |row: &Explained| {
            let name = row.key.split('.').next();
            KEYS.iter().position(|key| Some(key.name) == name)
        };
        rows.sort_by_key(place);
        rows
    }

    fn explain(&self, key: &Key) -> Vec<Explained> {
        let mut rows: Vec<Explained> = Vec::new();
        let mut seen = BTreeSet::new();
        for layer in &self.0 {
            // A command replaces a lower entrypoint, too.
            let decided = key.name == "entrypoint" && layer.settings.command.is_some();
            let settings = serde_json::to_value(&layer.settings).unwrap_or_default();
            match settings.get(key.name) {
                None => {}
                Some(Value::Array(items)) if adds_up(key.name) => {
                    rows.extend(items.iter().enumerate().map(|(i, item)| Explained {
                        key: key.name.to_owned(),
                        value: item.clone(),
                        from: layer.origin.of(key, &format!("{}.{i}", key.name)),
                    }));
                }
                Some(Value::Object(entries)) => {
                    for (name, value) in entries {
                        if seen.insert(name.clone()) {
                            let whole = format!("{}.{name}", key.name);
                            rows.push(Explained {
                                value: value.clone(),
                                from: layer.origin.of(key, &whole),
                                key: whole,
                            });
                        }
                    }
                }
                Some(value) => {
                    rows.push(Explained {
                        key: key.name.to_owned(),
                        value: value.clone(),
                        from: layer.origin.of(key, key.name),
                    });
                    return rows;
                }
            }
            if decided {
                return rows;
            }
        }
        rows
    }
}

/// True for lists to which every layer adds.
fn adds_up(key: &str) -> bool {
    matches!(
        key,
        "keep"
            | "drop"
            | "packages"
            | "add-modules"
            | "build-packages"
            | "registry-mirrors"
            | "probe"
            | "entry"
    )
}

impl Origin {
    fn of(&self, key: &Key, whole: &str) -> String {
        match self {
            Origin::Flags => key.flag.unwrap_or("a flag").to_owned(),
            Origin::Environment => key.variable.unwrap_or("the environment").to_owned(),
            Origin::File { path, lines } => {
                let line = lines.get(whole).or_else(|| lines.get(key.name));
                match line {
                    Some(line) => format!("{}:{line}", path.display()),
                    None => path.display().to_string(),
                }
            }
            Origin::Default => "default".to_owned(),
        }
    }
}

impl Settings {
    /// What holds where nobody says otherwise and nothing is to be detected.
    pub fn defaults() -> Self {
        Self {
            policy: Some(Policy::default()),
            python_code: Some(PythonCode::default()),
            strip: Some(true),
            compress: Some("gzip:10".to_owned()),
            network: Some(NetworkChoice::None),
            start_timeout: Some(60),
            probe_timeout: Some(30),
            ..Self::default()
        }
    }
}
