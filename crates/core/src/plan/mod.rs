//! The judge: every file of the original gets a verdict with its reason.

mod litter;
mod policy;
mod roots;
mod verdict;

pub use litter::{generated, litter};
pub use policy::{Globs, Policy};
pub use roots::{Observed, roots};
pub use verdict::{DropReason, Plan, Verdict, repaired};
