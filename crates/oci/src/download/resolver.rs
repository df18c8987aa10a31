//! Host names are looked up once.
//!
//! ureq asks for every request, those over a kept connection too; a hundred
//! packages are a hundred questions to a name server, and some drop every
//! other one for five seconds.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::wire::{TICK, cancelled};

/// Remembers what the system's resolver said, as long as the process lives.
#[derive(Debug)]
pub(super) struct Remembering {
    known: Mutex<HashMap<String, Vec<SocketAddr>>>,
    cancel: Arc<AtomicBool>,
}

impl Remembering {
    pub fn new(cancel: &Arc<AtomicBool>) -> Self {
        Self {
            known: Mutex::default(),
            cancel: Arc::clone(cancel),
        }
    }

    /// Asks in a thread of its own: the system's resolver hears nothing while
    /// it waits for a name server.
    fn ask(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let (sender, answer) = channel();
        let (uri, config) = (uri.clone(), config.clone());
        thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(move || {
                let found = DefaultResolver::default().resolve(&uri, &config, timeout);
                // Nobody waits any more.
                let _ = sender.send(found);
            })?;
        loop {
            match answer.recv_timeout(TICK) {
                Ok(found) => return found,
                Err(RecvTimeoutError::Disconnected) => return Err(ureq::Error::HostNotFound),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.cancel.load(Ordering::Relaxed) {
                return Err(cancelled().into());
            }
        }
    }
}

impl Resolver for Remembering {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let key = format!(
            "{}://{}",
            uri.scheme_str().unwrap_or_default(),
            uri.authority().map_or("", |authority| authority.as_str())
        );
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(addresses) = known().get(&key) {
            let mut found = self.empty();
            for address in addresses {
                found.push(*address);
            }
            return Ok(found);
        }
        let found = self.ask(uri, config, timeout)?;
        known().insert(key, found.iter().copied().collect());
        Ok(found)
    }
}
