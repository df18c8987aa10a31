//! Why an image does not work, as data and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an image does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Reason {
    /// There is no image. What the engine said of the step that failed.
    BuildFailed {
        line: Option<usize>,
        said: String,
    },
    NoCommand,
    NoUser {
        said: String,
    },
    /// `CMD` and `ENTRYPOINT` as a string are run by a shell.
    NoShell {
        command: String,
    },
    NoProgram {
        program: String,
    },
    NotExecutable {
        program: String,
    },
    /// Neither a program of this machine nor a script.
    ExecFormat {
        program: String,
        is: String,
    },
    /// The program that a script's first line names is not there.
    NoInterpreter {
        script: String,
        interpreter: String,
    },
    /// It was written on Windows: a carriage return is part of the name.
    CarriageReturn {
        script: String,
    },
    /// The loader of a dynamically linked program is not there. `has` is the C
    /// library that the image has instead.
    NoLoader {
        program: String,
        loader: String,
        has: Option<String>,
    },
    NoLibrary {
        program: String,
        libraries: Vec<String>,
    },
    /// The image's C library is older than that of the build.
    OldLibrary {
        version: String,
    },
    NoModule {
        language: String,
        module: String,
    },
    /// TLS without any authority.
    NoAuthorities,
    /// TLS with authorities, none of which signed the server's certificate.
    UnknownAuthority,
    /// A name that only a network knows.
    NoNetwork {
        said: String,
    },
    /// Any other end with an error.
    Failed {
        how: String,
        said: String,
    },
    /// Within this time it neither ended nor listened.
    Silent {
        seconds: u64,
    },
    /// It ran, and said something else than others of the same program.
    Differs {
        from: String,
        what: String,
    },
    /// The host did not let it be tried.
    NotTried {
        said: String,
    },
}

impl Reason {
    /// The name that programs read.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::BuildFailed { .. } => "build-failed",
            Self::NoCommand => "no-command",
            Self::NoUser { .. } => "no-user",
            Self::NoShell { .. } => "no-shell",
            Self::NoProgram { .. } => "no-program",
            Self::NotExecutable { .. } => "not-executable",
            Self::ExecFormat { .. } => "exec-format",
            Self::NoInterpreter { .. } => "no-interpreter",
            Self::CarriageReturn { .. } => "carriage-return",
            Self::NoLoader { .. } => "no-loader",
            Self::NoLibrary { .. } => "no-library",
            Self::OldLibrary { .. } => "old-library",
            Self::NoModule { .. } => "no-module",
            Self::NoAuthorities => "no-authorities",
            Self::UnknownAuthority => "unknown-authority",
            Self::NoNetwork { .. } => "no-network",
            Self::Failed { .. } => "failed",
            Self::Silent { .. } => "silent",
            Self::Differs { .. } => "differs",
            Self::NotTried { .. } => "not-tried",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuildFailed {
                line: Some(line),
                said,
            } => write!(f, "build failed at line {line}: {said}"),
            Self::BuildFailed { line: None, said } => write!(f, "build failed: {said}"),
            Self::NoCommand => f.write_str("the image names no command"),
            Self::NoUser { said } => f.write_str(said),
            Self::NoShell { command } => write!(
                f,
                "the command is a string ({command:?}), and that needs /bin/sh, \
                 which the image lacks"
            ),
            Self::NoProgram { program } => write!(f, "{program} is not in the image"),
            Self::NotExecutable { program } => write!(f, "{program} is not executable"),
            Self::ExecFormat { program, is } => {
                write!(f, "exec format error: {program} is {is}")
            }
            Self::NoInterpreter {
                script,
                interpreter,
            } => write!(
                f,
                "{script} is a script for {interpreter}, which the image lacks"
            ),
            Self::CarriageReturn { script } => write!(
                f,
                "the first line of {script} ends with a carriage return, which is taken \
                 for a part of the interpreter's name"
            ),
            Self::NoLoader {
                program,
                loader,
                has: None,
            } => write!(
                f,
                "{program} is dynamically linked: needs {loader}, which the image lacks"
            ),
            Self::NoLoader {
                program,
                loader,
                has: Some(has),
            } => {
                let wanted = if loader.contains("ld-musl") {
                    "musl"
                } else {
                    "glibc"
                };
                write!(
                    f,
                    "{program} needs {wanted} ({loader}), and the base has {has}"
                )
            }
            Self::NoLibrary { program, libraries } => write!(
                f,
                "{program} needs {}, which the image lacks",
                libraries.join(", ")
            ),
            Self::OldLibrary { version } => write!(
                f,
                "it was built against a newer C library: needs {version}, which the image lacks"
            ),
            Self::NoModule { language, module } => {
                write!(f, "{language} does not find {module}")
            }
            Self::NoAuthorities => {
                f.write_str("no CA certificates: it cannot tell whether a server is who it says")
            }
            Self::UnknownAuthority => f.write_str(
                "the CA certificates of the image do not have the one that signed the \
                 server's certificate",
            ),
            Self::NoNetwork { said } => {
                write!(f, "it needs a network, and is tried without one: {said}")
            }
            Self::Failed { how, said } if said.is_empty() => write!(f, "it {how}"),
            Self::Failed { how, said } => write!(f, "it {how}: {said}"),
            Self::Silent { seconds } => {
                write!(f, "within {seconds} s it neither ended nor listened")
            }
            Self::Differs { from, what } => write!(f, "{what}, other than {from}"),
            Self::NotTried { said } => write!(f, "could not be tried: {said}"),
        }
    }
}
