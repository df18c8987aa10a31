//! What whit exists for: which files of an image its app can reach, the
//! smaller image made of them, and the proof that it still works.
//!
//! `pipeline` tells the story; every phase takes what earlier ones made and
//! returns a value of its own.

pub mod download;
pub mod index;
pub mod lock;
pub mod observe;
pub mod progress;
pub mod reach;
pub mod settings;
pub mod source;
