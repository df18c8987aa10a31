//! One file per command.

pub mod build;
pub mod cache;
pub mod run;
pub mod shrink;
mod transports;
pub mod why;
mod wish;
mod workplace;

pub use workplace::Workplace;
