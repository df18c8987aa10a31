//! What an interpreter would say about itself, told from where its files lie:
//! for one that cannot be run here. The rules are those of CPython's
//! `Modules/getpath.py` and `Lib/site.py`, and Debian's changes to the latter.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

use super::distributions::Read;
use super::facts::Facts;
use super::interpreter::Interpreter;
use crate::index::{FileId, Tree};

/// What every start of CPython loads from the standard library
/// (`python -X importtime -c ''`, 3.8 to 3.13), beside what is in the
/// interpreter.
const STARTUP: [&str; 22] = [
    "_collections_abc",
    "_sitebuiltins",
    "abc",
    "codecs",
    "encodings",
    "encodings.aliases",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_8",
    "genericpath",
    "importlib",
    "importlib._abc",
    "importlib.machinery",
    "importlib.util",
    "io",
    "ntpath",
    "os",
    "posixpath",
    "runpy",
    "site",
    "sitecustomize",
    "stat",
];

/// In every build of CPython (`Modules/config.c.in`).
const BUILTIN: [&str; 22] = [
    "_abc",
    "_ast",
    "_codecs",
    "_collections",
    "_functools",
    "_imp",
    "_io",
    "_locale",
    "_operator",
    "_signal",
    "_sre",
    "_stat",
    "_string",
    "_symtable",
    "_thread",
    "_tracemalloc",
    "_warnings",
    "_weakref",
    "builtins",
    "errno",
    "marshal",
    "sys",
];

/// Where OpenSSL of distributions looks for certificates.
const TRUST: [&str; 4] = [
    "/usr/lib/ssl/cert.pem",
    "/usr/lib/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
];

/// `zoneinfo.TZPATH`.
const ZONES: [&str; 4] = [
    "/usr/share/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/etc/zoneinfo",
];

impl Facts {
    /// The facts that an interpreter's place tells; `None` where its standard
    /// library is not found. `env` is the image's environment.
    pub fn guess(
        tree: &Tree,
        read: &Read<'_>,
        interpreter: &Interpreter,
        env: &[(String, String)],
    ) -> Option<Facts> {
        let layout = Layout { tree, read };
        let program = &interpreter.program;
        let venv = layout.venv(program);
        let home = match &venv {
            Some(venv) => Some(venv.home.clone()),
            None => tree.path(interpreter.file).parent(),
        };
        // The one that a link names, and the one that the file behind it is in.
        let homes = [home, tree.path(interpreter.file).parent()];
        let (prefix, stdlib) = homes
            .into_iter()
            .flatten()
            .find_map(|home| layout.library(&home, tree.path(interpreter.file).name()))?;
        let name = std::str::from_utf8(stdlib.name()).ok()?.to_owned();
        let minor: u8 = name.strip_prefix("python3.")?.parse().ok()?;

        let own = format!("{name}/site-packages");
        let mut sites = Vec::new();
        if let Some(venv) = &venv {
            sites.push(venv.root.join("lib").join(&own));
        }
        if venv.as_ref().is_none_or(|venv| venv.system) {
            let debian = [
                ImagePath::from("usr/local/lib").join(format!("{name}/dist-packages")),
                ImagePath::from("usr/lib/python3/dist-packages"),
            ];
            sites.extend(
                debian
                    .into_iter()
                    .filter(|_| prefix == ImagePath::from("usr")),
            );
            sites.push(prefix.join("lib").join(&own));
        }
        sites.retain(|site| tree.lookup(site).is_some());

        let dynload = stdlib.join("lib-dynload");
        let mut path: Vec<ImagePath> = value(env, "PYTHONPATH")
            .split(':')
            .filter(|entry| entry.starts_with('/'))
            .map(ImagePath::clamped)
            .collect();
        path.push(prefix.join(format!("lib/python3{minor}.zip")));
        path.extend([stdlib.clone(), dynload.clone()]);
        for site in &sites {
            path.push(site.clone());
            path.extend(layout.added_by_pth(site));
        }
        let text = |path: &ImagePath| path.to_string();
        let root = venv.as_ref().map_or(&prefix, |venv| &venv.root);
        Some(Facts {
            version: (3, minor, 0),
            executable: text(program),
            prefix: text(root),
            base_prefix: text(&prefix),
            exec_prefix: text(root),
            path: path.iter().map(text).collect(),
            builtin: BUILTIN.map(str::to_owned).to_vec(),
            extension_suffixes: layout.suffixes(&dynload, minor),
            cache_tag: format!("cpython-3{minor}"),
            loaded: layout.loaded(&stdlib),
            sysconfig: layout.sysconfig(&stdlib),
            stdlib: text(&stdlib),
            sites: sites.iter().map(text).collect(),
            trust: TRUST.map(str::to_owned).to_vec(),
            zones: ZONES.map(str::to_owned).to_vec(),
            ..Facts::default()
        })
    }
}

/// A virtual environment (PEP 405).
struct Venv {
    root: ImagePath,
    /// The folder of the interpreter that it was made from.
    home: ImagePath,
    /// It has the packages of that one, too.
    system: bool,
}

struct Layout<'a> {
    tree: &'a Tree,
    read: &'a Read<'a>,
}

impl Layout<'_> {
    fn text(&self, path: &ImagePath) -> Option<String> {
        let bytes = (self.read)(self.tree.lookup(path)?)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn names(&self, folder: &ImagePath) -> Vec<(FileId, String)> {
        let Some(folder) = self.tree.lookup(folder) else {
            return Vec::new();
        };
        let named = |id: &FileId| {
            let name = std::str::from_utf8(self.tree.path(*id).name()).ok()?;
            Some((*id, name.to_owned()))
        };
        self.tree
            .children(folder)
            .iter()
            .filter_map(named)
            .collect()
    }

    fn venv(&self, program: &ImagePath) -> Option<Venv> {
        let bin = program.parent()?;
        [Some(bin.clone()), bin.parent()]
            .into_iter()
            .flatten()
            .find_map(|root| {
                let text = self.text(&root.join("pyvenv.cfg"))?;
                let value = |key: &str| {
                    text.lines()
                        .filter_map(|line| line.split_once('='))
                        .find(|(name, _)| name.trim() == key)
                        .map(|(_, value)| value.trim().to_owned())
                };
                Some(Venv {
                    home: ImagePath::clamped(value("home")?),
                    system: value("include-system-site-packages").as_deref() == Some("true"),
                    root,
                })
            })
    }

    /// The prefix and the standard library of an interpreter in the folder
    /// `home`, whose file is called `name`: the nearest folder above that has
    /// `lib/python3.N/os.py`.
    fn library(&self, home: &ImagePath, name: &[u8]) -> Option<(ImagePath, ImagePath)> {
        let name = std::str::from_utf8(name).ok()?;
        let is_library = |name: &str| {
            let number = name.strip_prefix("python3.");
            number.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
        };
        let home = self.tree.resolve(home).path;
        let mut above = Some(home);
        while let Some(prefix) = above {
            let lib = prefix.join("lib");
            let mut names: Vec<String> = self
                .names(&lib)
                .into_iter()
                .map(|(_, name)| name)
                .filter(|name| is_library(name))
                .collect();
            // Where there are several, the one that it is called like.
            names.sort_by_key(|library| library != name);
            let found = names.into_iter().map(|name| lib.join(name)).find(|stdlib| {
                let there = |name: &str| self.tree.lookup(&stdlib.join(name)).is_some();
                there("os.py") || there("os.pyc")
            });
            if let Some(stdlib) = found {
                return Some((prefix, stdlib));
            }
            above = prefix.parent();
        }
        None
    }

    /// The folders that a site's `.pth` files name.
    fn added_by_pth(&self, site: &ImagePath) -> Vec<ImagePath> {
        let files = self.names(site).into_iter();
        let texts = files
            .filter(|(_, name)| name.ends_with(".pth"))
            .filter_map(|(id, _)| (self.read)(id));
        let mut found = Vec::new();
        for text in texts {
            let text = String::from_utf8_lossy(&text);
            let folders = text.lines().map(str::trim_end).filter(|line| {
                !line.is_empty() && !line.starts_with(['#']) && !line.starts_with("import")
            });
            found.extend(folders.map(|line| match line.starts_with('/') {
                true => ImagePath::clamped(line),
                false => site.join(line),
            }));
        }
        found.retain(|folder| self.tree.lookup(folder).is_some());
        found
    }

    /// As the extension modules of the standard library end.
    fn suffixes(&self, dynload: &ImagePath, minor: u8) -> Vec<String> {
        let tagged = format!(".cpython-3{minor}");
        let mut found: Vec<String> = self
            .names(dynload)
            .into_iter()
            .filter_map(|(_, name)| Some(name[name.find(&tagged)?..].to_owned()))
            .filter(|suffix| suffix.ends_with(".so"))
            .take(1)
            .collect();
        found.extend([".abi3.so".to_owned(), ".so".to_owned()]);
        found
    }

    fn loaded(&self, stdlib: &ImagePath) -> BTreeMap<String, (Option<String>, Option<String>)> {
        let file = |name: &str| {
            let base = stdlib.join(name.replace('.', "/"));
            let candidates = ["/__init__.py", "/__init__.pyc", ".py", ".pyc"];
            candidates
                .map(|end| ImagePath::clamped(format!("{base}{end}")))
                .into_iter()
                .find(|path| self.tree.lookup(path).is_some())
        };
        STARTUP
            .iter()
            .filter_map(|name| {
                let place = file(name)?.to_string();
                Some(((*name).to_owned(), (Some(place.clone()), Some(place))))
            })
            .collect()
    }

    fn sysconfig(&self, stdlib: &ImagePath) -> Option<String> {
        let mut names = self.names(stdlib).into_iter();
        names.find_map(|(_, name)| {
            let stem = name.strip_suffix(".py")?;
            stem.starts_with("_sysconfigdata").then(|| stem.to_owned())
        })
    }
}

fn value<'a>(env: &'a [(String, String)], name: &str) -> &'a str {
    env.iter()
        .find(|(known, _)| known == name)
        .map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::super::testing::written;
    use super::*;

    fn guess(files: &[(&str, &str)], program: &str, env: &[(&str, &str)]) -> Option<Facts> {
        let (tree, read) = written(files);
        let program = ImagePath::from(program);
        let interpreter = Interpreter {
            file: tree.lookup(&program).unwrap(),
            program,
            options: Vec::new(),
        };
        let env: Vec<(String, String)> = env
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Facts::guess(&tree, &read, &interpreter, &env)
    }

    #[test]
    fn debians_python_with_a_virtual_environment() {
        let facts = guess(
            &[
                ("usr/bin/python3.11", ""),
                ("opt/venv/bin/python -> /usr/bin/python3.11", ""),
                (
                    "opt/venv/pyvenv.cfg",
                    "home = /usr/bin\ninclude-system-site-packages = false\n",
                ),
                ("opt/venv/lib/python3.11/site-packages/x.py", ""),
                (
                    "opt/venv/lib/python3.11/site-packages/a.pth",
                    "import y\n../more\n/none\n",
                ),
                ("opt/venv/lib/python3.11/more/z.py", ""),
                ("usr/lib/python3.11/os.py", ""),
                ("usr/lib/python3.11/encodings/__init__.py", ""),
                (
                    "usr/lib/python3.11/_sysconfigdata__aarch64-linux-gnu.py",
                    "",
                ),
                (
                    "usr/lib/python3.11/lib-dynload/_json.cpython-311-aarch64-linux-gnu.so",
                    "",
                ),
                ("usr/lib/python3/dist-packages/apt.py", ""),
                ("usr/lib/python3.9/os.py", ""),
            ],
            "opt/venv/bin/python",
            &[("PYTHONPATH", "/srv:relative")],
        )
        .unwrap();
        assert_eq!(facts.version, (3, 11, 0));
        assert_eq!(
            facts.path,
            [
                "/srv",
                "/usr/lib/python311.zip",
                "/usr/lib/python3.11",
                "/usr/lib/python3.11/lib-dynload",
                "/opt/venv/lib/python3.11/site-packages",
                "/opt/venv/lib/python3.11/more",
            ]
        );
        assert_eq!(
            facts.extension_suffixes[0],
            ".cpython-311-aarch64-linux-gnu.so"
        );
        assert_eq!(
            facts.sysconfig.as_deref(),
            Some("_sysconfigdata__aarch64-linux-gnu")
        );
        assert_eq!((&*facts.prefix, &*facts.base_prefix), ("/opt/venv", "/usr"));
        let loaded: Vec<&String> = facts.loaded.keys().collect();
        assert_eq!(loaded, ["encodings", "os"]);
    }

    #[test]
    fn a_python_of_its_own_and_none() {
        let files = [
            ("usr/local/bin/python3.12", ""),
            ("usr/local/lib/python3.12/os.pyc", ""),
            ("usr/local/lib/python3.12/site-packages/x.py", ""),
            ("usr/lib/python3.11/os.py", ""),
        ];
        let facts = guess(&files, "usr/local/bin/python3.12", &[]).unwrap();
        assert_eq!(facts.stdlib, "/usr/local/lib/python3.12");
        assert_eq!(facts.sites, ["/usr/local/lib/python3.12/site-packages"]);
        assert_eq!(guess(&[("bin/python3", "")], "bin/python3", &[]), None);
    }
}
