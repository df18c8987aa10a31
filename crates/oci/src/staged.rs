//! A whole image under a temporary name, until it is known to be good.
//!
//! Nothing partial ever has the final name: an archive and a new layout are
//! renamed as a whole; an existing layout gets its blobs first and its index,
//! which makes them an image, last; what goes to a registry or an engine is a
//! file of whit's own until it is handed over.

mod platforms;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::{TempDir, TempPath};

pub use platforms::stage_index;

use crate::assemble::{self, Assembled, Document, LAYOUT, blob_path};
use crate::destination::Destination;
use crate::draft::{self, parent};
use crate::layer_writer::WrittenLayer;
use crate::tar_writer::TarWriter;
use crate::write_error::WriteError;
use crate::{Digest, Entry, ImageConfig, ImageName, ImagePath, Kind, Meta, Transports};

/// An existing `index.json` larger than this is not one.
const MAX_INDEX: u64 = 16 << 20;

/// An image that is written but does not have its name yet.
///
/// Dropped without [`Staged::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Staged {
    temporary: Temporary,
    destination: Destination,
    manifest_digest: Digest,
    config_digest: Digest,
    /// Bytes of the configuration and of the layers.
    blobs: u64,
}

#[derive(Debug)]
enum Temporary {
    Archive {
        path: TempPath,
        _lock: File,
    },
    /// A layout that becomes the destination.
    NewLayout {
        dir: TempDir,
        _lock: File,
    },
    /// A layout inside the destination, whose blobs move over.
    Addition {
        dir: TempDir,
        entry: Value,
        _lock: File,
    },
}

/// Writes the image of `layers` (lowest first) under a temporary name next to
/// its destination, or below `scratch` where that is no file.
///
/// `created` is the time of everything that carries one, in seconds since the
/// epoch. The layers' files are only read.
pub fn stage(
    destination: &Destination,
    config: &ImageConfig,
    layers: &[WrittenLayer],
    annotations: &BTreeMap<String, String>,
    created: i64,
    scratch: &Path,
) -> Result<Staged, WriteError> {
    let image = assemble::assemble(config, layers, annotations, created)?;
    let temporary = match destination {
        Destination::OciDir { dir, reference } => {
            let entry = image.entry(reference.as_deref());
            layout(dir, &image, layers, entry)?
        }
        Destination::OciArchive { file, reference } => {
            let index = assemble::index(&[image.entry(reference.as_deref())]);
            let files = [("oci-layout", LAYOUT), ("index.json", &index)];
            archive(file, &files, &image, layers, created)?
        }
        Destination::DockerArchive { file, name } => {
            docker_archive(file, name.as_ref(), &image, layers, created)?
        }
        Destination::DockerDaemon(name) | Destination::Podman(name) => {
            let file = scratch.join("image.tar");
            docker_archive(&file, Some(name), &image, layers, created)?
        }
        Destination::Registry(_) => {
            layout(&scratch.join("image"), &image, layers, image.entry(None))?
        }
    };
    Ok(Staged {
        temporary,
        destination: destination.clone(),
        manifest_digest: image.manifest.digest,
        config_digest: image.config.digest,
        blobs: image.config.bytes.len() as u64 + layers.iter().map(|layer| layer.size).sum::<u64>(),
    })
}

impl Staged {
    /// The archive or the layout as it is now, to be opened and verified.
    pub fn location(&self) -> &Path {
        match &self.temporary {
            Temporary::Archive { path, .. } => path,
            Temporary::NewLayout { dir, .. } | Temporary::Addition { dir, .. } => dir.path(),
        }
    }

    /// The digest by which registries and `NAME@sha256:…` know the image.
    pub fn manifest_digest(&self) -> Digest {
        self.manifest_digest
    }

    /// The digest of the configuration: Docker's and Podman's image ID.
    pub fn config_digest(&self) -> Digest {
        self.config_digest
    }

    /// Bytes that are sent to a registry or an engine, if it has none of them.
    pub fn size(&self) -> u64 {
        match &self.temporary {
            Temporary::Archive { path, .. } => path.metadata().map_or(0, |meta| meta.len()),
            Temporary::NewLayout { .. } | Temporary::Addition { .. } => self.blobs,
        }
    }

    /// Gives the image its name: the last thing that happens to it.
    pub fn commit(self, transports: &Transports) -> Result<(), WriteError> {
        let location = self.location();
        match &self.destination {
            Destination::Registry(name) => {
                transports.push(location, self.manifest_digest, name)?;
            }
            Destination::DockerDaemon(name) => transports.load_docker(location, name)?,
            Destination::Podman(name) => transports.load_podman(location, name)?,
            Destination::OciDir { dir: place, .. }
            | Destination::OciArchive { file: place, .. }
            | Destination::DockerArchive { file: place, .. } => {
                self.temporary.rename(place)?;
            }
        }
        Ok(())
    }
}

impl Temporary {
    fn rename(self, place: &Path) -> Result<(), WriteError> {
        match self {
            Self::Archive { path, .. } => path
                .persist(place)
                .map_err(|failed| WriteError::io("write", place, failed.error)),
            Self::NewLayout { dir, .. } => {
                fs::rename(dir.path(), place)
                    .map_err(|source| WriteError::io("write", place, source))?;
                // Nothing is left at the temporary name.
                let _ = dir.keep();
                Ok(())
            }
            Self::Addition { dir, entry, .. } => add(place, dir, entry),
        }
    }
}

fn docker_archive(
    file: &Path,
    name: Option<&ImageName>,
    image: &Assembled,
    layers: &[WrittenLayer],
    created: i64,
) -> Result<Temporary, WriteError> {
    let index = assemble::index(&[image.docker_entry(name)]);
    let tagged = name.map(ImageName::tagged);
    let manifest = assemble::docker_manifest(image, layers, tagged.as_deref());
    let files = [
        ("oci-layout", LAYOUT),
        ("index.json", &index),
        ("manifest.json", &manifest),
    ];
    archive(file, &files, image, layers, created)
}

/// A file of a layout's blobs.
struct Blob {
    /// Its path in the layout.
    name: String,
    path: PathBuf,
    size: u64,
}

/// Writes an archive of `files` and of the image's blobs.
fn archive(
    place: &Path,
    files: &[(&str, &[u8])],
    image: &Assembled,
    layers: &[WrittenLayer],
    created: i64,
) -> Result<Temporary, WriteError> {
    let mut seen = BTreeSet::new();
    let blobs: Vec<Blob> = layers
        .iter()
        .filter(|layer| seen.insert(layer.digest))
        .map(|layer| Blob {
            name: blob_path(&layer.digest),
            path: layer.path.clone(),
            size: layer.size,
        })
        .collect();
    let documents = [&image.config, &image.manifest];
    write_archive(place, files, &documents, &blobs, created)
}

fn write_archive(
    place: &Path,
    files: &[(&str, &[u8])],
    documents: &[&Document],
    blobs: &[Blob],
    created: i64,
) -> Result<Temporary, WriteError> {
    check_archive(place)?;
    // Only the kind: the rest of the message is the temporary name.
    let failed = |error: io::Error| WriteError::io("write", place, error.kind().into());
    let (file, path) = draft::file(place).map_err(failed)?;
    let lock = file.try_clone().map_err(failed)?;
    let mut tar = TarWriter::new(BufWriter::new(file), place.to_path_buf());
    let entry = |path: &str, kind: Kind| Entry {
        meta: Meta {
            mode: if kind == Kind::Dir { 0o755 } else { 0o644 },
            mtime: created,
            ..Meta::default()
        },
        path: ImagePath::from(path),
        kind,
    };
    let file_of = |path: &str, size: u64| entry(path, Kind::File { size });

    for (path, mut bytes) in files.iter().copied() {
        tar.append(&file_of(path, bytes.len() as u64), &mut bytes)?;
    }
    for path in ["blobs", "blobs/sha256"] {
        tar.append(&entry(path, Kind::Dir), &mut io::empty())?;
    }
    for document in documents {
        let mut bytes = &document.bytes[..];
        let path = blob_path(&document.digest);
        tar.append(&file_of(&path, bytes.len() as u64), &mut bytes)?;
    }
    for blob in blobs {
        let mut file =
            File::open(&blob.path).map_err(|source| WriteError::io("read", &blob.path, source))?;
        tar.append(&file_of(&blob.name, blob.size), &mut file)?;
    }
    tar.finish()?
        .flush()
        .map_err(|source| WriteError::io("write", place, source))?;
    Ok(Temporary::Archive { path, _lock: lock })
}

/// Writes a layout: beside `place`, or inside it where it exists.
fn layout(
    place: &Path,
    image: &Assembled,
    layers: &[WrittenLayer],
    entry: Value,
) -> Result<Temporary, WriteError> {
    let (dir, lock, exists) = new_layout(place)?;
    let failed = |source| WriteError::io("write", place, source);
    let blobs = dir.path().join("blobs/sha256");
    for document in [&image.config, &image.manifest] {
        fs::write(blobs.join(document.digest.hex()), &document.bytes).map_err(failed)?;
    }
    for layer in layers {
        place_layer(layer, &blobs.join(layer.digest.hex())).map_err(failed)?;
    }
    let index = assemble::index(std::slice::from_ref(&entry));
    fs::write(dir.path().join("index.json"), &index).map_err(failed)?;
    Ok(match exists {
        false => Temporary::NewLayout { dir, _lock: lock },
        true => Temporary::Addition {
            dir,
            entry,
            _lock: lock,
        },
    })
}

/// A layout without images under a temporary name, its lock, and whether there is one at
/// `place`.
fn new_layout(place: &Path) -> Result<(TempDir, File, bool), WriteError> {
    let exists = check_layout(place)?;
    // Inside, because an existing folder may be a mount point and its parent
    // another file system.
    let above = if exists { place } else { parent(place) };
    let failed = |source| WriteError::io("write", place, source);
    let (dir, lock) = draft::folder(place, above).map_err(|error| failed(error.kind().into()))?;
    fs::create_dir_all(dir.path().join("blobs/sha256")).map_err(failed)?;
    fs::write(dir.path().join("oci-layout"), LAYOUT).map_err(failed)?;
    Ok((dir, lock, exists))
}

/// Moves the blobs of `staged`, a layout inside `place`, over to `place` and
/// enters the image into its index.
fn add(place: &Path, staged: TempDir, entry: Value) -> Result<(), WriteError> {
    let failed = |source| WriteError::io("write", place, source);
    let index_path = place.join("index.json");
    let index = match read_index(&index_path)? {
        None => assemble::index(&[entry]),
        Some(index) => {
            assemble::merged_index(&index, entry).map_err(|reason| WriteError::BadIndex {
                path: index_path.clone(),
                reason,
            })?
        }
    };
    let blobs = place.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(failed)?;
    for blob in fs::read_dir(staged.path().join("blobs/sha256")).map_err(failed)? {
        let blob = blob.map_err(failed)?;
        // A blob of the same name may be there; ours was verified.
        fs::rename(blob.path(), blobs.join(blob.file_name())).map_err(failed)?;
    }
    let marker = place.join("oci-layout");
    if !marker.exists() {
        fs::rename(staged.path().join("oci-layout"), &marker).map_err(failed)?;
    }
    let new_index = staged.path().join("index.json");
    fs::write(&new_index, &index).map_err(failed)?;
    fs::rename(&new_index, &index_path).map_err(failed)
}

/// The index of an existing layout; `None` where there is none yet.
fn read_index(path: &Path) -> Result<Option<Vec<u8>>, WriteError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(WriteError::io("read", path, source)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_INDEX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| WriteError::io("read", path, source))?;
    if bytes.len() as u64 > MAX_INDEX {
        return Err(WriteError::BadIndex {
            path: path.to_path_buf(),
            reason: format!("it has more than {MAX_INDEX} bytes"),
        });
    }
    Ok(Some(bytes))
}

/// True if `place` is a layout or an empty folder, to which an image can be
/// added; false if there is nothing; an error if there is something else.
fn check_layout(place: &Path) -> Result<bool, WriteError> {
    let failed = |source| WriteError::io("write", place, source);
    match fs::metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(failed(source)),
        Ok(meta) if !meta.is_dir() => return Err(WriteError::NotALayout(place.to_path_buf())),
        Ok(_) => {}
    }
    let empty = fs::read_dir(place).map_err(failed)?.next().is_none();
    if !empty && !place.join("oci-layout").is_file() {
        return Err(WriteError::NotALayout(place.to_path_buf()));
    }
    Ok(true)
}

/// Refuses to replace anything but an archive or an empty file.
fn check_archive(place: &Path) -> Result<(), WriteError> {
    match fs::metadata(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(WriteError::io("write", place, source)),
        Ok(meta) if !meta.is_file() => return Err(WriteError::NotAFile(place.to_path_buf())),
        Ok(meta) if meta.len() == 0 => return Ok(()),
        Ok(_) => {}
    }
    let mut start = Vec::new();
    File::open(place)
        .and_then(|file| file.take(512).read_to_end(&mut start))
        .map_err(|source| WriteError::io("read", place, source))?;
    // The magic of a tar header: `ustar` and a NUL or, from GNU tar, a space.
    match start.get(257..262) {
        Some(b"ustar") => Ok(()),
        _ => Err(WriteError::NotAnArchive(place.to_path_buf())),
    }
}

/// Puts a layer's blob into a layout without copying it where that is possible.
fn place_layer(layer: &WrittenLayer, blob: &Path) -> io::Result<()> {
    if blob.exists() || fs::hard_link(&layer.path, blob).is_ok() {
        return Ok(());
    }
    fs::copy(&layer.path, blob).map(drop)
}

#[cfg(test)]
mod tests;
