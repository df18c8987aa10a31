//! What uv's messages mean.

use super::InstallError;

/// Why a step failed.
#[derive(Debug)]
pub enum Failure {
    /// A build lacks these Debian packages.
    Lacks {
        packages: Vec<String>,
        because: String,
    },
    Error(InstallError),
}

/// What a build says when it lacks something, and the Debian package that has
/// it. `PYTHON` stands for the interpreter's name, `python3.11`.
const MISSING: &[(&[&str], &[&str])] = &[
    (&["Python.h: No such file"], &["PYTHON-dev"]),
    (
        &[
            "cc1plus",
            "'g++'",
            "'c++'",
            "-g++' failed: No such file",
            "CMAKE_CXX_COMPILER",
        ],
        &["g++"],
    ),
    (
        &["ffi.h: No such file", "No package 'libffi'"],
        &["libffi-dev"],
    ),
    (
        &["pg_config executable not found", "libpq-fe.h"],
        &["libpq-dev"],
    ),
    (
        &[
            "openssl/ssl.h",
            "openssl/opensslv.h",
            "openssl/evp.h",
            "Could not find directory of OpenSSL installation",
        ],
        &["libssl-dev", "pkg-config"],
    ),
    (
        &[
            "libxml/xmlversion.h",
            "libxml2 and libxslt development packages",
            "xslt-config",
        ],
        &["libxml2-dev", "libxslt1-dev"],
    ),
    (
        &[
            "mysql_config not found",
            "mysql.h: No such file",
            "MYSQLCLIENT_CFLAGS",
        ],
        &["default-libmysqlclient-dev", "pkg-config"],
    ),
    (
        &["lber.h", "ldap.h: No such file"],
        &["libldap2-dev", "libsasl2-dev"],
    ),
    (&["sasl/sasl.h"], &["libsasl2-dev"]),
    (
        &["jpeglib.h", "could not be found for jpeg"],
        &["libjpeg-dev"],
    ),
    (
        &["zlib.h: No such file", "could not be found for zlib"],
        &["zlib1g-dev"],
    ),
    (&["sqlite3.h: No such file"], &["libsqlite3-dev"]),
    (&["bzlib.h: No such file"], &["libbz2-dev"]),
    (&["lzma.h: No such file"], &["liblzma-dev"]),
    (
        &["Could not run curl-config"],
        &["libcurl4-openssl-dev", "libssl-dev"],
    ),
    (&["sql.h: No such file"], &["unixodbc-dev"]),
    (&["yaml.h: No such file"], &["libyaml-dev"]),
    (&["gmp.h: No such file"], &["libgmp-dev"]),
    (&["krb5-config"], &["libkrb5-dev"]),
    (
        &["cairo.h", "Dependency \"cairo\" not found"],
        &["libcairo2-dev", "pkg-config"],
    ),
    (
        &[
            "can't find Rust compiler",
            "rustc, the rust compiler, is not installed",
            "`cargo` not found",
            "Cargo, the Rust package manager, is not installed",
        ],
        &["cargo", "rustc"],
    ),
    (
        &[
            "CMake must be installed",
            "No such file or directory: 'cmake'",
            "Could not find CMake",
        ],
        &["cmake", "make"],
    ),
    (
        &["No such file or directory: 'make'", "make: not found"],
        &["make"],
    ),
    (
        &[
            "pkg-config: not found",
            "No such file or directory: 'pkg-config'",
            "pkg-config is required",
        ],
        &["pkg-config"],
    ),
    (&["gfortran"], &["gfortran"]),
    (
        &[
            "swig: not found",
            "No such file or directory: 'swig'",
            "'swig' failed",
        ],
        &["swig"],
    ),
    (
        &[
            "Git executable not found",
            "No such file or directory: 'git'",
            "git: not found",
            "Is `git` installed",
        ],
        &["git"],
    ),
];

/// What a build says when there is no C compiler at all.
const NO_COMPILER: &[&str] = &[
    "-gcc' failed: No such file",
    "command 'gcc' failed: No such file",
    "command 'cc' failed: No such file",
    "command 'clang' failed: No such file",
    "unable to execute 'gcc'",
    "unable to execute 'x86_64-linux-gnu-gcc'",
    "unable to execute 'aarch64-linux-gnu-gcc'",
    "gcc: not found",
    "gcc: command not found",
    "no acceptable C compiler found",
    "Unknown compiler(s)",
    "linker `cc` not found",
    "CMAKE_C_COMPILER not set",
    "C compiler cannot create executables",
    "CompilerNotFound",
];

/// What every build of an extension wants besides.
const COMPILER: &[&str] = &["gcc", "libc6-dev", "PYTHON-dev"];

/// Reads the messages of a failed run. `python` is `python3.11`.
pub fn read(step: &'static str, output: &str, python: &str) -> Failure {
    if let Some(lacks) = missing(output, python) {
        return lacks;
    }
    let message = tail(output);
    let has = |texts: &[&str]| texts.iter().any(|text| output.contains(text));
    Failure::Error(if has(&["Hash mismatch", "DO NOT MATCH THE HASHES"]) {
        InstallError::Hash { message }
    } else if let Some(package) = built(output) {
        InstallError::Build { package, message }
    } else if has(&[
        "invalid peer certificate",
        "certificate verify failed",
        "UnknownIssuer",
    ]) {
        InstallError::Certificate { message }
    } else if has(&["401 Unauthorized", "403 Forbidden"]) {
        InstallError::Login { message }
    } else if has(&[
        "No solution found",
        "not found in the package registry",
        "No matching distribution found",
    ]) {
        InstallError::Unsatisfiable { message }
    } else if has(&[
        "Failed to fetch",
        "error sending request",
        "dns error",
        "Connection refused",
        "operation timed out",
        "Temporary failure in name resolution",
        "Could not find a version that satisfies the requirement uv",
    ]) {
        InstallError::Network { message }
    } else {
        InstallError::Failed { step, message }
    })
}

fn missing(output: &str, python: &str) -> Option<Failure> {
    let mut packages: Vec<&str> = Vec::new();
    let mut because = None;
    let mut note = |text: &str| {
        because.get_or_insert_with(|| {
            output
                .lines()
                .find(|line| line.contains(text))
                .unwrap_or(text)
                .trim()
                .to_owned()
        });
    };
    for (texts, found) in MISSING {
        if let Some(text) = texts.iter().find(|text| output.contains(**text)) {
            packages.extend(*found);
            note(text);
        }
    }
    let programs = missing_programs(output);
    let is_compiler = |name: &str| name.ends_with("gcc") || matches!(name, "cc" | "clang");
    if let Some(program) = programs.iter().find(|name| name.ends_with("g++")) {
        packages.push("g++");
        note(&format!("No such file or directory: '{program}"));
    }
    if let Some(text) = NO_COMPILER.iter().find(|text| output.contains(**text)) {
        note(text);
        packages.extend(COMPILER);
    } else if let Some(program) = programs.iter().find(|name| is_compiler(name)) {
        note(&format!("No such file or directory: '{program}"));
        packages.extend(COMPILER);
    } else if packages.iter().any(|package| *package != "git") {
        // Whatever lacks a header lacks the rest too, in a root without any.
        packages.extend(COMPILER);
    }
    let mut packages: Vec<String> = packages
        .into_iter()
        .map(|package| package.replace("PYTHON", python))
        .collect();
    packages.sort();
    packages.dedup();
    because.map(|because| Failure::Lacks { packages, because })
}

/// The Debian packages with what a build of any language says it lacks, and
/// the line that says so.
pub fn lacking(output: &str) -> Option<(Vec<String>, String)> {
    let (packages, text) = MISSING.iter().find_map(|(texts, packages)| {
        let text = texts.iter().find(|text| output.contains(**text))?;
        Some((packages, text))
    })?;
    let line = output.lines().find(|line| line.contains(text));
    let packages = packages.iter().map(|name| (*name).to_owned()).collect();
    Some((packages, line.unwrap_or(text).trim().to_owned()))
}

/// What builds that succeeded in a root without a compiler would have done
/// with one. setuptools' extensions can be optional (markupsafe's, PyYAML's):
/// the failure to compile one is swallowed, and only the line before it tells.
pub fn went_without_compiler(log: &str, python: &str) -> Option<Failure> {
    let line = log.lines().find(|line| {
        line.strip_prefix("DEBUG building '")
            .is_some_and(|rest| rest.ends_with("' extension"))
    })?;
    Some(Failure::Lacks {
        packages: compiler(python),
        because: line.trim_start_matches("DEBUG ").to_owned(),
    })
}

/// The Debian packages that every build of an extension wants.
pub fn compiler(python: &str) -> Vec<String> {
    let named = COMPILER.iter().map(|name| name.replace("PYTHON", python));
    named.collect()
}

/// The names in Python's "No such file or directory: 'x86_64-linux-gnu-gcc'".
fn missing_programs(output: &str) -> Vec<&str> {
    output
        .split("No such file or directory: '")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next())
        .collect()
}

/// The package of ``Failed to build `six==1.0` ``.
fn built(output: &str) -> Option<String> {
    let Some((_, rest)) = output.split_once("Failed to build `") else {
        // uv names no package where it only asked for metadata.
        let backend = output.contains("build backend returned an error");
        return backend.then(|| "the project or one of its dependencies".to_owned());
    };
    let name = rest.split('`').next()?;
    Some(name.split(" @ ").next().unwrap_or(name).to_owned())
}

/// The part of the output that a person needs: from the first error on, in
/// one paragraph per cause, at most 4,000 bytes of it and the end rather than
/// the beginning.
fn tail(output: &str) -> String {
    const MOST: usize = 4000;
    let start = ["\nerror:", "\n  × ", "\nERROR:"]
        .iter()
        .filter_map(|mark| output.find(mark))
        .min()
        .map_or(0, |at| at + 1);
    let text = output[start..]
        .lines()
        .filter(|line| !line.starts_with("DEBUG ") && !line.starts_with("warning:"))
        .collect::<Vec<_>>()
        .join("\n");
    let text = text.trim().trim_start_matches("error: ").trim();
    if text.len() <= MOST {
        return text.to_owned();
    }
    let mut cut = text.len() - MOST;
    while !text.is_char_boundary(cut) {
        cut += 1;
    }
    format!("...{}", &text[cut..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(output: &str) -> Failure {
        read("installing", output, "python3.11")
    }

    #[test]
    fn builds_that_lack_something() {
        for (output, wanted) in [
            (
                "error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory",
                "gcc libc6-dev python3.11-dev",
            ),
            (
                "error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-gcc'",
                "gcc libc6-dev python3.11-dev",
            ),
            (
                "foo.c:1:10: fatal error: Python.h: No such file or directory",
                "gcc libc6-dev python3.11-dev",
            ),
            (
                "c/_cffi_backend.c:15:10: fatal error: ffi.h: No such file or directory",
                "gcc libc6-dev libffi-dev python3.11-dev",
            ),
            (
                "Error: pg_config executable not found.",
                "gcc libc6-dev libpq-dev python3.11-dev",
            ),
            (
                "error: Git executable not found. Ensure that Git is installed",
                "git",
            ),
        ] {
            match read_one(output) {
                Failure::Lacks { packages, because } => {
                    assert_eq!(packages.join(" "), wanted);
                    assert!(output.contains(&because) && because.len() > 5);
                }
                other => panic!("{output}: {other:?}"),
            }
        }
    }

    #[test]
    fn extensions_that_were_given_up_silently() {
        let log = "   Building markupsafe==2.1.5\nDEBUG building 'markupsafe._speedups' extension\nDEBUG x86_64-linux-gnu-gcc -c a.c\nDEBUG Plain-Python build succeeded.\n";
        let Some(Failure::Lacks { packages, because }) = went_without_compiler(log, "python3.13")
        else {
            panic!("not seen");
        };
        assert_eq!(packages, ["gcc", "libc6-dev", "python3.13-dev"]);
        assert_eq!(because, "building 'markupsafe._speedups' extension");
        let pure = "   Building six==1.15.0\nDEBUG running build_py\n";
        assert!(went_without_compiler(pure, "python3.13").is_none());
    }

    #[test]
    fn other_failures() {
        let error = |output: &str| match read_one(output) {
            Failure::Error(error) => error,
            other => panic!("{output}: {other:?}"),
        };
        let none = error(
            "Using CPython\nerror: No solution found when resolving dependencies\n  cause: Because nosuch was not found in the package registry and you require nosuch, ...\n",
        );
        assert!(matches!(none, InstallError::Unsatisfiable { .. }));
        assert!(none.to_string().contains("nosuch was not found"));
        assert!(!none.to_string().contains("Using CPython"));
        assert!(matches!(
            error("error: Failed to fetch: `x`\n  cause: tcp connect error\n"),
            InstallError::Network { .. }
        ));
        assert!(matches!(
            error("error: Failed to fetch: `x`\n  cause: invalid peer certificate: UnknownIssuer"),
            InstallError::Certificate { .. }
        ));
        assert!(matches!(
            error("error: Failed to download `six==1`\n  cause: Hash mismatch for `six==1`"),
            InstallError::Hash { .. }
        ));
        let build = error("  × Failed to build `foo @ file:///src`\n  ╰─▶ SyntaxError: x");
        assert!(matches!(build, InstallError::Build { package, .. } if package == "foo"));
        assert!(matches!(
            error("error: The build backend returned an error\n  cause: boom"),
            InstallError::Build { .. }
        ));
        assert!(matches!(error(""), InstallError::Failed { .. }));
        assert!(tail(&"é".repeat(10_000)).len() < 4100);
    }
}
