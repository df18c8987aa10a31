//! The proof: the original and the small image are asked the same questions.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whit_oci::{Image, ImagePath, Staged};
use whit_sandbox::{Access, Exit, Network, Touch, Trace};

use super::{Error, Tools, Wish};
use crate::observe::{self, Answer, Entry, Kind, Observation, ProbePlan, Stage};
use crate::reach::shell::Programs;
use crate::report::{ProbeLine, Proof};
use crate::source::{self, FatRoot};
use crate::transform::SmallTree;
use crate::verify;

/// What the original did, twice: its own command, or an entry.
pub(super) struct Witness {
    /// The entry, as the report names it.
    entry: Option<String>,
    /// Two; more where two could not tell what changes by itself.
    runs: Vec<Observation>,
    stage: Stage,
    /// The questions that the original answered.
    replay: ProbePlan,
}

impl Witness {
    /// Everything that either run touched.
    pub fn trace(&self) -> Trace {
        self.traces().flatten().cloned().collect()
    }

    /// What each run touched.
    pub fn traces(&self) -> impl Iterator<Item = &Trace> {
        self.runs.iter().map(|run| &run.trace)
    }

    pub fn entry(&self) -> Option<&str> {
        self.entry.as_deref()
    }

    /// A probe or a difference, with the entry that it is about.
    fn named(&self, text: &str) -> String {
        match &self.entry {
            Some(entry) => format!("{entry}: {text}"),
            None => text.to_owned(),
        }
    }
}

/// Files that are in an executable, in one form or another.
#[derive(Clone, Copy)]
pub(super) struct Packed<'a> {
    /// Its archive: not missing, even if the kernel is asked for it first.
    pub inside: &'a BTreeSet<ImagePath>,
    /// What the image would be as files: nobody need read it as such.
    pub covered: &'a SmallTree,
}

/// A small image that is to be judged.
pub(super) struct Trial<'a> {
    pub staged: &'a Staged,
    /// Of an image that is one executable: what that has inside.
    pub packed: Option<Packed<'a>>,
    /// Tells its folders from those of other trials.
    pub name: String,
}

/// What the small image did.
#[derive(Default)]
pub(super) struct Judgement {
    /// Looked for, not there, and there in the original.
    pub missing: BTreeSet<ImagePath>,
    /// What it answered otherwise, in words.
    pub differences: Vec<String>,
    /// What was compared and is the same.
    proven: Vec<ProbeLine>,
    /// Probes that fail on the original, and why.
    disqualified: Vec<ProbeLine>,
    /// The run of the image's own command.
    own: Option<Observation>,
}

/// Refuses entries whose program the original does not have.
pub(super) fn check_entries(original: &FatRoot, wish: &Wish) -> Result<(), Error> {
    for entry in &wish.entries {
        let programs = Programs::of_config(&original.tree, &entry.config(&original.config));
        let program = entry.argv.first().map_or("", String::as_str);
        if programs.resolve(program).is_none() {
            return Err(Error::NoProgram {
                entry: entry.to_string(),
                program: program.to_owned(),
                path: programs.path().to_owned(),
            });
        }
    }
    Ok(())
}

/// Runs the original twice at the same time: its own command, then each entry.
pub(super) fn watch(
    original: &FatRoot,
    primed: Option<&Path>,
    wish: &Wish,
    tools: &Tools<'_>,
) -> Result<Vec<Witness>, Error> {
    let own = std::iter::once(None);
    own.chain(wish.entries.iter().map(Some))
        .enumerate()
        .map(|(nth, entry)| {
            let probes = entry.map_or_else(|| wish.probes.clone(), |e| e.plan(&wish.probes));
            let entry_name = entry.map(ToString::to_string);
            if let Some(name) = &entry_name {
                let phase = format!("running {name} of the original, twice");
                tools.progress.phase(&phase, None);
            }
            let folder = tools.workspace.folder(&format!("stage-original-{nth}"))?;
            let stage = stage(original, primed, wish, entry, &folder)?;
            let runs = observe::observe_twice(&stage, &probes, true, tools.cancel)
                .map_err(|error| of_entry(entry, error))?;
            Ok(Witness {
                entry: entry_name,
                replay: probes.replay(&runs[0]),
                runs: runs.into(),
                stage,
            })
        })
        .collect()
}

/// Says of which program the original fails.
fn of_entry(entry: Option<&Entry>, error: observe::Error) -> Error {
    match (entry, error) {
        (Some(entry), observe::Error::Original { what, log, hint }) => {
            Error::Observe(observe::Error::Original {
                what: format!("{entry}: {what}"),
                log,
                hint,
            })
        }
        (_, error) => error.into(),
    }
}

/// Opens the artifact as any image is opened, runs all that the original ran,
/// and compares.
pub(super) fn judge(
    original: &FatRoot,
    trial: &Trial<'_>,
    witnesses: &mut [Witness],
    wish: &Wish,
    tools: &Tools<'_>,
) -> Result<Judgement, Error> {
    let name = &trial.name;
    let folder = tools.workspace.folder(&format!("small-{name}"))?;
    let small = Small {
        root: reopen(trial.staged.location(), wish, tools, &folder)?,
        packed: trial.packed,
    };
    let mut judgement = Judgement::default();
    let own = std::iter::once(None);
    let entries = own.chain(wish.entries.iter().map(Some));
    for (nth, (witness, entry)) in witnesses.iter_mut().zip(entries).enumerate() {
        let scratch = tools
            .workspace
            .folder(&format!("stage-small-{name}-{nth}"))?;
        let stage = stage(&small.root, None, wish, entry, &scratch)?;
        let run = observe::observe(&stage, &witness.replay, true, tools.cancel)?;
        compare(original, &small, witness, &run, tools, &mut judgement)?;
        if entry.is_none() {
            judgement.own = Some(run);
        }
    }
    crate::workspace::remove_tree(&folder)?;
    Ok(judgement)
}

/// One program in the small image against what it did in the original.
fn compare(
    original: &FatRoot,
    small: &Small<'_>,
    witness: &mut Witness,
    run: &Observation,
    tools: &Tools<'_>,
    judgement: &mut Judgement,
) -> Result<(), Error> {
    let known = |path: &Path| {
        let place = image_path(path);
        let in_original = original.tree.lookup(&place).is_some();
        // Bytecode that the original was primed with is in no tree.
        let primed = source_of(&place).is_some_and(|py| original.tree.lookup(&py).is_some());
        if !(in_original || primed) || small.has(&place) {
            return false;
        }
        let looked_for = || {
            run.trace.contains(&Touch {
                path: path.to_owned(),
                access: Access::Missing,
            })
        };
        if small.covers(&place) && !looked_for() {
            return false;
        }
        // Looked up before bytecode is written there; it was made anew.
        if place.name() == b"__pycache__" {
            return false;
        }
        // Python does without bytecode where there is a source, and the other
        // way round.
        !small.stands_in(&place)
    };
    let (stage, replay) = (&witness.stage, &witness.replay);
    let found = verify::prove(&mut witness.runs, run, &known, &mut || {
        observe::observe(stage, replay, false, tools.cancel)
    })?;
    let mut missing = found.missing;
    if missing.is_empty() && !found.differences.is_empty() {
        missing = sources_wanted(run, original, small);
    }
    judgement.missing.extend(
        missing
            .iter()
            .map(|path| image_path(path))
            // Bytecode comes back with its source, in the form that ships.
            .map(|path| source_of(&path).unwrap_or(path)),
    );
    let differences = found.differences.iter();
    judgement
        .differences
        .extend(differences.map(|difference| witness.named(&difference.to_string())));
    if let Some(entry) = &witness.entry {
        judgement.proven.push(ProbeLine {
            probe: entry.clone(),
            result: kind(&witness.runs[0]),
        });
    }
    judgement
        .proven
        .extend(found.proven.iter().map(|probe| ProbeLine {
            probe: witness.named(probe),
            result: answer(&witness.runs[0], probe),
        }));
    let disqualified = found.disqualified.into_iter();
    judgement
        .disqualified
        .extend(disqualified.map(|(probe, why)| ProbeLine {
            probe: witness.named(&probe),
            result: why,
        }));
    Ok(())
}

/// Sources that a run looked for although their bytecode is there. What reads
/// its source in every run of the original has it; so this may be no more than
/// a traceback that the run happened to print, and counts only where answers
/// differ.
fn sources_wanted(run: &Observation, original: &FatRoot, small: &Small<'_>) -> BTreeSet<PathBuf> {
    let wanted = |path: &ImagePath| {
        path.extension() == Some(b"py")
            && original.tree.lookup(path).is_some()
            && !small.has(path)
            && small.stands_in(path)
            && !is_import_probe(path)
    };
    run.trace
        .iter()
        .filter(|touch| touch.access == Access::Missing && wanted(&image_path(&touch.path)))
        .map(|touch| touch.path.clone())
        .collect()
}

fn image_path(path: &Path) -> ImagePath {
    ImagePath::clamped(path.as_os_str().as_bytes())
}

/// The small image, as it was read from disk.
struct Small<'a> {
    root: FatRoot,
    packed: Option<Packed<'a>>,
}

impl Small<'_> {
    fn has(&self, path: &ImagePath) -> bool {
        self.root.tree.lookup(path).is_some()
            || self
                .packed
                .is_some_and(|packed| packed.inside.contains(path))
    }

    /// True if it has the file's part, though nobody looks for the file.
    fn covers(&self, path: &ImagePath) -> bool {
        self.packed
            .is_some_and(|packed| packed.covered.files.contains_key(path))
    }

    /// True if a Python file that is not in it has its module there in another
    /// form: bytecode for source, bytecode in another place.
    fn stands_in(&self, path: &ImagePath) -> bool {
        if let Some(source) = source_of(path) {
            let bytecode = [source.as_bytes(), b"c"].concat();
            return self.has(&source) || self.has(&ImagePath::clamped(bytecode));
        }
        path.extension() == Some(b"py")
            && self.has(&ImagePath::clamped([path.as_bytes(), b"c"].concat()))
    }
}

/// The source of `__pycache__/NAME.TAG.pyc` (PEP 3147).
fn source_of(path: &ImagePath) -> Option<ImagePath> {
    let folder = path.parent()?;
    if folder.name() != b"__pycache__" {
        return None;
    }
    let name = std::str::from_utf8(path.name()).ok()?;
    let stem = name.strip_suffix(".pyc")?.split('.').next()?;
    Some(folder.parent()?.join(format!("{stem}.py")))
}

/// True where Python's import looks for a source before it takes the bytecode
/// beside it: `__init__.py` of each package (`FileFinder.find_spec`), and
/// `os.py`, by which the interpreter knows its library (`getpath.py`). A
/// module that reads its own source is known by other names.
fn is_import_probe(path: &ImagePath) -> bool {
    matches!(path.name(), b"__init__.py" | b"os.py")
}

/// Reads an image from disk, whatever wrote it.
fn reopen(place: &Path, wish: &Wish, tools: &Tools<'_>, folder: &Path) -> Result<FatRoot, Error> {
    let reference = whit_oci::Reference::Path {
        path: place.to_owned(),
        name: None,
    };
    let options = whit_oci::Options {
        platform: None,
        scratch: tools.workspace.path().to_owned(),
        limits: whit_oci::Limits::default(),
        transports: whit_oci::Transports::default(),
    };
    let image = Image::open(&reference, &options)?;
    let dir = folder.join("root");
    std::fs::create_dir(&dir)?;
    let cancelled = || tools.check_cancelled().is_err();
    Ok(source::image::open(
        &image,
        &dir,
        wish.max_unpacked,
        &cancelled,
    )?)
}

/// What an image runs on, with the user's wishes for the run: its own command,
/// or an entry.
///
/// `primed` is a folder that lies below all others: only what they don't have
/// is seen of it.
pub(super) fn stage(
    root: &FatRoot,
    primed: Option<&Path>,
    wish: &Wish,
    entry: Option<&Entry>,
    scratch: &Path,
) -> Result<Stage, Error> {
    let mut dirs: Vec<PathBuf> = primed.map(Path::to_owned).into_iter().collect();
    dirs.extend_from_slice(&root.dirs);
    let config = match entry {
        Some(entry) => &entry.config(&root.config),
        None => &root.config,
    };
    let mut stage =
        Stage::new(&dirs, config, &root.tree, scratch)?.with_limits(&wish.probes.limits);
    if let (Some(command), None) = (&wish.command, entry) {
        stage = stage.with_argv(command.clone());
    }
    if wish.host_network {
        stage.network = Network::Host;
    }
    Ok(stage)
}

/// The proof as the report tells it. Start-up and memory are those of the
/// image's own command.
pub(super) fn proof(
    witnesses: &[Witness],
    judgement: &Judgement,
    rounds: u32,
    repaired: &[ImagePath],
    wish: &Wish,
) -> Proof {
    let (Some(witness), Some(run)) = (witnesses.first(), &judgement.own) else {
        return Proof {
            unrunnable: wish.unrunnable.clone(),
            ..Proof::default()
        };
    };
    let original = &witness.runs[0];
    let milliseconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    Proof {
        proven: judgement.differences.is_empty(),
        unrunnable: None,
        emulator: wish.emulator.clone(),
        probes: judgement.proven.clone(),
        disqualified: judgement.disqualified.clone(),
        rounds,
        repaired: repaired.iter().map(ToString::to_string).collect(),
        startup_before: milliseconds(original.startup),
        startup_after: milliseconds(run.startup),
        memory_before: original.peak_memory,
        memory_after: run.peak_memory,
        differences: judgement.differences.clone(),
    }
}

/// What the original answered to a probe.
fn answer(original: &Observation, probe: &str) -> String {
    let mut outcomes = original.outcomes.iter();
    outcomes
        .find(|outcome| outcome.probe.to_string() == probe)
        .map_or_else(String::new, |outcome| summary(&outcome.answer))
}

/// What an entry did, in a few words.
fn kind(original: &Observation) -> String {
    match &original.kind {
        Kind::Service { ports } => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            format!("listens on port {}", ports.join(", "))
        }
        Kind::Worker => "runs and listens on nothing".to_owned(),
        Kind::Command | Kind::Silent | Kind::NotStarted(_) => exit(original.own.exit),
    }
}

fn exit(exit: Option<Exit>) -> String {
    match exit {
        Some(Exit::Code(code)) => format!("exit {code}"),
        Some(Exit::Signal(signal)) => format!("signal {signal}"),
        None => "stopped by whit".to_owned(),
    }
}

/// An answer in a few words.
fn summary(answer: &Answer) -> String {
    match answer {
        Answer::Http(response) => format!("{}, {} bytes", response.status, response.body.len()),
        Answer::Exec(output) => {
            format!("{}, {} bytes", exit(output.exit), output.stdout.len())
        }
        Answer::Script { exit: code, .. } => exit(Some(*code)),
        Answer::Failed(why) => why.clone(),
    }
}
