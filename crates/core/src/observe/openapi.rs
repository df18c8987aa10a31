//! The requests that an OpenAPI document describes.
//!
//! Read: OpenAPI 3.0 and 3.1 in JSON. Only `GET` operations, and of those only
//! the ones whose required parameters can be filled from the document itself:
//! an example, a default, an enumeration or the type of the schema.

use serde_json::Value;

use super::HttpProbe;
use super::probe::encode_target;

/// Longest chain of `$ref` and of nested schemas that is followed.
const MAX_DEPTH: usize = 16;
/// Most operations taken from one document.
const MAX_OPERATIONS: usize = 200;
/// Longest text made up for a `minLength`.
const MAX_TEXT: usize = 64;

/// The document in `body`, if it is one.
pub fn document(body: &[u8]) -> Option<Value> {
    let document: Value = serde_json::from_slice(body).ok()?;
    let version = document.get("openapi")?.as_str()?;
    (version.starts_with("3.") && document.get("paths")?.is_object()).then_some(document)
}

/// A request for every `GET` operation that can be asked, in path order.
pub fn requests(document: &Value) -> Vec<HttpProbe> {
    let prefix = server_prefix(document);
    let paths = document.get("paths").and_then(Value::as_object);
    paths
        .into_iter()
        .flatten()
        .filter_map(|(path, item)| {
            let item = follow(document, item)?;
            request(document, &prefix, path, item)
        })
        .take(MAX_OPERATIONS)
        .collect()
}

/// The path of the first server, if it is one that is served here: relative,
/// or on the host itself.
fn server_prefix(document: &Value) -> String {
    let url = document
        .pointer("/servers/0/url")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match super::links::resolve("/", url) {
        Some(path) => path
            .split('?')
            .next()
            .unwrap_or_default()
            .trim_end_matches('/')
            .to_owned(),
        None => String::new(),
    }
}

fn request(document: &Value, prefix: &str, path: &str, item: &Value) -> Option<HttpProbe> {
    let operation = item.get("get")?;
    if streams(document, operation) {
        return None;
    }
    let mut target = path.to_owned();
    let mut query: Vec<String> = Vec::new();
    let mut headers = Vec::new();
    for parameter in parameters(document, item, operation) {
        let name = parameter.get("name")?.as_str()?;
        let place = parameter.get("in")?.as_str()?;
        let required = parameter.get("required") == Some(&Value::Bool(true));
        let value = if required || place == "path" {
            Some(value_for(document, parameter)?)
        } else {
            example(document, parameter)
        };
        let Some(value) = value else { continue };
        match place {
            "path" => {
                let text = texts(&value)?.join(",");
                target = target.replace(&format!("{{{name}}}"), &encode(&text));
            }
            "query" => query.extend(
                texts(&value)?
                    .iter()
                    .map(|text| format!("{}={}", encode(name), encode(text))),
            ),
            "header" => {
                let text = texts(&value)?.join(",");
                if text.bytes().all(|b| (b' '..0x7f).contains(&b)) {
                    headers.push((name.to_owned(), text));
                }
            }
            // A required cookie means a session that whit does not have.
            _ if required => return None,
            _ => {}
        }
    }
    if !target.starts_with('/') || target.contains('{') {
        return None;
    }
    let mut target = encode_target(&format!("{prefix}{target}"));
    if !query.is_empty() {
        target.push('?');
        target.push_str(&query.join("&"));
    }
    Some(HttpProbe {
        method: "GET".to_owned(),
        target,
        headers,
        ..HttpProbe::default()
    })
}

/// An answer that never ends proves nothing and costs the whole time limit.
fn streams(document: &Value, operation: &Value) -> bool {
    let answers = operation.get("responses").and_then(Value::as_object);
    answers
        .into_iter()
        .flatten()
        .filter_map(|(_, answer)| follow(document, answer)?.get("content")?.as_object())
        .any(|content| content.contains_key("text/event-stream"))
}

/// The operation's parameters and those of the path that it does not override
/// (OpenAPI 3.1, 4.8.9 Path Item Object, `parameters`).
fn parameters<'a>(document: &'a Value, item: &'a Value, operation: &'a Value) -> Vec<&'a Value> {
    let mut found: Vec<&Value> = Vec::new();
    for source in [operation, item] {
        let listed = source.get("parameters").and_then(Value::as_array);
        for parameter in listed.into_iter().flatten() {
            let Some(parameter) = follow(document, parameter) else {
                continue;
            };
            let id = |p: &Value| (p.get("name").cloned(), p.get("in").cloned());
            if !found.iter().any(|known| id(known) == id(parameter)) {
                found.push(parameter);
            }
        }
    }
    found
}

/// The value that `$ref`s lead to; `None` if they lead nowhere, out of the
/// document, or in a circle.
fn follow<'a>(document: &'a Value, value: &'a Value) -> Option<&'a Value> {
    let mut value = value;
    for _ in 0..MAX_DEPTH {
        match value.get("$ref").and_then(Value::as_str) {
            None => return Some(value),
            Some(reference) => value = document.pointer(reference.strip_prefix('#')?)?,
        }
    }
    None
}

/// What the document itself gives as an example of a parameter.
fn example(document: &Value, parameter: &Value) -> Option<Value> {
    if let Some(example) = parameter.get("example") {
        return Some(example.clone());
    }
    let named = parameter.get("examples").and_then(Value::as_object);
    if let Some(example) = named
        .into_iter()
        .flatten()
        .find_map(|(_, example)| follow(document, example)?.get("value"))
    {
        return Some(example.clone());
    }
    let schema = follow(document, parameter.get("schema")?)?;
    let listed = schema.get("examples").and_then(Value::as_array);
    schema
        .get("example")
        .or_else(|| listed?.first())
        .filter(|example| !example.is_null())
        .cloned()
}

/// A value for a parameter that must have one.
fn value_for(document: &Value, parameter: &Value) -> Option<Value> {
    if let Some(example) = example(document, parameter) {
        return Some(example);
    }
    from_schema(document, parameter.get("schema")?, MAX_DEPTH)
}

/// A value that a schema allows.
fn from_schema(document: &Value, schema: &Value, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let schema = follow(document, schema)?;
    let first = |key: &str| schema.get(key)?.as_array()?.first();
    if let Some(value) = [
        schema.get("example"),
        first("examples"),
        schema.get("default"),
        schema.get("const"),
        first("enum"),
    ]
    .into_iter()
    .flatten()
    .find(|value| !value.is_null())
    {
        return Some(value.clone());
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        let choices = schema.get(key).and_then(Value::as_array);
        // Breadth is bounded too: schemas may nest choices in choices.
        for choice in choices.into_iter().flatten().take(4) {
            if let Some(value) = from_schema(document, choice, depth.min(4)) {
                return Some(value);
            }
        }
    }
    match kind(schema)? {
        "integer" => Some(Value::from(smallest(schema).map_or(1, |n| n.ceil() as i64))),
        "number" => Some(smallest(schema).map_or(Value::from(1), Value::from)),
        "boolean" => Some(Value::Bool(true)),
        "string" => Some(Value::from(text(schema))),
        "array" => {
            let item = from_schema(document, schema.get("items")?, depth)?;
            Some(Value::Array(vec![item]))
        }
        _ => None,
    }
}

/// The type; of several (3.1) the first that is not `null`.
fn kind(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null"),
        _ => None,
    }
}

/// The least number that is allowed, if 1 is not. `exclusiveMinimum` is a flag
/// in 3.0 and a number in 3.1.
fn smallest(schema: &Value) -> Option<f64> {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let exclusive = schema.get("exclusiveMinimum") == Some(&Value::Bool(true));
    let least = match (number("minimum"), number("exclusiveMinimum")) {
        (_, Some(bound)) => Some(bound + 1.0),
        (Some(bound), None) if exclusive => Some(bound + 1.0),
        (bound, None) => bound,
    };
    let most = number("maximum").or(number("exclusiveMaximum").map(|bound| bound - 1.0));
    match (least, most) {
        (Some(least), _) if least > 1.0 => Some(least),
        (_, Some(most)) if most < 1.0 => Some(least.unwrap_or(most)),
        _ => None,
    }
}

/// A text of the format or length that the schema asks for.
fn text(schema: &Value) -> String {
    let format = schema.get("format").and_then(Value::as_str);
    let known = match format {
        Some("date") => "2024-01-31",
        Some("date-time") => "2024-01-31T12:00:00Z",
        Some("time") => "12:00:00",
        Some("uuid") => "00000000-0000-4000-8000-000000000001",
        Some("email") => "a@example.org",
        Some("uri" | "url") => "http://example.org/",
        Some("ipv4") => "127.0.0.1",
        Some("ipv6") => "::1",
        _ => "a",
    };
    let least = schema
        .get("minLength")
        .and_then(Value::as_u64)
        .map_or(0, |n| usize::try_from(n).unwrap_or(MAX_TEXT));
    let missing = least.min(MAX_TEXT).saturating_sub(known.len());
    format!("{known}{}", "a".repeat(missing))
}

/// A value as the texts that stand for it in a URL; `None` for objects.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Number(number) => Some(vec![number.to_string()]),
        Value::Bool(flag) => Some(vec![flag.to_string()]),
        Value::Array(items) => items
            .iter()
            .map(|item| texts(item)?.into_iter().next())
            .collect(),
        Value::Null | Value::Object(_) => None,
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn targets(document: Value) -> Vec<String> {
        let bytes = serde_json::to_vec(&document).unwrap();
        let document = super::document(&bytes).expect("a document");
        requests(&document)
            .into_iter()
            .map(|request| request.target)
            .collect()
    }

    #[test]
    fn version_3_0() {
        let document = json!({
            "openapi": "3.0.3",
            "servers": [{"url": "/api/v1/"}],
            "paths": {
                "/items": {
                    "get": {"parameters": [
                        {"name": "q", "in": "query", "schema": {"type": "string"}},
                        {"name": "limit", "in": "query", "required": true,
                         "schema": {"type": "integer", "minimum": 5, "exclusiveMinimum": true}},
                    ]},
                    "post": {},
                },
                "/items/{id}": {
                    "parameters": [{"$ref": "#/components/parameters/Id"}],
                    "get": {"parameters": [
                        {"name": "tags", "in": "query", "example": ["a b", "c"]},
                    ]},
                },
                "/only/post": {"post": {}},
                "/secret": {"get": {"parameters": [
                    {"name": "session", "in": "cookie", "required": true,
                     "schema": {"type": "string"}}]}},
            },
            "components": {"parameters": {"Id": {
                "name": "id", "in": "path", "required": true,
                "schema": {"$ref": "#/components/schemas/Id"}}},
                "schemas": {"Id": {"type": "string", "format": "uuid"}}},
        });
        assert_eq!(
            targets(document),
            [
                "/api/v1/items?limit=6",
                "/api/v1/items/00000000-0000-4000-8000-000000000001?tags=a%20b&tags=c",
            ]
        );
    }

    #[test]
    fn version_3_1_as_fastapi_writes_it() {
        let document = json!({
            "openapi": "3.1.0",
            "info": {"title": "FastAPI", "version": "0.1.0"},
            "paths": {
                "/greet/{name}": {"get": {"parameters": [
                    {"name": "name", "in": "path", "required": true,
                     "schema": {"type": "string", "title": "Name", "examples": ["Zoë"]}},
                    {"name": "loud", "in": "query", "required": false,
                     "schema": {"anyOf": [{"type": "boolean"}, {"type": "null"}], "title": "Loud"}},
                ]}},
                "/level/{level}": {"get": {"parameters": [
                    {"name": "level", "in": "path", "required": true,
                     "schema": {"$ref": "#/components/schemas/Level"}},
                    {"name": "n", "in": "query", "required": true,
                     "schema": {"anyOf": [{"type": "null"}, {"type": ["null", "integer"], "exclusiveMinimum": 2}]}},
                    {"name": "X-Token", "in": "header", "required": true,
                     "schema": {"type": "string", "minLength": 3}},
                ]}},
                "/stream": {"get": {"responses": {"200": {"content": {"text/event-stream": {}}}}}},
            },
            "components": {"schemas": {"Level": {"type": "string", "enum": ["low", "high"]}}},
        });
        let parsed = super::document(&serde_json::to_vec(&document).unwrap()).unwrap();
        let found = requests(&parsed);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].target, "/greet/Zo%C3%AB");
        assert_eq!(found[1].target, "/level/low?n=3");
        assert_eq!(found[1].headers, [("X-Token".to_owned(), "aaa".to_owned())]);
    }

    #[test]
    fn operations_that_cannot_be_filled_are_left_out() {
        let filled = |parameter: Value| {
            targets(json!({"openapi": "3.1.0", "paths": {"/x/{p}": {"get": {
                "parameters": [parameter]}}}}))
        };
        for parameter in [
            json!({"name": "p", "in": "path", "schema": {"type": "object"}}),
            json!({"name": "p", "in": "path"}),
            json!({"name": "other", "in": "path", "schema": {"type": "string"}}),
            json!({"$ref": "#/nowhere"}),
            json!({"$ref": "https://example.org/p.json"}),
            json!({"in": "path"}),
        ] {
            assert_eq!(filled(parameter.clone()), [""; 0], "{parameter}");
        }
    }

    #[test]
    fn circles_end() {
        let document = json!({"openapi": "3.1.0", "paths": {"/x/{p}": {"get": {"parameters": [
            {"name": "p", "in": "path", "schema": {"$ref": "#/components/schemas/A"}}]}}},
            "components": {"schemas": {
                "A": {"anyOf": [{"$ref": "#/components/schemas/A"},
                                {"$ref": "#/components/schemas/A"},
                                {"$ref": "#/components/schemas/A"},
                                {"$ref": "#/components/schemas/A"}]}}}});
        assert_eq!(targets(document), [""; 0]);
        let circle = json!({"openapi": "3.1.0", "paths": {"/x": {"$ref": "#/paths/~1x"}}});
        assert_eq!(targets(circle), [""; 0]);
    }

    #[test]
    fn bounds_on_numbers() {
        for (schema, expected) in [
            (json!({}), None),
            (json!({"minimum": 0}), None),
            (json!({"minimum": 10}), Some(10.0)),
            (json!({"exclusiveMinimum": 10}), Some(11.0)),
            (json!({"maximum": 0}), Some(0.0)),
            (json!({"minimum": -5, "maximum": -1}), Some(-5.0)),
        ] {
            assert_eq!(smallest(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn other_documents_are_refused() {
        for body in [
            &br#"{"swagger": "2.0", "paths": {}}"#[..],
            br#"{"openapi": "3.0.0"}"#,
            br#"{"openapi": 3}"#,
            b"[]",
            b"<html>",
        ] {
            assert!(document(body).is_none());
        }
    }
}
