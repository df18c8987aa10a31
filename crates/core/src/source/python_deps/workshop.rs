//! The sandbox in which uv and pip run: the fat root with the host's network,
//! and a few folders of the host at fixed places, so that no path of this
//! machine gets into what is installed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use whit_sandbox::{
    Command, Emulator, Exit, GivenUp, Mount, Network, Running, Spec, Stdin, Upper, disk_owner,
};

use super::error::io;
use super::index_settings::{Access, INSIDE};
use super::{Failure, Inherited, InstallError, failure};
use crate::observe;

/// One step may take as long as the slowest build that people wait for.
const LIMIT: Duration = Duration::from_secs(60 * 60);
/// The folder for temporary files is on disk; this is for stray writes.
const MEMORY: u64 = 1 << 30;

/// Every file that a build makes is dated to the first day that a zip archive
/// can express, whichever day it is.
pub const EPOCH: i64 = 315_532_800;

/// Where programs are in a root of Debian packages.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Where things lie inside.
pub const UV: &str = "/whit/uv";
pub const SRC: &str = "/whit/src";
pub const OUT: &str = "/whit/out";
const CACHE: &str = "/whit/cache";
const TMP: &str = "/whit/tmp";

/// Where a workshop is set up, and for whom.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// Folders of the root, the bottom one first.
    pub lowers: &'a [PathBuf],
    /// Debian's name of the processor that the root is for.
    pub architecture: &'a str,
    /// The variables and the `PATH` of the base, where there is one.
    pub base: Option<Inherited<'a>>,
    /// whit's cache folder.
    pub cache: &'a Path,
    pub cancel: &'a AtomicBool,
}

/// A place to work in. The folder on the host is removed when it is dropped.
pub struct Workshop<'a> {
    pub folder: tempfile::TempDir,
    lowers: Vec<PathBuf>,
    access: Access,
    /// uv's cache, shared by all workshops in which builds find the same.
    cache: PathBuf,
    python: String,
    base: Option<Inherited<'a>>,
    architecture: &'a str,
    emulator: Option<Emulator>,
    cancel: &'a AtomicBool,
}

/// What a run gets besides the workshop's own folders.
#[derive(Default)]
pub struct Run<'a> {
    pub step: &'static str,
    pub argv: Vec<String>,
    pub mounts: Vec<Mount>,
    pub variables: Vec<(&'a str, String)>,
}

impl<'a> Workshop<'a> {
    /// Sets one up. `python` is `python3.11`. Temporary files lie in whit's
    /// cache folder too, so that finished folders can be renamed into their
    /// place. uv's own cache is the folder `uv_cache` in it.
    pub fn new(
        site: Site<'a>,
        uv_cache: &str,
        access: Access,
        python: &str,
    ) -> Result<Self, InstallError> {
        let cache = site.cache;
        let tmp = cache.join("tmp");
        let uv_cache = cache.join(uv_cache);
        for folder in [&tmp, &uv_cache] {
            std::fs::create_dir_all(folder).map_err(io(format!("making {}", folder.display())))?;
        }
        let folder = tempfile::Builder::new()
            .prefix("deps-")
            .tempdir_in(&tmp)
            .map_err(io(format!("making a folder in {}", tmp.display())))?;
        let workshop = Self {
            folder,
            lowers: site.lowers.to_vec(),
            access,
            cache: uv_cache,
            python: python.to_owned(),
            base: site.base,
            architecture: site.architecture,
            emulator: observe::emulator(site.architecture),
            cancel: site.cancel,
        };
        give(&workshop.cache)?;
        for name in ["in", "out", "src", "tmp"] {
            let path = workshop.host(name);
            std::fs::create_dir(&path).map_err(io(format!("making {}", path.display())))?;
            give(&path)?;
        }
        workshop.copy_files()?;
        Ok(workshop)
    }

    /// `python3.11`.
    pub fn python(&self) -> &str {
        &self.python
    }

    /// The kernel's name of the processor that the root is for.
    pub fn machine(&self) -> &str {
        match self.architecture {
            "amd64" => "x86_64",
            "arm64" => "aarch64",
            other => other,
        }
    }

    /// The host's path of `in`, `out`, `src` or `tmp`.
    pub fn host(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The files of the host that the settings name. A copy, because the
    /// sandbox's user may not read the original (`.netrc`).
    fn copy_files(&self) -> Result<(), InstallError> {
        for (name, from) in &self.access.files {
            let to = self.host("in").join(name);
            let context = || format!("copying {} for the installer", from.display());
            let parents = to.ancestors().skip(1);
            let own: Vec<&Path> = parents
                .take_while(|folder| *folder != self.host("in"))
                .collect();
            for folder in own.into_iter().rev() {
                std::fs::create_dir_all(folder).map_err(io(context()))?;
                give(folder)?;
            }
            std::fs::copy(from, &to).map_err(io(context()))?;
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600))
                .map_err(io(context()))?;
            give(&to)?;
        }
        Ok(())
    }

    /// Writes a text for a tool; returns its path inside.
    pub fn input(&self, name: &str, text: &str) -> Result<String, InstallError> {
        let path = self.host("in").join(name);
        std::fs::write(&path, text).map_err(io(format!("writing {}", path.display())))?;
        give(&path)?;
        Ok(format!("{INSIDE}/{name}"))
    }

    /// Runs a program to its end. What it wrote to both streams is the value.
    pub fn run(&self, run: Run<'_>) -> Result<String, Failure> {
        let error = |error: whit_sandbox::Error| Failure::Error(error.into());
        let running = Running::start(
            &self.spec(run.mounts),
            &self.command(&run.argv, &run.variables),
        )
        .map_err(error)?;
        let outcome = running
            .finish_within(LIMIT, self.cancel)
            .map_err(error)?
            .map_err(|given_up| {
                Failure::Error(match given_up {
                    GivenUp::Cancelled => InstallError::Interrupted,
                    GivenUp::TooLong => InstallError::Timeout {
                        step: run.step,
                        minutes: LIMIT.as_secs() / 60,
                    },
                })
            })?;
        let text = outcome.text();
        match outcome.exit {
            Exit::Code(0) => Ok(text),
            _ => Err(failure::read(run.step, &text, &self.python)),
        }
    }

    fn spec(&self, more: Vec<Mount>) -> Spec {
        let mount = |host: PathBuf, inside: &str, read_only| Mount {
            host,
            inside: inside.into(),
            read_only,
        };
        let mut mounts = vec![
            mount(self.host("in"), INSIDE, true),
            mount(self.host("src"), SRC, false),
            mount(self.host("out"), OUT, false),
            mount(self.host("tmp"), TMP, false),
            mount(self.cache.clone(), CACHE, false),
        ];
        for folder in &self.access.folders {
            mounts.push(Mount {
                host: folder.clone(),
                inside: folder.clone(),
                read_only: true,
            });
        }
        mounts.extend(more);
        Spec {
            lowers: self.lowers.clone(),
            upper: Upper::Memory { max_bytes: MEMORY },
            mounts,
            network: Network::Host,
            hostname: "whit".to_owned(),
            max_processes: 4096,
            emulator: self.emulator.clone(),
        }
    }

    fn command(&self, argv: &[String], more: &[(&str, String)]) -> Command {
        let base = self.base.map_or(&[][..], |base| base.env);
        let mut env: BTreeMap<String, String> = base.iter().cloned().collect();
        env.extend(self.access.variables.clone());
        let fixed = [
            ("PATH", self.base.map_or(PATH, |base| base.path).to_owned()),
            ("HOME", "/root".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("NO_COLOR", "1".to_owned()),
            ("TMPDIR", TMP.to_owned()),
            ("XDG_CONFIG_HOME", format!("{INSIDE}/config")),
            ("XDG_CONFIG_DIRS", format!("{INSIDE}/system")),
            ("SOURCE_DATE_EPOCH", EPOCH.to_string()),
            // Debug information names the folder of the build, whose name is a
            // matter of chance; the image is stripped of it anyway.
            ("CFLAGS", "-O2 -g0".to_owned()),
            ("CXXFLAGS", "-O2 -g0".to_owned()),
            // Sets and dictionaries of a build that writes them out.
            ("PYTHONHASHSEED", "0".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".to_owned()),
            ("PIP_ROOT_USER_ACTION", "ignore".to_owned()),
            ("UV_CACHE_DIR", CACHE.to_owned()),
            ("UV_LINK_MODE", "copy".to_owned()),
            ("UV_NO_PROGRESS", "1".to_owned()),
            ("UV_PYTHON_DOWNLOADS", "never".to_owned()),
            ("UV_PYTHON_PREFERENCE", "only-system".to_owned()),
        ];
        env.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        env.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        Command {
            argv: argv.iter().map(OsString::from).collect(),
            env: env
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            cwd: SRC.into(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            stdin: Stdin::Null,
            trace: false,
        }
    }
}

/// Hands a file or an empty folder to the sandbox's root.
pub fn give(path: &Path) -> Result<(), InstallError> {
    if let Some((uid, gid)) = disk_owner(0, 0) {
        lchown(path, Some(uid), Some(gid))
            .map_err(io(format!("handing over {}", path.display())))?;
    }
    Ok(())
}
