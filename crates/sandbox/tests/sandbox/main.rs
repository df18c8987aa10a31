//! Programs in real sandboxes. Needs namespaces and a static busybox; says so
//! loudly where they are missing.

// All of it is tests, helpers too.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod root;
mod run;
mod trace;
