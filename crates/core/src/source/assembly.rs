//! The fat root of a project: runtime, dependencies and app, one above the
//! other.

use std::path::{Path, PathBuf};

use whit_oci::{Entry, ImageConfig, ImagePath, Kind, Meta};

use super::FatRoot;
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

/// What an app stands on.
pub struct Parts<'a> {
    pub runtime: &'a Assembled,
    /// The folder in which `dependencies` were installed.
    pub dependencies: Option<&'a Path>,
    /// The folder in which the project itself was installed, where it is a
    /// package.
    pub installed: Option<&'a Path>,
    /// An empty folder for the app's layer.
    pub app: &'a Path,
    /// Files that whit itself writes into the project, not part of the app.
    pub outputs: &'a [PathBuf],
}

/// Lays the layers and indexes them. Returns warnings beside the root.
pub fn assemble(
    project: &Project,
    parts: &Parts<'_>,
    architecture: &str,
    cancelled: &dyn Fn() -> bool,
) -> Result<(FatRoot, Vec<String>), AssemblyError> {
    let files = project.files(parts.outputs)?;
    let mut dirs = vec![parts.runtime.dir.clone()];
    dirs.extend(parts.dependencies.map(Path::to_owned));
    dirs.extend(parts.installed.map(Path::to_owned));
    let users = project::lay_out(project, &files.placed, &dirs, parts.app)?;
    dirs.push(parts.app.to_owned());

    let root_owned = Owner::Fixed { uid: 0, gid: 0 };
    let mut builder = Builder::new();
    for entry in &parts.runtime.entries {
        builder.apply(0, entry)?;
    }
    let above = [parts.dependencies, parts.installed, Some(parts.app)];
    for (layer, dir) in (1_u16..).zip(above) {
        if let Some(dir) = dir {
            scan(&mut builder, dir, layer, root_owned, cancelled)?;
        }
    }
    for path in users {
        let meta = Meta {
            mode: 0o755,
            uid: project.account.uid,
            gid: project.account.gid,
            ..Meta::default()
        };
        let folder = Entry {
            path,
            kind: Kind::Dir,
            meta,
        };
        builder.apply(3, &folder)?;
    }
    let tree = builder.finish(&contents(&dirs));
    let certificates = tree
        .lookup(&ImagePath::from("etc/ssl/certs/ca-certificates.crt"))
        .is_some();
    let config: ImageConfig = project.image_config(architecture, certificates);
    let root = FatRoot {
        tree,
        dirs,
        config,
        // A layer beyond the third belongs to the app, too.
        layering: Some(LayerClass::ALL.to_vec()),
        stored: None,
    };
    Ok((root, files.warnings))
}
