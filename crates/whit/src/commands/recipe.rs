//! `whit recipe`.

use std::path::Path;
use std::process::ExitCode;

use whit_core::inventory::Detail;
use whit_core::pipeline::Tools;
use whit_core::recipe::{Names, Recipe};
use whit_oci::Reference;

use super::inventory;
use super::settings::of_registries;
use super::transports::transports;
use super::why::{beside, read_report};
use super::workplace::{Workplace, open_image};
use crate::args;
use crate::ui::{Failure, Screen};

pub fn run(args: &args::Recipe, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let settings = of_registries(&args.registries, &place.around, Path::new("."))?;
    let transports = transports(&place.around, &args.registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let report = match &args.report {
        Some(report) => read_report(report)?,
        None => read_report(&beside(&args.image))?,
    };
    let original = match &args.original {
        Some(name) => name.clone(),
        None => original(&report.source, &tools)?,
    };
    let image = inventory::open(&args.image, None, &tools)?;
    let small = inventory::read(&args.image, &image, &Detail::default(), &tools)?;
    let names = Names {
        image: &args.image,
        original: &original,
    };
    let recipe = Recipe::new(&report, &small.tree, &small.config, names).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    screen.clear();
    match &args.output {
        None => anstream::print!("{recipe}"),
        Some(file) => std::fs::write(file, recipe.to_string()).map_err(|error| {
            Failure::input(anyhow::anyhow!("cannot write {}: {error}", file.display()))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What an engine calls the original of a report: by its name, or by the one
/// that stands in its archive.
fn original(source: &str, tools: &Tools<'_>) -> Result<String, Failure> {
    let unnamed = || {
        Failure::input(anyhow::anyhow!(
            "the original {source} has no name that an engine could know it by"
        ))
        .hint(
            "load it into the engine, and say what it is called there: --original NAME".to_owned(),
        )
    };
    let reference = Reference::parse(source).map_err(|_| unnamed())?;
    if let Some(name) = reference.name() {
        return Ok(name.tagged());
    }
    let image = open_image(&reference, None, tools).map_err(|_| unnamed())?;
    // A layout lists its images by tag alone.
    let name = image.name().filter(|name| name.contains(':'));
    name.map(str::to_owned).ok_or_else(unnamed)
}
