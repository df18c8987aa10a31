//! Flags of the commands that make images.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use whit_core::plan::Policy;
use whit_core::single::Mode;
use whit_core::size::Bytes;
use whit_core::transform::PythonCode;
use whit_oci::{BuildEngine, Compression};

#[derive(Debug, Args)]
pub struct Build {
    /// The project's folder, one Python file, a finished program or a jar
    #[arg(default_value = ".", value_hint = ValueHint::AnyPath)]
    pub dir: PathBuf,

    /// What the image runs, if it is not what whit finds
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,

    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub probes: Probes,
    #[command(flatten)]
    pub content: Content,
    #[command(flatten)]
    pub registries: Registries,

    /// An image archive as the runtime, in the place of Debian packages
    ///
    /// docker-archive:FILE, oci:DIR[:REF], oci-archive:FILE, or a path. Its own
    /// Python runs the app; its variables, user and working directory are
    /// inherited as after a FROM.
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath, help_heading = "Runtime")]
    pub base: Option<String>,
    /// linux/amd64 or linux/arm64; several with commas make an index (default: this machine's)
    #[arg(long, value_name = "PLATFORM", help_heading = "Runtime")]
    pub platform: Option<String>,
    /// Python's version: 3.11 or 3.13; with --base, one that the base has
    #[arg(long, value_name = "VERSION", help_heading = "Runtime")]
    pub python: Option<String>,
    /// Debian's suite: bookworm or trixie
    #[arg(long, value_name = "NAME", help_heading = "Runtime")]
    pub suite: Option<String>,
    /// Debian mirror; else WHIT_DEBIAN_MIRROR, whit.toml, the host's apt sources
    #[arg(long, value_name = "URL", help_heading = "Runtime")]
    pub mirror: Option<String>,
    /// Debian package in the runtime, for a program or library that the app needs
    #[arg(long, value_name = "NAME", help_heading = "Runtime")]
    pub package: Vec<String>,
    /// Java modules in the runtime beside those that the classes name
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "Runtime"
    )]
    pub add_modules: Vec<String>,
    /// Debian package that is there while dependencies are built, not in the image
    #[arg(long, value_name = "NAME", help_heading = "Runtime")]
    pub build_package: Vec<String>,
    /// Make one executable of a Python app: small, fast or carried
    ///
    /// small (the default): the interpreter and the modules linked into one static
    /// executable, or, where that cannot be, one that carries the dynamic ones.
    /// fast: nothing in it is compressed. carried: never linked.
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_missing_value = "small", help_heading = "One executable")]
    pub single: Option<Mode>,
    /// Leave a module out of the executable, such as ssl
    #[arg(long, value_name = "MODULE", help_heading = "One executable")]
    pub without: Vec<String>,
    /// Package whose extension modules may be left out for its own code in Python
    #[arg(long, value_name = "NAME", help_heading = "One executable")]
    pub allow_fallback: Vec<String>,

    /// Refuse to build if whit.lock does not fit the project
    #[arg(long, help_heading = "Runtime")]
    pub locked: bool,

    /// Environment variable of the image
    #[arg(short, long, value_name = "NAME=VALUE", help_heading = "Image")]
    pub env: Vec<String>,
    /// Port that the app listens on
    #[arg(long, value_name = "PORT", help_heading = "Image")]
    pub expose: Vec<u16>,
    /// Who runs the app (default 65532)
    #[arg(long, value_name = "USER", help_heading = "Image")]
    pub user: Option<String>,
    /// Where the app lives and runs (default /app)
    #[arg(long, value_name = "PATH", help_heading = "Image")]
    pub workdir: Option<String>,
    /// Label of the image
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Image")]
    pub label: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Init {
    /// The project's folder
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Replace the whit.toml that is there
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct Config {
    /// Print the JSON schema of whit.toml and do nothing else
    #[arg(long)]
    pub schema: bool,
    #[command(flatten)]
    pub build: Build,
}

#[derive(Debug, Args)]
pub struct Shrink {
    /// A path, or NAME[:TAG] of Docker, Podman or a registry; also docker://NAME,
    /// docker-daemon:NAME, podman:NAME, docker-archive:FILE, oci:DIR[:REF], oci-archive:FILE;
    /// with --dockerfile, the folder of the build (default: the Dockerfile's)
    #[arg(
        value_name = "IMAGE",
        required_unless_present = "dockerfile",
        value_hint = ValueHint::AnyPath
    )]
    pub image: Option<String>,

    /// Build this Dockerfile with Docker, Podman or Buildah, and shrink what comes of it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub dockerfile: Option<PathBuf>,

    /// Run this instead of the image's own command while probing
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,

    /// Which image of an index to take, as OS/ARCH[/VARIANT]; several with commas make an index
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<String>,

    #[command(flatten)]
    pub building: Building,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub probes: Probes,
    #[command(flatten)]
    pub content: Content,
    #[command(flatten)]
    pub registries: Registries,
}

/// How Dockerfiles are built.
#[derive(Debug, Args)]
#[command(next_help_heading = "Building a Dockerfile")]
pub struct Building {
    /// docker, podman or buildah (default: the first of them that works)
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<BuildEngine>,
    /// Argument of the build; without a value, that of the environment
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub build_arg: Vec<String>,
    /// The stage to build (default: the last one)
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Do every step anew, whatever the engine has in its cache
    #[arg(long)]
    pub no_cache: bool,
}

/// How registries are reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registries")]
pub struct Registries {
    /// Speak plain HTTP with registries of this machine (loopback only)
    #[arg(long)]
    pub insecure: bool,
    /// Ask there first, as [REGISTRY=]HOST[/FOLDER]; REGISTRY is docker.io if it is left out
    #[arg(long, value_name = "MIRROR")]
    pub registry_mirror: Vec<String>,
}

/// Where the result goes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// docker-archive:FILE, oci:DIR[:REF], oci-archive:FILE, docker://NAME,
    /// docker-daemon:NAME or podman:NAME (default NAME.tar); exe:FILE for one
    /// executable without an image
    #[arg(short, long, value_name = "WHERE")]
    pub output: Option<String>,
    /// Name of the image inside the archive (default: the project's, with :latest)
    #[arg(short, long, value_name = "NAME[:TAG]")]
    pub tag: Option<String>,
    /// Send the image to its registry: -o docker://TAG
    #[arg(long, conflicts_with = "output")]
    pub push: bool,
    /// gzip[:1-12], zstd[:1-19] or none (default gzip:10)
    #[arg(long, value_name = "HOW")]
    pub compress: Option<Compression>,
    /// Also write a layer NAME.rescue.tar that turns the small image back into the original
    #[arg(long)]
    pub rescue: bool,
    /// Do everything but write the image
    #[arg(long)]
    pub dry_run: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Write the report here (default: NAME.whit.json beside the image)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Write what is inside, with versions and licences, as SPDX 2.3 in JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sbom: Option<PathBuf>,
    /// Keep the trace and the plan of this run in a folder, for --replay and `whit why`
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub save_run: Option<PathBuf>,
}

/// How the app is tried.
#[derive(Debug, Args)]
#[command(next_help_heading = "Probes")]
pub struct Probes {
    /// A request besides the automatic ones: 'GET /page', 'POST /items json={"a":1}'
    #[arg(long, value_name = "REQUEST")]
    pub probe: Vec<String>,
    /// A command to run in the image: 'python -m app --version'
    #[arg(long, value_name = "COMMAND")]
    pub exec: Vec<String>,
    /// Another program that the image is started with, in the place of its
    /// entrypoint and command: a worker, a migration. It stays and is proven, too
    #[arg(long, value_name = "COMMAND")]
    pub also: Vec<String>,
    /// What the command reads on standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub stdin: Option<PathBuf>,
    /// A script on this machine that tests the service; gets WHIT_BASE_URL
    #[arg(long, value_name = "SCRIPT", value_hint = ValueHint::FilePath)]
    pub test: Option<PathBuf>,
    /// Seconds that a service may take until it listens (default 60)
    #[arg(long, value_name = "SECONDS")]
    pub start_timeout: Option<u64>,
    /// Seconds that one request or command may take (default 30)
    #[arg(long, value_name = "SECONDS")]
    pub probe_timeout: Option<u64>,
    /// The app's network while it is tried, and that of the steps of --dockerfile: none
    /// (loopback only; default) or host
    #[arg(long, value_name = "WHICH")]
    pub network: Option<NetworkChoice>,
    /// What the run that --save-run wrote touched counts too; with --no-run,
    /// in the place of a run
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub replay: Vec<PathBuf>,
    /// Run nothing: the result is labelled unproven
    #[arg(long)]
    pub no_run: bool,
    /// Accept an original whose own command ends with an error
    #[arg(long)]
    pub allow_failure: bool,
    /// Write the image although it behaves differently
    #[arg(long)]
    pub accept_differences: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum NetworkChoice {
    /// Loopback only
    None,
    /// The host's
    Host,
}

/// What stays.
#[derive(Debug, Args)]
#[command(next_help_heading = "Content")]
pub struct Content {
    /// safe (all that code can reach; default), tight (what was observed), repack (drop litter only)
    #[arg(long, value_name = "POLICY")]
    pub policy: Option<Policy>,
    /// Keep these paths
    #[arg(long, value_name = "GLOB")]
    pub keep: Vec<String>,
    /// Drop these paths
    #[arg(long, value_name = "GLOB")]
    pub drop: Vec<String>,
    /// bytecode (default), source or both
    #[arg(long, value_name = "FORM")]
    pub python_code: Option<PythonCode>,
    /// Leave symbols and debug sections in ELF files
    #[arg(long)]
    pub no_strip: bool,
    /// Most bytes that the original may unpack to, e.g. 20G
    #[arg(long, value_name = "SIZE")]
    pub max_unpacked: Option<Bytes>,
}
