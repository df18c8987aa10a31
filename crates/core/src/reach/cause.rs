//! Why a file is reachable.

use std::fmt;

use crate::index::FileId;

/// One step of the chain that `whit why` walks: `from` made this file
/// necessary, in the way that `how` tells. Roots have no `from`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub from: Option<FileId>,
    pub how: How,
}

/// The kinds of necessity, each phrased so that "FILE is kept because it ..."
/// reads as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    // Roots.
    /// The image's entrypoint or command starts it.
    Command,
    /// Another program that the image is started with, as `--also` names it.
    Entry(String),
    Healthcheck,
    /// A run of the original touched it (`read`, `exec`, `stat`, ...).
    Observed(String),
    /// A run of another program touched it: how, and which.
    ObservedOf(String, String),
    /// No package owns it: it is the user's.
    UserFile,
    /// A path that every image needs (`/tmp`, `/etc/passwd`, ...).
    Surroundings(String),
    /// `--keep GLOB`.
    KeepGlob(String),
    /// `--test`, `[[probe]]` or the verdict of round N brought it back.
    Repaired {
        round: u32,
    },
    // Steps.
    /// A symbolic link that leads to `from`, or the target of link `from`.
    Link,
    /// The folder that holds `from`.
    Folder,
    /// `PT_INTERP` or `#!`.
    Interpreter,
    /// `DT_NEEDED`, by soname.
    Needed(String),
    /// A soname in read-only data, for `dlopen`.
    Dlopen(String),
    /// A Python or Node module imported by `from`.
    Import(String),
    /// A module or file named by a string in `from`.
    Named(String),
    /// A program that `from` runs.
    Runs(String),
    /// A program that came with the service that the image starts.
    Client(String),
    /// Data of a package that is in use.
    PackageData(String),
    /// Metadata of a package that is in use.
    PackageMetadata(String),
    /// Configuration read by a program that is in use.
    Config(String),
    /// A dependency by the package's own metadata.
    Depends(String),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Command => write!(f, "is what the image starts"),
            How::Entry(entry) => write!(f, "is what {entry} starts"),
            How::Healthcheck => write!(f, "is run by the health check"),
            How::Observed(access) => write!(f, "was touched in a run ({access})"),
            How::ObservedOf(access, entry) => {
                write!(f, "was touched in a run of {entry} ({access})")
            }
            How::UserFile => write!(f, "belongs to no package: it is yours"),
            How::Surroundings(what) => write!(f, "is needed around every app: {what}"),
            How::KeepGlob(glob) => write!(f, "matches --keep {glob}"),
            How::Repaired { round } => {
                write!(
                    f,
                    "was missed by the small image and put back in round {round}"
                )
            }
            How::Link => write!(f, "is on the way of a symbolic link"),
            How::Folder => write!(f, "holds a file that is kept"),
            How::Interpreter => write!(f, "is its interpreter"),
            How::Needed(soname) => write!(f, "is linked as {soname}"),
            How::Dlopen(soname) => write!(f, "is named as {soname}, which it may load"),
            How::Import(module) => write!(f, "is imported as {module}"),
            How::Named(text) => write!(f, "is named by the text {text:?}"),
            How::Runs(command) => write!(f, "is run as {command}"),
            How::Client(package) => {
                write!(
                    f,
                    "is a program of {package}, the service that the image starts"
                )
            }
            How::PackageData(package) => write!(f, "is data of {package}, which is used"),
            How::PackageMetadata(package) => write!(f, "is metadata of {package}, which is used"),
            How::Config(program) => write!(f, "is configuration of {program}"),
            How::Depends(package) => write!(f, "is required by {package}"),
        }
    }
}
