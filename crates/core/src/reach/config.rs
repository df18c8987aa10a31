//! Files that matter around programs and libraries although no code names
//! them in a way that can be followed: configuration, data, plug-ins.
//!
//! Three rules, from narrow to wide:
//!
//! 1. *Libraries* bring what a table says of them ([`LIBRARIES`]), and OpenSSL
//!    what its configuration names.
//! 2. *A program that is run* brings its package's configuration and data
//!    (nginx: `/etc/nginx`, `/usr/share/nginx`, `/var/lib/nginx`), and those
//!    of the packages that this one is split into. Programs of essential
//!    packages (shells, coreutils) are whole in themselves. A service that the
//!    image starts brings its clients, too.
//! 3. *An interpreter for which there is no analyzer* brings its whole package
//!    and those that it depends on.
//!
//! Python's and Node's packages are left to their analyzers in all of them.

mod services;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use whit_oci::ImagePath;

use super::surroundings::is_ballast;
use super::{Analyzer, Cause, Found, How, reach_path};
use crate::index::{FileId, NodeKind, Package, PackageId, PackageKind, Tree};
use crate::source::FatRoot;

/// What libraries read or open: beginning of the file's name → paths, folders
/// with all that is in them. `@` is the library's own folder. Paths that stand
/// in a library's data as they are need no entry.
const LIBRARIES: [(&str, &[&str]); 25] = [
    ("libQt5Core.so", &["@/qt5/plugins"]),
    ("libQt6Core.so", &["@/qt6/plugins"]),
    (
        "libX11.so",
        &["usr/share/X11/locale", "usr/share/X11/XErrorDB"],
    ),
    ("libasound.so", &["usr/share/alsa", "@/alsa-lib"]),
    (
        "libfontconfig.so",
        &[
            "etc/fonts",
            "usr/share/fontconfig",
            "usr/share/fonts",
            "usr/local/share/fonts",
        ],
    ),
    ("libgdal.so", &["usr/share/gdal"]),
    ("libgdk_pixbuf-2.0.so", &["@/gdk-pixbuf-2.0"]),
    (
        "libgio-2.0.so",
        &[
            "@/gio/modules",
            "usr/share/glib-2.0/schemas/gschemas.compiled",
        ],
    ),
    (
        "libgs.so",
        &["usr/share/ghostscript", "var/lib/ghostscript"],
    ),
    ("libgssapi_krb5.so", &["etc/gss", "@/gss"]),
    ("libhunspell", &["usr/share/hunspell"]),
    (
        "libkrb5.so",
        &["etc/krb5.conf", "etc/krb5.conf.d", "@/krb5"],
    ),
    ("libldap", &["etc/ldap/ldap.conf", "etc/openldap/ldap.conf"]),
    ("libmagic.so", &["usr/share/misc/magic.mgc", "etc/magic"]),
    (
        "libncurses",
        &["etc/terminfo", "lib/terminfo", "usr/lib/terminfo"],
    ),
    ("libnss3.so", &["@/nss"]),
    (
        "libodbc.so",
        &["etc/odbc.ini", "etc/odbcinst.ini", "@/odbc"],
    ),
    (
        "libp11-kit.so",
        &["etc/pkcs11", "@/pkcs11", "usr/share/p11-kit/modules"],
    ),
    (
        "libpam.so",
        &["etc/pam.d", "etc/pam.conf", "etc/security", "@/security"],
    ),
    ("libpoppler.so", &["usr/share/poppler"]),
    ("libproj.so", &["usr/share/proj"]),
    ("libsasl2.so", &["@/sasl2", "usr/lib/sasl2", "etc/sasl2"]),
    ("libtcl", &["usr/share/tcltk", "usr/lib/tcltk"]),
    (
        "libtinfo",
        &["etc/terminfo", "lib/terminfo", "usr/lib/terminfo"],
    ),
    ("libxkbcommon.so", &["usr/share/X11/xkb"]),
];

/// Interpreters that have no analyzer yet: names of programs, which may be
/// followed by a version.
const INTERPRETERS: [&str; 30] = [
    "R", "Rscript", "beam.smp", "dotnet", "elixir", "erl", "erlexec", "gjs", "groovy", "guile",
    "iex", "java", "julia", "jython", "lua", "luajit", "mono", "octave", "perl", "php", "php-fpm",
    "pypy", "racket", "raku", "ruby", "sbcl", "scala", "swipl", "tclsh", "wish",
];

/// Packages that other rules cover, or that only serve to install others.
const COVERED: [&str; 24] = [
    "adduser",
    "alpine-baselayout",
    "base-files",
    "busybox",
    "ca-certificates",
    "debconf",
    "debianutils",
    "dpkg",
    "glibc",
    "init-system-helpers",
    "libc-bin",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "lsb-base",
    "media-types",
    "mime-support",
    "musl",
    "netbase",
    "openssl",
    "sensible-utils",
    "sysvinit-utils",
    "tzdata",
    "ucf",
];

/// Packages that start machines. Servers depend on them for the sake of their
/// units, which nothing reads in a container that does not run them itself.
const MACHINERY: [&str; 5] = [
    "dbus",
    "init",
    "systemd",
    "systemd-standalone-sysusers",
    "systemd-standalone-tmpfiles",
];

/// Packages that one program pulls in, at most.
const MAX_PACKAGES: usize = 500;

/// Follows libraries and programs to what is around them.
pub struct Config<'a> {
    root: &'a FatRoot,
    by_name: BTreeMap<&'a str, PackageId>,
    files: BTreeMap<PackageId, Vec<FileId>>,
}

/// How much of its packages a program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Configuration and data of the program's own packages.
    Data,
    /// Everything, and everything of all dependencies.
    Whole,
}

impl<'a> Config<'a> {
    pub fn new(root: &'a FatRoot) -> Self {
        let tree = &root.tree;
        let mut files: BTreeMap<PackageId, Vec<FileId>> = BTreeMap::new();
        for (id, node) in tree.iter() {
            if let Some(package) = node.package {
                files.entry(package).or_default().push(id);
            }
        }
        let is_system =
            |package: &Package| matches!(package.kind, PackageKind::Dpkg | PackageKind::Apk);
        let by_name = tree
            .packages()
            .filter(|(_, package)| is_system(package))
            .map(|(id, package)| (package.name.as_str(), id))
            .collect();
        Self {
            root,
            by_name,
            files,
        }
    }

    /// The files of `package`, and of those that it depends on as far as
    /// `extent` goes, that a program at work may need.
    pub fn package_closure(&self, package: PackageId, extent: Extent) -> Vec<(FileId, How)> {
        let tree = &self.root.tree;
        let mut edges = Vec::new();
        for (id, because) in self.family(package, extent) {
            for file in self.files.get(&id).into_iter().flatten() {
                if self.is_needed(*file, extent) {
                    edges.push((*file, how(tree.path(*file), tree.package(id), because)));
                }
            }
        }
        edges
    }

    /// The package and those that it depends on as far as `extent` goes, each
    /// with the one that depends on it.
    fn family(&self, package: PackageId, extent: Extent) -> Vec<(PackageId, Option<&Package>)> {
        let tree = &self.root.tree;
        let mut family = Vec::new();
        let mut seen = BTreeSet::from([package]);
        let mut open = VecDeque::from([(package, None)]);
        while let Some((id, because)) = open.pop_front() {
            let current = tree.package(id);
            family.push((id, because));
            for name in &current.depends {
                let Some(next) = self.by_name.get(name.as_str()).copied() else {
                    continue;
                };
                let follows = match extent {
                    Extent::Data => are_siblings(current, tree.package(next)),
                    Extent::Whole => true,
                };
                if follows
                    && !is_covered(tree.package(next))
                    && !MACHINERY.contains(&name.as_str())
                    && seen.len() < MAX_PACKAGES
                    && seen.insert(next)
                {
                    open.push_back((next, Some(current)));
                }
            }
        }
        family
    }

    fn is_needed(&self, file: FileId, extent: Extent) -> bool {
        let node = self.root.tree.node(file);
        let path = &node.path;
        if is_ballast(path) || is_pythons(path) || is_nodes(path) {
            return false;
        }
        match extent {
            Extent::Whole => !node.is_dir() || !is_shared_folder(path),
            Extent::Data => {
                // Other programs of the package, and libraries: whoever needs
                // them leads to them.
                let parent = path.parent().unwrap_or_default();
                let beside_libraries = is_library_folder(&parent)
                    && memchr::memmem::find(path.name(), b".so").is_some();
                !is_program_folder(&parent) && !beside_libraries && !is_shared_folder(path)
            }
        }
    }

    /// Rules 2 and 3, for a program that is run, or for a link to one: it may
    /// belong to another package (`redis-server` is a link to
    /// `redis-check-rdb` of `redis-tools`).
    fn around_program(&self, file: FileId, cause: &Cause) -> Found {
        let mut found = Found::default();
        let tree = &self.root.tree;
        let node = tree.node(file);
        let program = tree.lookup(&node.path);
        let is_program = program.is_some_and(|id| tree.node(id).is_executable());
        let Some(package) = node.package.filter(|_| is_program) else {
            return found;
        };
        let owner = tree.package(package);
        let is_system = matches!(owner.kind, PackageKind::Dpkg | PackageKind::Apk);
        if !is_system || is_python(&owner.name) {
            return found;
        }
        let name = String::from_utf8_lossy(node.path.name());
        if is_interpreter(&name) {
            found.warnings.push(format!(
                "there is no analyzer for {name}: package {} and those of which the app read a file \
                 are kept whole with their dependencies",
                owner.name
            ));
            found.edges = self.package_closure(package, Extent::Whole);
        } else if !name.contains(".so") && !is_essential(owner) && !is_covered(owner) {
            found.edges = self.package_closure(package, Extent::Data);
            let is_started = matches!(cause.how, How::Command | How::Entry(_));
            if let Some(program) = program.filter(|_| is_started) {
                found
                    .edges
                    .extend(self.programs_of_service(program, package));
            }
        }
        found.edges.retain(|(id, _)| *id != file);
        found
    }

    /// OpenSSL's configuration, and the modules that it names.
    fn around_openssl(&self, library: &ImagePath, found: &mut Found) {
        let tree = &self.root.tree;
        let mut text = String::new();
        for path in [
            "usr/lib/ssl/openssl.cnf",
            "etc/ssl/openssl.cnf",
            "etc/pki/tls/openssl.cnf",
        ] {
            let reached = reach_path(tree, &path.into(), How::Config("OpenSSL".to_owned()));
            if let Some(host) = reached.last().and_then(|(id, _)| self.root.content(*id)) {
                // Some 12 kB; what is much bigger is not read.
                let is_small = host.metadata().is_ok_and(|found| found.len() < 1 << 20);
                let bytes = is_small.then(|| std::fs::read(host).ok()).flatten();
                text.push_str(&String::from_utf8_lossy(&bytes.unwrap_or_default()));
            }
            found.edges.extend(reached);
        }
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default());
        let words: BTreeSet<&str> = lines
            .flat_map(|line| line.split(|c: char| c.is_whitespace() || c == '='))
            .collect();
        for word in &words {
            if word.starts_with('/') {
                found.reach(tree, &(*word).into(), How::Named((*word).to_owned()));
            }
        }
        let folder = library.parent().unwrap_or_default();
        for modules in ["ossl-modules", "engines-3", "engines-1.1"] {
            let Some(id) = tree.lookup(&folder.join(modules)) else {
                continue;
            };
            for file in tree.children(id) {
                let name = String::from_utf8_lossy(tree.path(*file).name()).into_owned();
                let stem = name.trim_end_matches(".so");
                if words.contains(stem) {
                    found.edges.push((*file, How::Named(stem.to_owned())));
                }
            }
        }
    }

    /// Rule 1.
    fn around_library(&self, file: FileId) -> Found {
        let mut found = Found::default();
        let tree = &self.root.tree;
        let path = tree.path(file);
        let Some(name) = std::str::from_utf8(path.name())
            .ok()
            .filter(|n| n.contains(".so"))
        else {
            return found;
        };
        if name.starts_with("libcrypto.") || name.starts_with("libcrypto-") {
            self.around_openssl(path, &mut found);
        }
        let folder = path.parent().unwrap_or_default();
        for (_, paths) in LIBRARIES
            .iter()
            .filter(|(prefix, _)| name.starts_with(prefix))
        {
            for text in *paths {
                let place = match text.strip_prefix("@/") {
                    Some(rest) => folder.join(rest),
                    None => (*text).into(),
                };
                found
                    .edges
                    .extend(all_of(tree, &place, &How::Config(name.to_owned())));
            }
        }
        found
    }
}

impl Analyzer for Config<'_> {
    fn follow(&self, file: FileId) -> Found {
        if self.root.tree.node(file).is_file() {
            self.around_library(file)
        } else {
            Found::default()
        }
    }

    fn follow_caused(&self, file: FileId, cause: &Cause) -> Found {
        let mut found = self.follow(file);
        if !self.root.tree.node(file).is_dir() && self.is_run(cause) {
            found.extend(self.around_program(file, cause));
        }
        found
    }
}

impl Config<'_> {
    /// True if the cause says that a program is run, and not only that some
    /// package's file mentions it: Python's library names compilers.
    fn is_run(&self, cause: &Cause) -> bool {
        let by_a_package = |id: FileId| {
            let package = self.root.tree.node(id).package;
            package.is_some_and(|id| {
                let kind = self.root.tree.package(id).kind;
                matches!(kind, PackageKind::Dpkg | PackageKind::Apk)
            })
        };
        match &cause.how {
            How::Command | How::Entry(_) | How::Healthcheck | How::Interpreter => true,
            How::Observed(access) | How::ObservedOf(access, _) => access.contains("exec"),
            How::Runs(_) => !cause.from.is_some_and(by_a_package),
            _ => false,
        }
    }
}

fn how(path: &ImagePath, package: &Package, because: Option<&Package>) -> How {
    if path.starts_with(&"etc".into()) {
        How::Config(package.name.clone())
    } else if let Some(because) = because {
        How::Depends(because.name.clone())
    } else {
        How::PackageData(package.name.clone())
    }
}

/// A file or folder, and all that is in it.
fn all_of(tree: &Tree, path: &ImagePath, how: &How) -> Vec<(FileId, How)> {
    let mut edges = reach_path(tree, path, how.clone());
    if let Some((id, _)) = edges.last()
        && matches!(tree.node(*id).kind, NodeKind::Dir)
    {
        let below = tree.below(*id);
        edges.extend(below.into_iter().map(|id| (id, how.clone())));
    }
    edges
}

/// True if both packages are parts of one thing: made from one source, or
/// called alike (`nginx`, `nginx-common`; `postgresql-15`,
/// `postgresql-client-common`).
fn are_siblings(a: &Package, b: &Package) -> bool {
    let (stem_a, stem_b) = (stem(&a.name), stem(&b.name));
    (stem_a.len() > 2 && stem_a == stem_b) || a.source() == b.source()
}

fn stem(name: &str) -> &str {
    let end = name.find(|c: char| c == '-' || c.is_ascii_digit());
    &name[..end.unwrap_or(name.len())]
}

pub(super) fn is_essential(package: &Package) -> bool {
    package.field("Essential") == Some("yes") || package.field("Priority") == Some("required")
}

pub(super) fn is_covered(package: &Package) -> bool {
    COVERED.contains(&package.name.as_str()) || is_python(&package.name)
}

/// Debian's and Alpine's packages of Python itself.
fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix("lib").unwrap_or(name);
    ["python3", "python2", "python-", "py3-"]
        .iter()
        .any(|prefix| rest.starts_with(prefix))
        || rest == "python"
}

/// Modules of Python: who imports them keeps them.
fn is_pythons(path: &ImagePath) -> bool {
    path.as_bytes().starts_with(b"usr/lib/python")
        || path
            .components()
            .any(|part| part == b"dist-packages" || part == b"site-packages")
}

/// Packages of Node: who names them keeps them.
fn is_nodes(path: &ImagePath) -> bool {
    path.starts_with(&"usr/share/nodejs".into())
        || path.components().any(|part| part == b"node_modules")
}

fn is_interpreter(name: &str) -> bool {
    INTERPRETERS
        .iter()
        .any(|known| is_interpreter_named(name, known))
}

/// True for the name `known`, with or without a version.
pub(super) fn is_interpreter_named(name: &str, known: &str) -> bool {
    name.strip_prefix(known).is_some_and(|version| {
        let version = version.strip_prefix('-').unwrap_or(version);
        version.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

fn is_program_folder(path: &ImagePath) -> bool {
    [
        "bin",
        "sbin",
        "usr/bin",
        "usr/sbin",
        "usr/games",
        "usr/local/bin",
        "usr/local/sbin",
    ]
    .iter()
    .any(|folder| *path == (*folder).into())
}

fn is_library_folder(path: &ImagePath) -> bool {
    let parts: Vec<&[u8]> = path.components().collect();
    match parts.as_slice() {
        [b"lib" | b"lib64"] | [b"usr", b"lib" | b"lib64"] => true,
        [b"lib", triplet] | [b"usr", b"lib", triplet] => {
            memchr::memmem::find(triplet, b"-linux-").is_some()
        }
        _ => false,
    }
}

/// A folder that many packages have files in: kept by those.
fn is_shared_folder(path: &ImagePath) -> bool {
    path.components().count() < 2
        || is_program_folder(path)
        || is_library_folder(path)
        || [
            "usr/share",
            "var/lib",
            "var/cache",
            "var/log",
            "etc/default",
        ]
        .iter()
        .any(|folder| *path == (*folder).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestRoot, root};

    fn around(test: &TestRoot, file: &str, how: How) -> (Vec<String>, Vec<String>) {
        let cause = Cause { from: None, how };
        let found = Config::new(&test.root).follow_caused(test.id(file), &cause);
        let mut names = test.names(&found.edges);
        names.sort();
        (names, found.warnings)
    }

    /// The tree of `test` with dependencies and dpkg paragraphs put in.
    fn with_packages(lines: &[&str], facts: &[(&str, &[&str], &str)]) -> TestRoot {
        let mut test = root(lines, &[]);
        let tree = &test.root.tree;
        let nodes = tree
            .iter()
            .map(|(_, n)| (n.path.clone(), n.clone()))
            .collect();
        let packages = tree
            .packages()
            .map(|(_, package)| {
                let mut package = package.clone();
                for (name, depends, record) in facts {
                    if package.name == *name {
                        package.depends = depends.iter().map(|d| (*d).to_owned()).collect();
                        package.record = (*record).to_owned();
                    }
                }
                package
            })
            .collect();
        test.root.tree = Tree::new(nodes, packages);
        test
    }

    #[test]
    fn a_program_brings_its_data_and_its_siblings() {
        let test = with_packages(
            &[
                "*usr/sbin/nginx @nginx",
                "*usr/bin/nginx-debug @nginx",
                "usr/share/doc/nginx/copyright @nginx",
                "usr/share/nginx/html/index.html @nginx",
                "usr/lib/nginx/modules/x.so @nginx",
                "etc/nginx/nginx.conf @nginx-common",
                "etc/logrotate.d/nginx @nginx-common",
                "var/lib/nginx/ @nginx-common",
                "usr/share/x/data @unrelated",
            ],
            &[("nginx", &["nginx-common", "unrelated", "libc6"], "")],
        );
        let kept = [
            "/etc/nginx/nginx.conf",
            "/usr/lib/nginx/modules/x.so",
            "/usr/share/nginx/html/index.html",
            "/var/lib/nginx",
        ];
        assert_eq!(
            around(&test, "usr/sbin/nginx", How::Command),
            (kept.map(String::from).into(), vec![])
        );
        assert!(around(&test, "usr/sbin/nginx", How::UserFile).0.is_empty());
        assert!(
            around(&test, "usr/sbin/nginx", How::Observed("stat".into()))
                .0
                .is_empty()
        );
        assert_eq!(
            around(&test, "usr/sbin/nginx", How::Observed("exec, read".into()))
                .0
                .len(),
            4
        );
    }

    #[test]
    fn essential_programs_and_python_bring_nothing() {
        let test = with_packages(
            &[
                "*bin/bash @bash",
                "etc/bash.bashrc @bash",
                "*usr/bin/python3.11 @python3.11-minimal",
                "usr/lib/python3.11/os.py @python3.11-minimal",
                "etc/python3.11/sitecustomize.py @python3.11-minimal",
            ],
            &[("bash", &[], "Package: bash\nEssential: yes\n")],
        );
        assert!(around(&test, "bin/bash", How::Command).0.is_empty());
        assert!(
            around(&test, "usr/bin/python3.11", How::Command)
                .0
                .is_empty()
        );
    }

    #[test]
    fn an_unknown_interpreter_brings_everything_and_says_so() {
        let test = with_packages(
            &[
                "*usr/bin/perl @perl",
                "*usr/bin/prove @perl",
                "usr/share/perl/5.36/strict.pm @perl-modules",
                "usr/share/man/man1/perl.1.gz @perl-modules",
                "usr/lib/x86_64-linux-gnu/libdb.so.5 @libdb",
                "lib/x86_64-linux-gnu/libc.so.6 @libc6",
                "usr/lib/python3/dist-packages/x.py @libdb",
                "var/lib/dpkg/info/perl.postinst @perl",
                "*lib/systemd/systemd @systemd",
            ],
            &[("perl", &["perl-modules", "libdb", "libc6", "systemd"], "")],
        );
        let (names, warnings) = around(&test, "usr/bin/perl", How::Interpreter);
        assert_eq!(
            names,
            [
                "/usr/bin/prove",
                "/usr/lib/x86_64-linux-gnu/libdb.so.5",
                "/usr/share/perl/5.36/strict.pm"
            ]
        );
        assert!(warnings[0].contains("perl"), "{warnings:?}");
    }

    #[test]
    fn a_compiler_named_by_a_package_brings_nothing() {
        let test = with_packages(
            &[
                "*usr/bin/gcc @gcc",
                "usr/lib/gcc/12/cc1 @gcc",
                "usr/lib/python3.11/ctypes/util.py @libpython3.11-stdlib",
                "app.py",
            ],
            &[],
        );
        let config = Config::new(&test.root);
        let named = |from| Cause {
            from: Some(test.id(from)),
            how: How::Runs("gcc".into()),
        };
        let gcc = test.id("usr/bin/gcc");
        let by_library = config.follow_caused(gcc, &named("usr/lib/python3.11/ctypes/util.py"));
        assert!(by_library.edges.is_empty());
        let by_user = config.follow_caused(gcc, &named("app.py"));
        assert_eq!(test.names(&by_user.edges), ["/usr/lib/gcc/12/cc1"]);
    }

    #[test]
    fn openssl_brings_its_configuration_and_named_modules() {
        let lines = |conf| {
            [
                "usr/lib/x86_64-linux-gnu/libcrypto.so.3",
                "usr/lib/x86_64-linux-gnu/ossl-modules/legacy.so",
                "usr/lib/ssl/openssl.cnf -> ../../../etc/ssl/openssl.cnf",
                conf,
            ]
        };
        let library = "usr/lib/x86_64-linux-gnu/libcrypto.so.3";
        let plain = root(&lines("etc/ssl/openssl.cnf = [p]\\n# legacy = x\\n"), &[]);
        let legacy = |names: &[String]| names.iter().any(|name| name.ends_with("legacy.so"));
        let names = around(&plain, library, How::Needed("libcrypto.so.3".into())).0;
        assert!(names.contains(&"/etc/ssl/openssl.cnf".to_owned()));
        assert!(!legacy(&names));
        let asked = root(
            &lines("etc/ssl/openssl.cnf = [p]\\nlegacy = legacy_sect\\n"),
            &[],
        );
        assert!(legacy(&around(&asked, library, How::UserFile).0));
    }

    #[test]
    fn names_of_interpreters() {
        for name in ["perl", "perl5.36.0", "php8.2", "php-fpm8.2", "ruby3.1", "R"] {
            assert!(is_interpreter(name), "{name}");
        }
        for name in ["perldoc", "nodeenv", "Rust", "luac", "python3"] {
            assert!(!is_interpreter(name), "{name}");
        }
    }
}
