//! Projects in other languages than Python: their steps, carried out in the
//! sandbox, and what the programs that come out need of a system.

mod error;
mod needs;
mod shop;
mod sonames;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use whit_oci::Digest;
use whit_sandbox::disk_owner;

pub use error::CraftError;
pub use needs::{Needs, Use};
pub use sonames::packages as packages_of_sonames;

use super::ignore::Listed;
use super::project::{Craft, Inherited, Project};
use super::python_deps::{copy_sources, digest_sources};
use crate::progress::Progress;
use error::io;
use shop::{End, Shop};

/// Counts up when the same steps leave something else than before.
const FORMAT: u32 = 1;

/// By this code a step asks for packages (`EX_TEMPFAIL`, sysexits.h).
const WANTS_PACKAGES: i32 = 75;

/// What is to be built in what.
pub struct Request<'a> {
    pub project: &'a Project,
    pub craft: &'a Craft,
    /// The root in which the steps run.
    pub root: &'a Path,
    /// Names it, so that a result is used again only with the same one.
    pub root_key: &'a str,
    /// The Debian packages that were added to it already.
    pub added: &'a [String],
    /// The variables and the `PATH` of the base, where there is one.
    pub base: Option<Inherited<'a>>,
    /// whit's cache folder.
    pub cache: &'a Path,
    /// The invoking user's environment.
    pub environment: &'a BTreeMap<String, String>,
    pub progress: &'a dyn Progress,
    pub cancel: &'a AtomicBool,
}

/// What the steps left, in whit's cache: others use it too.
#[derive(Debug, Default, Clone)]
pub struct Made {
    /// Executables, by name.
    pub programs: Vec<PathBuf>,
    /// Shaped like a root: what a change of the app does not move.
    pub dependencies: Option<PathBuf>,
    /// Shaped like a root: what was made of the app.
    pub built: Option<PathBuf>,
}

/// What became of it.
#[derive(Debug)]
pub enum Outcome {
    Ready(Made),
    /// To be asked again with these packages in the root.
    WantsPackages {
        packages: Vec<String>,
        because: String,
    },
}

/// Carries out the steps, or finds what they left the last time.
pub fn make(request: &Request<'_>) -> Result<Outcome, CraftError> {
    let files = sources(request.project, request.craft)?;
    let place = request.cache.join("crafts").join(key(request, &files)?);
    if place.is_dir() {
        return Ok(Outcome::Ready(Made::at(&place)?));
    }
    let shop = Shop::new(request)?;
    copy_sources(&files, &shop.host("src")).map_err(CraftError::Sources)?;
    for step in &request.craft.steps {
        request.progress.phase(step.phase, None);
        match shop.run(step)? {
            End::Done => {}
            End::Failed { code, output } => {
                let (packages, because) = wanted(code, &output);
                let is_new = packages.iter().any(|name| !request.added.contains(name));
                if is_new {
                    return Ok(Outcome::WantsPackages { packages, because });
                }
                return Err(error::failed(request.craft.language, step.phase, &output));
            }
        }
    }
    let made = shop.into_out()?;
    super::python_deps::shelve(made, &place).map_err(CraftError::Sources)?;
    Ok(Outcome::Ready(Made::at(&place)?))
}

/// The Debian packages that a failed step asks for, and how it says so.
fn wanted(code: i32, output: &str) -> (Vec<String>, String) {
    let asked = output
        .lines()
        .find_map(|line| line.strip_prefix("whit needs:"))
        .filter(|_| code == WANTS_PACKAGES);
    if let Some(names) = asked {
        let names = names.split_whitespace().map(str::to_owned).collect();
        return (names, "parts of it are written in C".to_owned());
    }
    super::python_deps::lacking(output).unwrap_or_default()
}

/// What a build may read: the project without what a build on the host left.
fn sources(project: &Project, craft: &Craft) -> Result<Vec<Listed>, CraftError> {
    let mut files = match &project.file {
        Some(file) => super::ignore::one(file)?.files,
        None => super::ignore::list_sources(&project.root)?.files,
    };
    files.retain(|file| {
        !file
            .path
            .components()
            .any(|part| craft.leftovers.iter().any(|name| name.as_bytes() == part))
    });
    Ok(files)
}

/// A digest of all that decides about what the steps leave.
fn key(request: &Request<'_>, files: &[Listed]) -> Result<String, CraftError> {
    let sources = digest_sources(files).map_err(CraftError::Sources)?;
    let base = request.base.map(|base| (base.env, base.path));
    let text = format!(
        "{FORMAT}\n{:?}\n{sources}\n{}\n{:?}\n{:?}\n{base:?}",
        // Whoever runs whit owns the files.
        disk_owner(0, 0),
        request.root_key,
        request.craft.steps,
        request.project.workdir,
    );
    Ok(Digest::of(text.as_bytes()).hex())
}

impl Made {
    fn at(place: &Path) -> Result<Self, CraftError> {
        let mut programs = Vec::new();
        let folder = place.join("programs");
        for entry in fs::read_dir(&folder).map_err(io(format!("reading {}", folder.display())))? {
            let entry = entry.map_err(io(format!("reading {}", folder.display())))?;
            programs.push(entry.path());
        }
        programs.sort();
        let filled = |name: &str| {
            let folder = place.join(name);
            let is_filled = fs::read_dir(&folder).is_ok_and(|mut all| all.next().is_some());
            is_filled.then_some(folder)
        };
        Ok(Self {
            programs,
            dependencies: filled("dependencies"),
            built: filled("built"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_asked_for_by_code_and_line_or_by_what_compilers_say() {
        let ask = "go: x\nwhit needs: gcc libc6-dev\n";
        assert_eq!(wanted(75, ask).0, ["gcc", "libc6-dev"]);
        assert!(wanted(1, ask).0.is_empty());
        let error = "main.c:1:10: fatal error: zlib.h: No such file or directory\n";
        assert_eq!(wanted(2, error).0, ["zlib1g-dev"]);
        assert!(wanted(2, "main.c:3: error: expected ';'").0.is_empty());
    }
}
