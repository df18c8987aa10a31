//! One name for the images of several platforms: an index (OCI image spec,
//! image-index.md).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Blob, Staged, Temporary, new_layout, write_archive};
use crate::Digest;
use crate::assemble::{self, INDEX_TYPE, LAYOUT, REF_NAME};
use crate::destination::Destination;
use crate::write_error::WriteError;

/// Writes an index of `images`, layouts with one image each, under a temporary
/// name next to its destination, or below `scratch` where that is a registry.
///
/// `created` is the time of an archive's entries, in seconds since the epoch.
///
/// # Errors
/// [`WriteError::OnePlatform`] for destinations that hold no index.
pub fn stage_index(
    destination: &Destination,
    images: &[PathBuf],
    created: i64,
    scratch: &Path,
) -> Result<Staged, WriteError> {
    let (place, reference) = match destination {
        Destination::OciDir { dir, reference } => (dir.clone(), reference.as_deref()),
        Destination::OciArchive { reference, .. } => (scratch.join("index"), reference.as_deref()),
        Destination::Registry(_) => (scratch.join("index"), None),
        Destination::DockerArchive { .. }
        | Destination::DockerDaemon(_)
        | Destination::Podman(_) => {
            return Err(WriteError::OnePlatform(destination.to_string()));
        }
    };
    let mut manifests = Vec::new();
    for image in images {
        let path = image.join("index.json");
        let text = fs::read(&path).map_err(|source| WriteError::io("read", &path, source))?;
        manifests.push(only_entry(&text).map_err(|reason| WriteError::BadIndex { path, reason })?);
    }
    let index = assemble::index(&manifests);
    let digest = Digest::of(&index);
    let mut entry = json!({
        "mediaType": INDEX_TYPE,
        "digest": digest,
        "size": index.len(),
    });
    if let Some(reference) = reference {
        entry["annotations"] = json!({ REF_NAME: reference });
    }

    let (dir, lock, exists) = new_layout(&place)?;
    let failed = |source| WriteError::io("write", &place, source);
    let blobs = dir.path().join("blobs/sha256");
    for image in images {
        for blob in fs::read_dir(image.join("blobs/sha256")).map_err(failed)? {
            let blob = blob.map_err(failed)?;
            let target = blobs.join(blob.file_name());
            // Platforms may share layers.
            if !target.exists() && fs::hard_link(blob.path(), &target).is_err() {
                fs::copy(blob.path(), &target).map_err(failed)?;
            }
        }
    }
    let mut bytes = index.len() as u64;
    for blob in fs::read_dir(&blobs).map_err(failed)? {
        bytes += blob.and_then(|blob| blob.metadata()).map_err(failed)?.len();
    }
    fs::write(blobs.join(digest.hex()), &index).map_err(failed)?;
    let outer = assemble::index(std::slice::from_ref(&entry));
    fs::write(dir.path().join("index.json"), &outer).map_err(failed)?;

    let temporary = match destination {
        Destination::OciArchive { file, .. } => archive(file, &dir, &outer, created)?,
        _ if exists => Temporary::Addition {
            dir,
            entry,
            _lock: lock,
        },
        _ => Temporary::NewLayout { dir, _lock: lock },
    };
    Ok(Staged {
        blobs: bytes,
        temporary,
        destination: destination.clone(),
        manifest_digest: digest,
        // What engines would call it: an index has no configuration.
        config_digest: digest,
    })
}

/// The only image of a layout, without its name.
fn only_entry(index: &[u8]) -> Result<Value, String> {
    let index: Value = serde_json::from_slice(index).map_err(|error| error.to_string())?;
    let entries = index["manifests"].as_array().map(Vec::as_slice);
    let Some([entry]) = entries else {
        return Err("it has not exactly one image".to_owned());
    };
    let mut entry = entry.clone();
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("annotations");
    }
    Ok(entry)
}

/// An archive of a layout.
fn archive(
    place: &Path,
    layout: &TempDir,
    index: &[u8],
    created: i64,
) -> Result<Temporary, WriteError> {
    let failed = |source| WriteError::io("read", layout.path(), source);
    let mut blobs = Vec::new();
    for blob in fs::read_dir(layout.path().join("blobs/sha256")).map_err(failed)? {
        let blob = blob.map_err(failed)?;
        blobs.push(Blob {
            name: format!("blobs/sha256/{}", blob.file_name().to_string_lossy()),
            size: blob.metadata().map_err(failed)?.len(),
            path: blob.path(),
        });
    }
    blobs.sort_by(|a, b| a.name.cmp(&b.name));
    let files = [("oci-layout", LAYOUT), ("index.json", index)];
    write_archive(place, &files, &[], &blobs, created)
}
