//! The program: arguments in, exit code out.

mod args;
mod commands;
mod surroundings;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, ColorWhen, Command};
use surroundings::Surroundings;
use ui::{Failure, Screen};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        ColorWhen::Auto => {}
        ColorWhen::Always => anstream::ColorChoice::Always.write_global(),
        ColorWhen::Never => anstream::ColorChoice::Never.write_global(),
    }
    let screen = Screen::new(cli.quiet);
    let done = run(cli.command, &screen);
    screen.clear();
    match done {
        Ok(code) => code,
        Err(failure) => {
            ui::print_error(&failure);
            ui::exit_code(&failure)
        }
    }
}

fn run(command: Command, screen: &Screen) -> Result<ExitCode, Failure> {
    match command {
        Command::Build(args) => interruptible(|around| commands::build::run(&args, around, screen)),
        Command::Shrink(args) => {
            interruptible(|around| commands::shrink::run(&args, around, screen))
        }
        Command::Why(args) => commands::why::run(&args),
        Command::Run(args) => interruptible(|around| commands::run::run(&args, around, screen)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "whit", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does what a signal may end. Whatever fails after the signal fails because of
/// it: sandboxed programs are killed, downloads break off.
fn interruptible(
    work: impl FnOnce(&Surroundings) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let around = Surroundings::of_this_process()?;
    work(&around).map_err(|failure| match around.signal() {
        Some(signal) => Failure::interrupted(signal),
        None => failure,
    })
}
