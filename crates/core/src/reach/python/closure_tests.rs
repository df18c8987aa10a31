//! What is reached from small images written as text.

use std::collections::BTreeSet;

use whit_oci::ImagePath;

use super::testing::written;
use super::*;
use crate::reach::python::Start;
use crate::reach::{Analyzer, How};

fn facts() -> Facts {
    Facts {
        zones: vec!["/zones".to_owned()],
        trust: vec!["/tls/certs".to_owned(), "/tls/nothing".to_owned()],
        version: (3, 11, 2),
        executable: "/usr/bin/python3".to_owned(),
        path: vec!["/std".to_owned(), "/site".to_owned()],
        stdlib: "/std".to_owned(),
        sites: vec!["/site".to_owned()],
        builtin: vec!["sys".to_owned(), "time".to_owned()],
        extension_suffixes: vec![
            ".cpython-311-x86_64-linux-gnu.so".to_owned(),
            ".so".to_owned(),
        ],
        ..Facts::default()
    }
}

/// Everything reached from `app/main.py` and the interpreter, as paths without
/// the two themselves.
fn reached(files: &[(&str, &str)]) -> BTreeSet<String> {
    let mut all = vec![("usr/bin/python3", "\x7fELF")];
    all.extend_from_slice(files);
    let (tree, read) = written(&all);
    let facts = facts();
    let id = |path: &str| tree.get(&ImagePath::from(path)).unwrap();
    let setting = Setting {
        interpreter: Some(id("usr/bin/python3")),
        first: vec!["app".into()],
        search: vec!["bin".into()],
        libraries: vec!["lib".into()],
        starts: vec![Start {
            how: How::Command,
            mains: vec![id("app/main.py")],
            modules: Vec::new(),
            words: Vec::new(),
        }],
        ..Setting::default()
    };
    let distributions = Distributions::of(&tree, &read);
    let python = Python::new(&tree, &read, &facts, setting, distributions);
    let mut found = BTreeSet::new();
    let mut open: Vec<_> = python.roots().into_iter().map(|(id, _)| id).collect();
    while let Some(file) = open.pop() {
        for (to, _) in python.follow(file).edges {
            if tree.node(to).is_file() && found.insert(to) {
                open.push(to);
            }
        }
    }
    found
        .into_iter()
        .map(|id| tree.path(id).to_string())
        .filter(|path| !path.starts_with("/usr") && path != "/app/main.py")
        .collect()
}

/// Asserts what is reached; an empty line of `expected` is nothing.
fn assert_reached(files: &[(&str, &str)], expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(reached(files), expected);
}

#[test]
fn imports_everywhere_in_the_apps_code() {
    assert_reached(
        &[
            (
                "app/main.py",
                "import a.b\ndef f():\n    try:\n        from lazy import x, sub\n    except ImportError:\n        import other\nif TYPE_CHECKING:\n    import types_only\nif sys.platform == 'win32':\n    import windows\n",
            ),
            ("site/a/__init__.py", ""),
            ("site/a/b.py", "from . import c\nfrom .d import *\n"),
            ("site/a/c.py", ""),
            ("site/a/d.py", ""),
            ("site/a/unused.py", ""),
            ("site/lazy/__init__.py", ""),
            ("site/lazy/sub.py", ""),
            ("site/other.py", ""),
            ("site/types_only.py", ""),
            ("site/windows.py", ""),
        ],
        &[
            "/site/a/__init__.py",
            "/site/a/b.py",
            "/site/a/c.py",
            "/site/a/d.py",
            "/site/lazy/__init__.py",
            "/site/lazy/sub.py",
            "/site/other.py",
        ],
    );
}

#[test]
fn functions_of_the_standard_library_wait_for_their_names() {
    let std = "def used():\n    import one\ndef unused():\n    import two\nclass C:\n    def __call__(self):\n        import three\ndef main():\n    import four\ndef visit_x():\n    import five\nif __name__ == '__main__':\n    main()\n    import six_\n";
    let files = |main: &'static str| {
        [
            ("app/main.py", main),
            ("std/m.py", std),
            ("std/one.py", ""),
            ("std/two.py", ""),
            ("std/three.py", ""),
            ("std/four.py", ""),
            ("std/five.py", ""),
            ("std/six_.py", ""),
        ]
    };
    assert_reached(
        &files("import m\nm.used()\n"),
        &["/std/m.py", "/std/one.py"],
    );
    assert_reached(
        &files("import m\ngetattr(m, 'unused')\n"),
        &["/std/m.py", "/std/two.py"],
    );
    assert_reached(&files("from m import C\n"), &["/std/m.py", "/std/three.py"]);
    assert_reached(&files("import m, x\nx.main()\n"), &["/std/m.py"]);
    assert_reached(
        &files("import m\nm.main()\n"),
        &["/std/m.py", "/std/four.py"],
    );
    assert_reached(
        &files("import m\ngetattr(m, 'visit_' + kind)\n"),
        &["/std/m.py", "/std/five.py"],
    );
}

#[test]
fn the_server_of_pydoc_waits_for_who_starts_it() {
    let std = "def pager(text): pass\ndef _serve():\n    import server\ndef browse():\n    _serve()\ndef cli():\n    browse()\nif __name__ == '__main__':\n    cli()\n";
    let files = |main: &'static str| {
        [
            ("app/main.py", main),
            ("std/pydoc.py", std),
            ("std/server.py", ""),
        ]
    };
    let without = ["/std/pydoc.py"];
    let with = ["/std/pydoc.py", "/std/server.py"];
    let paged = "def cli():\n    __import__('pydoc').pager('')\nWORDS = ['browse', 'cli']\ncli()\n";
    assert_reached(&files(paged), &without);
    assert_reached(&files("import pydoc as p\np.browse()\n"), &with);
    assert_reached(&files("from pydoc import cli\n"), &with);
    let module = "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'pydoc'])\n";
    assert_reached(&files(module), &with);
}

#[test]
fn a_fallback_of_what_is_there_is_not_reached() {
    assert_reached(
        &[
            ("app/main.py", "import d\n"),
            (
                "std/d.py",
                "try:\n    from _d import *\nexcept ImportError:\n    from _pyd import *\n",
            ),
            ("std/_d.so", ""),
            ("std/_pyd.py", ""),
        ],
        &["/std/d.py", "/std/_d.so"],
    );
}

#[test]
fn strings_that_name_modules() {
    assert_reached(
        &[
            (
                "app/main.py",
                "import importlib, logging\nWORKERS = {'g': 'lib.workers.g.Worker', 'no': 'lib.workers.g.Missing'}\nAPP = 'lib.app:app'\nimportlib.import_module('single')\nimportlib.import_module('.rel', package='lib')\nimportlib.import_module(f'lib.plugins.{x}')\nlogging.getLogger('lib.logged')\nNOT = 'see lib.prose for more'\n",
            ),
            ("site/lib/__init__.py", ""),
            ("site/lib/workers/__init__.py", ""),
            ("site/lib/workers/g.py", "class Worker: pass\n"),
            ("site/lib/app.py", ""),
            ("site/lib/rel.py", ""),
            ("site/lib/logged.py", ""),
            ("site/lib/prose.py", ""),
            ("site/lib/plugins/__init__.py", ""),
            ("site/lib/plugins/p1-2.py", ""),
            ("site/single.py", ""),
        ],
        &[
            "/site/lib/__init__.py",
            "/site/lib/app.py",
            "/site/lib/plugins/__init__.py",
            "/site/lib/plugins/p1-2.py",
            "/site/lib/rel.py",
            "/site/lib/workers/__init__.py",
            "/site/lib/workers/g.py",
            "/site/single.py",
        ],
    );
}

#[test]
fn lazy_attributes_wait_for_another_file() {
    let lazy = "_words = {'alpha', 'beta', 'gamma'}\ndef __getattr__(name):\n    if name == 'gamma':\n        import pkg.gamma as g\n        return g\n    return import_module('.' + name)\n";
    assert_reached(
        &[
            ("app/main.py", "import pkg\npkg.beta\n"),
            (
                "site/pkg/__init__.py",
                &lazy.replace("import_module('.' + name)", "load(name)"),
            ),
            ("site/pkg/alpha.py", ""),
            ("site/pkg/beta.py", ""),
            ("site/pkg/gamma.py", ""),
        ],
        &["/site/pkg/__init__.py", "/site/pkg/beta.py"],
    );
}

#[test]
fn a_distribution_brings_metadata_data_and_what_it_declares() {
    assert_reached(
        &[
            ("app/main.py", "import foo\n"),
            ("site/foo/__init__.py", ""),
            ("site/foo/cacert.pem", "x"),
            ("site/foo/foo.pyi", ""),
            ("site/foo/tests/data.json", "x"),
            ("site/foo/tests/__init__.py", ""),
            (
                "site/foo-1.dist-info/METADATA",
                "Name: foo\nRequires-Dist: zones\nRequires-Dist: code\n",
            ),
            (
                "site/foo-1.dist-info/RECORD",
                "foo/__init__.py,,\nfoo/cacert.pem,,\nfoo/foo.pyi,,\nfoo/tests/data.json,,\nfoo/tests/__init__.py,,\n",
            ),
            ("site/foo-1.dist-info/WHEEL", ""),
            ("site/zones/__init__.py", ""),
            ("site/zones/Europe/Paris", "TZif"),
            ("site/zones-1.dist-info/METADATA", "Name: zones\n"),
            (
                "site/zones-1.dist-info/RECORD",
                "zones/__init__.py,,\nzones/Europe/Paris,,\n",
            ),
            ("site/code.py", "x = 1\n"),
            ("site/code-1.dist-info/METADATA", "Name: code\n"),
            ("site/code-1.dist-info/RECORD", "code.py,,\n"),
        ],
        &[
            "/site/foo/__init__.py",
            "/site/foo/cacert.pem",
            "/site/foo-1.dist-info/METADATA",
            "/site/zones/__init__.py",
            "/site/zones/Europe/Paris",
            "/site/zones-1.dist-info/METADATA",
        ],
    );
}

#[test]
fn entry_points_of_a_group_that_is_read() {
    assert_reached(
        &[
            (
                "app/main.py",
                "from importlib.metadata import entry_points\nentry_points(group='my.plugins')\n",
            ),
            ("site/plug.py", ""),
            ("site/tool.py", ""),
            ("site/plug-1.dist-info/METADATA", "Name: plug\n"),
            ("site/plug-1.dist-info/RECORD", "plug.py,,\n"),
            (
                "site/plug-1.dist-info/entry_points.txt",
                "[my.plugins]\na = plug:A\n[console_scripts]\ntool = tool:main\n",
            ),
        ],
        &[
            "/site/plug-1.dist-info/METADATA",
            "/site/plug-1.dist-info/entry_points.txt",
            "/site/plug.py",
        ],
    );
}

#[test]
fn extension_modules_import_by_strings() {
    assert_reached(
        &[
            ("app/main.py", "import ext._core\n"),
            ("site/ext/__init__.py", ""),
            (
                "site/ext/_core.so",
                "\0ELF\0decimal\0test\0_noop\0ext.deep.mod\0os.path\0",
            ),
            ("site/ext/_noop.py", ""),
            ("site/ext/deep/__init__.py", ""),
            ("site/ext/deep/mod.py", ""),
            ("std/decimal.py", ""),
            ("std/test.py", ""),
        ],
        &[
            "/site/ext/__init__.py",
            "/site/ext/_core.so",
            "/site/ext/_noop.py",
            "/site/ext/deep/__init__.py",
            "/site/ext/deep/mod.py",
            "/std/decimal.py",
        ],
    );
}

#[test]
fn files_that_come_late_wake_functions_of_earlier_ones() {
    let (tree, read) = written(&[
        ("app/main.py", "import m\n"),
        ("app/late.py", "unused()\n"),
        ("std/m.py", "def unused():\n    import two\n"),
        ("std/two.py", ""),
    ]);
    let facts = facts();
    let id = |path: &str| tree.get(&ImagePath::from(path)).unwrap();
    let setting = Setting {
        first: vec!["app".into()],
        ..Setting::default()
    };
    let python = Python::new(&tree, &read, &facts, setting, Distributions::default());
    python.follow(id("app/main.py"));
    assert!(python.follow(id("std/m.py")).edges.is_empty());
    let edges = python.follow(id("app/late.py")).edges;
    assert_eq!(edges.len(), 1);
    assert_eq!(edges[0].0, id("std/two.py"));
}

#[test]
fn what_an_entry_starts_is_there_because_of_the_entry() {
    let (tree, read) = written(&[
        ("usr/bin/python3", "\x7fELF"),
        ("app/web.py", ""),
        ("app/jobs/__init__.py", ""),
        ("app/jobs/worker.py", ""),
        ("app/tasks.py", ""),
    ]);
    let facts = facts();
    let id = |path: &str| tree.get(&ImagePath::from(path)).unwrap();
    let entry = How::Entry("entry 'w'".to_owned());
    let setting = Setting {
        interpreter: Some(id("usr/bin/python3")),
        first: vec!["app".into()],
        starts: vec![
            Start {
                how: How::Command,
                mains: vec![id("app/web.py")],
                modules: Vec::new(),
                words: Vec::new(),
            },
            Start {
                how: entry.clone(),
                mains: Vec::new(),
                modules: vec!["jobs.worker".to_owned()],
                words: vec!["--app=tasks:queue".to_owned()],
            },
        ],
        ..Setting::default()
    };
    let python = Python::new(&tree, &read, &facts, setting, Distributions::default());
    let roots = python.roots();
    for (path, how) in [
        ("app/web.py", &How::Command),
        ("app/jobs/worker.py", &entry),
        ("app/tasks.py", &entry),
    ] {
        let found = roots.iter().find(|(file, _)| *file == id(path));
        assert_eq!(found.map(|(_, how)| how), Some(how), "{path}");
    }
}

#[test]
fn two_of_one_name_are_both_kept() {
    // The working directory may come before or behind the library.
    assert_reached(
        &[
            ("app/main.py", "import logging\n"),
            ("app/logging.py", ""),
            ("std/logging.py", "import time\n"),
        ],
        &["/app/logging.py", "/std/logging.py"],
    );
}

#[test]
fn vendored_copies_are_found() {
    assert_reached(
        &[
            ("app/main.py", "import tool\n"),
            (
                "site/tool/__init__.py",
                "sys.path.extend([vendor])\nimport copied\n",
            ),
            ("site/tool/_vendor/copied.py", ""),
            ("site/other/__init__.py", ""),
            ("site/other/_vendor/copied.py", ""),
        ],
        &["/site/tool/__init__.py", "/site/tool/_vendor/copied.py"],
    );
}

#[test]
fn packages_that_read_themselves_import_for_type_checkers_too() {
    for (argument, reads) in [
        ("sys.modules[name]", true),
        ("module", true),
        ("func", false),
    ] {
        let reader =
            format!("import inspect\ndef f(x):\n    return inspect.getsource({argument})\n");
        let found = reached(&[
            ("app/main.py", "import lib\n"),
            (
                "site/lib/__init__.py",
                "from . import a\nif TYPE_CHECKING:\n    from .lazy import x\n",
            ),
            ("site/lib/a.py", reader.as_str()),
            ("site/lib/lazy.py", ""),
            ("site/lib/unused.py", ""),
            ("site/lib-1.dist-info/METADATA", "Name: lib\n"),
            (
                "site/lib-1.dist-info/RECORD",
                "lib/__init__.py,,\nlib/a.py,,\nlib/lazy.py,,\nlib/unused.py,,\n",
            ),
        ]);
        assert_eq!(found.contains("/site/lib/lazy.py"), reads, "{argument}");
        assert!(!found.contains("/site/lib/unused.py"), "{argument}");
    }
}

#[test]
fn frameworks_look_into_packages_that_they_know_by_name() {
    assert_reached(
        &[
            ("app/main.py", "import frame\nAPPS = ['plug.one']\n"),
            (
                "site/frame/__init__.py",
                "BACKENDS = ['frame.db.lite']\nLOCALES = 'frame.locale.%s'\ndef f(x):\n    import_module('%s.base' % x)\n    import_module(f'{x}.commands.{y}')\n    import_module('%s.formats' % (LOCALES % x))\n",
            ),
            ("site/frame/db/__init__.py", ""),
            ("site/frame/db/lite/__init__.py", ""),
            ("site/frame/db/lite/base.py", ""),
            ("site/frame/db/lite/other.py", ""),
            ("site/frame/db/lite/commands/__init__.py", ""),
            ("site/frame/db/lite/commands/run.py", ""),
            ("site/frame/locale/__init__.py", ""),
            ("site/frame/locale/de/__init__.py", ""),
            ("site/frame/locale/de/formats.py", ""),
            ("site/plug/__init__.py", ""),
            ("site/plug/one/__init__.py", ""),
            ("site/plug/one/models.py", ""),
            ("site/plug/one/migrations/__init__.py", ""),
            ("site/plug/one/migrations/0001_first.py", ""),
            ("site/plug/one/tests/__init__.py", ""),
            ("site/plug/two.py", ""),
        ],
        &[
            "/site/frame/__init__.py",
            "/site/frame/db/__init__.py",
            "/site/frame/db/lite/__init__.py",
            "/site/frame/db/lite/base.py",
            "/site/frame/db/lite/commands/__init__.py",
            "/site/frame/db/lite/commands/run.py",
            "/site/frame/locale/__init__.py",
            "/site/frame/locale/de/__init__.py",
            "/site/frame/locale/de/formats.py",
            "/site/plug/__init__.py",
            "/site/plug/one/__init__.py",
            "/site/plug/one/models.py",
            "/site/plug/one/migrations/__init__.py",
            "/site/plug/one/migrations/0001_first.py",
        ],
    );
}

#[test]
fn zones_and_trust_come_with_their_modules() {
    assert_reached(
        &[
            ("app/main.py", "import zoneinfo\nfrom ssl import x\n"),
            ("std/zoneinfo/__init__.py", ""),
            ("std/ssl.py", ""),
            ("zones/Europe/Paris", "TZif"),
            ("zones/right/Europe/Paris", "TZif"),
            ("tls/certs -> /etc/certs", ""),
            ("etc/certs/0a.0 -> /pem/one.pem", ""),
            ("pem/one.pem", "x"),
            ("pem/two.pem", "x"),
        ],
        &[
            "/pem/one.pem",
            "/std/ssl.py",
            "/std/zoneinfo/__init__.py",
            "/zones/Europe/Paris",
        ],
    );
}

/// PEP 615: the package `tzdata` is asked for what the system does not have.
#[test]
fn zones_of_the_package_stay_where_the_system_lacks_them_or_may_be_passed_over() {
    let zones = |main: &'static str| {
        let zone = |name: &str| ["/site/tzdata/zoneinfo/", name].concat();
        let files = [
            ("app/main.py", main),
            ("std/zoneinfo/__init__.py", "from . import _tzpath\n"),
            (
                "std/zoneinfo/_tzpath.py",
                "def reset_tzpath():\n    import os\n    os.environ['PYTHONTZPATH']\n\
                 reset_tzpath()\nfind('tzdata', 'zones')\n",
            ),
            ("site/lib.py", ""),
            (
                "site/lib-1.dist-info/METADATA",
                "Name: lib\nRequires-Dist: tzdata\n",
            ),
            ("site/lib-1.dist-info/RECORD", "lib.py,,\n"),
            ("site/tzdata/__init__.py", ""),
            (
                "site/tzdata/zoneinfo/Europe/Paris",
                "TZif, from the package",
            ),
            ("site/tzdata/zoneinfo/Europe/New", "TZif, from the package"),
            ("site/tzdata-1.dist-info/METADATA", "Name: tzdata\n"),
            (
                "site/tzdata-1.dist-info/RECORD",
                "tzdata/__init__.py,,\ntzdata/zoneinfo/Europe/Paris,,\n\
                 tzdata/zoneinfo/Europe/New,,\n",
            ),
            ("zones/Europe/Paris", "TZif"),
        ];
        let reached = reached(&files);
        assert!(reached.contains("/zones/Europe/Paris"));
        assert!(reached.contains(&zone("Europe/New")), "{main}");
        reached.contains(&zone("Europe/Paris"))
    };
    assert!(!zones("import lib, zoneinfo\n"));
    assert!(zones(
        "import lib, zoneinfo\nzoneinfo.reset_tzpath(['/x'])\n"
    ));
    assert!(zones(
        "import lib, zoneinfo, os\nos.environ['PYTHONTZPATH'] = ''\n"
    ));
    assert!(zones("import lib, zoneinfo\nimport tzdata\n"));
    assert!(zones("import lib, zoneinfo\nfiles('tzdata.zoneinfo')\n"));
}

#[test]
fn installers_only_from_the_app() {
    let rest = [
        (
            "site/lib.py",
            "try:\n    import setuptools\nexcept ImportError:\n    pass\n",
        ),
        ("site/setuptools.py", ""),
        ("site/setuptools-1.dist-info/METADATA", "Name: setuptools\n"),
        ("site/setuptools-1.dist-info/RECORD", "setuptools.py,,\n"),
        ("site/lib-1.dist-info/METADATA", "Name: lib\n"),
        ("site/lib-1.dist-info/RECORD", "lib.py,,\n"),
    ];
    let with = |main: &'static str| {
        let mut files = vec![("app/main.py", main)];
        files.extend(rest);
        reached(&files)
    };
    assert!(!with("import lib\n").contains("/site/setuptools.py"));
    assert!(
        with("import lib\ntry:\n    import setuptools\nexcept E: pass\n")
            .contains("/site/setuptools.py")
    );
}

proptest::proptest! {
    #[test]
    fn the_reader_never_panics(text in "(import|from|def|class|if|try:|except|lambda|\\(|\\)|\\[|\\]|'|\"|f'|\\{|\\}|\\.|:|,|=|\n|    |a|__getattr__|importlib\\.import_module|\\\\|\u{e9}){0,60}") {
        Imports::of(text.as_bytes(), Platform { version: (3, 11) });
    }

    #[test]
    fn the_reader_never_panics_on_bytes(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        Imports::of(&bytes, Platform { version: (3, 11) });
    }
}

#[test]
fn deep_source_is_read_by_line() {
    for deep in ["(", "[", "-", "not ", "lambda: ", "f(", "{1:"] {
        let source = format!("import a\nx = {}\nfrom b import c\n", deep.repeat(200_000));
        let imports = Imports::of(source.as_bytes(), Platform { version: (3, 11) });
        assert!(imports.broken);
        assert_eq!(imports.references.len(), 2, "{deep}");
    }
    let chain = format!("x = 1{}\n", " + 1".repeat(2_900));
    Imports::of(chain.as_bytes(), Platform { version: (3, 11) });
}
