//! An app in Python as one executable.
//!
//! The small tree is *split* into what the interpreter alone reads, which goes
//! into an *archive* behind the executable, and what has to stay a file. The
//! executable is the interpreter with its modules *linked* in, or one that
//! *carries* the dynamic interpreter; `runtime/` is its own code in C, which
//! shows the archive as files. It takes the interpreter's place in the image:
//! whatever is started by the interpreter's name is this executable.

mod archive;
mod carried;
mod compressed;
pub mod executable;
pub mod extensions;
mod foreign;
mod forge;
mod left_out;
mod linked;
mod runtime;
mod split;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use whit_oci::{ImagePath, Kind, Meta};

pub use archive::{Manner, Member, MemberKind, Packing};
pub use executable::PackError;
pub use forge::{Forge, ForgeError, Ingredient, Job, Memory, Supplies};
pub use split::{Extension, Home, Sorter, Split};

use crate::index::FileId;
use crate::pipeline::Tools;
use crate::plan::Plan;
use crate::reach::elf::Elf;
use crate::reach::python::Facts;
use crate::source::FatRoot;
use crate::transform::{Content, Edit, LayerClass, SmallFile, SmallTree};

/// What the user wants of the executable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    pub mode: Mode,
    /// Modules that are left out, `ssl`.
    pub without: Vec<String>,
    /// Packages whose extension modules may be left out for their own twins in
    /// Python.
    pub fallbacks: Vec<String>,
}

/// What counts most.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The smallest that passes the proof.
    #[default]
    Small,
    /// The fastest to start: nothing is compressed, and glibc.
    Fast,
    /// The dynamic interpreter, even where everything could be linked.
    Carried,
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "small" => Ok(Mode::Small),
            "fast" => Ok(Mode::Fast),
            "carried" => Ok(Mode::Carried),
            other => Err(format!("{other:?} is none of small, fast and carried")),
        }
    }
}

/// The C library that an executable is linked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Libc {
    Musl,
    Glibc,
}

/// How an executable is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Linked(Libc),
    Carried,
}

impl std::fmt::Display for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Form::Linked(Libc::Musl) => "linked with musl",
            Form::Linked(Libc::Glibc) => "linked with glibc",
            Form::Carried => "carried",
        })
    }
}

impl Wish {
    /// The forms to try, the best first.
    pub fn forms(&self) -> Vec<Form> {
        match self.mode {
            Mode::Small => vec![
                Form::Linked(Libc::Musl),
                Form::Linked(Libc::Glibc),
                Form::Carried,
            ],
            Mode::Fast => vec![Form::Linked(Libc::Glibc), Form::Carried],
            Mode::Carried => vec![Form::Carried],
        }
    }

    fn packing(&self) -> Packing {
        match self.mode {
            Mode::Fast => Packing::Stored,
            Mode::Small | Mode::Carried => Packing::Small,
        }
    }
}

/// Why there is no executable of a form.
#[derive(Debug, thiserror::Error)]
pub enum SingleError {
    #[error("--without {0}: the app has no such module")]
    NoSuchModule(String),
    /// Another form may do; the sentence says why this one does not.
    #[error("{0}")]
    Unfit(String),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Carry(#[from] carried::CarryError),
    #[error("cannot write the executable: {0}")]
    Io(#[from] std::io::Error),
}

impl SingleError {
    /// What to type or to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            SingleError::NoSuchModule(_) => {
                Some("name a module that the report lists as linked, such as ssl".to_owned())
            }
            SingleError::Unfit(_) => {
                Some("--single=carried takes every app that `whit build` can".to_owned())
            }
            SingleError::Forge(error) => error.hint(),
            _ => None,
        }
    }
}

/// What an executable is made from.
#[derive(Clone, Copy)]
pub struct Order<'a> {
    pub original: &'a FatRoot,
    pub small: &'a SmallTree,
    pub plan: &'a Plan,
    pub facts: &'a Facts,
    pub elf: &'a Elf<'a>,
    pub interpreter: FileId,
    /// Modules inside of the interpreter that the app imports.
    pub builtins: &'a BTreeSet<String>,
    /// Files that runs touched.
    pub touched: &'a BTreeSet<FileId>,
    pub wish: &'a Wish,
    pub form: Form,
    /// How an executable behaves that works without an image; `None` if there
    /// is to be none.
    pub manner: Option<&'a Manner>,
    pub epoch: i64,
}

/// The app as one executable.
#[derive(Debug)]
pub struct Made {
    pub form: Form,
    /// Where the executable lies: in the interpreter's place.
    pub path: ImagePath,
    /// Extension modules that are linked in: their names, by path.
    pub linked: BTreeMap<ImagePath, String>,
    /// Files that were left out because the user said so.
    pub left_out: BTreeSet<FileId>,
    /// What the image holds: the executable in the interpreter's place, and
    /// what had to stay a file.
    pub tree: SmallTree,
    /// What the executable holds.
    pub packed: BTreeSet<ImagePath>,
    /// The executable for any Linux, where it is asked for.
    pub stand_alone: Option<PathBuf>,
    /// What of Debian the executable was compiled and linked from.
    pub ingredients: BTreeSet<Ingredient>,
    /// The files of the small tree that are still themselves, in the executable
    /// or beside it.
    pub kept: SmallTree,
}

/// Makes the executable, and the image's tree around it.
pub fn make(order: &Order<'_>, forge: &Forge<'_>, tools: &Tools<'_>) -> Result<Made, SingleError> {
    // What another form was made from does not count.
    forge.memory.take_ingredients();
    let left = left_out::leave_out(order)?;
    let order = &Order {
        small: &left.small,
        ..*order
    };
    let sorter = Sorter {
        original: order.original,
        facts: order.facts,
        plan: order.plan,
        elf: order.elf,
        interpreter: order.interpreter,
        touched: order.touched,
        left_out: &left.files,
        keeps_locales: order.form != Form::Linked(Libc::Musl),
    };
    let split = sorter.sort(order.small, Home::Image);
    let frame = frame(order, &split, forge, tools)?;
    tools.progress.phase("packing the executable", None);
    let folder = tools.workspace.folder("single")?;
    let pack = |members: &BTreeMap<ImagePath, Member>, manner: &Manner, name: String| {
        let archive = archive::write(members, manner, order.wish.packing())?;
        let place = folder.join(name.replace(' ', "-"));
        let executable = match &frame.unpacker {
            Some(unpacker) => compressed::pack_compressed(&frame.program, unpacker, &archive)?,
            None => executable::pack(&frame.program, &archive)?,
        };
        fs::write(&place, executable)?;
        Ok::<_, SingleError>(place)
    };
    let mut members = split.members;
    members.extend(frame.members.clone());
    let place = pack(&members, &Manner::default(), order.form.to_string())?;
    let stand_alone = match order.manner {
        None => None,
        Some(manner) => {
            let mut members = sorter.sort(order.small, Home::Host).members;
            members.extend(frame.members.clone());
            Some(pack(&members, manner, format!("{} alone", order.form))?)
        }
    };
    let mut tree = split.real;
    let path = order.original.tree.path(order.interpreter).clone();
    tree.files
        .insert(path.clone(), executable_file(&place, order)?);
    let is_kept = |path: &ImagePath, file: &SmallFile| {
        (tree.files.contains_key(path) || members.contains_key(path))
            && !frame.linked.contains_key(path)
            && matches!(file.kind, Kind::File { .. })
            && file.origin.is_some()
    };
    let files = order.small.files.iter();
    let kept = SmallTree {
        files: files
            .filter(|(path, file)| is_kept(path, file))
            .map(|(path, file)| (path.clone(), file.clone()))
            .collect(),
    };
    let ingredients = forge.memory.take_ingredients();
    let mut tree = status::with_status(
        tree,
        order.small,
        &kept,
        ingredients.iter(),
        &order.original.tree,
        order.epoch,
    );
    add_folders(&mut tree, order);
    Ok(Made {
        form: order.form,
        path,
        linked: frame.linked,
        left_out: left.files.into_iter().chain(frame.left_out).collect(),
        tree,
        packed: members.into_keys().collect(),
        stand_alone,
        ingredients,
        kept,
    })
}

/// An executable without the app: the program, and the members that its form
/// brings.
struct Frame {
    program: Vec<u8>,
    /// What starts the program, where it is to be compressed.
    unpacker: Option<Vec<u8>>,
    members: BTreeMap<ImagePath, Member>,
    /// Extension modules that are in the program.
    linked: BTreeMap<ImagePath, String>,
    /// Extension modules that are nowhere.
    left_out: Vec<FileId>,
}

fn frame(
    order: &Order<'_>,
    split: &Split,
    forge: &Forge<'_>,
    tools: &Tools<'_>,
) -> Result<Frame, SingleError> {
    match order.form {
        Form::Carried => {
            let parts = carried::parts(forge, tools)?;
            let runtime = fs::read(parts.join("runtime.so"))?;
            Ok(Frame {
                program: fs::read(parts.join("carrier"))?,
                unpacker: None,
                members: carried::members(order, split, &runtime)?,
                linked: BTreeMap::new(),
                left_out: Vec::new(),
            })
        }
        Form::Linked(libc) => {
            let plan = linked::Plan {
                libc,
                is_fast: order.wish.packing() == Packing::Stored,
                facts: order.facts,
                original: order.original,
                elf: order.elf,
                fallbacks: &order.wish.fallbacks,
                builtins: order.builtins,
                extensions: &split.extensions,
            };
            let linked = linked::link(&plan, forge, tools)?;
            Ok(Frame {
                program: fs::read(linked.program)?,
                unpacker: match order.wish.packing() {
                    Packing::Small => Some(fs::read(linked::unpacker(forge, tools)?)?),
                    Packing::Stored => None,
                },
                members: linked.members,
                linked: linked.names,
                left_out: linked.left_out,
            })
        }
    }
}

fn executable_file(place: &std::path::Path, order: &Order<'_>) -> std::io::Result<SmallFile> {
    Ok(SmallFile {
        kind: Kind::File {
            size: place.metadata()?.len(),
        },
        meta: Meta {
            mode: 0o755,
            mtime: order.epoch,
            ..Meta::default()
        },
        content: Some(Content::Host(place.to_owned())),
        class: LayerClass::App,
        origin: Some(order.interpreter),
        edit: Some(Edit::Packed),
    })
}

/// The folders above what is there; and one layer is enough for one file.
fn add_folders(tree: &mut SmallTree, order: &Order<'_>) {
    let paths: Vec<ImagePath> = tree.files.keys().cloned().collect();
    for folder in paths.iter().flat_map(ImagePath::ancestors) {
        if !folder.is_root()
            && !tree.files.contains_key(&folder)
            && let Some(file) = order.small.files.get(&folder)
        {
            tree.files.insert(folder, file.clone());
        }
    }
    for file in tree.files.values_mut() {
        file.class = LayerClass::App;
    }
}
