//! The screen: data on stdout, everything else on stderr.

mod error;
pub mod explore;
mod progress;
mod report;

pub use error::{Failure, exit_code, print_error};
pub use progress::Screen;
pub use report::{bytes, print_report, print_why};
