//! Python: which modules, data and programs an app can reach.

mod binary;
mod calls;
mod closure;
#[cfg(test)]
mod closure_tests;
mod constants;
mod data;
mod distributions;
mod extension;
mod facts;
#[doc(hidden)]
pub mod fuzzing;
mod guess;
mod imports;
mod interpreter;
mod lines;
pub mod marshal;
mod modules;
mod names;
mod nesting;
mod packages;
mod resolve;
mod rules;
mod setting;
mod startup;
mod surroundings;
#[cfg(test)]
mod testing;
mod walk;

pub use closure::{Origin, Python};
pub use distributions::{Distribution, DistributionId, Distributions, Read};
pub use facts::{Facts, FactsError, script};
pub use imports::{Gate, Imports, Platform, Reference, Scope, Target};
pub use interpreter::{Interpreter, Launch, any, find};
pub use modules::{Module, Modules};
pub use setting::{Setting, Start};
