//! What the code can touch, computed without running it.

mod cause;
pub mod config;
pub mod elf;
mod graph;
pub mod interpreted;
pub mod links;
pub mod node;
pub mod python;
pub mod shell;
pub mod surroundings;

pub use cause::{Cause, How};
pub use graph::{Analyzer, Found, Graph, reach_path};
