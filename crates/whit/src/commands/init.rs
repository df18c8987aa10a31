//! `whit init`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use whit_core::pipeline::Stopwatch;
use whit_core::settings::Settings;

use super::build::{Target, architecture, detect};
use super::platform;
use super::settings::layers;
use super::transports::transports;
use super::workplace::Workplace;
use crate::args::{Init, Registries};
use crate::ui::{Failure, Screen};

pub fn run(args: &Init, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    if !args.dir.is_dir() {
        return Err(
            Failure::input(anyhow::anyhow!("{} is no folder", args.dir.display()))
                .hint("whit.toml lies in a project's folder: whit init FOLDER".to_owned()),
        );
    }
    let file = args.dir.join("whit.toml");
    if !args.force && file.symlink_metadata().is_ok() {
        return Err(exists(&file));
    }
    // What is replaced says nothing any more.
    let settings = layers(Settings::default(), &place.around, &args.dir)?
        .without_own_file()
        .merged();
    let registries = Registries {
        insecure: false,
        registry_mirror: Vec::new(),
    };
    let transports = transports(&place.around, &registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let mut watch = Stopwatch::default();
    let architecture = architecture(platform::wanted(&settings)?.first())?;
    let target = Target {
        architecture: &architecture,
        limit: None,
    };
    let (_, project) = detect(&args.dir, &settings, target, &tools, &mut watch)?;
    tools.check_cancelled()?;
    screen.clear();

    let mut how = OpenOptions::new();
    how.write(true);
    match args.force {
        true => how.create(true).truncate(true),
        // Somebody may have been faster.
        false => how.create_new(true),
    };
    how.open(&file)
        .and_then(|mut open| open.write_all(project.draft().as_bytes()))
        .map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(&file),
            _ => Failure::input(anyhow::anyhow!("cannot write {}: {error}", file.display())),
        })?;
    anstream::println!("wrote {}", file.display());
    Ok(ExitCode::SUCCESS)
}

fn exists(file: &std::path::Path) -> Failure {
    Failure::input(anyhow::anyhow!("{} is there already", file.display()))
        .hint("whit config shows what holds; whit init --force writes a new one".to_owned())
}
