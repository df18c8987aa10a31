//! Where in the image each file of the project lies.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, lchown};
use std::path::Path;

use globset::{GlobBuilder, GlobMatcher};
use whit_oci::ImagePath;

use super::dockerfile::Copy;
use super::{Project, ProjectError};
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

/// Lays the app out in `dest`, an empty folder that becomes the top one of the
/// fat root: the placed files, the user's line in the runtime's `/etc/passwd`
/// and `/etc/group`, its home and the working directory. Returns the folders
/// that belong to the user; everything else is root's, so that an app cannot
/// rewrite itself.
///
/// Folders get mode 755 and files 644 or 755: an image's user is not the one
/// whose `umask` made the project.
pub fn lay_out(
    project: &Project,
    placed: &[Placed],
    (passwd, group): (&str, &str),
    dest: &Path,
) -> Result<Vec<ImagePath>, ProjectError> {
    for one in placed {
        write(one, dest)?;
    }
    let account = &project.account;
    let tables = [
        ("etc/passwd", account.passwd(passwd)),
        ("etc/group", account.group(group)),
    ];
    let has_accounts = project.furniture.accounts;
    for (name, table) in tables.into_iter().filter(|_| has_accounts) {
        let path = ImagePath::from(name);
        let to = path.under(dest);
        folders(&path, dest)?;
        fs::write(&to, table).map_err(at(&to))?;
        settle(&to, 0o644, (0, 0))?;
    }
    let mut owned = vec![project.workdir.clone()];
    let home = account.home.as_deref().filter(|_| has_accounts);
    owned.extend(home.map(ImagePath::from));
    if project.furniture.temporary {
        folders(&"tmp/x".into(), dest)?;
        settle(&dest.join("tmp"), 0o1777, (0, 0))?;
    }
    for folder in &owned {
        folders(&folder.join("x"), dest)?;
        settle(&folder.under(dest), 0o755, (account.uid, account.gid))?;
    }
    owned.sort();
    Ok(owned)
}

fn write(one: &Placed, dest: &Path) -> Result<(), ProjectError> {
    let to = one.inside.under(dest);
    folders(&one.inside, dest)?;
    match &one.file.kind {
        ListedKind::Dir => folders(&one.inside.join("x"), dest),
        ListedKind::Symlink(target) => {
            std::os::unix::fs::symlink(OsStr::from_bytes(target), &to).map_err(at(&to))?;
            own(&to, (0, 0))
        }
        ListedKind::File { executable, .. } => {
            fs::copy(&one.file.host, &to).map_err(at(&one.file.host))?;
            settle(&to, if *executable { 0o755 } else { 0o644 }, (0, 0))
        }
    }
}

/// Makes the folders above `path`.
fn folders(path: &ImagePath, dest: &Path) -> Result<(), ProjectError> {
    let mut above: Vec<ImagePath> = path.ancestors().filter(|one| !one.is_root()).collect();
    above.reverse();
    for folder in above {
        let host = folder.under(dest);
        if !host.is_dir() {
            fs::create_dir(&host).map_err(at(&host))?;
            settle(&host, 0o755, (0, 0))?;
        }
    }
    Ok(())
}

fn settle(path: &Path, mode: u32, owner: (u32, u32)) -> Result<(), ProjectError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(at(path))?;
    own(path, owner)
}

fn own(path: &Path, (uid, gid): (u32, u32)) -> Result<(), ProjectError> {
    match whit_sandbox::disk_owner(uid, gid) {
        Some((uid, gid)) => lchown(path, Some(uid), Some(gid)).map_err(at(path)),
        None => Ok(()),
    }
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> ProjectError {
    let path = path.to_owned();
    move |source| ProjectError::Write { path, source }
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
    fn laid_out_with_modes_and_a_user() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        let path = from.path().join("run.py");
        std::fs::write(&path, "print(1)\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let project = super::super::detect(from.path(), &Default::default(), None).unwrap();
        let files = project.files(&[]).unwrap();
        let tables = ("root:x:0:0::/root:/bin/sh\n", "");
        let owned = lay_out(&project, &files.placed, tables, to.path()).unwrap();
        assert_eq!(owned, ["app".into(), "home/nonroot".into()]);
        let mode = |name: &str| {
            let meta = std::fs::metadata(to.path().join(name)).unwrap();
            meta.permissions().mode() & 0o777
        };
        assert_eq!(mode("app/run.py"), 0o755);
        assert_eq!(mode("home/nonroot"), 0o755);
        let passwd = std::fs::read_to_string(to.path().join("etc/passwd")).unwrap();
        assert_eq!(passwd.lines().count(), 2);
    }
}
