//! Installed Python distributions: which files they own, what they declare.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use whit_oci::ImagePath;

use crate::index::{FileId, Tree};

/// Index of a distribution in its [`Distributions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DistributionId(pub u32);

/// One installed distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The name, normalised (PEP 503): lower case, runs of `-_.` one `-`.
    pub name: String,
    pub version: String,
    /// Its `.dist-info` or `.egg-info` folder (or `.egg-info` file).
    pub info: ImagePath,
    /// The `site-packages` that it is installed in.
    pub site: ImagePath,
    pub files: Vec<FileId>,
    /// `METADATA` or `PKG-INFO`.
    pub metadata: Option<FileId>,
    pub entry_points_file: Option<FileId>,
    /// Group → name → `module:attribute`.
    pub entry_points: BTreeMap<String, BTreeMap<String, String>>,
    /// Normalised names of what it always needs (`Requires-Dist` without an
    /// `extra` in the marker).
    pub requires: Vec<String>,
}

/// All distributions of an image.
#[derive(Debug, Default)]
pub struct Distributions {
    all: Vec<Distribution>,
    owner: HashMap<FileId, DistributionId>,
    by_name: BTreeMap<String, DistributionId>,
}

/// Reads the bytes of a file of the tree.
pub type Read<'a> = dyn Fn(FileId) -> Option<Vec<u8>> + Sync + 'a;

impl Distributions {
    /// Finds every `*.dist-info` and `*.egg-info` of the tree.
    pub fn of(tree: &Tree, read: &Read) -> Self {
        let mut found = Self::default();
        for (id, node) in tree.iter() {
            let Ok(name) = std::str::from_utf8(node.path.name()) else {
                continue;
            };
            let distribution = if node.is_dir() && name.ends_with(".dist-info") {
                wheel(tree, read, id)
            } else if name.ends_with(".egg-info") && node.path.parent().is_some() {
                egg(tree, read, id)
            } else {
                None
            };
            if let Some(distribution) = distribution {
                found.add(distribution);
            }
        }
        found
    }

    fn add(&mut self, distribution: Distribution) {
        let id = DistributionId(self.all.len() as u32);
        for file in &distribution.files {
            self.owner.entry(*file).or_insert(id);
        }
        self.by_name.entry(distribution.name.clone()).or_insert(id);
        self.all.push(distribution);
    }

    pub fn iter(&self) -> impl Iterator<Item = (DistributionId, &Distribution)> {
        self.all
            .iter()
            .enumerate()
            .map(|(i, distribution)| (DistributionId(i as u32), distribution))
    }

    pub fn get(&self, id: DistributionId) -> &Distribution {
        &self.all[id.0 as usize]
    }

    pub fn owner(&self, file: FileId) -> Option<DistributionId> {
        self.owner.get(&file).copied()
    }

    /// The distribution of that name that lies nearest to `site`: in it, else
    /// the first one anywhere.
    pub fn named(&self, name: &str, site: &ImagePath) -> Option<DistributionId> {
        let name = normalised(name);
        self.iter()
            .find(|(_, distribution)| distribution.name == name && distribution.site == *site)
            .map(|(id, _)| id)
            .or_else(|| self.by_name.get(&name).copied())
    }
}

/// PEP 503: comparable names.
pub fn normalised(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' => {
                if !out.ends_with('-') {
                    out.push('-');
                }
            }
            c => out.push(c.to_ascii_lowercase()),
        }
    }
    out
}

fn wheel(tree: &Tree, read: &Read, dir: FileId) -> Option<Distribution> {
    let info = tree.path(dir).clone();
    let site = info.parent()?;
    let text = |name: &str| -> Option<(FileId, String)> {
        let id = tree.lookup(&info.join(name))?;
        Some((id, String::from_utf8_lossy(&read(id)?).into_owned()))
    };
    let metadata = text("METADATA");
    let record = text("RECORD").map(|(_, text)| text).unwrap_or_default();
    let mut files: BTreeSet<FileId> = record
        .lines()
        .filter_map(|line| tree.get(&site.join(record_path(line))))
        .filter(|id| !tree.node(*id).is_dir())
        .collect();
    if files.is_empty() {
        // Debian's packages and some builders leave no RECORD: the packages of
        // the folder are named by top_level.txt.
        files.extend(by_top_level(
            tree,
            &site,
            text("top_level.txt").map(|(_, text)| text),
            &info,
        ));
    }
    files.extend(tree.below(dir));
    let entry_points = text("entry_points.txt");
    Some(distribution(info, site, files, metadata, entry_points))
}

fn egg(tree: &Tree, read: &Read, at: FileId) -> Option<Distribution> {
    let info = tree.path(at).clone();
    let site = info.parent()?;
    let is_dir = tree.node(at).is_dir();
    let text = |name: &str| -> Option<(FileId, String)> {
        let id = tree.lookup(&info.join(name))?;
        Some((id, String::from_utf8_lossy(&read(id)?).into_owned()))
    };
    let metadata = if is_dir {
        text("PKG-INFO")
    } else {
        read(at).map(|bytes| (at, String::from_utf8_lossy(&bytes).into_owned()))
    };
    metadata.as_ref()?;
    let mut files: BTreeSet<FileId> = text("installed-files.txt")
        .map(|(_, text)| text)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| tree.get(&info.join(line.trim())))
        .collect();
    if files.is_empty() {
        files.extend(by_top_level(
            tree,
            &site,
            text("top_level.txt").map(|(_, text)| text),
            &info,
        ));
    }
    files.extend(tree.below(at));
    files.insert(at);
    let entry_points = text("entry_points.txt");
    Some(distribution(info, site, files, metadata, entry_points))
}

/// Files of the top-level modules that `top_level.txt` names; without one, of
/// the module that is called like the distribution.
fn by_top_level(
    tree: &Tree,
    site: &ImagePath,
    top_level: Option<String>,
    info: &ImagePath,
) -> Vec<FileId> {
    let names = top_level.unwrap_or_else(|| {
        let name = String::from_utf8_lossy(info.name()).into_owned();
        name.split('-')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    });
    let mut files = Vec::new();
    for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
        if let Some(dir) = tree.get(&site.join(name)) {
            files.extend(tree.below(dir));
        }
        files.extend(tree.get(&site.join(format!("{name}.py"))));
    }
    files
}

fn distribution(
    info: ImagePath,
    site: ImagePath,
    files: BTreeSet<FileId>,
    metadata: Option<(FileId, String)>,
    entry_points: Option<(FileId, String)>,
) -> Distribution {
    let headers = metadata
        .as_ref()
        .map(|(_, text)| headers(text))
        .unwrap_or_default();
    let first = |key: &str| {
        headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.clone())
    };
    let stem = String::from_utf8_lossy(info.name()).into_owned();
    let stem = stem
        .trim_end_matches(".dist-info")
        .trim_end_matches(".egg-info");
    Distribution {
        name: normalised(
            &first("Name").unwrap_or_else(|| stem.split('-').next().unwrap_or(stem).to_owned()),
        ),
        version: first("Version").unwrap_or_default(),
        requires: headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("Requires-Dist"))
            .filter_map(|(_, value)| required(value))
            .collect(),
        files: files.into_iter().collect(),
        metadata: metadata.map(|(id, _)| id),
        entry_points: entry_points
            .as_ref()
            .map(|(_, text)| groups(text))
            .unwrap_or_default(),
        entry_points_file: entry_points.map(|(id, _)| id),
        info,
        site,
    }
}

/// The path of a RECORD line: CSV, of which only the first field matters.
fn record_path(line: &str) -> String {
    match line.strip_prefix('"') {
        Some(quoted) => {
            let mut path = String::new();
            let mut rest = quoted.split('"').peekable();
            while let Some(part) = rest.next() {
                path.push_str(part);
                match rest.peek() {
                    // A doubled quote stands for one.
                    Some(&"") => {
                        rest.next();
                        path.push('"');
                    }
                    _ => break,
                }
            }
            path
        }
        None => match line.rsplitn(3, ',').nth(2) {
            Some(path) => path.to_owned(),
            None => line.to_owned(),
        },
    }
}

/// Header fields of METADATA up to the first empty line.
fn headers(text: &str) -> Vec<(String, String)> {
    text.lines()
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// The name in a requirement that holds without any extra (PEP 508).
fn required(requirement: &str) -> Option<String> {
    let (spec, marker) = requirement.split_once(';').unwrap_or((requirement, ""));
    if marker.contains("extra") {
        return None;
    }
    let end = spec
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(spec.len());
    let name = spec[..end].trim();
    (!name.is_empty()).then(|| normalised(name))
}

/// `entry_points.txt`: an INI file of groups.
fn groups(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut group = String::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            group = name.trim().to_owned();
        } else if let Some((name, target)) = line.split_once('=') {
            // `module:attribute [extra]`
            let target = target.split('[').next().unwrap_or_default().trim();
            found
                .entry(group.clone())
                .or_default()
                .insert(name.trim().to_owned(), target.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::python::testing::written;

    #[test]
    fn a_wheel_and_an_egg() {
        let (tree, read) = written(&[
            (
                "site/Foo_Bar-1.0.dist-info/METADATA",
                "Name: Foo.Bar\nVersion: 1.0\nRequires-Dist: TzData>=2; python_version>'3'\nRequires-Dist: x; extra == 'all'\n\nRequires-Dist: no\n",
            ),
            (
                "site/Foo_Bar-1.0.dist-info/RECORD",
                "foo/__init__.py,sha256=x,1\n\"foo/a,b\"\"c.txt\",,\n../bin/foo,,\nfoo/__pycache__/x.pyc,,\n../../../../etc/passwd,,\n",
            ),
            (
                "site/Foo_Bar-1.0.dist-info/entry_points.txt",
                "[console_scripts]\nfoo = foo.cli:main [x]\n# no\n[g]\na=b\n",
            ),
            ("site/foo/__init__.py", ""),
            ("site/foo/a,b\"c.txt", ""),
            ("bin/foo", ""),
            ("site/old-2.egg-info/PKG-INFO", "Name: old\nVersion: 2\n"),
            ("site/old-2.egg-info/top_level.txt", "oldmod\n"),
            ("site/oldmod/x.py", ""),
        ]);
        let all = Distributions::of(&tree, &read);
        let names: Vec<_> = all
            .iter()
            .map(|(_, d)| (d.name.as_str(), d.version.as_str()))
            .collect();
        assert_eq!(names, [("foo-bar", "1.0"), ("old", "2")]);
        let foo = all.get(DistributionId(0));
        assert_eq!(foo.requires, ["tzdata"]);
        assert_eq!(foo.entry_points["console_scripts"]["foo"], "foo.cli:main");
        for path in ["site/foo/__init__.py", "site/foo/a,b\"c.txt", "bin/foo"] {
            let id = tree.get(&path.into()).unwrap();
            assert_eq!(all.owner(id), Some(DistributionId(0)), "{path}");
        }
        let old = tree.get(&"site/oldmod/x.py".into()).unwrap();
        assert_eq!(all.owner(old), Some(DistributionId(1)));
        assert_eq!(
            all.named("FOO_bar", &"site".into()),
            Some(DistributionId(0))
        );
    }
}
