//! The Python dependencies of a project: from whatever pins or names them to
//! a folder with a virtual environment in it, laid over the runtime.

mod builds;
mod error;
mod failure;
mod from_source;
mod index_settings;
mod install;
mod installed;
mod list;
pub mod locks;
mod normalise;
mod pin;
mod requirement;
mod shelf;
mod sources;
mod uv;
mod workshop;

pub(super) use failure::lacking;
pub(super) use index_settings::BUNDLES;
pub(crate) use shelf::shelve;
pub(super) use sources::{copy as copy_sources, digest as digest_sources};
pub(crate) use workshop::give;

pub use builds::used_in_builds;
pub use error::InstallError;
pub use failure::Failure;
pub use from_source::{SourceRequest, SourceShop, Step};
pub use install::{Installed, Outcome, Pinned, Request, install};
pub use list::{Line, hashed_pins, parse as parse_list};
pub use pin::{Pin, PinFile, PinSource, list as list_text};
pub use requirement::{Requirement, normalize};
pub use uv::FETCHES_UV;

use super::project::Inherited;
