//! What an engine does differently.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use whit_oci::ImageConfig;

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigChange {
    /// `Cmd`, `Env PATH`, `Labels maintainer`, `architecture`.
    pub setting: String,
    /// JSON, but for texts, which are themselves.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What a platform is, beside `config`.
const PLATFORM: [&str; 3] = ["architecture", "os", "variant"];

/// Changed settings by name. Dates and the history are not compared.
pub fn changes(before: &ImageConfig, after: &ImageConfig) -> Vec<ConfigChange> {
    let (mut before, mut after) = (settings(before), settings(after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .map(|setting| ConfigChange {
            before: before.remove(&setting),
            after: after.remove(&setting),
            setting,
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// Every setting that says something, variables and labels one by one.
fn settings(config: &ImageConfig) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = PLATFORM
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), text(config.get(name)?)?)))
        .collect();
    for (name, value) in config.env() {
        found.insert(format!("Env {name}"), value);
    }
    let fields = config.get("config").and_then(Value::as_object);
    for (field, value) in fields.into_iter().flatten() {
        match value {
            _ if field == "Env" => {}
            Value::Object(entries) if field == "Labels" => {
                for (label, value) in entries {
                    found.extend(text(value).map(|value| (format!("{field} {label}"), value)));
                }
            }
            value => found.extend(text(value).map(|value| (field.clone(), value))),
        }
    }
    found
}

/// `None` for what says nothing: engines write `null`, `""` and `false` or
/// leave the field out.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Array(items) if items.is_empty() => None,
        Value::Object(entries) if entries.is_empty() => None,
        value => Some(value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_one_by_one() {
        let parse = |text: &str| ImageConfig::parse(text.as_bytes()).unwrap();
        let before = parse(
            r#"{"os":"linux","created":"2020","config":{"Env":["A=1","B=2"],"Cmd":["x"],
            "User":"","Labels":{"a":"1"},"ExposedPorts":{"80/tcp":{}}}}"#,
        );
        let after = parse(
            r#"{"os":"linux","created":"2021","config":{"Env":["A=1","B=3"],"Cmd":["y"],
            "Labels":null,"ExposedPorts":{"80/tcp":{}},"Tty":false}}"#,
        );
        let lines: Vec<String> = changes(&before, &after)
            .iter()
            .map(|c| format!("{} {:?} {:?}", c.setting, c.before, c.after))
            .collect();
        assert_eq!(
            lines,
            [
                r#"Cmd Some("[\"x\"]") Some("[\"y\"]")"#,
                r#"Env B Some("2") Some("3")"#,
                r#"Labels a Some("1") None"#,
            ]
        );
    }
}
