//! OCI and Docker images as data: references, layouts, archives, layers, and
//! the registries and engines that have them.
//!
//! This crate reads and writes bytes in the formats of the OCI image
//! specification and of `docker save`. It knows nothing about what an image is
//! for: which files stay is decided elsewhere.

mod archive;
mod assemble;
mod builder;
mod compress;
mod compressed_size;
mod config;
mod destination;
mod digest;
pub mod download;
pub mod draft;
mod engine;
mod entry;
mod guard;
mod image;
mod layer;
mod layer_writer;
pub mod media;
mod meter;
mod name;
mod path;
mod platform;
mod reference;
mod registry;
mod staged;
mod store;
mod tar_writer;
mod transports;
mod ustar;
mod wire;
mod write_error;

pub use builder::{BuildEngine, BuildError, BuildOrder, Builder, Built, FailedStep, step_of};
pub use compress::{Compression, CompressionError};
pub use compressed_size::CompressedSize;
pub use config::ImageConfig;
pub use destination::{Destination, DestinationError};
pub use digest::Digest;
pub use engine::{EngineAddress, EngineError, Kind as EngineKind};
pub use entry::{Entry, Kind, Meta};
pub use guard::Guard;
pub use image::{Image, ImageError, Layer, LayerStream, Limits, Offsets, Options};
pub use layer::{Chunk, LayerError, LayerReader, Problem, read_all};
pub use layer_writer::{LayerWriter, WrittenLayer};
pub use meter::Meter;
pub use name::{ImageName, NameError};
pub use path::{ImagePath, PathError};
pub use platform::{Platform, PlatformError};
pub use reference::{Reference, ReferenceError};
pub use registry::{RegistryError, RegistryMirror, RegistrySettings, Unreachable};
pub use staged::{Staged, stage, stage_index};
pub use transports::Transports;
pub use ustar::EntryError;
pub use write_error::WriteError;
