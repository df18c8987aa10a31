//! Indexing a folder on disk as one more layer.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{lgetxattr, major, minor};
use whit_oci::{Entry, ImagePath, Kind, Meta};

use super::{Builder, IndexError};

/// Why a folder cannot be indexed.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{dir}: {source}")]
    Index { dir: PathBuf, source: IndexError },
    #[error("interrupted")]
    Cancelled,
}

/// Who owns the files of a folder in the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Whoever owns them on disk.
    Disk,
    /// One user and group for all.
    Fixed { uid: u32, gid: u32 },
}

/// Applies the content of `dir` to `builder` as layer `layer`: a plain folder
/// or the upper layer of an overlay, whose whiteouts and opaque folders are
/// honoured. Modes and times are those on disk; sockets are left out, and
/// extended attributes too. The folder itself stands for the root and adds
/// nothing.
pub fn scan(
    builder: &mut Builder,
    dir: &Path,
    layer: u16,
    owner: Owner,
    cancelled: &dyn Fn() -> bool,
) -> Result<(), ScanError> {
    let mut names: HashMap<(u64, u64), ImagePath> = HashMap::new();
    let apply = |builder: &mut Builder, entry: Entry| match builder.apply(layer, &entry) {
        Ok(_) => Ok(()),
        Err(source) => Err(ScanError::Index {
            dir: dir.to_path_buf(),
            source,
        }),
    };
    let mut todo = vec![ImagePath::root()];
    while let Some(folder) = todo.pop() {
        for name in sorted_names(&folder.under(dir))? {
            if cancelled() {
                return Err(ScanError::Cancelled);
            }
            let path = folder.join(name);
            let host = path.under(dir);
            let metadata = host.symlink_metadata().map_err(|e| failed(&host, e))?;
            let Some(kind) = kind(&host, &metadata)? else {
                continue;
            };
            let first = match kind {
                Kind::File { .. } | Kind::Symlink { .. } if metadata.nlink() > 1 => {
                    names.insert((metadata.dev(), metadata.ino()), path.clone())
                }
                _ => None,
            };
            let is_dir = kind == Kind::Dir;
            let meta = meta(&metadata, owner);
            let kind = match first {
                Some(target) => Kind::Hardlink { target },
                None => kind,
            };
            let entry = Entry {
                path: path.clone(),
                kind,
                meta,
            };
            apply(builder, entry)?;
            if is_dir {
                if overlay_mark(&host, "opaque") == Some(b'y') {
                    let entry = Entry {
                        path: path.clone(),
                        kind: Kind::Opaque,
                        meta: Meta::default(),
                    };
                    apply(builder, entry)?;
                }
                todo.push(path);
            }
        }
    }
    Ok(())
}

fn sorted_names(folder: &Path) -> Result<Vec<Vec<u8>>, ScanError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| failed(folder, e))? {
        let entry = entry.map_err(|e| failed(folder, e))?;
        names.push(entry.file_name().as_bytes().to_vec());
    }
    names.sort();
    Ok(names)
}

/// What a file on disk is as an entry; `None` for sockets.
fn kind(host: &Path, metadata: &Metadata) -> Result<Option<Kind>, ScanError> {
    let kind = metadata.file_type();
    let device = || (major(metadata.rdev()), minor(metadata.rdev()));
    Ok(Some(if kind.is_dir() {
        Kind::Dir
    } else if kind.is_file() {
        // Without the right to make devices, overlayfs marks an empty file.
        if metadata.len() == 0 && overlay_mark(host, "whiteout").is_some() {
            Kind::Whiteout
        } else {
            Kind::File {
                size: metadata.len(),
            }
        }
    } else if kind.is_symlink() {
        let target = fs::read_link(host).map_err(|e| failed(host, e))?;
        Kind::Symlink {
            target: target.as_os_str().as_bytes().to_vec(),
        }
    } else if kind.is_char_device() {
        match device() {
            (0, 0) => Kind::Whiteout,
            (major, minor) => Kind::CharDevice { major, minor },
        }
    } else if kind.is_block_device() {
        let (major, minor) = device();
        Kind::BlockDevice { major, minor }
    } else if kind.is_fifo() {
        Kind::Fifo
    } else {
        return Ok(None);
    }))
}

fn meta(metadata: &Metadata, owner: Owner) -> Meta {
    let (uid, gid) = match owner {
        Owner::Disk => (metadata.uid(), metadata.gid()),
        Owner::Fixed { uid, gid } => (uid, gid),
    };
    Meta {
        mode: metadata.mode() & 0o7777,
        uid,
        gid,
        mtime: metadata.mtime(),
        ..Meta::default()
    }
}

/// The first byte of overlayfs's attribute, set by an unprivileged or a
/// privileged mount (kernel documentation, overlayfs, "whiteouts and opaque
/// directories"); 0 for an empty value.
fn overlay_mark(host: &Path, name: &str) -> Option<u8> {
    ["user", "trusted"].iter().find_map(|space| {
        let mut value = [0; 16];
        let name = format!("{space}.overlay.{name}");
        lgetxattr(host, name, &mut value[..]).ok()?;
        Some(value[0])
    })
}

fn failed(path: &Path, source: io::Error) -> ScanError {
    ScanError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn an_upper_layer_hides_what_it_marks() {
        let lower = tempfile::tempdir().unwrap();
        let upper = tempfile::tempdir().unwrap();
        let write = |root: &Path, path: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        };
        for path in ["gone", "dir/old", "kept", "other/old"] {
            write(lower.path(), path);
        }
        write(upper.path(), "dir/new");
        write(upper.path(), "other/new");
        fs::hard_link(upper.path().join("dir/new"), upper.path().join("twin")).unwrap();
        symlink("kept", upper.path().join("link")).unwrap();
        fs::write(upper.path().join("gone"), b"").unwrap();
        let mark = |path: &str, name: &str, value: &[u8]| {
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(upper.path().join(path), name, value, flags).is_ok()
        };
        if !mark("dir", "user.overlay.opaque", b"y") || !mark("gone", "user.overlay.whiteout", b"")
        {
            // A file system without user attributes has no overlays either.
            return;
        }
        fs::set_permissions(
            upper.path().join("twin"),
            fs::Permissions::from_mode(0o4711),
        )
        .unwrap();

        let mut builder = Builder::new();
        let owner = Owner::Fixed { uid: 7, gid: 8 };
        for (layer, dir) in [(0, &lower), (1, &upper)] {
            scan(&mut builder, dir.path(), layer, owner, &|| false).unwrap();
        }
        let tree = builder.finish(&|_| None);
        let paths: Vec<String> = tree.iter().map(|(_, n)| n.path.to_string()).collect();
        assert_eq!(
            paths,
            [
                "/",
                "/dir",
                "/dir/new",
                "/kept",
                "/link",
                "/other",
                "/other/new",
                "/other/old",
                "/twin"
            ]
        );
        let twin = tree.node(tree.get(&"twin".into()).unwrap());
        assert_eq!((twin.meta.mode, twin.meta.uid, twin.layer), (0o4711, 7, 1));
        assert_eq!(
            twin.kind,
            super::super::NodeKind::File {
                size: 1,
                content: "dir/new".into()
            }
        );
    }
}
