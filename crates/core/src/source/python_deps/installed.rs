//! Which file each distribution of an environment was installed from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::normalise::{children, site_packages};
use super::{InstallError, Pin, normalize};

/// The `Tag` lines of every distribution's `WHEEL` file, by normalized name.
pub fn tags(venv: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, InstallError> {
    let mut found = BTreeMap::new();
    for site in site_packages(venv)? {
        for folder in children(&site)? {
            let name = folder
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            let Some(stem) = name
                .as_deref()
                .and_then(|name| name.strip_suffix(".dist-info"))
            else {
                continue;
            };
            let name = stem.split_once('-').map_or(stem, |(name, _)| name);
            let text = std::fs::read_to_string(folder.join("WHEEL")).unwrap_or_default();
            let tags = text
                .lines()
                .filter_map(|line| line.strip_prefix("Tag:"))
                .map(|tag| tag.trim().to_owned())
                .collect();
            found.insert(normalize(name), tags);
        }
    }
    Ok(found)
}

/// Reduces the files of each pin to the one that was installed, where their
/// names tell which it was. Pins that were not installed here (their marker
/// says so) are left out.
pub fn narrow(pins: &[Pin], installed: &BTreeMap<String, BTreeSet<String>>) -> Vec<Pin> {
    pins.iter()
        .filter_map(|pin| {
            let tags = installed.get(&pin.name)?;
            let mut pin = pin.clone();
            if let Some(chosen) = chosen(&pin, tags) {
                pin.files = vec![pin.files[chosen].clone()];
            }
            Some(pin)
        })
        .collect()
}

/// The names of what was built here and not installed from a wheel of an
/// index.
pub fn built(pins: &[Pin]) -> Vec<&Pin> {
    pins.iter()
        .filter(|pin| match pin.files.as_slice() {
            [one] => one
                .name
                .as_ref()
                .is_some_and(|name| !name.ends_with(".whl")),
            [] => true,
            _ => false,
        })
        .collect()
}

fn chosen(pin: &Pin, tags: &BTreeSet<String>) -> Option<usize> {
    if pin.files.iter().any(|file| file.name.is_none()) {
        return None;
    }
    let overlaps: Vec<(usize, usize)> = pin
        .files
        .iter()
        .enumerate()
        .filter_map(|(i, file)| {
            let named = wheel_tags(file.name.as_deref()?)?;
            let common = named.intersection(tags).count();
            // The closer the two sets, the better.
            let distance = named.len() + tags.len() - 2 * common;
            (common > 0).then_some((distance, i))
        })
        .collect();
    let best = overlaps.iter().map(|(distance, _)| *distance).min();
    match best {
        Some(best) => {
            let mut winners = overlaps.iter().filter(|(distance, _)| *distance == best);
            match (winners.next(), winners.next()) {
                (Some((_, one)), None) => Some(*one),
                _ => None,
            }
        }
        // No wheel has such tags: it was built from the source archive.
        None => {
            let mut sources = pin.files.iter().enumerate().filter(|(_, file)| {
                file.name
                    .as_ref()
                    .is_some_and(|name| !name.ends_with(".whl"))
            });
            match (sources.next(), sources.next()) {
                (Some((one, _)), None) => Some(one),
                _ => None,
            }
        }
    }
}

/// The tags that a wheel's file name stands for: `a-1-py2.py3-none-any.whl` is
/// `py2-none-any` and `py3-none-any`.
fn wheel_tags(name: &str) -> Option<BTreeSet<String>> {
    let stem = name.strip_suffix(".whl")?;
    let mut parts = stem.rsplitn(4, '-');
    let (platforms, abis, pythons) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?;
    let mut tags = BTreeSet::new();
    for python in pythons.split('.') {
        for abi in abis.split('.') {
            for platform in platforms.split('.') {
                tags.insert(format!("{python}-{abi}-{platform}"));
                if tags.len() > 256 {
                    return None;
                }
            }
        }
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::super::PinFile;
    use super::*;

    fn pin(files: &[&str]) -> Pin {
        Pin {
            files: files
                .iter()
                .map(|name| PinFile {
                    hash: format!("sha256:{name}"),
                    name: Some((*name).to_owned()),
                })
                .collect(),
            ..Pin::index("a", "1")
        }
    }

    fn narrowed(files: &[&str], tags: &[&str]) -> Vec<String> {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let installed = BTreeMap::from([("a".to_owned(), tags)]);
        narrow(&[pin(files)], &installed)
            .iter()
            .flat_map(|pin| pin.files.iter().filter_map(|file| file.name.clone()))
            .collect()
    }

    #[test]
    fn the_file_is_known_by_its_tags() {
        let files = [
            "a-1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            "a-1-cp311-cp311-musllinux_1_1_x86_64.whl",
            "a-1-py3-none-any.whl",
            "a-1.tar.gz",
        ];
        assert_eq!(
            narrowed(
                &files,
                &[
                    "cp311-cp311-manylinux_2_17_x86_64",
                    "cp311-cp311-manylinux2014_x86_64"
                ]
            ),
            [files[0]]
        );
        assert_eq!(narrowed(&files, &["py3-none-any"]), [files[2]]);
        assert_eq!(narrowed(&files, &["cp311-cp311-linux_x86_64"]), [files[3]]);
        assert_eq!(
            narrowed(&files[..2], &["cp311-cp311-linux_x86_64"]).len(),
            2
        );
    }

    #[test]
    fn what_was_not_installed_is_no_pin() {
        assert_eq!(narrow(&[pin(&["x.whl"])], &BTreeMap::new()), []);
    }
}
