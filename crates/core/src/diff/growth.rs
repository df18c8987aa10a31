//! How much an image may grow.

use std::str::FromStr;

use serde::Serialize;

use super::Diff;
use crate::size::{Bytes, UnitError};

/// What is accepted: `5%` of the first image's size, or `2MB`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Growth {
    Percent(f64),
    Bytes(u64),
}

/// A size that grew more than it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grown {
    /// `uncompressed` or `compressed`.
    pub what: &'static str,
    pub before: u64,
    pub after: u64,
    /// What it may have been at most.
    pub limit: u64,
}

impl FromStr for Growth {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let growth = match text.trim().strip_suffix('%') {
            None => text.parse().ok().map(|Bytes(bytes)| Self::Bytes(bytes)),
            Some(number) => number
                .trim()
                .parse()
                .ok()
                .filter(|percent: &f64| percent.is_finite() && *percent >= 0.0)
                .map(Self::Percent),
        };
        growth.ok_or_else(|| UnitError {
            text: text.to_owned(),
            what: "growth",
            examples: "5% or 2MB",
        })
    }
}

impl Growth {
    fn limit(self, before: u64) -> u64 {
        match self {
            Self::Percent(percent) => (before as f64 * (1.0 + percent / 100.0)) as u64,
            Self::Bytes(bytes) => before.saturating_add(bytes),
        }
    }

    /// The sizes that grew more than this. Compressed sizes are compared where
    /// both are measured: an estimate is no ground to refuse anything.
    pub fn exceeded(self, diff: &Diff) -> Vec<Grown> {
        let (before, after) = (&diff.before, &diff.after);
        let measured = !before.estimated && !after.estimated;
        let uncompressed = ("uncompressed", before.uncompressed, after.uncompressed);
        let compressed = measured.then_some(("compressed", before.compressed, after.compressed));
        [Some(uncompressed), compressed]
            .into_iter()
            .flatten()
            .map(|(what, before, after)| Grown {
                what,
                before,
                after,
                limit: self.limit(before),
            })
            .filter(|grown| grown.after > grown.limit)
            .collect()
    }
}
