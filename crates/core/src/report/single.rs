//! What the report says of an app that is one executable.

use serde::{Deserialize, Serialize};

/// The executable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SingleLine {
    /// `linked with musl`, `carried`.
    pub form: String,
    /// Where it lies in the image.
    pub path: String,
    /// Its bytes, with its archive.
    pub bytes: u64,
    /// Extension modules that are linked in, by dotted name.
    pub linked: Vec<String>,
    /// Regular files that the image has besides.
    pub beside: Vec<String>,
    /// What was left out because the user said so.
    pub left_out: Vec<String>,
    /// Forms that would have been better, and why they were not taken.
    pub passed_over: Vec<PassedOver>,
    /// Where the executable lies that needs no image.
    pub stand_alone: Option<String>,
}

/// A form that was tried, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    pub form: String,
    pub why: String,
}
