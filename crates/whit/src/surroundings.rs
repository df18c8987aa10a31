//! What whit takes from the machine: environment, folders, clock, signals.
//! The only place that asks for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use whit_oci::download::Proxies;
use whit_oci::{EngineAddress, RegistrySettings};

use crate::ui::Failure;

/// The machine around one run.
#[derive(Clone)]
pub struct Surroundings {
    pub environment: BTreeMap<String, String>,
    /// `$XDG_CACHE_HOME/whit` (XDG base directory specification).
    pub cache: PathBuf,
    /// Seconds since 1970.
    pub now: i64,
    /// `SOURCE_DATE_EPOCH` (reproducible-builds.org/specs), if it is set.
    pub source_date_epoch: Option<i64>,
    /// Becomes true at the first Ctrl-C; the second one ends whit at once.
    pub cancel: Arc<AtomicBool>,
    /// The number of the signal that set it; 0 before.
    signal: Arc<AtomicUsize>,
}

impl Surroundings {
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    pub fn of_this_process() -> Result<Self, Failure> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs().cast_signed());
        let source_date_epoch = match environment.get("SOURCE_DATE_EPOCH") {
            None => None,
            Some(text) => Some(text.trim().parse().map_err(|_| {
                Failure::input(anyhow::anyhow!(
                    "SOURCE_DATE_EPOCH is {text:?}, which is no number of seconds since 1970"
                ))
            })?),
        };
        let (cancel, signal) = cancelled_by_signals()?;
        Ok(Self {
            cache: cache_folder(&environment)?,
            environment,
            now,
            source_date_epoch,
            cancel,
            signal,
        })
    }

    /// The signal that asked whit to end, if one did.
    pub fn signal(&self) -> Option<u8> {
        let number = self.signal.load(Ordering::Relaxed);
        u8::try_from(number).ok().filter(|number| *number != 0)
    }

    /// How this user reaches registries: logins as containers-auth.json(5) and
    /// Docker keep them, certificates as containers-certs.d(5) has them.
    pub fn registries(&self) -> RegistrySettings {
        let home = self.path("HOME");
        let below_home = |rest: &str| home.as_ref().map(|home| home.join(rest));
        let config = self.path("XDG_CONFIG_HOME").or(below_home(".config"));
        let below_config = |rest: &str| config.as_ref().map(|config| config.join(rest));
        let runtime = self.path("XDG_RUNTIME_DIR");
        let logins = [
            self.path("REGISTRY_AUTH_FILE"),
            runtime.map(|folder| folder.join("containers/auth.json")),
            below_config("containers/auth.json"),
            self.docker_folder()
                .map(|folder| folder.join("config.json")),
        ];
        let certificates = [
            below_config("containers/certs.d"),
            below_config("docker/certs.d"),
            Some(PathBuf::from("/etc/containers/certs.d")),
            Some(PathBuf::from("/etc/docker/certs.d")),
        ];
        RegistrySettings {
            cache: self.cache.join("blobs"),
            logins: logins.into_iter().flatten().collect(),
            certificates: certificates.into_iter().flatten().collect(),
            proxies: self.proxies(),
            cancel: Arc::clone(&self.cancel),
            ..RegistrySettings::default()
        }
    }

    /// Where Docker listens, as its own program finds it: `DOCKER_HOST`, the
    /// context, then its sockets, rootless first, as only its own user has it.
    pub fn docker(&self) -> EngineAddress {
        let text = |name: &str| self.environment.get(name).filter(|text| !text.is_empty());
        if let Some(address) = text("DOCKER_HOST") {
            return match EngineAddress::given(address) {
                EngineAddress::Port(_) if text("DOCKER_TLS_VERIFY").is_some() => {
                    EngineAddress::Elsewhere(format!("{address} with TLS"))
                }
                address => address,
            };
        }
        let context = text("DOCKER_CONTEXT").map(String::as_str);
        let in_context = self
            .docker_folder()
            .and_then(|folder| EngineAddress::of_docker_context(&folder, context));
        if let Some(address) = in_context {
            return address;
        }
        let sockets = [
            self.path("XDG_RUNTIME_DIR")
                .map(|folder| folder.join("docker.sock")),
            self.path("HOME")
                .map(|home| home.join(".docker/run/docker.sock")),
            Some(PathBuf::from("/var/run/docker.sock")),
        ];
        EngineAddress::Sockets(sockets.into_iter().flatten().collect())
    }

    /// Where Podman's service listens, if it runs.
    pub fn podman(&self) -> EngineAddress {
        if let Some(address) = self
            .environment
            .get("CONTAINER_HOST")
            .filter(|text| !text.is_empty())
        {
            return EngineAddress::given(address);
        }
        let sockets = [
            self.path("XDG_RUNTIME_DIR")
                .map(|folder| folder.join("podman/podman.sock")),
            Some(PathBuf::from("/run/podman/podman.sock")),
        ];
        EngineAddress::Sockets(sockets.into_iter().flatten().collect())
    }

    /// Where Docker's program keeps logins and contexts.
    fn docker_folder(&self) -> Option<PathBuf> {
        self.path("DOCKER_CONFIG")
            .or_else(|| Some(self.path("HOME")?.join(".docker")))
    }

    /// A variable that is a path.
    fn path(&self, name: &str) -> Option<PathBuf> {
        self.environment
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    }

    /// The proxies of the environment, in the spelling that curl reads too.
    pub fn proxies(&self) -> Proxies {
        let first = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| self.environment.get(*name))
                .filter(|value| !value.is_empty())
                .cloned()
        };
        Proxies {
            http: first(&["http_proxy"]),
            https: first(&["https_proxy", "HTTPS_PROXY"]),
            all: first(&["all_proxy", "ALL_PROXY"]),
            none_for: first(&["no_proxy", "NO_PROXY"]),
        }
    }
}

fn cache_folder(environment: &BTreeMap<String, String>) -> Result<PathBuf, Failure> {
    let set = |name: &str| {
        environment
            .get(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .map(|folder| folder.join("whit"))
        .ok_or_else(|| {
            Failure::input(anyhow::anyhow!(
                "there is no home folder to keep a cache in"
            ))
            .hint("set XDG_CACHE_HOME to a folder that you may write to".to_owned())
        })
}

fn cancelled_by_signals() -> Result<(Arc<AtomicBool>, Arc<AtomicUsize>), Failure> {
    let cancel = Arc::new(AtomicBool::new(false));
    let which = Arc::new(AtomicUsize::new(0));
    for (signal, number) in [(SIGHUP, 1), (SIGINT, 2), (SIGTERM, 15)] {
        // The order matters: the second signal finds the flag set.
        signal_hook::flag::register_conditional_shutdown(
            signal,
            128 + signal,
            Arc::clone(&cancel),
        )?;
        signal_hook::flag::register_usize(signal, Arc::clone(&which), number)?;
        signal_hook::flag::register(signal, Arc::clone(&cancel))?;
    }
    Ok((cancel, which))
}
