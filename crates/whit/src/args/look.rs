//! Flags of the commands that look at images.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use whit_core::diff::Growth;
use whit_core::size::{Bandwidth, Bytes};
use whit_oci::{Compression, Platform};

use super::build::{Building, NetworkChoice, Registries};

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
