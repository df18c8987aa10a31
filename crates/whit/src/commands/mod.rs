//! One file per command.

pub mod build;
pub mod cache;
pub mod compare;
pub mod config;
pub mod diff;
mod dockerfile;
pub mod explore;
pub mod init;
mod inventory;
pub mod lint;
pub mod matrix;
mod platform;
pub mod recipe;
pub mod run;
mod settings;
pub mod shrink;
pub mod size;
mod transports;
pub mod why;
mod wish;
mod workplace;

pub use workplace::Workplace;
