//! Resolving a path the way the kernel does, and noting what is passed.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::sys::{self, Errno};

/// Most links on one way, as in the kernel.
const LINKS: usize = 40;
/// Most bytes of a path while links are put in.
const LONGEST: usize = 64 << 10;
/// Most folders and links that are remembered.
const REMEMBERED: usize = 200_000;

/// Folders of the kernel: what lies there is not the image's.
const KERNELS: [&[u8]; 3] = [b"/proc", b"/sys", b"/dev"];

/// The way that a path took.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Walked {
    /// Links that were followed, each with its folders resolved.
    pub links: Vec<Vec<u8>>,
    pub end: End,
}

/// Where a path ended. Paths are absolute, with their folders resolved.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Found {
        path: Vec<u8>,
        kind: Kind,
    },
    Missing {
        /// The whole path that was wanted.
        path: Vec<u8>,
        /// The first part of it that is not there.
        first: Vec<u8>,
    },
    /// A folder on the way may not be searched: nobody knows.
    Hidden {
        path: Vec<u8>,
    },
    /// In a folder of the kernel, or in no folder at all.
    Elsewhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder,
    Link,
    File,
    /// A device, socket or pipe.
    Other,
}

/// What is known about a path that others lead through.
#[derive(Debug, Clone)]
enum Node {
    Folder,
    Link(Box<[u8]>),
}

/// Where a walk starts.
#[derive(Debug, Clone, Default)]
pub(crate) struct From {
    /// The process's root, seen from the sandbox's: empty if they are the same.
    pub floor: Vec<u8>,
    /// The folder that a relative path starts from.
    pub folder: Vec<u8>,
}

/// Walks paths below a root.
pub(crate) struct Walker {
    root: OwnedFd,
    known: HashMap<Box<[u8]>, Node>,
}

impl Walker {
    pub fn new(root: OwnedFd) -> Walker {
        Walker {
            root,
            known: HashMap::new(),
        }
    }

    /// The root, open as a path.
    pub fn root(&self) -> i32 {
        self.root.as_raw_fd()
    }

    /// Forgets what it knows: something may have been moved or removed.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// Walks `path`. A link in the last place is followed if `follow`.
    /// `magic` says where a link below `/proc/self` leads.
    pub fn walk(
        &mut self,
        from: &From,
        path: &[u8],
        follow: bool,
        remember: bool,
        magic: impl Fn(&[u8]) -> Option<Vec<u8>>,
    ) -> Walked {
        let mut links = Vec::new();
        let mut way = Way {
            at: if path.starts_with(b"/") {
                &from.floor
            } else {
                &from.folder
            }
            .clone(),
            rest: path.to_vec(),
        };
        while way.at.ends_with(b"/") {
            way.at.pop();
        }
        let end = loop {
            let Some(step) = way.next(&from.floor) else {
                break found(way.at, Kind::Folder);
            };
            if KERNELS.contains(&way.at.as_slice()) {
                match kernel_link(&way, follow, &magic) {
                    Some((target, rest)) => (way.at, way.rest) = (target, rest),
                    None => break End::Elsewhere,
                }
                continue;
            }
            match self.node(&way.at, remember) {
                Ok(Seen::Folder) if step.last => break found(way.at, Kind::Folder),
                Ok(Seen::Folder) => {}
                Ok(Seen::Link(_)) if step.last && !follow && !step.slash => {
                    break found(way.at, Kind::Link);
                }
                Ok(Seen::Link(target)) => {
                    let long = target.len() + way.rest.len() > LONGEST;
                    links.push(way.at.clone());
                    if links.len() > LINKS || long {
                        break End::Hidden { path: way.at };
                    }
                    way.enter(&target, &from.floor);
                }
                Ok(Seen::Other(kind)) if step.last && !step.slash => break found(way.at, kind),
                // A file where a folder should be, or nothing.
                Ok(Seen::Other(_)) | Err(Errno(libc::ENOENT | libc::ENOTDIR)) => {
                    let first = way.at.clone();
                    break End::Missing {
                        path: way.whole(&from.floor),
                        first,
                    };
                }
                Err(Errno(libc::ENAMETOOLONG | libc::EINVAL)) => break End::Elsewhere,
                Err(_) => {
                    break End::Hidden {
                        path: way.whole(&from.floor),
                    };
                }
            }
        };
        Walked { links, end }
    }

    /// Looks at a path whose folders are resolved.
    fn node(&mut self, path: &[u8], remember: bool) -> Result<Seen, Errno> {
        match self.known.get(path) {
            Some(Node::Folder) => return Ok(Seen::Folder),
            Some(Node::Link(target)) => return Ok(Seen::Link(target.to_vec())),
            None => {}
        }
        let below = CString::new(&path[1..]).map_err(|_| Errno(libc::EINVAL))?;
        let mode = sys::stat(self.root(), &below)?.st_mode;
        let seen = match mode & libc::S_IFMT {
            libc::S_IFDIR => Seen::Folder,
            libc::S_IFREG => Seen::Other(Kind::File),
            libc::S_IFLNK => {
                let mut target = vec![0; libc::PATH_MAX as usize];
                let length = sys::readlinkat(self.root(), &below, &mut target)?;
                target.truncate(length);
                Seen::Link(target)
            }
            _ => Seen::Other(Kind::Other),
        };
        if remember {
            if self.known.len() >= REMEMBERED {
                self.known.clear();
            }
            let node = match &seen {
                Seen::Folder => Some(Node::Folder),
                Seen::Link(target) => Some(Node::Link(target.as_slice().into())),
                Seen::Other(_) => None,
            };
            if let Some(node) = node {
                self.known.insert(path.into(), node);
            }
        }
        Ok(seen)
    }
}

enum Seen {
    Folder,
    Link(Vec<u8>),
    Other(Kind),
}

fn found(path: Vec<u8>, kind: Kind) -> End {
    let path = if path.is_empty() { b"/".to_vec() } else { path };
    End::Found { path, kind }
}

/// A walk in progress.
struct Way {
    /// What is resolved, without a slash at its end; the root is empty.
    at: Vec<u8>,
    rest: Vec<u8>,
}

/// The part of a path that was just taken.
struct Step {
    last: bool,
    /// It was followed by a slash, so it has to be a folder.
    slash: bool,
}

impl Way {
    /// Takes the next name from the rest; `None` at its end.
    fn next(&mut self, floor: &[u8]) -> Option<Step> {
        loop {
            let (name, rest) = split(&self.rest)?;
            let slash = !rest.is_empty() || self.rest.ends_with(b"/");
            let last = split(rest).is_none();
            let (name, rest) = (name.to_vec(), rest.to_vec());
            self.rest = rest;
            match name.as_slice() {
                b"." => {}
                b".." => {
                    if self.at.len() > floor.len() {
                        let cut = self.at.iter().rposition(|b| *b == b'/');
                        self.at.truncate(cut.unwrap_or(0));
                    }
                }
                name => {
                    self.at.push(b'/');
                    self.at.extend_from_slice(name);
                    return Some(Step { last, slash });
                }
            }
        }
    }

    /// Puts a link's target in the place of the link.
    fn enter(&mut self, target: &[u8], floor: &[u8]) {
        let mut rest = target.to_vec();
        if !self.rest.is_empty() {
            rest.push(b'/');
            rest.extend_from_slice(&self.rest);
        }
        self.rest = rest;
        if target.starts_with(b"/") {
            self.at = floor.to_vec();
        } else {
            let cut = self.at.iter().rposition(|b| *b == b'/');
            self.at.truncate(cut.unwrap_or(0));
        }
    }

    /// The path that was wanted, as far as it can be said.
    fn whole(mut self, floor: &[u8]) -> Vec<u8> {
        while self.next(floor).is_some() {}
        self.at
    }
}

/// The first name of a path and what follows its slashes.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = path.iter().position(|b| *b != b'/')?;
    let path = &path[start..];
    let end = path.iter().position(|b| *b == b'/').unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let next = rest.iter().position(|b| *b != b'/').unwrap_or(rest.len());
    Some((name, &rest[next..]))
}

/// Where a path goes that goes through `/proc/self`: the place that it leads
/// to, and the rest of it.
fn kernel_link(
    way: &Way,
    follow: bool,
    magic: &impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Option<(Vec<u8>, Vec<u8>)> {
    if way.at != b"/proc" {
        return None;
    }
    let (who, rest) = split(&way.rest)?;
    if who != b"self" && who != b"thread-self" {
        return None;
    }
    let (mut name, mut rest) = split(rest)?;
    let mut whole = name.to_vec();
    if name == b"fd" {
        (name, rest) = split(rest)?;
        whole.push(b'/');
        whole.extend_from_slice(name);
    } else if !matches!(name, b"cwd" | b"root" | b"exe") {
        return None;
    }
    if rest.is_empty() && !follow {
        return None;
    }
    let target = magic(&whole)?;
    // The target becomes the rest, so that its last part is looked at too.
    let mut all = target;
    all.push(b'/');
    all.extend_from_slice(rest);
    if rest.is_empty() {
        all.pop();
    }
    Some((Vec::new(), all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    /// Makes a tree from lines: `a/b/` a folder, `a -> b` a link, else a file.
    fn tree(root: &Path, lines: &[&str]) {
        for line in lines {
            if let Some((link, target)) = line.split_once(" -> ") {
                symlink(target, root.join(link)).unwrap();
            } else if line.ends_with('/') {
                fs::create_dir_all(root.join(line)).unwrap();
            } else {
                fs::write(root.join(line), "").unwrap();
            }
        }
    }

    /// Walks and writes the way down.
    fn way(walker: &mut Walker, from: &From, path: &str, follow: bool) -> String {
        let magic = |name: &[u8]| (name == b"exe").then(|| b"/usr/bin/tool".to_vec());
        let walked = walker.walk(from, path.as_bytes(), follow, true, magic);
        let text = |path: Vec<u8>| String::from_utf8(path).unwrap();
        let mut said: Vec<String> = walked
            .links
            .into_iter()
            .map(|link| text(link) + "@")
            .collect();
        said.push(match walked.end {
            End::Found { path, kind } => format!("{} {kind:?}", text(path)),
            End::Missing { path, first } => format!("{} missing {}", text(path), text(first)),
            End::Hidden { path } => format!("{} hidden", text(path)),
            End::Elsewhere => "elsewhere".into(),
        });
        said.join(" ")
    }

    #[test]
    fn ways() {
        let folder = tempfile::tempdir().unwrap();
        let lines = [
            "usr/bin/",
            "usr/bin/tool",
            "usr/bin/alias -> tool",
            "bin -> usr/bin",
            "etc/",
            "etc/abs -> /bin/alias",
            "etc/out -> ../../../../usr",
            "loop -> loop",
            "etc/mtab -> /proc/self/mounts",
            "jail/etc/",
            "jail/etc/x",
            "jail/up -> /etc/x",
            "etc/gone -> /nowhere/at/all",
            "proc/",
            "dev/",
        ];
        tree(folder.path(), &lines);
        let root = OwnedFd::from(File::open(folder.path()).unwrap());
        let mut walker = Walker::new(root);
        let top = From::default();
        let etc = From {
            floor: vec![],
            folder: b"/etc".to_vec(),
        };
        let jail = From {
            floor: b"/jail".to_vec(),
            folder: b"/jail".to_vec(),
        };
        let cases: &[(&From, &str, bool, &str)] = &[
            (&top, "/usr/bin/tool", true, "/usr/bin/tool File"),
            (&top, "//usr/./bin//tool", true, "/usr/bin/tool File"),
            (&top, "/bin/tool", true, "/bin@ /usr/bin/tool File"),
            (&top, "/bin", false, "/bin Link"),
            (&top, "/bin/", false, "/bin@ /usr/bin Folder"),
            (&top, "/bin", true, "/bin@ /usr/bin Folder"),
            (
                &top,
                "/etc/abs",
                true,
                "/etc/abs@ /bin@ /usr/bin/alias@ /usr/bin/tool File",
            ),
            (&top, "/etc/abs", false, "/etc/abs Link"),
            (&top, "/etc/out/bin", true, "/etc/out@ /usr/bin Folder"),
            (&top, "/", true, "/ Folder"),
            (&top, "/../..", true, "/ Folder"),
            (&top, "/bin/../../etc", true, "/bin@ /etc Folder"),
            (&top, "/nope/a/../b", true, "/nope/b missing /nope"),
            (
                &top,
                "/bin/nope",
                true,
                "/bin@ /usr/bin/nope missing /usr/bin/nope",
            ),
            (
                &top,
                "/etc/gone",
                true,
                "/etc/gone@ /nowhere/at/all missing /nowhere",
            ),
            (
                &top,
                "/usr/bin/tool/x",
                true,
                "/usr/bin/tool/x missing /usr/bin/tool",
            ),
            (
                &top,
                "/usr/bin/tool/",
                true,
                "/usr/bin/tool missing /usr/bin/tool",
            ),
            (&top, "/etc/mtab", true, "/etc/mtab@ elsewhere"),
            (&top, "/dev/null", true, "elsewhere"),
            (&top, "/proc/self/exe", true, "/usr/bin/tool File"),
            (&top, "/proc/self/exe", false, "elsewhere"),
            (&top, "/proc/1/exe", true, "elsewhere"),
            (&etc, "abs", false, "/etc/abs Link"),
            (&etc, "../bin/tool", true, "/bin@ /usr/bin/tool File"),
            (&jail, "/up", true, "/jail/up@ /jail/etc/x File"),
            (&jail, "../../etc", true, "/jail/etc Folder"),
            (&jail, "/usr", true, "/jail/usr missing /jail/usr"),
        ];
        for round in 0..2 {
            for (from, path, follow, wanted) in cases {
                assert_eq!(
                    way(&mut walker, from, path, *follow),
                    *wanted,
                    "{path} round {round}"
                );
            }
        }
        assert!(way(&mut walker, &top, "/loop", true).ends_with("/loop hidden"));
        // What was moved is seen once the walker forgets.
        fs::remove_file(folder.path().join("bin")).unwrap();
        tree(folder.path(), &["bin -> etc"]);
        walker.forget();
        assert_eq!(way(&mut walker, &top, "/bin/", true), "/bin@ /etc Folder");
    }
}
