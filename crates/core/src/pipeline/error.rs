//! What ends a run without a result.

use crate::emit::EmitError;
use crate::observe;
use crate::reach::python::FactsError;
use crate::single::{ForgeError, SingleError};
use crate::source::unpack::UnpackError;
use crate::transform::bytecode::CompileError;

/// Why there is no small image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// The small image was made and does not behave as the original does.
    #[error("the small image behaves differently:\n{}", differences.join("\n"))]
    Refused { differences: Vec<String> },
    #[error("{entry}: the image has no program {program:?}")]
    NoProgram {
        entry: String,
        program: String,
        /// `PATH`.
        path: String,
    },
    #[error(transparent)]
    Observe(observe::Error),
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Image(#[from] whit_oci::ImageError),
    #[error(transparent)]
    Emit(EmitError),
    #[error(transparent)]
    Write(#[from] whit_oci::WriteError),
    #[error(transparent)]
    Python(#[from] FactsError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error("there is no Python in it that could become one executable")]
    NoPython,
    #[error("it cannot become one executable: {0}")]
    Single(SingleError),
    #[error("cannot write the executable {place}: {cause}")]
    Executable {
        place: String,
        cause: std::io::Error,
    },
    #[error("cannot write the bill of materials {place}: {cause}")]
    Bill {
        place: String,
        cause: std::io::Error,
    },
    #[error("cannot write to whit's own folders: {0}")]
    Io(#[from] std::io::Error),
}

impl From<observe::Error> for Error {
    fn from(error: observe::Error) -> Self {
        match error {
            observe::Error::Cancelled => Error::Interrupted,
            error => Error::Observe(error),
        }
    }
}

impl From<SingleError> for Error {
    fn from(error: SingleError) -> Self {
        match error {
            SingleError::Forge(ForgeError::Interrupted) => Error::Interrupted,
            error => Error::Single(error),
        }
    }
}

impl From<EmitError> for Error {
    fn from(error: EmitError) -> Self {
        match error {
            EmitError::Cancelled => Error::Interrupted,
            error => Error::Emit(error),
        }
    }
}

impl Error {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Refused { .. } => Some(
                "keep what it needs with --keep GLOB, or insist with --accept-differences"
                    .to_owned(),
            ),
            Error::NoProgram { program, .. } if program.contains('/') => {
                Some("the path must be that of an executable file in the image".to_owned())
            }
            Error::NoProgram { path, .. } => Some(format!(
                "it is looked for in {path}; give its whole path, or put it into the image"
            )),
            Error::Observe(error) => error.hint(),
            Error::Unpack(error) => error.hint(),
            Error::Image(error) => error.hint(),
            Error::Emit(EmitError::Write(error)) | Error::Write(error) => error.hint(),
            Error::Python(error) => error.hint(),
            Error::NoPython => Some("--single is for projects in Python".to_owned()),
            Error::Single(error) => error.hint(),
            Error::Bill { .. } => Some("name another place: --sbom FILE".to_owned()),
            Error::Executable { .. } => Some("name another place: -o exe:FILE".to_owned()),
            Error::Compile(error) => error.hint(),
            _ => None,
        }
    }
}
