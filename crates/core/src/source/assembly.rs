//! The fat root of a project: runtime, dependencies and app, one above the
//! other.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use whit_oci::{ImageConfig, ImagePath};

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
    #[error("cannot write the app's layer: {0}")]
    Io(#[from] io::Error),
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
    project::write_files(&files.placed, parts.app)?;
    write_accounts(project, &parts.runtime.dir, parts.app)?;
    fs::create_dir_all(project.workdir.under(parts.app))?;
    own(parts.app)?;

    let root_owned = Owner::Fixed { uid: 0, gid: 0 };
    let mut builder = Builder::new();
    for entry in &parts.runtime.entries {
        builder.apply(0, entry)?;
    }
    let mut dirs = vec![parts.runtime.dir.clone()];
    if let Some(dependencies) = parts.dependencies {
        scan(&mut builder, dependencies, 1, root_owned, cancelled)?;
        dirs.push(dependencies.to_owned());
    }
    for (layer, dir) in parts.installed.into_iter().chain([parts.app]).enumerate() {
        let layer = u16::try_from(layer + 2).unwrap_or(u16::MAX);
        scan(&mut builder, dir, layer, root_owned, cancelled)?;
        dirs.push(dir.to_owned());
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

/// The runtime's `passwd` and `group` with the app's user in them.
fn write_accounts(project: &Project, runtime: &Path, app: &Path) -> io::Result<()> {
    let etc = app.join("etc");
    fs::create_dir_all(&etc)?;
    let read = |name: &str| fs::read_to_string(runtime.join("etc").join(name)).unwrap_or_default();
    fs::write(etc.join("passwd"), project.account.passwd(&read("passwd")))?;
    fs::write(etc.join("group"), project.account.group(&read("group")))
}

/// Gives the layer to the image's root, as the sandbox sees it.
fn own(folder: &Path) -> io::Result<()> {
    let Some((uid, gid)) = whit_sandbox::disk_owner(0, 0) else {
        return Ok(());
    };
    std::os::unix::fs::lchown(folder, Some(uid), Some(gid))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            own(&entry.path())?;
        } else {
            std::os::unix::fs::lchown(entry.path(), Some(uid), Some(gid))?;
        }
    }
    Ok(())
}
