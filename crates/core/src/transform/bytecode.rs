//! Bytecode instead of source, or beside it.
//!
//! A module without bytecode starts three to four times slower; bytecode and
//! source both double its size. So libraries and the standard library become
//! bytecode alone (`x.pyc` where `x.py` was, which Python imports as it is),
//! and the app's own files keep their source for tracebacks, with bytecode in
//! `__pycache__`.
//!
//! Every `.pyc` is an unchecked hash-based one (PEP 552): it does not depend on
//! time stamps, and Python does not look at the source to trust it. Its bytes
//! depend on the source, its path and the interpreter's version alone, so they
//! are cached between runs.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use whit_oci::ImagePath;

use super::siphash::source_hash;
use crate::reach::python::marshal::Columns;
use crate::reach::python::{Facts, marshal};

/// What to do with a module's source (`--python-code`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Bytecode alone, where the source is not needed.
    #[default]
    Bytecode,
    /// Source alone; existing bytecode goes.
    Source,
    /// Both, everywhere.
    Both,
}

/// Where a module's code will be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub keep_source: bool,
    /// The `.pyc`, where there is to be one.
    pub bytecode: Option<ImagePath>,
}

impl Policy {
    /// Decides for one module. `needs_source` is true for the app's own files
    /// and for libraries that read their source.
    pub fn place(self, source: &ImagePath, needs_source: bool, facts: &Facts) -> Placement {
        let is_python = source.extension() == Some(b"py");
        // A script is never imported, and `python X` looks for no bytecode.
        if !is_python || self == Policy::Source || facts.pycache_prefix.is_some() {
            return Placement {
                keep_source: true,
                bytecode: None,
            };
        }
        let keep_source = needs_source || self == Policy::Both;
        Placement {
            keep_source,
            bytecode: Some(if keep_source {
                beside(source, facts)
            } else {
                instead(source)
            }),
        }
    }
}

/// `a/x.py` → `a/x.pyc`.
fn instead(source: &ImagePath) -> ImagePath {
    ImagePath::clamped([source.as_bytes(), b"c"].concat())
}

/// `a/x.py` → `a/__pycache__/x.cpython-311.pyc`, with `.opt-1` for `-O`.
fn beside(source: &ImagePath, facts: &Facts) -> ImagePath {
    let name = source.name();
    let stem = name.strip_suffix(b".py").unwrap_or(name);
    let level = match facts.optimize {
        0 => String::new(),
        level => format!(".opt-{level}"),
    };
    let tail = format!(".{}{level}.pyc", facts.cache_tag);
    source
        .parent()
        .unwrap_or_default()
        .join("__pycache__")
        .join([stem, tail.as_bytes()].concat())
}

/// A module to be compiled.
#[derive(Debug, Clone)]
pub struct Job {
    /// The source's path in the image: what tracebacks will show.
    pub path: ImagePath,
    /// Where its bytes lie on the host.
    pub source: PathBuf,
    /// Bytecode that the image already has for it, on the host, and the
    /// source's modification time, to tell whether it is of this source.
    pub existing: Option<(PathBuf, i64)>,
    /// Columns are of use where the source is there to be shown.
    pub columns: Columns,
}

/// What a module became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiled {
    /// The `.pyc`, a file in the cache.
    Bytecode(PathBuf),
    /// It does not compile (a template, Python 2): its source stays. Why.
    Source(String),
}

/// A command to be run in the image by the interpreter, without network.
#[derive(Debug)]
pub struct Worker<'a> {
    /// Arguments for the interpreter.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// A folder of the host that must be writable inside as [`EXCHANGE`].
    pub exchange: &'a Path,
}

/// Where the exchange folder is mounted.
pub const EXCHANGE: &str = "/.whit-exchange";

/// Why modules could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error("the interpreter could not compile the modules: {0}")]
    Worker(String),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the interpreter says nothing about {0}")]
    Unanswered(ImagePath),
    #[error("the interpreter's bytecode of {path} is not understood: {source}")]
    Bytecode {
        path: ImagePath,
        source: marshal::MarshalError,
    },
}

impl CompileError {
    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        match self {
            CompileError::Worker(_)
            | CompileError::Unanswered(_)
            | CompileError::Bytecode { .. } => {
                Some("--python-code source ships the modules as they are".to_owned())
            }
            CompileError::Io { .. } => None,
        }
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> CompileError + '_ {
    move |source| CompileError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Compiles modules with the image's own interpreter, at most two at a time,
/// those that the cache has excepted.
///
/// `run` starts a [`Worker`] and waits for it. The result does not depend on
/// which modules were cached or compiled together.
///
/// # Errors
/// When the interpreter fails as a whole, or a file cannot be read or written.
/// A module with errors of its own is not an error.
pub fn compile<E: Display>(
    jobs: &[Job],
    facts: &Facts,
    cache: &Path,
    run: &(dyn Fn(&Worker) -> Result<(), E> + Sync),
) -> Result<BTreeMap<ImagePath, Compiled>, CompileError> {
    use rayon::prelude::*;

    let found: Vec<Lookup> = jobs
        .par_iter()
        .map(|job| look_up(job, facts, cache))
        .collect::<Result<_, _>>()?;
    let mut done = BTreeMap::new();
    let mut open = Vec::new();
    for (job, lookup) in jobs.iter().zip(found) {
        match lookup {
            Lookup::Known(compiled) => {
                done.insert(job.path.clone(), compiled);
            }
            Lookup::Unknown { key, hash } => open.push(Open {
                path: &job.path,
                key,
                hash,
                columns: job.columns,
            }),
        }
    }
    if open.is_empty() {
        return Ok(done);
    }
    let middle = open.len().div_ceil(2);
    let batches: Vec<&[Open]> = if open.len() > 8 {
        open.chunks(middle).collect()
    } else {
        vec![&open]
    };
    let results: Vec<Vec<(ImagePath, Compiled)>> = batches
        .into_par_iter()
        .map(|batch| run_batch(batch, facts, cache, run))
        .collect::<Result<_, _>>()?;
    done.extend(results.into_iter().flatten());
    Ok(done)
}

/// What the cache knows of a module.
enum Lookup {
    Known(Compiled),
    Unknown {
        /// The name of its file in the cache.
        key: PathBuf,
        /// What goes into the header.
        hash: [u8; 8],
    },
}

/// A module that is to be compiled.
struct Open<'j> {
    path: &'j ImagePath,
    key: PathBuf,
    hash: [u8; 8],
    columns: Columns,
}

/// Changes when the content of cached files changes for other reasons than
/// those in the key.
const CACHE_VERSION: &[u8] = b"whit pyc 4";

fn look_up(job: &Job, facts: &Facts, cache: &Path) -> Result<Lookup, CompileError> {
    let source = fs::read(&job.source).map_err(io_error(&job.source))?;
    let mut hasher = Sha256::new();
    for part in [
        CACHE_VERSION,
        &facts.magic,
        &[
            facts.version.0,
            facts.version.1,
            facts.optimize,
            u8::from(job.columns == Columns::Keep),
        ],
        job.path.as_bytes(),
        Sha256::digest(&source).as_slice(),
    ] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let name = hex::encode(hasher.finalize());
    let key = cache.join(&name[..2]).join(&name[2..]);
    let pyc = key.with_extension("pyc");
    if pyc.is_file() {
        return Ok(Lookup::Known(Compiled::Bytecode(pyc)));
    }
    if let Ok(reason) = fs::read_to_string(key.with_extension("error")) {
        return Ok(Lookup::Known(Compiled::Source(reason)));
    }
    let magic = u32::from_le_bytes([
        facts.magic.first().copied().unwrap_or_default(),
        facts.magic.get(1).copied().unwrap_or_default(),
        facts.magic.get(2).copied().unwrap_or_default(),
        facts.magic.get(3).copied().unwrap_or_default(),
    ]);
    let hash = source_hash(magic, &source, (facts.version.0, facts.version.1));
    if let Some((path, mtime)) = &job.existing
        && let Ok(old) = fs::read(path)
        && let Some(code) = reusable(&old, &source, *mtime, hash, job, facts)
    {
        store(&pyc, &pyc_bytes(facts, hash, &code))?;
        return Ok(Lookup::Known(Compiled::Bytecode(pyc)));
    }
    Ok(Lookup::Unknown { key, hash })
}

/// The code of bytecode that exists, if it is of this very source, path and
/// interpreter.
fn reusable(
    old: &[u8],
    source: &[u8],
    mtime: i64,
    hash: [u8; 8],
    job: &Job,
    facts: &Facts,
) -> Option<Vec<u8>> {
    let (header, code) = old.split_at_checked(16)?;
    if header[..4] != facts.magic[..] {
        return None;
    }
    let fresh = match u32::from_le_bytes(header[4..8].try_into().ok()?) {
        // Of a source with this time and size, both modulo 2^32 (PEP 552).
        0 => {
            header[8..12] == (mtime as u32).to_le_bytes()
                && header[12..16] == (source.len() as u32).to_le_bytes()
        }
        1 | 3 => header[8..16] == hash,
        _ => false,
    };
    if !fresh {
        return None;
    }
    let code = marshal::read(code, (facts.version.0, facts.version.1), job.columns).ok()?;
    (code.filename.as_deref() == Some(&*job.path.to_string())).then_some(code.canonical)
}

fn run_batch<E: Display>(
    batch: &[Open],
    facts: &Facts,
    cache: &Path,
    run: &(dyn Fn(&Worker) -> Result<(), E> + Sync),
) -> Result<Vec<(ImagePath, Compiled)>, CompileError> {
    fs::create_dir_all(cache).map_err(io_error(cache))?;
    let exchange = tempfile::Builder::new()
        .prefix("compile-")
        .tempdir_in(cache)
        .map_err(io_error(cache))?;
    let listing = exchange.path().join("paths");
    let mut paths = Vec::new();
    for open in batch {
        paths.push(b'/');
        paths.extend_from_slice(open.path.as_bytes());
        paths.push(0);
    }
    fs::write(&listing, paths).map_err(io_error(&listing))?;
    let worker = Worker {
        // Without site: no hook of the image runs.
        args: ["-S", "-s", "-W", "ignore", "-c", include_str!("compile.py")]
            .into_iter()
            .map(str::to_owned)
            .chain([
                format!("{EXCHANGE}/paths"),
                EXCHANGE.to_owned(),
                facts.optimize.to_string(),
            ])
            .collect(),
        env: vec![
            // Sets are written in the order of their hashes.
            ("PYTHONHASHSEED".to_owned(), "0".to_owned()),
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ],
        exchange: exchange.path(),
    };
    run(&worker).map_err(|error| CompileError::Worker(error.to_string()))?;
    let mut compiled = Vec::new();
    for (number, open) in batch.iter().enumerate() {
        let result = exchange.path().join(number.to_string());
        let outcome = if let Ok(reason) = fs::read(result.with_extension("error")) {
            let reason = String::from_utf8_lossy(&reason).into_owned();
            store(&open.key.with_extension("error"), reason.as_bytes())?;
            Compiled::Source(reason)
        } else {
            let code = fs::read(result.with_extension("code"))
                .map_err(|_| CompileError::Unanswered(open.path.clone()))?;
            let code = marshal::read(&code, (facts.version.0, facts.version.1), open.columns)
                .map_err(|source| CompileError::Bytecode {
                    path: open.path.clone(),
                    source,
                })?;
            let pyc = open.key.with_extension("pyc");
            store(&pyc, &pyc_bytes(facts, open.hash, &code.canonical))?;
            Compiled::Bytecode(pyc)
        };
        compiled.push((open.path.clone(), outcome));
    }
    Ok(compiled)
}

/// A `.pyc`: magic, flags (hash-based, not checked), the source's hash, code.
fn pyc_bytes(facts: &Facts, hash: [u8; 8], code: &[u8]) -> Vec<u8> {
    let mut bytes = facts.magic.clone();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(hash);
    bytes.extend(code);
    bytes
}

/// Writes a file of the cache whole or not at all.
fn store(path: &Path, bytes: &[u8]) -> Result<(), CompileError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir).map_err(io_error(dir))?;
    // In one folder, where a draft of a dead whit is found; the sandbox's users
    // read it, too.
    let drafts = dir.parent().unwrap_or(dir);
    let mut file = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(drafts)
        .map_err(io_error(drafts))?;
    io::Write::write_all(&mut file, bytes).map_err(io_error(path))?;
    file.persist(path).map_err(|error| CompileError::Io {
        path: path.to_owned(),
        source: error.error,
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn facts() -> Facts {
        Facts {
            version: (3, 11, 2),
            cache_tag: "cpython-311".to_owned(),
            magic: vec![0xa7, 0x0d, 0x0d, 0x0a],
            ..Facts::default()
        }
    }

    #[test]
    fn places() {
        let source = ImagePath::from("lib/x.py");
        let place = |policy: Policy, needs, facts: &Facts| {
            let place = policy.place(&source, needs, facts);
            (place.keep_source, place.bytecode.map(|p| p.to_string()))
        };
        let some = |path: &str| Some(path.to_owned());
        let plain = facts();
        assert_eq!(
            place(Policy::Bytecode, false, &plain),
            (false, some("/lib/x.pyc"))
        );
        let cached = some("/lib/__pycache__/x.cpython-311.pyc");
        assert_eq!(
            place(Policy::Bytecode, true, &plain),
            (true, cached.clone())
        );
        assert_eq!(place(Policy::Both, false, &plain), (true, cached));
        assert_eq!(place(Policy::Source, false, &plain), (true, None));
        let optimized = Facts {
            optimize: 2,
            ..facts()
        };
        assert_eq!(
            place(Policy::Bytecode, true, &optimized),
            (true, some("/lib/__pycache__/x.cpython-311.opt-2.pyc"))
        );
    }

    /// Facts of the `python3` of this machine.
    fn host() -> Facts {
        let run = |argv: &[String]| {
            let output = Command::new(&argv[0]).args(&argv[1..]).output()?;
            Ok::<_, io::Error>(output.stdout)
        };
        Facts::gather(&["python3".to_owned()], &mut { run }).expect("this test needs a python3")
    }

    /// Runs workers on this machine; inside and outside are the same.
    fn run_here(worker: &Worker) -> Result<(), String> {
        let args = worker
            .args
            .iter()
            .map(|arg| match arg.strip_prefix(EXCHANGE) {
                Some(rest) => format!("{}{rest}", worker.exchange.display()),
                None => arg.clone(),
            });
        let output = Command::new("python3")
            .args(args)
            .env_clear()
            .env("PATH", env!("PATH"))
            .envs(worker.env.iter().map(|(k, v)| (k, v)))
            .output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn write(dir: &Path, name: &str, text: &str) -> Job {
        let source = dir.join(name);
        fs::write(&source, text).unwrap();
        Job {
            path: ImagePath::from(source.to_str().unwrap()),
            source,
            existing: None,
            columns: Columns::Keep,
        }
    }

    #[test]
    fn a_module_compiles_the_same_alone_and_in_company() {
        let dir = tempfile::tempdir().unwrap();
        let facts = host();
        let mut jobs: Vec<Job> = (0..20)
            .map(|i| {
                let text = format!(
                    "import sys\nkey = 'shared_name'\ndef f(x, y={i}):\n    return x in {{'a', 'b', 'shared_name', ','}}, (1, 2, 'long text', {i})\n"
                );
                write(dir.path(), &format!("m{i}.py"), &text)
            })
            .collect();
        jobs.push(write(dir.path(), "broken.py", "print 'python 2'\n"));
        let read = |result: &BTreeMap<ImagePath, Compiled>, job: &Job| match &result[&job.path] {
            Compiled::Bytecode(path) => fs::read(path).unwrap(),
            Compiled::Source(reason) => reason.clone().into_bytes(),
        };
        let together = compile(&jobs, &facts, &dir.path().join("a"), &run_here).unwrap();
        let alone = compile(&jobs[3..4], &facts, &dir.path().join("b"), &run_here).unwrap();
        assert_eq!(read(&together, &jobs[3]), read(&alone, &jobs[3]));
        assert!(
            matches!(&together[&jobs[20].path], Compiled::Source(why) if why.starts_with("SyntaxError"))
        );
        // Everything is known now: nothing runs.
        let nobody = |_: &Worker| Err("was run");
        let again = compile(&jobs, &facts, &dir.path().join("a"), &nobody).unwrap();
        assert_eq!(again, together);
    }

    #[test]
    fn bytecode_alone_runs_and_its_hash_is_the_interpreters() {
        let dir = tempfile::tempdir().unwrap();
        let facts = host();
        let job = write(dir.path(), "answer.py", "def f():\n    return 42\n");
        let done = compile(
            std::slice::from_ref(&job),
            &facts,
            &dir.path().join("c"),
            &run_here,
        )
        .unwrap();
        let Compiled::Bytecode(pyc) = &done[&job.path] else {
            panic!("{done:?}");
        };
        let target = dir.path().join("only");
        fs::create_dir(&target).unwrap();
        fs::copy(pyc, target.join("answer.pyc")).unwrap();
        let script = format!(
            "import sys, importlib.util as u\nsys.path.insert(0, {target:?})\nimport answer\n\
             print(answer.f(), answer.f.__code__.co_filename)\n\
             print(open({pyc:?}, 'rb').read()[8:16] == u.source_hash(open({source:?}, 'rb').read()))\n",
            source = job.source,
        );
        let output = Command::new("python3")
            .args(["-c", &script])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("42 {}\nTrue\n", job.source.display()),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Comparing code objects compares their constants with their types.
    #[test]
    fn canonical_bytecode_is_the_interpreters_code() {
        let dir = tempfile::tempdir().unwrap();
        let python = |script: &str| {
            let output = Command::new("python3").args(["-c", script]).output();
            let output = output.unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let library = python("import os; print(os.path.dirname(os.__file__), end='')");
        let jobs: Vec<Job> = [
            "argparse",
            "ast",
            "dataclasses",
            "enum",
            "inspect",
            "typing",
        ]
        .into_iter()
        .map(|name| {
            let source = Path::new(&library).join(format!("{name}.py"));
            Job {
                path: ImagePath::from(source.to_str().unwrap()),
                source,
                existing: None,
                columns: Columns::Keep,
            }
        })
        .collect();
        let done = compile(&jobs, &host(), &dir.path().join("c"), &run_here).unwrap();
        for job in &jobs {
            let Compiled::Bytecode(pyc) = &done[&job.path] else {
                panic!("{done:?}");
            };
            let script = format!(
                "import marshal\nsource = open({source:?}, 'rb').read()\n\
                 code = compile(source, {source:?}, 'exec', dont_inherit=True)\n\
                 print(marshal.loads(open({pyc:?}, 'rb').read()[16:]) == code)",
                source = job.source,
            );
            assert_eq!(python(&script), "True\n", "{}", job.path);
        }
    }

    #[test]
    fn existing_bytecode_is_used_if_it_is_of_this_source() {
        let dir = tempfile::tempdir().unwrap();
        let facts = host();
        let mut job = write(dir.path(), "old.py", "x = 'value'\n");
        let script = format!(
            "import py_compile; py_compile.compile({:?}, cfile={:?}, doraise=True)",
            job.source,
            dir.path().join("old.pyc")
        );
        assert!(
            Command::new("python3")
                .args(["-c", &script])
                .status()
                .unwrap()
                .success()
        );
        let mtime = std::os::unix::fs::MetadataExt::mtime(&job.source.metadata().unwrap());
        let fresh = compile(
            std::slice::from_ref(&job),
            &facts,
            &dir.path().join("a"),
            &run_here,
        )
        .unwrap();
        job.existing = Some((dir.path().join("old.pyc"), mtime));
        let nobody = |_: &Worker| Err("was run");
        let reused = compile(
            std::slice::from_ref(&job),
            &facts,
            &dir.path().join("b"),
            &nobody,
        )
        .unwrap();
        let bytes = |done: &BTreeMap<ImagePath, Compiled>| match &done[&job.path] {
            Compiled::Bytecode(path) => fs::read(path).unwrap(),
            Compiled::Source(why) => panic!("{why}"),
        };
        assert_eq!(bytes(&fresh), bytes(&reused));
        job.existing = Some((dir.path().join("old.pyc"), mtime + 1));
        let stale = compile(
            std::slice::from_ref(&job),
            &facts,
            &dir.path().join("c"),
            &nobody,
        );
        assert!(matches!(stale, Err(CompileError::Worker(_))));
    }
}
