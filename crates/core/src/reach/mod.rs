//! What the code can touch, computed without running it.

mod cause;
mod graph;
pub mod python;

pub use cause::{Cause, How};
pub use graph::{Analyzer, Found, Graph};
