//! The kept files with their edits.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rayon::prelude::*;
use whit_oci::{Digest, ImagePath, Kind};

use super::strip::{self, Depth};
use super::{Content, Edit, LayerClass, SmallFile, SmallTree, honesty};
use crate::index::{FileId, Node, PackageKind, Tree};
use crate::plan::{Plan, Verdict};
use crate::reach::How;
use crate::source::FatRoot;

/// In which form Python code ships.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum PythonCode {
    /// Libraries as bytecode; the user's own code as source with bytecode.
    #[default]
    Bytecode,
    /// Everything as it is in the original.
    Source,
    /// Source and bytecode of everything.
    Both,
}

impl FromStr for PythonCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "bytecode" => Ok(PythonCode::Bytecode),
            "source" => Ok(PythonCode::Source),
            "both" => Ok(PythonCode::Both),
            other => Err(format!("{other:?} is none of bytecode, source and both")),
        }
    }
}

/// How one Python source file ships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModuleForm {
    /// `X.pyc` in the place of `X.py`.
    Sourceless(Content),
    /// `X.py`, and bytecode at the given path below `__pycache__`.
    Cached(ImagePath, Content),
}

/// The forms of all source files that do not ship as they are.
pub type Bytecode = BTreeMap<FileId, ModuleForm>;

/// What the user decided about edits.
#[derive(Debug)]
pub struct Options<'a> {
    /// How much goes out of ELF files; `None` leaves them as they are.
    pub strip: Option<Depth>,
    /// Seconds since the epoch for every file; `None` keeps the original's.
    pub mtime: Option<i64>,
    /// Seconds since the epoch for what whit writes itself.
    pub epoch: i64,
    /// Where stripped files are kept between runs, by content.
    pub cache: &'a Path,
}

/// What is kept, edited: a new tree, and the original is left alone.
pub fn apply(
    root: &FatRoot,
    plan: &Plan,
    bytecode: &Bytecode,
    options: &Options<'_>,
) -> io::Result<SmallTree> {
    let kept: Vec<FileId> = plan
        .kept()
        .filter(|id| !root.tree.path(*id).is_root())
        .collect();
    let edited: Vec<Vec<(ImagePath, SmallFile)>> = kept
        .par_iter()
        .map(|id| edit(root, plan, *id, bytecode.get(id), options))
        .collect::<io::Result<_>>()?;
    let mut small = SmallTree {
        files: edited.into_iter().flatten().collect(),
    };
    let databases = honesty::package_databases(&root.tree, &small, options.epoch);
    small.files.extend(databases.files);
    add_missing_folders(&mut small, options.epoch);
    Ok(small)
}

/// The original as it is, with the bytecode that an installer would have
/// written: what ships where nobody takes anything away.
pub fn whole(root: &FatRoot, bytecode: &Bytecode, mtime: Option<i64>) -> io::Result<SmallTree> {
    let mut files = BTreeMap::new();
    for (id, node) in root.tree.iter().filter(|(_, node)| !node.path.is_root()) {
        let file = unchanged(root, id, mtime);
        if let Some(ModuleForm::Cached(place, pyc)) = bytecode.get(&id) {
            let cached = SmallFile {
                origin: None,
                ..with_content(file.clone(), pyc.clone(), Edit::Generated)?
            };
            files.insert(place.clone(), cached);
        }
        files.insert(node.path.clone(), file);
    }
    let mut tree = SmallTree { files };
    add_missing_folders(&mut tree, mtime.unwrap_or_default());
    Ok(tree)
}

fn unchanged(root: &FatRoot, id: FileId, mtime: Option<i64>) -> SmallFile {
    let node = root.tree.node(id);
    let mut meta = node.meta.clone();
    if let Some(mtime) = mtime {
        meta.mtime = mtime;
    }
    SmallFile {
        kind: node.kind.entry_kind(),
        meta,
        content: root.content(id).map(Content::Host),
        class: class(root, node),
        origin: Some(id),
        edit: None,
    }
}

/// The files that one file of the original becomes.
fn edit(
    root: &FatRoot,
    plan: &Plan,
    id: FileId,
    form: Option<&ModuleForm>,
    options: &Options<'_>,
) -> io::Result<Vec<(ImagePath, SmallFile)>> {
    let node = root.tree.node(id);
    let whole = unchanged(root, id, options.mtime);
    let path = node.path.clone();
    if !node.is_file() {
        return Ok(vec![(path, whole)]);
    }
    match form {
        Some(ModuleForm::Sourceless(pyc)) => {
            let mut name = path.as_bytes().to_vec();
            name.push(b'c');
            let file = with_content(whole, pyc.clone(), Edit::Bytecode)?;
            return Ok(vec![(ImagePath::clamped(name), file)]);
        }
        Some(ModuleForm::Cached(cached, pyc)) => {
            let mut file = with_content(whole.clone(), pyc.clone(), Edit::Bytecode)?;
            file.origin = None;
            return Ok(vec![(path, whole), (cached.clone(), file)]);
        }
        None => {}
    }
    if let Verdict::Keep(cause) = plan.verdict(id)
        && matches!(cause.how, How::PackageMetadata(_))
        && path.name() == b"METADATA"
        && let Some(host) = root.content(id)
    {
        let bytes = std::fs::read(host)?;
        let short = Content::Bytes(without_description(&bytes).into());
        return Ok(vec![(path, with_content(whole, short, Edit::Trimmed)?)]);
    }
    if let Some(depth) = options.strip
        && let Some(host) = root.content(id)
        && let Some(stripped) = stripped(&host, depth, options.cache)?
    {
        let file = with_content(whole, Content::Host(stripped), Edit::Stripped)?;
        return Ok(vec![(path, file)]);
    }
    Ok(vec![(path, whole)])
}

/// The fields of a distribution's metadata. What follows the first empty line
/// is its description, a page for an index (Core metadata specifications):
/// scanners and `importlib.metadata` read what is before.
fn without_description(metadata: &[u8]) -> &[u8] {
    match memchr::memmem::find(metadata, b"\n\n") {
        Some(end) => &metadata[..=end],
        None => metadata,
    }
}

fn with_content(file: SmallFile, content: Content, edit: Edit) -> io::Result<SmallFile> {
    let size = match &content {
        Content::Host(path) => path.metadata()?.len(),
        Content::Bytes(bytes) => bytes.len() as u64,
    };
    Ok(SmallFile {
        kind: Kind::File { size },
        content: Some(content),
        edit: Some(edit),
        ..file
    })
}

/// The stripped twin of an ELF file, from the cache or made now. `None` where
/// there is nothing to strip or it is not safe to.
fn stripped(host: &Path, depth: Depth, cache: &Path) -> io::Result<Option<PathBuf>> {
    if !starts_with_elf_magic(host)? {
        return Ok(None);
    }
    let bytes = std::fs::read(host)?;
    let name = Digest::of(&bytes).hex();
    let twin = cache.join(match depth {
        Depth::Symbols => name,
        Depth::UnwindTables => format!("{name}.unwind"),
    });
    if let Ok(known) = twin.metadata() {
        // An empty twin says that the original is to be kept.
        return Ok((known.len() > 0).then_some(twin));
    }
    let result = strip::strip(&bytes, depth);
    let mut file = tempfile::NamedTempFile::new_in(cache)?;
    io::Write::write_all(&mut file, result.as_deref().unwrap_or_default())?;
    file.persist(&twin)?;
    Ok(result.map(|_| twin))
}

fn starts_with_elf_magic(host: &Path) -> io::Result<bool> {
    let mut magic = [0; 4];
    match io::Read::read_exact(&mut std::fs::File::open(host)?, &mut magic) {
        Ok(()) => Ok(&magic == b"\x7fELF"),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Which layer a file goes to: as the source assembled it, else by owner.
fn class(root: &FatRoot, node: &Node) -> LayerClass {
    if let Some(classes) = &root.layering {
        return classes
            .get(usize::from(node.layer))
            .copied()
            .unwrap_or(LayerClass::App);
    }
    owner_class(&root.tree, node)
}

fn owner_class(tree: &Tree, node: &Node) -> LayerClass {
    let first = node.path.components().next().unwrap_or_default();
    let system = !matches!(
        first,
        b"app" | b"srv" | b"opt" | b"home" | b"root" | b"data"
    );
    match node.package.map(|id| tree.package(id).kind) {
        Some(PackageKind::Dpkg | PackageKind::Apk) => LayerClass::Runtime,
        Some(PackageKind::Python | PackageKind::Node) => LayerClass::Dependencies,
        None if system && !node.is_file() => LayerClass::Runtime,
        None => LayerClass::App,
    }
}

/// Every layer format wants the folder before what it holds: adds those that
/// only edited names need, and puts each folder into the lowest layer that
/// has something below it.
fn add_missing_folders(small: &mut SmallTree, epoch: i64) {
    let mut lowest: BTreeMap<ImagePath, LayerClass> = BTreeMap::new();
    for (path, file) in &small.files {
        for folder in path.ancestors().filter(|folder| !folder.is_root()) {
            let class = lowest.entry(folder).or_insert(file.class);
            *class = (*class).min(file.class);
        }
    }
    for (folder, class) in lowest {
        let file = small.files.entry(folder).or_insert_with(|| SmallFile {
            kind: Kind::Dir,
            meta: whit_oci::Meta {
                mode: 0o755,
                mtime: epoch,
                ..whit_oci::Meta::default()
            },
            content: None,
            class,
            origin: None,
            edit: Some(Edit::Generated),
        });
        if matches!(file.kind, Kind::Dir) {
            file.class = file.class.min(class);
        }
    }
}
