//! Running the app in the sandbox and writing down what it touched.
//!
//! [`Stage`] turns an image into something that can be started, [`Probe`] is
//! one question that is put to the app, [`observe`] starts it, asks, stops it
//! and returns an [`Observation`]. The original is observed twice
//! ([`observe_twice`]), which finds the questions and shows which parts of the
//! answers change by themselves; the small image is asked the same questions
//! ([`ProbePlan::replay`]). Judging the answers is left to [`crate::verify`].

mod agenda;
mod app;
mod automatic;
mod door;
mod emulation;
mod entry;
mod error;
mod exec;
pub mod forward;
pub mod http;
mod limits;
pub mod links;
mod observation;
pub mod openapi;
mod original;
mod plan;
mod probe;
mod run;
mod stage;
mod users;

pub use door::files;
pub use emulation::{Means, NoMeans, means};
pub use entry::{Entry, EntryError, EntryTable};
pub use error::Error;
pub use limits::Limits;
pub use observation::{Answer, Kind, Observation, Outcome, Output, Stop};
pub(crate) use original::ended;
pub use plan::ProbePlan;
pub use probe::{Body, ExecProbe, HttpProbe, Probe, ProbeError, ProbeTable};
pub use run::{observe, observe_twice};
pub use stage::{Stage, emulator};
pub use users::{Identity, Users};

#[cfg(test)]
mod real_tests;
#[cfg(test)]
mod tests;
