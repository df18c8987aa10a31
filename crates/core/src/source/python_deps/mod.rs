//! The Python dependencies of a project: from whatever pins or names them to
//! a folder with a virtual environment in it, laid over the runtime.

mod list;
pub mod locks;
mod pin;
mod requirement;

pub use list::{Line, hashed_pins, parse as parse_list};
pub use pin::{Pin, PinFile, PinSource, list as list_text};
pub use requirement::{Requirement, normalize};
