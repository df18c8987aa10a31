//! Modules that glibc loads on demand: name services and character sets.

use std::collections::{BTreeMap, BTreeSet};

use whit_oci::ImagePath;

use super::facts::{Facts, Function};
use crate::elf::OnDisk;
use crate::index::Tree;
use crate::reach::How;
use crate::source::FatRoot;

/// Bytes of a configuration file that are read, at most.
const MAX_CONF: u64 = 4 << 20;

/// What the image's configuration says about glibc's modules.
pub struct Modules {
    /// Database (`hosts`, `passwd`, ...) → services, as in `nsswitch.conf`.
    services: BTreeMap<String, Vec<String>>,
    /// `files` and `dns` are part of the C library (glibc 2.34).
    merged: bool,
    /// Character set → files of its modules.
    conversions: BTreeMap<String, BTreeSet<ImagePath>>,
    /// `gconv-modules` and its cache, without which no module is found.
    tables: Vec<ImagePath>,
}

impl Modules {
    pub fn read(root: &FatRoot) -> Self {
        let tree = &root.tree;
        let services = text(root, &"etc/nsswitch.conf".into())
            .map(|text| parse_services(&text))
            .unwrap_or_default();
        let merged = tree
            .iter()
            .filter(|(_, node)| node.is_file() && node.path.name() == b"libc.so.6")
            .filter(|(_, node)| is_systems(&node.path))
            .filter_map(|(id, _)| Facts::parse(&OnDisk::open(&root.content(id)?).ok()?).ok())
            .any(|facts| facts.merged_glibc);
        let tables = conversion_tables(tree);
        let mut conversions: BTreeMap<String, BTreeSet<ImagePath>> = BTreeMap::new();
        for table in &tables {
            let home = gconv_folder(table);
            let Some(text) = text(root, table) else {
                continue;
            };
            for (charset, module) in parse_conversions(&text) {
                let path = home.join(format!("{module}.so"));
                conversions.entry(charset).or_default().insert(path);
            }
        }
        Self {
            services,
            merged,
            conversions,
            tables,
        }
    }

    /// The libraries of the name services that a program with these imports
    /// may ask. Without a configuration glibc asks `files` and `dns`
    /// (nsswitch.conf(5)).
    pub fn name_services(&self, imports: &BTreeSet<Function>) -> BTreeSet<String> {
        let mut databases = Vec::new();
        if imports.contains(&Function::Accounts) {
            databases.extend(["passwd", "group", "shadow", "gshadow", "initgroups"]);
        }
        if imports.contains(&Function::Hosts) {
            databases.extend(["hosts", "services", "networks", "protocols"]);
        }
        let mut names: BTreeSet<&str> = databases
            .iter()
            .filter_map(|database| self.services.get(*database))
            .flatten()
            .map(String::as_str)
            .collect();
        names.extend(["files", "dns"]);
        if self.merged {
            names.remove("files");
            names.remove("dns");
        }
        names
            .iter()
            .map(|name| format!("libnss_{name}.so.2"))
            .collect()
    }

    /// The modules for the character sets among `texts`, and the tables that
    /// lead to them.
    pub fn conversions(&self, texts: &BTreeSet<String>) -> Vec<(ImagePath, How)> {
        let mut reached: Vec<(ImagePath, How)> = texts
            .iter()
            // `CA` and `DE` are aliases of national ASCIIs, and other things
            // far more often.
            .filter(|text| text.len() > 2)
            .filter_map(|text| Some((text, self.conversions.get(text)?)))
            .flat_map(|(text, modules)| {
                let how = How::Named(text.clone());
                modules.iter().map(move |path| (path.clone(), how.clone()))
            })
            .collect();
        if !reached.is_empty() {
            reached.extend(self.tables());
        }
        reached
    }

    /// Every module for character sets, and the tables that lead to them.
    pub fn all_conversions(&self) -> Vec<(ImagePath, How)> {
        let modules: BTreeSet<&ImagePath> = self.conversions.values().flatten().collect();
        let how = How::Config("iconv".to_owned());
        let mut reached: Vec<(ImagePath, How)> = modules
            .into_iter()
            .map(|path| (path.clone(), how.clone()))
            .collect();
        reached.extend(self.tables());
        reached
    }

    fn tables(&self) -> impl Iterator<Item = (ImagePath, How)> {
        let caches = self
            .tables
            .iter()
            .map(|path| gconv_folder(path).join("gconv-modules.cache"));
        let paths = self.tables.iter().cloned().chain(caches);
        paths.map(|path| (path, How::Config("iconv".to_owned())))
    }
}

/// `gconv-modules` and `gconv-modules.d/*.conf` of every `gconv` folder.
fn conversion_tables(tree: &Tree) -> Vec<ImagePath> {
    tree.iter()
        .filter(|(_, node)| node.is_file() && is_systems(&node.path))
        .filter(|(_, node)| {
            let parent = node.path.parent().unwrap_or_default();
            match parent.name() {
                b"gconv" => node.path.name() == b"gconv-modules",
                b"gconv-modules.d" => node.path.extension() == Some(b"conf"),
                _ => false,
            }
        })
        .map(|(_, node)| node.path.clone())
        .collect()
}

/// A part of the system itself, not of another root that lies inside.
fn is_systems(path: &ImagePath) -> bool {
    let bytes = path.as_bytes();
    bytes.starts_with(b"usr/lib") || bytes.starts_with(b"lib")
}

fn gconv_folder(table: &ImagePath) -> ImagePath {
    table
        .ancestors()
        .find(|folder| folder.name() == b"gconv")
        .unwrap_or_default()
}

/// Database → services of a `nsswitch.conf`; actions such as
/// `[NOTFOUND=return]` are left out.
pub(super) fn parse_services(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut services = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some((database, rest)) = line.split_once(':') else {
            continue;
        };
        let mut plain = String::new();
        let mut depth = 0u32;
        for c in rest.chars() {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                c if depth == 0 => plain.push(c),
                _ => plain.push(' '),
            }
        }
        let is_name = |word: &&str| {
            word.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
        };
        let names = plain.split_whitespace().filter(is_name).map(str::to_owned);
        services.insert(database.trim().to_owned(), names.collect());
    }
    services
}

/// Character set, aliases included → module, for every line of a
/// `gconv-modules` table (glibc manual, "iconv in the GNU C Library").
pub(super) fn parse_conversions(text: &str) -> Vec<(String, String)> {
    const INTERNAL: &str = "INTERNAL";
    let mut modules: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut aliases = Vec::new();
    let plain = |name: &str| name.trim_end_matches('/').to_ascii_uppercase();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["alias", alias, name, ..] => aliases.push((plain(alias), plain(name))),
            ["module", from, to, module, ..] => {
                for charset in [plain(from), plain(to)] {
                    if charset != INTERNAL {
                        let files = modules.entry(charset).or_default();
                        files.insert((*module).to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    for (alias, name) in aliases {
        if let Some(files) = modules.get(&name).cloned() {
            modules.entry(alias).or_default().extend(files);
        }
    }
    modules
        .into_iter()
        .flat_map(|(charset, files)| files.into_iter().map(move |file| (charset.clone(), file)))
        .collect()
}

fn text(root: &FatRoot, path: &ImagePath) -> Option<String> {
    let file = root.tree.lookup(path)?;
    if root.tree.node(file).size() > MAX_CONF {
        return None;
    }
    let bytes = std::fs::read(root.content(file)?).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::root;

    #[test]
    fn services_without_actions() {
        let services = parse_services(
            "# c\npasswd: files systemd\nhosts: files mdns4_minimal [NOTFOUND=return] dns # x\n",
        );
        assert_eq!(services["passwd"], ["files", "systemd"]);
        assert_eq!(services["hosts"], ["files", "mdns4_minimal", "dns"]);
    }

    #[test]
    fn only_databases_in_use_are_asked() {
        let root = root(
            &["etc/nsswitch.conf = passwd: files systemd\nhosts: files mdns dns\n"],
            &[],
        );
        let modules = Modules::read(&root.root);
        let hosts = modules.name_services(&BTreeSet::from([Function::Hosts]));
        assert_eq!(
            Vec::from_iter(hosts),
            ["libnss_dns.so.2", "libnss_files.so.2", "libnss_mdns.so.2"]
        );
    }

    #[test]
    fn charsets_lead_to_modules_and_tables() {
        let root = root(
            &[
                "usr/lib/gconv/gconv-modules = alias LATIN9// ISO-8859-15//\n\
                 module ISO-8859-15// INTERNAL ISO8859-15 1\n\
                 module INTERNAL ISO-8859-15// ISO8859-15 1\n\
                 module EUC-JP// INTERNAL EUC-JP 1\n",
                "usr/lib/gconv/ISO8859-15.so",
                "usr/lib/gconv/EUC-JP.so",
            ],
            &[],
        );
        let modules = Modules::read(&root.root);
        let reached = modules.conversions(&BTreeSet::from(["LATIN9".into(), "UTF-8".into()]));
        let names: Vec<String> = reached.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(
            names,
            [
                "/usr/lib/gconv/ISO8859-15.so",
                "/usr/lib/gconv/gconv-modules",
                "/usr/lib/gconv/gconv-modules.cache"
            ]
        );
        assert!(
            modules
                .conversions(&BTreeSet::from(["UTF-8".into()]))
                .is_empty()
        );
    }
}
