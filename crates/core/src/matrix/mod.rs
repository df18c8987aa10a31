//! Many Dockerfiles side by side: which of them work, why the others don't,
//! and how large each is.
//!
//! A [`Variant`] is a Dockerfile by its name, a [`Trial`] what came of it alone,
//! a [`Row`] the trial beside those of the same program.

mod compose;
mod diagnosis;
mod key;
mod name;
mod reason;
mod row;
mod trial;
mod words;

pub use compose::compose;
pub use diagnosis::diagnose;
pub use key::{Circumstances, bases, key};
pub use name::{Variant, variants};
pub use reason::Reason;
pub use row::{Row, rows};
pub use trial::{Answered, Shrunk, Sizes, Trial, try_image};

#[cfg(test)]
mod tests;
