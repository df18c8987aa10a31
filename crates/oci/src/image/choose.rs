//! Which of several images is meant: by name, then by platform.

use std::path::Path;

use super::ImageError;
use super::document::{Descriptor, Saved};
use crate::Platform;

/// The entries of a layout's `index.json` that `name` means; all of them where
/// no name was given and they are one image for several platforms.
pub fn by_name(
    path: &Path,
    entries: Vec<Descriptor>,
    name: Option<&str>,
) -> Result<Vec<Descriptor>, ImageError> {
    let entries: Vec<Descriptor> = entries
        .into_iter()
        .filter(|entry| !entry.is_attestation())
        .collect();
    let mut available: Vec<String> = entries
        .iter()
        .filter_map(|entry| entry.names().last().map(str::to_owned))
        .collect();
    available.sort();
    available.dedup();
    let Some(name) = name else {
        return match available.len() {
            0 | 1 => Ok(entries),
            _ if entries.windows(2).all(|w| w[0].digest == w[1].digest) => Ok(entries),
            _ => Err(ImageError::Ambiguous {
                path: path.to_path_buf(),
                available,
            }),
        };
    };
    let named: Vec<Descriptor> = entries
        .into_iter()
        .filter(|entry| entry.names().any(|has| same_name(has, name)))
        .collect();
    if named.is_empty() {
        return Err(ImageError::NoSuchName {
            path: path.to_path_buf(),
            name: name.to_owned(),
            available,
        });
    }
    Ok(named)
}

/// The image of a `docker save` archive that `name` means.
pub fn saved(path: &Path, mut images: Vec<Saved>, name: Option<&str>) -> Result<Saved, ImageError> {
    let available = || {
        images
            .iter()
            .flat_map(Saved::names)
            .map(str::to_owned)
            .collect()
    };
    let position = match name {
        Some(name) => images
            .iter()
            .position(|image| image.names().any(|has| same_name(has, name)))
            .ok_or_else(|| ImageError::NoSuchName {
                path: path.to_path_buf(),
                name: name.to_owned(),
                available: available(),
            })?,
        None if images.len() > 1 => {
            return Err(ImageError::Ambiguous {
                path: path.to_path_buf(),
                available: available(),
            });
        }
        None if images.is_empty() => {
            return Err(ImageError::Missing {
                path: path.to_path_buf(),
                what: "image".to_owned(),
            });
        }
        None => 0,
    };
    Ok(images.swap_remove(position))
}

/// The entry for the wanted platform. A single one is taken as it is where
/// none was asked for.
pub fn by_platform(
    path: &Path,
    entries: Vec<Descriptor>,
    wanted: Option<&Platform>,
) -> Result<Descriptor, ImageError> {
    let mut entries: Vec<Descriptor> = entries
        .into_iter()
        .filter(|entry| !entry.is_attestation())
        .collect();
    entries.dedup_by_key(|entry| entry.digest);
    if entries.len() == 1 && (wanted.is_none() || entries[0].platform.is_none()) {
        return Ok(entries.swap_remove(0));
    }
    let host = Platform::host();
    let wanted = wanted.unwrap_or(&host);
    let best = entries
        .iter()
        .enumerate()
        .filter_map(|(i, entry)| Some((entry.platform()?.distance(wanted)?, i)))
        .min();
    match best {
        Some((_, i)) => Ok(entries.swap_remove(i)),
        None => Err(ImageError::NoPlatform {
            path: path.to_path_buf(),
            wanted: wanted.to_string(),
            available: entries
                .iter()
                .filter_map(|entry| Some(entry.platform()?.to_string()))
                .collect(),
        }),
    }
}

/// True if both mean the same: Docker leaves out its own registry, `library/`
/// and `:latest`.
fn same_name(a: &str, b: &str) -> bool {
    a == b || short(a) == short(b)
}

fn short(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("localhost/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    name.strip_suffix(":latest").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `PLATFORM NAME` lines, each an entry with a digest of its own.
    fn entries(lines: &[&str]) -> Vec<Descriptor> {
        lines
            .iter()
            .enumerate()
            .map(|(i, line)| {
                let (platform, name) = line.split_once(' ').unwrap_or((line, ""));
                let (os, arch) = platform.split_once('/').unwrap();
                let name = match name {
                    "" => String::new(),
                    name => format!(
                        r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#
                    ),
                };
                serde_json::from_str(&format!(
                    r#"{{"digest":"sha256:{i:064x}","size":1,
                        "platform":{{"os":"{os}","architecture":"{arch}"}}{name}}}"#
                ))
                .unwrap()
            })
            .collect()
    }

    fn pick(lines: &[&str], wanted: Option<&str>) -> Result<Platform, ImageError> {
        let wanted = wanted.map(|text| text.parse().unwrap());
        by_platform(Path::new("x"), entries(lines), wanted.as_ref())
            .map(|entry| entry.platform().unwrap())
    }

    #[test]
    fn the_wanted_platform_wins() {
        let both = ["linux/arm64", "linux/amd64", "unknown/unknown"];
        assert_eq!(
            pick(&both, Some("linux/arm64")).unwrap().to_string(),
            "linux/arm64"
        );
        assert_eq!(pick(&both, None).unwrap(), Platform::host());
        let error = pick(&both, Some("linux/s390x")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "x has no image for linux/s390x; there is linux/arm64, linux/amd64"
        );
        assert!(error.hint().unwrap().contains("--platform linux/arm64"));
    }

    #[test]
    fn a_single_image_is_taken_as_it_is_unless_asked() {
        let one = ["linux/s390x", "unknown/unknown"];
        assert_eq!(pick(&one, None).unwrap().to_string(), "linux/s390x");
        assert!(pick(&one, Some("linux/amd64")).is_err());
    }

    #[test]
    fn names_choose() {
        let two = entries(&["linux/amd64 a", "linux/amd64 b"]);
        let path = Path::new("x");
        assert!(matches!(
            by_name(path, two.clone(), None),
            Err(ImageError::Ambiguous { .. })
        ));
        assert_eq!(by_name(path, two.clone(), Some("b")).unwrap().len(), 1);
        assert!(matches!(
            by_name(path, two, Some("c")),
            Err(ImageError::NoSuchName { .. })
        ));
        assert!(same_name("docker.io/library/python:latest", "python"));
        assert!(!same_name("python:3", "python"));
    }
}
