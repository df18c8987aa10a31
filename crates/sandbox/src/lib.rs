//! Running untrusted programs in a root file system of their own, without
//! privileges, and recording which paths they touch.
//!
//! The only unsafe code of the workspace. Knows nothing about images.

mod abilities;
mod activity;
mod arena;
mod blueprint;
mod calls;
mod command;
mod emulator;
mod error;
mod explain;
mod filter;
mod identity;
mod inside;
mod keeper;
mod net;
mod output;
mod program;
mod room;
mod running;
mod spec;
mod step;
mod sys;
mod trace;
mod tracer;

pub use abilities::{Abilities, Ability, Users, check, emulates};
pub use command::{Command, Exit, GivenUp, Outcome, Stdin};
pub use emulator::Emulator;
pub use error::{Error, Result};
pub use identity::disk_owner;
pub use running::Running;
pub use spec::{Mount, Network, Spec, Upper};
pub use trace::{Access, Touch, Trace};
