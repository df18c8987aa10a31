//! Images that are no files: those of registries and engines.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::archive::Archive;
use crate::engine::{Engine, EngineAddress, EngineError, Kind};
use crate::image::{self, Image, ImageError, Options};
use crate::registry::{Registries, RegistryError, RegistrySettings};
use crate::{Digest, ImageName, Meter};

/// The ways to registries and engines, as one user has them. The default
/// knows no logins and no engine.
#[derive(Debug, Clone)]
pub struct Transports {
    registries: Arc<Registries>,
    docker: Engine,
    podman: Engine,
    meter: Meter,
}

impl Default for Transports {
    fn default() -> Self {
        Self::new(
            RegistrySettings::default(),
            EngineAddress::Unknown,
            EngineAddress::Unknown,
        )
    }
}

impl Transports {
    pub fn new(registries: RegistrySettings, docker: EngineAddress, podman: EngineAddress) -> Self {
        let engine = |kind, address, cancel: &Arc<AtomicBool>| Engine {
            kind,
            address,
            cancel: Arc::clone(cancel),
        };
        Self {
            docker: engine(Kind::Docker, docker, &registries.cancel),
            podman: engine(Kind::Podman, podman, &registries.cancel),
            meter: registries.meter.clone(),
            registries: Arc::new(Registries::new(registries)),
        }
    }

    pub(crate) fn registry(
        &self,
        name: &ImageName,
        options: &Options,
    ) -> Result<Image, ImageError> {
        self.registries.open(name, options)
    }

    pub(crate) fn docker(&self, name: &ImageName, options: &Options) -> Result<Image, ImageError> {
        self.saved(&self.docker, name, options)
    }

    pub(crate) fn podman(&self, name: &ImageName, options: &Options) -> Result<Image, ImageError> {
        self.saved(&self.podman, name, options)
    }

    /// An image by its bare name: of an engine that has it, or else of its
    /// registry.
    pub(crate) fn anywhere(
        &self,
        name: &ImageName,
        options: &Options,
    ) -> Result<Image, ImageError> {
        let mut tried = Vec::new();
        for engine in [&self.docker, &self.podman] {
            match engine.has(&name.to_string()) {
                Ok(true) => return self.saved(engine, name, options),
                Ok(false) => tried.push(format!("{} has no such image", engine.kind)),
                Err(EngineError::Absent { .. }) => {
                    tried.push(format!("{} is not here", engine.kind));
                }
                Err(error) => tried.push(error.to_string()),
            }
        }
        self.registry(name, options).map_err(|error| match error {
            ImageError::Registry(cause) if !matches!(*cause, RegistryError::Interrupted) => {
                tried.push(cause.to_string());
                ImageError::Nowhere {
                    name: name.to_string(),
                    tried,
                    hint: cause.hint(),
                }
            }
            error => error,
        })
    }

    /// Sends the image of the layout in `folder` to a registry.
    pub(crate) fn push(
        &self,
        folder: &Path,
        manifest: Digest,
        name: &ImageName,
    ) -> Result<(), RegistryError> {
        self.registries.push(folder, manifest, name)
    }

    /// Hands an archive to Docker.
    pub(crate) fn load_docker(&self, archive: &Path, name: &ImageName) -> Result<(), EngineError> {
        self.docker.load(archive, &name.tagged(), &self.meter)
    }

    /// Hands an archive to Podman.
    pub(crate) fn load_podman(&self, archive: &Path, name: &ImageName) -> Result<(), EngineError> {
        self.podman.load(archive, &name.tagged(), &self.meter)
    }

    /// An image of an engine, through an archive that has no name and goes away
    /// by itself.
    fn saved(
        &self,
        engine: &Engine,
        name: &ImageName,
        options: &Options,
    ) -> Result<Image, ImageError> {
        let transport = match engine.kind {
            Kind::Docker => "docker-daemon:",
            Kind::Podman => "podman:",
        };
        let limit = options.limits.archive;
        let file = engine.save(&name.to_string(), &options.scratch, limit, &self.meter)?;
        let label = format!("{transport}{name}");
        let archive = Archive::of_file(Path::new(&label), file, options)?;
        let mut image = image::archive(archive, None, options)?;
        image.name = Some(name.to_string());
        Ok(image)
    }
}
