//! Which packages an app's runtime needs: the closure over `Depends` and
//! `Pre-Depends`.
//!
//! Not apt: nothing is installed yet, so there is nothing to upgrade, remove or
//! be in conflict with. `Recommends` is not followed, `Essential` not added.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use whit_oci::Digest;

use super::error::{self, Error};
use super::index::{Index, Listing};
use super::relation::{self, Relation};
use super::suite::{Archive, Suite};
use super::version;

/// Packages on which others depend only for the sake of their maintainer
/// scripts, which whit does not run: debconf asks questions at installation,
/// dpkg is what runs them, and the rest are helpers that they call. Somebody
/// who wants one names it.
const IGNORED: [&str; 9] = [
    "adduser",
    "debconf",
    "debconf-2.0",
    "dpkg",
    "init-system-helpers",
    "install-info",
    "libdebconfclient0",
    "python3-debconf",
    "ucf",
];

/// Longest chain of dependencies that is followed; real ones have some dozen.
const MAX_DEPTH: usize = 500;

/// A package that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebRef {
    pub name: String,
    pub version: String,
    pub architecture: String,
    /// Path below the archive's base.
    pub filename: String,
    pub size: u64,
    pub sha256: Digest,
    pub archive: Archive,
}

/// The indexes of a release for one architecture.
#[derive(Debug, Clone)]
pub struct Indexes {
    pub suite: Suite,
    pub architecture: String,
    pub archives: Vec<(Archive, Index)>,
    /// What is taken in no newer version than this one.
    pub held: Option<Held>,
}

/// The packages of a source package, held at a version, because newer ones
/// cannot be compiled: the mirror lacks their sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The source package. Its packages are those that have its name in theirs,
    /// as it is with `python3.11`.
    pub source: String,
    pub version: String,
}

impl Held {
    fn allows(&self, listing: &Listing<'_>) -> bool {
        !listing.name.contains(&self.source)
            || version::compare(listing.version, &self.version).is_le()
    }
}

impl Indexes {
    /// Everything that `wanted` needs, sorted by name.
    pub fn resolve(&self, wanted: &[&str]) -> error::Result<Vec<DebRef>> {
        let mut resolver = Resolver {
            indexes: self,
            chosen: BTreeMap::new(),
            order: Vec::new(),
            hopeless: HashSet::new(),
        };
        // All wanted ones first, so that they answer others' alternatives.
        let mut roots = Vec::new();
        for name in wanted {
            let relation = Relation {
                name,
                qualifier: None,
                version: None,
            };
            let options = resolver.options(&[relation]);
            let best = options.first().ok_or_else(|| self.no_package(name))?;
            resolver.chosen.insert(best.listing.name, *best);
            roots.push(*best);
        }
        for root in roots {
            resolver.install(root, 0).map_err(|cause| Error::Unmet {
                wanted: root.listing.name.to_owned(),
                cause,
            })?;
        }
        Ok(resolver
            .chosen
            .values()
            .map(|candidate| candidate.to_ref())
            .collect())
    }

    fn no_package(&self, name: &str) -> Error {
        Error::NoPackage {
            suite: self.suite.to_string(),
            name: name.to_owned(),
            near: near(
                name,
                self.archives.iter().flat_map(|(_, index)| index.names()),
            ),
        }
    }
}

/// At most five of `names` that are spelled much like this one.
pub(super) fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = 1 + name.len() / 4;
    let mut near: Vec<(usize, &str)> = names
        .filter(|other| other.len().abs_diff(name.len()) <= limit)
        .map(|other| (distance(name, other), other))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    near.sort_unstable();
    near.dedup();
    near.iter()
        .take(5)
        .map(|(_, name)| (*name).to_owned())
        .collect()
}

#[derive(Clone, Copy)]
struct Candidate<'a> {
    listing: Listing<'a>,
    archive: Archive,
}

impl Candidate<'_> {
    fn to_ref(self) -> DebRef {
        let listing = &self.listing;
        DebRef {
            name: listing.name.to_owned(),
            version: listing.version.to_owned(),
            architecture: listing.architecture.to_owned(),
            filename: listing.filename.to_owned(),
            size: listing.size,
            sha256: listing.sha256,
            archive: self.archive,
        }
    }

    /// Is it what the relation asks for, by its own name or by one that it
    /// provides? A provided name without a version meets no versioned relation
    /// (policy 7.5).
    fn meets(&self, relation: &Relation<'_>) -> bool {
        if self.listing.name == relation.name {
            return relation.accepts(self.listing.version);
        }
        relation::parse(self.listing.provides)
            .flatten()
            .filter(|provided| provided.name == relation.name)
            .any(|provided| match (relation.version, provided.version) {
                (None, _) => true,
                (Some(_), Some((_, version))) => relation.accepts(version),
                (Some(_), None) => false,
            })
    }
}

struct Resolver<'a> {
    indexes: &'a Indexes,
    chosen: BTreeMap<&'a str, Candidate<'a>>,
    /// Names in the order in which they were chosen, to take them back.
    order: Vec<&'a str>,
    /// Packages (name and version) found impossible to install: no two tries.
    hopeless: HashSet<(&'a str, &'a str)>,
}

impl<'a> Resolver<'a> {
    /// All packages of a name, the highest version first; of equal versions
    /// the archives' order counts.
    fn candidates(&self, name: &str) -> Vec<Candidate<'a>> {
        let indexes = self.indexes;
        let mut found: Vec<Candidate<'a>> = indexes
            .archives
            .iter()
            .flat_map(|(archive, index)| {
                index.named(name).map(|listing| Candidate {
                    listing,
                    archive: *archive,
                })
            })
            .filter(|found| {
                found.listing.architecture == "all"
                    || found.listing.architecture == indexes.architecture
            })
            .filter(|found| {
                let held = indexes.held.as_ref();
                held.is_none_or(|held| held.allows(&found.listing))
            })
            .collect();
        found.sort_by(|a, b| version::compare(b.listing.version, a.listing.version));
        found
    }

    /// What would meet a group, the preferred one first: its alternatives in
    /// their order, of each the package of that name before those that only
    /// provide it.
    fn options(&self, group: &[Relation<'_>]) -> Vec<Candidate<'a>> {
        let mut options = Vec::new();
        for relation in group.iter().filter(|one| self.is_native(one)) {
            let mut named = self.candidates(relation.name);
            named.retain(|candidate| candidate.meets(relation));
            options.extend(named);
            let mut providers: Vec<Candidate<'a>> = self
                .providers(relation.name)
                .iter()
                .filter_map(|name| self.candidates(name).into_iter().next())
                .filter(|candidate| candidate.meets(relation))
                .collect();
            providers.sort_by_key(|candidate| (candidate.listing.priority, candidate.listing.name));
            options.extend(providers);
        }
        options
    }

    fn providers(&self, name: &str) -> BTreeSet<&'a str> {
        let archives = &self.indexes.archives;
        archives
            .iter()
            .flat_map(|(_, index)| index.providers(name))
            .collect()
    }

    /// No package of another architecture is ever installed.
    fn is_native(&self, relation: &Relation<'_>) -> bool {
        relation.qualifier.is_none_or(|qualifier| {
            matches!(qualifier, "any" | "native") || qualifier == self.indexes.architecture
        })
    }

    fn is_met(&self, group: &[Relation<'_>]) -> bool {
        group.iter().any(|relation| {
            IGNORED.contains(&relation.name)
                || (self.is_native(relation)
                    && std::iter::once(relation.name)
                        .chain(self.providers(relation.name))
                        .filter_map(|name| self.chosen.get(name))
                        .any(|candidate| candidate.meets(relation)))
        })
    }

    /// Chooses a package with everything that it needs, or nothing at all.
    fn install(&mut self, candidate: Candidate<'a>, depth: usize) -> Result<(), String> {
        let Listing { name, version, .. } = candidate.listing;
        if depth > MAX_DEPTH {
            return Err(format!("{name} is at the end of too long a chain"));
        }
        if self.hopeless.contains(&(name, version)) {
            return Err(format!("{name} {version} cannot be installed either"));
        }
        if let Some(other) = self.chosen.get(name)
            && other.listing.version != version
        {
            let other = other.listing.version;
            return Err(format!("{name} is needed as {version} and as {other}"));
        }
        let mark = self.order.len();
        if self.chosen.insert(name, candidate).is_none() {
            self.order.push(name);
        }
        for group in relation::parse(candidate.listing.depends) {
            if self.is_met(&group) {
                continue;
            }
            let mut failure = None;
            let met = self.options(&group).into_iter().any(|option| {
                self.install(option, depth + 1)
                    .map_err(|error| failure = Some(error))
                    .is_ok()
            });
            if !met {
                self.take_back(mark);
                self.hopeless.insert((name, version));
                return Err(self.explain(&candidate, &group, failure));
            }
        }
        Ok(())
    }

    fn take_back(&mut self, mark: usize) {
        for name in self.order.drain(mark..) {
            self.chosen.remove(name);
        }
    }

    fn explain(
        &self,
        candidate: &Candidate<'_>,
        group: &[Relation<'_>],
        failure: Option<String>,
    ) -> String {
        let needs: Vec<String> = group.iter().map(ToString::to_string).collect();
        let cause = failure.unwrap_or_else(|| {
            let there: Vec<String> = group
                .iter()
                .filter_map(|relation| self.candidates(relation.name).into_iter().next())
                .map(|other| format!("{} {}", other.listing.name, other.listing.version))
                .collect();
            match there.as_slice() {
                [] => "which the archive does not have".to_owned(),
                there => format!("but the archive has {}", there.join(", ")),
            }
        });
        format!(
            "{} {} needs {}, {cause}",
            candidate.listing.name,
            candidate.listing.version,
            needs.join(" | ")
        )
    }
}

/// Edit distance (Levenshtein), on bytes: names of packages are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packages as text: `name version [architecture]: fields; fields`.
    fn indexes(archives: &[&str]) -> Indexes {
        let archives = archives
            .iter()
            .zip(Archive::ALL)
            .map(|(lines, archive)| {
                let mut text = String::new();
                for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
                    let (head, fields) = line.split_once(": ").unwrap_or((line, ""));
                    let mut head = head.split_whitespace();
                    let name = head.next().unwrap();
                    let version = head.next().unwrap();
                    let architecture = head.next().unwrap_or("amd64");
                    let sha256 = Digest::of(line.as_bytes()).hex();
                    text += &format!(
                        "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n\
                         Filename: pool/{name}\nSize: 1\nSHA256: {sha256}\n{}\n\n",
                        fields.replace("; ", "\n")
                    );
                }
                (archive, Index::build(text.as_bytes()).unwrap())
            })
            .collect();
        Indexes {
            suite: Suite::Bookworm,
            architecture: "amd64".into(),
            archives,
            held: None,
        }
    }

    fn names(indexes: &Indexes, wanted: &[&str]) -> Vec<String> {
        let found = indexes.resolve(wanted).unwrap();
        found
            .iter()
            .map(|one| format!("{} {}", one.name, one.version))
            .collect()
    }

    fn refusal(indexes: &Indexes, wanted: &[&str]) -> String {
        indexes.resolve(wanted).unwrap_err().to_string()
    }

    #[test]
    fn what_is_held_comes_in_no_newer_version() {
        let all = Indexes {
            held: Some(Held {
                source: "python3.11".into(),
                version: "3.11.2-6".into(),
            }),
            ..indexes(&[
                "app 1: Depends: libpython3.11 (>= 3.11), libc6\nlibpython3.11 3.11.2-6\nlibc6 1",
                "libpython3.11 3.11.2-7\nlibc6 2",
            ])
        };
        let chosen = all.resolve(&["app"]).unwrap();
        let versions: Vec<String> = chosen
            .iter()
            .map(|deb| format!("{} {}", deb.name, deb.version))
            .collect();
        assert_eq!(versions, ["app 1", "libc6 2", "libpython3.11 3.11.2-6"]);
    }

    #[test]
    fn the_closure_with_a_cycle() {
        let archive = indexes(&["a 1: Depends: b (>= 1), c:any
             b 1: Pre-Depends: d; Depends: a
             c 1 all
             d 1
             e 1"]);
        assert_eq!(names(&archive, &["a"]), ["a 1", "b 1", "c 1", "d 1"]);
    }

    #[test]
    fn the_highest_version_of_all_archives() {
        let archive = indexes(&[
            "a 1.9: Depends: b (= 1.9)\nb 1.9",
            "",
            "a 1.10: Depends: b\nb 1.10~1",
        ]);
        let found = archive.resolve(&["a"]).unwrap();
        assert_eq!(found[0].version, "1.10");
        assert_eq!(found[0].archive, Archive::Security);
        assert_eq!(found[1].version, "1.10~1");
    }

    #[test]
    fn an_older_version_where_only_that_fits() {
        let archive = indexes(&["a 1: Depends: b (= 1)\nb 1", "b 2"]);
        assert_eq!(names(&archive, &["a"]), ["a 1", "b 1"]);
    }

    #[test]
    fn alternatives() {
        let archive = indexes(&["a 1: Depends: gone | broken | b | c
             broken 1: Depends: b, gone
             b 1
             c 1
             d 1: Depends: b | c"]);
        assert_eq!(names(&archive, &["a"]), ["a 1", "b 1"]);
        // One that is there anyway is taken, first or not.
        assert_eq!(names(&archive, &["d", "c"]), ["c 1", "d 1"]);
    }

    #[test]
    fn provided_names() {
        let archive = indexes(&["a 1: Depends: awk
             b 1: Depends: api (>= 2)
             gawk 1: Provides: awk; Priority: optional
             mawk 1: Provides: awk; Priority: required
             one 1: Provides: api
             two 1: Provides: api (= 1)
             two 0: Provides: api (= 3)
             zwei 1: Provides: api (= 2.1)"]);
        assert_eq!(names(&archive, &["a"]), ["a 1", "mawk 1"]);
        assert_eq!(names(&archive, &["a", "gawk"]), ["a 1", "gawk 1"]);
        assert_eq!(names(&archive, &["b"]), ["b 1", "zwei 1"]);
        assert_eq!(names(&archive, &["awk"]), ["mawk 1"]);
    }

    #[test]
    fn helpers_of_maintainer_scripts_are_not_needed() {
        let archive = indexes(&[
            "a 1: Depends: debconf (>= 0.5) | debconf-2.0; Pre-Depends: dpkg
             debconf 1.5",
        ]);
        assert_eq!(names(&archive, &["a"]), ["a 1"]);
        assert_eq!(names(&archive, &["a", "debconf"]), ["a 1", "debconf 1.5"]);
    }

    #[test]
    fn other_architectures_do_not_count() {
        let archive = indexes(&["a 1: Depends: b:i386 | c\nb 1\nc 1\nd 1 i386"]);
        assert_eq!(names(&archive, &["a"]), ["a 1", "c 1"]);
        assert!(archive.resolve(&["d"]).is_err());
    }

    #[test]
    fn what_does_not_work_is_explained() {
        let archive = indexes(&["a 1: Depends: b
             b 2: Depends: c (>= 2) | d
             c 1
             libfoo-dev 1"]);
        assert_eq!(
            refusal(&archive, &["a"]),
            "a cannot be installed: a 1 needs b, b 2 needs c (>= 2) | d, but the archive has c 1"
        );
        let error = archive.resolve(&["libfo-dev"]).unwrap_err();
        assert_eq!(error.to_string(), "bookworm has no package libfo-dev");
        assert_eq!(error.hint().unwrap(), "similar names: libfoo-dev");
        assert_eq!(archive.resolve(&["x-y-z"]).unwrap_err().hint(), None);
    }

    #[test]
    fn a_chain_without_end_is_no_crash() {
        let text: String = (0..3000)
            .map(|i| format!("p{i} 1: Depends: p{}\n", i + 1))
            .collect();
        assert!(refusal(&indexes(&[&text]), &["p0"]).contains("too long a chain"));
    }

    #[test]
    fn distances() {
        assert_eq!(distance("python3", "pyhton3"), 2);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("same", "same"), 0);
    }
}
