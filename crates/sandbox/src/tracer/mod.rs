//! Watching which paths a program touches.
//!
//! The kernel stops a call that names a file and notifies a thread here, which
//! reads the path from the program's memory, finds out what is there, and lets
//! the call go on. The result of the call is never seen: what exists is found
//! out by walking the path in the program's own root.

mod listener;
mod persona;
mod tracee;
mod walk;
mod watch;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::Trace;
use crate::filter::Hearing;
use crate::output::lock;
use listener::Listener;
pub(crate) use persona::Step;
use watch::Watch;

/// Most touches that are kept: a program that asks for ever new names must not
/// fill the memory. What comes after is not recorded.
const MOST: usize = 4_000_000;

/// The thread that answers a sandbox's notifications.
#[derive(Debug)]
pub(crate) struct Tracer {
    trace: Arc<Mutex<Trace>>,
    thread: Option<JoinHandle<()>>,
}

impl Tracer {
    /// Begins to answer. `root` is the sandbox's root, open as a path.
    pub fn start(listener: OwnedFd, root: OwnedFd, hearing: Hearing) -> io::Result<Tracer> {
        let trace = Arc::new(Mutex::new(Trace::new()));
        let shared = Arc::clone(&trace);
        let thread = thread::Builder::new()
            .name("whit-tracer".into())
            .spawn(move || {
                let watch = Watch::new(root, hearing.users);
                serve(&Listener::new(listener), watch, hearing.paths, &shared);
            })?;
        Ok(Tracer {
            trace,
            thread: Some(thread),
        })
    }

    /// A copy of what there is so far.
    pub fn so_far(&self) -> Trace {
        lock(&self.trace).clone()
    }

    pub fn count(&self) -> usize {
        lock(&self.trace).len()
    }

    /// Everything, once the last process is gone.
    pub fn finish(mut self) -> Trace {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        std::mem::take(&mut lock(&self.trace))
    }
}

/// Answers notifications until the last process that could make one is gone.
fn serve(listener: &Listener, mut watch: Watch, records: bool, trace: &Mutex<Trace>) {
    while let Some(notice) = listener.next() {
        let (reply, touches) = watch.consider(&notice);
        // A call of a process that was killed meanwhile did not happen.
        if listener.reply(&notice, reply) && records && !touches.is_empty() {
            let mut trace = lock(trace);
            if trace.len() < MOST {
                trace.extend(touches);
            }
        }
    }
}
