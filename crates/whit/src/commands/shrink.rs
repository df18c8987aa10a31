//! `whit shrink`.

use std::path::Path;
use std::process::ExitCode;

use whit_core::pipeline::{Stopwatch, Tools};
use whit_core::progress::Progress;
use whit_core::settings::Settings;
use whit_core::source::{self, FatRoot};
use whit_core::workspace::{CacheDirs, Workspace};
use whit_oci::{Image, Limits, Options, Platform, Reference};

use super::wish::{Flags, failure, finish};
use crate::args::Shrink;
use crate::surroundings::Surroundings;
use crate::ui::{Failure, Screen};

pub fn run(args: &Shrink, screen: &Screen) -> Result<ExitCode, Failure> {
    let around = Surroundings::of_this_process()?;
    let flags = Flags {
        output: &args.output,
        probes: &args.probes,
        content: &args.content,
    };
    let workspace = Workspace::create(&around.cache)?;
    let tools = Tools {
        cache: &CacheDirs::new(&around.cache),
        workspace: &workspace,
        progress: screen,
        cancel: &around.cancel,
    };
    let reference = Reference::parse(&args.image)?;
    let mut watch = Stopwatch::default();
    screen.phase("unpacking the original", None);
    let original = watch.time("unpack", || {
        open(
            &reference,
            args.platform.as_deref(),
            flags.max_unpacked(),
            &tools,
        )
    })?;
    let epoch = around
        .source_date_epoch
        .unwrap_or_else(|| created(&original));
    let settings = Settings::load(Path::new(".")).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    let mut wish = flags.wish(&args.image, &small_name(&reference), epoch, &settings)?;
    wish.command = (!args.command.is_empty()).then(|| args.command.clone());
    finish(&original, &wish, &flags, &tools, &mut watch, screen)
}

/// Unpacks and indexes an image.
pub fn open(
    reference: &Reference,
    platform: Option<&str>,
    max_unpacked: Option<u64>,
    tools: &Tools<'_>,
) -> Result<FatRoot, Failure> {
    let options = Options {
        platform: platform.map(str::parse::<Platform>).transpose()?,
        scratch: tools.workspace.path().to_owned(),
        limits: Limits::default(),
    };
    let image = Image::open(reference, &options).map_err(|error| failure(error.into()))?;
    let dir = tools.workspace.folder("original")?;
    let cancelled = || tools.check_cancelled().is_err();
    source::image::open(&image, &dir, max_unpacked, &cancelled)
        .map_err(|error| failure(error.into()))
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

/// `api.tar` → `api-small`.
fn small_name(reference: &Reference) -> String {
    let path: &Path = match reference {
        Reference::DockerArchive { file, .. } | Reference::OciArchive { file, .. } => file,
        Reference::Oci { dir, .. } => dir,
        Reference::Path { path, .. } => path,
        _ => Path::new("image"),
    };
    let stem = path
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
