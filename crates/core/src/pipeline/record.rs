//! The record of a run, on disk: what `--save-run` leaves and `--replay` takes
//! up again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use whit_sandbox::Trace;

use crate::report::Report;

/// The original, as the user named it.
const SOURCE: &str = "source.txt";
/// Every touch of every run of the original, as JSON.
const TRACE: &str = "trace.json";
/// The report, in which every path has its decision.
const PLAN: &str = "plan.json";

/// Why a record cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("cannot read the trace of a run, {}: {cause}", path.display())]
    Read { path: PathBuf, cause: io::Error },
    #[error("{} is not the trace of a run: {cause}", path.display())]
    Format {
        path: PathBuf,
        cause: serde_json::Error,
    },
}

impl RecordError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "give the folder that --save-run wrote".to_owned(),
            Self::Format { .. } => "run again with --save-run".to_owned(),
        })
    }
}

/// Writes the record of a run. Without a `trace` nothing was run, and there is
/// nothing to replay.
///
/// # Errors
/// If the folder cannot be made or written to.
pub fn save(folder: &Path, trace: Option<&Trace>, report: &Report) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(SOURCE), format!("{}\n", report.source))?;
    fs::write(folder.join(PLAN), report.to_json())?;
    if let Some(trace) = trace {
        fs::write(folder.join(TRACE), serde_json::to_vec(trace)?)?;
    }
    Ok(())
}

/// What the runs of a record touched.
///
/// # Errors
/// If `folder` holds no trace.
pub fn replay(folder: &Path) -> Result<Trace, RecordError> {
    let path = folder.join(TRACE);
    let text = fs::read(&path).map_err(|cause| RecordError::Read {
        path: path.clone(),
        cause,
    })?;
    serde_json::from_slice(&text).map_err(|cause| RecordError::Format { path, cause })
}
