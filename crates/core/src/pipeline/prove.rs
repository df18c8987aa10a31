//! The proof: the original and the small image are asked the same questions.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whit_oci::{Image, ImagePath, Staged};
use whit_sandbox::{Access, Exit, Network, Trace};

use super::{Error, Tools, Wish};
use crate::observe::{self, Answer, Observation, ProbePlan, Stage};
use crate::report::{ProbeLine, Proof};
use crate::source::{self, FatRoot};
use crate::verify;

/// What the original did, twice.
pub(super) struct Witness {
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
}

/// What the small image did.
#[derive(Default)]
pub(super) struct Judgement {
    /// Looked for, not there, and there in the original.
    pub missing: BTreeSet<ImagePath>,
    /// What it answered otherwise, in words.
    pub differences: Vec<String>,
    /// Probes with the same answers.
    proven: Vec<String>,
    /// Probes that fail on the original, and why.
    disqualified: Vec<(String, String)>,
    run: Option<Observation>,
}

/// Runs the original twice, at the same time.
pub(super) fn watch(
    original: &FatRoot,
    primed: Option<&Path>,
    wish: &Wish,
    tools: &Tools<'_>,
) -> Result<Witness, Error> {
    let stage = stage(
        original,
        primed,
        wish,
        &tools.workspace.folder("stage-original")?,
    )?;
    let runs = observe::observe_twice(&stage, &wish.probes, true, tools.cancel)?;
    let replay = wish.probes.replay(&runs[0]);
    Ok(Witness {
        runs: runs.into(),
        stage,
        replay,
    })
}

/// Opens the artifact as any image is opened, runs it, and compares.
pub(super) fn judge(
    original: &FatRoot,
    staged: &Staged,
    witness: &mut Witness,
    wish: &Wish,
    tools: &Tools<'_>,
    round: u32,
) -> Result<Judgement, Error> {
    let folder = tools.workspace.folder(&format!("small-{round}"))?;
    let small = reopen(staged.location(), wish, tools, &folder)?;
    let stage = stage(
        &small,
        None,
        wish,
        &tools.workspace.folder(&format!("stage-small-{round}"))?,
    )?;
    let run = observe::observe(&stage, &witness.replay, true, tools.cancel)?;
    let known = |path: &Path| {
        let place = image_path(path);
        let in_original = original.tree.lookup(&place).is_some();
        // Bytecode that the original was primed with is in no tree.
        let primed = source_of(&place).is_some_and(|py| original.tree.lookup(&py).is_some());
        if !(in_original || primed) || small.tree.lookup(&place).is_some() {
            return false;
        }
        // Looked up before bytecode is written there; it was made anew.
        if place.name() == b"__pycache__" {
            return false;
        }
        // Python does without bytecode where there is a source, and the other
        // way round.
        !stand_in(&place, &small)
    };
    let (stage, replay) = (&witness.stage, &witness.replay);
    let found = verify::prove(&mut witness.runs, &run, &known, &mut || {
        observe::observe(stage, replay, false, tools.cancel)
    })?;
    let mut missing = found.missing;
    if missing.is_empty() && !found.differences.is_empty() {
        missing = sources_wanted(&run, original, &small);
    }
    let judgement = Judgement {
        missing: missing
            .iter()
            .map(|path| image_path(path))
            // Bytecode comes back with its source, in the form that ships.
            .map(|path| source_of(&path).unwrap_or(path))
            .collect(),
        differences: found.differences.iter().map(ToString::to_string).collect(),
        proven: found.proven,
        disqualified: found.disqualified,
        run: Some(run),
    };
    crate::workspace::remove_tree(&folder)?;
    Ok(judgement)
}

/// Sources that a run looked for although their bytecode is there. What reads
/// its source in every run of the original has it; so this may be no more than
/// a traceback that the run happened to print, and counts only where answers
/// differ.
fn sources_wanted(run: &Observation, original: &FatRoot, small: &FatRoot) -> BTreeSet<PathBuf> {
    let wanted = |path: &ImagePath| {
        path.extension() == Some(b"py")
            && original.tree.lookup(path).is_some()
            && small.tree.lookup(path).is_none()
            && stand_in(path, small)
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

/// True if a Python file that is not in the small image has its module there
/// in another form: bytecode for source, bytecode in another place.
fn stand_in(path: &ImagePath, small: &FatRoot) -> bool {
    let there = |path: ImagePath| small.tree.lookup(&path).is_some();
    if let Some(source) = source_of(path) {
        let bytecode = [source.as_bytes(), b"c"].concat();
        return there(source) || there(ImagePath::clamped(bytecode));
    }
    path.extension() == Some(b"py") && there(ImagePath::clamped([path.as_bytes(), b"c"].concat()))
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

/// What an image runs on, with the user's wishes for the run.
///
/// `primed` is a folder that lies below all others: only what they don't have
/// is seen of it.
pub(super) fn stage(
    root: &FatRoot,
    primed: Option<&Path>,
    wish: &Wish,
    scratch: &Path,
) -> Result<Stage, Error> {
    let mut dirs: Vec<PathBuf> = primed.map(Path::to_owned).into_iter().collect();
    dirs.extend_from_slice(&root.dirs);
    let mut stage =
        Stage::new(&dirs, &root.config, &root.tree, scratch)?.with_limits(&wish.probes.limits);
    if let Some(command) = &wish.command {
        stage = stage.with_argv(command.clone());
    }
    if wish.host_network {
        stage.network = Network::Host;
    }
    Ok(stage)
}

/// The proof as the report tells it.
pub(super) fn proof(
    witness: Option<&Witness>,
    judgement: &Judgement,
    rounds: u32,
    repaired: &[ImagePath],
    wish: &Wish,
) -> Proof {
    let (Some(witness), Some(run)) = (witness, &judgement.run) else {
        return Proof {
            unrunnable: wish.unrunnable.clone(),
            ..Proof::default()
        };
    };
    let original = &witness.runs[0];
    let milliseconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
    let answers = |probe: &str| {
        original
            .outcomes
            .iter()
            .find(|outcome| outcome.probe.to_string() == probe)
            .map_or_else(String::new, |outcome| summary(&outcome.answer))
    };
    Proof {
        proven: judgement.differences.is_empty(),
        unrunnable: None,
        emulator: wish.emulator.clone(),
        probes: judgement
            .proven
            .iter()
            .map(|probe| ProbeLine {
                probe: probe.clone(),
                result: answers(probe),
            })
            .collect(),
        disqualified: judgement
            .disqualified
            .iter()
            .map(|(probe, why)| ProbeLine {
                probe: probe.clone(),
                result: why.clone(),
            })
            .collect(),
        rounds,
        repaired: repaired.iter().map(ToString::to_string).collect(),
        startup_before: milliseconds(original.startup),
        startup_after: milliseconds(run.startup),
        memory_before: original.peak_memory,
        memory_after: run.peak_memory,
        differences: judgement.differences.clone(),
    }
}

/// An answer in a few words.
fn summary(answer: &Answer) -> String {
    let exit = |exit: Option<Exit>| match exit {
        Some(Exit::Code(code)) => format!("exit {code}"),
        Some(Exit::Signal(signal)) => format!("signal {signal}"),
        None => "stopped by whit".to_owned(),
    };
    match answer {
        Answer::Http(response) => format!("{}, {} bytes", response.status, response.body.len()),
        Answer::Exec(output) => {
            format!("{}, {} bytes", exit(output.exit), output.stdout.len())
        }
        Answer::Script { exit: code, .. } => exit(Some(*code)),
        Answer::Failed(why) => why.clone(),
    }
}
