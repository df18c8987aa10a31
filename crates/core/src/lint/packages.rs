//! What commands install and remove with a distribution's package manager.

use super::dockerfile::Step;
use super::script::Command;

/// A command that installs packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installs {
    pub manager: Manager,
    pub packages: Vec<String>,
    /// Where its verb is among the arguments.
    pub verb: usize,
    /// `apk add --virtual NAME`.
    pub group: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Apt,
    Apk,
    /// dnf, microdnf, yum, tdnf, zypper.
    Rpm,
}

const APT: [&str; 3] = ["apt-get", "apt", "aptitude"];
const RPM: [&str; 5] = ["dnf", "microdnf", "yum", "tdnf", "zypper"];

pub fn installs(command: &Command, step: &Step) -> Option<Installs> {
    let (manager, verb) = if command.is(&APT) {
        (Manager::Apt, command.verb(&["install"])?)
    } else if command.is(&["apk"]) {
        (Manager::Apk, command.verb(&["add"])?)
    } else if command.is(&RPM) {
        let verbs = ["install", "in", "groupinstall", "reinstall"];
        (Manager::Rpm, command.verb(&verbs)?)
    } else {
        return None;
    };
    let group = match manager {
        Manager::Apk => command
            .values("-t", "--virtual")
            .first()
            .map(|name| (*name).to_owned()),
        _ => None,
    };
    Some(Installs {
        manager,
        packages: names(command, verb, step),
        verb,
        group,
    })
}

/// The packages that a command removes; `*` for all that nothing needs.
pub fn removes(command: &Command, step: &Step) -> Vec<String> {
    let verb = if command.is(&APT) {
        command.verb(&["purge", "remove", "autoremove", "autopurge"])
    } else if command.is(&["apk"]) {
        command.verb(&["del"])
    } else if command.is(&RPM) {
        command.verb(&["remove", "erase", "autoremove", "rm"])
    } else {
        None
    };
    verb.map(|verb| names(command, verb, step))
        .unwrap_or_default()
}

/// Names without versions, architectures and repositories.
fn names(command: &Command, verb: usize, step: &Step) -> Vec<String> {
    let mut names = Vec::new();
    for operand in command.operands_after(verb) {
        let operand = known(operand, step);
        for name in operand.split_whitespace() {
            let end = name.find(['=', ':', '~', '>', '<']).unwrap_or(name.len());
            let name = &name[..end];
            // A path or URL is a package too, of a name that nobody knows.
            let name = match name.contains('/') || name.ends_with(".deb") || name.is_empty() {
                true if !name.contains("://") && !name.starts_with(['/', '.']) => {
                    name.split('/').next().unwrap_or(name)
                }
                _ => name,
            };
            names.push(name.to_owned());
        }
    }
    names
}

/// A whole variable's value, if `ENV` or `ARG` give it.
fn known(word: &str, step: &Step) -> String {
    let name = word
        .strip_prefix('$')
        .map(|name| name.trim_matches(['{', '}']));
    name.and_then(|name| step.variables.get(name))
        .cloned()
        .unwrap_or_else(|| word.to_owned())
}

/// Compilers, headers and what builds with them.
pub fn is_build_tool(package: &str) -> bool {
    const NAMES: [&str; 44] = [
        "alpine-sdk",
        "autoconf",
        "automake",
        "bison",
        "build-base",
        "build-essential",
        "cargo",
        "clang",
        "cmake",
        "default-jdk",
        "default-jdk-headless",
        "dpkg-dev",
        "flex",
        "g++",
        "gcc",
        "gcc-c++",
        "gfortran",
        "go",
        "golang",
        "golang-go",
        "gradle",
        "kernel-headers",
        "libtool",
        "linux-headers",
        "linux-headers-generic",
        "llvm",
        "make",
        "maven",
        "meson",
        "musl-tools",
        "nasm",
        "ninja",
        "ninja-build",
        "patchelf",
        "pkg-config",
        "pkgconf",
        "protobuf-compiler",
        "rpm-build",
        "rustc",
        "swig",
        "yasm",
        "rust",
        "@development-tools",
        "Development Tools",
    ];
    NAMES.contains(&package)
        || package.ends_with("-dev")
        || package.ends_with("-devel")
        || (package.starts_with("openjdk") && package.contains("jdk-"))
        || (package.starts_with("openjdk") && package.ends_with("-jdk"))
        || (package.starts_with("java-") && package.contains("-openjdk-devel"))
}
