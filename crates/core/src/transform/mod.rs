//! From verdicts to files: what is kept, with the edits that make it smaller.

mod small;

pub use small::{Content, Edit, LayerClass, SmallFile, SmallTree};
