//! What whit takes from the machine: environment, folders, clock, signals.
//! The only place that asks for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use whit_core::download::Proxies;

use crate::ui::Failure;

/// The machine around one run.
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
