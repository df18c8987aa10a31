//! `whit build`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::lock::Lock;
use whit_core::observe;
use whit_core::pipeline::{self, Stopwatch, Tools};
use whit_core::progress::Progress;
use whit_core::report::DetectedLine;
use whit_core::settings::Settings;
use whit_core::single::{Forge, Memory, Mode, Supplies};
use whit_core::source::base::Base;
use whit_core::source::debian::{Desk, LockedSource, Mirror, Suite};
use whit_core::source::fat::{self, Cooked, Foundation, Larder, Recipe};
use whit_core::source::project::{self, Detected, Language, Project, Requirements};
use whit_oci::download::{Cache, Client};
use whit_oci::{Platform, Reference};

use super::platform::{self, Change, Made};
use super::settings::of_build;
use super::transports::transports;
use super::wish::{Flags, failure};
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
    let settings = of_build(args, around)?.merged();
    let transports = transports(around, &args.registries, &settings, screen)?;
    let order = Order {
        args,
        settings: &settings,
        flags: &flags,
        screen,
    };
    let mut make = |platform: Option<&Platform>, place: &Workplace, change: &mut Change<'_>| {
        order.make(platform, place, &place.tools(screen, &transports), change)
    };
    platform::each(&settings, &flags, place, &transports, screen, &mut make)
}

/// What is to be built.
struct Order<'a> {
    args: &'a Build,
    settings: &'a Settings,
    flags: &'a Flags<'a>,
    screen: &'a Screen,
}

impl Order<'_> {
    /// Builds the image of one platform.
    fn make(
        &self,
        platform: Option<&Platform>,
        place: &Workplace,
        tools: &Tools<'_>,
        change: &mut Change<'_>,
    ) -> Result<Made, Failure> {
        let (args, settings) = (self.args, self.settings);
        let around = &place.around;
        let mut watch = Stopwatch::default();
        let architecture = architecture(platform)?;
        let limit = self.flags.max_unpacked();
        let target = Target {
            architecture: &architecture,
            limit,
        };
        let (base, project) = detect(&args.dir, settings, target, tools, &mut watch)?;
        tell(&project.detected, self.screen);
        can_install(&project, &architecture)?;
        fits_single(args, settings, &project, &architecture)?;

        let lock_place = lock_place(&project, &architecture);
        let wanted = settings.base.as_deref().map(reference).transpose()?;
        let foreign: Vec<PathBuf> = wanted
            .as_ref()
            .and_then(Reference::path)
            .and_then(|path| path.canonicalize().ok())
            .into_iter()
            .collect();
        let recipe = Recipe {
            project: &project,
            architecture: &architecture,
            environment: &around.environment,
            lock: &lock_place,
            locked: args.locked,
            date: around.source_date_epoch.unwrap_or(around.now),
            foreign: &foreign,
        };
        let client = Client::new(&around.proxies(), &around.cancel)?;
        let downloads = Cache::open(tools.cache.downloads()?, client)?;
        let desk = Desk {
            cache: &downloads,
            progress: self.screen,
            cancel: &around.cancel,
            now: around.now,
        };
        let memory = Memory::default();
        let cooked = match base {
            Some(base) => cook(&recipe, Foundation::Base(Box::new(base)), tools, &mut watch)?,
            None => {
                let mirror = mirror(settings.mirror.as_deref())?;
                let hold = || memory.hold_python(&mirror, suite(&project), desk);
                let larder = Larder {
                    mirror: &mirror,
                    desk,
                    build_packages: settings.build_packages.as_deref().unwrap_or_default(),
                    runtime: None,
                    hold: links(settings).then_some(&hold),
                };
                cook(&recipe, Foundation::Debian(larder), tools, &mut watch)?
            }
        };
        tell(&cooked.detected, self.screen);
        for warning in &cooked.warnings {
            self.screen.note(warning);
        }
        let epoch = around.source_date_epoch.unwrap_or(cooked.lock.date);
        let source = args.dir.display().to_string();
        let mut wish = self.flags.wish(&source, &project.name, epoch, settings)?;
        wish.mtime = Some(epoch);
        wish.detected = detected(project.detected.iter().chain(&cooked.detected));
        wish.provenance.version = project.version.clone();
        platform::settle(&mut wish, &architecture, tools);
        change(&mut wish);
        let mirror = match wish.single {
            Some(_) => Some(mirror(settings.mirror.as_deref())?),
            None => None,
        };
        let forge = mirror.as_ref().map(|mirror| Forge {
            mirror,
            desk,
            suite: suite(&project),
            architecture: &architecture,
            supplies: Supplies {
                pins: &cooked.lock.python.pins,
                build: &cooked.lock.python.build,
                indexes: indexes(&project),
                environment: &around.environment,
                sources: &cooked.lock.sources,
            },
            memory,
        });
        let tools = Tools {
            forge: forge.as_ref(),
            ..*tools
        };
        let report = pipeline::run(&cooked.root, &wish, &tools, &mut watch).map_err(failure)?;
        let sources = forge
            .map(|forge| forge.memory.sources())
            .unwrap_or_default();
        let compiles_new = sources
            .iter()
            .any(|source| !cooked.lock.sources.contains(source));
        if compiles_new && args.locked {
            return Err(Failure::input(anyhow::anyhow!(
                "whit.lock does not have the sources of what --single compiles"
            ))
            .hint("build once without --locked, and commit whit.lock".to_owned()));
        }
        let lock = match compiles_new {
            true => Lock {
                sources: merged(&cooked.lock.sources, sources),
                ..cooked.lock
            },
            false => cooked.lock,
        };
        // Like the image, only when all is well.
        if (cooked.lock_is_new || compiles_new) && !args.output.dry_run {
            keep_lock(&lock, &lock_place, self.screen);
        }
        Ok(Made { wish, report })
    }
}

/// True where an interpreter is compiled.
fn links(settings: &Settings) -> bool {
    match settings.single {
        Some(mode) => mode != Mode::Carried,
        None => is_executable(settings),
    }
}

/// True for `-o exe:FILE`.
fn is_executable(settings: &Settings) -> bool {
    let to = settings.output.as_deref();
    to.is_some_and(|to| to.starts_with("exe:"))
}

/// Refuses what one executable cannot be made with.
fn fits_single(
    args: &Build,
    settings: &Settings,
    project: &Project,
    architecture: &str,
) -> Result<(), Failure> {
    if settings.single.is_none() && !is_executable(settings) {
        let names = [
            ("--without", &settings.without),
            ("--allow-fallback", &settings.allow_fallback),
        ];
        return match names.iter().find(|(_, names)| names.is_some()) {
            Some((flag, _)) => Err(Failure::input(anyhow::anyhow!(
                "{flag} means nothing without --single"
            ))
            .hint("add --single, or leave it away".to_owned())),
            None => Ok(()),
        };
    }
    let refuse = |what: &str, hint: &str| {
        Err(Failure::input(anyhow::anyhow!("--single: {what}")).hint(hint.to_owned()))
    };
    if !matches!(project.language, Language::Python(_)) {
        return refuse(
            "the project is not in Python",
            "programs of other languages are one file already: leave --single away",
        );
    }
    if architecture != "amd64" {
        return refuse(
            "executables are made for linux/amd64 only",
            "leave --single away for other processors",
        );
    }
    if args.output.rescue {
        return refuse(
            "there is no rescue layer to an executable",
            "leave --rescue or --single away",
        );
    }
    if is_executable(settings)
        && settings
            .entry
            .as_ref()
            .is_some_and(|entries| !entries.is_empty())
    {
        return refuse(
            "an executable without an image starts one program",
            "leave --also and [[entry]] away, or make an image",
        );
    }
    Ok(())
}

/// Package indexes that the project names.
pub fn indexes(project: &Project) -> &[String] {
    match &project.language {
        Language::Python(app) => &app.indexes,
        Language::Other(_) => &[],
    }
}

/// Debian's release from which tools for the project come.
fn suite(project: &Project) -> Suite {
    let name = match &project.language {
        Language::Python(app) => app.python.suite,
        Language::Other(craft) => Some(craft.suite),
    };
    name.and_then(|name| name.parse().ok())
        .unwrap_or(Suite::Bookworm)
}

/// Source packages of an older lock, and what was compiled now.
fn merged(known: &[LockedSource], now: Vec<LockedSource>) -> Vec<LockedSource> {
    let is_replaced = |old: &&LockedSource| !now.iter().any(|new| new.name == old.name);
    let kept = known.iter().filter(is_replaced).cloned();
    let mut all: Vec<LockedSource> = kept.collect();
    all.extend(now);
    all
}

/// What a base must be for, and how much of it there may be.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// Go's name.
    pub architecture: &'a str,
    pub limit: Option<u64>,
}

/// The base, if there is to be one, and what the project is.
pub fn detect(
    dir: &Path,
    settings: &Settings,
    target: Target<'_>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<(Option<Base>, Project), Failure> {
    let wanted = settings.base.as_deref().map(reference).transpose()?;
    let base = match &wanted {
        Some(reference) => {
            tools.progress.phase("unpacking the base", None);
            Some(watch.time("unpack", || open_base(reference, settings, target, tools))?)
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
    target: Target<'_>,
    tools: &Tools<'_>,
) -> Result<Base, Failure> {
    let name = reference.to_string();
    project::check_with_base(settings, &name).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    let platform: Platform = format!("linux/{}", target.architecture).parse()?;
    let image = open_image(reference, Some(&platform), tools)?;
    let Target {
        architecture,
        limit,
    } = target;
    Base::open(&image, &name, architecture, limit, tools).map_err(|error| {
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

/// `whit.lock` in the project; a single file's is named after it. Another
/// processor has other packages, and a lock of its own.
pub fn lock_place(project: &Project, architecture: &str) -> PathBuf {
    let name = match architecture {
        "amd64" => "whit.lock".to_owned(),
        other => format!("whit.{other}.lock"),
    };
    match &project.file {
        Some(file) => file.with_extension(name),
        None => project.root.join(name),
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

/// The architecture to build for, for which Debian and Go have the same name.
pub fn architecture(platform: Option<&Platform>) -> Result<String, Failure> {
    let host = Platform::host();
    let platform = platform.unwrap_or(&host);
    match (platform.os.as_str(), platform.architecture.as_str()) {
        ("linux", "amd64" | "arm64") => Ok(platform.architecture.clone()),
        _ => Err(Failure::input(anyhow::anyhow!(
            "whit builds for linux/amd64 and linux/arm64, not for {platform}"
        ))
        .hint("an image for other platforms can be made smaller with `whit shrink`".to_owned())),
    }
}

/// Refuses what nothing can build here: dependencies come by way of the
/// interpreter that will use them, and compilers run in the image's root.
fn can_install(project: &Project, architecture: &str) -> Result<(), Failure> {
    let nothing = match &project.language {
        Language::Python(app) => {
            app.requirements == Requirements::Nothing && app.installed.is_none()
        }
        Language::Other(_) => false,
    };
    if nothing {
        return Ok(());
    }
    observe::means(architecture).map(drop).map_err(|error| {
        let hint = error.hint();
        let text = "the project cannot be built for another processor";
        Failure::input(anyhow::Error::new(error).context(text)).hint(hint)
    })
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
