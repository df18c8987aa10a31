//! Which files of a small image go into the executable's archive, and which
//! have to stay files.
//!
//! A file stays one if somebody else than the interpreter opens it: the kernel
//! (programs), the C library by calls of its own (accounts, names of hosts,
//! locales), programs that the app starts, and whoever looks at an image from
//! outside (package databases).

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::{ImagePath, Kind};

use super::archive::{Member, MemberKind};
use crate::index::FileId;
use crate::plan::{Plan, Verdict};
use crate::reach::elf::Elf;
use crate::reach::python::Facts;
use crate::reach::{Analyzer, How};
use crate::source::FatRoot;
use crate::transform::{Content, SmallFile, SmallTree};

/// Where an executable is to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// In an image that whit makes for it.
    Image,
    /// On any Linux, which has programs and accounts of its own.
    Host,
}

/// What is asked about files.
pub struct Sorter<'a> {
    pub original: &'a FatRoot,
    pub facts: &'a Facts,
    pub plan: &'a Plan,
    pub elf: &'a Elf<'a>,
    /// The interpreter's own file.
    pub interpreter: FileId,
    /// Files that runs touched.
    pub touched: &'a BTreeSet<FileId>,
    /// Names of modules that are left out, with what they are made of.
    pub left_out: &'a BTreeSet<FileId>,
    /// The C library reads locales and converters of its own, not musl's.
    pub keeps_locales: bool,
}

/// An extension module of the small image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub path: ImagePath,
    /// Its last part is what follows `PyInit_`.
    pub name: String,
    pub file: FileId,
}

/// The small image, sorted.
#[derive(Debug, Default)]
pub struct Split {
    /// What the archive holds. Extension modules and libraries are not among it.
    pub members: BTreeMap<ImagePath, Member>,
    /// What stays in the file system, without the interpreter.
    pub real: SmallTree,
    pub extensions: Vec<Extension>,
    /// Shared libraries that only the interpreter's process loads.
    pub libraries: BTreeSet<FileId>,
    /// Programs that the app starts, by path.
    pub programs: Vec<ImagePath>,
}

/// Names in `/etc` that no C library and no program of the system reads.
const ARCHIVED_ETC: [&str; 2] = ["etc/ssl", "etc/python3"];

/// Scanners, and people who look at an image.
const FOR_SCANNERS: [&str; 3] = ["usr/lib/os-release", "var/lib/dpkg", "lib/apk"];

/// What glibc reads by calls that nobody can lead elsewhere.
const OF_GLIBC: [&str; 2] = ["usr/lib/locale", "usr/share/locale"];

impl Sorter<'_> {
    pub fn sort(&self, small: &SmallTree, home: Home) -> Split {
        let mut split = Split::default();
        let programs = self.programs(small);
        let natives = self.linked_to(programs.iter().copied());
        let has_programs = !programs.is_empty();
        split.programs = programs
            .iter()
            .map(|id| self.original.tree.path(*id).clone())
            .collect();
        let mut links: Vec<(&ImagePath, &SmallFile)> = Vec::new();
        let mut folders: Vec<(&ImagePath, &SmallFile)> = Vec::new();
        for (path, file) in &small.files {
            match &file.kind {
                Kind::Dir => folders.push((path, file)),
                Kind::Symlink { .. } => links.push((path, file)),
                Kind::File { .. } => {
                    self.sort_file(path, file, home, has_programs, &natives, &mut split);
                }
                _ => {
                    split.real.files.insert(path.clone(), file.clone());
                }
            }
        }
        for (path, file) in &links {
            if let Kind::Symlink { target } = &file.kind {
                let kind = MemberKind::Link(target.clone());
                split
                    .members
                    .insert((*path).clone(), self.member(kind, file, false));
            }
        }
        // A folder of real links is real itself, and so is what leads to it.
        let mut known = usize::MAX;
        while home == Home::Image && known != split.real.files.len() {
            known = split.real.files.len();
            for (path, file) in &links {
                if self.is_real_link(path, small, &split) {
                    split.real.files.insert((*path).clone(), (*file).clone());
                }
            }
        }
        for (path, file) in folders {
            let closed = self.is_closed(path);
            let kind = MemberKind::Dir { closed };
            split
                .members
                .insert(path.clone(), self.member(kind, file, false));
            let is_users = file.origin.is_none_or(|id| self.is_users(id)) && !closed;
            let holds = |files: &BTreeMap<ImagePath, SmallFile>| {
                let mut below = files.keys().filter(|other| *other != path);
                below.any(|other| other.starts_with(path))
            };
            let holds_real = holds(&split.real.files);
            if home == Home::Image && (holds_real || is_users || !holds(&small.files)) {
                split.real.files.insert(path.clone(), file.clone());
            }
        }
        split
    }

    fn sort_file(
        &self,
        path: &ImagePath,
        file: &SmallFile,
        home: Home,
        has_programs: bool,
        natives: &BTreeSet<FileId>,
        split: &mut Split,
    ) {
        let Some(content) = &file.content else { return };
        let mut stay = || {
            if home == Home::Image {
                split.real.files.insert(path.clone(), file.clone());
            }
        };
        let archived = |kind, first| self.member(kind, file, first);
        if let Some(id) = file.origin {
            if id == self.interpreter {
                let member = archived(MemberKind::Interpreter, false);
                split.members.insert(path.clone(), member);
                return;
            }
            if self.left_out.contains(&id) {
                return;
            }
            if let Some(name) = extension_name(self.facts, path) {
                split.extensions.push(Extension {
                    path: path.clone(),
                    name,
                    file: id,
                });
                return;
            }
            if is_elf(content) {
                if natives.contains(&id) {
                    stay();
                }
                if file.meta.mode & 0o111 == 0 || is_library(path) {
                    split.libraries.insert(id);
                }
                return;
            }
        }
        let below = |folders: &[&str]| {
            let mut folders = folders.iter();
            folders.any(|folder| path.as_str().is_some_and(|path| path.starts_with(folder)))
        };
        if below(&OF_GLIBC) || is_converter(path) {
            if self.keeps_locales {
                stay();
            }
            return;
        }
        if path.as_str() == Some("etc/ld.so.cache") && !has_programs {
            return;
        }
        if (below(&["etc/"]) && !below(&ARCHIVED_ETC)) || below(&FOR_SCANNERS) {
            return stay();
        }
        // The C library reads zones by calls of its own, whatever reads them besides.
        if below(&["usr/share/zoneinfo"]) {
            stay();
            if home == Home::Image {
                return;
            }
        }
        let is_privileged = file.meta.mode & 0o6000 != 0 || !file.meta.xattrs.is_empty();
        let script = file.meta.mode & 0o111 != 0 && starts_with(content, b"#!");
        let python = script && self.is_python_script(content);
        if is_privileged || (script && !python) {
            return stay();
        }
        let users = file.origin.is_some_and(|id| self.is_users(id));
        let is_code = matches!(path.extension(), Some(b"py" | b"pyc"));
        if python && !is_code && home == Home::Image {
            // The kernel has to find something there: this executable, which
            // sees by its name what is meant.
            let link = SmallFile {
                kind: Kind::Symlink {
                    target: self.interpreter_path(),
                },
                content: None,
                ..file.clone()
            };
            split.real.files.insert(path.clone(), link);
        } else if users && !is_code && has_programs && home == Home::Image {
            // A program that the app starts may be handed its name.
            return stay();
        }
        let kind = MemberKind::File(content.clone());
        let member = archived(kind, users && !python);
        split.members.insert(path.clone(), member);
    }

    fn member(&self, kind: MemberKind, file: &SmallFile, kernel_first: bool) -> Member {
        Member {
            kind,
            meta: file.meta.clone(),
            kernel_first,
            hot: file.origin.is_none_or(|id| self.touched.contains(&id)),
        }
    }

    /// True for `/usr/bin/env` where it only finds the interpreter of scripts,
    /// which links to the executable stand for.
    fn is_for_scripts(&self, id: FileId) -> bool {
        match self.plan.verdict(id) {
            Verdict::Keep(cause) => {
                matches!(cause.how, How::Interpreter)
                    && cause
                        .from
                        .and_then(|from| self.original.content(from))
                        .is_some_and(|script| self.is_python_script(&Content::Host(script)))
            }
            Verdict::Drop(_) => false,
        }
    }

    /// Programs that are run as programs, by the kernel.
    fn programs(&self, small: &SmallTree) -> Vec<FileId> {
        small
            .files
            .iter()
            .filter_map(|(path, file)| {
                let id = file.origin?;
                let content = file.content.as_ref()?;
                let is_program = id != self.interpreter
                    && file.meta.mode & 0o111 != 0
                    && !is_library(path)
                    && is_elf(content)
                    && !self.is_for_scripts(id);
                is_program.then_some(id)
            })
            .collect()
    }

    /// Programs with their loaders and all libraries that those find.
    fn linked_to(&self, programs: impl Iterator<Item = FileId>) -> BTreeSet<FileId> {
        let mut found = BTreeSet::new();
        let mut open: Vec<FileId> = programs.collect();
        while let Some(id) = open.pop() {
            if found.insert(id) {
                let edges = self.elf.follow(id).edges.into_iter();
                open.extend(edges.filter_map(|(id, how)| {
                    matches!(how, How::Needed(_) | How::Interpreter | How::Link).then_some(id)
                }));
            }
        }
        found
    }

    /// True if no package brought it.
    fn is_users(&self, id: FileId) -> bool {
        self.original.tree.node(id).package.is_none()
            && !self.is_closed(self.original.tree.path(id))
    }

    /// True below the interpreter's library and its site folders.
    fn is_closed(&self, path: &ImagePath) -> bool {
        let facts = self.facts;
        let folders = std::iter::once(&facts.stdlib).chain(&facts.sites);
        folders
            .map(ImagePath::clamped)
            .any(|folder| path.starts_with(&folder))
    }

    /// True if the script's first line leads to this interpreter.
    fn is_python_script(&self, content: &Content) -> bool {
        let Some(line) = first_line(content) else {
            return false;
        };
        let mut words = line[2..].split_whitespace();
        let Some(mut program) = words.next() else {
            return false;
        };
        if program.ends_with("/env") {
            let Some(name) = words.next() else {
                return false;
            };
            return name.starts_with("python");
        }
        program = program.trim();
        self.original.tree.lookup(&ImagePath::clamped(program)) == Some(self.interpreter)
    }

    fn interpreter_path(&self) -> Vec<u8> {
        let path = self.original.tree.path(self.interpreter);
        [b"/", path.as_bytes()].concat()
    }

    /// True for a link that leads to something real, or out of what is known.
    fn is_real_link(&self, path: &ImagePath, small: &SmallTree, split: &Split) -> bool {
        let found = self.original.tree.resolve(path);
        let Some(id) = found.file else { return true };
        if id == self.interpreter {
            return true;
        }
        let real = &split.real.files;
        let below = || real.keys().any(|other| other.starts_with(&found.path));
        real.contains_key(&found.path) || !small.files.contains_key(&found.path) || below()
    }
}

/// The dotted name of an extension module on `sys.path`.
pub fn extension_name(facts: &Facts, path: &ImagePath) -> Option<String> {
    let text = path.as_str()?;
    let stem = facts
        .extension_suffixes
        .iter()
        .find_map(|suffix| text.strip_suffix(suffix.as_str()))?;
    let folder = facts
        .path
        .iter()
        .map(ImagePath::clamped)
        .filter(|folder| path.starts_with(folder))
        .max_by_key(|folder| folder.as_bytes().len())?;
    let name = stem.strip_prefix(folder.as_str()?)?.trim_start_matches('/');
    let is_name = |part: &str| !part.is_empty() && !part.contains(['.', '-']);
    name.split('/').all(is_name).then(|| name.replace('/', "."))
}

/// gconv's modules and their list.
fn is_converter(path: &ImagePath) -> bool {
    path.components().any(|part| part == b"gconv")
}

fn is_library(path: &ImagePath) -> bool {
    let name = path.name();
    name.ends_with(b".so") || memchr::memmem::find(name, b".so.").is_some()
}

fn is_elf(content: &Content) -> bool {
    starts_with(content, b"\x7fELF")
}

fn starts_with(content: &Content, magic: &[u8]) -> bool {
    head(content, magic.len()) == magic
}

/// The first line of a script, as long as the kernel reads it.
fn first_line(content: &Content) -> Option<String> {
    let head = head(content, 256);
    let end = memchr::memchr(b'\n', &head)?;
    let line = String::from_utf8(head[..end].to_vec()).ok()?;
    line.starts_with("#!").then_some(line)
}

fn head(content: &Content, length: usize) -> Vec<u8> {
    match content {
        Content::Bytes(bytes) => bytes[..length.min(bytes.len())].to_vec(),
        Content::Host(host) => {
            let mut head = Vec::new();
            if let Ok(file) = std::fs::File::open(host) {
                let _ = std::io::Read::read_to_end(
                    &mut std::io::Read::take(file, length as u64),
                    &mut head,
                );
            }
            head
        }
    }
}
