//! The small image's configuration.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use whit_oci::ImageConfig;

use super::Layer;

/// What the annotations say of where the image comes from.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    pub title: String,
    pub version: Option<String>,
    pub source: Option<String>,
    pub base_digest: Option<String>,
}

/// The original's configuration with the small image's layers and history.
///
/// How the app is run is not changed in any point. `created` is `epoch`,
/// seconds since 1970.
pub fn small_config(original: &ImageConfig, layers: &[Layer], epoch: i64) -> ImageConfig {
    let mut config = original.clone();
    let created = rfc3339(epoch);
    config.set("created", json!(created));
    let diff_ids: Vec<Value> = layers
        .iter()
        .map(|layer| json!(layer.written.diff_id.to_string()))
        .collect();
    config.set("rootfs", json!({ "type": "layers", "diff_ids": diff_ids }));
    let history: Vec<Value> = layers
        .iter()
        .map(|layer| json!({ "created": created, "created_by": format!("whit: {}", layer.name) }))
        .collect();
    config.set("history", Value::Array(history));
    // Docker's leftovers of the build container.
    config.remove("container");
    config.remove("container_config");
    config
}

impl Provenance {
    /// `org.opencontainers.image.*` (OCI image spec, annotations.md).
    pub fn annotations(&self, epoch: i64) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let mut put = |key: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                found.insert(format!("org.opencontainers.image.{key}"), value.to_owned());
            }
        };
        put("created", Some(&rfc3339(epoch)));
        put("title", Some(&self.title));
        put("version", self.version.as_deref());
        put("source", self.source.as_deref());
        put("base.digest", self.base_digest.as_deref());
        found
    }
}

/// RFC 3339 in UTC, whole seconds.
fn rfc3339(epoch: i64) -> String {
    jiff::Timestamp::from_second(epoch)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_the_app_runs_is_untouched() {
        let original = ImageConfig::parse(
            br#"{"architecture":"amd64","os":"linux","config":{"Cmd":["a"],"Healthcheck":{"Test":["CMD","b"]}},"history":[{"created_by":"x"}]}"#,
        )
        .unwrap();
        let small = small_config(&original, &[], 0);
        assert_eq!(small.get("config"), original.get("config"));
        assert_eq!(small.get("created"), Some(&json!("1970-01-01T00:00:00Z")));
        assert_eq!(small.get("history"), Some(&json!([])));
    }
}
