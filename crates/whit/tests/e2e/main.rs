//! End-to-end: the program itself, on real projects and images, looked at from
//! outside by real engines.
//!
//! Needs user namespaces, a Debian mirror and a package index; tests that need
//! an engine or a tool say so when they skip, and in CI (`CI` set) they fail
//! instead.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests end where something is not as it should be, and say what they skip"
)]

mod bad_input;
mod base;
mod compare;
mod config;
mod crafted;
mod diff;
mod dockerfile;
mod entries;
mod examples;
mod explore;
mod flags;
mod formats;
mod interrupts;
mod killed;
mod languages;
mod lint;
mod matrix;
mod platforms;
mod projects;
mod proof;
mod recipe;
mod registry;
mod reproducible;
mod rescue;
mod single;
mod size;
mod support;
mod transports;
