//! Projects in other languages than Python, beyond the examples: finished
//! programs, what a build lacks, what a Dockerfile says about places.

use crate::support::{Bench, have, tool};

/// Compiles a program with the host's compiler.
fn compile(bench: &Bench, name: &str, text: &str, options: &[&str]) {
    let source = format!("{name}.c");
    let path = bench.path(&source);
    std::fs::write(&path, text).unwrap();
    let out = bench.path(name);
    let mut words = vec!["-o", out.to_str().unwrap(), path.to_str().unwrap()];
    words.extend(options);
    tool("gcc", &words);
}

#[test]
fn a_finished_program_with_its_libraries() {
    if !have(&["gcc"]) {
        return;
    }
    let bench = Bench::new();
    let text = "#include <stdio.h>\n#include <math.h>\n\
                int main(int n, char **v) { printf(\"%.3f\\n\", cos(n)); return 0; }\n";
    compile(&bench, "dynamic", text, &["-lm", "-fno-builtin"]);
    let report = bench
        .whit(&["build", "./dynamic", "-o", "dynamic.tar", "--json"])
        .succeeds()
        .says("the program is linked to libc.so.6, libm.so.6")
        .json();
    assert_eq!(report["proof"]["proven"], true);
    let ran = bench.whit(&["run", "dynamic.tar"]).succeeds().stdout();
    assert_eq!(ran, "0.540\n");
    // The lock holds, and makes the same image.
    let again = bench
        .whit(&[
            "build",
            "./dynamic",
            "-o",
            "again.tar",
            "--json",
            "--locked",
        ])
        .succeeds()
        .json();
    assert_eq!(report["digest"], again["digest"]);

    compile(
        &bench,
        "static",
        "int main(void) { return 0; }\n",
        &["-static"],
    );
    let report = bench
        .whit(&["build", "./static", "-o", "static.tar", "--json"])
        .succeeds()
        .says("runtime    none  because the program is static")
        .json();
    assert!(report["after"]["bytes"].as_u64().unwrap() < 1_000_000);
}

#[test]
fn a_library_that_debian_does_not_have_is_named() {
    if !have(&["gcc"]) {
        return;
    }
    let bench = Bench::new();
    compile(
        &bench,
        "libnowhere.so",
        "int nowhere(void) { return 0; }\n",
        &["-shared", "-fPIC", "-Wl,-soname,libnowhere.so.7"],
    );
    let library = bench.path("libnowhere.so");
    let text = "int nowhere(void);\nint main(void) { return nowhere(); }\n";
    compile(&bench, "lost", text, &[library.to_str().unwrap()]);
    bench
        .whit(&["build", "./lost", "-o", "lost.tar"])
        .exits(2)
        .says("needs libnowhere.so.7")
        .says("Debian trixie has no package libnowhere7")
        .says("--package libnowhere7");
    assert!(!bench.path("lost.tar").exists());
}

/// The header's package is found by what the compiler says, and the library's
/// by what the program is linked to; the Dockerfile says where things lie.
#[test]
fn c_with_a_library_and_a_dockerfile() {
    let bench = Bench::new();
    bench.project(
        "zver",
        &[
            (
                "main.c",
                "#include <stdio.h>\n#include <zlib.h>\nint main(void) {\n\
                 \tchar line[64] = \"\";\n\tFILE *f = fopen(\"/etc/zver/name\", \"r\");\n\
                 \tif (!f || !fgets(line, sizeof line, f)) return 1;\n\
                 \tprintf(\"%s %c\\n\", line, *zlibVersion());\n\treturn 0;\n}\n",
            ),
            ("Makefile", "zver: main.o\n\t$(CC) -o $@ $^ -lz\n"),
            ("data/name", "zlib"),
            (
                "Dockerfile",
                "FROM debian AS build\nWORKDIR /src\nCOPY . .\nRUN make\n\
                 FROM debian\nCOPY --from=build /src/zver /usr/bin/zver\n\
                 COPY --from=build /src/data /etc/zver\nUSER 1000\nENTRYPOINT [\"/usr/bin/zver\"]\n",
            ),
        ],
    );
    bench
        .whit(&["build", "zver", "-o", "zver.tar"])
        .succeeds()
        .says("the build lacks zlib1g-dev")
        .says("runtime    libc6, zlib1g");
    let ran = bench.whit(&["run", "zver.tar"]).succeeds().stdout();
    assert_eq!(ran, "zlib 1\n");
    let source = bench.whit(&["why", "zver.tar", "/app/main.c"]);
    assert_eq!(source.exits(2).stdout(), "");
}

#[test]
fn what_does_not_compile_says_so() {
    let bench = Bench::new();
    bench.project(
        "broken",
        &[
            ("main.c", "int main(void) { return oops; }\n"),
            ("Makefile", "broken: main.o\n\t$(CC) -o $@ $^\n"),
        ],
    );
    bench
        .whit(&["build", "broken", "-o", "broken.tar"])
        .exits(2)
        .says("compiling failed")
        .says("oops");
    bench.project("empty", &[("notes.txt", "")]);
    bench
        .whit(&["build", "empty"])
        .exits(2)
        .says("no project in empty");
    bench.project("gradle", &[("build.gradle", "")]);
    bench
        .whit(&["build", "gradle"])
        .exits(2)
        .says("whit does not run Gradle")
        .says("build/libs/NAME.jar");
}

/// The build script runs with what only development needs, which is not in
/// the image; what it makes is.
#[test]
fn node_with_a_build() {
    let bench = Bench::new();
    bench.project(
        "built",
        &[
            (
                "package.json",
                "{\"name\": \"built\", \"version\": \"1.0.0\", \"scripts\": {\
                 \"build\": \"mkdir -p dist && cp src/main.js dist/main.js && node -p \\\"require('ms')('1h')\\\" > dist/hour\",\
                 \"start\": \"MODE=small node dist/main.js\"},\
                 \"devDependencies\": {\"ms\": \"2.1.3\"}}",
            ),
            (
                "src/main.js",
                "const hour = require('fs').readFileSync(__dirname + '/hour', 'utf8');\n\
                 console.log(process.env.MODE, hour.trim());\n",
            ),
        ],
    );
    bench
        .whit(&["build", "built", "-o", "built.tar"])
        .succeeds()
        .says("build      npm run build  because it makes dist/main.js")
        .says("there is no lock file");
    let ran = bench.whit(&["run", "built.tar"]).succeeds().stdout();
    assert_eq!(ran, "small 3600000\n");
    let development = bench.whit(&["why", "built.tar", "/app/node_modules/ms/index.js"]);
    assert_eq!(development.exits(2).stdout(), "");
}
