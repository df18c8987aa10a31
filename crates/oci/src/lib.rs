//! OCI and Docker images as data: references, layouts, archives, layers.
//!
//! This crate reads and writes bytes in the formats of the OCI image
//! specification and of `docker save`. It knows nothing about what an image is
//! for: which files stay is decided elsewhere.

mod config;
mod digest;
mod entry;
mod layer;
pub mod media;
mod path;
mod platform;
mod reference;

pub use config::ImageConfig;
pub use digest::Digest;
pub use entry::{Entry, Kind, Meta};
pub use layer::{Chunk, LayerError, LayerReader, Problem, read_all};
pub use path::{ImagePath, PathError};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
