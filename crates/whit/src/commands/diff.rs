//! `whit diff`.

use std::process::ExitCode;

use whit_core::diff::diff;
use whit_core::inventory::{Detail, Inventory};
use whit_core::workspace::Workspace;
use whit_oci::Platform;

use super::inventory::Desk;
use crate::args::Diff;
use crate::surroundings::Surroundings;
use crate::ui::{self, Failure, Screen};

pub fn run(args: &Diff, screen: &Screen) -> Result<ExitCode, Failure> {
    let around = Surroundings::of_this_process()?;
    let workspace = Workspace::create(&around.cache)?;
    let desk = Desk {
        around: &around,
        workspace: &workspace,
        screen,
        platform: args
            .platform
            .as_deref()
            .map(str::parse::<Platform>)
            .transpose()?,
    };
    let detail = Detail {
        digests: true,
        ..Detail::default()
    };
    let read =
        |text: &str| -> Result<Inventory, Failure> { desk.read(text, &desk.open(text)?, &detail) };
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
