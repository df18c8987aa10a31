//! `--base IMAGE`: an image as the runtime, in the place of Debian's packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use serde_json::json;
use whit_oci::{Digest, Entry, Image, ImageConfig, ImagePath, Kind, Meta};

use super::image::{layer_number, unpack};
use super::project::VENV;
use super::unpack::UnpackError;
use crate::index::{Builder, NodeKind, Tree};
use crate::observe::{self, Stage, Users};
use crate::pipeline::Tools;

/// Where interpreters lie beside the folders of the base's `PATH`.
const USUAL: [&str; 4] = ["usr/local/bin", "usr/bin", "bin", "opt/conda/bin"];

/// More interpreters than this are not looked at.
const MAX_PYTHONS: usize = 8;

/// Most bytes of a file of accounts.
const MAX_ACCOUNTS: u64 = 4 << 20;

/// How long an interpreter may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(60);

/// A virtual environment is no place to install into: its interpreter tells
/// the one that it was made from.
const QUESTION: &str = "\
import os, sys
print(*sys.version_info[:3])
print(os.path.realpath(getattr(sys, '_base_executable', None) or sys.executable))
";

/// A base image, unpacked and looked at.
#[derive(Debug)]
pub struct Base {
    /// As the user named it.
    pub name: String,
    /// Of its configuration, which names its layers by content, whatever they
    /// are compressed with. What `docker images` calls the image's ID.
    pub digest: Digest,
    pub config: ImageConfig,
    /// Those that work, the one that `PATH` finds first at the front.
    pub pythons: Vec<FoundPython>,
    /// What became of the search, where there are none.
    pub no_python: String,
    /// Its `/etc/passwd` and `/etc/group`.
    pub passwd: String,
    pub group: String,
    /// It had something where the dependencies are installed, which is gone.
    pub had_venv: bool,
    pub dir: PathBuf,
    pub builder: Builder,
    /// Layers of the builder that are the base's.
    pub layers: u16,
}

/// An interpreter of a base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPython {
    /// Absolute, no link and in no virtual environment.
    pub program: String,
    pub release: [u32; 3],
}

impl fmt::Display for FoundPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, micro] = self.release;
        write!(f, "{major}.{minor}.{micro} ({})", self.program)
    }
}

/// Why an image cannot be the base.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    #[error("the base {base} is for {found}, and this machine is {wanted}")]
    Architecture {
        base: String,
        found: String,
        wanted: String,
    },
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    #[error(transparent)]
    Stage(#[from] observe::Error),
    #[error("cannot write to whit's own folders: {0}")]
    Io(#[from] std::io::Error),
    #[error("interrupted; nothing was written")]
    Interrupted,
}

impl BaseError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            BaseError::Architecture { .. } => {
                Some("save the image for this machine's platform".to_owned())
            }
            BaseError::Stage(error) => error.hint(),
            _ => None,
        }
    }
}

fn looked_at(tried: usize, problem: &str) -> String {
    match tried {
        0 => "no python3 in its PATH, /usr/local/bin, /usr/bin or /bin".to_owned(),
        _ => format!("what it calls python does not work ({problem})"),
    }
}

impl Base {
    /// Unpacks `image`, which the user calls `name`, and asks its interpreters
    /// who they are. `architecture` is Go's name of this machine's; `limit` as
    /// for [`super::image::open`].
    pub fn open(
        image: &Image,
        name: &str,
        architecture: &str,
        limit: Option<u64>,
        tools: &Tools<'_>,
    ) -> Result<Self, BaseError> {
        let found = image.config().architecture();
        if found != architecture {
            return Err(BaseError::Architecture {
                base: name.to_owned(),
                found: found.to_owned(),
                wanted: architecture.to_owned(),
            });
        }
        let dir = tools.workspace.folder("base")?;
        let cancelled = || tools.check_cancelled().is_err();
        let mut unpacker = unpack(image, &dir, limit, &cancelled)?;
        let layers = layer_number(image.layers().len());
        let venv = ImagePath::from(VENV);
        let had_venv = unpacker.builder().get(&venv).is_some();
        if had_venv {
            let gone = Entry {
                path: venv,
                kind: Kind::Whiteout,
                meta: Meta::default(),
            };
            unpacker.put(layers, &gone, b"")?;
        }
        let builder = unpacker.finish()?;
        let tree = builder.snapshot();
        let (pythons, no_python) = pythons(&tree, &dir, image.config(), tools)?;
        Ok(Self {
            name: name.to_owned(),
            digest: image.config_digest(),
            pythons,
            no_python,
            config: image.config().clone(),
            passwd: text(&tree, &dir, "etc/passwd"),
            group: text(&tree, &dir, "etc/group"),
            had_venv,
            dir,
            builder,
            layers,
        })
    }

    pub fn users(&self) -> Users {
        Users::parse(self.passwd.as_bytes(), self.group.as_bytes())
    }
}

/// Every interpreter that works, each once, and what was wrong where none does.
fn pythons(
    tree: &Tree,
    dir: &Path,
    config: &ImageConfig,
    tools: &Tools<'_>,
) -> Result<(Vec<FoundPython>, String), BaseError> {
    let mut config = config.clone();
    // Its own user may not be allowed to start it.
    config.set_exec("User", json!(""));
    config.set_exec("WorkingDir", json!("/"));
    let scratch = tools.workspace.folder("stage-base")?;
    let stage = Stage::new(&[dir.to_owned()], &config, tree, &scratch)?;
    let candidates = candidates(tree, &config);
    let mut found: Vec<FoundPython> = Vec::new();
    let mut problem = String::new();
    for program in &candidates {
        let command = stage.command(&[program, "-I", "-c", QUESTION])?;
        match stage
            .ask(&command, PATIENCE, tools.cancel)
            .and_then(|answer| understood(&answer))
        {
            Ok(python) if found.contains(&python) => {}
            Ok(python) => found.push(python),
            Err(said) => problem = format!("{program}: {said}"),
        }
        if tools.check_cancelled().is_err() {
            return Err(BaseError::Interrupted);
        }
    }
    Ok((found, looked_at(candidates.len(), &problem)))
}

/// The programs that look like an interpreter, each file once: `python3`
/// before `python` before `python3.13` before `python3.9`, folder by folder.
fn candidates(tree: &Tree, config: &ImageConfig) -> Vec<String> {
    let env = config.env();
    let path = env.iter().find(|(name, _)| name == "PATH");
    let mut folders: Vec<ImagePath> = path
        .map_or("", |(_, value)| value)
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(ImagePath::clamped)
        .collect();
    folders.extend(USUAL.map(ImagePath::from));
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for folder in folders {
        let Some(id) = tree.lookup(&folder) else {
            continue;
        };
        let mut here: Vec<_> = tree
            .children(id)
            .iter()
            .filter_map(|child| Some((rank(tree.path(*child).name())?, tree.path(*child))))
            .collect();
        here.sort();
        for (_, path) in here {
            let file = tree.lookup(path).map(|id| (id, tree.node(id)));
            if let Some((id, node)) = file
                && node.is_executable()
                && seen.insert(id)
            {
                found.push(path.to_string());
            }
        }
    }
    found.truncate(MAX_PYTHONS);
    found
}

/// The order of interpreters' names; `None` for every other name.
fn rank(name: &[u8]) -> Option<u32> {
    match std::str::from_utf8(name).ok()? {
        "python3" => Some(0),
        "python" => Some(1),
        name => {
            let minor: u32 = name.strip_prefix("python3.")?.parse().ok()?;
            Some(u32::MAX - minor)
        }
    }
}

/// Reads the answer to [`QUESTION`].
fn understood(answer: &[u8]) -> Result<FoundPython, String> {
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines();
    let numbers: Vec<u32> = lines
        .next()
        .unwrap_or_default()
        .split(' ')
        .filter_map(|number| number.parse().ok())
        .collect();
    let program = lines.next().unwrap_or_default();
    match (<[u32; 3]>::try_from(numbers), program.starts_with('/')) {
        (Ok(release @ [3, ..]), true) => Ok(FoundPython {
            program: program.to_owned(),
            release,
        }),
        _ => Err(format!("it says {:?}", text.trim())),
    }
}

/// A file of the image, links followed inside of it; empty if there is none.
fn text(tree: &Tree, dir: &Path, path: &str) -> String {
    let id = tree.lookup(&path.into());
    let file = id
        .map(|id| tree.node(id))
        .filter(|node| matches!(node.kind, NodeKind::File { .. }) && node.size() <= MAX_ACCOUNTS);
    file.and_then(|node| fs::read(node.path.under(dir)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tree;

    #[test]
    fn interpreters_by_path_and_by_place() {
        let tree = tree(&[
            "usr/bin/python3 -> python3.11",
            "*usr/bin/python3.9",
            "*usr/bin/python3.11",
            "*usr/bin/python3.11-config",
            "*usr/bin/pythonic",
            "usr/bin/python3.8",
            "usr/local/bin/python3 -> python3.13",
            "usr/local/bin/python -> python3",
            "*usr/local/bin/python3.13",
            "bin -> usr/bin",
        ]);
        let mut config = ImageConfig::new("amd64");
        let all = [
            "/usr/local/bin/python3",
            "/usr/bin/python3",
            "/usr/bin/python3.9",
        ];
        assert_eq!(candidates(&tree, &config), all);
        config.set_exec("Env", json!(["PATH=/bin:relative"]));
        assert_eq!(
            candidates(&tree, &config),
            [
                "/usr/bin/python3",
                "/usr/bin/python3.9",
                "/usr/local/bin/python3"
            ]
        );
    }

    #[test]
    fn answers() {
        assert_eq!(
            understood(b"3 12 4\n/usr/local/bin/python3.12\n"),
            Ok(FoundPython {
                program: "/usr/local/bin/python3.12".to_owned(),
                release: [3, 12, 4],
            })
        );
        for bad in ["", "2 7 18\n/usr/bin/python2\n", "3 12 4\n\n", "usage: x\n"] {
            assert!(understood(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
