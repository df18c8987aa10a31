//! The proof: the original and the small image are asked the same questions.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use whit_oci::{Image, ImagePath, Staged};
use whit_sandbox::{Exit, Network, Trace};

use super::{Error, Tools, Wish};
use crate::observe::{self, Answer, Observation, ProbePlan, Stage};
use crate::report::{ProbeLine, Proof};
use crate::source::{self, FatRoot};
use crate::verify;

/// What the original did, twice.
pub(super) struct Witness {
    runs: [Observation; 2],
    /// The questions that the original answered.
    replay: ProbePlan,
}

impl Witness {
    /// Everything that either run touched.
    pub fn trace(&self) -> Trace {
        let [first, second] = &self.runs;
        first.trace.union(&second.trace).cloned().collect()
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
pub(super) fn watch(original: &FatRoot, wish: &Wish, tools: &Tools<'_>) -> Result<Witness, Error> {
    let stage = stage(original, wish, &tools.workspace.folder("stage-original")?)?;
    let runs = observe::observe_twice(&stage, &wish.probes, true, tools.cancel)?;
    let replay = wish.probes.replay(&runs[0]);
    Ok(Witness { runs, replay })
}

/// Opens the artifact as any image is opened, runs it, and compares.
pub(super) fn judge(
    original: &FatRoot,
    staged: &Staged,
    witness: &Witness,
    wish: &Wish,
    tools: &Tools<'_>,
    round: u32,
) -> Result<Judgement, Error> {
    let folder = tools.workspace.folder(&format!("small-{round}"))?;
    let small = reopen(staged.location(), wish, tools, &folder)?;
    let stage = stage(
        &small,
        wish,
        &tools.workspace.folder(&format!("stage-small-{round}"))?,
    )?;
    let run = observe::observe(&stage, &witness.replay, true, tools.cancel)?;
    let known = |path: &Path| {
        let path = ImagePath::clamped(path.as_os_str().as_bytes());
        original.tree.lookup(&path).is_some()
            && small.tree.lookup(&path).is_none()
            && !is_import_probe(&path, &small)
    };
    let found = verify::compare(&witness.runs, &run, &known);
    let judgement = Judgement {
        missing: found
            .missing
            .iter()
            .map(|path| ImagePath::clamped(path.as_os_str().as_bytes()))
            .collect(),
        differences: found.differences.iter().map(ToString::to_string).collect(),
        proven: found.proven,
        disqualified: found.disqualified,
        run: Some(run),
    };
    crate::workspace::remove_tree(&folder)?;
    Ok(judgement)
}

/// True where Python's import looks for a source before it takes the bytecode
/// beside it: `__init__.py` of each package (`FileFinder.find_spec`), and
/// `os.py`, by which the interpreter knows its library (`getpath.py`). A
/// module that reads its own source is known by other names.
fn is_import_probe(path: &ImagePath, small: &FatRoot) -> bool {
    let mut bytecode = path.as_bytes().to_vec();
    bytecode.push(b'c');
    matches!(path.name(), b"__init__.py" | b"os.py")
        && small.tree.lookup(&ImagePath::clamped(bytecode)).is_some()
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
pub(super) fn stage(root: &FatRoot, wish: &Wish, scratch: &Path) -> Result<Stage, Error> {
    let mut stage =
        Stage::new(&root.dirs, &root.config, &root.tree, scratch)?.with_limits(&wish.probes.limits);
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
) -> Proof {
    let (Some(witness), Some(run)) = (witness, &judgement.run) else {
        return Proof::default();
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
