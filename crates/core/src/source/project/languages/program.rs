//! A finished program: `whit build ./server`.

use std::path::Path;

use super::{Known, starts_with, suite};
use crate::settings::Settings;
use crate::source::project::ProjectError;
use crate::source::project::craft::Craft;

pub fn find(file: &Path, settings: &Settings) -> Result<Option<Known>, ProjectError> {
    if !starts_with(file, b"\x7fELF")? {
        return Ok(None);
    }
    let mut craft = Craft::new("a finished program");
    craft.suite = suite(settings)?;
    let mut known = Known::new(craft, "the file that was named is one");
    known.name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(Some(known))
}
