//! Reading images for commands that only look.

use std::path::{Path, PathBuf};

use whit_core::inventory::{self, Detail, Inventory, InventoryError};
use whit_core::pipeline::{self, Tools};
use whit_oci::{Image, Platform, Reference};

use super::wish::failure;
use super::workplace::{open_image, reference};
use crate::ui::Failure;

/// Opens the image that `text` names; its layers are not read yet.
pub fn open(text: &str, platform: Option<&Platform>, tools: &Tools<'_>) -> Result<Image, Failure> {
    let reference = reference(text)?;
    if let Some(file) = dockerfile(&reference) {
        return Err(Failure::input(anyhow::anyhow!(
            "{text} is a Dockerfile: it must be built before it has a size"
        ))
        .hint(build_hint(&file)));
    }
    open_image(&reference, platform, tools)
}

/// Reads all layers of `image`, which `text` names.
pub fn read(
    text: &str,
    image: &Image,
    detail: &Detail,
    tools: &Tools<'_>,
) -> Result<Inventory, Failure> {
    tools.progress.phase(&format!("reading {text}"), None);
    let cancelled = || tools.check_cancelled().is_err();
    inventory::read(image, detail, &cancelled).map_err(|error| match error {
        InventoryError::Cancelled => failure(pipeline::Error::Interrupted),
        error => {
            let hint = error.hint();
            Failure::input(anyhow::Error::new(error).context(format!("cannot read {text}")))
                .hint(hint)
        }
    })
}

/// The Dockerfile that a reference means by its path.
fn dockerfile(reference: &Reference) -> Option<PathBuf> {
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

fn build_hint(file: &Path) -> String {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    format!(
        "docker build -t NAME -f {} {} && docker save NAME -o NAME.tar, then use NAME.tar",
        file.display(),
        folder.display()
    )
}
