//! `whit explore`.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use whit_core::explore::{Exploration, explore};
use whit_core::inventory::Detail;
use whit_core::pipeline::Tools;
use whit_core::progress::Progress;
use whit_core::report::Report;

use super::inventory;
use super::settings::of_registries;
use super::transports::transports;
use super::why::beside;
use super::wish::failure;
use super::workplace::Workplace;
use crate::args::Explore;
use crate::ui::{self, Failure, Screen};

pub fn run(args: &Explore, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let settings = of_registries(&args.registries, &place.around, Path::new("."))?;
    let transports = transports(&place.around, &args.registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let exploration = look(args, &tools)?;
    screen.clear();
    if let Some(file) = &args.html {
        write(file, &ui::explore::page(&exploration))?;
        screen.note(&format!("wrote {}", file.display()));
    } else if args.json {
        anstream::println!("{}", serde_json::to_string(&exploration)?);
    } else if args.text || !(std::io::stdout().is_terminal() && std::io::stdin().is_terminal()) {
        anstream::print!("{}", ui::explore::text(&exploration));
    } else {
        ui::explore::walk(&exploration, &|| tools.check_cancelled().is_err())?;
        tools.check_cancelled().map_err(failure)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn look(args: &Explore, tools: &Tools<'_>) -> Result<Exploration, Failure> {
    let image = inventory::open(&args.image, args.platform.as_ref(), tools)?;
    let detail = Detail {
        digests: true,
        ..Detail::default()
    };
    let inventory = inventory::read(&args.image, &image, &detail, tools)?;
    let report = report(args)?;
    Ok(explore(&args.image, &image, &inventory, report.as_ref()))
}

/// The report that was asked for, or the one beside the image if there is one.
fn report(args: &Explore) -> Result<Option<Report>, Failure> {
    let place = args.report.clone().unwrap_or_else(|| beside(&args.image));
    if args.report.is_none() && !place.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&place).map_err(|error| {
        Failure::input(anyhow::anyhow!(
            "cannot read the report {}: {error}",
            place.display()
        ))
    })?;
    let report = Report::from_json(&bytes).map_err(|error| {
        Failure::input(anyhow::anyhow!(
            "{} is not a report of whit: {error}",
            place.display()
        ))
        .hint(
            "whit writes it when it makes an image small; name another one with --report FILE"
                .to_owned(),
        )
    })?;
    Ok(Some(report))
}

fn write(file: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(file, page).map_err(|error| {
        Failure::input(anyhow::anyhow!("cannot write {}: {error}", file.display()))
    })
}
