//! The languages beside Python: each tells from a folder's files whether it
//! knows the project, and what it makes of it.

mod c;
mod go;
mod java;
mod node;
mod node_version;
mod program;
mod rust;

use std::io::Read;
use std::path::Path;

use super::craft::Craft;
use super::{Command, Detected, Folder, ProjectError};
use crate::settings::Settings;
use crate::source::base::Base;

/// What there is to look at.
pub struct Clues<'a> {
    /// As the user named it.
    pub dir: &'a Path,
    pub folder: &'a Folder,
    pub settings: &'a Settings,
    /// What the user, the Dockerfile or the Procfile start; its program tells
    /// which of several is wanted.
    pub command: Option<&'a Command>,
    /// The image that is wanted below.
    pub base: Option<&'a Base>,
}

/// A project that a language knows.
#[derive(Debug)]
pub struct Known {
    pub craft: Craft,
    /// Where the project names itself.
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    pub license: Option<String>,
    /// How it starts by its language's conventions. For programs it is known
    /// when they are built.
    pub command: Option<Command>,
    /// Files that decide about what is fetched, for whit.lock.
    pub inputs: Vec<&'static str>,
    pub detected: Vec<Detected>,
}

impl Known {
    fn new(craft: Craft, because: impl Into<String>) -> Self {
        let line = Detected {
            what: "language",
            value: craft.language.to_owned(),
            because: because.into(),
        };
        Self {
            craft,
            name: None,
            version: None,
            description: None,
            license: None,
            command: None,
            inputs: Vec::new(),
            detected: vec![line],
        }
    }

    fn say(&mut self, what: &'static str, value: impl Into<String>, because: impl Into<String>) {
        self.detected.push(Detected {
            what,
            value: value.into(),
            because: because.into(),
        });
    }
}

/// What a language finds in a folder.
type Find = fn(&Clues<'_>) -> Result<Option<Known>, ProjectError>;

/// Languages whose manifest says what the folder is.
const BY_MANIFEST: [Find; 4] = [go::find, rust::find, node::find, java::find];

/// A `Makefile` is also how other projects run their chores: asked last.
const BY_BUILD_FILE: [Find; 1] = [c::find];

pub fn by_manifest(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    first(&BY_MANIFEST, clues)
}

pub fn by_build_file(clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    first(&BY_BUILD_FILE, clues)
}

/// A finished program that was named in the place of a folder.
pub fn of_file(file: &Path, settings: &Settings) -> Result<Option<Known>, ProjectError> {
    match program::find(file, settings)? {
        Some(known) => Ok(Some(known)),
        None => java::of_file(file, settings),
    }
}

fn first(finds: &[Find], clues: &Clues<'_>) -> Result<Option<Known>, ProjectError> {
    for find in finds {
        if let Some(known) = find(clues)? {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

impl Clues<'_> {
    /// The name of the program that is to be started.
    fn wanted_program(&self) -> Option<&str> {
        self.command?.program()
    }

    /// Debian's release for tools: the one that was asked for, else the newest.
    fn suite(&self) -> Result<&'static str, ProjectError> {
        suite(self.settings)
    }
}

fn suite(settings: &Settings) -> Result<&'static str, ProjectError> {
    super::python::suite_of(settings).map(|suite| suite.unwrap_or("trixie"))
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

/// A word of a shell script that means itself.
fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| String::new(), |word| word.into_owned())
}
