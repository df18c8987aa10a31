//! Kinds of projects: what pins their dependencies, what builds them, and on
//! which Python they stand.

use crate::support::{Bench, Finished};

/// Prints which versions are inside.
const MAIN: &str = "\
from importlib.metadata import version
import idna, six

print('six', version('six'), 'idna', version('idna'))
print(idna.encode('b\u{fc}cher.example').decode(), six.PY3)
";

/// Older than what a resolution of today would choose.
const LOCKED: &str = "six 1.15.0 idna 3.6\nxn--bcher-kva.example True\n";

const SIX: &str = "8b74bedcbbbaca38ff6d7491d76f2b06b3592611af620f8426e82dddb04a5ced";
const IDNA: &str = "c05567e9c24a6b9faaa835c4821bad0590fbb9d5779e7caa6e1cc4978e7eb24f";

/// The manifest asks for any version; the lock, in the form in which its tool
/// writes it, for two old ones. By the name of the lock.
fn locked_projects() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let pyproject = "[project]\nname = \"locked\"\nversion = \"1.0\"\nrequires-python = \">=3.11\"\ndependencies = [\"six\", \"idna\"]\n";
    let uv_package = |name: &str, version: &str, wheel: &str, hash: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\
             source = {{ registry = \"https://index.example/simple\" }}\n\
             wheels = [\n    {{ url = \"https://index.example/{wheel}\", hash = \"sha256:{hash}\" }},\n]\n\n"
        )
    };
    let toml_package = |name: &str, version: &str, group: &str, wheel: &str, hash: &str| {
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\ngroups = [\"{group}\"]\noptional = false\n\
             files = [\n    {{file = \"{wheel}\", hash = \"sha256:{hash}\"}},\n]\n\n"
        )
    };
    let (six, idna) = (
        "six-1.15.0-py2.py3-none-any.whl",
        "idna-3.6-py3-none-any.whl",
    );
    let both = |group: &str| {
        toml_package("idna", "3.6", group, idna, IDNA)
            + &toml_package("six", "1.15.0", group, six, SIX)
    };
    vec![
        (
            "uv.lock",
            vec![
                ("pyproject.toml", pyproject.to_owned()),
                (
                    "uv.lock",
                    "version = 1\nrevision = 3\nrequires-python = \">=3.11\"\n\n".to_owned()
                        + &uv_package("idna", "3.6", idna, IDNA)
                        + "[[package]]\nname = \"locked\"\nversion = \"1.0\"\nsource = { virtual = \".\" }\n\
                           dependencies = [\n    { name = \"idna\" },\n    { name = \"six\" },\n]\n\n\
                           [package.metadata]\nrequires-dist = [\n    { name = \"idna\" },\n    { name = \"six\" },\n]\n\n"
                        + &uv_package("six", "1.15.0", six, SIX),
                ),
            ],
        ),
        (
            "poetry.lock",
            vec![
                (
                    "pyproject.toml",
                    "[tool.poetry]\nname = \"locked\"\npackage-mode = false\n\n\
                     [tool.poetry.dependencies]\npython = \"^3.11\"\nsix = \"*\"\nidna = \"*\"\n"
                        .to_owned(),
                ),
                (
                    "poetry.lock",
                    both("main")
                        + "[metadata]\nlock-version = \"2.1\"\npython-versions = \"^3.11\"\n\
                           content-hash = \"248c9fd409643a03298652e1bf07cbd37d5bb1fce24e10dbc079d42f95a56435\"\n",
                ),
            ],
        ),
        (
            "pdm.lock",
            vec![
                (
                    "pyproject.toml",
                    pyproject.to_owned() + "\n[tool.pdm]\ndistribution = false\n",
                ),
                (
                    "pdm.lock",
                    "[metadata]\ngroups = [\"default\"]\nlock_version = \"4.5.0\"\n\n".to_owned()
                        + &both("default"),
                ),
            ],
        ),
        (
            "Pipfile.lock",
            vec![
                (
                    "Pipfile",
                    "[packages]\nsix = \"*\"\nidna = \"*\"\n\n[requires]\npython_version = \"3.11\"\n"
                        .to_owned(),
                ),
                (
                    "Pipfile.lock",
                    format!(
                        r#"{{"_meta": {{"pipfile-spec": 6, "requires": {{"python_version": "3.11"}}}},
                            "default": {{
                              "idna": {{"hashes": ["sha256:{IDNA}"], "index": "pypi", "markers": "python_version >= '3.5'", "version": "==3.6"}},
                              "six": {{"hashes": ["sha256:{SIX}"], "index": "pypi", "version": "==1.15.0"}}}},
                            "develop": {{}}}}"#
                    ),
                ),
            ],
        ),
        (
            "requirements.txt",
            vec![(
                "requirements.txt",
                format!(
                    "idna==3.6 \\\n    --hash=sha256:{IDNA}\nsix==1.15.0 \\\n    --hash=sha256:{SIX}\n"
                ),
            )],
        ),
    ]
}

#[test]
fn every_lock_file_is_honoured() {
    let bench = Bench::new();
    for (lock, files) in locked_projects() {
        let mut all: Vec<(&str, &str)> = vec![("main.py", MAIN)];
        all.extend(files.iter().map(|(name, text)| (*name, text.as_str())));
        let name = lock.split('.').next().unwrap().to_lowercase();
        bench.project(&name, &all);
        let image = format!("{name}.tar");
        bench
            .whit(&["build", &name, "-o", &image, "--compress", "none"])
            .succeeds()
            .says(&format!("dependencies {lock}"));
        assert_eq!(
            bench.whit(&["run", &image]).succeeds().stdout(),
            LOCKED,
            "{lock}"
        );
    }
}

#[test]
fn a_file_that_is_not_the_locked_one_is_refused() {
    let bench = Bench::new();
    let other = SIX.replace("ced", "cee");
    for (lock, files) in locked_projects() {
        let files: Vec<(&str, String)> = files
            .into_iter()
            .map(|(name, text)| (name, text.replace(SIX, &other)))
            .collect();
        let mut all: Vec<(&str, &str)> = vec![("main.py", MAIN)];
        all.extend(files.iter().map(|(name, text)| (*name, text.as_str())));
        let name = lock.split('.').next().unwrap().to_lowercase();
        let folder = bench.project(&name, &all);
        bench
            .whit(&["build", &name, "-o", "refused.tar"])
            .exits(2)
            .says("a package is not the one that was pinned")
            .says("`six==1.15.0`")
            .says(&other)
            .says("hint: if the change is meant, renew the list that pins it");
        assert!(!bench.path("refused.tar").exists(), "{lock}");
        assert!(!folder.join("whit.lock").exists(), "{lock}");
    }
}

/// `setup.py` alone, an extension in C that is linked to a library which only
/// the build root has: whit fetches the compiler by itself, and the library's
/// package gets into the image.
#[test]
fn what_must_be_compiled_is_compiled() {
    let bench = Bench::new();
    bench.project(
        "native",
        &[
            (
                "setup.py",
                "from setuptools import Extension, setup\n\
                 setup(name='native', version='1.0', py_modules=['native'],\n\
                 \x20     ext_modules=[Extension('_native', ['native.c'], libraries=['yaml'])],\n\
                 \x20     entry_points={'console_scripts': ['native = native:main']})\n",
            ),
            (
                "native.py",
                "import _native\n\ndef main():\n    print('libyaml', _native.version())\n",
            ),
            (
                "native.c",
                "#include <Python.h>\n#include <yaml.h>\n\
                 static PyObject *version(PyObject *self, PyObject *none) {\n\
                 \x20   return PyUnicode_FromString(yaml_get_version_string());\n}\n\
                 static PyMethodDef methods[] = {{\"version\", version, METH_NOARGS, 0}, {0}};\n\
                 static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \"_native\", 0, -1, methods};\n\
                 PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&module); }\n",
            ),
        ],
    );
    let build = |image: &str, options: &[&str]| -> Finished {
        let mut words = vec!["build", "native", "-o", image, "--json"];
        words.extend(["--build-package", "libyaml-dev"]);
        words.extend(options);
        bench.whit(&words).succeeds()
    };
    let first = build("native.tar", &[]);
    let first = first
        .says("lacks gcc")
        .says("what was built is linked to libyaml-0-2")
        .json();
    let ran = bench.whit(&["run", "native.tar"]).succeeds().stdout();
    assert!(ran.starts_with("libyaml 0.2."), "{ran}");
    // Compilers are for the build only.
    let compiler = bench.whit(&["why", "native.tar", "/usr/bin/gcc"]);
    assert_eq!(compiler.exits(2).stdout(), "");
    let again = build("again.tar", &["--locked"]).json();
    assert_eq!(first["digest"], again["digest"]);
}
