//! One distribution after the other built from its source archive, whatever
//! wheels there are, with somebody else's tools around the compilers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use whit_sandbox::Mount;

use super::error::io;
use super::index_settings::Access;
use super::workshop::{OUT, Run, SRC, Site, UV, Workshop};
use super::{Failure, InstallError, Pin, PinSource, list_text, locks, uv};

/// Where and for whom.
#[derive(Clone)]
pub struct SourceRequest<'a> {
    /// Folders of a root with compilers, and with what fetches uv; the bottom
    /// one first.
    pub lowers: &'a [PathBuf],
    /// `/usr/bin/python3.11`, of the root.
    pub interpreter: &'a str,
    /// Debian's name of the processor that the root is for.
    pub architecture: &'a str,
    /// Package indexes that the project names.
    pub indexes: &'a [String],
    /// whit's cache folder.
    pub cache: &'a Path,
    /// The name of uv's own folder there. It holds what was built, and does not
    /// ask with which tools.
    pub uv_cache: String,
    /// The invoking user's environment.
    pub environment: &'a BTreeMap<String, String>,
    pub cancel: &'a AtomicBool,
}

/// What stands around a build.
#[derive(Default)]
pub struct Step<'a> {
    /// The words before uv's own: a program that starts it.
    pub before: Vec<String>,
    /// The folder that is installed into.
    pub target: String,
    pub mounts: Vec<Mount>,
    pub variables: Vec<(&'a str, String)>,
}

/// The place where builds run, with uv in it. It is removed when it is dropped.
pub struct SourceShop<'a> {
    workshop: Workshop<'a>,
    uv: PathBuf,
    interpreter: &'a str,
}

impl<'a> SourceShop<'a> {
    pub fn new(request: &SourceRequest<'a>) -> Result<Self, Failure> {
        let site = Site {
            lowers: request.lowers,
            architecture: request.architecture,
            base: None,
            cache: request.cache,
            cancel: request.cancel,
        };
        let python = Path::new(request.interpreter).file_name();
        let workshop = Workshop::new(
            site,
            &request.uv_cache,
            Access::of(request.environment, request.indexes),
            &python.unwrap_or_default().to_string_lossy(),
        )
        .map_err(Failure::Error)?;
        let uv = uv::ready(
            &workshop,
            request.lowers,
            request.cache,
            request.environment,
            request.interpreter,
        )?;
        Ok(Self {
            workshop,
            uv,
            interpreter: request.interpreter,
        })
    }

    /// Writes a text for a step; returns its path inside.
    pub fn input(&self, name: &str, text: &str) -> Result<String, InstallError> {
        self.workshop.input(name, text)
    }

    /// An empty folder: its path inside, and on the host.
    pub fn folder(&self, name: &str) -> Result<(String, PathBuf), InstallError> {
        let host = self.workshop.host("out").join(name);
        fs::create_dir(&host).map_err(io(format!("making {}", host.display())))?;
        super::give(&host)?;
        Ok((format!("{OUT}/{name}"), host))
    }

    /// The pin with the hash of its source archive, which is asked for where a
    /// lock holds only the wheel that was installed.
    pub fn locate(&self, pin: &Pin) -> Result<Pin, Failure> {
        if pin.source != PinSource::Index || names_source(pin) {
            return Ok(pin.clone());
        }
        let bare = Pin {
            files: Vec::new(),
            marker: None,
            ..pin.clone()
        };
        let list = self.input("locate.in", &list_text([&bare], SRC));
        let file = self.workshop.host("out").join("pylock.toml");
        let mut argv = strings(&[UV, "pip", "compile", "--no-deps", "--format", "pylock.toml"]);
        argv.extend(strings(&["--no-binary", &pin.name]));
        argv.extend(strings(&["--python", self.interpreter]));
        argv.extend(["--output-file".to_owned(), format!("{OUT}/pylock.toml")]);
        argv.push(list.map_err(Failure::Error)?);
        self.workshop.run(Run {
            step: "looking for a source distribution",
            argv,
            mounts: vec![uv::mount(&self.uv)],
            ..Run::default()
        })?;
        let text = fs::read_to_string(&file)
            .map_err(io(format!("reading {}", file.display())))
            .map_err(Failure::Error)?;
        // A second resolution must not take this one's choices for its own.
        let _ = fs::remove_file(&file);
        let pins = locks::pylock(&text).map_err(|error| Failure::Error(error.into()))?;
        let found = pins.into_iter().find(|found| found.name == pin.name);
        Ok(found.unwrap_or(bare))
    }

    /// Builds and installs one distribution; returns what was written.
    pub fn build(&self, pin: &Pin, build: &[Pin], step: Step<'_>) -> Result<String, Failure> {
        let one = Pin {
            marker: None,
            ..pin.clone()
        };
        let list = self.input("source.txt", &list_text([&one], SRC));
        let mut argv = step.before;
        argv.extend(strings(&[UV, "pip", "install", "--no-deps", "--python"]));
        argv.extend(strings(&[self.interpreter, "--target", &step.target]));
        argv.extend(strings(&["--no-binary", &pin.name]));
        argv.push(match pin.is_hashed() {
            true => "--require-hashes".to_owned(),
            false => "--no-verify-hashes".to_owned(),
        });
        argv.extend(["-r".to_owned(), list.map_err(Failure::Error)?]);
        if !build.is_empty() {
            let list = self.input("build.txt", &list_text(build, SRC));
            argv.push("--build-constraints".to_owned());
            argv.push(list.map_err(Failure::Error)?);
        }
        let mut mounts = step.mounts;
        mounts.push(uv::mount(&self.uv));
        let mut variables = step.variables;
        variables.push(uv::telling());
        self.workshop.run(Run {
            step: "building from source",
            argv,
            mounts,
            variables,
        })
    }
}

/// True if one of its hashes can be that of a source archive.
fn names_source(pin: &Pin) -> bool {
    let is_wheel = |name: &String| name.ends_with(".whl");
    let mut files = pin.files.iter();
    files.any(|file| !file.name.as_ref().is_some_and(is_wheel))
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::PinFile;
    use super::*;

    #[test]
    fn a_hash_without_a_name_may_be_that_of_a_source_archive() {
        let pin = |names: &[Option<&str>]| Pin {
            files: names
                .iter()
                .map(|name| PinFile {
                    hash: "sha256:ab".to_owned(),
                    name: name.map(str::to_owned),
                })
                .collect(),
            ..Pin::index("a", "1")
        };
        assert!(!names_source(&pin(&[])));
        assert!(!names_source(&pin(&[Some("a-1-py3-none-any.whl")])));
        assert!(names_source(&pin(&[
            Some("a-1-py3-none-any.whl"),
            Some("a-1.tar.gz")
        ])));
        assert!(names_source(&pin(&[None])));
    }
}
