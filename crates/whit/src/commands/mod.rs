//! One file per command.

pub mod build;
pub mod explore;
pub mod run;
pub mod shrink;
pub mod why;
mod wish;
