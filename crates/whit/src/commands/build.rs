//! `whit build`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::lock::Lock;
use whit_core::pipeline::{Stopwatch, Tools};
use whit_core::progress::Progress;
use whit_core::report::DetectedLine;
use whit_core::settings::{Port, Settings};
use whit_core::source::base::Base;
use whit_core::source::debian::{Desk, Mirror};
use whit_core::source::fat::{self, Cooked, Foundation, Larder, Recipe};
use whit_core::source::project::{self, Detected, Project};
use whit_oci::Reference;
use whit_oci::download::{Cache, Client};

use super::transports::transports;
use super::wish::{Flags, entries, finish};
use super::workplace::{Workplace, open_image, reference, settings_of};
use crate::args::Build;
use crate::surroundings::Surroundings;
use crate::ui::{Failure, Screen};

pub fn run(args: &Build, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let around = &place.around;
    let flags = Flags {
        output: &args.output,
        probes: &args.probes,
        content: &args.content,
    };
    let mut watch = Stopwatch::default();

    let settings = settings(args, around)?;
    let transports = transports(around, &args.registries, &settings, screen)?;
    let tools = place.tools(screen, &transports);
    let wanted = settings.base.as_deref().map(reference).transpose()?;
    let base = match &wanted {
        Some(reference) => {
            screen.phase("unpacking the base", None);
            let limit = flags.max_unpacked();
            Some(watch.time("unpack", || open_base(reference, &settings, limit, &tools))?)
        }
        None => None,
    };
    let project = project::detect(&args.dir, &settings, base.as_ref()).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    tell(&project.detected, screen);

    let lock_place = lock_place(&project);
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
            let downloads = Cache::open(
                tools.cache.downloads()?,
                Client::new(&around.proxies(), &around.cancel)?,
            )?;
            let larder = Larder {
                mirror: &mirror(settings.mirror.as_deref())?,
                desk: Desk {
                    cache: &downloads,
                    progress: screen,
                    cancel: &around.cancel,
                    now: around.now,
                },
                build_packages: settings.build_packages.as_deref().unwrap_or_default(),
                runtime: None,
            };
            cook(&recipe, Foundation::Debian(larder), &tools, &mut watch)?
        }
    };
    tell(&cooked.detected, screen);
    for warning in &cooked.warnings {
        screen.note(warning);
    }
    let original = cooked.root;
    let epoch = around.source_date_epoch.unwrap_or(cooked.lock.date);
    let settings = settings.or(Settings {
        keep: Some(project.kept_whole()),
        ..Settings::default()
    });
    let mut wish = flags.wish(
        &args.dir.display().to_string(),
        &project.name,
        epoch,
        &settings,
    )?;
    wish.mtime = Some(epoch);
    wish.detected = detected(project.detected.iter().chain(&cooked.detected));
    wish.provenance.version = project.version.clone();
    let done = finish(&original, &wish, &flags, &tools, &mut watch, screen)?;
    // Like the image, only when all is well.
    if cooked.lock_is_new && !args.output.dry_run {
        keep_lock(&cooked.lock, &lock_place, screen);
    }
    Ok(done)
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

pub fn cook(
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

/// What the flags, and then others, decide.
fn settings(args: &Build, around: &Surroundings) -> Result<Settings, Failure> {
    let flags = Settings {
        command: (!args.command.is_empty()).then(|| args.command.clone()),
        env: pairs(&args.env, "--env")?,
        expose: ports(&args.expose),
        user: args.user.clone(),
        workdir: args.workdir.clone(),
        labels: pairs(&args.label, "--label")?,
        python: args.python.clone(),
        suite: args.suite.clone(),
        mirror: args.mirror.clone(),
        base: args.base.clone(),
        entry: entries(&args.probes)?,
        packages: (!args.package.is_empty()).then(|| args.package.clone()),
        add_modules: (!args.add_modules.is_empty()).then(|| args.add_modules.clone()),
        build_packages: (!args.build_package.is_empty()).then(|| args.build_package.clone()),
        ..Settings::default()
    };
    layered(flags, &args.dir, around)
}

/// What the user decided about a project: flags before the environment before
/// files.
pub fn layered(flags: Settings, dir: &Path, around: &Surroundings) -> Result<Settings, Failure> {
    let environment = Settings {
        mirror: around.environment.get("WHIT_DEBIAN_MIRROR").cloned(),
        ..Settings::default()
    };
    let folder = if dir.is_file() {
        dir.parent().unwrap_or(Path::new("."))
    } else {
        dir
    };
    let files = settings_of(folder)?;
    let files = Settings {
        base: files.base.map(|base| beside(&base, folder)).transpose()?,
        ..files
    };
    Ok(flags.or(environment).or(files))
}

/// An image that a file of the project names, relative to the project.
fn beside(image: &str, folder: &Path) -> Result<String, Failure> {
    let exists = |path: &Path| folder.join(path).exists();
    let reference = Reference::parse_with(image, &exists)?;
    Ok(reference.from_folder(folder).to_string())
}

fn ports(numbers: &[u16]) -> Option<Vec<Port>> {
    let tcp = |number: &u16| Port {
        number: *number,
        udp: false,
    };
    (!numbers.is_empty()).then(|| numbers.iter().map(tcp).collect())
}

fn pairs(texts: &[String], flag: &str) -> Result<Option<BTreeMap<String, String>>, Failure> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut found = BTreeMap::new();
    for text in texts {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::input(anyhow::anyhow!("{flag} {text:?} is not NAME=VALUE")))?;
        found.insert(name.to_owned(), value.to_owned());
    }
    Ok(Some(found))
}

pub fn mirror(wished: Option<&str>) -> Result<Mirror, Failure> {
    let found = match wished {
        Some(text) => Mirror::given(text),
        None => Mirror::of_host(Path::new("/etc/apt")),
    };
    found.map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

/// `whit.lock` in the project; a single file's is named after it.
pub fn lock_place(project: &Project) -> PathBuf {
    match &project.file {
        Some(file) => file.with_extension("whit.lock"),
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
pub fn debian_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    }
}

fn tell(lines: &[Detected], screen: &Screen) {
    for line in lines {
        screen.note(&format!(
            "{:<10} {}  because {}",
            line.what, line.value, line.because
        ));
    }
}

fn detected<'a>(lines: impl Iterator<Item = &'a Detected>) -> Vec<DetectedLine> {
    lines
        .map(|line| DetectedLine {
            what: line.what.to_owned(),
            value: line.value.clone(),
            because: line.because.clone(),
        })
        .collect()
}
