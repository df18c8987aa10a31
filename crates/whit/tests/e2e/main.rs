//! End-to-end: the program itself, on real projects and images, looked at from
//! outside by real engines.
//!
//! Needs user namespaces, a Debian mirror and a package index; tests that need
//! an engine or a tool say so when they skip, and in CI (`CI` set) they fail
//! instead.

mod bad_input;
mod examples;
mod formats;
mod proof;
mod reproducible;
mod support;
