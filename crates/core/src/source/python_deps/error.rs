//! What can go wrong while dependencies are resolved, fetched and built.

use std::path::PathBuf;

use crate::source::ignore::ListError;
use crate::source::python_deps::locks::LockFileError;

/// Why the dependencies could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{context}: {source}")]
    Io {
        context: String,
        source: std::io::Error,
    },
    #[error(transparent)]
    Sandbox(#[from] whit_sandbox::Error),
    #[error(transparent)]
    LockFile(#[from] LockFileError),
    #[error(transparent)]
    List(#[from] ListError),
    /// uv says that there is no such package or version.
    #[error("the requirements cannot be met: {message}")]
    Unsatisfiable { message: String },
    #[error("the package index cannot be reached: {message}")]
    Network { message: String },
    #[error("the package index refuses the certificate: {message}")]
    Certificate { message: String },
    #[error("the package index wants a login: {message}")]
    Login { message: String },
    #[error("a package is not the one that was pinned: {message}")]
    Hash { message: String },
    /// A source distribution, or the project itself, does not build.
    #[error("{package} does not build: {message}")]
    Build { package: String, message: String },
    #[error("{dependency} lies outside of the project, at {path}")]
    Outside { dependency: String, path: String },
    #[error("{step} failed: {message}")]
    Failed { step: &'static str, message: String },
    #[error("{step} took more than {minutes} minutes")]
    Timeout { step: &'static str, minutes: u64 },
    #[error("interrupted")]
    Interrupted,
    #[error("the runtime has no {}", path.display())]
    NoInterpreter { path: PathBuf },
}

impl InstallError {
    /// What to type or look at next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            InstallError::Sandbox(error) => return error.hint(),
            InstallError::LockFile(error) => return error.hint(),
            InstallError::List(error) => return error.hint(),
            InstallError::Unsatisfiable { .. } => {
                "correct the name or version in the project's requirements; a package of your own index needs that index in pip's or uv's settings (PIP_INDEX_URL, UV_INDEX)".to_owned()
            }
            InstallError::Network { .. } => {
                "check the connection and the settings that pip and uv read here (PIP_INDEX_URL, HTTPS_PROXY); what was downloaded before is not downloaded again".to_owned()
            }
            InstallError::Certificate { .. } => {
                "name the bundle with your company's certificate in SSL_CERT_FILE".to_owned()
            }
            InstallError::Login { .. } => {
                "put the login into ~/.netrc, or into the index's address in PIP_INDEX_URL".to_owned()
            }
            InstallError::Hash { .. } => {
                "if the change is meant, renew the list that pins it (the project's own lock file; whit.lock is renewed when it is removed); if it is not, don't trust the index, or the way to it".to_owned()
            }
            InstallError::Build { .. } => {
                "if it lacks a header or a program, name the Debian package that has it: --build-package NAME".to_owned()
            }
            InstallError::Outside { .. } => {
                "build from the folder that holds both".to_owned()
            }
            _ => return None,
        })
    }
}

/// Puts a context to an I/O error.
pub(super) fn io(context: impl Into<String>) -> impl FnOnce(std::io::Error) -> InstallError {
    let context = context.into();
    move |source| InstallError::Io { context, source }
}
