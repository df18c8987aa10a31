//! Trees written as text, for tests.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use whit_oci::{ImageConfig, ImagePath, Meta};

use crate::index::{Node, NodeKind, Package, PackageId, PackageKind, Tree};
use crate::source::FatRoot;

/// A tree without content. One line per entry: `path`, `path/`,
/// `path -> target`.
pub fn tree(lines: &[&str]) -> Tree {
    let entries = lines.iter().map(|line| Entry::parse(line)).collect();
    build(entries, Vec::new())
}

/// A root on disk. The lines of [`tree`], and besides: `path = content` (with
/// `\n` for a new line), a `*` before the path for an executable, and
/// ` @package` at the very end for the owner.
pub fn root(lines: &[&str], env: &[&str]) -> TestRoot {
    let folder = tempfile::tempdir().unwrap();
    let mut packages: Vec<Package> = Vec::new();
    let mut entries = Vec::new();
    for line in lines {
        let mut entry = Entry::parse(line);
        if let Some(name) = entry.owner.take() {
            let at = packages.iter().position(|package| package.name == name);
            entry.package = Some(PackageId(at.unwrap_or(packages.len()) as u32));
            if at.is_none() {
                packages.push(package(&name));
            }
        }
        entry.write(folder.path());
        entries.push(entry);
    }
    let mut config = ImageConfig::new("amd64");
    config.set_exec("Env", env.into());
    TestRoot {
        root: FatRoot {
            tree: build(entries, packages),
            dirs: vec![folder.path().to_owned()],
            config,
            layering: None,
            stored: None,
        },
        folder,
    }
}

/// A root that lies in a temporary folder.
pub struct TestRoot {
    pub root: FatRoot,
    pub folder: tempfile::TempDir,
}

impl TestRoot {
    /// The paths of `edges`, as text.
    pub fn names<T>(&self, edges: &[(crate::index::FileId, T)]) -> Vec<String> {
        let path = |(id, _): &(crate::index::FileId, T)| self.root.tree.path(*id).to_string();
        edges.iter().map(path).collect()
    }

    /// Makes a package another manager's.
    pub fn kind(&mut self, name: &str, kind: PackageKind) {
        let tree = &self.root.tree;
        let nodes = tree.iter().map(|(_, n)| (n.path.clone(), n.clone()));
        let packages = tree.packages().map(|(_, package)| {
            let mut package = package.clone();
            if package.name == name {
                package.kind = kind;
            }
            package
        });
        self.root.tree = Tree::new(nodes.collect(), packages.collect());
    }

    pub fn id(&self, path: &str) -> crate::index::FileId {
        self.root.tree.get(&path.into()).unwrap()
    }
}

pub fn package(name: &str) -> Package {
    Package {
        kind: PackageKind::Dpkg,
        name: name.to_owned(),
        version: "1".to_owned(),
        depends: Vec::new(),
        record: String::new(),
    }
}

struct Entry {
    path: ImagePath,
    kind: NodeKind,
    content: Vec<u8>,
    executable: bool,
    owner: Option<String>,
    package: Option<PackageId>,
}

impl Entry {
    fn parse(line: &str) -> Self {
        let (line, owner) = match line.rsplit_once(" @") {
            Some((line, owner)) => (line, Some(owner.to_owned())),
            None => (line, None),
        };
        let (path, content) = match line.split_once(" = ") {
            Some((path, content)) => (path, content.replace("\\n", "\n").into_bytes()),
            None => (line, Vec::new()),
        };
        let (path, target) = match path.split_once(" -> ") {
            Some((path, target)) => (path, Some(target)),
            None => (path, None),
        };
        let (path, executable) = match path.strip_prefix('*') {
            Some(path) => (path, true),
            None => (path, false),
        };
        let kind = match target {
            Some(target) => NodeKind::Symlink {
                target: target.as_bytes().to_vec(),
            },
            None if path.ends_with('/') => NodeKind::Dir,
            None => NodeKind::File {
                size: content.len() as u64,
                content: path.into(),
            },
        };
        Self {
            path: path.into(),
            kind,
            content,
            executable,
            owner,
            package: None,
        }
    }

    fn write(&self, folder: &Path) {
        let host = self.path.under(folder);
        std::fs::create_dir_all(host.parent().unwrap()).unwrap();
        match &self.kind {
            NodeKind::Symlink { target } => {
                symlink(std::str::from_utf8(target).unwrap(), host).unwrap();
            }
            NodeKind::Dir => std::fs::create_dir_all(host).unwrap(),
            _ => {
                std::fs::write(&host, &self.content).unwrap();
                let mode = if self.executable { 0o755 } else { 0o644 };
                std::fs::set_permissions(host, PermissionsExt::from_mode(mode)).unwrap();
            }
        }
    }
}

fn build(entries: Vec<Entry>, packages: Vec<Package>) -> Tree {
    let mut nodes = BTreeMap::new();
    for entry in entries {
        let mode = if entry.executable { 0o755 } else { 0o644 };
        let node = Node {
            path: entry.path.clone(),
            kind: entry.kind,
            meta: Meta {
                mode,
                ..Meta::default()
            },
            layer: 0,
            package: entry.package,
        };
        nodes.insert(entry.path, node);
    }
    Tree::new(nodes, packages)
}

/// The host's own programs and libraries as a root, to compare with what its
/// loader does.
pub fn host_root() -> FatRoot {
    let mut nodes = BTreeMap::new();
    let mut open: Vec<std::path::PathBuf> = ["bin", "sbin", "lib", "lib64", "usr", "etc"]
        .iter()
        .map(|name| Path::new("/").join(name))
        .collect();
    while let Some(host) = open.pop() {
        let Ok(found) = host.symlink_metadata() else {
            continue;
        };
        let path = ImagePath::from(host.to_str().unwrap_or_default());
        let kind = if found.is_symlink() {
            let target = std::fs::read_link(&host).unwrap();
            NodeKind::Symlink {
                target: target.into_os_string().into_encoded_bytes(),
            }
        } else if found.is_dir() {
            let below = std::fs::read_dir(&host).into_iter().flatten().flatten();
            open.extend(below.map(|entry| entry.path()));
            NodeKind::Dir
        } else {
            NodeKind::File {
                size: found.len(),
                content: path.clone(),
            }
        };
        let meta = Meta {
            mode: found.permissions().mode() & 0o7777,
            ..Meta::default()
        };
        let node = Node {
            path: path.clone(),
            kind,
            meta,
            layer: 0,
            package: None,
        };
        nodes.insert(path, node);
    }
    FatRoot {
        tree: Tree::new(nodes, Vec::new()),
        dirs: vec!["/".into()],
        config: ImageConfig::new("amd64"),
        layering: None,
        stored: None,
    }
}
