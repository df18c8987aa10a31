//! `whit compare`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use whit_core::compare::{self, Built, Outcome, Row, Strategy, Yardstick};
use whit_core::emit::Provenance;
use whit_core::inventory::Detail;
use whit_core::observe::ProbePlan;
use whit_core::pipeline::{self, Stopwatch, Tools, Wish};
use whit_core::plan::{Globs, Policy};
use whit_core::progress::Progress;
use whit_core::settings::{NetworkChoice, Settings};
use whit_core::single::{self, Forge, Memory, Supplies};
use whit_core::size::{Bandwidth, Present, measure};
use whit_core::source;
use whit_core::source::debian::{Desk, Suite};
use whit_core::source::fat::{Cooked, Foundation, Larder, Recipe};
use whit_core::source::project::{self, Language, Project};
use whit_oci::download::{Cache, Client};
use whit_oci::{BuildOrder, Builder, Compression, Destination, Reference, Transports, step_of};
use whit_sandbox::Trace;

use super::build::{architecture, cook, indexes, lock_place, mirror};
use super::inventory;
use super::settings::{of_mirrors, of_probes, of_project};
use super::transports::transports;
use super::wish::{entries_of, failure, probe_plan};
use super::workplace::{Workplace, open_image};
use crate::args::{Compare, Probes};
use crate::ui::{self, Failure, Screen};

/// The name of each image in its layout.
const NAME: &str = "compared";

pub fn run(args: &Compare, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    refuse_idle_flags(&args.probes)?;
    let flags = Settings {
        command: (!args.command.is_empty()).then(|| args.command.clone()),
        python: args.python.clone(),
        suite: args.suite.clone(),
        mirror: args.mirror.clone(),
        ..Settings::default()
    };
    let flags = flags
        .or(of_probes(&args.probes)?)
        .or(of_mirrors(&args.registries));
    // What it is built on is what is compared.
    let settings = Settings {
        base: None,
        ..of_project(flags, &args.dir, &place.around)?.merged()
    };
    let project = project::detect(&args.dir, &settings, None).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    let contest = Contest {
        plan: probe_plan(&args.probes, &settings)?,
        transports: transports(&place.around, &args.registries, &settings, screen)?,
        suite: suite(&project)?,
        cold: args.cold,
        host_network: settings.network == Some(NetworkChoice::Host),
        place,
        screen,
        settings,
        project,
    };
    let builder = match args.no_engine {
        true => None,
        false => Builder::find(args.engine, Arc::clone(&place.around.cancel)).ok(),
    };
    if let (Some(engine), None) = (args.engine, &builder) {
        return Err(Failure::input(anyhow::anyhow!(
            "{engine} is not there, or does not work"
        )));
    }
    if let Some(folder) = &args.emit_dockerfiles {
        contest.emit_dockerfiles(folder)?;
    }
    let wanted = |strategy: &Strategy| args.only.is_empty() || args.only.contains(strategy);
    let mut rows = Vec::new();
    let mut judge = None;
    for strategy in Strategy::ALL.into_iter().filter(wanted) {
        if strategy.is_whits() {
            rows.push(contest.row(strategy, Maker::Whit, &mut judge)?);
        }
        match (&builder, contest.dockerfile(strategy)) {
            (Some(builder), Some(_)) => {
                rows.push(contest.row(strategy, Maker::Engine(builder), &mut judge)?);
            }
            (None, Some(_)) if !strategy.is_whits() => rows.push(Row {
                strategy,
                by: "an engine".to_owned(),
                how: strategy.title().to_owned(),
                outcome: Outcome::Absent {
                    why: NO_ENGINE.to_owned(),
                },
            }),
            _ => {}
        }
    }
    screen.clear();
    let name = &contest.project.name;
    if let Some(file) = &args.html {
        std::fs::write(file, ui::compare::page(name, &rows)).map_err(|error| {
            Failure::input(anyhow::anyhow!("cannot write {}: {error}", file.display()))
        })?;
    }
    if args.form.json {
        ui::compare::print_json(name, &rows)?;
    } else if args.form.markdown {
        ui::compare::print_markdown(&rows);
    } else {
        ui::compare::print(&rows);
    }
    let ran = |row: &Row| matches!(row.outcome, Outcome::Built(_));
    match rows.iter().any(ran) {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::input(anyhow::anyhow!(
            "no strategy gave an image that runs"
        ))),
    }
}

/// Flags of a build that mean nothing where every image is run and told of.
fn refuse_idle_flags(flags: &Probes) -> Result<(), Failure> {
    let idle = [
        ("--no-run", flags.no_run),
        ("--accept-differences", flags.accept_differences),
        ("--replay", !flags.replay.is_empty()),
    ];
    match idle.into_iter().find(|(_, given)| *given) {
        None => Ok(()),
        Some((flag, _)) => Err(Failure::input(anyhow::anyhow!(
            "{flag} means nothing here: every image is run, and what differs is told"
        ))
        .hint("leave it away, or use it with `whit build`".to_owned())),
    }
}

/// Who makes an image.
#[derive(Clone, Copy)]
enum Maker<'a> {
    Whit,
    Engine(&'a Builder),
}

impl fmt::Display for Maker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whit => f.write_str("whit"),
            Self::Engine(builder) => write!(f, "{}", builder.engine()),
        }
    }
}

/// Why whit alone does not give all rows.
const NO_ENGINE: &str = "its packages are not Debian's, and no engine is used that could build it";

fn suite(project: &Project) -> Result<Suite, Failure> {
    let Language::Python(app) = &project.language else {
        let what = project.root.display();
        return Err(
            Failure::input(anyhow::anyhow!("{what} is no Python project"))
                .hint("`whit compare` knows how people ship Python apps, and no others".to_owned()),
        );
    };
    Ok(app.python.suite.unwrap_or_default().parse()?)
}

/// One app and everything that its rows have in common.
struct Contest<'a> {
    project: Project,
    settings: Settings,
    suite: Suite,
    plan: ProbePlan,
    transports: Transports,
    cold: bool,
    host_network: bool,
    place: &'a Workplace,
    screen: &'a Screen,
}

/// The yardstick, with the place that its files are in.
struct Judge {
    yardstick: Yardstick,
    _place: Workplace,
}

impl Contest<'_> {
    /// Builds an image, measures and tries it. That it cannot be had is a row
    /// too; only the user's interruption is an error.
    fn row(
        &self,
        strategy: Strategy,
        maker: Maker<'_>,
        judge: &mut Option<Judge>,
    ) -> Result<Row, Failure> {
        let title = strategy.title();
        self.screen
            .note(&format!("{strategy}, by {maker}: {title}"));
        let built = match maker {
            Maker::Whit => self.by_whit(strategy, judge),
            Maker::Engine(builder) => self.by_engine(strategy, builder, judge),
        };
        let outcome = match built {
            Ok(built) => Outcome::Built(Box::new(built)),
            Err(failed) if self.place.around.signal().is_some() => return Err(failed),
            Err(failed) => Outcome::Absent {
                why: format!("{:#}", failed.error),
            },
        };
        Ok(Row {
            strategy,
            by: maker.to_string(),
            how: title.to_owned(),
            outcome,
        })
    }

    fn by_whit(&self, strategy: Strategy, judge: &mut Option<Judge>) -> Result<Built, Failure> {
        let build_cold = match self.cold {
            true => Some(self.build(strategy, &self.place.another(true)?)?.1),
            false => None,
        };
        // What the first build of a row leaves in the caches is at hand for
        // the second one, which counts.
        self.build(strategy, &self.place.another(false)?)?;
        let place = self.place.another(false)?;
        let (layout, build_warm) = self.build(strategy, &place)?;
        let reference = Reference::parse(&format!("oci:{}:{NAME}", layout.display()))?;
        self.judged(strategy, &reference, place, (build_cold, build_warm), judge)
    }

    /// Builds the Dockerfile of the trade.
    fn by_engine(
        &self,
        strategy: Strategy,
        builder: &Builder,
        judge: &mut Option<Judge>,
    ) -> Result<Built, Failure> {
        let place = self.place.another(false)?;
        let dockerfile = place
            .tools(self.screen, &self.transports)
            .workspace
            .path()
            .join("Dockerfile");
        std::fs::write(&dockerfile, self.dockerfile(strategy).unwrap_or_default())?;
        let build = |no_cache: bool| {
            let order = BuildOrder {
                dockerfile: dockerfile.clone(),
                context: self.project.root.clone(),
                build_args: Vec::new(),
                target: None,
                network: self.host_network.then(|| "host".to_owned()),
                platform: None,
                no_cache,
            };
            let tools = place.tools(self.screen, &self.transports);
            let watch = |line: &str| {
                if let Some(step) = step_of(line) {
                    self.screen.phase(step, None);
                }
            };
            builder.build(&order, tools.workspace.path(), &watch)
        };
        let build_cold = match self.cold {
            true => Some(build(true)?.took.as_secs_f64()),
            false => None,
        };
        // As long as it is there, the engine has its steps at hand.
        let _first = build(false)?;
        let built = build(false)?;
        let warm = built.took.as_secs_f64();
        self.judged(strategy, &built.reference, place, (build_cold, warm), judge)
    }

    /// Measures an image and holds it against the yardstick, or makes it that.
    fn judged(
        &self,
        strategy: Strategy,
        reference: &Reference,
        place: Workplace,
        (build_cold, build_warm): (Option<f64>, f64),
        judge: &mut Option<Judge>,
    ) -> Result<Built, Failure> {
        let tools = place.tools(self.screen, &self.transports);
        let image = open_image(reference, None, &tools)?;
        let detail = Detail {
            measure_plain: true,
            ..Detail::default()
        };
        let inventory = inventory::read(strategy.title(), &image, &detail, &tools)?;
        let size = measure(
            &strategy.to_string(),
            &inventory,
            &Present::default(),
            &Bandwidth::DEFAULTS,
        );
        let dir = tools.workspace.folder("unpacked")?;
        let cancelled = || tools.check_cancelled().is_err();
        let root = source::image::open(&image, &dir, None, &cancelled)
            .map_err(|error| failure(error.into()))?;
        self.screen.phase(&format!("{strategy}: trying it"), None);
        let scratch = tools.workspace.folder("stage")?;
        let tried = match judge {
            Some(judge) => judge.yardstick.hold(&root, &scratch, tools.cancel)?,
            None => {
                let (yardstick, tried) = Yardstick::new(&root, &self.plan, &scratch, tools.cancel)?;
                *judge = Some(Judge {
                    yardstick,
                    _place: place,
                });
                tried
            }
        };
        Ok(Built {
            size,
            facts: compare::facts(&inventory),
            build_cold,
            build_warm,
            tried,
        })
    }

    fn dockerfile(&self, strategy: Strategy) -> Option<String> {
        match &self.project.language {
            Language::Python(app) => compare::dockerfile(strategy, &self.project, app),
            Language::Other(_) => None,
        }
    }

    /// One for each strategy, named as `whit matrix` reads them.
    fn emit_dockerfiles(&self, folder: &Path) -> Result<(), Failure> {
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            for strategy in Strategy::ALL {
                if let Some(text) = self.dockerfile(strategy) {
                    let name = format!("Dockerfile.{}.{strategy}", self.project.name);
                    std::fs::write(folder.join(name), text)?;
                }
            }
            Ok(())
        };
        write().map_err(|error| {
            Failure::input(anyhow::anyhow!(
                "cannot write to {}: {error}",
                folder.display()
            ))
        })
    }

    /// Builds an image and gives its layout, and the seconds that it took.
    fn build(&self, strategy: Strategy, place: &Workplace) -> Result<(PathBuf, f64), Failure> {
        let tools = place.tools(self.screen, &self.transports);
        let mut watch = Stopwatch::default();
        let packages = strategy.packages(self.suite);
        let around = &self.place.around;
        let downloads = Cache::open(
            tools.cache.downloads()?,
            Client::new(&around.proxies(), &around.cancel)?,
        )?;
        let mirror = mirror(self.settings.mirror.as_deref())?;
        let desk = Desk {
            cache: &downloads,
            progress: self.screen,
            cancel: &around.cancel,
            now: around.now,
        };
        let memory = Memory::default();
        let hold = || memory.hold_python(&mirror, self.suite, desk);
        let larder = Larder {
            mirror: &mirror,
            desk,
            build_packages: self.settings.build_packages.as_deref().unwrap_or_default(),
            runtime: packages.as_deref(),
            hold: (strategy == Strategy::OneFile).then_some(&hold),
        };
        let cooked = self.cooked(larder, &tools, &mut watch)?;
        let forge = Forge {
            mirror: &mirror,
            desk,
            suite: self.suite,
            architecture: &architecture(None)?,
            supplies: Supplies {
                pins: &cooked.lock.python.pins,
                build: &cooked.lock.python.build,
                indexes: indexes(&self.project),
                environment: &around.environment,
                sources: &cooked.lock.sources,
            },
            memory,
        };
        let tools = Tools {
            forge: Some(&forge),
            ..tools
        };
        let layout = tools.workspace.path().join("image");
        let wish = self.wish(strategy, &layout, cooked.lock.date)?;
        match packages {
            Some(_) => {
                let compiles = |kind| strategy.compiles(kind);
                pipeline::ship_whole(&cooked.root, &wish, &compiles, &tools, &mut watch)
            }
            None => pipeline::run(&cooked.root, &wish, &tools, &mut watch).map(drop),
        }
        .map_err(failure)?;
        Ok((layout, watch.total()))
    }

    fn cooked(
        &self,
        larder: Larder<'_>,
        tools: &Tools<'_>,
        watch: &mut Stopwatch,
    ) -> Result<Cooked, Failure> {
        let around = &self.place.around;
        let architecture = architecture(None)?;
        let recipe = Recipe {
            project: &self.project,
            architecture: &architecture,
            environment: &around.environment,
            lock: &lock_place(&self.project, &architecture),
            locked: false,
            date: around.source_date_epoch.unwrap_or(around.now),
            foreign: &[],
        };
        cook(&recipe, Foundation::Debian(larder), tools, watch)
    }

    fn wish(&self, strategy: Strategy, layout: &Path, date: i64) -> Result<Wish, Failure> {
        let epoch = self.place.around.source_date_epoch.unwrap_or(date);
        let globs = |texts: &Option<Vec<String>>| Globs::new(texts.as_deref().unwrap_or_default());
        Ok(Wish {
            source: self.project.root.display().to_string(),
            detected: Vec::new(),
            policy: match strategy {
                Strategy::Tight => Policy::Tight,
                _ => Policy::Safe,
            },
            keep: globs(&self.settings.keep)?,
            drop: globs(&self.settings.drop)?,
            python_code: self.settings.python_code.unwrap_or_default(),
            strip: true,
            // Those of `docker push` and of whit.
            compression: match strategy {
                Strategy::Legendary | Strategy::Tight | Strategy::OneFile => {
                    Compression::Gzip { level: 10 }
                }
                _ => Compression::Gzip { level: 6 },
            },
            run: true,
            unrunnable: None,
            emulator: None,
            probes: self.plan.clone(),
            replayed: Trace::new(),
            command: None,
            entries: entries_of(&self.settings)?,
            host_network: false,
            accept_differences: false,
            destination: Some(Destination::OciDir {
                dir: layout.to_owned(),
                reference: Some(NAME.to_owned()),
            }),
            dry_run: false,
            rescue: None,
            single: (strategy == Strategy::OneFile).then(single::Wish::default),
            executable: None,
            bill: None,
            save_run: None,
            provenance: Provenance {
                title: self.project.name.clone(),
                ..Provenance::default()
            },
            epoch,
            mtime: Some(epoch),
            max_unpacked: None,
        })
    }
}
