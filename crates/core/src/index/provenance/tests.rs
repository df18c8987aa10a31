use whit_oci::{Entry, Kind, Meta};

use super::*;
use crate::index::{Builder, PackageKind};

/// An image from layers of `PATH`, `PATH/`, `PATH -> TARGET` and
/// `PATH: CONTENT` (with `|` for a new line).
fn tree(layers: &[&[&str]]) -> Tree {
    let mut builder = Builder::new();
    let mut contents: HashMap<ImagePath, String> = HashMap::new();
    for (number, layer) in layers.iter().enumerate() {
        for line in *layer {
            let (path, kind) = if let Some((path, target)) = line.split_once(" -> ") {
                let target = target.into();
                (path, Kind::Symlink { target })
            } else if let Some(path) = line.strip_suffix('/') {
                (path, Kind::Dir)
            } else {
                let (path, content) = line.split_once(": ").unwrap_or((line, ""));
                contents.insert(path.into(), content.replace('|', "\n"));
                (path, Kind::File { size: 1 })
            };
            let entry = Entry {
                path: path.into(),
                kind,
                meta: Meta::default(),
            };
            builder.apply(number as u16, &entry).unwrap();
        }
    }
    builder.finish(&|path| {
        // Who reads an image as a stream has kept only these.
        assert!(wants(path), "{path}");
        contents.get(path).map(|text| text.clone().into_bytes())
    })
}

/// `PATH PACKAGE` for everything but the folders that nobody owns.
fn owned(tree: &Tree) -> Vec<String> {
    tree.iter()
        .filter(|(_, node)| !node.is_dir() || node.package.is_some())
        .map(|(_, node)| {
            let owner = node.package.map(|id| tree.package(id).name.as_str());
            format!("{} {}", node.path, owner.unwrap_or("-"))
        })
        .collect()
}

#[test]
fn dpkg_owns_what_its_lists_say() {
    let tree = tree(&[
        &[
            "usr/lib/",
            "lib -> usr/lib",
            "var/lib/dpkg/status: Package: libz|Status: install ok installed|\
             Architecture: amd64|Version: 1.3||Package: nginx|Status: install ok installed|\
             Version: 2|Depends: libz (>= 1) [amd64]|",
            "var/lib/dpkg/info/libz:amd64.list: /.|/lib|/lib/libz.so.1|/gone",
            "var/lib/dpkg/info/libz:amd64.postinst",
            "var/lib/dpkg/info/nginx.list: /etc|/etc/nginx.conf|/usr/bin/nginx|/var/lib/nginx",
            "var/lib/dpkg/diversions: /usr/bin/nginx|/usr/bin/nginx.real|other|",
            "usr/lib/libz.so.1",
            "etc/nginx.conf",
            "usr/bin/nginx.real",
            "usr/bin/web -> /etc/alternatives/web",
            "etc/alternatives/web -> /usr/bin/nginx.real",
            "var/lib/nginx/",
        ],
        &["etc/nginx.conf", "srv/page"],
    ]);
    assert_eq!(
        owned(&tree),
        [
            "/ libz",
            "/etc nginx",
            "/etc/alternatives nginx",
            "/etc/alternatives/web nginx",
            // Replaced by a higher layer: the user's.
            "/etc/nginx.conf -",
            "/lib libz",
            "/srv/page -",
            "/usr/bin nginx",
            "/usr/bin/nginx.real nginx",
            "/usr/bin/web nginx",
            "/usr/lib libz",
            "/usr/lib/libz.so.1 libz",
            "/var/lib/dpkg/diversions -",
            "/var/lib/dpkg/info/libz:amd64.list libz",
            "/var/lib/dpkg/info/libz:amd64.postinst libz",
            "/var/lib/dpkg/info/nginx.list nginx",
            "/var/lib/dpkg/status -",
            "/var/lib/nginx nginx",
        ]
    );
    let (_, nginx) = tree.packages().find(|(_, p)| p.name == "nginx").unwrap();
    assert_eq!(nginx.depends, ["libz"]);
    assert_eq!(nginx.kind, PackageKind::Dpkg);
}

#[test]
fn distroless_packages_own_their_sums() {
    let tree = tree(&[&[
        "var/lib/dpkg/status.d/libssl3: Package: libssl3|Version: 3.0|",
        "var/lib/dpkg/status.d/libssl3.md5sums: 0123  usr/lib/libssl.so.3.0|",
        "usr/lib/libssl.so.3.0",
        "usr/lib/libssl.so.3 -> libssl.so.3.0",
        "app/link -> /app/main",
        "app/main",
    ]]);
    assert_eq!(
        owned(&tree),
        [
            "/app/link -",
            "/app/main -",
            "/usr libssl3",
            "/usr/lib libssl3",
            "/usr/lib/libssl.so.3 libssl3",
            "/usr/lib/libssl.so.3.0 libssl3",
            "/var libssl3",
            "/var/lib libssl3",
            "/var/lib/dpkg libssl3",
            "/var/lib/dpkg/status.d libssl3",
            "/var/lib/dpkg/status.d/libssl3 libssl3",
            "/var/lib/dpkg/status.d/libssl3.md5sums libssl3",
        ]
    );
}

#[test]
fn apk_owns_files_and_applets() {
    let tree = tree(&[&[
        "lib/apk/db/installed: P:musl|V:1.2|p:so:libc.musl-x86_64.so.1=1|F:lib|R:ld-musl.so.1||\
         P:busybox|V:1.36|D:so:libc.musl-x86_64.so.1 !old|F:bin|R:busybox|F:tmp|",
        "lib/ld-musl.so.1",
        "bin/busybox",
        "bin/ls -> /bin/busybox",
        "bin/mine -> /usr/bin/mine",
        "tmp/",
    ]]);
    assert_eq!(
        owned(&tree),
        [
            "/bin busybox",
            "/bin/busybox busybox",
            "/bin/ls busybox",
            "/bin/mine -",
            "/lib musl",
            "/lib/apk/db/installed -",
            "/lib/ld-musl.so.1 musl",
            "/tmp busybox",
        ]
    );
    let (_, busybox) = tree.packages().find(|(_, p)| p.name == "busybox").unwrap();
    assert_eq!(busybox.depends, ["musl"]);
    assert!(busybox.record.starts_with("P:busybox\nV:1.36"));
}

const SITE: &str = "opt/venv/lib/python3.11/site-packages";

fn site(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| line.replace('%', SITE)).collect()
}

#[test]
fn python_distributions_own_their_records() {
    let lower = site(&[
        "%/Flask-3.0.dist-info/METADATA: Name: Flask|Version: 3.0|Requires-Dist: Jinja2>=3|\
         Requires-Dist: dotenv; extra == 'x'|Requires-Dist: gone||Name: no",
        "%/Flask-3.0.dist-info/RECORD: flask/__init__.py,sha256=x,1|\"flask/a,b.py\",,|\
         ../../../bin/flask,,|Flask-3.0.dist-info/RECORD,,|flask/patched.py,,",
        "%/Flask-3.0.dist-info/INSTALLER",
        "%/flask/__init__.py",
        "%/flask/a,b.py",
        "%/flask/patched.py",
        "%/flask/__pycache__/__init__.cpython-311.opt-1.pyc",
        "%/flask/__pycache__/__init__.cpython-311.pyc",
        "%/flask/__pycache__/gone.cpython-311.pyc",
        "opt/venv/bin/flask",
        "%/jinja2-3.1.dist-info/METADATA: Name: Jinja2|Version: 3.1|",
        "%/jinja2-3.1.dist-info/top_level.txt: jinja2|",
        "%/jinja2/__init__.py",
        "%/jinja2/_vendor/x-1.dist-info/METADATA: Name: x|Version: 1|",
        "%/app-1.dist-info/METADATA: Name: app|Version: 1|",
        "%/app-1.dist-info/RECORD: __editable__.app-1.pth,,|app-1.dist-info/METADATA,,",
        "%/app-1.dist-info/direct_url.json: {\"dir_info\": {\"editable\": true}}",
        "%/__editable__.app-1.pth: /src",
        "src/app.py",
    ]);
    let upper = site(&["%/flask/patched.py"]);
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    let tree = tree(&[&lower, &upper]);
    let owner = |path: &str| {
        let id = tree.get(&path.replace('%', SITE).as_str().into()).unwrap();
        let node = tree.node(id);
        node.package.map_or("-", |id| &tree.package(id).name)
    };
    for (path, want) in [
        ("%/Flask-3.0.dist-info/METADATA", "flask"),
        ("%/Flask-3.0.dist-info/INSTALLER", "flask"),
        ("%/Flask-3.0.dist-info", "flask"),
        ("%/flask/a,b.py", "flask"),
        (
            "%/flask/__pycache__/__init__.cpython-311.opt-1.pyc",
            "flask",
        ),
        ("%/flask/__pycache__/__init__.cpython-311.pyc", "flask"),
        ("%/flask/__pycache__/gone.cpython-311.pyc", "-"),
        ("%/flask/patched.py", "-"),
        ("opt/venv/bin/flask", "flask"),
        ("%/jinja2/__init__.py", "jinja2"),
        ("%/__editable__.app-1.pth", "-"),
        ("%/app-1.dist-info/METADATA", "-"),
        ("src/app.py", "-"),
    ] {
        assert_eq!(owner(path), want, "{path}");
    }
    let found: Vec<_> = tree
        .python_distributions()
        .iter()
        .map(|d| (d.name.as_str(), d.editable, d.files.len()))
        .collect();
    assert_eq!(
        found,
        [("flask", false, 9), ("app", true, 4), ("jinja2", false, 4)]
    );
    let flask = tree.distributions_importing("flask.json").next().unwrap();
    assert_eq!(flask.requires, ["gone", "jinja2"]);
    let package = tree.package(flask.package.unwrap());
    assert_eq!(package.depends, ["jinja2"]);
    let script = tree.get(&"opt/venv/bin/flask".into()).unwrap();
    assert_eq!(tree.distribution_of(script).unwrap().name, "flask");
}

#[test]
fn dpkg_keeps_its_python_files() {
    let tree = tree(&[&[
        "var/lib/dpkg/status: Package: python3-yaml|Status: install ok installed|Version: 6|",
        "var/lib/dpkg/info/python3-yaml.list: /usr/lib/python3/dist-packages/yaml/__init__.py|\
         /usr/lib/python3/dist-packages/PyYAML-6.egg-info/PKG-INFO|",
        "usr/lib/python3/dist-packages/yaml/__init__.py",
        "usr/lib/python3/dist-packages/yaml/__pycache__/__init__.cpython-311.pyc",
        "usr/lib/python3/dist-packages/PyYAML-6.egg-info/PKG-INFO: Name: PyYAML|Version: 6|",
        "usr/lib/python3/dist-packages/PyYAML-6.egg-info/top_level.txt: yaml|",
    ]]);
    let [yaml] = tree.python_distributions() else {
        panic!("{:?}", tree.python_distributions());
    };
    assert_eq!((yaml.name.as_str(), yaml.files.len()), ("pyyaml", 4));
    assert!(yaml.modules.contains("yaml"));
    assert_eq!(tree.packages().count(), 1);
    let module = "usr/lib/python3/dist-packages/yaml/__pycache__/__init__.cpython-311.pyc";
    let module = tree.node(tree.get(&module.into()).unwrap());
    let owner = tree.package(module.package.unwrap());
    assert_eq!(
        (owner.name.as_str(), owner.kind),
        ("python3-yaml", PackageKind::Dpkg)
    );
}

#[test]
fn an_unpackaged_python_is_a_package() {
    let tree = tree(&[
        &[
            "usr/local/lib/python3.12/os.py",
            "usr/local/lib/python3.12/json/__init__.py",
            "usr/local/lib/python3.12/json/__pycache__/__init__.cpython-312.pyc",
            "usr/local/lib/python3.12/site-packages/mine.py",
            "usr/local/include/python3.12/patchlevel.h: #define PY_VERSION \"3.12.4\"|",
            "usr/local/bin/python3.12",
            "usr/local/bin/mine",
        ],
        &["usr/local/bin/python3 -> python3.12"],
    ]);
    let (_, cpython) = tree.packages().next().unwrap();
    assert_eq!((&*cpython.name, &*cpython.version), ("cpython", "3.12.4"));
    let owned = owned(&tree);
    let none: Vec<_> = owned.iter().filter(|line| line.ends_with(" -")).collect();
    assert_eq!(
        none,
        [
            "/usr/local/bin/mine -",
            "/usr/local/bin/python3 -",
            "/usr/local/lib/python3.12/site-packages/mine.py -"
        ]
    );
}

#[test]
fn node_packages_own_their_folders() {
    let tree = tree(&[&[
        "app/package.json: {\"name\": \"mine\"}",
        "app/index.js",
        "app/node_modules/a/package.json: {\"name\": \"a\", \"version\": \"1\", \
         \"dependencies\": {\"@s/b\": \"*\"}}",
        "app/node_modules/a/lib/x.js",
        "app/node_modules/a/lib/package.json: {\"type\": \"module\"}",
        "app/node_modules/a/node_modules/@s/b/package.json: {\"name\": \"@s/b\"}",
        "app/node_modules/a/node_modules/@s/b/b.js",
        "app/node_modules/.bin/a -> ../a/lib/x.js",
        "app/node_modules/broken/package.json: {",
    ]]);
    let files: Vec<_> = owned(&tree)
        .into_iter()
        .filter(|line| line.contains('.'))
        .collect();
    assert_eq!(
        files,
        [
            "/app/index.js -",
            "/app/node_modules/.bin a",
            "/app/node_modules/.bin/a a",
            "/app/node_modules/a/lib/package.json a",
            "/app/node_modules/a/lib/x.js a",
            "/app/node_modules/a/node_modules/@s/b/b.js @s/b",
            "/app/node_modules/a/node_modules/@s/b/package.json @s/b",
            "/app/node_modules/a/package.json a",
            "/app/node_modules/broken/package.json -",
            "/app/package.json -",
        ]
    );
    let (_, a) = tree.packages().find(|(_, p)| p.name == "a").unwrap();
    assert_eq!(a.depends, ["@s/b"]);
}

#[test]
fn official_images_of_node_bring_npm_and_headers() {
    let tree = tree(&[&[
        "usr/local/bin/node",
        "usr/local/bin/npm -> ../lib/node_modules/npm/bin/npm-cli.js",
        "usr/local/bin/mine -> /srv/mine.js",
        "usr/local/include/node/node_version.h: #define NODE_MAJOR_VERSION 22\n#define NODE_MINOR_VERSION 1\n",
        "usr/local/include/node/uv/unix.h",
        "usr/local/README.md",
        "usr/local/lib/node_modules/npm/package.json: {\"name\": \"npm\"}",
        "usr/local/lib/node_modules/npm/bin/npm-cli.js",
        "srv/mine.js",
        "srv/node_modules/p -> .pnpm/p@1/node_modules/p",
        "srv/node_modules/.pnpm/p@1/node_modules/p/package.json: {\"name\": \"p\"}",
    ]]);
    let owned = owned(&tree);
    for line in [
        "/usr/local/bin/node -",
        "/usr/local/bin/npm npm",
        "/usr/local/bin/mine -",
        "/usr/local/include/node/uv/unix.h node",
        "/usr/local/README.md node",
        "/srv/node_modules/p p",
    ] {
        assert!(owned.contains(&line.to_owned()), "{line} in {owned:?}");
    }
    let (_, node) = tree.packages().find(|(_, p)| p.name == "node").unwrap();
    assert_eq!(node.version, "22.1.0");
}

#[test]
fn nonsense_owns_nothing() {
    let tree = tree(&[&[
        "var/lib/dpkg/status: |||: x|Package|\u{0}",
        "var/lib/dpkg/status.d/x: ",
        "lib/apk/db/installed: F:../..|R:..|P",
        "usr/lib/python3/dist-packages/x.dist-info/METADATA: Version: 1",
        "usr/lib/python3/dist-packages/x.dist-info/RECORD: ,,,|\"",
        "usr/lib/python3/dist-packages/y.egg-info",
        "node_modules/x/package.json: []",
    ]]);
    assert_eq!(tree.packages().count(), 0);
    assert!(tree.python_distributions().is_empty());
}
