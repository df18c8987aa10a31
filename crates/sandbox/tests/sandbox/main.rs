//! Programs in real sandboxes. Needs namespaces and a static busybox; says so
//! loudly where they are missing.

mod root;
mod run;
