//! Indexes and manifests: JSON documents as facts (OCI image spec,
//! image-index.md and manifest.md; Docker's image manifest version 2,
//! schema 2; the `manifest.json` of `docker save`).

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::download::Expected;
use crate::{Digest, Platform, media};

/// A reference to a blob.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub platform: Option<RawPlatform>,
    #[serde(default)]
    pub urls: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct RawPlatform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
}

impl Descriptor {
    pub fn platform(&self) -> Option<Platform> {
        let raw = self.platform.as_ref()?;
        Some(Platform::new(
            &raw.os,
            &raw.architecture,
            raw.variant.as_deref(),
        ))
    }

    /// The names under which an index lists it: the spec's, and the full one
    /// that containerd and Docker write.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [
            "io.containerd.image.name",
            "org.opencontainers.image.ref.name",
        ]
        .iter()
        .filter_map(|key| self.annotations.as_ref()?.get(*key))
        .map(String::as_str)
    }

    /// What its bytes must be.
    pub fn expected(&self) -> Expected {
        Expected {
            sha256: self.digest,
            size: self.size,
        }
    }

    /// True for a layer that is to be fetched from elsewhere.
    pub fn is_foreign(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
    }

    /// BuildKit lists attestations beside the images they are about.
    pub fn is_attestation(&self) -> bool {
        self.platform
            .as_ref()
            .is_some_and(|p| p.os == "unknown" && p.architecture == "unknown")
            || self
                .annotations
                .as_ref()
                .is_some_and(|annotations| annotations.contains_key("vnd.docker.reference.type"))
    }
}

/// A document that a descriptor can lead to.
#[derive(Debug)]
pub enum Document {
    Index(Vec<Descriptor>),
    Manifest(Manifest),
}

#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// All that is looked at to tell the two apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
}

impl Document {
    /// Reads a document, in words why it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if raw.schema_version == Some(1) {
            return Err("Docker's schema 1 is too old; pull and save the image again".to_owned());
        }
        let stated = raw.media_type.as_deref().unwrap_or_default();
        match (raw.manifests, raw.config, raw.layers) {
            // A document that could be read as both is an attack
            // (CVE-2021-41190).
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                Err("it is an index and a manifest at once".to_owned())
            }
            (Some(_), ..) if media::is_manifest(stated) => {
                Err("it is an index that says it is a manifest".to_owned())
            }
            (Some(manifests), None, None) => Ok(Self::Index(manifests)),
            (None, Some(_), Some(_)) if media::is_index(stated) => {
                Err("it is a manifest that says it is an index".to_owned())
            }
            (None, Some(config), Some(layers)) => Ok(Self::Manifest(Manifest { config, layers })),
            _ => Err("it is neither an index nor a manifest".to_owned()),
        }
    }
}

/// One image of the `manifest.json` of `docker save`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Saved {
    pub config: String,
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    pub layers: Vec<String>,
}

impl Saved {
    pub fn parse(bytes: &[u8]) -> Result<Vec<Self>, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.repo_tags.iter().flatten().map(String::as_str)
    }
}

/// The digest of a configuration that its name in an archive promises:
/// `HEX.json` from Docker, `sha256:HEX` from go-containerregistry, or a blob.
pub fn config_digest(name: &str) -> Option<Digest> {
    let hex = name
        .strip_suffix(".json")
        .or_else(|| name.strip_prefix("sha256:"));
    match hex {
        Some(hex) => Digest::from_hex(hex).ok(),
        None => blob_digest(name),
    }
}

/// The digest of a member `blobs/sha256/HEX`.
pub fn blob_digest(name: &str) -> Option<Digest> {
    Digest::from_hex(name.strip_prefix("blobs/sha256/")?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

    fn blob() -> String {
        format!(r#"{{"digest":"{DIGEST}","size":1}}"#)
    }

    #[test]
    fn shape_and_media_type_must_agree() {
        let parse = |text: String| Document::parse(text.as_bytes());
        let blob = blob();
        assert!(matches!(
            parse(format!(r#"{{"manifests":[{blob}]}}"#)),
            Ok(Document::Index(_))
        ));
        assert!(matches!(
            parse(format!(r#"{{"config":{blob},"layers":[{blob}]}}"#)),
            Ok(Document::Manifest(_))
        ));
        for bad in [
            format!(r#"{{"manifests":[],"config":{blob},"layers":[]}}"#),
            format!(
                r#"{{"manifests":[],"mediaType":"{}"}}"#,
                media::OCI_MANIFEST
            ),
            format!(
                r#"{{"config":{blob},"layers":[],"mediaType":"{}"}}"#,
                media::DOCKER_INDEX
            ),
            r#"{"schemaVersion":1,"manifests":[]}"#.to_owned(),
            "{}".to_owned(),
            "[".repeat(100_000),
        ] {
            assert!(parse(bad).is_err());
        }
    }

    #[test]
    fn names_of_members_carry_digests() {
        let hex = &DIGEST[7..];
        let zero = DIGEST.parse().ok();
        assert_eq!(blob_digest(&format!("blobs/sha256/{hex}")), zero);
        for name in [
            format!("blobs/sha256/{hex}"),
            format!("{hex}.json"),
            format!("sha256:{hex}"),
        ] {
            assert_eq!(config_digest(&name), zero);
        }
        // Somebody's id, not a digest.
        assert_eq!(blob_digest(&format!("{hex}/layer.tar")), None);
        assert_eq!(config_digest("config.json"), None);
    }
}
