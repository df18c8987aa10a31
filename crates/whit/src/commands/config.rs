//! `whit config`.

use std::process::ExitCode;

use whit_core::pipeline::Stopwatch;
use whit_core::progress::Progress;
use whit_core::settings;

use super::build::{Target, architecture, detect};
use super::platform;
use super::settings::of_build;
use super::transports::transports;
use super::workplace::Workplace;
use crate::args::Build;
use crate::ui::{self, Failure, Screen};

pub fn run(args: &Build, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let layers = of_build(args, &place.around)?;
    let merged = layers.merged();
    let transports = transports(&place.around, &args.registries, &merged, screen)?;
    let tools = place.tools(screen, &transports);
    let limit = args.content.max_unpacked.map(|bytes| bytes.0);
    let mut watch = Stopwatch::default();
    let architecture = architecture(platform::wanted(&merged)?.first())?;
    let target = Target {
        architecture: &architecture,
        limit,
    };
    let detected = match detect(&args.dir, &merged, target, &tools, &mut watch) {
        Ok((_, project)) => project.proposals(),
        // A folder without a project may have settings for images.
        Err(failure) => {
            screen.note(&format!("nothing is detected: {}", failure.error));
            Vec::new()
        }
    };
    tools.check_cancelled()?;
    screen.clear();
    let rows = layers.explained_with(&detected);
    match args.output.json {
        true => anstream::println!("{}", serde_json::to_string_pretty(&rows)?),
        false => ui::print_config(&rows),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the JSON schema of `whit.toml`.
pub fn schema() -> Result<ExitCode, Failure> {
    anstream::println!("{:#}", settings::schema());
    Ok(ExitCode::SUCCESS)
}
