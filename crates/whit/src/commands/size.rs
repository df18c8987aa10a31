//! `whit size`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use whit_core::inventory::Detail;
use whit_core::pipeline::Tools;
use whit_core::size::{Bandwidth, Budget, Bytes, ImageSize, Present, excesses, measure};
use whit_oci::Image;

use super::settings::of_registries;
use super::transports::transports;
use super::workplace::{Workplace, open_image, reference};
use super::{dockerfile, inventory};
use crate::args::{NetworkChoice, Size, SizeLimits};
use crate::ui::{self, Failure, Screen};

pub fn run(args: &Size, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let settings = of_registries(&args.registries, &place.around, Path::new("."))?;
    let transports = transports(&place.around, &args.registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let open = |text: &str| inventory::open(text, args.platform.as_ref(), &tools);
    let budget = limits(&args.limits)?.or(settings.budget.unwrap_or_default());
    let bandwidths = match &args.bandwidth[..] {
        [] => &Bandwidth::DEFAULTS[..],
        chosen => chosen,
    };
    let mut present = Present::default();
    for image in &args.have {
        present.add(&open(image)?);
    }
    let mut sizes: Vec<ImageSize> = Vec::new();
    let mut over = Vec::new();
    let detail = Detail {
        recompress: args.recompress.clone(),
        // Nothing is refused for an estimate.
        measure_plain: budget.compressed.is_some(),
        ..Detail::default()
    };
    for image in &args.images {
        let opened = match dockerfile::meant(&reference(image)?) {
            Some(file) => built(&file, args, place, &tools)?,
            None => open(image)?,
        };
        let inventory = inventory::read(image, &opened, &detail, &tools)?;
        let size = measure(image, &inventory, &present, bandwidths);
        over.extend(excesses(&size, &inventory, &budget));
        sizes.push(size);
    }
    sizes.sort_by(|a, b| (a.uncompressed, &a.image).cmp(&(b.uncompressed, &b.image)));
    screen.clear();
    if args.form.json {
        ui::print_sizes_json(&sizes, &over)?;
    } else if args.csv {
        ui::print_sizes_csv(&sizes);
    } else if args.form.markdown {
        ui::print_sizes_markdown(&sizes, !args.have.is_empty());
    } else {
        ui::print_sizes(&sizes, !args.have.is_empty());
    }
    if over.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(
        Failure::refused(anyhow::anyhow!("{}", ui::over_budget(&over)))
            .hint("make it smaller with `whit shrink`, or raise the limit".to_owned()),
    )
}

/// The image that an engine builds from a Dockerfile.
fn built(file: &Path, args: &Size, place: &Workplace, tools: &Tools<'_>) -> Result<Image, Failure> {
    let order = dockerfile::order(
        file.to_owned(),
        dockerfile::context_of(file),
        &args.building,
        args.network == NetworkChoice::Host,
        args.platform.as_ref(),
    );
    let built = dockerfile::build(&order, &args.building, place, tools)?;
    open_image(&built.reference, None, tools)
}

/// The limits of the command line.
fn limits(flags: &SizeLimits) -> Result<Budget, Failure> {
    let mut package = None;
    let mut packages = BTreeMap::new();
    for text in &flags.max_package {
        let (name, size) = match text.split_once('=') {
            Some((name, size)) => (Some(name), size),
            None => (None, text.as_str()),
        };
        let limit: Bytes = size
            .parse()
            .map_err(|error| Failure::input(anyhow::anyhow!("--max-package {text}: {error}")))?;
        match name {
            Some(name) => {
                packages.insert(name.to_owned(), limit);
            }
            None => package = Some(limit),
        }
    }
    Ok(Budget {
        size: flags.max,
        compressed: flags.max_compressed,
        layer: flags.max_layer,
        package,
        packages,
    })
}
