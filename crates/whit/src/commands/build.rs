//! `whit build`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::lock::Lock;
use whit_core::pipeline::{Stopwatch, Tools};
use whit_core::progress::Progress;
use whit_core::report::DetectedLine;
use whit_core::settings::Settings;
use whit_core::source::base::Base;
use whit_core::source::debian::{Desk, Mirror};
use whit_core::source::fat::{self, Cooked, Foundation, Larder, Recipe};
use whit_core::source::project::{self, Project};
use whit_oci::Reference;
use whit_oci::download::{Cache, Client};

use super::settings::of_build;
use super::transports::transports;
use super::wish::{Flags, finish};
use super::workplace::{Workplace, open_image, reference};
use crate::args::Build;
use crate::ui::{Failure, Screen};

pub fn run(args: &Build, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let around = &place.around;
    let flags = Flags {
        output: &args.output,
        probes: &args.probes,
        content: &args.content,
    };
    let mut watch = Stopwatch::default();

    let settings = of_build(args, around)?.merged();
    let transports = transports(around, &args.registries, &settings)?;
    let tools = place.tools(screen, &transports);
    let (base, project) = detect(
        &args.dir,
        &settings,
        flags.max_unpacked(),
        &tools,
        &mut watch,
    )?;
    for line in &project.detected {
        screen.note(&format!(
            "{:<10} {}  because {}",
            line.what, line.value, line.because
        ));
    }

    let lock_place = lock_place(&project);
    let wanted = settings.base.as_deref().map(reference).transpose()?;
    let foreign: Vec<PathBuf> = wanted
        .as_ref()
        .and_then(Reference::path)
        .and_then(|path| path.canonicalize().ok())
        .into_iter()
        .collect();
    let recipe = Recipe {
        project: &project,
        architecture: debian_architecture(),
        environment: &around.environment,
        lock: &lock_place,
        locked: args.locked,
        date: around.source_date_epoch.unwrap_or(around.now),
        foreign: &foreign,
    };
    let cooked = match base {
        Some(base) => cook(
            &recipe,
            Foundation::Base(Box::new(base)),
            &tools,
            &mut watch,
        )?,
        None => {
            let downloads = Cache::open(tools.cache.downloads()?, Client::new(&around.proxies())?)?;
            let larder = Larder {
                mirror: &mirror(settings.mirror.as_deref())?,
                desk: Desk {
                    cache: &downloads,
                    progress: screen,
                    cancel: &around.cancel,
                    now: around.now,
                },
                build_packages: settings.build_packages.as_deref().unwrap_or_default(),
            };
            cook(&recipe, Foundation::Debian(larder), &tools, &mut watch)?
        }
    };
    for warning in &cooked.warnings {
        screen.note(warning);
    }
    let original = cooked.root;
    let epoch = around.source_date_epoch.unwrap_or(cooked.lock.date);
    let mut wish = flags.wish(
        &args.dir.display().to_string(),
        &project.name,
        epoch,
        &settings,
    )?;
    wish.mtime = Some(epoch);
    wish.detected = detected(&project);
    wish.provenance.version = project.version.clone();
    let done = finish(&original, &wish, &flags, &tools, &mut watch, screen)?;
    // Like the image, only when all is well.
    if cooked.lock_is_new && !args.output.dry_run {
        keep_lock(&cooked.lock, &lock_place, screen);
    }
    Ok(done)
}

/// The base, if there is to be one, and what the project is.
pub fn detect(
    dir: &Path,
    settings: &Settings,
    limit: Option<u64>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<(Option<Base>, Project), Failure> {
    let wanted = settings.base.as_deref().map(reference).transpose()?;
    let base = match &wanted {
        Some(reference) => {
            tools.progress.phase("unpacking the base", None);
            Some(watch.time("unpack", || open_base(reference, settings, limit, tools))?)
        }
        None => None,
    };
    let project = project::detect(dir, settings, base.as_ref()).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    Ok((base, project))
}

/// Unpacks the image that is to be the runtime.
fn open_base(
    reference: &Reference,
    settings: &Settings,
    limit: Option<u64>,
    tools: &Tools<'_>,
) -> Result<Base, Failure> {
    let name = reference.to_string();
    project::check_with_base(settings, &name).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    let image = open_image(reference, None, tools)?;
    Base::open(&image, &name, debian_architecture(), limit, tools).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

fn cook(
    recipe: &Recipe<'_>,
    foundation: Foundation<'_>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Cooked, Failure> {
    fat::cook(recipe, foundation, tools, watch).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

fn mirror(wished: Option<&str>) -> Result<Mirror, Failure> {
    let found = match wished {
        Some(text) => Mirror::given(text),
        None => Mirror::of_host(Path::new("/etc/apt")),
    };
    found.map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

/// `whit.lock` in the project; a single script's is named after it.
fn lock_place(project: &Project) -> PathBuf {
    match &project.script {
        Some(script) => script.with_extension("whit.lock"),
        None => project.root.join("whit.lock"),
    }
}

/// Writes the lock. A project that cannot be written to can still be built.
fn keep_lock(lock: &Lock, place: &Path, screen: &Screen) {
    match lock.write(place) {
        Ok(()) => screen.note(&format!(
            "wrote {}: commit it with the project",
            place.display()
        )),
        Err(error) => screen.note(&format!("the exact packages are not recorded: {error}")),
    }
}

/// This machine's architecture, for which Debian and Go have the same name.
fn debian_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

fn detected(project: &Project) -> Vec<DetectedLine> {
    project
        .detected
        .iter()
        .map(|line| DetectedLine {
            what: line.what.to_owned(),
            value: line.value.clone(),
            because: line.because.clone(),
        })
        .collect()
}
