//! The screen: data on stdout, everything else on stderr.

mod error;
mod lint;
mod progress;
mod report;

pub use error::{Failure, exit_code, print_error};
pub use lint::{print_findings, print_rules};
pub use progress::Screen;
pub use report::{print_report, print_why};
