//! What a program touched.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// How a path was touched.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Opened for reading.
    Read,
    /// Opened for writing, created, renamed, removed, ...
    Write,
    /// Executed, or the interpreter of what was executed.
    Exec,
    /// Its attributes or its existence were asked for.
    Stat,
    /// A folder that was opened as one.
    List,
    /// A symbolic link that was followed or read on the way.
    Link,
    /// Looked for and not there.
    Missing,
}

/// One path, absolute inside the sandbox's root, and one way it was touched.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Touch {
    pub path: PathBuf,
    pub access: Access,
}

/// Every touch of a run, each once.
pub type Trace = BTreeSet<Touch>;
