//! The carried form: what cannot be linked is loaded from memory.
//!
//! A static program becomes the dynamic interpreter by way of memory files
//! (`runtime/carrier.c`), and a library that is loaded first shows the archive
//! to it (`runtime/carried.c`). Links below `/.whit` of the archive tell both
//! what belongs together, for the loader searches no folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use whit_oci::{ImagePath, Meta};

use super::archive::{Member, MemberKind};
use super::forge::{Forge, ForgeError, Job};
use super::split::Split;
use super::{Libc, Order};
use crate::index::FileId;
use crate::pipeline::Tools;
use crate::reach::elf::Elf;
use crate::reach::{Analyzer, How};
use crate::transform::Content;

/// What the executable's own parts are called in the archive.
const PLACE: &str = ".whit";

/// glibc opens it by name when a thread ends early, and gives up without it.
const UNWINDER: &str = "libgcc_s.so.1";

/// Why an interpreter cannot be carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    #[error("the interpreter {0} is not linked to a loader of the image")]
    NoLoader(ImagePath),
}

/// What the archive holds in this form besides what it holds in any. `runtime`
/// is the library that is loaded first.
pub fn members(
    order: &Order<'_>,
    split: &Split,
    runtime: &[u8],
) -> Result<BTreeMap<ImagePath, Member>, CarryError> {
    let (original, small, elf) = (order.original, order.small, order.elf);
    let (interpreter, hot) = (order.interpreter, order.touched);
    let tree = &original.tree;
    let mut members = BTreeMap::new();
    let content = |id: FileId| {
        let file = small.files.get(tree.path(id));
        file.and_then(|file| file.content.clone())
            .or_else(|| original.content(id).map(Content::Host))
    };
    let add = |members: &mut BTreeMap<_, _>, path: ImagePath, id: FileId| {
        let Some(content) = content(id) else { return };
        let member = Member {
            kind: MemberKind::File(content),
            meta: tree.node(id).meta.clone(),
            kernel_first: false,
            hot: hot.contains(&id),
        };
        members.insert(path, member);
    };
    let place = |name: &str| ImagePath::from(PLACE).join(name);
    let whole = |id: FileId| [b"/", tree.path(id).as_bytes()].concat();

    let needs = Needs { elf };
    let loader = needs
        .by(interpreter, |how| matches!(how, How::Interpreter))
        .last()
        .copied()
        .ok_or_else(|| CarryError::NoLoader(tree.path(interpreter).clone()))?;
    let mut first = needs.in_order(interpreter);
    let named = |id: &FileId| tree.path(*id).name() == UNWINDER.as_bytes();
    first.extend(split.libraries.iter().copied().filter(named));
    first.retain(|id| *id != loader);
    first.dedup();

    add(&mut members, place("python"), interpreter);
    members.insert(
        place("runtime.so"),
        own(MemberKind::File(Content::Bytes(Arc::from(runtime)))),
    );
    members.insert(place("loader"), link(whole(loader)));
    members.insert(place("first/0"), link(b"/.whit/runtime.so".to_vec()));
    for (number, id) in first.iter().enumerate() {
        members.insert(place(&format!("first/{}", number + 1)), link(whole(*id)));
    }
    let known: BTreeSet<FileId> = first.iter().copied().chain([loader]).collect();
    let loaded: BTreeSet<FileId> = split
        .extensions
        .iter()
        .map(|extension| extension.file)
        .chain(split.libraries.iter().copied())
        .chain(known.iter().copied())
        .collect();
    for id in loaded {
        let path = tree.path(id).clone();
        members.insert(place("lib").join(path.name()), link(whole(id)));
        let folder = place("needs").join(path.as_bytes());
        let new = needs.in_order(id);
        let new = new.into_iter().filter(|need| !known.contains(need));
        for (number, need) in new.enumerate() {
            members.insert(folder.join(number.to_string()), link(whole(need)));
            add(&mut members, tree.path(need).clone(), need);
        }
        add(&mut members, path, id);
    }
    // A library is asked for by the name of a link, too.
    for (path, file) in &small.files {
        if let (Some(id), Some(target)) = (file.origin, tree.lookup(path))
            && id != target
            && split.libraries.contains(&target)
        {
            members.insert(place("lib").join(path.name()), link(whole(target)));
        }
    }
    Ok(members)
}

/// `DT_NEEDED`, followed.
struct Needs<'a> {
    elf: &'a Elf<'a>,
}

impl Needs<'_> {
    fn by(&self, file: FileId, wanted: impl Fn(&How) -> bool) -> Vec<FileId> {
        let edges = self.elf.follow(file).edges.into_iter();
        edges
            .filter_map(|(id, how)| wanted(&how).then_some(id))
            .collect()
    }

    /// All libraries that a file needs, each after those that it needs itself.
    fn in_order(&self, file: FileId) -> Vec<FileId> {
        let mut order = Vec::new();
        self.visit(file, &mut BTreeSet::from([file]), &mut order);
        order
    }

    fn visit(&self, file: FileId, seen: &mut BTreeSet<FileId>, order: &mut Vec<FileId>) {
        for need in self.by(file, |how| matches!(how, How::Needed(_))) {
            if seen.insert(need) {
                self.visit(need, seen, order);
                order.push(need);
            }
        }
    }
}

fn link(target: Vec<u8>) -> Member {
    own(MemberKind::Link(target))
}

fn own(kind: MemberKind) -> Member {
    Member {
        kind,
        meta: Meta {
            mode: 0o755,
            ..Meta::default()
        },
        kernel_first: false,
        hot: true,
    }
}

/// The folder with the static program and the library of the runtime.
pub fn parts(forge: &Forge<'_>, tools: &Tools<'_>) -> Result<PathBuf, ForgeError> {
    let job = Job {
        phase: "compiling the carrier".to_owned(),
        packages: Vec::new(),
        sources: vec!["libzstd"],
        kits: Vec::new(),
        inputs: super::runtime::files(),
        variables: Vec::new(),
        script: include_str!("kit/carried.sh").to_owned(),
    };
    let made = forge.make(&job, tools)?;
    forge.add_library_of(Libc::Musl.package());
    Ok(made)
}
