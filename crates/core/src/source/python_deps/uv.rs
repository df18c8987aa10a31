//! uv's binary: the user's own where it is new enough, else the one of this
//! version of whit, fetched through pip so that the user's index settings
//! hold for it too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use whit_sandbox::Mount;

use super::error::io;
use super::workshop::{OUT, Run, UV, Workshop, give};
use super::{Failure, InstallError};

/// The version that is fetched.
const VERSION: &str = "0.13.8";

/// Its wheels for manylinux x86_64 and aarch64.
const HASHES: [&str; 2] = [
    "sha256:e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
    "sha256:5337c30bb893b4f9ce0ceb921ba2da0d13f649da644f40ad3bef84083bef0203",
];

/// The oldest version whose options and formats are those used here.
const OLDEST: [u32; 3] = [0, 9, 0];

/// The Debian package with the pip that fetches uv. A wheel that Python can
/// run as it is: 2 MB, and nothing of it in the image.
pub const FETCHES_UV: [&str; 1] = ["python3-pip-whl"];

/// Which versions a build uses, and what it gave up, is told nowhere else.
pub fn telling() -> (&'static str, String) {
    let filter = "uv_dispatch=debug,uv_build_frontend=debug";
    ("RUST_LOG", filter.to_owned())
}

/// Finds or fetches uv; returns the host's path of the binary.
pub fn ready(
    workshop: &Workshop<'_>,
    lowers: &[PathBuf],
    cache: &Path,
    environment: &BTreeMap<String, String>,
    interpreter: &str,
) -> Result<PathBuf, Failure> {
    let stored = cache
        .join("tools")
        .join(format!("uv-{VERSION}-{}", workshop.machine()))
        .join("uv");
    for candidate in on_path(environment) {
        if version(workshop, &candidate).is_some_and(|version| version >= OLDEST) {
            return Ok(candidate);
        }
    }
    if !stored.is_file() {
        fetch(workshop, lowers, interpreter, &stored)?;
    }
    Ok(stored)
}

/// Where the host's PATH has a `uv` that is a program and not a script that
/// picks one.
fn on_path(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let path = environment.get("PATH").map(String::as_str);
    path.unwrap_or_default()
        .split(':')
        .filter(|folder| folder.starts_with('/'))
        .map(|folder| Path::new(folder).join("uv"))
        .filter_map(|path| path.canonicalize().ok())
        .filter(|path| is_elf(path))
        .take(2)
        .collect()
}

fn is_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut magic))
        .is_ok()
        && magic == *b"\x7fELF"
}

/// The version of a binary, asked in the sandbox: one that cannot run there
/// is of no use.
fn version(workshop: &Workshop<'_>, binary: &Path) -> Option<[u32; 3]> {
    let output = workshop
        .run(Run {
            step: "asking uv for its version",
            argv: vec![UV.to_owned(), "--version".to_owned()],
            mounts: vec![mount(binary)],
            ..Run::default()
        })
        .ok()?;
    parse_version(&output)
}

/// `uv 0.13.8 (abc 2026-01-01)`
fn parse_version(output: &str) -> Option<[u32; 3]> {
    let version = output
        .trim()
        .strip_prefix("uv ")?
        .split_whitespace()
        .next()?;
    let mut numbers = version.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some([numbers.next()??, numbers.next()??, numbers.next()??])
}

/// The binary at its place inside.
pub fn mount(binary: &Path) -> Mount {
    Mount {
        host: binary.to_owned(),
        inside: UV.into(),
        read_only: true,
    }
}

fn fetch(
    workshop: &Workshop<'_>,
    lowers: &[PathBuf],
    interpreter: &str,
    stored: &Path,
) -> Result<(), Failure> {
    let Some(pip) = pip(lowers, interpreter, workshop.python()) else {
        return Err(Failure::Lacks {
            packages: FETCHES_UV.map(str::to_owned).to_vec(),
            because: "uv is not installed here, and pip is what fetches it".to_owned(),
        });
    };
    let list = format!("uv=={VERSION} --hash={} --hash={}\n", HASHES[0], HASHES[1]);
    let list = workshop.input("uv.txt", &list).map_err(Failure::Error)?;
    let mut argv = vec![interpreter.to_owned()];
    argv.extend(pip);
    let options = [
        "install",
        "--no-deps",
        "--no-compile",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--target",
    ];
    argv.extend(options.map(str::to_owned));
    argv.extend([format!("{OUT}/uv"), "-r".to_owned(), list]);
    workshop.run(Run {
        step: "fetching uv",
        argv,
        ..Run::default()
    })?;
    let store = || -> Result<(), InstallError> {
        let context = || format!("storing {}", stored.display());
        let folder = stored.parent().unwrap_or(stored);
        std::fs::create_dir_all(folder).map_err(io(context()))?;
        let made = workshop.host("out").join("uv/bin/uv");
        give(&made)?;
        std::fs::rename(made, stored).map_err(io(context()))
    };
    store().map_err(Failure::Error)
}

/// The words that start pip in this root, after the interpreter. `python` is
/// `python3.11`, and the name of the folder of its library.
fn pip(lowers: &[PathBuf], interpreter: &str, python: &str) -> Option<Vec<String>> {
    let prefix = Path::new(interpreter).ancestors().nth(2)?;
    let beside = prefix.strip_prefix("/").ok()?.join("lib").join(python);
    let packages = [
        PathBuf::from("usr/lib/python3/dist-packages"),
        beside.join("site-packages"),
        beside.join("dist-packages"),
    ];
    for lower in lowers.iter().rev() {
        let installed = packages
            .iter()
            .any(|folder| lower.join(folder).join("pip/__main__.py").is_file());
        if installed {
            return Some(vec!["-m".to_owned(), "pip".to_owned()]);
        }
        let wheels = std::fs::read_dir(lower.join("usr/share/python-wheels"));
        let wheel = wheels
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .find(|name| name.starts_with("pip-") && name.ends_with(".whl"));
        if let Some(wheel) = wheel {
            return Some(vec![format!("/usr/share/python-wheels/{wheel}/pip")]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(
            parse_version("uv 0.13.8 (c0ffee 2026-01-01)\n\n"),
            Some([0, 13, 8])
        );
        assert_eq!(parse_version("uv 1.0.0-rc1"), Some([1, 0, 0]));
        assert_eq!(parse_version("pyenv: uv: command not found"), None);
        assert!([0, 8, 22] < OLDEST);
    }
}
