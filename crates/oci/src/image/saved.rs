//! Images of `docker save`.

use super::document::{self, Saved};
use super::{Image, ImageError, Layer, Options, Stored, choose, configuration, malformed};
use crate::Digest;
use crate::store::Store;

/// Opens an image of a `docker save` archive.
pub(super) fn open(
    store: &Store,
    name: Option<&str>,
    options: &Options,
) -> Result<Image, ImageError> {
    if store.find("manifest.json")?.is_none() {
        return Err(ImageError::NoImage {
            path: store.path().to_path_buf(),
            why: "it has no `manifest.json`, as archives of `docker save` do".to_owned(),
        });
    }
    let bytes = store.document("manifest.json", options.limits.document)?;
    let images = Saved::parse(&bytes).map_err(|why| malformed("manifest.json", &why))?;
    let saved = choose::saved(store.path(), images, name)?;
    let what = format!("configuration {}", saved.config);
    let bytes = store.document(&saved.config, options.limits.document)?;
    let config_digest = Digest::of(&bytes);
    if let Some(expected) = document::config_digest(&saved.config)
        && expected != config_digest
    {
        return Err(ImageError::Digest {
            what,
            expected,
            found: config_digest,
        });
    }
    let config = configuration::parse(store.path(), &what, &bytes, options)?;
    let diff_ids = configuration::diff_ids(&what, &config, saved.layers.len(), options)?;
    let mut layers = Vec::new();
    for (member, diff_id) in saved.layers.iter().zip(diff_ids) {
        let extent = store.find(member)?.ok_or_else(|| ImageError::Missing {
            path: store.path().to_path_buf(),
            what: format!("layer {member}"),
        })?;
        layers.push(Layer {
            digest: document::blob_digest(member),
            diff_id,
            size: extent.size,
            media_type: String::new(),
            stored: Stored::Here(extent),
        });
    }
    Ok(Image {
        path: store.path().to_path_buf(),
        config,
        config_digest,
        manifest_digest: None,
        name: saved.names().next().map(str::to_owned),
        layers,
    })
}
