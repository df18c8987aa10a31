//! What an interpreter touches before the first line of the app.

use whit_oci::ImagePath;

use super::closure::Python;
use super::facts::Facts;
use super::imports::Imports;
use crate::index::FileId;
use crate::reach::How;

/// Files that start-up reads, tells its place by, or loads.
pub fn edges(python: &Python) -> Vec<(FileId, How)> {
    let mut edges = Vec::new();
    let facts = python.facts;
    let tree = python.tree;
    let mut add = |path: &ImagePath, how: How| {
        if let Some(id) = tree.lookup(path) {
            if let Some(link) = tree.get(path)
                && link != id
            {
                edges.push((link, how.clone()));
            }
            edges.push((id, how));
        }
    };
    for (name, (file, _)) in &facts.loaded {
        // Set-up of builds, by one of the hooks below.
        let shim = name.starts_with("_distutils_hack") || name == "_virtualenv";
        if let Some(file) = file.as_ref().filter(|_| !shim) {
            add(&ImagePath::clamped(file), How::Import(name.clone()));
        }
    }
    // getpath finds the prefixes by these two (Python's Modules/getpath.py).
    let stdlib = ImagePath::clamped(&facts.stdlib);
    for landmark in ["os.py", "os.pyc", "lib-dynload"] {
        add(
            &stdlib.join(landmark),
            How::Config("the interpreter's search for its library".to_owned()),
        );
    }
    let executable = ImagePath::clamped(&facts.executable);
    if let Some(bin) = executable.parent() {
        for dir in [Some(bin.clone()), bin.parent()].into_iter().flatten() {
            add(
                &dir.join("pyvenv.cfg"),
                How::Config("the virtual environment".to_owned()),
            );
        }
    }
    add(&executable, How::Interpreter);
    for site in &facts.sites {
        let site = ImagePath::clamped(site);
        let Some(dir) = tree.lookup(&site) else {
            continue;
        };
        add(&site, How::Config("the interpreter's path".to_owned()));
        for child in tree.children(dir) {
            let path = tree.path(*child);
            if path.extension() == Some(b"pth") && !is_setuptools_shim(path) {
                add(
                    path,
                    How::Config("site, which reads it at start-up".to_owned()),
                );
            }
        }
    }
    edges
}

/// Hooks of setuptools and virtualenv that only serve builds: they patch
/// `distutils`.
fn is_setuptools_shim(path: &ImagePath) -> bool {
    matches!(
        path.name(),
        b"distutils-precedence.pth" | b"_virtualenv.pth"
    )
}

/// A `.pth` file: lines that begin with `import` are run at start-up, others
/// are folders.
pub fn pth(bytes: &[u8], facts: &Facts) -> Imports {
    let code: Vec<u8> = bytes
        .split(|b| *b == b'\n')
        .filter(|line| line.starts_with(b"import ") || line.starts_with(b"import\t"))
        .flat_map(|line| [line, b"\n"].concat())
        .collect();
    Imports::of(&code, facts.platform())
}
