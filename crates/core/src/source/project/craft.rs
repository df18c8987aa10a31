//! What a language makes of a project, as plain data: what runs it, what builds
//! it, which steps, and what of it is never in the image.

use globset::{GlobBuilder, GlobMatcher};
use whit_oci::ImagePath;

use crate::source::ignore::{LeftOut, Listed, ListedKind, Listing};

/// A project that is compiled, bundled or only packed: everything but Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Craft {
    /// As people write it: `Go`.
    pub language: &'static str,
    /// Debian's release, for tools and runtime.
    pub suite: &'static str,
    /// Debian packages that run it, such as `nodejs`. Empty for programs: what
    /// those need is read from them.
    pub runtime: Vec<String>,
    /// Debian packages of the build root beside the usual ones.
    pub tools: Vec<String>,
    /// Run one after the other in a copy of the project.
    pub steps: Vec<Step>,
    pub settings: HostSettings,
    /// Variables of the image.
    pub env: Vec<(&'static str, &'static str)>,
    /// Folders of programs, relative to the working directory.
    pub path: Vec<&'static str>,
    /// Globs of what only the build reads.
    pub sources: &'static [&'static str],
    /// Names of folders that hold what a build on the host left.
    pub leftovers: &'static [&'static str],
    /// What comes out are programs, which need no runtime but libraries.
    pub stands_alone: bool,
}

/// A shell script (`sh -e`) that runs in the build root with the host's
/// network, in a copy of the project. It finds
///
/// - `$APP`, the working directory of the image,
/// - `$OUT`, where it leaves what it makes: `programs/` for executables, and
///   `dependencies/` and `built/`, which are shaped like a root.
///
/// It ends with code 75 to ask for Debian packages, which it prints on a line
/// that begins with `whit needs:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// `compiling`, for the terminal.
    pub phase: &'static str,
    pub script: String,
}

/// What of the host's settings holds in the sandbox too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Variables that begin like this are passed on.
    pub prefixes: &'static [&'static str],
    /// Except these: they are about folders of the host.
    pub except: &'static [&'static str],
    /// Files, each under the variable that tells the tool where it is.
    pub files: &'static [HostFile],
    /// Folders that whit keeps between builds, each under its variable.
    pub caches: &'static [(&'static str, &'static str)],
    /// Variables that name a bundle of certificates.
    pub certificates: &'static [&'static str],
}

/// A file of the host's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFile {
    /// A variable of the host that names it.
    pub named_by: &'static str,
    /// Below the home, where the variable is not set.
    pub at_home: &'static str,
    /// The variable inside; the file lies at its value.
    pub variable: &'static str,
}

impl Craft {
    pub fn new(language: &'static str) -> Self {
        Self {
            language,
            suite: "trixie",
            runtime: Vec::new(),
            tools: Vec::new(),
            steps: Vec::new(),
            settings: HostSettings::default(),
            env: Vec::new(),
            path: Vec::new(),
            sources: &[],
            leftovers: &[],
            stands_alone: true,
        }
    }

    /// Takes what only the build reads out of what goes into the image.
    pub(super) fn leave_sources(&self, listing: &mut Listing) {
        let globs: Vec<GlobMatcher> = PAPERS
            .iter()
            .chain(self.sources)
            .filter_map(|glob| {
                let glob = GlobBuilder::new(glob).literal_separator(true).build();
                Some(glob.ok()?.compile_matcher())
            })
            .collect();
        let stays_out = |path: &ImagePath| {
            let is_source = path
                .as_str()
                .is_some_and(|path| globs.iter().any(|glob| glob.is_match(path)));
            let is_leftover = path
                .components()
                .any(|part| self.leftovers.iter().any(|name| name.as_bytes() == part));
            is_source || is_leftover
        };
        let (sources, files): (Vec<Listed>, Vec<Listed>) = std::mem::take(&mut listing.files)
            .into_iter()
            .partition(|file| stays_out(&file.path));
        // A folder in which nothing but sources lie is theirs.
        let is_kept = |folder: &Listed| {
            let below = |files: &[Listed]| {
                files
                    .iter()
                    .any(|file| file.kind != ListedKind::Dir && file.path.starts_with(&folder.path))
            };
            folder.kind != ListedKind::Dir || below(&files) || !below(&sources)
        };
        listing.files = files.iter().filter(|file| is_kept(file)).cloned().collect();
        let left = sources
            .into_iter()
            .filter(|file| file.kind != ListedKind::Dir);
        listing.left_out.extend(left.map(|file| LeftOut {
            path: file.path,
            because: format!("only the build of {} reads it", self.language),
        }));
        listing.left_out.sort();
    }
}

/// Files that only people and repositories read, whatever the language.
pub const PAPERS: &[&str] = &[
    "*.md",
    "LICENSE*",
    "COPYING*",
    "NOTICE*",
    "AUTHORS*",
    "README*",
    "CHANGELOG*",
    "Dockerfile*",
    "Containerfile*",
    "docker-compose*",
    "compose.y*ml",
    "Procfile",
    ".editorconfig",
    ".github/**",
    ".gitlab-ci.yml",
];
