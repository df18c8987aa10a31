//! Extension modules of packages, for the linked form: from the files that the
//! app keeps to objects, distribution by distribution.

use std::collections::BTreeMap;
use std::path::PathBuf;

use whit_oci::ImagePath;

use super::extensions::{self, Compiled, Distribution};
use super::forge::Forge;
use super::split::Extension;
use super::{Libc, SingleError};
use crate::index::{FileId, Tree};
use crate::pipeline::Tools;
use crate::reach::elf::Elf;
use crate::reach::{Analyzer, How};
use crate::source::FatRoot;
use crate::source::python_deps::{Pin, normalize};

/// Compiled modules, by the path of the file that they stand for.
pub type Objects = BTreeMap<ImagePath, extensions::Object>;

/// What became of the foreign modules of an app.
#[derive(Default)]
pub struct Foreign {
    pub objects: Objects,
    /// Left out for their twins in Python, as the user allows.
    pub left_out: Vec<FileId>,
}

/// Where and for what modules are compiled.
pub struct Compiler<'a> {
    pub libc: Libc,
    pub original: &'a FatRoot,
    pub elf: &'a Elf<'a>,
    /// Distributions of which modules may be left out.
    pub fallbacks: &'a [String],
    /// The interpreter's headers, and libraries.
    pub kits: &'a [PathBuf],
    pub forge: &'a Forge<'a>,
    pub tools: &'a Tools<'a>,
}

/// Libraries of C that distributions want, and who is known to want them: a
/// build goes without its module where the headers are missing.
pub fn wanted_library(distribution: &str) -> Option<&'static str> {
    match normalize(distribution).as_str() {
        "pyyaml" | "ruamel-yaml-clib" => Some("libyaml"),
        "cffi" => Some("libffi"),
        _ => None,
    }
}

/// The distribution of each foreign module.
pub fn by_distribution<'a>(
    tree: &Tree,
    modules: &[&'a Extension],
) -> Result<BTreeMap<String, Vec<&'a Extension>>, SingleError> {
    let mut found: BTreeMap<String, Vec<&Extension>> = BTreeMap::new();
    for module in modules {
        let Some(distribution) = tree.distribution_of(module.file) else {
            return Err(SingleError::Unfit(format!(
                "{} belongs to no package, so that there is no source of it",
                module.path
            )));
        };
        let name = normalize(&distribution.name);
        found.entry(name).or_default().push(module);
    }
    Ok(found)
}

impl Compiler<'_> {
    /// Compiles the modules.
    ///
    /// # Errors
    /// [`SingleError::Unfit`] with the first reason why one cannot be linked, if
    /// it is of no distribution that may do without.
    pub fn compile(
        &self,
        modules: &BTreeMap<String, Vec<&Extension>>,
    ) -> Result<Foreign, SingleError> {
        let mut foreign = Foreign::default();
        if modules.is_empty() {
            return Ok(foreign);
        }
        let mut buildable: BTreeMap<String, Vec<&Extension>> = BTreeMap::new();
        for (name, own) in modules {
            match self.hopeless(name, own) {
                Some(why) => self.give_up(own, name, &why, &mut foreign)?,
                None => {
                    buildable.insert(name.clone(), own.clone());
                }
            }
        }
        let modules = &buildable;
        let supplies = self.forge.supplies;
        let mut wanted = Vec::new();
        for (name, own) in modules {
            let pin = supplies
                .pins
                .iter()
                .find(|pin| normalize(&pin.name) == *name);
            match pin {
                Some(pin) => wanted.push(self.distribution(pin, own)),
                None => self.give_up(
                    own,
                    name,
                    &format!("{name} was not installed from an index"),
                    &mut foreign,
                )?,
            }
        }
        let root = self.forge.root(&self.packages(modules), self.tools)?;
        let python = format!("/usr/bin/python{}", self.forge.suite.python());
        let lowers = [root.dir.clone()];
        let compiled = extensions::compile(&extensions::Order {
            distributions: &wanted,
            libc: self.libc,
            optimization: "-Os",
            kits: self.kits,
            lowers: &lowers,
            root_key: &root.key.hex(),
            interpreter: &python,
            architecture: self.forge.architecture,
            indexes: supplies.indexes,
            build: supplies.build,
            cache: &self.tools.cache.dependencies()?,
            environment: supplies.environment,
            progress: self.tools.progress,
            cancel: self.tools.cancel,
        })
        .map_err(super::ForgeError::from)?;
        for (name, outcome) in compiled {
            let own = &modules[&normalize(&name)];
            match outcome {
                Ok(compiled) => foreign.objects.extend(objects(own, compiled)),
                Err(why) => self.give_up(own, &name, &why.to_string(), &mut foreign)?,
            }
        }
        Ok(foreign)
    }

    /// Why a distribution need not be built to know that it cannot be linked.
    fn hopeless(&self, name: &str, modules: &[&Extension]) -> Option<String> {
        let tree = &self.original.tree;
        for module in modules {
            let content = self.original.content(module.file)?;
            let bytes = std::fs::read(content).unwrap_or_default();
            // Where its messages say in which file of the compiler's own library
            // something went wrong.
            if memchr::memmem::find(&bytes, b"/rustc/").is_some() {
                return Some(format!(
                    "{name} is written in Rust, which is not linked but carried"
                ));
            }
            let needed = self.elf.follow(module.file).edges.into_iter();
            let own = needed
                .filter(|(_, how)| matches!(how, How::Needed(_)))
                .find(|(id, _)| tree.distribution_of(*id).is_some());
            if let Some((library, _)) = own {
                return Some(format!(
                    "{name} brings a shared library of its own, {}",
                    tree.path(library)
                ));
            }
        }
        None
    }

    /// Debian's packages of the libraries that these distributions stand on.
    pub fn packages(&self, modules: &BTreeMap<String, Vec<&Extension>>) -> Vec<&'static str> {
        let libraries = modules.keys().filter_map(|name| wanted_library(name));
        match self.libc {
            Libc::Musl => Vec::new(),
            Libc::Glibc => libraries
                .map(|library| match library {
                    "libyaml" => "libyaml-dev",
                    _ => "libffi-dev",
                })
                .collect(),
        }
    }

    fn distribution<'p>(&self, pin: &'p Pin, modules: &[&Extension]) -> Distribution<'p> {
        Distribution {
            pin,
            modules: modules
                .iter()
                .map(|module| in_site(&self.original.tree, module))
                .collect(),
        }
    }

    /// Leaves modules out that may be missing; else this form is none.
    fn give_up(
        &self,
        modules: &[&Extension],
        name: &str,
        why: &str,
        foreign: &mut Foreign,
    ) -> Result<(), SingleError> {
        let allowed = self
            .fallbacks
            .iter()
            .any(|other| normalize(other) == normalize(name));
        if !allowed {
            return Err(SingleError::Unfit(why.to_owned()));
        }
        foreign
            .left_out
            .extend(modules.iter().map(|module| module.file));
        Ok(())
    }
}

/// The path below `site-packages`, beside which the metadata lies.
fn in_site(tree: &Tree, module: &Extension) -> String {
    let metadata = tree.distribution_of(module.file).map(|d| &d.dist_info);
    let below = metadata
        .and_then(ImagePath::parent)
        .and_then(|site| module.path.strip_prefix(&site).map(<[u8]>::to_vec));
    let below = below.unwrap_or_else(|| module.path.as_bytes().to_vec());
    String::from_utf8_lossy(&below)
        .trim_start_matches('/')
        .to_owned()
}

fn objects(modules: &[&Extension], compiled: Compiled) -> Objects {
    let paths = modules.iter().map(|module| module.path.clone());
    paths.zip(compiled.objects).collect()
}
