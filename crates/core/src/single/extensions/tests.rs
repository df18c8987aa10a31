use super::*;

fn folder(objects: &str, given_up: Option<&str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("objects.json"), objects).unwrap();
    let made = Made {
        source: Pin::index("a", "1"),
        build: BTreeSet::from(["cython==3.2".to_owned()]),
        given_up: given_up.map(str::to_owned),
    };
    let text = serde_json::to_string(&made).unwrap();
    fs::write(folder.path().join("made.json"), text).unwrap();
    folder
}

fn chosen(folder: &Path, modules: &[&str]) -> Result<Compiled, Unlinkable> {
    let distribution = Distribution {
        pin: &Pin::index("a", "1"),
        modules: modules.iter().map(|module| (*module).to_owned()).collect(),
    };
    choose(folder, &distribution).unwrap()
}

const OBJECTS: &str = r#"[
    {"module": "a/x.cpython-311-x86_64-linux-gnu.so", "symbol": "whit_init_a_x", "file": "0.o", "libraries": ["yaml"]},
    {"module": "b/x.abi3.so", "symbol": "whit_init_b_x", "file": "1.o", "libraries": ["stdc++"]},
    {"module": "b/y.so", "reason": "b/y.so has no PyInit_y: it is a library, not a module"}
]"#;

#[test]
fn modules_are_found_by_their_path_and_not_by_their_tags() {
    let folder = folder(OBJECTS, None);
    let found = chosen(
        folder.path(),
        &["b/x.cpython-311-x86_64-linux-gnu.so", "a/x.abi3.so"],
    )
    .unwrap();
    let symbols: Vec<&str> = found.objects.iter().map(|o| o.symbol.as_str()).collect();
    assert_eq!(symbols, ["whit_init_b_x", "whit_init_a_x"]);
    assert_eq!(found.objects[1].file, folder.path().join("0.o"));
    assert_eq!(found.objects[1].libraries, ["yaml"]);
    assert_eq!(found.objects[1].module, "a/x.abi3.so");
    assert!(found.build.contains("cython==3.2"));
}

#[test]
fn what_cannot_be_linked_is_a_sentence() {
    let folder = folder(OBJECTS, Some("z.c:1:10: fatal error: z.h: No such file"));
    let sentence = |modules: &[&str]| {
        let unlinkable = chosen(folder.path(), modules).unwrap_err();
        unlinkable.to_string()
    };
    assert_eq!(
        sentence(&["a/z.so"]),
        "the source distribution of a makes no a/z.so: z.c:1:10: fatal error: z.h: No such file"
    );
    assert_eq!(
        sentence(&["b/y.so"]),
        "a cannot be linked: b/y.so has no PyInit_y: it is a library, not a module"
    );
}

#[test]
fn failures_of_one_distribution_are_no_errors() {
    let error = |message: &str| {
        Failure::Error(InstallError::Build {
            package: "a".to_owned(),
            message: message.to_owned(),
        })
    };
    let read = |failure| read(failure, "a", Libc::Musl).unwrap();
    assert!(matches!(
        read(error(
            "/usr/include/c++/12/ios:49:35: error: '_ISupper' was not declared\n"
        )),
        Unlinkable::Cxx { .. }
    ));
    assert_eq!(
        read(error(
            "x\n      a.c:3:5: error: unknown type name 'foo'\n      error: command 'cc' failed with exit code 1\nhint: build failures are …"
        )),
        Unlinkable::Build {
            name: "a".to_owned(),
            because: "a.c:3:5: error: unknown type name 'foo'".to_owned()
        }
    );
    assert!(matches!(
        read(error("[stderr]\nwhit: there is no compiler for C++\n")),
        Unlinkable::Lacks { packages, .. } if packages == ["g++"]
    ));
    assert!(matches!(
        read(error("💥 maturin failed\n")),
        Unlinkable::Rust { .. }
    ));
    let cargo = Failure::Lacks {
        packages: vec!["cargo".to_owned(), "rustc".to_owned()],
        because: "no cargo".to_owned(),
    };
    assert!(matches!(read(cargo), Unlinkable::Rust { .. }));
    let none = Failure::Error(InstallError::Unsatisfiable {
        message: "a==1 has no source distribution".to_owned(),
    });
    assert!(matches!(read(none), Unlinkable::NoSource { .. }));
    let network = Failure::Error(InstallError::Network {
        message: "dns error".to_owned(),
    });
    assert!(super::read(network, "a", Libc::Musl).is_err());
}

/// Two packages with a module and a helper library of the same names, built as
/// backends do it.
const BUILD: &str = r#"
cat > module.c <<'C'
#include <stdio.h>
int helper(void);
int never(void) { return puts("never called"); }
void *PyInit_x(void) { return helper() == NUMBER ? "right" : NULL; }
C
echo 'int helper(void) { return NUMBER; }' > helper.c
number=1
for name in a b; do
    mkdir -p build/$name tree/$name
    for part in module helper; do
        $CC -O3 -g -fPIC -DNUMBER=$number -c $part.c -o build/$name/$part.o
    done
    ar rcs build/$name/libhelper.a build/$name/helper.o
    $LDSHARED build/$name/module.o -Lbuild/$name -lhelper -lyaml -lpthread \
        -o tree/$name/x.cpython-311-x86_64-linux-gnu.so
    number=2
done
# What a script of `configure` does.
echo 'int main(void) { return 0; }' > program.c
gcc program.c -o program
./program
"#;

const MAIN: &str = r"
void *whit_init_a_x(void), *whit_init_b_x(void);
int helper(void) { return 3; }
int main(void) { return !(whit_init_a_x() && whit_init_b_x() && helper() == 3); }
";

#[test]
fn the_stand_in_makes_objects_that_fit_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("record.py"), RECORD).unwrap();
    let built = std::process::Command::new("python3")
        .args([
            "-IS",
            "record.py",
            "build",
            "tree",
            "out",
            "sh",
            "-ec",
            BUILD,
        ])
        .env("WHIT_CC", "cc")
        .env("WHIT_FLAGS", format!("-Os {FLAGS}"))
        .env("WHIT_C_FLAGS", C_FLAGS)
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(built.status.success(), "{built:?}");
    let found: Vec<Found> =
        serde_json::from_slice(&fs::read(at("out/objects.json")).unwrap()).unwrap();
    let symbols: Vec<_> = found.iter().filter_map(|one| one.symbol.clone()).collect();
    assert_eq!(symbols, ["whit_init_a_x", "whit_init_b_x"]);
    assert_eq!(found[0].libraries, ["yaml"]);
    fs::write(at("main.c"), MAIN).unwrap();
    let linked = std::process::Command::new("cc")
        .args([
            "-no-pie",
            "-Wl,--gc-sections",
            "main.c",
            "out/0.o",
            "out/1.o",
        ])
        .args(["-o", "all"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(linked.status.success(), "{linked:?}");
    let status = std::process::Command::new(at("all")).status().unwrap();
    assert!(status.success());
    let program = fs::read(at("all")).unwrap();
    let never = b"never called";
    assert!(!program.windows(never.len()).any(|part| part == never));
}
