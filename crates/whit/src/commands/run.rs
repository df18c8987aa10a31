//! `whit run`.
