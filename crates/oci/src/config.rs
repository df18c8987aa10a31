//! An image's configuration.

use serde_json::{Map, Value, json};

/// The image configuration (OCI image spec, config.md), kept as sorted JSON.
///
/// Typed models of it drop what only Docker knows (`Healthcheck`, `OnBuild`,
/// `Shell`), so the document itself is the value and the accessors read and
/// write the fields that whit has business with.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageConfig(Map<String, Value>);

impl ImageConfig {
    /// An empty configuration for `linux/ARCHITECTURE` (GOARCH's name).
    pub fn new(architecture: &str) -> Self {
        let mut map = Map::new();
        map.insert("architecture".into(), json!(architecture));
        map.insert("os".into(), json!("linux"));
        map.insert("config".into(), json!({}));
        Self(map)
    }

    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes).map(Self)
    }

    /// The document as canonical bytes: keys sorted, no white space.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).unwrap_or_default()
    }

    /// A field of the document itself: `created`, `history`, `rootfs` ...
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    pub fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.to_owned(), value);
    }

    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// A field of the execution parameters, the object under `config`.
    pub fn exec(&self, key: &str) -> Option<&Value> {
        self.0.get("config")?.get(key).filter(|v| !v.is_null())
    }

    pub fn set_exec(&mut self, key: &str, value: Value) {
        let config = self.0.entry("config").or_insert_with(|| json!({}));
        if !config.is_object() {
            *config = json!({});
        }
        config[key] = value;
    }

    pub fn architecture(&self) -> &str {
        self.get("architecture")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub fn entrypoint(&self) -> Vec<String> {
        self.strings("Entrypoint")
    }

    pub fn cmd(&self) -> Vec<String> {
        self.strings("Cmd")
    }

    /// What runs when the image is started without arguments.
    pub fn command(&self) -> Vec<String> {
        let mut command = self.entrypoint();
        command.extend(self.cmd());
        command
    }

    /// `NAME=VALUE` pairs, in order.
    pub fn env(&self) -> Vec<(String, String)> {
        self.strings("Env")
            .into_iter()
            .map(|pair| match pair.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => (pair, String::new()),
            })
            .collect()
    }

    pub fn working_dir(&self) -> &str {
        match self.exec("WorkingDir").and_then(Value::as_str) {
            None | Some("") => "/",
            Some(dir) => dir,
        }
    }

    /// `user`, `uid`, `user:group` or `uid:gid`; empty for root.
    pub fn user(&self) -> &str {
        self.exec("User")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The ports of `EXPOSE`, TCP only.
    pub fn exposed_ports(&self) -> Vec<u16> {
        self.keys("ExposedPorts")
            .filter_map(|port| port.trim_end_matches("/tcp").parse().ok())
            .collect()
    }

    pub fn volumes(&self) -> Vec<String> {
        self.keys("Volumes").cloned().collect()
    }

    pub fn stop_signal(&self) -> Option<&str> {
        self.exec("StopSignal").and_then(Value::as_str)
    }

    /// The command of `HEALTHCHECK`, as `["CMD", ..]` or `["CMD-SHELL", text]`.
    pub fn healthcheck(&self) -> Vec<String> {
        strings(self.exec("Healthcheck").and_then(|check| check.get("Test")))
    }

    fn strings(&self, key: &str) -> Vec<String> {
        strings(self.exec(key))
    }

    fn keys(&self, key: &str) -> impl Iterator<Item = &String> {
        self.exec(key)
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}
