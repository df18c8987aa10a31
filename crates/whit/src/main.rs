//! The program: arguments in, exit code out.

mod args;
mod commands;
mod surroundings;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use args::{Cli, ColorWhen, Command};
use commands::Workplace;
use ui::{Failure, Screen};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        ColorWhen::Auto => {}
        ColorWhen::Always => anstream::ColorChoice::Always.write_global(),
        ColorWhen::Never => anstream::ColorChoice::Never.write_global(),
    }
    let screen = Screen::new(cli.quiet, cli.command.is_for_programs());
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
        Command::Build(args) => interruptible(|place| commands::build::run(&args, place, screen)),
        Command::Shrink(args) => interruptible(|place| commands::shrink::run(&args, place, screen)),
        Command::Init(args) => interruptible(|place| commands::init::run(&args, place, screen)),
        Command::Config(args) if args.schema => commands::config::schema(),
        Command::Config(args) => {
            interruptible(|place| commands::config::run(&args.build, place, screen))
        }
        Command::Why(args) => commands::why::run(&args),
        Command::Cache(args) => commands::cache::run(&args),
        Command::Explore(args) => {
            interruptible(|place| commands::explore::run(&args, place, screen))
        }
        Command::Size(args) => interruptible(|place| commands::size::run(&args, place, screen)),
        Command::Compare(args) => {
            interruptible(|place| commands::compare::run(&args, place, screen))
        }
        Command::Diff(args) => interruptible(|place| commands::diff::run(&args, place, screen)),
        Command::Run(args) => interruptible(|place| commands::run::run(&args, place, screen)),
        Command::Recipe(args) => interruptible(|place| commands::recipe::run(&args, place, screen)),
        Command::Lint(args) => commands::lint::run(&args, screen),
        Command::Matrix(args) => interruptible(|place| commands::matrix::run(&args, place, screen)),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "whit", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Does what a signal may end. Whatever fails after the signal fails because of
/// it: sandboxed programs are killed, downloads break off.
fn interruptible(
    work: impl FnOnce(&Workplace) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let place = Workplace::open()?;
    work(&place).map_err(|failure| match place.around.signal() {
        Some(signal) => Failure::interrupted(signal),
        None => failure,
    })
}
