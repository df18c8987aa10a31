//! Images of OCI layouts (OCI image spec, image-layout.md).

use std::path::Path;

use super::document::{Descriptor, Document};
use super::manifest::{Blobs, Stored, read, resolve};
use super::{Image, ImageError, Options, choose, malformed};
use crate::Digest;
use crate::store::Store;

/// Opens an image of a layout.
pub(super) fn open(
    store: &Store,
    name: Option<&str>,
    options: &Options,
) -> Result<Image, ImageError> {
    if store.find("index.json")?.is_none() {
        return Err(ImageError::NoImage {
            path: store.path().to_path_buf(),
            why: "it has no `index.json`, as OCI layouts do".to_owned(),
        });
    }
    let index = store.document("index.json", options.limits.document)?;
    let entries = match Document::parse(&index).map_err(|why| malformed("index.json", &why))? {
        Document::Index(entries) => entries,
        Document::Manifest(_) => {
            return Err(malformed("index.json", "it is a manifest, not an index"));
        }
    };
    if entries.is_empty() {
        return Err(ImageError::Missing {
            path: store.path().to_path_buf(),
            what: "image".to_owned(),
        });
    }
    let entries = choose::by_name(store.path(), entries, name)?;
    let wanted = options.platform.as_ref();
    let chosen = choose::by_platform(store.path(), entries, wanted)?;
    let blobs = Layout { store, options };
    let document = read(&blobs, &chosen, options)?;
    let mut image = resolve(&blobs, document, chosen.digest, options)?;
    image.name = chosen.names().next().map(str::to_owned);
    Ok(image)
}

struct Layout<'a> {
    store: &'a Store,
    options: &'a Options,
}

impl Layout<'_> {
    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        self.store
            .document(&blob_name(descriptor.digest), self.options.limits.document)
    }

    fn layer(&self, number: usize, descriptor: &Descriptor) -> Result<Stored, ImageError> {
        let path = self.store.path();
        let extent = match self.store.find(&blob_name(descriptor.digest))? {
            Some(extent) => extent,
            None if descriptor.is_foreign() => {
                return Err(ImageError::Foreign {
                    path: path.to_path_buf(),
                    number,
                });
            }
            None => {
                return Err(ImageError::Missing {
                    path: path.to_path_buf(),
                    what: format!("layer {}", descriptor.digest),
                });
            }
        };
        if extent.size != descriptor.size {
            return Err(ImageError::Size {
                what: format!("layer {number} ({})", descriptor.digest),
                expected: descriptor.size,
                found: extent.size,
            });
        }
        Ok(Stored::Here(extent))
    }
}

impl Blobs for Layout<'_> {
    fn label(&self) -> &Path {
        self.store.path()
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        self.document(descriptor)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        self.document(descriptor)
    }

    fn layers(&self, layers: &[Descriptor]) -> Result<Vec<Stored>, ImageError> {
        layers
            .iter()
            .enumerate()
            .map(|(i, descriptor)| self.layer(i + 1, descriptor))
            .collect()
    }
}

pub(super) fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
