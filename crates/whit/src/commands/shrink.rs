//! `whit shrink`.

use std::path::Path;
use std::process::ExitCode;

use whit_core::pipeline::{self, Stopwatch};
use whit_core::progress::Progress;
use whit_core::settings::Settings;
use whit_core::source::FatRoot;
use whit_oci::{Platform, Reference};

use super::platform::{self, Change, Made};
use super::settings::{layers, of_content, of_mirrors, of_output, of_probes};
use super::transports::transports;
use super::wish::{Flags, failure};
use super::workplace::{Workplace, reference, unpack_image};
use crate::args::Shrink;
use crate::ui::{Failure, Screen};

pub fn run(args: &Shrink, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let flags = Flags {
        output: &args.output,
        probes: &args.probes,
        content: &args.content,
    };
    let given = Settings {
        platform: args.platform.clone(),
        ..Settings::default()
    };
    let given = given
        .or(of_output(&args.output))
        .or(of_probes(&args.probes)?)
        .or(of_content(&args.content))
        .or(of_mirrors(&args.registries));
    let settings = layers(given, &place.around, Path::new("."))?.merged();
    let transports = transports(&place.around, &args.registries, &settings)?;
    let reference = reference(&args.image)?;
    let mut make = |platform: Option<&Platform>, place: &Workplace, change: &mut Change<'_>| {
        let tools = place.tools(screen, &transports);
        let mut watch = Stopwatch::default();
        screen.phase("unpacking the original", None);
        let limit = flags.max_unpacked();
        let original = watch.time("unpack", || {
            unpack_image(&reference, platform, limit, &tools)
        })?;
        let epoch = place
            .around
            .source_date_epoch
            .unwrap_or_else(|| created(&original));
        let mut wish = flags.wish(&args.image, &small_name(&reference), epoch, &settings)?;
        wish.command = (!args.command.is_empty()).then(|| args.command.clone());
        platform::settle(&mut wish, original.config.architecture(), &tools);
        change(&mut wish);
        let report = pipeline::run(&original, &wish, &tools, &mut watch).map_err(failure)?;
        Ok(Made { wish, report })
    };
    platform::each(&settings, &flags, place, &transports, screen, &mut make)
}

/// When the original says that it was made: the small image is as old, so
/// that the same original gives the same bytes.
fn created(original: &FatRoot) -> i64 {
    original
        .config
        .get("created")
        .and_then(serde_json::Value::as_str)
        .and_then(whit_core::emit::parse_rfc3339)
        .unwrap_or(0)
}

/// `api.tar` and `registry.example/api:1` → `api-small`.
fn small_name(reference: &Reference) -> String {
    let stem = match reference.name() {
        Some(name) => Path::new(name.base()),
        None => reference.path().unwrap_or(Path::new("image")),
    };
    let stem = stem
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let stem = [".tar.gz", ".tgz", ".tar.zst", ".tar"]
        .iter()
        .find_map(|suffix| stem.strip_suffix(suffix))
        .unwrap_or(&stem)
        .to_owned();
    format!("{stem}-small")
}
