//! The ground that *reach* stands on where an app is Python: its interpreter,
//! asked in the sandbox, and how the app is started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use whit_oci::{ImageConfig, ImagePath};
use whit_sandbox::{Access, Mount, Touch, Trace};

use super::{Error, Tools, Wish, prove};
use crate::index::{FileId, PackageKind};
use crate::observe::Stage;
use crate::plan::{Observed, Policy};
use crate::reach::How;
use crate::reach::python::marshal::Columns;
use crate::reach::python::{self, Facts, FactsError, Interpreter, Launch, Read, Setting, Start};
use crate::source::FatRoot;
use crate::transform::bytecode::{self, Compiled, EXCHANGE, Job, Worker};

/// What there is to know of the image's Python.
pub(super) struct Ground {
    pub facts: Facts,
    pub setting: Setting,
    /// What the image starts leads to Python. Else it just has one.
    pub is_started: bool,
    /// What of Python could not be followed.
    pub warnings: Vec<String>,
    /// Runs the interpreter; `None` where it cannot be run here.
    host: Option<Host>,
}

/// The interpreter, ready to be asked.
struct Host {
    interpreter: Interpreter,
    stage: Stage,
}

/// How long the interpreter may take to describe itself, or to compile.
const PATIENCE: Duration = Duration::from_secs(600);

impl Ground {
    /// `None` where the image has no Python.
    pub fn prepare(
        original: &FatRoot,
        wish: &Wish,
        read: &Read<'_>,
        tools: &Tools<'_>,
    ) -> Result<Option<Self>, Error> {
        let tree = &original.tree;
        let mut env = original.config.env();
        let launches = launches(original, wish, read);
        let search = search(&original.config);
        let interpreter = launches
            .iter()
            .find_map(|(_, _, launch)| launch.interpreter.clone())
            .or_else(|| python::any(tree, &search));
        let Some(interpreter) = interpreter else {
            return Ok(None);
        };
        let is_started = launches
            .iter()
            .any(|(_, _, launch)| launch.interpreter.is_some());
        let warnings = launches
            .iter()
            .filter_map(|(start, _, launch)| Some((start, launch.interpreter.as_ref()?)))
            .filter(|(_, other)| !other.is_like(&interpreter, tree))
            .map(|(start, other)| unfollowed(start, other, &interpreter))
            .collect();
        let mut cwds: Vec<ImagePath> = Vec::new();
        for (_, config, _) in &launches {
            let cwd = ImagePath::clamped(config.working_dir());
            if !cwds.contains(&cwd) {
                cwds.push(cwd);
            }
            let own = config.env().into_iter();
            let new: Vec<_> = own.filter(|variable| !env.contains(variable)).collect();
            env.extend(new);
        }
        let starts = launches
            .iter()
            .map(|(how, _, launch)| Start::new(how.clone(), launch))
            .collect();
        let file = interpreter.file;
        let (facts, host) = match &wish.unrunnable {
            None => {
                let folder = tools.workspace.folder("stage-python")?;
                let stage = prove::stage(original, None, wish, None, &folder)?;
                let ask = &mut |argv: &[String]| ask(&stage, argv, tools);
                let facts = Facts::gather(&interpreter.argv(), ask)?;
                (facts, Some(Host { interpreter, stage }))
            }
            Some(_) if wish.policy == Policy::Repack => return Ok(None),
            Some(_) => {
                let facts = Facts::guess(tree, read, &interpreter, &env);
                let unknown = || FactsError::Unknown {
                    interpreter: interpreter.program.to_string(),
                };
                (facts.ok_or_else(unknown)?, None)
            }
        };
        let libraries = folders(
            &env,
            "LD_LIBRARY_PATH",
            "/usr/local/lib:/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu:/usr/lib",
        );
        Ok(Some(Self {
            setting: Setting::of(tree, file, starts, cwds, &env, libraries),
            is_started,
            facts,
            host,
            warnings,
        }))
    }

    /// Compiles the packaged modules of the original into a folder to be laid
    /// below its own: the original then starts as the small image does, and a
    /// source that is read although there is bytecode is read as text.
    pub fn prime(&self, original: &FatRoot, tools: &Tools<'_>) -> Result<PathBuf, Error> {
        let folder = tools.workspace.folder("primed")?;
        let compiled = self.compile(original, &|_| true, Columns::Drop, tools)?;
        for (path, compiled) in &compiled {
            let Some(place) = self.bytecode_place(path) else {
                continue;
            };
            let place = place.under(&folder);
            if let Some(parent) = place.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::hard_link(compiled, &place).or_else(|_| fs::copy(compiled, &place).map(drop))?;
        }
        Ok(folder)
    }

    /// Compiles the modules of those packages that `wanted` chooses and that
    /// have no bytecode yet: the files of the cache that hold it, by source.
    pub fn compile(
        &self,
        original: &FatRoot,
        wanted: &dyn Fn(PackageKind) -> bool,
        columns: Columns,
        tools: &Tools<'_>,
    ) -> Result<BTreeMap<ImagePath, PathBuf>, Error> {
        let tree = &original.tree;
        let mut jobs = Vec::new();
        for (id, node) in tree.iter() {
            let chosen = node.is_file()
                && node.package.is_some_and(|id| wanted(tree.package(id).kind))
                && node.path.extension() == Some(b"py")
                && self.is_imported_from(&node.path);
            if let Some(source) = original.content(id).filter(|_| chosen) {
                let job = self.job(original, id, source);
                if job.existing.is_none() {
                    jobs.push(Job { columns, ..job });
                }
            }
        }
        tools
            .progress
            .phase("compiling the original's modules", None);
        let compiled =
            bytecode::compile(&jobs, &self.facts, &tools.cache.bytecode()?, &|worker| {
                self.work(worker, tools)
            })?;
        Ok(compiled
            .into_iter()
            .filter_map(|(path, compiled)| match compiled {
                Compiled::Bytecode(pyc) => Some((path, pyc)),
                Compiled::Source(_) => None,
            })
            .collect())
    }

    /// Where this Python looks for the bytecode of a source.
    pub fn bytecode_place(&self, source: &ImagePath) -> Option<ImagePath> {
        bytecode_of(source, &self.facts.cache_tag)
    }

    /// The sources that a run read although it had read their bytecode: their
    /// text matters to the app.
    pub fn read_as_text(&self, original: &FatRoot, trace: &Trace) -> BTreeSet<FileId> {
        let read = |path: &ImagePath| {
            trace.contains(&Touch {
                path: path.under(Path::new("/")),
                access: Access::Read,
            })
        };
        original
            .tree
            .iter()
            .filter(|(_, node)| node.is_file() && node.path.extension() == Some(b"py"))
            .filter(|(_, node)| {
                read(&node.path)
                    && bytecode_of(&node.path, &self.facts.cache_tag)
                        .is_some_and(|bytecode| read(&bytecode))
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// The files of modules that the interpreter has frozen inside: it does
    /// not read them (`Python/frozen.c`).
    pub fn frozen(&self, original: &FatRoot) -> BTreeSet<FileId> {
        let stdlib = ImagePath::clamped(&self.facts.stdlib);
        self.facts
            .frozen
            .iter()
            .filter_map(|name| {
                // Those of import itself go by other names.
                let name = name.replace("_frozen_importlib", "importlib._bootstrap");
                let path = stdlib.join(format!("{}.py", name.replace('.', "/")));
                original.tree.lookup(&path)
            })
            .collect()
    }

    /// What a run touched, but for the console scripts that Python's import
    /// stumbled over: the folder of the script that was started is the first
    /// on `sys.path`, and a script there may be called like a module.
    pub fn without_stumbles(&self, original: &FatRoot, observed: Vec<Observed>) -> Vec<Observed> {
        let tree = &original.tree;
        let scripts: Vec<ImagePath> = self
            .setting
            .mains()
            .filter_map(|main| tree.path(main).parent())
            .collect();
        let stumbled = |touch: &Observed| {
            let node = tree.node(touch.file);
            touch.access == Access::Stat
                && node.is_file()
                && node.package.is_some()
                && node.path.extension().is_none()
                && node
                    .path
                    .parent()
                    .is_some_and(|folder| scripts.contains(&folder))
        };
        observed
            .into_iter()
            .filter(|touch| !stumbled(touch))
            .collect()
    }

    /// True if the interpreter can compile here.
    pub fn compiles(&self) -> bool {
        self.host.is_some()
    }

    /// What is to be compiled of a source.
    pub fn job(&self, original: &FatRoot, source: FileId, host: PathBuf) -> Job {
        let node = original.tree.node(source);
        let existing = bytecode_of(&node.path, &self.facts.cache_tag)
            .and_then(|path| original.tree.get(&path))
            .and_then(|id| original.content(id))
            .map(|bytecode| (bytecode, node.meta.mtime));
        Job {
            path: node.path.clone(),
            source: host,
            existing,
            columns: match node.package {
                Some(_) => Columns::Drop,
                None => Columns::Keep,
            },
        }
    }

    /// True below a folder of `sys.path`, but for what only developers import.
    fn is_imported_from(&self, path: &ImagePath) -> bool {
        const SELDOM: [&[u8]; 9] = [
            b"test",
            b"tests",
            b"idlelib",
            b"lib2to3",
            b"tkinter",
            b"turtledemo",
            b"ensurepip",
            b"pip",
            b"setuptools",
        ];
        let below = |folder: &String| path.starts_with(&ImagePath::clamped(folder));
        self.facts.path.iter().any(below) && !path.components().any(|part| SELDOM.contains(&part))
    }

    /// Runs one of the compiler's workers with the image's interpreter.
    pub fn work(&self, worker: &Worker<'_>, tools: &Tools<'_>) -> Result<(), String> {
        let host = self.host.as_ref().ok_or("it cannot be run here")?;
        let mut argv = vec![host.interpreter.program.to_string()];
        argv.extend(worker.args.iter().cloned());
        let mut stage = host.stage.clone();
        stage.mounts.push(Mount {
            host: worker.exchange.to_owned(),
            inside: PathBuf::from(EXCHANGE),
            read_only: false,
        });
        give_away(worker.exchange).map_err(|error| error.to_string())?;
        let mut command = stage.command(&argv).map_err(|error| error.to_string())?;
        command.env = worker
            .env
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        command.uid = 0;
        command.gid = 0;
        command.groups = Vec::new();
        stage.ask(&command, PATIENCE, tools.cancel).map(drop)
    }
}

/// What the image is started with, each with the configuration that it runs
/// under, and how it starts Python: the image's own command and the programs
/// of probes, then the entries.
fn launches(original: &FatRoot, wish: &Wish, read: &Read<'_>) -> Vec<(How, ImageConfig, Launch)> {
    let find = |argv: &[String], config: &ImageConfig| {
        let cwd = ImagePath::clamped(config.working_dir());
        python::find(&original.tree, read, argv, &search(config), &cwd)
    };
    let config = &original.config;
    let command = wish.command.clone().unwrap_or_else(|| config.command());
    let mut own = find(&command, config);
    for probe in wish.probes.programs() {
        own.also(find(probe, config));
    }
    let mut launches = vec![(How::Command, config.clone(), own)];
    for entry in &wish.entries {
        let config = entry.config(config);
        let mut launch = find(&entry.argv, &config);
        for probe in &entry.probes {
            if let Some(argv) = probe.program() {
                launch.also(find(argv, &config));
            }
        }
        launches.push((How::Entry(entry.to_string()), config, launch));
    }
    launches
}

/// Of several interpreters one is asked for its modules.
fn unfollowed(start: &How, other: &Interpreter, asked: &Interpreter) -> String {
    let starts = match start {
        How::Entry(entry) => format!("{entry} starts"),
        _ => "the image's command starts".to_owned(),
    };
    format!(
        "{starts} {}, and imports are followed as {} finds them: what the other one imports \
         only when nobody looks may be missing; --keep its folder if that matters",
        other.program, asked.program
    )
}

fn search(config: &ImageConfig) -> Vec<ImagePath> {
    folders(&config.env(), "PATH", "/usr/local/bin:/usr/bin:/bin")
}

/// Lets the sandbox's root write into a folder of the host.
fn give_away(folder: &std::path::Path) -> std::io::Result<()> {
    let Some((uid, gid)) = whit_sandbox::disk_owner(0, 0) else {
        return Ok(());
    };
    std::os::unix::fs::chown(folder, Some(uid), Some(gid))?;
    for entry in fs::read_dir(folder)? {
        std::os::unix::fs::chown(entry?.path(), Some(uid), Some(gid))?;
    }
    Ok(())
}

/// What an interpreter answers, asked in the app's environment.
fn ask(stage: &Stage, argv: &[String], tools: &Tools<'_>) -> Result<Vec<u8>, String> {
    let command = stage.command(argv).map_err(|error| error.to_string())?;
    stage.ask(&command, PATIENCE, tools.cancel)
}

/// The folders that a variable of the image lists.
fn folders(env: &[(String, String)], name: &str, default: &str) -> Vec<ImagePath> {
    let value = env.iter().find(|(known, _)| known == name);
    value
        .map_or(default, |(_, value)| value)
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(ImagePath::clamped)
        .collect()
}

/// `__pycache__/NAME.TAG.pyc` (PEP 3147).
fn bytecode_of(source: &ImagePath, tag: &str) -> Option<ImagePath> {
    let name = std::str::from_utf8(source.name()).ok()?;
    let stem = name.strip_suffix(".py")?;
    Some(
        source
            .parent()?
            .join(format!("__pycache__/{stem}.{tag}.pyc")),
    )
}
