//! What a Dockerfile's name says.

use std::io;
use std::path::Path;

use serde::Serialize;

/// A Dockerfile of a matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variant {
    /// Its name in the folder.
    pub file: String,
    /// What it is to run: rows of the same program are compared.
    pub program: String,
    /// What it is built with.
    pub build: Option<String>,
    /// What it runs on.
    pub run: Option<String>,
    /// It shows what does not work.
    pub should_fail: bool,
}

impl Variant {
    /// Reads `Dockerfile.PROGRAM[.BUILD[.RUN]][.err]`, `Dockerfile-NAME[.err]`
    /// and `NAME[.err].Dockerfile`; anything else is none.
    pub fn of(file: &str) -> Option<Self> {
        let named = |text: &str| {
            let (text, should_fail) = match text.strip_suffix(".err") {
                Some(text) => (text, true),
                None => (text, false),
            };
            (text.to_owned(), should_fail)
        };
        let plain = |text: &str| {
            let (program, should_fail) = named(text);
            (program, None, None, should_fail)
        };
        let (program, build, run, should_fail) =
            if let Some(name) = file.strip_suffix(".Dockerfile") {
                plain(name)
            } else if let Some(name) = file.strip_prefix("Dockerfile-") {
                plain(name)
            } else {
                let (text, should_fail) = named(file.strip_prefix("Dockerfile.")?);
                let mut parts = text.splitn(3, '.').map(str::to_owned);
                (
                    parts.next().unwrap_or_default(),
                    parts.next(),
                    parts.next(),
                    should_fail,
                )
            };
        // What editors and BuildKit put beside a Dockerfile.
        let beside = [".dockerignore", ".orig", ".rej", ".bak", ".swp", "~"];
        let is_variant = !program.is_empty() && !beside.iter().any(|end| file.ends_with(end));
        is_variant.then(|| Self {
            file: file.to_owned(),
            program,
            build,
            run,
            should_fail,
        })
    }
}

/// The variants in a folder, in the order of their names.
pub fn variants(folder: &Path) -> io::Result<Vec<Variant>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(variant) = name.to_str().and_then(Variant::of)
            && entry.path().is_file()
        {
            found.push(variant);
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(found)
}
