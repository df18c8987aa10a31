//! Flags of the commands that build and measure several images.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use whit_core::compare::Strategy;
use whit_core::size::Bandwidth;
use whit_oci::BuildEngine;

use super::build::{Building, NetworkChoice, Probes, Registries};
use super::look::Form;

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
