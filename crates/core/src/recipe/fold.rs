//! From thousands of paths to the folders that are copied as a whole.

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::ImagePath;

/// Paths to copy, in path order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folded {
    /// With everything below them, but for bytecode caches.
    pub whole: Vec<ImagePath>,
    /// Alone.
    pub parts: Vec<ImagePath>,
}

/// Bytecode caches are dropped from nearly every folder that stays whole, and
/// are left out by their name.
pub(super) const CACHE: &[u8] = b"__pycache__";

/// Folds what is copied of the original: a folder goes as a whole if nothing
/// of it stays behind.
pub(super) fn fold(original: &BTreeSet<ImagePath>, copied: &BTreeSet<&ImagePath>) -> Folded {
    let mut entries: BTreeMap<ImagePath, usize> = BTreeMap::new();
    let mut broken: BTreeSet<ImagePath> = BTreeSet::new();
    for path in original.iter().filter(|path| !is_cache(path)) {
        let stays = copied.contains(path);
        for folder in path.ancestors().filter(|folder| !folder.is_root()) {
            *entries.entry(folder.clone()).or_default() += 1;
            if !stays {
                broken.insert(folder);
            }
        }
    }
    let is_whole = |folder: &ImagePath| {
        copied.contains(folder) && entries.contains_key(folder) && !broken.contains(folder)
    };
    let mut folded = Folded::default();
    for path in copied.iter().copied() {
        let within = path.ancestors().any(|folder| is_whole(&folder));
        if within && !is_cache(path) {
            continue;
        }
        match is_whole(path) && !is_cache(path) {
            true => folded.whole.push(path.clone()),
            false => folded.parts.push(path.clone()),
        }
    }
    folded
}

fn is_cache(path: &ImagePath) -> bool {
    path.components().any(|part| part == CACHE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(original: &[&str], dropped: &[&str]) -> (Vec<String>, Vec<String>) {
        let original: BTreeSet<ImagePath> = original.iter().map(|p| (*p).into()).collect();
        let is_dropped = |path: &ImagePath| dropped.iter().any(|d| path == &(*d).into());
        let copied = original.iter().filter(|path| !is_dropped(path)).collect();
        let folded = fold(&original, &copied);
        let text = |paths: Vec<ImagePath>| paths.iter().map(ToString::to_string).collect();
        (text(folded.whole), text(folded.parts))
    }

    #[test]
    fn a_folder_goes_whole_if_nothing_stays_behind() {
        let original = [
            "a", "a/b", "a/b/1", "a/b/2", "a/b/c", "a/b/c/3", "a/b-x", "a/d", "a/d/4", "a/d/5",
            "empty",
        ];
        assert_eq!(
            folded(&original, &["a/d/5"]),
            (
                vec!["/a/b".to_owned()],
                ["/a", "/a/b-x", "/a/d", "/a/d/4", "/empty"]
                    .map(String::from)
                    .to_vec()
            )
        );
        assert_eq!(
            folded(&original, &[]),
            (vec!["/a".to_owned()], vec!["/empty".to_owned()])
        );
    }

    #[test]
    fn caches_don_t_count() {
        let original = ["p", "p/m.py", "p/__pycache__", "p/__pycache__/m.pyc"];
        let (whole, parts) = folded(&original, &["p/__pycache__", "p/__pycache__/m.pyc"]);
        assert_eq!((whole, parts), (vec!["/p".to_owned()], vec![]));
        // One that stays is named.
        let (whole, parts) = folded(&original, &[]);
        assert_eq!(whole, ["/p"]);
        assert_eq!(parts, ["/p/__pycache__", "/p/__pycache__/m.pyc"]);
    }
}
