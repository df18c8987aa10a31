//! Where in the image each file of the project lies.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use whit_oci::ImagePath;

use super::ProjectError;
use super::dockerfile::Copy;
use crate::source::ignore::{Listed, ListedKind};

/// A file of the project and its place in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub file: Listed,
    pub inside: ImagePath,
}

/// Places the files: the whole project in `workdir`, or, where a Dockerfile
/// copies parts of it, each part where the Dockerfile puts it. Sorted by place.
pub fn place(files: &[Listed], workdir: &ImagePath, copies: &[Copy]) -> Vec<Placed> {
    let mut placed: BTreeMap<ImagePath, Placed> = BTreeMap::new();
    if copies.is_empty() {
        for file in files {
            let inside = workdir.join(file.path.as_bytes());
            placed.insert(
                inside.clone(),
                Placed {
                    file: file.clone(),
                    inside,
                },
            );
        }
        return placed.into_values().collect();
    }
    for copy in copies {
        let folder_dest = copy.dest.ends_with('/')
            || copy.sources.len() > 1
            || workdir.starts_with(&ImagePath::clamped(&copy.dest))
            || placed
                .keys()
                .any(|path| path.starts_with(&ImagePath::clamped(&copy.dest)));
        let dest = ImagePath::clamped(&copy.dest);
        // What an image is built with and then thrown away.
        if dest.starts_with(&"tmp".into()) {
            continue;
        }
        for source in &copy.sources {
            let source = Source::new(source);
            for file in files {
                let Some(matched) = source.matched(&file.path) else {
                    continue;
                };
                let rest = file.path.strip_prefix(&matched).unwrap_or_default();
                let inside = match rest {
                    // The thing itself: a file keeps its name in a folder.
                    b"" if file.kind == ListedKind::Dir => dest.clone(),
                    b"" if folder_dest => dest.join(file.path.name()),
                    b"" => dest.clone(),
                    // A folder's content, not the folder.
                    rest => dest.join(rest),
                };
                if !inside.is_root() {
                    placed.insert(
                        inside.clone(),
                        Placed {
                            file: file.clone(),
                            inside,
                        },
                    );
                }
            }
        }
    }
    placed.into_values().collect()
}

/// The source of a `COPY`: a path of the project, perhaps with wildcards.
struct Source {
    path: ImagePath,
    glob: Option<GlobMatcher>,
}

impl Source {
    fn new(text: &str) -> Self {
        let path = ImagePath::clamped(text);
        let glob = text
            .contains(['*', '?', '['])
            .then(|| {
                GlobBuilder::new(&String::from_utf8_lossy(path.as_bytes()))
                    .literal_separator(true)
                    .build()
                    .ok()
            })
            .flatten()
            .map(|glob| glob.compile_matcher());
        Self { path, glob }
    }

    /// The part of `file` that this source names: the file itself or a folder
    /// above it.
    fn matched(&self, file: &ImagePath) -> Option<ImagePath> {
        let Some(glob) = &self.glob else {
            return file.starts_with(&self.path).then(|| self.path.clone());
        };
        let mut candidates: Vec<ImagePath> = file.ancestors().collect();
        candidates.reverse();
        candidates.push(file.clone());
        candidates
            .into_iter()
            .filter(|path| !path.is_root())
            .find(|path| path.as_str().is_some_and(|text| glob.is_match(text)))
    }
}

/// Copies the placed files below `dest`, a folder that will be one layer of
/// the fat root. Folders get mode 755 and files 644 or 755: an image's user is
/// not the one whose `umask` made the project.
pub fn write(placed: &[Placed], dest: &Path) -> Result<(), ProjectError> {
    for one in placed {
        let to = one.inside.under(dest);
        let fail = |source| ProjectError::Read {
            path: one.file.host.clone(),
            source,
        };
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(fail)?;
        }
        match &one.file.kind {
            ListedKind::Dir => std::fs::create_dir_all(&to).map_err(fail)?,
            ListedKind::Symlink(target) => {
                use std::os::unix::ffi::OsStrExt;
                std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), &to)
                    .map_err(fail)?;
            }
            ListedKind::File { executable, .. } => {
                std::fs::copy(&one.file.host, &to).map_err(fail)?;
                let mode = if *executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(&to, std::fs::Permissions::from_mode(mode))
                    .map_err(fail)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(files: &[&str], copies: &[(&[&str], &str)]) -> Vec<String> {
        let files: Vec<Listed> = files
            .iter()
            .map(|path| Listed {
                path: (*path).into(),
                host: path.into(),
                kind: match path.ends_with('/') {
                    true => ListedKind::Dir,
                    false => ListedKind::File {
                        size: 0,
                        executable: false,
                    },
                },
            })
            .collect();
        let copies: Vec<Copy> = copies
            .iter()
            .map(|(sources, dest)| Copy {
                sources: sources.iter().map(|s| (*s).to_owned()).collect(),
                dest: (*dest).to_owned(),
            })
            .collect();
        place(&files, &"app".into(), &copies)
            .iter()
            .map(|one| one.inside.to_string())
            .collect()
    }

    #[test]
    fn the_whole_project_or_what_the_dockerfile_copies() {
        let files = ["a/", "a/x.py", "b.txt", "c.txt", "r.txt"];
        assert_eq!(
            placed(&files, &[]),
            [
                "/app/a",
                "/app/a/x.py",
                "/app/b.txt",
                "/app/c.txt",
                "/app/r.txt"
            ]
        );
        assert_eq!(placed(&files, &[(&["."], "/app/")]).len(), 5);
        assert_eq!(
            placed(&files, &[(&["./a"], "/app/pkg"), (&["b.txt"], "/app/")]),
            ["/app/b.txt", "/app/pkg", "/app/pkg/x.py"]
        );
        assert_eq!(placed(&files, &[(&["a/"], "/app/")]), ["/app", "/app/x.py"]);
        assert_eq!(
            placed(&files, &[(&["*.txt"], "/app")]),
            ["/app/b.txt", "/app/c.txt", "/app/r.txt"]
        );
        assert_eq!(
            placed(&files, &[(&["b.txt"], "/app/z.txt")]),
            ["/app/z.txt"]
        );
        assert_eq!(
            placed(&files, &[(&["r.txt"], "/tmp/r.txt")]),
            [] as [&str; 0]
        );
    }

    #[test]
    fn writing_sets_modes() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        let path = from.path().join("x.sh");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let listing = crate::source::ignore::list(from.path(), &[]).unwrap();
        write(&place(&listing.files, &"app".into(), &[]), to.path()).unwrap();
        let mode = std::fs::metadata(to.path().join("app/x.sh"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }
}
