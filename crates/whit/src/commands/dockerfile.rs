//! Dockerfiles as images: built by an engine first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use whit_core::pipeline::Tools;
use whit_oci::{BuildError, BuildOrder, Builder, Built, Platform, Reference, step_of};

use super::workplace::Workplace;
use crate::args::Building;
use crate::ui::Failure;

/// How much of the log of a failed build is shown.
const TAIL: usize = 20;

/// The Dockerfile that a reference means by its path.
pub fn meant(reference: &Reference) -> Option<PathBuf> {
    let Reference::Path { path, name: None } = reference else {
        return None;
    };
    if path.is_dir() {
        let file = path.join("Dockerfile");
        return (file.is_file() && !path.join("index.json").exists()).then_some(file);
    }
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let named = name.starts_with("dockerfile")
        || name.starts_with("containerfile")
        || name.ends_with(".dockerfile");
    (named && path.is_file()).then(|| path.clone())
}

/// The folder of a build, if the user names none.
pub fn context_of(dockerfile: &Path) -> PathBuf {
    match dockerfile.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What the flags say of a build.
pub fn order(
    dockerfile: PathBuf,
    context: PathBuf,
    flags: &Building,
    host_network: bool,
    platform: Option<&Platform>,
) -> BuildOrder {
    BuildOrder {
        dockerfile,
        context,
        build_args: flags.build_arg.clone(),
        target: flags.target.clone(),
        network: host_network.then(|| "host".to_owned()),
        platform: platform.map(ToString::to_string),
        no_cache: flags.no_cache,
    }
}

/// Builds, and shows which step is on.
pub fn build(
    order: &BuildOrder,
    flags: &Building,
    place: &Workplace,
    tools: &Tools<'_>,
) -> Result<Built, Failure> {
    let builder = Builder::find(flags.engine, Arc::clone(&place.around.cancel)).map_err(failed)?;
    let file = order.dockerfile.display();
    let phase = format!("building {file} with {}", builder.engine());
    tools.progress.phase(&phase, None);
    let watch = |line: &str| {
        if let Some(step) = step_of(line) {
            tools.progress.phase(step, None);
        }
    };
    let built = builder.build(order, tools.workspace.path(), &watch);
    if let Err(BuildError::Failed { log, .. }) = &built {
        let lines: Vec<&str> = log.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            tools.progress.note(line);
        }
    }
    built.map_err(failed)
}

pub fn failed(error: BuildError) -> Failure {
    let hint = error.hint();
    Failure::input(error).hint(hint)
}
