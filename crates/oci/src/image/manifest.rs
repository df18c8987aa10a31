//! From a manifest or an index to an image, wherever its blobs are.

use std::path::Path;
use std::sync::Arc;

use super::document::{Descriptor, Document, Manifest};
use super::{Image, ImageError, Layer, Options, choose, configuration, malformed};
use crate::Digest;
use crate::registry::Delivery;
use crate::store::Extent;

/// Where the blobs of an image are: a layout, a registry.
pub(crate) trait Blobs {
    /// What errors call it.
    fn label(&self) -> &Path;

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError>;

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError>;

    /// All layers, found and perhaps not here yet.
    fn layers(&self, layers: &[Descriptor]) -> Result<Vec<Stored>, ImageError>;
}

/// The bytes of a layer.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    Here(Extent),
    /// On their way, under this number.
    Coming(Arc<Delivery>, usize),
}

impl Stored {
    /// Waits until they are here.
    pub fn extent(&self) -> Result<Extent, ImageError> {
        match self {
            Self::Here(extent) => Ok(extent.clone()),
            Self::Coming(delivery, number) => Ok(delivery.take(*number)?),
        }
    }
}

/// Follows a document, which has this digest, to the image for the wanted
/// platform.
pub(crate) fn resolve(
    blobs: &dyn Blobs,
    document: Document,
    digest: Digest,
    options: &Options,
) -> Result<Image, ImageError> {
    let (mut document, mut digest) = (document, digest);
    for _ in 0..=options.limits.nesting {
        match document {
            Document::Manifest(manifest) => return image(blobs, &manifest, digest, options),
            Document::Index(entries) => {
                let wanted = options.platform.as_ref();
                let chosen = choose::by_platform(blobs.label(), entries, wanted)?;
                document = read(blobs, &chosen, options)?;
                digest = chosen.digest;
            }
        }
    }
    Err(malformed(
        &format!("the index of {}", blobs.label().display()),
        "it nests indexes too deeply",
    ))
}

/// The document that a descriptor leads to, checked and parsed.
pub(super) fn read(
    blobs: &dyn Blobs,
    descriptor: &Descriptor,
    options: &Options,
) -> Result<Document, ImageError> {
    let what = format!("manifest {}", descriptor.digest);
    within_limit(descriptor, &what, options)?;
    let bytes = checked(descriptor, &what, blobs.manifest(descriptor)?)?;
    Document::parse(&bytes).map_err(|why| malformed(&what, &why))
}

fn image(
    blobs: &dyn Blobs,
    manifest: &Manifest,
    digest: Digest,
    options: &Options,
) -> Result<Image, ImageError> {
    let what = format!("configuration {}", manifest.config.digest);
    within_limit(&manifest.config, &what, options)?;
    let bytes = checked(&manifest.config, &what, blobs.config(&manifest.config)?)?;
    let config = configuration::parse(blobs.label(), &what, &bytes, options)?;
    let diff_ids = configuration::diff_ids(&what, &config, manifest.layers.len(), options)?;
    for (i, layer) in manifest.layers.iter().enumerate() {
        if layer.media_type.ends_with("+encrypted") {
            return Err(malformed(
                &format!("layer {}", i + 1),
                "it is encrypted; decrypt the image first",
            ));
        }
    }
    let stored = blobs.layers(&manifest.layers)?;
    let layers = manifest
        .layers
        .iter()
        .zip(diff_ids)
        .zip(stored)
        .map(|((descriptor, diff_id), stored)| Layer {
            digest: Some(descriptor.digest),
            diff_id,
            size: descriptor.size,
            media_type: descriptor.media_type.clone(),
            stored,
        })
        .collect();
    Ok(Image {
        path: blobs.label().to_path_buf(),
        config,
        config_digest: manifest.config.digest,
        manifest_digest: Some(digest),
        name: None,
        layers,
    })
}

fn within_limit(descriptor: &Descriptor, what: &str, options: &Options) -> Result<(), ImageError> {
    let limit = options.limits.document;
    if descriptor.size > limit {
        return Err(ImageError::TooLong {
            what: what.to_owned(),
            size: descriptor.size,
            limit,
        });
    }
    Ok(())
}

/// The bytes, if size and digest are what the descriptor promises.
fn checked(descriptor: &Descriptor, what: &str, bytes: Vec<u8>) -> Result<Vec<u8>, ImageError> {
    if bytes.len() as u64 != descriptor.size {
        return Err(ImageError::Size {
            what: what.to_owned(),
            expected: descriptor.size,
            found: bytes.len() as u64,
        });
    }
    let found = Digest::of(&bytes);
    if found != descriptor.digest {
        return Err(ImageError::Digest {
            what: what.to_owned(),
            expected: descriptor.digest,
            found,
        });
    }
    Ok(bytes)
}
