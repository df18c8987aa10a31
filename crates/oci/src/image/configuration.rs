//! What an image's configuration says of it as a whole.

use std::path::Path;

use serde_json::Value;

use super::{ImageError, Options, malformed};
use crate::{Digest, ImageConfig, Platform};

/// Parses a configuration and refuses what is no Linux image, or not one for
/// the platform that was asked for.
pub(super) fn parse(
    path: &Path,
    what: &str,
    bytes: &[u8],
    options: &Options,
) -> Result<ImageConfig, ImageError> {
    let config = ImageConfig::parse(bytes).map_err(|error| malformed(what, &error.to_string()))?;
    let found = platform(&config);
    let fits = match &options.platform {
        Some(wanted) => found.distance(wanted).is_some(),
        None => found.os == "linux",
    };
    if !fits {
        let wanted = options.platform.as_ref();
        return Err(ImageError::NoPlatform {
            path: path.to_path_buf(),
            wanted: wanted.map_or_else(|| "linux".to_owned(), Platform::to_string),
            available: vec![found.to_string()],
        });
    }
    Ok(config)
}

pub(super) fn platform(config: &ImageConfig) -> Platform {
    let text = |key| config.get(key).and_then(Value::as_str);
    let os = text("os").filter(|os| !os.is_empty()).unwrap_or("linux");
    Platform::new(os, config.architecture(), text("variant"))
}

pub(super) fn diff_ids(
    what: &str,
    config: &ImageConfig,
    layers: usize,
    options: &Options,
) -> Result<Vec<Digest>, ImageError> {
    let ids: Vec<Digest> = config
        .get("rootfs")
        .and_then(|rootfs| rootfs.get("diff_ids"))
        .map(|ids| serde_json::from_value(ids.clone()))
        .transpose()
        .map_err(|error| malformed(what, &error.to_string()))?
        .ok_or_else(|| malformed(what, "it lists no layers: this is no container image"))?;
    if ids.len() != layers {
        return Err(malformed(
            what,
            &format!("it lists {} layers, the manifest {layers}", ids.len()),
        ));
    }
    if layers > options.limits.layers {
        return Err(malformed(
            what,
            &format!(
                "{layers} layers; at most {} are allowed",
                options.limits.layers
            ),
        ));
    }
    Ok(ids)
}
