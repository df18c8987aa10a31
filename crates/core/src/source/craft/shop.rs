//! The sandbox in which a project is built: the build root with the host's
//! network, a copy of the sources, and of the host only the settings that say
//! from where dependencies come.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use whit_sandbox::{Command, Emulator, Exit, GivenUp, Mount, Network, Running, Spec, Stdin, Upper};

use super::error::io;
use super::{CraftError, Request};
use crate::observe;
use crate::source::project::{HostSettings, Step};
use crate::source::python_deps::{BUNDLES, give};

/// One step may take as long as the slowest build that people wait for.
const LIMIT: Duration = Duration::from_secs(2 * 60 * 60);
/// The folder for temporary files is on disk; this is for stray writes.
const MEMORY: u64 = 1 << 30;
/// What a build dates its files to, where it asks.
const EPOCH: &str = "315532800";
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// Names of a proxy, in either case.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// A place to build in. What is left of it on the host goes when it is dropped.
pub struct Shop<'a> {
    folder: tempfile::TempDir,
    root: PathBuf,
    mounts: Vec<Mount>,
    env: BTreeMap<String, String>,
    emulator: Option<Emulator>,
    cancel: &'a AtomicBool,
}

/// How a step ended.
pub enum End {
    Done,
    Failed { code: i32, output: String },
}

impl<'a> Shop<'a> {
    pub fn new(request: &Request<'a>) -> Result<Self, CraftError> {
        let tmp = request.cache.join("tmp");
        std::fs::create_dir_all(&tmp).map_err(io(format!("making {}", tmp.display())))?;
        let folder = tempfile::Builder::new()
            .prefix("craft-")
            .tempdir_in(&tmp)
            .map_err(io(format!("making a folder in {}", tmp.display())))?;
        let mut shop = Self {
            folder,
            root: request.root.to_owned(),
            mounts: Vec::new(),
            env: BTreeMap::new(),
            emulator: observe::emulator(request.architecture),
            cancel: request.cancel,
        };
        for name in [
            "in",
            "src",
            "tmp",
            "out",
            "out/programs",
            "out/dependencies",
            "out/built",
        ] {
            own_folder(&shop.host(name))?;
        }
        for name in ["in", "src", "tmp", "out"] {
            let inside = format!("/whit/{name}");
            shop.mount(shop.host(name), &inside, name == "in");
        }
        shop.surroundings(request);
        shop.settings(&request.craft.settings, request)?;
        Ok(shop)
    }

    /// The host's path of `in`, `src`, `tmp` or `out`.
    pub fn host(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mount(&mut self, host: PathBuf, inside: &str, read_only: bool) {
        self.mounts.push(Mount {
            host,
            inside: inside.into(),
            read_only,
        });
    }

    fn surroundings(&mut self, request: &Request<'_>) {
        if let Some(base) = request.base {
            self.env.extend(base.env.iter().cloned());
        }
        let fixed = [
            ("PATH", request.base.map_or(PATH, |base| base.path)),
            ("HOME", "/whit/tmp"),
            ("TMPDIR", "/whit/tmp"),
            ("LANG", "C.UTF-8"),
            ("NO_COLOR", "1"),
            ("CI", "1"),
            ("SOURCE_DATE_EPOCH", EPOCH),
            ("OUT", "/whit/out"),
            ("APP", &request.project.workdir.to_string()),
        ];
        for (name, value) in fixed {
            self.env.insert(name.to_owned(), value.to_owned());
        }
    }

    /// What of the host's settings holds here.
    fn settings(
        &mut self,
        settings: &HostSettings,
        request: &Request<'_>,
    ) -> Result<(), CraftError> {
        let host = request.environment;
        for (name, value) in host {
            let is_passed = settings
                .prefixes
                .iter()
                .any(|start| name.starts_with(start))
                && !settings.except.contains(&name.as_str());
            let is_proxy = PROXIES.contains(&name.to_uppercase().as_str());
            if (is_passed || is_proxy) && !value.is_empty() {
                self.env.insert(name.clone(), value.clone());
            }
        }
        let home = host.get("HOME").map(Path::new);
        for (number, file) in settings.files.iter().enumerate() {
            let named = host.get(file.named_by).map(PathBuf::from);
            let from = named.or_else(|| Some(home?.join(file.at_home)));
            if let Some(from) = from.filter(|path| path.is_file()) {
                let ending = from.extension().unwrap_or_default().to_string_lossy();
                let inside = self.bring(&from, &format!("settings-{number}.{ending}"))?;
                self.env.insert(file.variable.to_owned(), inside);
            }
        }
        let netrc = home.map(|home| home.join(".netrc"));
        if let Some(netrc) = netrc.filter(|path| path.is_file()) {
            let to = self.host("tmp").join(".netrc");
            copy(&netrc, &to)?;
        }
        let named = host.get("SSL_CERT_FILE").map(PathBuf::from);
        let bundle = named
            .into_iter()
            .chain(BUNDLES.iter().map(PathBuf::from))
            .find(|path| path.is_file());
        if let Some(bundle) = bundle {
            let inside = self.bring(&bundle, "ca.pem")?;
            for name in settings.certificates {
                self.env.insert((*name).to_owned(), inside.clone());
            }
        }
        for (variable, name) in settings.caches {
            let kept = request.cache.join(name);
            own_folder(&kept)?;
            let inside = format!("/whit/cache/{name}");
            self.mount(kept, &inside, false);
            self.env.insert((*variable).to_owned(), inside);
        }
        Ok(())
    }

    /// Copies a file of the host; returns its path inside. The sandbox's user
    /// may not be allowed to read the original.
    fn bring(&self, from: &Path, name: &str) -> Result<String, CraftError> {
        copy(from, &self.host("in").join(name))?;
        Ok(format!("/whit/in/{name}"))
    }

    pub fn run(&self, step: &Step) -> Result<End, CraftError> {
        let spec = Spec {
            lowers: vec![self.root.clone()],
            upper: Upper::Memory { max_bytes: MEMORY },
            mounts: self.mounts.clone(),
            network: Network::Host,
            hostname: "whit".to_owned(),
            max_processes: 4096,
            emulator: self.emulator.clone(),
        };
        let command = Command {
            argv: ["/bin/sh", "-e", "-c", &step.script]
                .map(Into::into)
                .to_vec(),
            env: self
                .env
                .iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            cwd: "/whit/src".into(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            stdin: Stdin::Null,
            trace: false,
        };
        let running = Running::start(&spec, &command)?;
        let outcome =
            running
                .finish_within(LIMIT, self.cancel)?
                .map_err(|given_up| match given_up {
                    GivenUp::Cancelled => CraftError::Interrupted,
                    GivenUp::TooLong => CraftError::Timeout {
                        phase: step.phase,
                        minutes: LIMIT.as_secs() / 60,
                    },
                })?;
        let code = match outcome.exit {
            Exit::Code(0) => return Ok(End::Done),
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        };
        Ok(End::Failed {
            code,
            output: outcome.text(),
        })
    }

    /// What the steps left, as a folder of its own.
    pub fn into_out(self) -> Result<tempfile::TempDir, CraftError> {
        let tmp = self.folder.path().parent().unwrap_or(Path::new("."));
        let kept = tempfile::Builder::new()
            .prefix("crafted-")
            .tempdir_in(tmp)
            .map_err(io(format!("making a folder in {}", tmp.display())))?;
        let from = self.host("out");
        for name in ["programs", "dependencies", "built"] {
            std::fs::rename(from.join(name), kept.path().join(name))
                .map_err(io(format!("keeping {name} of the build")))?;
        }
        Ok(kept)
    }
}

impl Drop for Shop<'_> {
    /// Module caches are read-only on purpose; `tempfile` gives up on them.
    fn drop(&mut self) {
        let _ = crate::workspace::remove_tree(self.folder.path());
    }
}

fn own_folder(folder: &Path) -> Result<(), CraftError> {
    std::fs::create_dir_all(folder).map_err(io(format!("making {}", folder.display())))?;
    give(folder).map_err(CraftError::Sources)
}

fn copy(from: &Path, to: &Path) -> Result<(), CraftError> {
    use std::os::unix::fs::PermissionsExt;
    let context = || format!("copying {} for the build", from.display());
    std::fs::copy(from, to).map_err(io(context()))?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).map_err(io(context()))?;
    give(to).map_err(CraftError::Sources)
}
