//! Layers on their way: fetched several at a time, from the moment that the
//! first one is asked for, while those that have come are read already.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::RegistryError;
use crate::download::Expected;
use crate::store::Extent;

/// Blobs that are fetched at the same time.
const AT_ONCE: usize = 4;

/// Fetches one blob; the second argument tells it to stop.
pub(super) type Fetch =
    dyn Fn(&Expected, &dyn Fn() -> bool) -> Result<File, RegistryError> + Send + Sync;

/// The layers of an image of a registry. Dropped, it stops.
pub(crate) struct Delivery {
    shared: Arc<Shared>,
}

struct Shared {
    fetch: Box<Fetch>,
    /// What is to be done when everything is here.
    done: Box<dyn Fn() + Send + Sync>,
    stop: AtomicBool,
    state: Mutex<State>,
    arrived: Condvar,
}

struct State {
    started: bool,
    waiting: VecDeque<usize>,
    blobs: Vec<Blob>,
}

struct Blob {
    expected: Expected,
    outcome: Option<Result<Arc<File>, Arc<RegistryError>>>,
}

impl Delivery {
    pub fn new(blobs: Vec<Expected>, fetch: Box<Fetch>, done: Box<dyn Fn() + Send + Sync>) -> Self {
        let state = State {
            started: false,
            waiting: (0..blobs.len()).collect(),
            blobs: blobs
                .into_iter()
                .map(|expected| Blob {
                    expected,
                    outcome: None,
                })
                .collect(),
        };
        Self {
            shared: Arc::new(Shared {
                fetch,
                done,
                stop: AtomicBool::new(false),
                state: Mutex::new(state),
                arrived: Condvar::new(),
            }),
        }
    }

    /// Waits for blob `number`.
    pub fn take(&self, number: usize) -> Result<Extent, Arc<RegistryError>> {
        let shared = &self.shared;
        let mut state = shared.lock();
        if !state.started {
            state.started = true;
            self.start(&state)
                .map_err(|error| Arc::new(no_thread(&error)))?;
        }
        loop {
            let Some(blob) = state.blobs.get(number) else {
                return Err(Arc::new(RegistryError::Interrupted));
            };
            if let Some(outcome) = &blob.outcome {
                let file = outcome.clone().map_err(|error| state.cause(error))?;
                return Ok(Extent {
                    file,
                    offset: 0,
                    size: blob.expected.size,
                });
            }
            state = shared
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn start(&self, state: &State) -> std::io::Result<()> {
        for _ in 0..AT_ONCE.min(state.blobs.len()) {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new()
                .name("blob".to_owned())
                .spawn(move || shared.work())?;
        }
        Ok(())
    }
}

impl Blob {
    fn is_here(&self) -> bool {
        matches!(self.outcome, Some(Ok(_)))
    }
}

impl State {
    /// What stopped the others, if `error` only says that it was stopped.
    fn cause(&self, error: Arc<RegistryError>) -> Arc<RegistryError> {
        if !matches!(*error, RegistryError::Interrupted) {
            return error;
        }
        self.blobs
            .iter()
            .filter_map(|blob| blob.outcome.as_ref()?.as_ref().err())
            .find(|error| !matches!(***error, RegistryError::Interrupted))
            .map_or(error, Arc::clone)
    }
}

impl Shared {
    fn work(&self) {
        let stopped = || self.stop.load(Ordering::Relaxed);
        loop {
            let (number, expected) = {
                let mut state = self.lock();
                let Some(number) = state.waiting.pop_front() else {
                    return;
                };
                (number, state.blobs[number].expected)
            };
            let outcome = match stopped() {
                true => Err(RegistryError::Interrupted),
                false => (self.fetch)(&expected, &stopped),
            };
            let mut state = self.lock();
            // Without one of its layers, an image needs the others no more.
            // They stop when it is known why.
            let failed = outcome.is_err();
            state.blobs[number].outcome = Some(outcome.map(Arc::new).map_err(Arc::new));
            if failed {
                self.stop.store(true, Ordering::Relaxed);
            }
            self.arrived.notify_all();
            if state.blobs.iter().all(Blob::is_here) {
                drop(state);
                (self.done)();
            }
        }
    }

    /// A poisoned lock still guards whole values: nothing panics inside.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

fn no_thread(error: &std::io::Error) -> RegistryError {
    RegistryError::Blob(crate::download::Error::Transport {
        url: "the layers".to_owned(),
        cause: error.to_string(),
    })
}
