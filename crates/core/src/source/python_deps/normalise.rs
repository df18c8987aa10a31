//! Makes an installed environment the same on every machine: what an
//! installer leaves about itself, its paths and its clock goes, modes and
//! dates are set.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::InstallError;
use super::error::io;
use super::workshop::{EPOCH, give};

/// More files than this is not an environment.
const MAX_FILES: usize = 2_000_000;

/// Files beside a virtual environment's programs that only people's shells
/// read.
const SHELL_FILES: &[&str] = &["activate", "deactivate", "pydoc.bat"];

/// Files of a `dist-info` folder that tell about the installation and not
/// about the distribution.
///
/// - `uv_cache.json`, `uv_build.json`: uv's notes, with time stamps.
/// - `REQUESTED`: every distribution is installed by name here, so it would be
///   in all of them and mean nothing.
const NOTES: &[&str] = &["uv_cache.json", "uv_build.json", "REQUESTED"];

/// Rewrites the environment in `venv`, a folder below `root`, and settles the
/// folders between the two.
pub fn normalise(root: &Path, venv: &Path) -> Result<(), InstallError> {
    for name in ["CACHEDIR.TAG", ".gitignore", ".lock"] {
        remove(&venv.join(name))?;
    }
    for entry in children(&venv.join("bin"))? {
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if SHELL_FILES.iter().any(|known| name.starts_with(known)) {
            remove(&entry)?;
        }
    }
    pyvenv(&venv.join("pyvenv.cfg"))?;
    settle(venv)?;
    for folder in site_packages(venv)? {
        for entry in children(&folder)? {
            if entry
                .extension()
                .is_some_and(|extension| extension == "dist-info")
            {
                dist_info(&folder, &entry)?;
            }
        }
    }
    date(venv)?;
    for folder in venv
        .ancestors()
        .skip(1)
        .take_while(|folder| folder.starts_with(root))
    {
        set_mode(folder, 0o755)?;
        give(folder)?;
        date_one(folder)?;
    }
    Ok(())
}

/// `lib/python3.11/site-packages` of an environment.
pub fn site_packages(venv: &Path) -> Result<Vec<PathBuf>, InstallError> {
    Ok(children(&venv.join("lib"))?
        .into_iter()
        .map(|folder| folder.join("site-packages"))
        .filter(|folder| folder.is_dir())
        .collect())
}

/// The sorted entries of a folder; none if it is not there.
pub fn children(folder: &Path) -> Result<Vec<PathBuf>, InstallError> {
    let context = || format!("reading {}", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(context())(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(io(context()))?.path());
    }
    paths.sort();
    Ok(paths)
}

fn remove(path: &Path) -> Result<(), InstallError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io(format!("removing {}", path.display()))(error))
        }
        _ => Ok(()),
    }
}

/// `pyvenv.cfg` without the installer's name and version.
fn pyvenv(path: &Path) -> Result<(), InstallError> {
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(());
    };
    let kept: String = text
        .lines()
        .filter(|line| !line.starts_with("uv ") && !line.starts_with("uv="))
        .flat_map(|line| [line, "\n"])
        .collect();
    std::fs::write(path, kept).map_err(io(format!("writing {}", path.display())))
}

fn dist_info(site: &Path, folder: &Path) -> Result<(), InstallError> {
    let mut gone = Vec::new();
    let base = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let base = base.unwrap_or_default();
    for name in NOTES {
        remove(&folder.join(name))?;
        gone.push(format!("{base}/{name}"));
    }
    // The address of a folder is one of this machine. That of a repository or
    // a file on the net stays: it says what was installed.
    let url = folder.join("direct_url.json");
    if std::fs::read_to_string(&url).is_ok_and(|text| text.contains("\"file:")) {
        remove(&url)?;
        gone.push(format!("{base}/direct_url.json"));
    }
    let path = folder.join("RECORD");
    let Ok(record) = std::fs::read_to_string(&path) else {
        return Ok(());
    };
    let record = record_without(&record, &gone, |listed| {
        site.join(listed).symlink_metadata().is_ok()
    });
    std::fs::write(&path, record).map_err(io(format!("writing {}", path.display())))
}

/// A `RECORD` in order, without files that are gone.
fn record_without(text: &str, gone: &[String], exists: impl Fn(&str) -> bool) -> String {
    let mut lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            // A path with a comma is quoted (the format is CSV); quoted paths
            // are rare and none of them is removed here.
            let path = line.split(',').next().unwrap_or_default();
            !gone.iter().any(|gone| gone == path) && (!path.ends_with(".pyc") || exists(path))
        })
        .collect();
    lines.sort_unstable();
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// Modes that don't depend on a `umask`, and no bytecode.
fn settle(venv: &Path) -> Result<(), InstallError> {
    for (path, meta) in below(venv)? {
        let context = || format!("settling {}", path.display());
        if meta.is_dir() {
            if path.file_name().is_some_and(|name| name == "__pycache__") {
                std::fs::remove_dir_all(&path).map_err(io(context()))?;
            } else {
                set_mode(&path, 0o755)?;
            }
        } else if meta.is_file() && path.symlink_metadata().is_ok() {
            let executable = meta.permissions().mode() & 0o111 != 0;
            set_mode(&path, if executable { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

/// One date for everything. The last thing to do: every change inside dates a
/// folder anew.
fn date(venv: &Path) -> Result<(), InstallError> {
    for (path, _) in below(venv)? {
        date_one(&path)?;
    }
    Ok(())
}

fn date_one(path: &Path) -> Result<(), InstallError> {
    let date = Timespec {
        tv_sec: EPOCH,
        tv_nsec: 0,
    };
    let dates = Timestamps {
        last_access: date,
        last_modification: date,
    };
    utimensat(CWD, path, &dates, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| io(format!("dating {}", path.display()))(error.into()))
}

/// The environment's folder and everything below it, links not followed.
fn below(venv: &Path) -> Result<Vec<(PathBuf, std::fs::Metadata)>, InstallError> {
    let mut all = Vec::new();
    let mut open = vec![venv.to_owned()];
    while let Some(path) = open.pop() {
        let meta = path
            .symlink_metadata()
            .map_err(io(format!("reading {}", path.display())))?;
        if meta.is_dir() {
            open.extend(children(&path)?);
        }
        all.push((path, meta));
        if all.len() > MAX_FILES {
            return Err(InstallError::Failed {
                step: "installing",
                message: format!("more than {MAX_FILES} files were installed"),
            });
        }
    }
    Ok(all)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), InstallError> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(io(format!("setting the mode of {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_keeps_only_what_is_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let venv = dir.path();
        let site = venv.join("lib/python3.11/site-packages");
        let info = site.join("six-1.dist-info");
        std::fs::create_dir_all(&info).unwrap();
        std::fs::create_dir_all(venv.join("bin")).unwrap();
        std::fs::create_dir_all(site.join("__pycache__")).unwrap();
        for (name, text) in [
            ("bin/activate.fish", ""),
            ("bin/six", "#!/opt/venv/bin/python\n"),
            (".lock", ""),
            ("pyvenv.cfg", "home = /usr/bin\nuv = 0.1\n"),
        ] {
            std::fs::write(venv.join(name), text).unwrap();
        }
        std::fs::write(site.join("__pycache__/six.pyc"), "").unwrap();
        std::fs::write(info.join("uv_cache.json"), "{}").unwrap();
        std::fs::write(info.join("direct_url.json"), "{\"url\":\"file:///x\"}").unwrap();
        std::fs::write(info.join("METADATA"), "").unwrap();
        std::fs::write(
            info.join("RECORD"),
            "six-1.dist-info/uv_cache.json,sha256=x,1\nsix.py,,\nsix-1.dist-info/direct_url.json,,\n__pycache__/six.pyc,,\nsix-1.dist-info/METADATA,,\n",
        )
        .unwrap();
        std::fs::set_permissions(
            info.join("METADATA"),
            std::fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        normalise(venv, venv).unwrap();
        assert!(!venv.join("bin/activate.fish").exists());
        assert!(venv.join("bin/six").exists());
        assert!(!info.join("direct_url.json").exists());
        assert!(!site.join("__pycache__").exists());
        assert_eq!(
            std::fs::read_to_string(venv.join("pyvenv.cfg")).unwrap(),
            "home = /usr/bin\n"
        );
        let meta = std::fs::metadata(info.join("METADATA")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o644);
        assert_eq!(
            meta.modified().unwrap(),
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(EPOCH as u64)
        );
        let record = std::fs::read_to_string(info.join("RECORD")).unwrap();
        assert_eq!(record, "six-1.dist-info/METADATA,,\nsix.py,,\n");
    }

    #[test]
    fn records_are_sorted() {
        assert_eq!(
            record_without(
                "b,,\na,sha256=x,1\ngone,,\nc.pyc,,\n",
                &["gone".into()],
                |_| false
            ),
            "a,sha256=x,1\nb,,\n"
        );
    }
}
