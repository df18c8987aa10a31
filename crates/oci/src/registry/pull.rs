//! An image of a registry, opened: its documents now, its layers when they
//! are read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ureq::http::Method;

use super::delivery::Delivery;
use super::session::Ask;
use super::{Place, Registries, RegistryError};
use crate::download::{self, Answer, Expected, Source, range_start};
use crate::image::{Blobs, Descriptor, Document, Image, ImageError, Options, Stored, resolve};
use crate::{Digest, ImageName, Meter, media};

/// What is asked for when a manifest is: anything that can be read.
const MANIFESTS: &[&str] = &[
    media::OCI_INDEX,
    media::DOCKER_INDEX,
    media::OCI_MANIFEST,
    media::DOCKER_MANIFEST,
];

impl Registries {
    /// Opens an image. Its layers are fetched from the first
    /// [`Image::open_layer`] on.
    pub fn open(
        self: &Arc<Self>,
        name: &ImageName,
        options: &Options,
    ) -> Result<Image, ImageError> {
        let mut remote = Remote {
            label: PathBuf::from(format!("docker://{name}")),
            places: self.places(name)?,
            registries: Arc::clone(self),
            limit: options.limits.document,
        };
        let wanted = match &name.digest {
            Some(digest) => digest.to_string(),
            None => name.tag_or_latest().to_owned(),
        };
        let (at, digest, bytes) = remote.document(&wanted, name.digest)?;
        // Mirrors that could not answer this need not be asked for the rest.
        remote.places.drain(..at);
        let what = format!("the manifest of {}", remote.label.display());
        let document =
            Document::parse(&bytes).map_err(|why| ImageError::Malformed { what, why })?;
        let mut image = resolve(&remote, document, digest, options)?;
        image.name = Some(name.to_string());
        Ok(image)
    }

    /// A blob from the cache, or else from one of `places`.
    fn blob(
        &self,
        places: &[Place],
        label: &str,
        expected: &Expected,
        meter: &Meter,
        halted: &dyn Fn() -> bool,
    ) -> Result<File, RegistryError> {
        if let Some(file) = self.blobs.checked(expected) {
            meter.add(expected.size);
            return Ok(file);
        }
        let sources: Vec<BlobSource<'_>> = places
            .iter()
            .map(|place| BlobSource {
                place,
                digest: expected.sha256,
                what: format!("blob {} of {label}", expected.sha256),
            })
            .collect();
        let sources: Vec<&dyn Source> = sources.iter().map(|one| one as &dyn Source).collect();
        let halted = || halted() || places.iter().any(|place| place.session.is_cancelled());
        let file = self
            .blobs
            .fetch(expected, &sources, &|bytes| meter.add(bytes), &halted)?;
        if let Some(place) = places.last() {
            let registry = &place.session.host.name;
            self.origins
                .remember(&expected.sha256, registry, &place.repository);
        }
        Ok(file)
    }
}

/// An image's blobs in a registry and its mirrors.
struct Remote {
    /// What errors call the image.
    label: PathBuf,
    places: Vec<Place>,
    registries: Arc<Registries>,
    limit: u64,
}

impl Remote {
    /// A manifest or an index by tag or digest, from the first place that has
    /// it: its number, and the digest of its bytes.
    fn document(
        &self,
        wanted: &str,
        digest: Option<Digest>,
    ) -> Result<(usize, Digest, Vec<u8>), RegistryError> {
        let mut last = None;
        for (at, place) in self.places.iter().enumerate() {
            match self.document_of(place, wanted, digest) {
                Err(RegistryError::Interrupted) => return Err(RegistryError::Interrupted),
                // The registry's own answer counts, and it is asked last.
                Err(error) => last = Some(error),
                Ok((digest, bytes)) => return Ok((at, digest, bytes)),
            }
        }
        Err(last.unwrap_or(RegistryError::Interrupted))
    }

    fn document_of(
        &self,
        place: &Place,
        wanted: &str,
        digest: Option<Digest>,
    ) -> Result<(Digest, Vec<u8>), RegistryError> {
        let what = self.label.display().to_string();
        let session = &place.session;
        let ask = Ask {
            what: &what,
            method: Method::GET,
            place: format!("/v2/{}/manifests/{wanted}", place.repository),
            repository: &place.repository,
            scopes: &place.scopes,
            headers: vec![("accept", MANIFESTS.join(", "))],
            content: None,
        };
        let (headers, bytes) = session.patiently(|| {
            let answer = session.expect(&ask, &[200])?;
            session.body(&what, answer, self.limit)
        })?;
        let said = headers
            .get("docker-content-digest")
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok());
        let found = Digest::of(&bytes);
        match digest.or(said) {
            Some(expected) if expected != found => Err(RegistryError::Digest {
                what,
                host: session.host.name.clone(),
                expected,
                found,
            }),
            _ => Ok((found, bytes)),
        }
    }
}

impl Blobs for Remote {
    fn label(&self) -> &Path {
        &self.label
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        let digest = descriptor.digest;
        let (_, _, bytes) = self.document(&digest.to_string(), Some(digest))?;
        Ok(bytes)
    }

    fn config(&self, descriptor: &Descriptor) -> Result<Vec<u8>, ImageError> {
        let label = self.label.display().to_string();
        let expected = descriptor.expected();
        let file =
            self.registries
                .blob(&self.places, &label, &expected, &Meter::default(), &|| {
                    false
                })?;
        let extent = crate::store::Extent {
            file: Arc::new(file),
            offset: 0,
            size: expected.size,
        };
        extent.read().map_err(|source| ImageError::Io {
            path: self.label.clone(),
            source,
        })
    }

    fn layers(&self, layers: &[Descriptor]) -> Result<Vec<Stored>, ImageError> {
        let expected: Vec<Expected> = layers.iter().map(Descriptor::expected).collect();
        let label = self.label.display().to_string();
        let (registries, places) = (Arc::clone(&self.registries), self.places.clone());
        let fetch = move |expected: &Expected, halted: &dyn Fn() -> bool| {
            let meter = &registries.settings.meter;
            registries.blob(&places, &label, expected, meter, halted)
        };
        let limit = self.registries.settings.cache_limit;
        let shelf = self.registries.blobs.clone();
        let done = move || {
            if let Some(limit) = limit {
                // What cannot be removed now can be removed later.
                let _ = shelf.prune(limit);
            }
        };
        let delivery = Arc::new(Delivery::new(expected, Box::new(fetch), Box::new(done)));
        Ok((0..layers.len())
            .map(|number| Stored::Coming(Arc::clone(&delivery), number))
            .collect())
    }
}

/// A blob in one repository.
struct BlobSource<'a> {
    place: &'a Place,
    digest: Digest,
    what: String,
}

impl Source for BlobSource<'_> {
    fn name(&self) -> String {
        self.what.clone()
    }

    fn open(&self, start: u64) -> download::Result<Answer> {
        let Place {
            session,
            repository,
            scopes,
        } = self.place;
        let mut ask = Ask {
            what: &self.what,
            method: Method::GET,
            place: format!("/v2/{repository}/blobs/{}", self.digest),
            repository,
            scopes,
            headers: Vec::new(),
            content: None,
        };
        if start > 0 {
            ask.headers.push(("range", format!("bytes={start}-")));
        }
        let answer = session.expect(&ask, &[200, 206, 416])?;
        let start = match answer.status().as_u16() {
            200 => 0,
            // A server may answer another range than the one asked for.
            206 if range_start(&answer) == Some(start) => start,
            // Nothing is left after `start`: the part on disk is too long.
            _ if start > 0 => return self.open(0),
            _ => return Err(session.refusal(&ask, answer).into()),
        };
        let body = answer
            .into_body()
            .into_with_config()
            .limit(u64::MAX)
            .reader();
        Ok(Answer {
            body: Box::new(body),
            start,
        })
    }
}
