//! An image of a layout, sent to a registry: blobs first, the manifest, which
//! makes them an image and moves the tag, last.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use ureq::http::Method;

use super::session::{Ask, Content};
use super::upload::Upload;
use super::{Place, Registries, RegistryError};
use crate::image::{Descriptor, Document, Manifest};
use crate::meter::Mark;
use crate::store::{Extent, open_regular};
use crate::{Digest, ImageName, media};

/// Blobs that are sent at the same time.
const AT_ONCE: usize = 3;

impl Registries {
    /// Sends the image with this manifest, or those of this index, of the
    /// layout in `folder`. The registry's tag changes with the very last
    /// request.
    pub fn push(
        &self,
        folder: &Path,
        document: Digest,
        name: &ImageName,
    ) -> Result<(), RegistryError> {
        let what = format!("docker://{}", name.tagged());
        let place = self.place(&name.registry, &name.repository, "pull,push")?;
        let blobs = folder.join("blobs/sha256");
        let path = blobs.join(document.hex());
        let bytes = read(&path)?;
        let tag = name.tag_or_latest();
        match Document::parse(&bytes) {
            Ok(Document::Manifest(manifest)) => {
                self.push_blobs(&blobs, &manifest, &place, name)?;
                put_document(&place, &what, tag, media::OCI_MANIFEST, bytes, document)
            }
            Ok(Document::Index(entries)) => {
                for entry in entries {
                    let path = blobs.join(entry.digest.hex());
                    let bytes = read(&path)?;
                    let Ok(Document::Manifest(manifest)) = Document::parse(&bytes) else {
                        return Err(no_manifest(path));
                    };
                    self.push_blobs(&blobs, &manifest, &place, name)?;
                    let (digest, kind) = (entry.digest, media::OCI_MANIFEST);
                    put_document(&place, &what, &digest.to_string(), kind, bytes, digest)?;
                }
                put_document(&place, &what, tag, media::OCI_INDEX, bytes, document)
            }
            Err(_) => Err(no_manifest(path)),
        }
    }

    /// Sends the configuration and the layers of an image.
    fn push_blobs(
        &self,
        blobs: &Path,
        manifest: &Manifest,
        place: &Place,
        name: &ImageName,
    ) -> Result<(), RegistryError> {
        let what = format!("docker://{}", name.tagged());
        let mut seen = BTreeSet::new();
        let uploads = manifest
            .layers
            .iter()
            .chain([&manifest.config])
            .filter(|blob| seen.insert(blob.digest))
            .map(|blob| self.upload(blobs, blob, place, &what))
            .collect::<Result<Vec<_>, _>>()?;
        run_all(&uploads)?;
        for upload in &uploads {
            self.origins
                .remember(&upload.digest, &name.registry, &name.repository);
        }
        Ok(())
    }

    fn upload<'a>(
        &self,
        blobs: &Path,
        blob: &Descriptor,
        place: &'a Place,
        what: &str,
    ) -> Result<Upload<'a>, RegistryError> {
        let mut origins = self.origins.of(&blob.digest, &place.session.host.name);
        origins.retain(|origin| *origin != place.repository);
        Ok(Upload {
            place,
            what: format!("blob {} of {what}", blob.digest),
            digest: blob.digest,
            extent: open(&blobs.join(blob.digest.hex()))?,
            origins,
            mark: Mark::new(&self.settings.meter),
        })
    }
}

/// Runs all uploads, or stops at the first one that fails.
fn run_all(uploads: &[Upload<'_>]) -> Result<(), RegistryError> {
    let queue = Mutex::new(uploads.iter());
    let failure: Mutex<Option<RegistryError>> = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(uploads.len()) {
            scope.spawn(|| {
                loop {
                    let next = lock(&queue).next();
                    let Some(upload) = next.filter(|_| lock(&failure).is_none()) else {
                        return;
                    };
                    if let Err(error) = upload.run() {
                        lock(&failure).get_or_insert(error);
                    }
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn no_manifest(path: PathBuf) -> RegistryError {
    RegistryError::File {
        path,
        cause: "it is no manifest".to_owned(),
    }
}

/// Sends a manifest or an index under a tag or its digest.
fn put_document(
    place: &Place,
    what: &str,
    tag: &str,
    kind: &str,
    bytes: Vec<u8>,
    digest: Digest,
) -> Result<(), RegistryError> {
    let session = &place.session;
    let ask = Ask {
        what,
        method: Method::PUT,
        place: format!("/v2/{}/manifests/{tag}", place.repository),
        repository: &place.repository,
        scopes: &place.scopes,
        headers: vec![("content-type", kind.to_owned())],
        content: Some(Content::Bytes(bytes)),
    };
    let answer = session.patiently(|| session.expect(&ask, &[200, 201, 202]))?;
    let said = answer
        .headers()
        .get("docker-content-digest")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    match said {
        Some(found) if found != digest => Err(RegistryError::Digest {
            what: what.to_owned(),
            host: session.host.name.clone(),
            expected: digest,
            found,
        }),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RegistryError> {
    std::fs::read(path).map_err(|error| RegistryError::File {
        path: path.to_path_buf(),
        cause: error.to_string(),
    })
}

fn open(path: &Path) -> Result<Extent, RegistryError> {
    let wrong = |cause: String| RegistryError::File {
        path: path.to_path_buf(),
        cause,
    };
    open_regular(path)
        .map_err(|error| wrong(error.to_string()))?
        .ok_or_else(|| wrong("it is not there".to_owned()))
}

/// A poisoned lock still guards whole values: nothing panics inside.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
