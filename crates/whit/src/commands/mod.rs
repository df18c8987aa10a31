//! One file per command.

pub mod build;
pub mod cache;
pub mod compare;
pub mod diff;
mod dockerfile;
pub mod explore;
mod inventory;
pub mod lint;
pub mod matrix;
pub mod recipe;
pub mod run;
pub mod shrink;
pub mod size;
mod transports;
pub mod why;
mod wish;
mod workplace;

pub use workplace::Workplace;
