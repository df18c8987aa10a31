//! Images of registries: fetched and sent (OCI distribution spec v1.1).

mod challenge;
mod credentials;
mod delivery;
mod error;
mod host;
mod origins;
mod pull;
mod push;
mod session;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod token;
mod trust;
mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

pub use error::{RegistryError, Unreachable};
pub use host::RegistryMirror;

pub(crate) use host::is_loopback;

pub(crate) use delivery::Delivery;

use crate::download::{Proxies, Shelf};
use crate::{ImageName, Meter};
use origins::Origins;
use session::Session;

/// What whit is told about registries.
#[derive(Clone, Default)]
pub struct RegistrySettings {
    /// A folder for blobs that were fetched.
    pub cache: PathBuf,
    /// Bytes that the folder may hold; `None` for any number.
    pub cache_limit: Option<u64>,
    /// Files with logins, the first one that has one wins.
    pub logins: Vec<PathBuf>,
    /// Folders like `/etc/containers/certs.d`.
    pub certificates: Vec<PathBuf>,
    pub mirrors: Vec<RegistryMirror>,
    /// Plain HTTP with registries of this machine.
    pub insecure: bool,
    pub proxies: Proxies,
    /// Is told of the bytes of layers that come and go.
    pub meter: Meter,
    pub cancel: Arc<AtomicBool>,
}

/// All registries, as this user reaches them.
pub(crate) struct Registries {
    settings: RegistrySettings,
    blobs: Shelf,
    origins: Origins,
    sessions: Mutex<BTreeMap<String, Arc<Session>>>,
}

/// A repository that has an image: the one that it is named after, or a
/// mirror's.
#[derive(Debug, Clone)]
struct Place {
    session: Arc<Session>,
    repository: String,
    scopes: Vec<String>,
}

impl Registries {
    pub fn new(settings: RegistrySettings) -> Self {
        Self {
            blobs: Shelf::new(&settings.cache),
            origins: Origins::new(settings.cache.join("origins")),
            sessions: Mutex::default(),
            settings,
        }
    }

    /// Where an image may be fetched from: mirrors first.
    fn places(&self, name: &ImageName) -> Result<Vec<Place>, RegistryError> {
        let mirrors = self.settings.mirrors.iter();
        let mut places = mirrors
            .filter_map(|mirror| mirror.place(name))
            .map(|(host, repository)| self.place(host, &repository, "pull"))
            .collect::<Result<Vec<_>, _>>()?;
        places.push(self.place(&name.registry, &name.repository, "pull")?);
        Ok(places)
    }

    fn place(
        &self,
        registry: &str,
        repository: &str,
        actions: &str,
    ) -> Result<Place, RegistryError> {
        Ok(Place {
            session: self.session(registry)?,
            repository: repository.to_owned(),
            scopes: vec![scope(repository, actions)],
        })
    }

    fn session(&self, registry: &str) -> Result<Arc<Session>, RegistryError> {
        // A poisoned lock still guards whole values: nothing panics inside.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(registry) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(Session::new(registry, &self.settings)?);
        sessions.insert(registry.to_owned(), Arc::clone(&session));
        Ok(session)
    }
}

impl fmt::Debug for Registries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registries").finish_non_exhaustive()
    }
}

/// What a token is asked for (distribution's token scope).
fn scope(repository: &str, actions: &str) -> String {
    format!("repository:{repository}:{actions}")
}
