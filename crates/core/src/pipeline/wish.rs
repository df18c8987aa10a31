//! What the user wants of a run.

use std::path::PathBuf;

use whit_oci::{Compression, Destination};
use whit_sandbox::Trace;

use crate::emit::Provenance;
use crate::observe::{Entry, ProbePlan};
use crate::plan::{Globs, Policy};
use crate::report::DetectedLine;
use crate::single;
use crate::transform::PythonCode;

/// Every decision that flags, files and detection made.
#[derive(Debug)]
pub struct Wish {
    /// The original, as the user named it.
    pub source: String,
    pub detected: Vec<DetectedLine>,
    pub policy: Policy,
    pub keep: Globs,
    pub drop: Globs,
    pub python_code: PythonCode,
    pub strip: bool,
    pub compression: Compression,
    /// False with `--no-run`, and where nothing can be run.
    pub run: bool,
    /// Why no program of the image can be run here, not even to ask it.
    pub unrunnable: Option<String>,
    /// What programs of the image are run by, if not by this processor.
    pub emulator: Option<String>,
    pub probes: ProbePlan,
    /// What runs of earlier days touched; counts like what is touched today.
    pub replayed: Trace,
    /// Run this in the place of the image's own command.
    pub command: Option<Vec<String>>,
    /// What the image is started with besides its own command.
    pub entries: Vec<Entry>,
    /// True if the app may use the host's network while it is tried.
    pub host_network: bool,
    pub accept_differences: bool,
    pub destination: Option<Destination>,
    pub dry_run: bool,
    /// Where the original is written again, as the small image and one more
    /// layer.
    pub rescue: Option<Destination>,
    /// The app as one executable.
    pub single: Option<single::Wish>,
    /// Where the executable goes that needs no image.
    pub executable: Option<PathBuf>,
    /// Where the bill of materials goes.
    pub bill: Option<PathBuf>,
    pub save_run: Option<PathBuf>,
    pub provenance: Provenance,
    /// Seconds since 1970 for everything that whit dates itself.
    pub epoch: i64,
    /// The time of every file; `None` keeps the original's.
    pub mtime: Option<i64>,
    /// Bytes that the original may unpack to.
    pub max_unpacked: Option<u64>,
}
