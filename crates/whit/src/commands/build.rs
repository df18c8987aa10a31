//! `whit build`.
use std::process::ExitCode;
use crate::args::Build;
use crate::ui::{Failure, Screen};
pub fn run(_args: &Build, _screen: &Screen) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
