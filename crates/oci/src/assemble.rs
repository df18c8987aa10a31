//! The documents that make layers an image: configuration, manifest, index.
//!
//! OCI image spec, config.md, manifest.md, image-index.md; for
//! `manifest.json`, Docker's image specification v1.2. Everything here is
//! data in, bytes out; keys have a fixed order.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::layer_writer::WrittenLayer;
use crate::name::ImageName;
use crate::write_error::WriteError;
use crate::{Digest, ImageConfig};

const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// The name of an image in an index.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The same for containerd, and with it for newer Dockers: the whole name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// The content of the file `oci-layout`.
pub(crate) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// A small blob that is in memory.
pub(crate) struct Document {
    pub bytes: Vec<u8>,
    pub digest: Digest,
}

/// The documents of one image.
pub(crate) struct Assembled {
    pub config: Document,
    pub manifest: Document,
    platform: Platform,
}

#[derive(Serialize, Clone)]
struct Platform {
    architecture: String,
    os: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: Digest,
    size: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u8,
    media_type: &'a str,
    config: Descriptor<'a>,
    layers: Vec<Descriptor<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// Makes configuration and manifest of an image of `layers`, lowest first.
///
/// `created` (seconds since the epoch), `rootfs` and `history` of the
/// configuration are set from the arguments.
pub(crate) fn assemble(
    config: &ImageConfig,
    layers: &[WrittenLayer],
    annotations: &BTreeMap<String, String>,
    created: i64,
) -> Result<Assembled, WriteError> {
    let date = jiff::Timestamp::from_second(created)
        .map_err(|_| WriteError::Time(created))?
        .to_string();
    let mut config = config.clone();
    config.set("created", json!(date));
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.diff_id).collect();
    config.set("rootfs", json!({"type": "layers", "diff_ids": diff_ids}));
    let history = layers
        .iter()
        .map(|layer| json!({"created": date, "created_by": layer.created_by}));
    config.set("history", history.collect());

    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    let platform = Platform {
        architecture: config.architecture().to_owned(),
        os: text("os").unwrap_or_else(|| "linux".to_owned()),
        variant: text("variant"),
    };
    let config = Document::new(config.to_bytes());
    let manifest = Document::json(&Manifest {
        schema_version: 2,
        media_type: MANIFEST_TYPE,
        config: Descriptor::of(CONFIG_TYPE, &config),
        layers: layers
            .iter()
            .map(|layer| Descriptor {
                media_type: layer.media_type,
                digest: layer.digest,
                size: layer.size,
                annotations: BTreeMap::new(),
                platform: None,
            })
            .collect(),
        annotations,
    });
    Ok(Assembled {
        config,
        manifest,
        platform,
    })
}

impl Assembled {
    /// The image's entry in the index of a layout, under an OCI reference.
    pub fn entry(&self, reference: Option<&str>) -> Value {
        self.entry_with(reference.map(|name| (REF_NAME, name.to_owned())))
    }

    /// The image's entry in the index of a Docker archive: the tag alone, and
    /// the whole name for containerd.
    pub fn docker_entry(&self, name: Option<&ImageName>) -> Value {
        let names = name.map(|name| {
            let tag = name.tag_or_latest().to_owned();
            [(REF_NAME, tag), (CONTAINERD_NAME, name.full())]
        });
        self.entry_with(names.into_iter().flatten())
    }

    fn entry_with(&self, names: impl IntoIterator<Item = (&'static str, String)>) -> Value {
        json!(Descriptor {
            annotations: names.into_iter().collect(),
            platform: Some(self.platform.clone()),
            ..Descriptor::of(MANIFEST_TYPE, &self.manifest)
        })
    }
}

/// The index of a layout with these images.
pub(crate) fn index(entries: &[Value]) -> Vec<u8> {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": INDEX_TYPE,
        "manifests": entries,
    });
    index.to_string().into_bytes()
}

/// `index` with `entry` instead of the image that had its name before.
///
/// An image without a name takes the place of the one without a name.
pub(crate) fn merged_index(index: &[u8], entry: Value) -> Result<Vec<u8>, String> {
    let mut index: Value = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let manifests = index
        .get_mut("manifests")
        .and_then(Value::as_array_mut)
        .ok_or("it has no list of manifests")?;
    let name = |entry: &Value| entry["annotations"][REF_NAME].as_str().map(str::to_owned);
    let new = name(&entry);
    manifests.retain(|old| name(old) != new);
    manifests.push(entry);
    Ok(index.to_string().into_bytes())
}

/// Docker's `manifest.json`, which points into the layout's blobs.
pub(crate) fn docker_manifest(
    image: &Assembled,
    layers: &[WrittenLayer],
    name: Option<&str>,
) -> Vec<u8> {
    let layers: Vec<String> = layers
        .iter()
        .map(|layer| blob_path(&layer.digest))
        .collect();
    json!([{
        "Config": blob_path(&image.config.digest),
        "RepoTags": name.map(|name| [name]),
        "Layers": layers,
    }])
    .to_string()
    .into_bytes()
}

/// Where a blob is in a layout.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

impl Document {
    fn new(bytes: Vec<u8>) -> Self {
        let digest = Digest::of(&bytes);
        Self { bytes, digest }
    }

    fn json(value: &impl Serialize) -> Self {
        // Structs of strings and numbers: nothing here can fail to serialize.
        Self::new(serde_json::to_vec(value).unwrap_or_default())
    }
}

impl<'a> Descriptor<'a> {
    fn of(media_type: &'a str, document: &Document) -> Self {
        Self {
            media_type,
            digest: document.digest,
            size: document.bytes.len() as u64,
            annotations: BTreeMap::new(),
            platform: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_keeps_its_other_images() {
        let entry =
            |name: &str, digest: &str| json!({"digest": digest, "annotations": {REF_NAME: name}});
        let unnamed = json!({"digest": "d"});
        let before = index(&[entry("a", "1"), entry("b", "2"), unnamed.clone()]);
        let after = merged_index(&before, entry("a", "3")).unwrap();
        assert_eq!(
            after,
            index(&[entry("b", "2"), unnamed.clone(), entry("a", "3")])
        );
        let again = merged_index(&after, json!({"digest": "e"})).unwrap();
        assert_eq!(
            again,
            index(&[entry("b", "2"), entry("a", "3"), json!({"digest": "e"})])
        );
    }

    #[test]
    fn what_is_no_index_is_refused() {
        for wrong in ["", "[]", "{}", r#"{"manifests":{}}"#] {
            assert!(
                merged_index(wrong.as_bytes(), json!({})).is_err(),
                "{wrong}"
            );
        }
    }
}
