//! OCI and Docker images as data: references, layouts, archives, layers.
//!
//! This crate reads and writes bytes in the formats of the OCI image
//! specification and of `docker save`. It knows nothing about what an image is
//! for: which files stay is decided elsewhere.

mod archive;
mod assemble;
mod compress;
mod compressed_size;
mod config;
mod destination;
mod digest;
mod entry;
mod image;
mod layer;
mod layer_writer;
pub mod media;
mod path;
mod platform;
mod reference;
mod staged;
mod store;
mod tar_writer;
mod ustar;
mod write_error;

pub use compress::{Compression, CompressionError};
pub use compressed_size::CompressedSize;
pub use config::ImageConfig;
pub use destination::{Destination, DestinationError};
pub use digest::Digest;
pub use entry::{Entry, Kind, Meta};
pub use image::{Image, ImageError, Layer, LayerStream, Limits, Offsets, Options};
pub use layer::{Chunk, LayerError, LayerReader, Problem, read_all};
pub use layer_writer::{LayerWriter, WrittenLayer};
pub use path::{ImagePath, PathError};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
pub use staged::{Staged, stage};
pub use ustar::EntryError;
pub use write_error::WriteError;
