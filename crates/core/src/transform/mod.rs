//! Edits of contents that change nothing a program can notice.

pub mod bytecode;
mod siphash;
