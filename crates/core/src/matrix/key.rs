//! What a trial depends on, as one hash.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use whit_oci::ImagePath;

use super::Variant;
use crate::source::ignore::{DockerIgnore, ListError};

/// What besides the files decides what comes of a build and a run.
#[derive(Debug, Serialize)]
pub struct Circumstances {
    pub whit: String,
    pub engine: String,
    pub build_args: Vec<String>,
    pub target: Option<String>,
    /// Of the builds; images are tried without one.
    pub host_network: bool,
    pub start_seconds: u64,
    pub shrink: bool,
    /// The images of `FROM`, with the id that the engine has for each.
    pub bases: Vec<(String, Option<String>)>,
}

/// The hash of a variant: its Dockerfile, the files that the build may copy,
/// and the circumstances. Other Dockerfiles of the matrix do not count.
pub fn key(
    folder: &Path,
    variant: &Variant,
    circumstances: &Circumstances,
) -> Result<String, ListError> {
    let mut hash = Sha256::new();
    let words = serde_json::to_vec(circumstances).unwrap_or_default();
    part(&mut hash, &words);
    let own = folder.join(&variant.file);
    part(&mut hash, &std::fs::read(&own).map_err(failed(&own))?);
    // BuildKit reads a list for this Dockerfile alone first.
    let lists = [
        format!("{}.dockerignore", variant.file),
        ".dockerignore".to_owned(),
    ];
    let list = lists
        .iter()
        .find_map(|name| std::fs::read_to_string(folder.join(name)).ok());
    let ignored = DockerIgnore::parse(&list.unwrap_or_default())?;
    let mut open = vec![ImagePath::root()];
    while let Some(inside) = open.pop() {
        let host = inside.under(folder);
        let mut names: Vec<OsString> = std::fs::read_dir(&host)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
            .map_err(failed(&host))?;
        names.sort();
        for name in names {
            let path = inside.join(name.as_bytes());
            let other = inside.is_root() && name.to_str().and_then(Variant::of).is_some();
            if other || ignored.verdict(&path).is_some_and(|(_, goes_in)| !goes_in) {
                continue;
            }
            let host = path.under(folder);
            let kind = host.symlink_metadata().map_err(failed(&host))?;
            part(&mut hash, path.as_bytes());
            part(&mut hash, &kind.permissions().mode().to_le_bytes());
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_symlink() {
                let target = std::fs::read_link(&host).map_err(failed(&host))?;
                part(&mut hash, target.as_os_str().as_bytes());
            } else if kind.is_file() {
                part(&mut hash, &digest(&host).map_err(failed(&host))?);
            }
        }
    }
    Ok(hex::encode(hash.finalize()))
}

/// Length and bytes, so that no two lists of parts look alike.
fn part(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> ListError {
    let path = path.to_owned();
    |source| ListError::Read { path, source }
}

/// The images that a Dockerfile begins with, as its `FROM`s have them.
pub fn bases(dockerfile: &str) -> Vec<String> {
    let mut names: Vec<String> = dockerfile
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let from = words.next()?.eq_ignore_ascii_case("FROM");
            words.find(|word| !word.starts_with("--")).filter(|_| from)
        })
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

fn digest(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().to_vec()),
            count => hash.update(&buffer[..count]),
        }
    }
}
