//! Edits of contents that change nothing a program can notice.

mod strip;

pub use strip::strip;
