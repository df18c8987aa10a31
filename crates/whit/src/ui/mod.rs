//! The screen: data on stdout, everything else on stderr.

mod caches;
pub mod compare;
mod config;
mod diff;
mod error;
pub mod explore;
mod lint;
mod markdown;
mod matrix;
mod printable;
mod progress;
mod report;
mod size;

pub use caches::{print_caches, print_freed};
pub use config::print_config;
pub use diff::{grown_too_much, print_diff, print_diff_json, print_diff_markdown};
pub use error::{Failure, exit_code, print_error};
pub use lint::{print_findings, print_rules};
pub use matrix::{Unexpected, print_matrix, print_matrix_json, print_matrix_markdown, verdict};
pub use progress::Screen;
pub use report::{bytes, print_platform, print_report, print_why};
pub use size::{over_budget, print_sizes, print_sizes_csv, print_sizes_json, print_sizes_markdown};
