//! The command line.

mod examples;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};
use examples::*;
use whit_core::compare::Strategy;
use whit_core::diff::Growth;
use whit_core::plan::Policy;
use whit_core::single::Mode;
use whit_core::size::{Bandwidth, Bytes};
use whit_core::transform::PythonCode;
use whit_oci::{BuildEngine, Compression, Platform};

/// Your app, and not a whit more.
///
/// whit makes container images as small as they can be while they still work,
/// proves that they still work, and shows where every byte went. No daemon,
/// no root.
#[derive(Debug, Parser)]
#[command(name = "whit", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Start with `whit build .` in a Python project, or `whit shrink IMAGE.tar`."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// When to use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Screen"
    )]
    pub color: ColorWhen,

    /// Print nothing but results and errors
    #[arg(short, long, global = true, help_heading = "Screen")]
    pub quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a small image of a project folder
    ///
    /// Finds out what the project is and how it starts, puts a runtime from
    /// Debian packages under it, installs its dependencies with uv, runs it,
    /// keeps what it can reach, and runs the result again before it is written.
    #[command(after_help = BUILD_EXAMPLES)]
    Build(Box<Build>),

    /// Make an existing image smaller
    ///
    /// Runs the image, keeps what it can reach, and runs the result again
    /// before it is written.
    #[command(after_help = SHRINK_EXAMPLES)]
    Shrink(Box<Shrink>),

    /// Tell why a path is in a small image, or why it is not
    #[command(after_help = WHY_EXAMPLES)]
    Why(Why),

    /// Show where the bytes of an image are, and which are wasted
    ///
    /// By layer, package, type and folder, with every file's share of the
    /// compressed layer. A view to walk in on a terminal, a summary elsewhere.
    /// Nothing is run and nothing unpacked.
    #[command(after_help = EXPLORE_EXAMPLES)]
    Explore(Explore),

    /// Tell how big images are and how long they take to pull
    ///
    /// Reads each image once, runs nothing and unpacks nothing. "Uncompressed"
    /// is what the regular files of all layers add up to: with the targets of
    /// symbolic links, what `docker image inspect` calls Size. "Compressed" is
    /// what the layers take as they are stored; where they are stored without
    /// compression, as by `docker save`, it is extrapolated from samples and
    /// marked ~.
    #[command(after_help = SIZE_EXAMPLES)]
    Size(Box<Size>),

    /// Make one app in every way that people ship apps, and put them side by side
    ///
    /// A full Debian, a slim one, distroless's packages and whit's own images,
    /// each put together from Debian packages without an engine, run and asked the
    /// same. With an engine, the Dockerfiles that people write for it are built
    /// too. What cannot be had here is listed with the reason.
    #[command(after_help = COMPARE_EXAMPLES)]
    Compare(Box<Compare>),

    /// Tell what changed from one image to another
    ///
    /// Compares files, packages and configuration, and names whose bytes the
    /// difference is. Times of files are not compared.
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(Diff),

    /// Print a Dockerfile that makes a small image again, without whit
    ///
    /// From the report that `whit shrink` left beside the image. Several
    /// stages, no build context: what was kept is copied out of the original
    /// by docker, podman or buildah.
    #[command(after_help = RECIPE_EXAMPLES)]
    Recipe(Recipe),

    /// Run an image in whit's sandbox, without an engine
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),

    /// Write a whit.toml that says what was detected
    ///
    /// Each line says what holds without the file, and why: with it the image is
    /// the same, until you change a line.
    #[command(after_help = INIT_EXAMPLES)]
    Init(Init),

    /// Show what `whit build` would do, and who decided it
    ///
    /// Flags come before variables of the environment, those before whit.toml and
    /// pyproject.toml, and files before what is detected. Takes the flags of
    /// `whit build`.
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(Box<Config>),

    /// Show what whit keeps between runs, and make room
    ///
    /// Nothing in there is needed: what is missing is fetched or made again.
    #[command(after_help = CACHE_EXAMPLES)]
    Cache(Cache),

    /// Find the habits of a Dockerfile that cost size
    ///
    /// Looks at what ends in the final image and nothing else: the last stage
    /// and the stages that it begins with. Says per line what it costs, why,
    /// and how to mend it, as a patch. Exits with 1 if it finds something.
    #[command(after_help = LINT_EXAMPLES)]
    Lint(Lint),

    /// Build and run many Dockerfiles, and tell which work, why others don't, how large each is
    ///
    /// Takes every Dockerfile.PROGRAM[.BUILD[.RUN]][.err], Dockerfile-NAME and
    /// NAME.Dockerfile of a folder, which is the context of the builds. Rows of
    /// the same program are compared with each other; names with .err are
    /// expected to fail. Exits with 1 if one is not as its name says.
    #[command(after_help = MATRIX_EXAMPLES)]
    Matrix(Box<Matrix>),

    /// Print a completion script for a shell
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// A program reads what it prints.
    pub fn is_for_programs(&self) -> bool {
        match self {
            Self::Build(args) => args.output.json,
            Self::Shrink(args) => args.output.json,
            Self::Explore(args) => args.json,
            Self::Size(args) => args.form.json,
            Self::Diff(args) => args.form.json,
            Self::Lint(args) => args.json,
            Self::Compare(args) => args.form.json,
            Self::Config(args) => args.build.output.json,
            Self::Matrix(args) => args.form.json,
            Self::Recipe(_)
            | Self::Init(_)
            | Self::Why(_)
            | Self::Run(_)
            | Self::Cache(_)
            | Self::Completions { .. } => false,
        }
    }
}

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

#[derive(Debug, Args)]
pub struct Why {
    /// IMAGE PATH, or only PATH with --report
    #[arg(value_name = "IMAGE PATH", num_args = 1..=2, required = true, value_hint = ValueHint::AnyPath)]
    pub words: Vec<String>,
    /// The report to read (default: the one beside the image)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Print the chain as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Explore {
    /// An image as `whit shrink` takes it
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub image: String,
    /// Print a summary, on a terminal too
    #[arg(long, conflicts_with_all = ["json", "html"])]
    pub text: bool,
    /// Print everything, down to the files, as JSON
    #[arg(long, conflicts_with = "html")]
    pub json: bool,
    /// Write a page with a treemap; it needs nothing but a browser
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// The report of a small image (default: the one beside it)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// Which image of an index to take, as OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,

    #[command(flatten)]
    pub registries: Registries,
}

#[derive(Debug, Args)]
pub struct Size {
    /// Images as `whit shrink` takes them, and Dockerfiles
    #[arg(value_name = "IMAGE", required = true, value_hint = ValueHint::AnyPath)]
    pub images: Vec<String>,
    /// Which image of an index to take, as OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,

    /// Tell the time to pull at this speed: 20Mbps, 1Gbps (default 5Mbps, 100Mbps, 1Gbps)
    #[arg(long, value_name = "SPEED", help_heading = "Pulling")]
    pub bandwidth: Vec<Bandwidth>,
    /// Leave out layers that this image has too: the node has them already
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath, help_heading = "Pulling")]
    pub have: Vec<String>,
    /// Compress the layers again and measure: gzip[:1-12] or zstd[:1-19]; takes its time
    #[arg(long, value_name = "HOW", help_heading = "Pulling")]
    pub recompress: Vec<Compression>,

    #[command(flatten)]
    pub limits: SizeLimits,
    #[command(flatten)]
    pub building: Building,
    /// Let the steps of a Dockerfile use the host's network
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "none",
        help_heading = "Building a Dockerfile"
    )]
    pub network: NetworkChoice,
    #[command(flatten)]
    pub registries: Registries,
    #[command(flatten)]
    pub form: Form,
    /// Print comma-separated values, sizes in bytes
    #[arg(long, conflicts_with_all = ["json", "markdown"], help_heading = "Output")]
    pub csv: bool,
}

/// What an image may weigh.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits, else those of [budget] in whit.toml")]
pub struct SizeLimits {
    /// Most bytes of an image, uncompressed: 20MB
    #[arg(long, value_name = "SIZE")]
    pub max: Option<Bytes>,
    /// Most bytes of an image, compressed; measured with gzip where it is stored plain
    #[arg(long, value_name = "SIZE")]
    pub max_compressed: Option<Bytes>,
    /// Most bytes of each layer, uncompressed
    #[arg(long, value_name = "SIZE")]
    pub max_layer: Option<Bytes>,
    /// Most bytes of each package, or of the one that is named
    #[arg(long, value_name = "[NAME=]SIZE")]
    pub max_package: Vec<String>,
}

/// Forms that programs and pull requests read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Form {
    /// Print JSON, sizes in bytes
    #[arg(long)]
    pub json: bool,
    /// Print Markdown, for a README or a pull request's comment
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

#[derive(Debug, Args)]
pub struct Compare {
    /// The project's folder, or one Python file
    #[arg(default_value = ".", value_hint = ValueHint::AnyPath)]
    pub dir: PathBuf,
    /// What the images run, if it is not what whit finds
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Only these: common, magic, rare, epic, legendary, tight
    #[arg(long, value_name = "STRATEGY")]
    pub only: Vec<Strategy>,
    /// Measure the time to build from nothing, too: downloads included
    #[arg(long)]
    pub cold: bool,

    /// Python's version: 3.11 or 3.13
    #[arg(long, value_name = "VERSION", help_heading = "Runtime")]
    pub python: Option<String>,
    /// Debian's suite: bookworm or trixie
    #[arg(long, value_name = "NAME", help_heading = "Runtime")]
    pub suite: Option<String>,
    /// Debian mirror; else WHIT_DEBIAN_MIRROR, whit.toml, the host's apt sources
    #[arg(long, value_name = "URL", help_heading = "Runtime")]
    pub mirror: Option<String>,

    #[command(flatten)]
    pub probes: Probes,
    #[command(flatten)]
    pub registries: Registries,
    #[command(flatten)]
    pub form: Form,
    /// Build Dockerfiles with this engine (default: the first that is there): docker, podman
    /// or buildah
    #[arg(long, value_name = "ENGINE", help_heading = "Dockerfiles")]
    pub engine: Option<BuildEngine>,
    /// Build no Dockerfiles
    #[arg(long, conflicts_with = "engine", help_heading = "Dockerfiles")]
    pub no_engine: bool,
    /// Keep the Dockerfiles of the trade in this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Dockerfiles")]
    pub emit_dockerfiles: Option<PathBuf>,
    /// Write a page with bar charts; it needs nothing but a browser
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Matrix {
    /// The folder with the Dockerfiles, and what they copy
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Dockerfiles to take, by their names
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// How many to build and run at the same time
    #[arg(short, long, value_name = "NUMBER", default_value = "2",
        value_parser = clap::value_parser!(u16).range(1..=64))]
    pub jobs: u16,
    /// Write a Compose file of the same matrix, and do nothing else; `-` prints it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub compose: Option<PathBuf>,
    /// Leave out what `whit shrink` would make of those that work
    #[arg(long)]
    pub no_shrink: bool,
    /// Seconds that an image may take until it ends or listens
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    pub start_timeout: u64,
    /// Let the steps of the builds use the host's network; images run without one
    #[arg(long, value_name = "WHICH", default_value = "none")]
    pub network: NetworkChoice,
    /// Tell the time to pull at this speed: 20Mbps, 1Gbps (default 5Mbps, 100Mbps, 1Gbps)
    #[arg(long, value_name = "SPEED")]
    pub bandwidth: Vec<Bandwidth>,
    #[command(flatten)]
    pub building: Building,
    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// The image before, as `whit shrink` takes it
    #[arg(value_name = "BEFORE", value_hint = ValueHint::AnyPath)]
    pub before: String,
    /// The image after
    #[arg(value_name = "AFTER", value_hint = ValueHint::AnyPath)]
    pub after: String,
    /// Which image of an index to take, as OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// Refuse an image that grew by more than this: 5% or 2MB
    #[arg(long, value_name = "GROWTH")]
    pub fail_on_growth: Option<Growth>,
    #[command(flatten)]
    pub registries: Registries,
    #[command(flatten)]
    pub form: Form,
}

#[derive(Debug, Args)]
pub struct Recipe {
    /// A small image that `whit shrink` made
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub image: String,
    /// Write it here instead of to standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// What the engine calls the original (default: its name, or the one in its archive)
    #[arg(long, value_name = "NAME")]
    pub original: Option<String>,
    /// The report to read (default: the one beside the image)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    #[command(flatten)]
    pub registries: Registries,
}

#[derive(Debug, Args)]
pub struct Run {
    /// An image as `whit shrink` takes it
    #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub image: String,
    /// Arguments in place of the image's CMD
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    /// Make a port reachable on loopback: HOST:INSIDE, or one number for both
    #[arg(short, long, value_name = "PORTS")]
    pub publish: Vec<String>,
    /// Environment variable
    #[arg(short, long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Let it use the host's network
    #[arg(long, value_name = "WHICH", default_value = "none")]
    pub network: NetworkChoice,
    /// Which image of an index to take
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub registries: Registries,
}

#[derive(Debug, Args)]
pub struct Cache {
    #[command(subcommand)]
    pub command: Option<CacheCommand>,
    /// Print the list as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Remove what was not used for the longest time
    Prune {
        /// What may stay, e.g. 5G
        #[arg(long, value_name = "SIZE")]
        max: Bytes,
    },
    /// Remove everything, or all of some caches
    Clear {
        /// Caches by the names that `whit cache` prints
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub struct Lint {
    /// A Dockerfile, or a folder that has one
    #[arg(default_value = ".", value_hint = ValueHint::AnyPath)]
    pub dockerfile: PathBuf,
    /// The stage that is shipped (default: the last one)
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// What was built from it: an image as `whit shrink` takes it
    #[arg(long, value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
    pub image: Option<String>,
    /// Which image of an index to take, as OS/ARCH[/VARIANT]
    #[arg(long, value_name = "PLATFORM", requires = "image")]
    pub platform: Option<Platform>,
    #[command(flatten)]
    pub registries: Registries,
    /// Write the mends that take nothing but caches into the file
    #[arg(long)]
    pub fix: bool,
    /// With --fix: write the mends that want a look too
    #[arg(long, requires = "fix")]
    pub unsafe_fixes: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// Exit with 0 whatever is found
    #[arg(long)]
    pub exit_zero: bool,
    /// Print the rules, what they cost and why, and do nothing else
    #[arg(long)]
    pub rules: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use whit_core::settings::KEYS;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_that_keys_name_exist() {
        let cli = Cli::command();
        let build = cli.find_subcommand("build").unwrap();
        for key in KEYS {
            for flag in key.flag.unwrap_or_default().split(", ") {
                let Some(name) = flag
                    .strip_prefix("--")
                    .filter(|name| !name.starts_with(' '))
                else {
                    continue;
                };
                let known = build
                    .get_arguments()
                    .any(|arg| arg.get_long() == Some(name));
                assert!(known, "{} names {flag}", key.name);
            }
        }
    }
}
