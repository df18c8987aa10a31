//! The story, from the original to the report.

mod bill;
mod error;
mod ground;
mod measure;
mod prove;
mod reaching;
mod record;
mod single;
mod whole;
mod wish;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use whit_oci::{Compression, Destination, ImagePath, Staged, Transports};
use whit_sandbox::Trace;

pub use error::Error;
pub use measure::Stopwatch;
pub use record::{RecordError, replay};
pub use whole::ship_whole;
pub use wish::Wish;

use crate::emit::{self, Layer};
use crate::index::FileId;
use crate::observe;
use crate::plan::{self, Plan, Policy};
use crate::progress::Progress;
use crate::reach::How;
use crate::report::{self, Report};
use crate::single::{Forge, Form, SingleError};
use crate::source::FatRoot;
use crate::transform::{self, SmallTree, StripDepth};
use crate::workspace::{CacheDirs, Workspace};
use ground::Ground;
use prove::{Judgement, Packed, Trial, Witness};
use reaching::Reaching;

/// The rescue layer is large and seldom pulled: beyond this level, gzip takes
/// six times as long for two per cent.
const RESCUE_GZIP: u8 = 6;

/// Most times that a small image is mended and tried again.
const MAX_REPAIRS: u32 = 5;

/// Where and for whom the pipeline works.
pub struct Tools<'a> {
    pub cache: &'a CacheDirs,
    pub workspace: &'a Workspace,
    pub progress: &'a dyn Progress,
    /// The ways to registries and engines.
    pub transports: &'a Transports,
    /// Set when the user interrupts.
    pub cancel: &'a AtomicBool,
    /// Where executables are made; `None` where none is asked for.
    pub forge: Option<&'a Forge<'a>>,
}

impl Tools<'_> {
    pub fn check_cancelled(&self) -> Result<(), Error> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}

/// What the runs of the original tell about its files.
#[derive(Default)]
struct Seen {
    files: Vec<plan::Observed>,
    /// Python sources whose text the app reads.
    read_as_text: BTreeSet<FileId>,
}

impl Seen {
    fn of(
        original: &FatRoot,
        ground: Option<&Ground>,
        witnesses: &[Witness],
        replayed: &Trace,
    ) -> Self {
        let mut files = touched(original, replayed, None);
        for witness in witnesses {
            files.extend(touched(original, &witness.trace(), witness.entry()));
        }
        let Some(ground) = ground else {
            return Self {
                files,
                read_as_text: BTreeSet::new(),
            };
        };
        let mut read_as_text = ground.read_as_text(original, replayed);
        for witness in witnesses {
            // A traceback that one run happens to print reads sources too.
            let runs = witness.traces();
            let each = runs.map(|trace| ground.read_as_text(original, trace));
            read_as_text.extend(each.reduce(|a, b| &a & &b).unwrap_or_default());
        }
        Self {
            files: ground.without_stumbles(original, files),
            read_as_text,
        }
    }
}

/// The files that a run touched: of the image's command, or of an entry.
fn touched(original: &FatRoot, trace: &Trace, entry: Option<&str>) -> Vec<plan::Observed> {
    observe::files(&original.tree, trace)
        .into_iter()
        .map(|(file, access)| plan::Observed {
            file,
            access,
            entry: entry.map(str::to_owned),
        })
        .collect()
}

/// One attempt at a small image, not yet judged.
struct Attempt {
    plan: Plan,
    /// The executable, where the image is to be one.
    single: Option<crate::single::Made>,
    /// What could not be followed.
    warnings: Vec<String>,
    small: SmallTree,
    layers: Vec<Layer>,
    staged: Staged,
}

/// Makes the small image of `original`, proves it, gives it its name and
/// tells what was done.
///
/// # Errors
/// [`Error::Refused`] if the small image does not behave as the original
/// does; everything else means that the input or the surroundings are at
/// fault. Nothing is written then.
pub fn run(
    original: &FatRoot,
    wish: &Wish,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
) -> Result<Report, Error> {
    let read = |id: FileId| {
        original
            .content(id)
            .and_then(|host| std::fs::read(host).ok())
    };
    prove::check_entries(original, wish)?;
    let ground = watch.time("prepare", || Ground::prepare(original, wish, &read, tools))?;
    let mut witnesses = match wish.run {
        true => {
            let primed = watch.time("prepare", || match &ground {
                Some(ground) => ground.prime(original, tools).map(Some),
                None => Ok(None),
            })?;
            tools.progress.phase("running the original, twice", None);
            watch.time("observe", || {
                prove::watch(original, primed.as_deref(), wish, tools)
            })?
        }
        false => Vec::new(),
    };
    tools
        .progress
        .phase("following what the code can reach", None);
    let seen = Seen::of(original, ground.as_ref(), &witnesses, &wish.replayed);
    let reaching = watch.time("reach", || {
        Reaching::prepare(original, wish, ground.as_ref(), &seen.files, &read)
    });

    let ready = Ready {
        original,
        wish,
        tools,
        reaching: &reaching,
        seen: &seen,
    };
    let Settled {
        attempt,
        judgement,
        rounds,
        repairs,
        passed_over,
    } = match &wish.single {
        None => ready.settle(None, &mut witnesses, watch)?,
        Some(single) => ready.settle_first(&single.forms(), &mut witnesses, watch)?,
    };
    if !judgement.differences.is_empty() && !wish.accept_differences {
        return Err(Error::Refused {
            differences: judgement.differences,
        });
    }

    tools.progress.phase("writing the report", None);
    let mut report = describe(original, wish, &attempt);
    let outdated = attempt.single.as_ref().map(single::outdated);
    report.warnings.extend(outdated.unwrap_or_default());
    report.single = attempt
        .single
        .as_ref()
        .map(|made| single::line(made, passed_over, original, wish));
    report.proof = prove::proof(
        &witnesses,
        &judgement,
        rounds,
        &repaired_paths(original, &repairs),
        wish,
    );
    if let Some(folder) = &wish.save_run {
        let trace: Trace = witnesses.iter().flat_map(Witness::trace).collect();
        record::save(folder, wish.run.then_some(&trace), &report)?;
    }
    if let Some(place) = wish.bill.as_ref().filter(|_| !wish.dry_run) {
        bill::write(place, original, &attempt, wish)?;
    }
    if let Some(destination) = wish.destination.as_ref().filter(|_| !wish.dry_run) {
        let rest = match &wish.rescue {
            Some(place) => {
                tools.progress.phase("writing the rescue layer", None);
                let layer =
                    watch.time("rescue", || rescue_layer(original, wish, tools, &attempt))?;
                Some((place, layer))
            }
            None => None,
        };
        tools.check_cancelled()?;
        report.digest = Some(attempt.staged.manifest_digest().to_string());
        let size = attempt.staged.size();
        let commit = || attempt.staged.commit(tools.transports);
        match destination.path() {
            Some(_) => commit()?,
            None => {
                let phase = format!("sending {destination}");
                tools.progress.phase(&phase, Some(size));
                watch.time("send", commit)?;
            }
        }
        // A layout takes one image after the other: the second is staged when
        // the first is there.
        if let Some((place, layer)) = rest {
            let mut layers = attempt.layers;
            layers.push(layer);
            stage(original, wish, tools, place, &layers)?.commit(tools.transports)?;
        }
        report.output = Some(destination.to_string());
    }
    if let Some(place) = wish.executable.as_ref().filter(|_| !wish.dry_run) {
        tools.check_cancelled()?;
        if let Some(made) = &attempt.single {
            single::keep(made, place)?;
            report.output = Some(format!("exe:{}", place.display()));
        }
    }
    report.phases = watch.lines();
    Ok(report)
}

/// All that is known before the first attempt.
struct Ready<'a> {
    original: &'a FatRoot,
    wish: &'a Wish,
    tools: &'a Tools<'a>,
    reaching: &'a Reaching<'a>,
    seen: &'a Seen,
}

/// The last attempt, and what was thought of it.
struct Settled {
    attempt: Attempt,
    judgement: Judgement,
    rounds: u32,
    repairs: Vec<(FileId, How)>,
    /// Better forms of an executable, and why they were not taken.
    passed_over: Vec<(Form, String)>,
}

impl Ready<'_> {
    /// Attempts and mends until nothing is missing any more.
    fn settle(
        &self,
        form: Option<Form>,
        witnesses: &mut [Witness],
        watch: &mut Stopwatch,
    ) -> Result<Settled, Error> {
        let (original, wish, tools) = (self.original, self.wish, self.tools);
        let mut repairs: Vec<(FileId, How)> = Vec::new();
        let mut rounds = 0;
        loop {
            rounds += 1;
            tools.check_cancelled()?;
            let attempt = self.attempt(form, &repairs, watch)?;
            let settled = |attempt, judgement, repairs| Settled {
                attempt,
                judgement,
                rounds,
                repairs,
                passed_over: Vec::new(),
            };
            if witnesses.is_empty() {
                return Ok(settled(attempt, Judgement::default(), repairs));
            }
            tools.progress.phase("running the small image", None);
            let trial = Trial {
                staged: &attempt.staged,
                packed: attempt.single.as_ref().map(|made| Packed {
                    inside: &made.packed,
                    covered: &attempt.small,
                }),
                name: match form {
                    None => rounds.to_string(),
                    Some(form) => format!("{rounds}-{form}").replace(' ', "-"),
                },
            };
            let judgement = watch.time("verify", || {
                prove::judge(original, &trial, witnesses, wish, tools)
            })?;
            let new = plan::repaired(&original.tree, &judgement.missing, rounds);
            let known = repairs.len();
            for repair in new {
                if !repairs.iter().any(|(id, _)| *id == repair.0) {
                    repairs.push(repair);
                }
            }
            if repairs.len() == known || rounds > MAX_REPAIRS {
                return Ok(settled(attempt, judgement, repairs));
            }
            tools.progress.note(&format!(
                "put back {} that the small image misses",
                count(repairs.len() - known, "path")
            ));
        }
    }

    /// The first form of an executable that can be made and behaves as the
    /// original does.
    fn settle_first(
        &self,
        forms: &[Form],
        witnesses: &mut [Witness],
        watch: &mut Stopwatch,
    ) -> Result<Settled, Error> {
        let mut passed_over = Vec::new();
        for (number, form) in forms.iter().enumerate() {
            let is_last = number + 1 == forms.len();
            let why = match self.settle(Some(*form), witnesses, watch) {
                Ok(settled) if is_last || settled.judgement.differences.is_empty() => {
                    return Ok(Settled {
                        passed_over,
                        ..settled
                    });
                }
                Ok(settled) => format!(
                    "it behaves differently: {}",
                    settled.judgement.differences.join("; ")
                ),
                Err(Error::Single(SingleError::Unfit(why))) if !is_last => why,
                Err(error) => return Err(error),
            };
            self.tools.progress.note(&format!("not {form}: {why}"));
            passed_over.push((*form, why));
        }
        Err(Error::NoPython)
    }

    /// Reach, plan, transform and emit: one small image under a temporary name.
    fn attempt(
        &self,
        form: Option<Form>,
        repairs: &[(FileId, How)],
        watch: &mut Stopwatch,
    ) -> Result<Attempt, Error> {
        let (original, wish, tools) = (self.original, self.wish, self.tools);
        let (reaching, seen) = (self.reaching, self.seen);
        let tree = &original.tree;
        let (plan, warnings) = watch.time("reach", || {
            // The first cause counts, and a repair outweighs the wish to drop.
            let mut roots = repairs.to_vec();
            roots.extend(plan::roots(
                tree,
                wish.policy,
                &reaching.command,
                &seen.files,
                &reaching.surroundings,
                &wish.keep,
            ));
            let graph = reaching.close(wish.policy, roots);
            let plan = Plan::new(tree, &graph, wish.policy, &wish.drop, &reaching.frozen());
            let mut warnings = reaching.warnings();
            warnings.extend(graph.warnings);
            (plan, warnings)
        });
        tools.check_cancelled()?;
        tools.progress.phase("stripping and compiling", None);
        let small = watch.time("transform", || {
            let mut as_text = seen.read_as_text.clone();
            // The small image was seen to look for these as they are.
            as_text.extend(repairs.iter().map(|(id, _)| *id));
            let bytecode = reaching.bytecode(&plan, wish, &as_text, tools)?;
            let options = transform::Options {
                strip: wish.strip.then_some(match wish.policy {
                    Policy::Tight => StripDepth::UnwindTables,
                    Policy::Safe | Policy::Repack => StripDepth::Symbols,
                }),
                mtime: wish.mtime,
                epoch: wish.epoch,
                cache: &tools.cache.stripped()?,
            };
            Ok::<_, Error>(transform::apply(original, &plan, &bytecode, &options)?)
        })?;
        tools.check_cancelled()?;
        let single = match form {
            None => None,
            Some(form) => Some(watch.time("single", || self.single(form, &small, &plan))?),
        };
        let shipped = single.as_ref().map_or(&small, |made| &made.tree);
        tools.progress.phase("writing layers", None);
        let (layers, staged) = watch.time("emit", || {
            let cancelled = || tools.check_cancelled().is_err();
            let cache = tools.cache.layers()?;
            let layers = emit::write_layers(tree, shipped, wish.compression, &cache, &cancelled)?;
            let nowhere = Destination::OciArchive {
                file: tools.workspace.path().join("dry-run.tar"),
                reference: None,
            };
            let destination = match &wish.destination {
                Some(destination) if !wish.dry_run => destination,
                _ => &nowhere,
            };
            let staged = stage(original, wish, tools, destination, &layers)?;
            Ok::<_, Error>((layers, staged))
        })?;
        Ok(Attempt {
            plan,
            single,
            warnings,
            small,
            layers,
            staged,
        })
    }
}

fn stage(
    original: &FatRoot,
    wish: &Wish,
    tools: &Tools<'_>,
    destination: &Destination,
    layers: &[Layer],
) -> Result<Staged, Error> {
    let written: Vec<_> = layers.iter().map(|layer| layer.written.clone()).collect();
    Ok(whit_oci::stage(
        destination,
        &emit::small_config(&original.config),
        &written,
        &wish.provenance.annotations(wish.epoch),
        wish.epoch,
        tools.workspace.path(),
    )?)
}

/// What on top of the small image is the original again.
fn rescue_layer(
    original: &FatRoot,
    wish: &Wish,
    tools: &Tools<'_>,
    attempt: &Attempt,
) -> Result<Layer, Error> {
    let compression = match wish.compression {
        Compression::Gzip { level } => Compression::Gzip {
            level: level.min(RESCUE_GZIP),
        },
        other => other,
    };
    Ok(emit::write_layer(
        "rescue",
        &emit::rescue_tree(original, &attempt.plan, &attempt.small),
        compression,
        &tools.workspace.folder("rescue")?,
        &|| tools.check_cancelled().is_err(),
    )?)
}

fn describe(original: &FatRoot, wish: &Wish, attempt: &Attempt) -> Report {
    let before = measure::fat(original);
    let after = measure::small(&attempt.layers);
    let mut files = report::file_lines(&original.tree, &attempt.plan, &attempt.small);
    if let Some(made) = &attempt.single {
        single::tell_files(&mut files, made);
    }
    Report {
        whit: env!("CARGO_PKG_VERSION").to_owned(),
        source: wish.source.clone(),
        output: None,
        digest: None,
        policy: wish.policy.to_string(),
        detected: wish.detected.clone(),
        before,
        after,
        layers: measure::layers(&attempt.layers),
        pull: report::pull_lines(before.compressed, after.compressed),
        proof: report::Proof::default(),
        single: None,
        packages: report::package_lines(&files),
        phases: Vec::new(),
        warnings: attempt.warnings.clone(),
        files,
    }
}

fn repaired_paths(original: &FatRoot, repairs: &[(FileId, How)]) -> Vec<ImagePath> {
    repairs
        .iter()
        .map(|(id, _)| original.tree.path(*id).clone())
        .collect()
}

fn count(n: usize, what: &str) -> String {
    match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
