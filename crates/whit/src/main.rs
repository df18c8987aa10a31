//! The program: arguments in, exit code out.

mod args;
mod commands;
mod surroundings;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, ColorWhen, Command};
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
        Command::Build(args) => commands::build::run(&args, screen),
        Command::Shrink(args) => commands::shrink::run(&args, screen),
        Command::Why(args) => commands::why::run(&args),
        Command::Explore(args) => commands::explore::run(&args, screen),
        Command::Size(args) => commands::size::run(&args, screen),
        Command::Diff(args) => commands::diff::run(&args, screen),
        Command::Run(args) => commands::run::run(&args, screen),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "whit", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}
