//! OCI and Docker images as data: references, layouts, archives, layers.
//!
//! This crate reads and writes bytes in the formats of the OCI image
//! specification and of `docker save`. It knows nothing about what an image is
//! for: which files stay is decided elsewhere.

mod archive;
mod config;
mod digest;
mod entry;
mod image;
mod layer;
pub mod media;
mod path;
mod platform;
mod reference;
mod store;

pub use config::ImageConfig;
pub use digest::Digest;
pub use entry::{Entry, Kind, Meta};
pub use image::{Image, ImageError, Layer, LayerStream, Limits, Options};
pub use layer::{Chunk, LayerError, LayerReader, Problem, read_all};
pub use path::{ImagePath, PathError};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
