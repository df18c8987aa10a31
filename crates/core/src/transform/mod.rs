//! From verdicts to files: what is kept, with the edits that make it smaller.

mod apply;
pub mod bytecode;
mod honesty;
mod siphash;
mod small;
#[doc(hidden)]
pub mod strip;
mod unwind;

pub use apply::{Bytecode, ModuleForm, Options, PythonCode, apply, whole};
pub use honesty::{generated_file, package_databases};
pub use small::{Content, Edit, LayerClass, SmallFile, SmallTree};
pub use strip::Depth as StripDepth;
