//! What an interpreter says about itself.

use std::collections::BTreeMap;

use super::imports::Platform;

/// Facts of one interpreter in the app's environment and working directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Facts {
    /// Major, minor, micro.
    pub version: (u8, u8, u8),
    pub executable: String,
    pub prefix: String,
    pub base_prefix: String,
    pub exec_prefix: String,
    /// `sys.path` after start-up, `.pth` files included, without the script's
    /// own folder.
    pub path: Vec<String>,
    /// Modules compiled into the interpreter.
    pub builtin: Vec<String>,
    /// Modules whose bytecode lies in the interpreter.
    pub frozen: Vec<String>,
    /// `.cpython-311-x86_64-linux-gnu.so`, `.abi3.so`, `.so`, in this order.
    pub extension_suffixes: Vec<String>,
    /// `cpython-311`, as in `__pycache__/x.cpython-311.pyc`.
    pub cache_tag: String,
    /// The first four bytes of a `.pyc`.
    pub magic: Vec<u8>,
    /// The folder of the standard library.
    pub stdlib: String,
    /// `site-packages` and `dist-packages` folders.
    pub sites: Vec<String>,
    pub pycache_prefix: Option<String>,
    /// 0, 1 (`-O`) or 2 (`-OO`).
    pub optimize: u8,
    /// Modules that start-up loads, with `__file__` and the spec's origin.
    pub loaded: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Names mapped to places by finders of editable installs.
    pub editable: BTreeMap<String, String>,
    /// The module with the build's configuration, for `sysconfig`.
    pub sysconfig: Option<String>,
    /// Files and folders in which OpenSSL looks for trusted certificates.
    pub trust: Vec<String>,
    /// Folders in which `zoneinfo` looks for zones.
    pub zones: Vec<String>,
}

/// Why the interpreter's facts could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    #[error("the interpreter {interpreter} did not run in the sandbox: {cause}")]
    Run { interpreter: String, cause: String },
    #[error(
        "the interpreter {interpreter} cannot be run, and its library is not where it would look"
    )]
    Unknown { interpreter: String },
    #[error("the interpreter {interpreter} answered something unexpected: {source}")]
    Answer {
        interpreter: String,
        source: serde_json::Error,
    },
}

impl FactsError {
    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        match self {
            FactsError::Run { interpreter, .. } => Some(format!(
                "does `{interpreter} -c 'import sys'` work in the image? \
                 an ENV such as PYTHONHOME may point elsewhere"
            )),
            FactsError::Unknown { .. } => Some(
                "install qemu-user-static, or drop nothing but litter: --policy repack".to_owned(),
            ),
            FactsError::Answer { .. } => Some(
                "CPython 3.6 or newer is understood; \
                 something printed to standard output at start-up also disturbs"
                    .to_owned(),
            ),
        }
    }
}

/// Starts a command and returns its standard output.
pub type Run<'r, E> = &'r mut dyn FnMut(&[String]) -> Result<Vec<u8>, E>;

/// The program that gathers the facts; see [`Facts::gather`].
pub fn script() -> &'static str {
    include_str!("facts.py")
}

impl Facts {
    /// Asks an interpreter. `run` starts a command in the image, in the app's
    /// environment and working directory, and returns its standard output;
    /// `interpreter` is the program as the image calls it (a virtual
    /// environment's link, not its target) with options such as `-I`.
    ///
    /// # Errors
    /// When it does not run, or answers with something else than facts.
    pub fn gather<E: std::fmt::Display>(
        interpreter: &[String],
        run: Run<E>,
    ) -> Result<Facts, FactsError> {
        let name = interpreter.first().cloned().unwrap_or_default();
        let mut argv = interpreter.to_vec();
        argv.extend(["-c".to_owned(), script().to_owned()]);
        let answer = run(&argv).map_err(|cause| FactsError::Run {
            interpreter: name.clone(),
            cause: cause.to_string(),
        })?;
        Facts::parse(&answer).map_err(|source| FactsError::Answer {
            interpreter: name,
            source,
        })
    }

    /// Reads the script's answer: the last line that is not empty.
    ///
    /// # Errors
    /// When that line is not the JSON that the script prints.
    pub fn parse(answer: &[u8]) -> Result<Facts, serde_json::Error> {
        let line = answer
            .split(|b| *b == b'\n')
            .rfind(|line| !line.trim_ascii().is_empty())
            .unwrap_or_default();
        serde_json::from_slice(line)
    }

    /// For which conditions in source are decided.
    pub fn platform(&self) -> Platform {
        Platform {
            version: (self.version.0, self.version.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_before_the_answer_is_skipped() {
        let facts = Facts {
            version: (3, 11, 2),
            stdlib: "/usr/lib/python3.11".to_owned(),
            ..Facts::default()
        };
        let mut answer = b"hello from sitecustomize\n".to_vec();
        answer.extend(serde_json::to_vec(&facts).unwrap());
        answer.extend(b"\n\n");
        assert_eq!(Facts::parse(&answer).unwrap(), facts);
        assert!(Facts::parse(b"").is_err());
        assert!(Facts::parse(b"no\n").is_err());
    }

    #[test]
    fn a_failed_run_names_the_interpreter() {
        let error = Facts::gather(&["/bin/python".to_owned()], &mut |argv| {
            assert_eq!(argv[1], "-c");
            Err::<Vec<u8>, _>("killed")
        })
        .unwrap_err();
        assert!(error.to_string().contains("/bin/python"));
        assert!(error.hint().is_some());
    }
}
