//! Opening an image: from a reference to a configuration and layers.

mod choose;
mod document;
mod error;
mod offsets;
mod stream;

use std::path::{Path, PathBuf};

use serde_json::Value;

pub use error::ImageError;
pub use offsets::Offsets;
pub use stream::LayerStream;

use document::{Descriptor, Document, Manifest, Saved};
use stream::Promise;

use crate::archive::Archive;
use crate::media::Compression;
use crate::store::{Extent, Store};
use crate::{Digest, ImageConfig, LayerReader, Platform, Reference};

/// How an image is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which one of an image for several platforms; the host's by default.
    pub platform: Option<Platform>,
    /// A folder for what cannot be read in place (compressed archives).
    pub scratch: PathBuf,
    pub limits: Limits,
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
    path: PathBuf,
    config: ImageConfig,
    config_digest: Digest,
    manifest_digest: Option<Digest>,
    name: Option<String>,
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
    extent: Extent,
}

impl Layer {
    /// Whether it is stored without compression, so that its bytes are those
    /// of the tar.
    pub fn is_plain(&self) -> Result<bool, ImageError> {
        let compression = self
            .extent
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
                layout(&Store::Folder(dir.clone()), name.as_deref(), options)
            }
            Reference::OciArchive { file, name } => {
                let archive = Archive::open(file, options)?;
                layout(&Store::Archive(archive), name.as_deref(), options)
            }
            Reference::DockerArchive { file, name } => {
                let archive = Archive::open(file, options)?;
                docker_archive(&Store::Archive(archive), name.as_deref(), options)
            }
            Reference::Path { path, name } => recognized(path, name.as_deref(), options),
            Reference::Registry(name) => Err(not_yet(reference, "registries are not read yet", {
                format!("skopeo copy docker://{name} oci:DIR, then use oci:DIR")
            })),
            Reference::DockerDaemon(name) => Err(not_yet(reference, "engines are not read yet", {
                format!("docker save {name} -o FILE.tar, then use FILE.tar")
            })),
            Reference::Podman(name) => Err(not_yet(reference, "engines are not read yet", {
                format!("podman save {name} -o FILE.tar, then use FILE.tar")
            })),
            Reference::Name(name) => Err(not_yet(
                reference,
                "there is no such file or folder, and registries and engines are not read yet",
                format!(
                    "docker save {name} -o FILE.tar, or skopeo copy docker://{name} oci:DIR; \
                     then use that path"
                ),
            )),
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
        platform(&self.config)
    }

    /// The layers, the bottom one first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of all layers as stored.
    pub fn compressed_size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// The tar of layer `index`, which ends in an error instead of an end if
    /// it is not what the manifest promised. `None` beyond the last layer.
    pub fn open_layer(&self, index: usize) -> Option<Result<LayerStream, ImageError>> {
        let layer = self.layers.get(index)?;
        let promise = Promise {
            what: self.layer_name(index),
            digest: layer.digest,
            diff_id: layer.diff_id,
        };
        Some(
            LayerStream::open(layer.extent.clone(), promise).map_err(|source| ImageError::Io {
                path: self.path.clone(),
                source,
            }),
        )
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

fn not_yet(reference: &Reference, why: &'static str, hint: String) -> ImageError {
    ImageError::NotYet {
        reference: reference.to_string(),
        why,
        hint,
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
        return layout(&store, name, options);
    }
    let store = Store::Archive(Archive::open(path, options)?);
    if store.find("oci-layout")?.is_some() && store.find("index.json")?.is_some() {
        layout(&store, name, options)
    } else if store.find("manifest.json")?.is_some() {
        docker_archive(&store, name, options)
    } else if store.find("index.json")?.is_some() {
        layout(&store, name, options)
    } else {
        Err(no_image(
            "the archive has neither `index.json` nor `manifest.json`",
        ))
    }
}

/// Opens an image of an OCI layout (OCI image spec, image-layout.md).
fn layout(store: &Store, name: Option<&str>, options: &Options) -> Result<Image, ImageError> {
    if store.find("index.json")?.is_none() {
        return Err(ImageError::NoImage {
            path: store.path().to_path_buf(),
            why: "it has no `index.json`, as OCI layouts do".to_owned(),
        });
    }
    let index = store.document("index.json", options.limits.document)?;
    let entries = match parse("index.json", &index)? {
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
    let mut chosen = choose::by_platform(store.path(), entries, wanted)?;
    let name = chosen.names().next().map(str::to_owned);
    for _ in 0..=options.limits.nesting {
        let what = format!("manifest {}", chosen.digest);
        let bytes = blob_document(store, &chosen, &what, options)?;
        match parse(&what, &bytes)? {
            Document::Index(entries) => {
                chosen = choose::by_platform(store.path(), entries, wanted)?;
            }
            Document::Manifest(manifest) => {
                let mut image = from_manifest(store, &manifest, options)?;
                image.manifest_digest = Some(chosen.digest);
                image.name = name;
                return Ok(image);
            }
        }
    }
    Err(malformed("index.json", "it nests indexes too deeply"))
}

fn from_manifest(
    store: &Store,
    manifest: &Manifest,
    options: &Options,
) -> Result<Image, ImageError> {
    let what = format!("configuration {}", manifest.config.digest);
    let bytes = blob_document(store, &manifest.config, &what, options)?;
    let config = configuration(store, &what, &bytes, options)?;
    let diff_ids = diff_ids(&what, &config, manifest.layers.len(), options)?;
    let mut layers = Vec::new();
    for (i, (descriptor, diff_id)) in manifest.layers.iter().zip(diff_ids).enumerate() {
        let media_type = &descriptor.media_type;
        if media_type.ends_with("+encrypted") {
            return Err(malformed(
                &format!("layer {}", i + 1),
                "it is encrypted; decrypt the image first",
            ));
        }
        let extent = match store.find(&blob_name(descriptor.digest))? {
            Some(extent) => extent,
            None if descriptor
                .urls
                .as_ref()
                .is_some_and(|urls| !urls.is_empty()) =>
            {
                return Err(ImageError::Foreign {
                    path: store.path().to_path_buf(),
                    number: i + 1,
                });
            }
            None => {
                return Err(ImageError::Missing {
                    path: store.path().to_path_buf(),
                    what: format!("layer {}", descriptor.digest),
                });
            }
        };
        if extent.size != descriptor.size {
            return Err(ImageError::Size {
                what: format!("layer {} ({})", i + 1, descriptor.digest),
                expected: descriptor.size,
                found: extent.size,
            });
        }
        layers.push(Layer {
            digest: Some(descriptor.digest),
            diff_id,
            size: extent.size,
            media_type: media_type.clone(),
            extent,
        });
    }
    Ok(Image {
        path: store.path().to_path_buf(),
        config,
        config_digest: manifest.config.digest,
        manifest_digest: None,
        name: None,
        layers,
    })
}

/// Opens an image of a `docker save` archive.
fn docker_archive(
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
    let config = configuration(store, &what, &bytes, options)?;
    let diff_ids = diff_ids(&what, &config, saved.layers.len(), options)?;
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
            extent,
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

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// A document by its descriptor, size and digest checked.
fn blob_document(
    store: &Store,
    descriptor: &Descriptor,
    what: &str,
    options: &Options,
) -> Result<Vec<u8>, ImageError> {
    let bytes = store.document(&blob_name(descriptor.digest), options.limits.document)?;
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

fn parse(what: &str, bytes: &[u8]) -> Result<Document, ImageError> {
    Document::parse(bytes).map_err(|why| malformed(what, &why))
}

fn malformed(what: &str, why: &str) -> ImageError {
    ImageError::Malformed {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

/// Parses a configuration and refuses what is no Linux image, or not one for
/// the platform that was asked for.
fn configuration(
    store: &Store,
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
            path: store.path().to_path_buf(),
            wanted: wanted.map_or_else(|| "linux".to_owned(), Platform::to_string),
            available: vec![found.to_string()],
        });
    }
    Ok(config)
}

fn platform(config: &ImageConfig) -> Platform {
    let text = |key| config.get(key).and_then(Value::as_str);
    let os = text("os").filter(|os| !os.is_empty()).unwrap_or("linux");
    Platform::new(os, config.architecture(), text("variant"))
}

fn diff_ids(
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

#[cfg(test)]
mod tests;
