//! `whit diff`.

use std::path::Path;
use std::process::ExitCode;

use whit_core::diff::diff;
use whit_core::inventory::{Detail, Inventory};

use super::inventory;
use super::settings::of_registries;
use super::transports::transports;
use super::workplace::Workplace;
use crate::args::Diff;
use crate::ui::{self, Failure, Screen};

pub fn run(args: &Diff, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let settings = of_registries(&args.registries, &place.around, Path::new("."))?;
    let transports = transports(&place.around, &args.registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let detail = Detail {
        digests: true,
        ..Detail::default()
    };
    let read = |text: &str| -> Result<Inventory, Failure> {
        let image = inventory::open(text, args.platform.as_ref(), &tools)?;
        inventory::read(text, &image, &detail, &tools)
    };
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let diff = diff((&args.before, &before), (&args.after, &after));
    let grown = args
        .fail_on_growth
        .map(|growth| growth.exceeded(&diff))
        .unwrap_or_default();
    screen.clear();
    if args.form.json {
        ui::print_diff_json(&diff, &grown)?;
    } else if args.form.markdown {
        ui::print_diff_markdown(&diff);
    } else {
        ui::print_diff(&diff);
    }
    if grown.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::refused(anyhow::anyhow!(
        "{}",
        ui::grown_too_much(&diff, &grown)
    )))
}
