//! What was done, as plain data: a table, JSON or `whit why` are drawn from it
//! and compute nothing.

mod files;
mod packages;
pub mod sbom;
mod single;
mod why;

use serde::{Deserialize, Serialize};

use crate::size::Bandwidth;

pub use files::{FileLine, file_lines};
pub use packages::{PackageLine, package_lines};
pub use single::{PassedOver, SingleLine};
pub use why::{Step, Unknown, why};

/// One run of `whit build` or `whit shrink`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The version of whit that wrote this.
    pub whit: String,
    /// What was made small, as the user named it.
    pub source: String,
    /// Where the result lies; `None` for a dry run.
    pub output: Option<String>,
    /// Digest of the result's manifest.
    pub digest: Option<String>,
    pub policy: String,
    pub detected: Vec<DetectedLine>,
    pub before: Sizes,
    pub after: Sizes,
    pub layers: Vec<LayerLine>,
    pub pull: Vec<PullLine>,
    pub proof: Proof,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub single: Option<SingleLine>,
    pub packages: Vec<PackageLine>,
    pub phases: Vec<PhaseLine>,
    pub warnings: Vec<String>,
    pub files: Vec<FileLine>,
}

/// One decision of project detection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DetectedLine {
    pub what: String,
    pub value: String,
    pub because: String,
}

/// How big an image is.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Sizes {
    /// Bytes of all regular files, hard links counted once.
    pub bytes: u64,
    /// Bytes on the wire.
    pub compressed: u64,
    /// True where `compressed` was extrapolated from samples: the original
    /// was never compressed.
    pub estimated: bool,
    /// Regular files, links and folders.
    pub files: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LayerLine {
    pub name: String,
    pub digest: String,
    pub bytes: u64,
    pub compressed: u64,
    pub files: u64,
}

/// Seconds to pull, by the size alone: no latency, no unpacking.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PullLine {
    pub mbps: u64,
    pub before: f64,
    pub after: f64,
}

/// What was run to show that the small image works.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Proof {
    /// False with `--no-run`: nothing was run, nothing is proven.
    pub proven: bool,
    /// Why nothing could be run.
    #[serde(default)]
    pub unrunnable: Option<String>,
    /// The emulator under which both images ran.
    #[serde(default)]
    pub emulator: Option<String>,
    pub probes: Vec<ProbeLine>,
    /// Probes that fail on the original, with the reason.
    pub disqualified: Vec<ProbeLine>,
    /// Rounds of emit and verify until nothing was missing.
    pub rounds: u32,
    /// What the small image missed and got back.
    pub repaired: Vec<String>,
    /// Milliseconds from start to the first open port or to the end.
    pub startup_before: Option<f64>,
    pub startup_after: Option<f64>,
    /// Largest resident memory of one process, in bytes.
    pub memory_before: u64,
    pub memory_after: u64,
    /// Differences that the user chose to accept.
    pub differences: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProbeLine {
    pub probe: String,
    pub result: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PhaseLine {
    pub name: String,
    pub seconds: f64,
}

impl Report {
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and lists only: this cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn from_json(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// Pull times of both sizes at each of [`Bandwidth::DEFAULTS`].
pub fn pull_lines(before: u64, after: u64) -> Vec<PullLine> {
    Bandwidth::DEFAULTS
        .iter()
        .map(|bandwidth| PullLine {
            mbps: bandwidth.mbps(),
            before: bandwidth.seconds(before),
            after: bandwidth.seconds(after),
        })
        .collect()
}
