//! Errors as the user sees them: what, why, and what to type next.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// What went wrong, with the exit code that it deserves.
#[derive(Debug)]
pub struct Failure {
    /// 1: the check refused. 2: the input or the surroundings are at fault.
    /// 128 and the signal's number: a signal ended it, as shells tell it.
    pub code: u8,
    pub error: anyhow::Error,
    pub hint: Option<String>,
}

impl Failure {
    /// The input or the surroundings are at fault.
    pub fn input(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 2,
            error: error.into(),
            hint: None,
        }
    }

    /// whit's own check refused the result.
    pub fn refused(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 1,
            error: error.into(),
            hint: None,
        }
    }

    /// The user wants it to end.
    pub fn interrupted(signal: u8) -> Self {
        Self {
            code: 128 + signal,
            error: anyhow::anyhow!("interrupted; nothing was written"),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::input(error)
    }
}

pub fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(failure.code)
}

/// Prints `error: …`, its causes below it, and the hint.
pub fn print_error(failure: &Failure) {
    let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
    anstream::eprintln!("{red}error:{red:#} {}", failure.error);
    let mut said = failure.error.to_string();
    for cause in failure.error.chain().skip(1) {
        let cause = cause.to_string();
        // Many errors already quote their source.
        if !said.contains(&cause) {
            anstream::eprintln!("  caused by: {cause}");
        }
        said = cause;
    }
    if let Some(hint) = &failure.hint {
        anstream::eprintln!("{cyan}hint:{cyan:#} {hint}");
    }
}
