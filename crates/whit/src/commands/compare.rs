//! `whit compare`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::compare::{self, Built, Outcome, Row, Strategy, Yardstick};
use whit_core::emit::Provenance;
use whit_core::inventory::Detail;
use whit_core::observe::ProbePlan;
use whit_core::pipeline::{self, Stopwatch, Tools, Wish};
use whit_core::plan::{Globs, Policy};
use whit_core::progress::Progress;
use whit_core::settings::Settings;
use whit_core::size::{Bandwidth, Present, measure};
use whit_core::source;
use whit_core::source::debian::{Desk, Suite};
use whit_core::source::fat::{Cooked, Foundation, Larder, Recipe};
use whit_core::source::project::{self, Language, Project};
use whit_oci::download::{Cache, Client};
use whit_oci::{Compression, Destination, Transports};
use whit_sandbox::Trace;

use super::build::{architecture, cook, lock_place, mirror};
use super::inventory;
use super::settings::{of_mirrors, of_probes, of_project};
use super::transports::transports;
use super::wish::{entries_of, failure, probe_plan};
use super::workplace::Workplace;
use crate::args::Compare;
use crate::ui::{self, Failure, Screen};

/// The name of each image in its layout.
const NAME: &str = "compared";

pub fn run(args: &Compare, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
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
        place,
        screen,
        settings,
        project,
    };
    let mut rows = Vec::new();
    let mut judge = None;
    for strategy in Strategy::ALL {
        if args.only.is_empty() || args.only.contains(&strategy) {
            rows.push(contest.row(strategy, &mut judge)?);
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
    fn row(&self, strategy: Strategy, judge: &mut Option<Judge>) -> Result<Row, Failure> {
        self.screen
            .note(&format!("{strategy}: {}", strategy.title()));
        let outcome = match self.built(strategy, judge) {
            Ok(built) => Outcome::Built(Box::new(built)),
            Err(failed) if self.place.around.signal().is_some() => return Err(failed),
            Err(failed) => Outcome::Absent {
                why: format!("{:#}", failed.error),
            },
        };
        Ok(Row {
            strategy,
            how: strategy.title().to_owned(),
            outcome,
        })
    }

    fn built(&self, strategy: Strategy, judge: &mut Option<Judge>) -> Result<Built, Failure> {
        if strategy == Strategy::Epic {
            return Err(anyhow::anyhow!(
                "Alpine's packages are not Debian's, and whit puts together only Debian's"
            )
            .into());
        }
        let build_cold = match self.cold {
            true => Some(self.build(strategy, &self.place.another(true)?)?.1),
            false => None,
        };
        // What the first build of a row leaves in the caches is at hand for
        // the second one, which counts.
        let place = self.place.another(false)?;
        self.build(strategy, &place)?;
        drop(place);
        let place = self.place.another(false)?;
        let (layout, build_warm) = self.build(strategy, &place)?;

        let tools = place.tools(self.screen, &self.transports);
        let name = format!("oci:{}:{NAME}", layout.display());
        let image = inventory::open(&name, None, &tools)?;
        let inventory = inventory::read(strategy.title(), &image, &Detail::default(), &tools)?;
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

    /// Builds an image and gives its layout, and the seconds that it took.
    fn build(&self, strategy: Strategy, place: &Workplace) -> Result<(PathBuf, f64), Failure> {
        let tools = place.tools(self.screen, &self.transports);
        let mut watch = Stopwatch::default();
        let packages = strategy.packages(self.suite);
        let cooked = self.cooked(packages.as_deref(), &tools, &mut watch)?;
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
        runtime: Option<&[&'static str]>,
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
        let downloads = Cache::open(
            tools.cache.downloads()?,
            Client::new(&around.proxies(), &around.cancel)?,
        )?;
        let larder = Larder {
            mirror: &mirror(self.settings.mirror.as_deref())?,
            desk: Desk {
                cache: &downloads,
                progress: self.screen,
                cancel: &around.cancel,
                now: around.now,
            },
            build_packages: self.settings.build_packages.as_deref().unwrap_or_default(),
            runtime,
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
                Strategy::Legendary | Strategy::Tight => Compression::Gzip { level: 10 },
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
