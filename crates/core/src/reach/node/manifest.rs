//! What a `package.json` says, as far as it matters to a running program.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Depth to which `exports` and `imports` are followed.
const MAX_DEPTH: usize = 16;

/// One `package.json` (docs.npmjs.com, "package.json").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    pub name: String,
    /// Needed to run: `dependencies`, and `peerDependencies` that are not
    /// optional.
    pub required: BTreeSet<String>,
    /// `optionalDependencies`: used if they are there.
    pub optional: BTreeSet<String>,
    /// Files of the package by which others enter it: `main`, `bin`,
    /// `exports` and the like, as written.
    pub entries: BTreeSet<String>,
    pub scripts: BTreeMap<String, String>,
    /// It has fields that make it a package or a project, and is not just
    /// `{"type": "module"}`.
    pub declares: bool,
}

impl Manifest {
    /// `None` if the bytes are no JSON object.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(bytes).ok()?;
        let value = value.as_object()?;
        let names = |key: &str| -> BTreeSet<String> {
            let object = value.get(key).and_then(Value::as_object);
            object
                .into_iter()
                .flatten()
                .map(|(k, _)| k.clone())
                .collect()
        };
        let optional_peers: BTreeSet<&String> = value
            .get("peerDependenciesMeta")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter(|(_, meta)| meta.get("optional") == Some(&Value::Bool(true)))
            .map(|(name, _)| name)
            .collect();
        let mut required = names("dependencies");
        let peers = names("peerDependencies");
        required.extend(
            peers
                .into_iter()
                .filter(|peer| !optional_peers.contains(peer)),
        );
        let mut entries = BTreeSet::new();
        for key in ["main", "module", "browser", "bin", "exports", "imports"] {
            if let Some(value) = value.get(key) {
                texts(value, 0, &mut entries);
            }
        }
        let scripts = value.get("scripts").and_then(Value::as_object);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(Self {
            name: value.get("name").and_then(text).unwrap_or_default(),
            required,
            optional: names("optionalDependencies"),
            entries,
            scripts: scripts
                .into_iter()
                .flatten()
                .filter_map(|(name, script)| Some((name.clone(), text(script)?)))
                .collect(),
            declares: ["name", "dependencies", "devDependencies", "workspaces"]
                .iter()
                .any(|key| value.contains_key(*key)),
        })
    }
}

fn texts(value: &Value, depth: usize, found: &mut BTreeSet<String>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| texts(value, depth + 1, found)),
        // Types are for compilers.
        Value::Object(fields) => fields
            .iter()
            .filter(|(condition, _)| *condition != "types")
            .for_each(|(_, value)| texts(value, depth + 1, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_and_entries() {
        let manifest = Manifest::parse(
            br#"{"name": "x", "main": "lib/x.js", "bin": {"x": "./cli.js"},
                "exports": {".": {"types": "./x.d.ts", "default": ["./a.mjs"]}},
                "dependencies": {"a": "1"}, "optionalDependencies": {"b": "1"},
                "peerDependencies": {"c": "1", "d": "1"},
                "peerDependenciesMeta": {"d": {"optional": true}},
                "scripts": {"start": "node ."}, "private": true}"#,
        )
        .unwrap();
        assert_eq!(Vec::from_iter(&manifest.required), ["a", "c"]);
        assert_eq!(Vec::from_iter(&manifest.optional), ["b"]);
        assert_eq!(
            Vec::from_iter(&manifest.entries),
            ["./a.mjs", "./cli.js", "lib/x.js"]
        );
        assert_eq!(manifest.scripts["start"], "node .");
        assert!(manifest.declares);
        assert!(!Manifest::parse(br#"{"type": "module"}"#).unwrap().declares);
        assert_eq!(Manifest::parse(b"[]"), None);
        assert_eq!(Manifest::parse(b"{"), None);
    }
}
