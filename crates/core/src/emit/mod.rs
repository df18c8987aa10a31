//! From the small tree to layers and a configuration; the same input gives
//! the same bytes.

mod config;
mod layers;
mod rescue;

pub use config::{Provenance, parse_rfc3339, small_config};
pub use layers::{EmitError, Layer, write_layer, write_layers};
pub use rescue::rescue_tree;
