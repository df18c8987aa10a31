//! Reading images for commands that only look.

use whit_core::inventory::{self, Detail, Inventory, InventoryError};
use whit_core::pipeline::{self, Tools};
use whit_oci::{Image, Platform};

use super::dockerfile;
use super::wish::failure;
use super::workplace::{open_image, reference};
use crate::ui::Failure;

/// Opens the image that `text` names; its layers are not read yet.
pub fn open(text: &str, platform: Option<&Platform>, tools: &Tools<'_>) -> Result<Image, Failure> {
    let reference = reference(text)?;
    if dockerfile::meant(&reference).is_some() {
        return Err(Failure::input(anyhow::anyhow!(
            "{text} is a Dockerfile: it must be built before there is an image"
        ))
        .hint(format!(
            "`whit size {text}` builds it, `whit shrink --dockerfile {text}` too"
        )));
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
    tools
        .progress
        .phase(&format!("reading {text}"), image.bytes_to_come());
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
