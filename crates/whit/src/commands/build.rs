//! `whit build`.
