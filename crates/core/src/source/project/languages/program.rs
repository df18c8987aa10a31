//! A finished program: `whit build ./server`.

use std::io::Read;
use std::path::Path;

use super::Known;
use crate::source::project::ProjectError;
use crate::source::project::craft::Craft;

pub fn find(file: &Path) -> Result<Option<Known>, ProjectError> {
    if !starts_with(file, b"\x7fELF")? {
        return Ok(None);
    }
    let mut known = Known::new(
        Craft::new("a finished program"),
        "the file that was named is one",
    );
    known.name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(Some(known))
}

fn starts_with(file: &Path, magic: &[u8]) -> Result<bool, ProjectError> {
    let mut start = Vec::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(magic.len() as u64).read_to_end(&mut start))
        .map_err(|source| ProjectError::Read {
            path: file.to_owned(),
            source,
        })?;
    Ok(start == magic)
}
