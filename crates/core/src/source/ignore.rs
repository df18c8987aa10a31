//! Which files of a project folder go into its image.
//!
//! Three voices, the first that speaks about a path decides: the litter list
//! below, `.dockerignore` (either way: a `!pattern` there also brings back
//! what git ignores), `.gitignore`. Everything else is the user's and goes in.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use whit_oci::ImagePath;

/// More entries than this in one project folder is a mistake (a home folder,
/// a mounted disk), not an app.
const MAX_FILES: usize = 500_000;

/// What a listed path is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListedKind {
    File {
        size: u64,
        executable: bool,
    },
    /// The target as written.
    Symlink(Vec<u8>),
    Dir,
}

/// A file that goes into the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Relative to the project folder.
    pub path: ImagePath,
    pub host: PathBuf,
    pub kind: ListedKind,
}

/// A path that stays out, with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    pub path: ImagePath,
    pub because: String,
}

/// A project folder, sorted into what goes in and what does not. Both lists
/// are in path order.
#[derive(Debug, Default)]
pub struct Listing {
    pub files: Vec<Listed>,
    pub left_out: Vec<LeftOut>,
    pub warnings: Vec<String>,
}

/// Why a project folder could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("cannot read {path}: {source}")]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{file}, line {line}: {pattern:?} is not a pattern: {problem}")]
    Pattern {
        file: &'static str,
        line: usize,
        pattern: String,
        problem: String,
    },
    #[error("{folder} has more than {MAX_FILES} files")]
    TooMany { folder: PathBuf },
}

impl ListError {
    /// What to type or write next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ListError::TooMany { .. } => {
                Some("name the folders that don't belong to the app in a .dockerignore".to_owned())
            }
            _ => None,
        }
    }
}

/// The patterns of a `.dockerignore`, with Docker's semantics
/// (docs.docker.com, "Build context", ".dockerignore files"): relative to the
/// root, `**` for any number of folders, a path is hit if it or a folder
/// above it matches, the last hit wins, `!` turns a hit around.
#[derive(Debug, Default)]
pub struct DockerIgnore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    text: String,
    include: bool,
    glob: GlobMatcher,
}

impl DockerIgnore {
    pub fn parse(text: &str) -> Result<Self, ListError> {
        let mut rules = Vec::new();
        for (i, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let text = line.trim();
            let (include, pattern) = match text.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, text),
            };
            let pattern = clean(pattern);
            if pattern.is_empty() {
                continue;
            }
            // Braces mean themselves in Docker's patterns.
            let literal = pattern.replace('{', "[{]").replace('}', "[}]");
            let glob = GlobBuilder::new(&literal)
                .literal_separator(true)
                .backslash_escape(true)
                .build()
                .map_err(|error| ListError::Pattern {
                    file: ".dockerignore",
                    line: i + 1,
                    pattern: text.to_owned(),
                    problem: error.kind().to_string(),
                })?;
            rules.push(Rule {
                text: text.to_owned(),
                include,
                glob: glob.compile_matcher(),
            });
        }
        Ok(Self { rules })
    }

    /// The pattern that decides about `path`, and whether it goes in; `None`
    /// if none speaks about it.
    pub fn verdict(&self, path: &ImagePath) -> Option<(&str, bool)> {
        let mut candidates = vec![path.clone()];
        candidates.extend(path.ancestors().filter(|folder| !folder.is_root()));
        self.rules
            .iter()
            .rev()
            .find(|rule| {
                candidates
                    .iter()
                    .any(|path| rule.glob.is_match(OsStr::from_bytes(path.as_bytes())))
            })
            .map(|rule| (rule.text.as_str(), rule.include))
    }

    /// True if something below an excluded folder may come back.
    fn brings_back(&self) -> bool {
        self.rules.iter().any(|rule| rule.include)
    }
}

/// Go's `filepath.Clean`, and no slash in front.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `whit.lock` and, for other processors, `whit.arm64.lock`.
fn is_lock(name: &[u8]) -> bool {
    name.starts_with(b"whit.") && name.ends_with(b".lock")
}

/// What is never part of an app. `extra` are files that whit itself writes
/// into the folder.
fn litter(path: &ImagePath, host: &Path, is_dir: bool, extra: &[PathBuf]) -> Option<&'static str> {
    let name = path.name();
    if extra.iter().any(|own| own == host) {
        return Some("whit writes it");
    }
    let because = match (name, is_dir) {
        // `.git` is a file in worktrees and submodules.
        (b".git", _) | (b".hg" | b".svn", true) => "version control",
        (b".gitignore" | b".gitattributes" | b".gitmodules" | b".dockerignore", false) => {
            "tells tools what to copy"
        }
        (b"whit.toml", false) => "whit's own",
        (name, false) if is_lock(name) => "whit's own",
        (b"__pycache__", true) => "bytecode, made anew",
        (b".pytest_cache" | b".mypy_cache" | b".ruff_cache" | b".hypothesis", true)
        | (b".tox" | b".nox" | b".eggs" | b".ipynb_checkpoints" | b".uv-cache", true) => {
            "a tool's cache"
        }
        (b".coverage", false) => "a tool's cache",
        (b".idea" | b".vscode", true) => "an editor's settings",
        (b".DS_Store" | b"Thumbs.db", false) => "a file manager's notes",
        (name, true) if name.ends_with(b".egg-info") => "metadata, made anew",
        (name, false) if name.ends_with(b".pyc") || name.ends_with(b".pyo") => {
            "bytecode, made anew"
        }
        (name, false) if name.ends_with(b".swp") => "an editor's swap file",
        (_, true) if host.join("pyvenv.cfg").is_file() => {
            "a virtual environment of this machine; the image gets its own"
        }
        _ => return None,
    };
    Some(because)
}

/// Lists the project folder `root`. `extra` are paths that stay out because
/// whit writes them (outputs, reports).
pub fn list(root: &Path, extra: &[PathBuf]) -> Result<Listing, ListError> {
    let docker = match read_text(&root.join(".dockerignore"))? {
        Some(text) => DockerIgnore::parse(&text)?,
        None => DockerIgnore::default(),
    };
    list_with(root, extra, docker)
}

/// Lists what a build of the project may read: `.dockerignore` is about
/// images and not asked.
pub fn list_sources(root: &Path) -> Result<Listing, ListError> {
    list_with(root, &[], DockerIgnore::default())
}

fn list_with(root: &Path, extra: &[PathBuf], docker: DockerIgnore) -> Result<Listing, ListError> {
    let mut walk = Walk {
        root,
        extra,
        docker,
        git: BTreeMap::new(),
        above: above(root)?,
        hollow: BTreeSet::new(),
        listing: Listing::default(),
    };
    let mut open = vec![ImagePath::root()];
    while let Some(folder) = open.pop() {
        open.extend(walk.folder(&folder)?);
    }
    let Walk {
        mut listing,
        hollow,
        ..
    } = walk;
    drop_hollow(&mut listing.files, &hollow);
    listing.files.sort();
    listing.left_out.sort();
    Ok(listing)
}

/// The listing of an app that is one file.
pub fn one(file: &Path) -> Result<Listing, ListError> {
    use std::os::unix::fs::PermissionsExt;
    let meta = file.metadata().map_err(|source| ListError::Read {
        path: file.to_owned(),
        source,
    })?;
    let name = file.file_name().map(OsStr::as_bytes).unwrap_or_default();
    Ok(Listing {
        files: vec![Listed {
            path: ImagePath::clamped(name),
            host: file.to_owned(),
            kind: ListedKind::File {
                size: meta.len(),
                executable: meta.permissions().mode() & 0o111 != 0,
            },
        }],
        ..Listing::default()
    })
}

struct Walk<'a> {
    root: &'a Path,
    extra: &'a [PathBuf],
    docker: DockerIgnore,
    /// The `.gitignore` of each folder that has one.
    git: BTreeMap<ImagePath, Gitignore>,
    /// Those of the folders above the project, nearest first.
    above: Vec<Gitignore>,
    /// Folders that are ruled out and listed only because something below may
    /// come back.
    hollow: BTreeSet<ImagePath>,
    listing: Listing,
}

impl Walk<'_> {
    /// Lists one folder and returns the folders below that are to be listed.
    fn folder(&mut self, folder: &ImagePath) -> Result<Vec<ImagePath>, ListError> {
        let host = folder.under(self.root);
        let fail = |source| ListError::Read {
            path: host.clone(),
            source,
        };
        if let Some(rules) = gitignore(&host)? {
            self.git.insert(folder.clone(), rules);
        }
        let mut below = Vec::new();
        for entry in std::fs::read_dir(&host).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            let path = folder.join(entry.file_name().as_bytes());
            let host = entry.path();
            if let Some(because) = litter(&path, &host, kind.is_dir(), self.extra) {
                self.leave(path, because.to_owned());
                continue;
            }
            let out = self.ruled_out(&path, kind.is_dir());
            if kind.is_dir() {
                match out {
                    Some(because) if !self.docker.brings_back() => self.leave(path, because),
                    out => {
                        if out.is_some() {
                            self.hollow.insert(path.clone());
                        }
                        self.listing.files.push(Listed {
                            path: path.clone(),
                            host,
                            kind: ListedKind::Dir,
                        });
                        below.push(path);
                    }
                }
            } else if let Some(because) = out {
                self.leave(path, because);
            } else if kind.is_symlink() {
                self.symlink(path, host)?;
            } else if kind.is_file() {
                self.file(path, host)?;
            } else {
                self.leave(path, "neither a file nor a folder nor a link".to_owned());
            }
            if self.listing.files.len() > MAX_FILES {
                return Err(ListError::TooMany {
                    folder: self.root.to_owned(),
                });
            }
        }
        Ok(below)
    }

    fn file(&mut self, path: ImagePath, host: PathBuf) -> Result<(), ListError> {
        use std::os::unix::fs::PermissionsExt;
        let meta = host.symlink_metadata().map_err(|source| ListError::Read {
            path: host.clone(),
            source,
        })?;
        if path.as_bytes() == b".env" {
            self.listing.warnings.push(
                ".env goes into the image: if it holds secrets, name it in .dockerignore and pass them at run time"
                    .to_owned(),
            );
        }
        self.listing.files.push(Listed {
            path,
            host,
            kind: ListedKind::File {
                size: meta.len(),
                executable: meta.permissions().mode() & 0o111 != 0,
            },
        });
        Ok(())
    }

    fn symlink(&mut self, path: ImagePath, host: PathBuf) -> Result<(), ListError> {
        let target = std::fs::read_link(&host).map_err(|source| ListError::Read {
            path: host.clone(),
            source,
        })?;
        let target = target.into_os_string().into_vec();
        if leads_outside(&path, &target) {
            self.listing.warnings.push(format!(
                "{} is a link to {}, outside of the project: in the image it leads there too, and what it means here is not copied",
                String::from_utf8_lossy(path.as_bytes()),
                String::from_utf8_lossy(&target),
            ));
        }
        self.listing.files.push(Listed {
            path,
            host,
            kind: ListedKind::Symlink(target),
        });
        Ok(())
    }

    fn ruled_out(&self, path: &ImagePath, is_dir: bool) -> Option<String> {
        if let Some((pattern, included)) = self.docker.verdict(path) {
            return (!included).then(|| format!("{pattern} in .dockerignore"));
        }
        self.git_ignored(path, is_dir)
    }

    /// git's rule: the deepest `.gitignore` that speaks about the path
    /// decides; what lies in an ignored folder is ignored.
    fn git_ignored(&self, path: &ImagePath, is_dir: bool) -> Option<String> {
        let mut chain: Vec<(ImagePath, bool)> = vec![(path.clone(), is_dir)];
        chain.extend(
            path.ancestors()
                .filter(|folder| !folder.is_root())
                .map(|folder| (folder, true)),
        );
        for (path, is_dir) in chain.into_iter().rev() {
            let host = path.under(self.root);
            let near = path.ancestors().filter_map(|folder| self.git.get(&folder));
            let verdict = near
                .chain(&self.above)
                .map(|rules| rules.matched(&host, is_dir))
                .find(|verdict| !verdict.is_none());
            if let Some(ignore::Match::Ignore(glob)) = verdict {
                return Some(format!("{} in .gitignore", glob.original()));
            }
        }
        None
    }

    fn leave(&mut self, path: ImagePath, because: String) {
        self.listing.left_out.push(LeftOut { path, because });
    }
}

/// True if a link at `path` (relative to the project) leads out of it.
fn leads_outside(path: &ImagePath, target: &[u8]) -> bool {
    if target.first() == Some(&b'/') {
        return true;
    }
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.split(|b| *b == b'/') {
        match part {
            b"" | b"." => {}
            b".." if depth == 0 => return true,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Takes away those ruled-out folders that were walked for a `!pattern` only
/// and in which nothing was found. Any other folder stays, empty or not: an
/// app may write there.
fn drop_hollow(files: &mut Vec<Listed>, hollow: &BTreeSet<ImagePath>) {
    let holding: BTreeSet<ImagePath> = files
        .iter()
        .filter(|file| file.kind != ListedKind::Dir)
        .flat_map(|file| file.path.ancestors().collect::<Vec<_>>())
        .collect();
    files.retain(|file| !hollow.contains(&file.path) || holding.contains(&file.path));
}

/// The `.gitignore`s of the folders above, up to the one that holds `.git`.
/// Without a repository there are none.
fn above(root: &Path) -> Result<Vec<Gitignore>, ListError> {
    let mut found = Vec::new();
    if root.join(".git").exists() {
        return Ok(found);
    }
    for folder in root.ancestors().skip(1) {
        found.extend(gitignore(folder)?);
        if folder.join(".git").exists() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

fn gitignore(folder: &Path) -> Result<Option<Gitignore>, ListError> {
    let Some(text) = read_text(&folder.join(".gitignore"))? else {
        return Ok(None);
    };
    let mut builder = GitignoreBuilder::new(folder);
    for line in text.lines() {
        // git itself passes over a line that it cannot read.
        let _ = builder.add_line(None, line);
    }
    Ok(builder.build().ok())
}

fn read_text(path: &Path) -> Result<Option<String>, ListError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ListError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a folder from lines: `path`, `path/` (folder), `path -> target`,
    /// `path: content`.
    fn folder(lines: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for line in lines {
            let (path, content) = line.split_once(": ").unwrap_or((line, ""));
            let (path, target) = match path.split_once(" -> ") {
                Some((path, target)) => (path, Some(target)),
                None => (path, None),
            };
            let full = dir.path().join(path);
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            match target {
                Some(target) => std::os::unix::fs::symlink(target, full).unwrap(),
                None if path.ends_with('/') => std::fs::create_dir_all(full).unwrap(),
                None => std::fs::write(full, content.replace("\\n", "\n")).unwrap(),
            }
        }
        dir
    }

    fn listed(lines: &[&str]) -> Vec<String> {
        let dir = folder(lines);
        let listing = list(dir.path(), &[]).unwrap();
        listing
            .files
            .iter()
            .filter(|file| file.kind != ListedKind::Dir)
            .map(|file| file.path.as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn docker_patterns() {
        for (patterns, path, goes_in) in [
            ("*.md", "a.md", Some(false)),
            ("*.md", "docs/a.md", None),
            ("**/*.md", "docs/deep/a.md", Some(false)),
            ("**/*.md", "a.md", Some(false)),
            ("/docs", "docs/a.md", Some(false)),
            ("docs/", "docs/a.md", Some(false)),
            ("docs", "src/docs/a.md", None),
            ("docs\n!docs/keep.md", "docs/keep.md", Some(true)),
            ("!docs/keep.md\ndocs", "docs/keep.md", Some(false)),
            ("*\n!app", "app/x.py", Some(true)),
            ("*\n!app\n**/secret", "app/secret", Some(false)),
            ("a?c", "abc", Some(false)),
            ("a?c", "a/c", None),
            ("[ab].txt", "b.txt", Some(false)),
            ("{a,b}", "a", None),
            ("./x/../y", "y", Some(false)),
            ("# y\n\n.", "y", None),
            ("foo/**", "foo/a/b", Some(false)),
            ("foo/**/bar", "foo/bar", Some(false)),
        ] {
            let rules = DockerIgnore::parse(patterns).unwrap();
            let found = rules.verdict(&path.into()).map(|(_, goes_in)| goes_in);
            assert_eq!(found, goes_in, "{patterns:?} on {path}");
        }
    }

    #[test]
    fn a_bad_pattern_has_a_line() {
        let error = DockerIgnore::parse("a\n[z-a]\n").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn litter_stays_out_and_the_rest_goes_in() {
        let found = listed(&[
            "app/main.py",
            "app/__pycache__/main.cpython-311.pyc",
            "env3/pyvenv.cfg",
            "env3/bin/python -> /usr/bin/python3",
            "env/settings.py",
            ".git/config",
            "whit.lock",
            "static/dist/app.js",
            "empty/",
        ]);
        assert_eq!(
            found,
            ["app/main.py", "env/settings.py", "static/dist/app.js"]
        );
    }

    #[test]
    fn git_and_docker_together() {
        let found = listed(&[
            ".gitignore: *.log\\n/build\\nnode_modules/",
            ".dockerignore: docs\\n!build/assets",
            "a.log",
            "docs/x.md",
            "build/assets/app.js",
            "build/other.js",
            "web/node_modules/x.js",
            "web/.gitignore: !keep.log",
            "web/keep.log",
            "main.py",
        ]);
        assert_eq!(found, ["build/assets/app.js", "main.py", "web/keep.log"]);
    }

    #[test]
    fn gitignores_above_count_inside_a_repository_only() {
        let dir = folder(&[".gitignore: *.log", "app/a.log", "app/main.py"]);
        let app = dir.path().join("app");
        let count = || {
            let files = list(&app, &[]).unwrap().files;
            files.len()
        };
        assert_eq!(count(), 2);
        std::fs::create_dir(dir.path().join(".git")).unwrap();
        assert_eq!(count(), 1);
    }

    #[test]
    fn links_and_special_files() {
        let dir = folder(&[
            "a",
            "in -> a",
            "sub/up -> ../a",
            "out -> /etc/hosts",
            "sub/far -> ../../x",
        ]);
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let listing = list(dir.path(), &[]).unwrap();
        assert_eq!(listing.warnings.len(), 2, "{:?}", listing.warnings);
        assert_eq!(listing.left_out[0].path, "pipe".into());
        assert!(listing.files.iter().any(|file| file.path == "out".into()));
    }

    #[test]
    fn own_output_stays_out_and_empty_folders_stay() {
        let dir = folder(&["app.tar", "data/", "logs/.gitignore: *", "main.py"]);
        let own = [dir.path().join("app.tar")];
        let listing = list(dir.path(), &own).unwrap();
        let paths: Vec<_> = listing.files.iter().map(|f| f.path.clone()).collect();
        assert_eq!(paths, ["data".into(), "logs".into(), "main.py".into()]);
    }
}
