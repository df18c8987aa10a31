//! The small image's configuration.

use std::collections::BTreeMap;

use whit_oci::ImageConfig;

/// The annotation of images that were not run.
pub const PROOF: &str = "whit.proof";

/// What the annotations say of where the image comes from.
#[derive(Debug, Clone, Default)]
pub struct Provenance {
    pub title: String,
    pub version: Option<String>,
    pub source: Option<String>,
    /// Nothing was run to prove the image.
    pub unproven: bool,
}

/// The original's configuration, for the small image: how the app is run is
/// not changed in any point. Layers and history are set when it is written.
pub fn small_config(original: &ImageConfig) -> ImageConfig {
    let mut config = original.clone();
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
        if self.unproven {
            found.insert(PROOF.to_owned(), "unproven".to_owned());
        }
        found
    }
}

/// RFC 3339 in UTC, whole seconds.
fn rfc3339(epoch: i64) -> String {
    jiff::Timestamp::from_second(epoch)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

/// Seconds since 1970 of a time as image configurations write it.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    Some(text.parse::<jiff::Timestamp>().ok()?.as_second())
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
        let small = small_config(&original);
        assert_eq!(small.get("config"), original.get("config"));
    }
}
