//! The folders of an image as a tree to walk in.

use std::collections::HashMap;

use super::FileLine;

/// All folders and files of an exploration. The root is node 0.
#[derive(Debug, Clone)]
pub struct Forest {
    pub nodes: Vec<Node>,
}

/// A folder, or a file.
#[derive(Debug, Clone, Default)]
pub struct Node {
    /// Without the folders; empty for the root.
    pub name: String,
    pub parent: Option<usize>,
    /// In the order of their names.
    pub children: Vec<usize>,
    /// Index of its line; folders have none.
    pub file: Option<usize>,
    /// Of everything below.
    pub bytes: u64,
    pub wire: Option<u64>,
    /// Bytes in the original of a small image.
    pub before: u64,
    pub wasted: u64,
    /// Regular files of the image.
    pub files: u64,
}

impl Forest {
    /// Puts files, which are in path order, into their folders.
    pub fn grow(files: &[FileLine]) -> Self {
        let mut nodes = vec![Node {
            wire: Some(0),
            ..Node::default()
        }];
        let mut folders: HashMap<&str, usize> = HashMap::from([("", 0)]);
        for (i, file) in files.iter().enumerate() {
            let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
            let parent = plant(&mut nodes, &mut folders, folder);
            let id = nodes.len();
            let before = file.fate.as_ref().map_or(0, |fate| fate.before);
            nodes[parent].children.push(id);
            nodes.push(Node {
                name: name.to_owned(),
                parent: Some(parent),
                file: Some(i),
                bytes: file.bytes,
                // What the image has not needs nothing on the wire.
                wire: match file.layer {
                    Some(_) => file.wire,
                    None => Some(0),
                },
                before,
                wasted: file.wasted.map_or(0, |wasted| wasted.bytes),
                files: u64::from(file.is_content()),
                ..Node::default()
            });
        }
        let mut forest = Self { nodes };
        forest.add_up();
        forest
    }

    /// Sums of folders. Children come after their parents, so that going
    /// backwards meets every child before its parent.
    fn add_up(&mut self) {
        for i in (1..self.nodes.len()).rev() {
            let (bytes, wire, before, wasted, files) = {
                let node = &self.nodes[i];
                (node.bytes, node.wire, node.before, node.wasted, node.files)
            };
            let Some(parent) = self.nodes[i].parent else {
                continue;
            };
            let parent = &mut self.nodes[parent];
            parent.bytes = parent.bytes.saturating_add(bytes);
            parent.wire = parent.wire.zip(wire).map(|(a, b)| a.saturating_add(b));
            parent.before = parent.before.saturating_add(before);
            parent.wasted = parent.wasted.saturating_add(wasted);
            parent.files += files;
        }
    }

    /// The path of a node, `/` for the root.
    pub fn path(&self, id: usize) -> String {
        let mut names = Vec::new();
        let mut here = Some(id);
        while let Some(node) = here.and_then(|id| self.nodes.get(id)) {
            names.push(node.name.as_str());
            here = node.parent;
        }
        names.reverse();
        match names.as_slice() {
            [_] => "/".to_owned(),
            names => names.join("/"),
        }
    }
}

/// The node of a folder, which is made with those above it if it is new.
fn plant<'a>(nodes: &mut Vec<Node>, folders: &mut HashMap<&'a str, usize>, path: &'a str) -> usize {
    if let Some(known) = folders.get(path) {
        return *known;
    }
    // Paths begin with a slash and are at most 4 KiB long: the way up ends at
    // the root, which is known.
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = plant(nodes, folders, above);
    let id = nodes.len();
    nodes[parent].children.push(id);
    nodes.push(Node {
        name: name.to_owned(),
        parent: Some(parent),
        wire: Some(0),
        ..Node::default()
    });
    folders.insert(path, id);
    id
}
