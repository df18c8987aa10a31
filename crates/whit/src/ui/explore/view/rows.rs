//! What the view lists.

use std::cmp::{Ordering, Reverse};

use whit_core::explore::{Exploration, FileLine, Forest, Node};

/// A list to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Folders,
    Packages,
    Types,
    Layers,
    Wasted,
}

impl Tab {
    pub const ALL: [Self; 5] = [
        Self::Folders,
        Self::Packages,
        Self::Types,
        Self::Layers,
        Self::Wasted,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Folders => "folders",
            Self::Packages => "packages",
            Self::Types => "types",
            Self::Layers => "layers",
            Self::Wasted => "wasted",
        }
    }
}

/// What lists are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Size,
    Wire,
    Before,
    Name,
}

impl Order {
    pub fn name(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Wire => "wire",
            Self::Before => "before",
            Self::Name => "name",
        }
    }

    pub fn next(self, shrunk: bool) -> Self {
        match self {
            Self::Size => Self::Wire,
            Self::Wire if shrunk => Self::Before,
            Self::Wire | Self::Before => Self::Name,
            Self::Name => Self::Size,
        }
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let key = |row: &Row| match self {
            Self::Size => Reverse((row.bytes, row.before)),
            Self::Wire => Reverse((row.wire.unwrap_or(0), row.bytes)),
            Self::Before => Reverse((row.before, row.bytes)),
            Self::Name => Reverse((0, 0)),
        };
        (key(a), &a.name).cmp(&(key(b), &b.name))
    }
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub what: What,
    pub name: String,
    /// How deep it lies in the folders that are shown.
    pub depth: usize,
    /// Of a folder: whether what is in it follows.
    pub open: Option<bool>,
    pub bytes: u64,
    pub wire: Option<u64>,
    pub before: u64,
    /// The image has it no more.
    pub dropped: bool,
    pub wasted: bool,
}

/// What a line stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A folder or file of the forest.
    Node(usize),
    Package(usize),
    Type(usize),
    Layer(usize),
    Waste(usize),
}

/// The folders and files that are open, from the root's children on. With
/// `shown`, only nodes of which it says yes, and all folders open.
pub fn tree(
    forest: &Forest,
    files: &[FileLine],
    is_open: impl Fn(usize) -> bool,
    shown: Option<&[bool]>,
    order: Order,
) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut open = sorted(forest, files, 0, 0, &is_open, shown, order);
    while let Some(row) = open.pop() {
        if let (What::Node(id), Some(true)) = (row.what, row.open) {
            open.extend(sorted(
                forest,
                files,
                id,
                row.depth + 1,
                &is_open,
                shown,
                order,
            ));
        }
        rows.push(row);
    }
    rows
}

/// A folder's children, the first one last.
fn sorted(
    forest: &Forest,
    files: &[FileLine],
    folder: usize,
    depth: usize,
    is_open: &impl Fn(usize) -> bool,
    shown: Option<&[bool]>,
    order: Order,
) -> Vec<Row> {
    let mut rows: Vec<Row> = forest.nodes[folder]
        .children
        .iter()
        .filter(|id| shown.is_none_or(|shown| shown[**id]))
        .map(|id| {
            let node = &forest.nodes[*id];
            let open = node.file.is_none().then(|| shown.is_some() || is_open(*id));
            node_row(*id, node, files, depth, open)
        })
        .collect();
    rows.sort_by(|a, b| order.compare(a, b));
    rows.reverse();
    rows
}

fn node_row(id: usize, node: &Node, files: &[FileLine], depth: usize, open: Option<bool>) -> Row {
    let line = node.file.and_then(|file| files.get(file));
    Row {
        what: What::Node(id),
        name: node.name.clone(),
        depth,
        open,
        bytes: node.bytes,
        wire: node.wire,
        before: node.before,
        dropped: match line {
            Some(line) => line.fate.as_ref().is_some_and(|fate| !fate.kept),
            None => node.bytes == 0 && node.before > 0,
        },
        wasted: line.is_some_and(|line| line.wasted.is_some()),
    }
}

/// A list without folders, as far as names contain `filter`.
pub fn flat(exploration: &Exploration, tab: Tab, filter: &str, order: Order) -> Vec<Row> {
    let row = |what, name: &str, bytes, wire, before, wasted| Row {
        what,
        name: name.to_owned(),
        depth: 0,
        open: None,
        bytes,
        wire,
        before,
        dropped: bytes == 0 && before > 0,
        wasted,
    };
    let mut rows: Vec<Row> = match tab {
        Tab::Folders => Vec::new(),
        Tab::Packages => exploration
            .packages
            .iter()
            .enumerate()
            .map(|(i, g)| row(What::Package(i), &g.name, g.bytes, g.wire, g.before, false))
            .collect(),
        Tab::Types => exploration
            .types
            .iter()
            .enumerate()
            .map(|(i, g)| row(What::Type(i), &g.name, g.bytes, g.wire, 0, false))
            .collect(),
        Tab::Layers => exploration
            .layers
            .iter()
            .enumerate()
            .map(|(i, layer)| {
                let name = format!("{} {}", i + 1, layer.created_by);
                let wire = (!layer.wire_estimated).then_some(layer.wire);
                row(What::Layer(i), &name, layer.bytes, wire, 0, false)
            })
            .collect(),
        Tab::Wasted => exploration
            .wasted
            .iter()
            .enumerate()
            .map(|(i, line)| row(What::Waste(i), line.name, line.bytes, line.wire, 0, true))
            .collect(),
    };
    rows.retain(|row| row.name.to_lowercase().contains(filter));
    // Layers stand in their own order.
    if tab != Tab::Layers {
        rows.sort_by(|a, b| order.compare(a, b));
    }
    rows
}
