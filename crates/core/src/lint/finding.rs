//! What a rule has to say about a line, and how to mend it.

use std::ops::Range;

/// A habit that costs size, at one place of a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name, as `# whit: ignore=NAME` takes it.
    pub rule: &'static str,
    /// Counted from 1.
    pub line: usize,
    /// What is there, and why it costs.
    pub message: String,
    /// What to write instead.
    pub advice: String,
    pub bytes: Bytes,
    pub mend: Option<Mend>,
    /// How the image itself can tell what it costs.
    pub(super) gauge: Option<Gauge>,
}

/// What a habit costs, uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// From the tables of `costs`.
    About(u64),
    /// Counted, in the image or in the build context.
    Measured(u64),
    Unknown,
}

impl Bytes {
    pub fn number(self) -> Option<u64> {
        match self {
            Self::About(bytes) | Self::Measured(bytes) => Some(bytes),
            Self::Unknown => None,
        }
    }

    pub fn severity(self) -> Severity {
        match self.number() {
            Some(100_000_000..) => Severity::High,
            Some(10_000_000..) => Severity::Medium,
            _ => Severity::Low,
        }
    }
}

/// From what a finding costs: 100 MB and more, 10 MB and more, less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Low,
    Medium,
    High,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// A change of the Dockerfile, or of a file beside it, that ends a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    pub edits: Vec<Edit>,
    /// A file to write beside the Dockerfile: name and text.
    pub new_file: Option<(String, String)>,
    /// True if it takes nothing but caches: everything else in the image
    /// stays as it was. Other mends want a look, for a build or an app may
    /// need what they take.
    pub safe: bool,
}

impl Mend {
    pub fn safe(edits: Vec<Edit>) -> Self {
        Self {
            edits,
            new_file: None,
            safe: true,
        }
    }

    pub fn wants_a_look(edits: Vec<Edit>) -> Self {
        Self {
            safe: false,
            ..Self::safe(edits)
        }
    }
}

/// New text for some bytes of the Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub place: Range<usize>,
    pub text: String,
}

impl Edit {
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self {
            place: at..at,
            text: text.into(),
        }
    }
}

/// What to count in an image to know what a finding costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gauge {
    /// Files below these folders in the layer of a step (an index into the
    /// Dockerfile's steps). `~` is any home.
    Below(usize, Vec<String>),
    /// Files of the layer of a step that existed in a lower layer already.
    Rewritten(usize),
}
