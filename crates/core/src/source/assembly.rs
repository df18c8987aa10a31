//! The fat root of a project: runtime, dependencies and app, one above the
//! other.

use std::path::{Path, PathBuf};

use whit_oci::{Entry, ImagePath, Kind, Meta};

use super::FatRoot;
use super::base::Base;
use super::debian::Assembled;
use super::project::{self, Project, ProjectError};
use crate::index::{Builder, IndexError, Owner, ScanError, contents, scan};
use crate::transform::LayerClass;

/// Why the parts do not make a root.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error("the runtime is damaged: {0}")]
    Index(#[from] IndexError),
}

/// What is at the bottom.
#[derive(Debug)]
pub struct Runtime {
    pub dir: PathBuf,
    builder: Builder,
    /// Layers of the builder.
    layers: u16,
    passwd: String,
    group: String,
}

impl Runtime {
    /// A root of Debian packages.
    pub fn of_packages(assembled: &Assembled) -> Result<Self, IndexError> {
        let mut builder = Builder::new();
        for entry in &assembled.entries {
            builder.apply(0, entry)?;
        }
        let table =
            |name: &str| std::fs::read_to_string(assembled.dir.join(name)).unwrap_or_default();
        Ok(Self {
            dir: assembled.dir.clone(),
            builder,
            layers: 1,
            passwd: table("etc/passwd"),
            group: table("etc/group"),
        })
    }

    /// Nothing at all.
    pub fn empty() -> Self {
        Self {
            dir: PathBuf::new(),
            builder: Builder::new(),
            layers: 1,
            passwd: String::new(),
            group: String::new(),
        }
    }

    /// An image.
    pub fn of_base(base: Base) -> Self {
        Self {
            dir: base.dir,
            builder: base.builder,
            layers: base.layers,
            passwd: base.passwd,
            group: base.group,
        }
    }
}

/// What an app stands on.
pub struct Parts<'a> {
    pub runtime: Runtime,
    /// The folder in which the dependencies were installed.
    pub dependencies: Option<&'a Path>,
    /// The folder in which the project itself was installed, where it is a
    /// package.
    pub installed: Option<&'a Path>,
    /// An empty folder for the app's layer.
    pub app: &'a Path,
    /// Files in the project's folder that are whit's business and not part of
    /// the app.
    pub foreign: &'a [PathBuf],
}

/// Lays the layers and indexes them. Returns warnings beside the root.
pub fn assemble(
    project: &Project,
    parts: Parts<'_>,
    architecture: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<(FatRoot, Vec<String>), AssemblyError> {
    let files = project.files(parts.foreign)?;
    let runtime = parts.runtime;
    let tables = (runtime.passwd.as_str(), runtime.group.as_str());
    let users = project::lay_out(project, &files.placed, tables, parts.app)?;
    let mut dirs: Vec<PathBuf> = Some(runtime.dir)
        .filter(|dir| !dir.as_os_str().is_empty())
        .into_iter()
        .collect();
    dirs.extend(parts.dependencies.map(Path::to_owned));
    dirs.extend(parts.installed.map(Path::to_owned));
    dirs.push(parts.app.to_owned());

    let root_owned = Owner::Fixed { uid: 0, gid: 0 };
    let mut builder = runtime.builder;
    let above = [parts.dependencies, parts.installed, Some(parts.app)];
    for (layer, dir) in (runtime.layers..).zip(above) {
        if let Some(dir) = dir {
            scan(&mut builder, dir, layer, root_owned, cancelled)?;
        }
    }
    let theirs = (project.account.uid, project.account.gid, 0o755);
    let folders = users.into_iter().map(|path| (path, theirs));
    let temporary = project.furniture.temporary;
    let temporary = temporary.then(|| (ImagePath::from("tmp"), (0, 0, 0o1777)));
    for (path, (uid, gid, mode)) in folders.chain(temporary) {
        let meta = Meta {
            mode,
            uid,
            gid,
            ..Meta::default()
        };
        let folder = Entry {
            path,
            kind: Kind::Dir,
            meta,
        };
        builder.apply(runtime.layers + 2, &folder)?;
    }
    let tree = builder.finish(&contents(&dirs));
    let certificates = tree
        .lookup(&ImagePath::from("etc/ssl/certs/ca-certificates.crt"))
        .is_some();
    let mut layering = vec![LayerClass::Runtime; usize::from(runtime.layers)];
    // A layer beyond these belongs to the app, too.
    layering.extend([LayerClass::Dependencies, LayerClass::App]);
    let root = FatRoot {
        tree,
        dirs,
        config: project.image_config(architecture, certificates),
        layering: Some(layering),
        stored: None,
    };
    Ok((root, files.warnings))
}
