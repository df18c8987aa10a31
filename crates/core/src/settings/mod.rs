//! What the user decided: flags, environment, `whit.toml` and `[tool.whit]` of
//! `pyproject.toml`, in one type.
//!
//! Every field is optional: what nobody set is detected or has a default
//! where it is used. [`Layers`] stacks the sources and remembers who set what.

mod file;
mod keys;
mod layers;
mod port;
mod schema;
mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use file::SettingsError;
pub use keys::{KEYS, Key};
pub use layers::{Explained, Layer, Layers, Origin};
pub use port::Port;
pub use schema::schema;

use crate::observe::{EntryTable, ProbeTable};
use crate::plan::Policy;
use crate::single::Mode;
use crate::size::Budget;
use crate::transform::PythonCode;
pub(crate) use words::{TextOrNumber, Words, text_or_number, words};

/// One layer of settings. The comments of the fields are the descriptions of
/// the JSON schema.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[schemars(
    title = "whit.toml",
    description = "What whit makes of a project or an image"
)]
pub struct Settings {
    /// What the image runs, its `Cmd`: a list of words, or one text that is
    /// split as a shell would.
    #[serde(
        deserialize_with = "words::words",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Words")]
    pub command: Option<Vec<String>>,
    /// The image's `Entrypoint`, written like `command`, whose words follow it.
    #[serde(
        deserialize_with = "words::words",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Words")]
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// Ports on which the app listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose: Option<Vec<Port>>,
    /// Who runs the app: `user`, `uid`, `user:group` or `uid:gid`.
    #[serde(
        deserialize_with = "words::text_or_number",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "TextOrNumber")]
    pub user: Option<String>,
    /// Absolute path in the image where the app lies and starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Labels of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// Python's version: `3.11` or `3.13`; with `base`, one that the base has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Debian's name of the release: `bookworm` or `trixie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Address of the Debian mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// An image that is the runtime instead of Debian's packages. A path is
    /// relative to the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// How much may go: `safe`, `tight` or `repack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Globs of paths that stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<Vec<String>>,
    /// Globs of paths that go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<Vec<String>>,
    /// Debian packages of the runtime, for programs that the app starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<String>>,
    /// Java modules of the runtime beside those that the classes name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_modules: Option<Vec<String>>,
    /// Debian packages that are there while dependencies are built, and not in
    /// the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_packages: Option<Vec<String>>,
    /// In which form Python code ships: `bytecode`, `source` or `both`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_code: Option<PythonCode>,
    /// Whether symbols and debug sections of ELF files go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strip: Option<bool>,
    /// Whether a Python app becomes one executable, and what counts most:
    /// `small`, `fast` or `carried`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single: Option<Mode>,
    /// Modules that are left out of the executable, such as `ssl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<Vec<String>>,
    /// Packages whose extension modules may be left out of the executable: what
    /// they do is written in Python, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_fallback: Option<Vec<String>>,
    /// Compression of the layers: `gzip[:1-12]`, `zstd[:1-19]` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compress: Option<String>,
    /// Where the image goes: `docker-archive:FILE`, `oci:DIR[:REF]`,
    /// `oci-archive:FILE`, `docker://NAME`, `docker-daemon:NAME` or
    /// `podman:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// The image's name, `NAME[:TAG]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// For which platforms: `linux/amd64`, `linux/arm64`, or several with
    /// commas, which make an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What may be asked before a registry, as `[REGISTRY=]HOST[/FOLDER]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_mirrors: Option<Vec<String>>,
    /// The network of the app while it is tried: `none` (loopback only) or
    /// `host`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkChoice>,
    /// Seconds that a service may take until it listens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<u64>,
    /// Seconds that one request or command may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_timeout: Option<u64>,
    /// Questions to the app besides the automatic ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Vec<ProbeTable>>,
    /// Programs that the image is started with besides its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<Vec<EntryTable>>,
    /// What `whit size` accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// The network of an app while it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkChoice {
    /// Loopback only
    None,
    /// The host's
    Host,
}

impl Settings {
    /// These settings, and where they are silent those of `lower`.
    ///
    /// Names in `env` and `labels` are settings of their own; the globs of
    /// `keep` and `drop`, packages, mirrors, probes and entries of both add up.
    pub fn or(self, lower: Settings) -> Settings {
        Settings {
            // A command of one's own replaces a lower entrypoint too: the two
            // together are one decision.
            entrypoint: match self.command {
                Some(_) => self.entrypoint,
                None => self.entrypoint.or(lower.entrypoint),
            },
            command: self.command.or(lower.command),
            env: merge(self.env, lower.env),
            expose: self.expose.or(lower.expose),
            user: self.user.or(lower.user),
            workdir: self.workdir.or(lower.workdir),
            labels: merge(self.labels, lower.labels),
            python: self.python.or(lower.python),
            suite: self.suite.or(lower.suite),
            mirror: self.mirror.or(lower.mirror),
            base: self.base.or(lower.base),
            policy: self.policy.or(lower.policy),
            keep: append(self.keep, lower.keep),
            drop: append(self.drop, lower.drop),
            packages: append(self.packages, lower.packages),
            add_modules: append(self.add_modules, lower.add_modules),
            build_packages: append(self.build_packages, lower.build_packages),
            python_code: self.python_code.or(lower.python_code),
            strip: self.strip.or(lower.strip),
            single: self.single.or(lower.single),
            without: append(self.without, lower.without),
            allow_fallback: append(self.allow_fallback, lower.allow_fallback),
            compress: self.compress.or(lower.compress),
            output: self.output.or(lower.output),
            tag: self.tag.or(lower.tag),
            platform: self.platform.or(lower.platform),
            registry_mirrors: append(self.registry_mirrors, lower.registry_mirrors),
            network: self.network.or(lower.network),
            start_timeout: self.start_timeout.or(lower.start_timeout),
            probe_timeout: self.probe_timeout.or(lower.probe_timeout),
            probe: append(self.probe, lower.probe),
            entry: append(self.entry, lower.entry),
            budget: match (self.budget, lower.budget) {
                (Some(high), Some(low)) => Some(high.or(low)),
                (high, low) => high.or(low),
            },
        }
    }
}

fn merge(
    high: Option<BTreeMap<String, String>>,
    low: Option<BTreeMap<String, String>>,
) -> Option<BTreeMap<String, String>> {
    match (high, low) {
        (Some(high), Some(mut low)) => {
            low.extend(high);
            Some(low)
        }
        (high, low) => high.or(low),
    }
}

fn append<T>(high: Option<Vec<T>>, low: Option<Vec<T>>) -> Option<Vec<T>> {
    match (high, low) {
        (Some(mut high), Some(low)) => {
            high.extend(low);
            Some(high)
        }
        (high, low) => high.or(low),
    }
}

#[cfg(test)]
mod tests;
