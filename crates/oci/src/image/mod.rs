//! Opening an image: from a reference to a configuration and layers.

mod choose;
mod configuration;
mod document;
mod error;
mod layout;
mod manifest;
mod offsets;
mod saved;
mod stream;

use std::path::{Path, PathBuf};

pub use error::ImageError;
pub use offsets::Offsets;
pub use stream::LayerStream;

pub(crate) use document::{Descriptor, Document, Manifest};
pub(crate) use manifest::{Blobs, Stored, resolve};

use stream::Promise;

use crate::archive::Archive;
use crate::media::Compression;
use crate::store::Store;
use crate::{Digest, ImageConfig, LayerReader, Platform, Reference, Transports};

/// How an image is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which one of an image for several platforms; the host's by default.
    pub platform: Option<Platform>,
    /// A folder for what cannot be read in place (compressed archives).
    pub scratch: PathBuf,
    pub limits: Limits,
    /// For what is no file: registries and engines.
    pub transports: Transports,
}

/// Bounds for input that nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an index, a manifest or a configuration.
    pub document: u64,
    /// Members of an archive.
    pub members: usize,
    /// Layers of an image.
    pub layers: usize,
    /// Indexes within indexes.
    pub nesting: usize,
    /// Bytes of a compressed archive, once decompressed.
    pub archive: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document: 8 << 20,
            members: 10_000,
            layers: 1000,
            nesting: 4,
            archive: 64 << 30,
        }
    }
}

/// An image that was opened: its documents are checked and parsed, its layers
/// are found and not read yet.
#[derive(Debug)]
pub struct Image {
    /// The file, or what errors call the image.
    path: PathBuf,
    config: ImageConfig,
    config_digest: Digest,
    manifest_digest: Option<Digest>,
    pub(crate) name: Option<String>,
    layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Of the bytes as stored; `None` where a Docker archive does not tell.
    pub digest: Option<Digest>,
    /// Of the tar.
    pub diff_id: Digest,
    /// Bytes as stored, compressed or not.
    pub size: u64,
    /// Empty where a Docker archive does not tell.
    pub media_type: String,
    stored: Stored,
}

impl Layer {
    /// Whether it is stored without compression, so that its bytes are those
    /// of the tar.
    pub fn is_plain(&self) -> Result<bool, ImageError> {
        let compression =
            self.stored
                .extent()?
                .compression()
                .map_err(|source| ImageError::Stream {
                    what: format!("layer {}", self.diff_id),
                    source,
                })?;
        Ok(compression == Compression::None)
    }
}

impl Image {
    /// Opens the image that `reference` names.
    pub fn open(reference: &Reference, options: &Options) -> Result<Self, ImageError> {
        match reference {
            Reference::Oci { dir, name } => {
                layout::open(&Store::Folder(dir.clone()), name.as_deref(), options)
            }
            Reference::OciArchive { file, name } => {
                let archive = Archive::open(file, options)?;
                layout::open(&Store::Archive(archive), name.as_deref(), options)
            }
            Reference::DockerArchive { file, name } => {
                let archive = Archive::open(file, options)?;
                saved::open(&Store::Archive(archive), name.as_deref(), options)
            }
            Reference::Path { path, name } => recognized(path, name.as_deref(), options),
            Reference::Registry(name) => options.transports.registry(name, options),
            Reference::DockerDaemon(name) => options.transports.docker(name, options),
            Reference::Podman(name) => options.transports.podman(name, options),
            Reference::Name(name) => options.transports.anywhere(name, options),
        }
    }

    pub fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// Of the configuration's bytes: what Docker calls the image's ID.
    pub fn config_digest(&self) -> Digest {
        self.config_digest
    }

    /// Of the manifest's bytes; Docker archives without a layout have none.
    pub fn manifest_digest(&self) -> Option<Digest> {
        self.manifest_digest
    }

    /// The name under which the archive or layout lists it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub fn platform(&self) -> Platform {
        configuration::platform(&self.config)
    }

    /// The layers, the bottom one first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of all layers as stored.
    pub fn compressed_size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Bytes of its layers if they come from a registry, when they are read;
    /// [`crate::Meter`] tells how many of them are here.
    pub fn bytes_to_come(&self) -> Option<u64> {
        let comes = |layer: &Layer| matches!(layer.stored, Stored::Coming(..));
        self.layers
            .iter()
            .any(comes)
            .then(|| self.compressed_size())
    }

    /// The tar of layer `index`, waited for where it is on its way, which ends
    /// in an error instead of an end if it is not what the manifest promised.
    /// `None` beyond the last layer.
    pub fn open_layer(&self, index: usize) -> Option<Result<LayerStream, ImageError>> {
        let layer = self.layers.get(index)?;
        let promise = Promise {
            what: self.layer_name(index),
            digest: layer.digest,
            diff_id: layer.diff_id,
        };
        Some(layer.stored.extent().and_then(|extent| {
            LayerStream::open(extent, promise).map_err(|source| ImageError::Io {
                path: self.path.clone(),
                source,
            })
        }))
    }

    /// The entries of layer `index`; `None` beyond the last layer.
    pub fn read_layer(&self, index: usize) -> Option<Result<LayerReader<LayerStream>, ImageError>> {
        let stream = self.open_layer(index)?;
        Some(stream.map(|stream| LayerReader::new(stream, self.layer_name(index))))
    }

    /// What errors call a layer: `layer 2 of 5 (sha256:0123456789ab)`.
    pub fn layer_name(&self, index: usize) -> String {
        let digest = self
            .layers
            .get(index)
            .map(|l| l.digest.unwrap_or(l.diff_id));
        let hex = digest.map(|d| d.hex()).unwrap_or_default();
        format!(
            "layer {} of {} (sha256:{})",
            index + 1,
            self.layers.len(),
            hex.get(..12).unwrap_or_default()
        )
    }
}

/// Opens a path without a transport by what is there. An archive that is both
/// (as `docker save` writes since Docker 25) is read as a layout, which has
/// digests.
fn recognized(path: &Path, name: Option<&str>, options: &Options) -> Result<Image, ImageError> {
    let metadata = path.metadata().map_err(|source| ImageError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let no_image = |why: &str| ImageError::NoImage {
        path: path.to_path_buf(),
        why: why.to_owned(),
    };
    if metadata.is_dir() {
        let store = Store::Folder(path.to_path_buf());
        if store.find("oci-layout")?.is_none() && store.find("index.json")?.is_none() {
            return Err(no_image("the folder has no `oci-layout`"));
        }
        return layout::open(&store, name, options);
    }
    archive(Archive::open(path, options)?, name, options)
}

/// Opens an image of an archive of either kind.
pub(crate) fn archive(
    archive: Archive,
    name: Option<&str>,
    options: &Options,
) -> Result<Image, ImageError> {
    let store = Store::Archive(archive);
    if store.find("oci-layout")?.is_some() && store.find("index.json")?.is_some() {
        layout::open(&store, name, options)
    } else if store.find("manifest.json")?.is_some() {
        saved::open(&store, name, options)
    } else if store.find("index.json")?.is_some() {
        layout::open(&store, name, options)
    } else {
        Err(ImageError::NoImage {
            path: store.path().to_path_buf(),
            why: "the archive has neither `index.json` nor `manifest.json`".to_owned(),
        })
    }
}

fn malformed(what: &str, why: &str) -> ImageError {
    ImageError::Malformed {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests;
