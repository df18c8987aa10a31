//! The JSON schema of `whit.toml`, made from the same types as its reader.

use std::ops::Range;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::Settings;

/// The schema (JSON Schema 2020-12).
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
    });
    let root = settings.into_generator().into_root_schema_for::<Settings>();
    let mut schema = without_null(root.to_value());
    let defaults = serde_json::to_value(Settings::defaults()).unwrap_or_default();
    if let (Some(keys), Value::Object(defaults)) = (properties_mut(&mut schema), defaults) {
        for (key, default) in defaults {
            if let Some(Value::Object(key)) = keys.get_mut(&key) {
                key.insert("default".to_owned(), default);
            }
        }
    }
    schema
}

/// A key that there is no meaning for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    pub key: String,
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The keys of the same table.
    pub known: Vec<String>,
}

/// The first unknown key of a table that `schema` describes.
pub(super) fn unknown_key(table: &DeTable<'_>, schema: &Value) -> Option<Unknown> {
    let known = schema.get("properties")?.as_object()?;
    let unknown = table.iter().filter_map(|(key, value)| {
        let name: &str = key.get_ref();
        match known.get(name) {
            Some(below) => unknown_below(value.get_ref(), below),
            None => Some(Unknown {
                key: name.to_owned(),
                span: key.span(),
                known: known.keys().cloned().collect(),
            }),
        }
    });
    unknown.min_by_key(|unknown| unknown.span.start)
}

fn unknown_below(value: &DeValue<'_>, schema: &Value) -> Option<Unknown> {
    match value {
        DeValue::Table(table) => unknown_key(table, schema),
        DeValue::Array(items) => {
            let schema = schema.get("items")?;
            items
                .iter()
                .find_map(|item| unknown_below(item.get_ref(), schema))
        }
        _ => None,
    }
}

fn properties_mut(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    schema.get_mut("properties")?.as_object_mut()
}

/// TOML has no null: what is left out is left out.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut map: Map<String, Value> = map
                .into_iter()
                .filter(|(name, value)| !(name == "default" && value.is_null()))
                .map(|(name, value)| match (name.as_str(), value) {
                    // Lines of a comment.
                    ("description", Value::String(text)) => (name, text.replace('\n', " ").into()),
                    (_, value) => (name, without_null(value)),
                })
                .collect();
            if let Some(Value::Array(types)) = map.get("type") {
                let mut types: Vec<Value> = types.clone();
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    map.insert("type".to_owned(), only.clone());
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type") != Some(&Value::from("null")));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    map.remove("anyOf");
                    for (name, value) in only {
                        map.entry(name).or_insert(value);
                    }
                }
            }
            Value::Object(map)
        }
        Value::Array(list) => list.into_iter().map(without_null).collect(),
        other => other,
    }
}
