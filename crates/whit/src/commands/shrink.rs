//! `whit shrink`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::pipeline::{self, Stopwatch, Tools};
use whit_core::progress::Progress;
use whit_core::settings::{NetworkChoice, Settings};
use whit_core::source::FatRoot;
use whit_oci::{Platform, Reference};

use super::dockerfile;
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
    let transports = transports(&place.around, &args.registries, &settings, screen)?;
    let mut make = |platform: Option<&Platform>, place: &Workplace, change: &mut Change<'_>| {
        let tools = place.tools(screen, &transports);
        let mut watch = Stopwatch::default();
        let named = subject(args, &settings, platform, place, &tools, &mut watch)?;
        screen.phase("unpacking the original", None);
        let limit = flags.max_unpacked();
        let original = watch.time("unpack", || {
            unpack_image(&named.reference, platform, limit, &tools)
        })?;
        let epoch = place
            .around
            .source_date_epoch
            .unwrap_or_else(|| created(&original));
        let mut wish = flags.wish(&named.source, &named.small, epoch, &settings)?;
        wish.command = (!args.command.is_empty()).then(|| args.command.clone());
        platform::settle(&mut wish, original.config.architecture(), &tools);
        change(&mut wish);
        let report = pipeline::run(&original, &wish, &tools, &mut watch).map_err(failure)?;
        Ok(Made { wish, report })
    };
    platform::each(&settings, &flags, place, &transports, screen, &mut make)
}

/// What is to be shrunk.
struct Subject {
    /// As the user named it.
    source: String,
    reference: Reference,
    /// What the small image is called.
    small: String,
}

fn subject(
    args: &Shrink,
    settings: &Settings,
    platform: Option<&Platform>,
    place: &Workplace,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Subject, Failure> {
    if let Some(file) = &args.dockerfile {
        let context = match &args.image {
            Some(folder) => PathBuf::from(folder),
            None => dockerfile::context_of(file),
        };
        let small = small_of_folder(&context);
        let order = dockerfile::order(
            file.clone(),
            context,
            &args.building,
            settings.network == Some(NetworkChoice::Host),
            platform,
        );
        let built = watch.time("build", || {
            dockerfile::build(&order, &args.building, place, tools)
        })?;
        return Ok(Subject {
            source: file.display().to_string(),
            reference: built.reference,
            small,
        });
    }
    let source = args.image.clone().unwrap_or_default();
    let reference = reference(&source)?;
    if let Some(file) = dockerfile::meant(&reference) {
        return Err(Failure::input(anyhow::anyhow!("{source} is a Dockerfile"))
            .hint(format!("whit shrink --dockerfile {}", file.display())));
    }
    Ok(Subject {
        small: small_name(&reference),
        source,
        reference,
    })
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

/// `services/API` → `api-small`.
fn small_of_folder(folder: &Path) -> String {
    let full = folder.canonicalize().unwrap_or_default();
    let name = full.file_name().unwrap_or("image".as_ref());
    format!("{}-small", name.to_string_lossy().to_lowercase())
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
