//! `whit matrix`.

use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use whit_core::emit::Provenance;
use whit_core::inventory::{self, Detail};
use whit_core::matrix::{
    self, Circumstances, Reason, Shrunk, Sizes, Trial, Variant, rows, try_image, variants,
};
use whit_core::observe::{Limits, ProbePlan};
use whit_core::pipeline::{self, Stopwatch, Tools, Wish};
use whit_core::plan::Globs;
use whit_core::progress::{Progress, Silent};
use whit_core::report::Report;
use whit_core::size::{Bandwidth, Present, measure};
use whit_core::source::{self, FatRoot};
use whit_core::workspace::{CacheDirs, Workspace};
use whit_oci::{BuildError, Builder, Built, Compression, Image, Transports};
use whit_sandbox::Trace;

use super::dockerfile::{failed, order};
use super::wish::failure;
use super::workplace::{Workplace, open_image};
use crate::args::{Matrix, NetworkChoice};
use crate::ui::{self, Failure, Screen};

/// Questions that whit thinks of, of a service: enough to compare.
const QUESTIONS: usize = 8;

pub fn run(args: &Matrix, place: &Workplace, screen: &Screen) -> Result<ExitCode, Failure> {
    let variants = chosen(args)?;
    if let Some(file) = &args.compose {
        write_compose(file, &variants, args)?;
        return Ok(ExitCode::SUCCESS);
    }
    let builder =
        Builder::find(args.building.engine, Arc::clone(&place.around.cancel)).map_err(failed)?;
    screen.phase(
        &format!("{} Dockerfiles with {}", variants.len(), builder.engine()),
        None,
    );
    let workshop = Workshop {
        args,
        builder: &builder,
        cache: CacheDirs::new(&place.around.cache),
        root: &place.around.cache,
        cancel: &place.around.cancel,
        epoch: place.around.source_date_epoch.unwrap_or(0),
        transports: Transports::default(),
    };
    let rows = rows(workshop.all(variants, screen)?);
    screen.clear();
    let bandwidths = match &args.bandwidth[..] {
        [] => &Bandwidth::DEFAULTS[..],
        chosen => chosen,
    };
    if args.form.json {
        ui::print_matrix_json(&rows, builder.engine(), bandwidths)?;
    } else if args.form.markdown {
        ui::print_matrix_markdown(&rows, bandwidths);
    } else {
        ui::print_matrix(&rows, bandwidths);
    }
    let unexpected: Vec<_> = rows.iter().filter(|row| !row.as_named()).collect();
    match unexpected.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::refused(ui::Unexpected::of(&unexpected))),
    }
}

/// The Dockerfiles of the folder that the user wants.
fn chosen(args: &Matrix) -> Result<Vec<Variant>, Failure> {
    let folder = args.dir.display();
    let mut variants = variants(&args.dir)
        .map_err(|error| Failure::input(anyhow::anyhow!("cannot read {folder}: {error}")))?;
    if variants.is_empty() {
        return Err(Failure::input(anyhow::anyhow!(
            "{folder} has no Dockerfile with a program in its name"
        ))
        .hint(
            "names are Dockerfile.PROGRAM.BUILD[.RUN][.err], Dockerfile-NAME or NAME.Dockerfile"
                .to_owned(),
        ));
    }
    if !args.only.is_empty() {
        let only = Globs::new(&args.only)
            .map_err(|error| Failure::input(anyhow::anyhow!("--only: {error}")))?;
        variants.retain(|variant| only.matching(&variant.file.as_str().into()).is_some());
        if variants.is_empty() {
            return Err(Failure::input(anyhow::anyhow!(
                "no Dockerfile of {folder} is called {}",
                args.only.join(" or ")
            )));
        }
    }
    Ok(variants)
}

fn write_compose(file: &Path, variants: &[Variant], args: &Matrix) -> Result<(), Failure> {
    let full = |path: &Path| std::fs::canonicalize(path).map_err(Failure::input);
    let context = full(&args.dir)?;
    // As seen from the file's folder, where it is the same.
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => full(folder)?,
        _ => full(Path::new("."))?,
    };
    let context = match context.strip_prefix(&folder) {
        Ok(below) => Path::new(".").join(below),
        Err(_) => context,
    };
    let text = matrix::compose(
        variants,
        &context.display().to_string(),
        &args.building.build_arg,
    );
    if file == Path::new("-") {
        anstream::print!("{text}");
        return Ok(());
    }
    std::fs::write(file, text).map_err(|error| {
        Failure::input(anyhow::anyhow!("cannot write {}: {error}", file.display()))
    })
}

/// What every trial needs.
struct Workshop<'a> {
    args: &'a Matrix,
    builder: &'a Builder,
    cache: CacheDirs,
    /// Where throw-away folders are made.
    root: &'a Path,
    cancel: &'a AtomicBool,
    epoch: i64,
    transports: Transports,
}

impl Workshop<'_> {
    /// Tries all of them, several at a time.
    fn all(
        &self,
        variants: Vec<Variant>,
        screen: &Screen,
    ) -> Result<Vec<(Variant, Trial)>, Failure> {
        let count = variants.len();
        let queue = Mutex::new(VecDeque::from(variants));
        let done = Mutex::new(Vec::new());
        let number = AtomicUsize::new(0);
        let problem = Mutex::new(None);
        let take = || {
            let stop = lock(&problem).is_some() || self.cancel.load(Ordering::Relaxed);
            lock(&queue).pop_front().filter(|_| !stop)
        };
        let work = || {
            while let Some(variant) = take() {
                match self.one(&variant) {
                    Ok((trial, known)) => {
                        let number = 1 + number.fetch_add(1, Ordering::Relaxed);
                        screen.note(&format!(
                            "[{number}/{count}] {}: {}{}",
                            variant.file,
                            ui::verdict(trial.reason.as_ref()),
                            if known { " (as before)" } else { "" },
                        ));
                        lock(&done).push((variant, trial));
                    }
                    Err(error) => {
                        lock(&problem).get_or_insert(error);
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..self.args.jobs {
                scope.spawn(work);
            }
        });
        if let Some(error) = lock(&problem).take() {
            return Err(error);
        }
        if self.cancel.load(Ordering::Relaxed) {
            return Err(failure(pipeline::Error::Interrupted));
        }
        Ok(std::mem::take(&mut *lock(&done)))
    }

    /// What comes of one, and whether that was known.
    fn one(&self, variant: &Variant) -> Result<(Trial, bool), Failure> {
        let place = self
            .cache
            .matrix()?
            .join(format!("{}.json", self.key(variant)?));
        if !self.args.building.no_cache
            && let Ok(bytes) = std::fs::read(&place)
            && let Ok(trial) = serde_json::from_slice(&bytes)
        {
            return Ok((trial, true));
        }
        let trial = self.trial(variant)?;
        let again = matches!(
            trial.reason,
            Some(Reason::BuildFailed { .. } | Reason::NotTried { .. })
        );
        if !again {
            // Under its name only when all of it is there.
            let draft = place.with_extension(format!("{}.tmp", variant.file));
            std::fs::write(&draft, serde_json::to_vec(&trial)?)?;
            std::fs::rename(&draft, &place)?;
        }
        Ok((trial, false))
    }

    fn key(&self, variant: &Variant) -> Result<String, Failure> {
        let building = &self.args.building;
        let file = self.args.dir.join(&variant.file);
        let text = std::fs::read_to_string(&file)
            .map_err(|e| Failure::input(anyhow::anyhow!("cannot read {}: {e}", file.display())))?;
        let bases = matrix::bases(&text)
            .into_iter()
            .map(|name| Ok((name.clone(), self.builder.id_of(&name)?)))
            .collect::<Result<Vec<_>, BuildError>>()
            .map_err(failed)?;
        let circumstances = Circumstances {
            whit: env!("CARGO_PKG_VERSION").to_owned(),
            engine: self.builder.engine().to_string(),
            build_args: building.build_arg.clone(),
            target: building.target.clone(),
            host_network: self.args.network == NetworkChoice::Host,
            start_seconds: self.args.start_timeout,
            shrink: !self.args.no_shrink,
            bases,
        };
        matrix::key(&self.args.dir, variant, &circumstances).map_err(|error| {
            let hint = error.hint();
            Failure::input(error).hint(hint)
        })
    }

    /// Builds, measures, runs and shrinks.
    fn trial(&self, variant: &Variant) -> Result<Trial, Failure> {
        let workspace = Workspace::create(self.root)?;
        let tools = Tools {
            cache: &self.cache,
            workspace: &workspace,
            progress: &Silent,
            transports: &self.transports,
            cancel: self.cancel,
            forge: None,
        };
        let mut trial = Trial {
            build_seconds: None,
            sizes: None,
            reason: None,
            answered: Vec::new(),
            shrunk: None,
        };
        let built = match self.build(variant, &tools)? {
            Ok(built) => built,
            Err(reason) => {
                trial.reason = Some(reason);
                return Ok(trial);
            }
        };
        trial.build_seconds = Some(built.took.as_secs_f64());
        let image = open_image(&built.reference, None, &tools)?;
        trial.sizes = Some(self.sizes(&image)?);
        let cancelled = || self.cancel.load(Ordering::Relaxed);
        let root = source::image::open(&image, &workspace.folder("image")?, None, &cancelled)
            .map_err(|error| failure(error.into()))?;
        let scratch = workspace.folder("stage")?;
        let (reason, answered) = try_image(&root, &self.probes(), &scratch, self.cancel)
            .map_err(|error| failure(error.into()))?;
        trial.reason = reason;
        trial.answered = answered;
        if trial.reason.is_none() && !self.args.no_shrink {
            trial.shrunk = Some(self.shrunk(&root, variant, &tools)?);
        }
        Ok(trial)
    }

    fn build(
        &self,
        variant: &Variant,
        tools: &Tools<'_>,
    ) -> Result<Result<Built, Reason>, Failure> {
        let order = order(
            self.args.dir.join(&variant.file),
            self.args.dir.clone(),
            &self.args.building,
            self.args.network == NetworkChoice::Host,
            None,
        );
        match self.builder.build(&order, tools.workspace.path(), &|_| {}) {
            Ok(built) => Ok(Ok(built)),
            Err(BuildError::Failed { step, .. }) => Ok(Err(Reason::BuildFailed {
                line: step.line,
                said: step.without_line().to_string(),
            })),
            Err(error) => Err(failed(error)),
        }
    }

    fn sizes(&self, image: &Image) -> Result<Sizes, Failure> {
        let cancelled = || self.cancel.load(Ordering::Relaxed);
        let inventory = inventory::read(image, &Detail::default(), &cancelled)?;
        let size = measure("", &inventory, &Present::default(), &[]);
        Ok(Sizes {
            uncompressed: size.uncompressed,
            compressed: size.compressed,
            estimated: size.estimated,
        })
    }

    fn probes(&self) -> ProbePlan {
        let mut plan = ProbePlan::new(Vec::new());
        plan.limits = Limits {
            start: Duration::from_secs(self.args.start_timeout),
            requests: QUESTIONS,
            ..Limits::default()
        };
        plan
    }

    /// The image as `whit shrink` makes it without flags.
    fn shrunk(
        &self,
        root: &FatRoot,
        variant: &Variant,
        tools: &Tools<'_>,
    ) -> Result<Shrunk, Failure> {
        let wish = Wish {
            source: variant.file.clone(),
            detected: Vec::new(),
            policy: whit_core::plan::Policy::default(),
            keep: Globs::new(&[] as &[String])?,
            drop: Globs::new(&[] as &[String])?,
            python_code: whit_core::transform::PythonCode::default(),
            strip: true,
            compression: Compression::Gzip { level: 10 },
            run: true,
            unrunnable: None,
            emulator: None,
            probes: self.probes(),
            replayed: Trace::new(),
            command: None,
            entries: Vec::new(),
            host_network: false,
            accept_differences: false,
            rescue: None,
            destination: None,
            dry_run: true,
            single: None,
            executable: None,
            bill: None,
            save_run: None,
            provenance: Provenance::default(),
            epoch: self.epoch,
            mtime: None,
            max_unpacked: None,
        };
        match pipeline::run(root, &wish, tools, &mut Stopwatch::default()) {
            Ok(report) => Ok(Shrunk::To(after(&report))),
            Err(pipeline::Error::Interrupted) => Err(failure(pipeline::Error::Interrupted)),
            Err(error) => Ok(Shrunk::Refused {
                error: error.to_string(),
            }),
        }
    }
}

fn after(report: &Report) -> Sizes {
    Sizes {
        uncompressed: report.after.bytes,
        compressed: report.after.compressed,
        estimated: report.after.estimated,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
