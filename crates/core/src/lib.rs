//! What whit exists for: which files of an image its app can reach, the
//! smaller image made of them, and the proof that it still works.
//!
//! `pipeline` tells the story; every phase takes what earlier ones made and
//! returns a value of its own.

pub mod compare;
pub mod diff;
pub mod elf;
pub mod emit;
pub mod explore;
pub mod index;
pub mod inventory;
pub mod lint;
pub mod lock;
pub mod matrix;
pub mod observe;
pub mod pipeline;
pub mod plan;
pub mod progress;
pub mod reach;
pub mod recipe;
pub mod report;
pub mod settings;
pub mod single;
pub mod size;
pub mod source;
pub mod transform;
pub mod upkeep;
pub mod workspace;

#[cfg(test)]
mod testing;
pub mod verify;
