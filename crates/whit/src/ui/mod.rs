//! The screen: data on stdout, everything else on stderr.

mod caches;
mod error;
mod progress;
mod report;

pub use caches::{print_caches, print_freed};
pub use error::{Failure, exit_code, print_error};
pub use progress::Screen;
pub use report::{bytes, print_report, print_why};
