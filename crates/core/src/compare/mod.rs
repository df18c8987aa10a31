//! One app, every strategy: the same probes put to images that were made in
//! different ways, side by side.
//!
//! How an image comes to be is the caller's business. Here it is opened from
//! disk like any other, measured, started and asked. The first one that works
//! is the [`Yardstick`]: the others have to answer as it does.

mod dockerfile;
mod facts;
mod strategy;
mod yardstick;

use std::time::Duration;

use serde::Serialize;

pub use dockerfile::dockerfile;
pub use facts::{Facts, facts};
pub use strategy::Strategy;
pub use yardstick::{Tried, Works, Yardstick};

use crate::size::ImageSize;

/// One line of the comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub strategy: Strategy,
    /// Who put it together: whit, or an engine.
    pub by: String,
    /// What it is made from.
    pub how: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a strategy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    Built(Box<Built>),
    /// It cannot be had here, and why.
    Absent {
        why: String,
    },
}

/// An image that was built and tried.
#[derive(Debug, Clone, Serialize)]
pub struct Built {
    pub size: ImageSize,
    #[serde(flatten)]
    pub facts: Facts,
    /// Seconds until the image was there, with nothing at hand.
    pub build_cold: Option<f64>,
    /// The same with everything cached that does not depend on the app.
    pub build_warm: f64,
    #[serde(flatten)]
    pub tried: Tried,
}

/// Seconds, for programs.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e4).round() / 1e4
}
