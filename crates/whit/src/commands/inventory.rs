//! Reading images for commands that only look.

use std::path::Path;

use whit_core::inventory::{self, Detail, Inventory};
use whit_core::pipeline;
use whit_core::progress::Progress;
use whit_core::workspace::Workspace;
use whit_oci::{Image, Limits, Options, Platform, Reference};

use super::wish::failure;
use crate::surroundings::Surroundings;
use crate::ui::{Failure, Screen};

/// What reading takes besides an image.
pub struct Desk<'a> {
    pub around: &'a Surroundings,
    pub workspace: &'a Workspace,
    pub screen: &'a Screen,
    pub platform: Option<Platform>,
}

impl Desk<'_> {
    /// Opens the image that `text` names.
    pub fn open(&self, text: &str) -> Result<Image, Failure> {
        let reference = Reference::parse(text)?;
        if let Some(file) = dockerfile(&reference) {
            return Err(Failure::input(anyhow::anyhow!(
                "{text} is a Dockerfile: it must be built before it has a size"
            ))
            .hint(build_hint(&file)));
        }
        let options = Options {
            platform: self.platform.clone(),
            scratch: self.workspace.path().to_owned(),
            limits: Limits::default(),
        };
        Image::open(&reference, &options).map_err(|error| failure(error.into()))
    }

    /// Reads all layers of the image that `text` names.
    pub fn read(&self, text: &str, image: &Image, detail: &Detail) -> Result<Inventory, Failure> {
        self.screen.phase(&format!("reading {text}"), None);
        let cancel = &self.around.cancel;
        let cancelled = || cancel.load(std::sync::atomic::Ordering::Relaxed);
        inventory::read(image, detail, &cancelled).map_err(|error| match error {
            inventory::InventoryError::Cancelled => failure(pipeline::Error::Interrupted),
            error => {
                let hint = error.hint();
                Failure::input(anyhow::Error::new(error).context(format!("cannot read {text}")))
                    .hint(hint)
            }
        })
    }
}

/// The Dockerfile that a reference means by its path.
fn dockerfile(reference: &Reference) -> Option<std::path::PathBuf> {
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
