//! Which packages runtimes and build roots are made of.

use super::suite::Suite;

/// What every app may reach, whatever its language: the tools that people
/// rely on in shell pipelines, and the data that the C library and OpenSSL look
/// for. About what `python:slim` has, less apt, dpkg, perl and login. It may be
/// generous: what the app cannot reach is not in the image.
const BASE: [&str; 25] = [
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "coreutils",
    "dash",
    "debianutils",
    "diffutils",
    "findutils",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    // Wheels for manylinux expect these of the system (PEP 513 and 600).
    "libexpat1",
    "libgcc-s1",
    "libstdc++6",
    "mawk",
    "media-types",
    "ncurses-base",
    "netbase",
    "openssl",
    "sed",
    "tar",
    "tzdata",
    "util-linux",
];

/// What stands below every app that is no static program, and in every build
/// root.
pub fn common_packages() -> Vec<&'static str> {
    BASE.to_vec()
}

/// The runtime of an app in Python.
pub fn python_packages(suite: Suite) -> Vec<&'static str> {
    let mut names = BASE.to_vec();
    names.extend([
        // `/usr/bin/python3` and `/usr/bin/python`.
        "python3-minimal",
        "python-is-python3",
        "zlib1g",
    ]);
    match suite {
        // Debian 12 has `distutils` and `lib2to3`, which belong to Python
        // 3.11's library, in packages of their own.
        Suite::Bookworm => names.extend(["python3.11", "python3-distutils"]),
        Suite::Trixie => names.push("python3.13"),
    }
    names
}

/// On top of the runtime, for the build root only: pip, to fetch uv, and what
/// makes virtual environments.
pub fn build_packages(suite: Suite) -> Vec<&'static str> {
    match suite {
        Suite::Bookworm => vec!["python3-pip", "python3.11-venv"],
        Suite::Trixie => vec!["python3-pip", "python3.13-venv"],
    }
}

/// On top of that, for source distributions that must be compiled.
pub fn compiler_packages(suite: Suite) -> Vec<&'static str> {
    let mut names = vec!["g++", "gcc", "libc6-dev", "make", "pkgconf"];
    names.push(match suite {
        Suite::Bookworm => "python3.11-dev",
        Suite::Trixie => "python3.13-dev",
    });
    names
}
