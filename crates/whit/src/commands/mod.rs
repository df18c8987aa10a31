//! One file per command.

pub mod build;
pub mod lint;
pub mod run;
pub mod shrink;
pub mod why;
mod wish;
mod workplace;

pub use workplace::Workplace;
