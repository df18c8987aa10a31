//! Files outside of Python's folders that modules of the standard library, and
//! a few well-known others, read.

use whit_oci::ImagePath;

use super::closure::Python;
use crate::index::FileId;
use crate::reach::How;
use crate::reach::surroundings::NO_ZONES;

/// Where `mimetypes` looks, as far as Linux systems have it (its `knownfiles`).
const MIME_TYPES: &[&str] = &["/etc/mime.types"];
/// Where ncurses looks.
const TERMINALS: &[&str] = &["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"];

/// What the use of a module makes necessary: zones, trusted certificates, types
/// of files, terminals.
pub fn files(python: &Python, module: &str) -> Vec<(FileId, How)> {
    let places: Vec<&str> = match module {
        "zoneinfo" | "dateutil.tz" => python.facts.zones.iter().map(String::as_str).collect(),
        "ssl" => python.facts.trust.iter().map(String::as_str).collect(),
        "mimetypes" => MIME_TYPES.to_vec(),
        "_curses" => TERMINALS.to_vec(),
        _ => return Vec::new(),
    };
    let how = How::PackageData(module.to_owned());
    let mut found = Vec::new();
    for place in places {
        found.extend(below(python, &ImagePath::clamped(place)));
    }
    // A folder of certificates holds links to where they really are.
    let targets: Vec<FileId> = found
        .iter()
        .filter_map(|id| python.tree.lookup(python.tree.path(*id)))
        .collect();
    found.extend(targets);
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(|id| (id, how.clone())).collect()
}

/// The file or folder at a path, the links on the way, and what is in it.
fn below(python: &Python, place: &ImagePath) -> Vec<FileId> {
    let tree = python.tree;
    let way = tree.resolve(place);
    let Some(id) = way.file else {
        return Vec::new();
    };
    let mut found = way.links;
    found.push(id);
    let inside = tree.below(id).into_iter().filter(|file| {
        tree.path(*file)
            .strip_prefix(&way.path)
            .and_then(|rest| rest.split(|b| *b == b'/').next())
            .is_none_or(|top| !NO_ZONES.iter().any(|other| other.as_bytes() == top))
    });
    found.extend(inside);
    found
}
