//! Which Python, and with it which release of Debian.

use std::path::Path;

use super::specifier::{Release, allows};
use super::{Detected, Folder, ProjectError};
use crate::settings::Settings;

/// A Python that Debian has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Python {
    /// `3.11`.
    pub version: &'static str,
    /// Debian's name of the release that has it.
    pub suite: &'static str,
    /// The exact release that the suite has at least.
    release: Release,
}

/// What there is to choose from, oldest first. The releases are those of the
/// suites' first stable versions; point releases keep them.
const OFFERED: [Python; 2] = [
    Python {
        version: "3.11",
        suite: "bookworm",
        release: [3, 11, 2],
    },
    Python {
        version: "3.13",
        suite: "trixie",
        release: [3, 13, 5],
    },
];

impl Python {
    /// The interpreter in the runtime: `/usr/bin/python3.11`.
    pub fn interpreter(&self) -> String {
        format!("/usr/bin/python{}", self.version)
    }
}

/// A demand on the version: the text and who says so.
pub struct Demand {
    pub text: String,
    pub said_by: String,
}

/// Chooses. `required` must hold; `wished` (a `.python-version`, the
/// Dockerfile's base image) decides among what is left.
pub fn choose(
    dir: &Path,
    settings: &Settings,
    required: &[Demand],
    wished: Option<Demand>,
) -> Result<(Python, Detected), ProjectError> {
    let detected = |python: Python, because: String| {
        let value = format!("{} (Debian {})", python.version, python.suite);
        (
            python,
            Detected {
                what: "python",
                value,
                because,
            },
        )
    };
    if let Some(python) = by_settings(settings)? {
        return Ok(detected(python, "it was asked for".to_owned()));
    }
    let fits = |python: &Python| {
        required
            .iter()
            .all(|demand| allows(&demand.text, python.release).unwrap_or(true))
    };
    let left: Vec<Python> = OFFERED.into_iter().filter(|python| fits(python)).collect();
    let Some(first) = left.first() else {
        let blocking = required
            .iter()
            .find(|demand| {
                OFFERED
                    .iter()
                    .any(|python| allows(&demand.text, python.release) == Some(false))
            })
            .map_or((String::new(), String::new()), |demand| {
                (demand.text.clone(), demand.said_by.clone())
            });
        return Err(ProjectError::NoPython {
            wanted: blocking.0,
            said_by: blocking.1,
            offered: offered(),
            dir: dir.to_owned(),
        });
    };
    if left.len() < OFFERED.len() {
        let demand = required.iter().find(|demand| {
            OFFERED
                .iter()
                .any(|python| allows(&demand.text, python.release) == Some(false))
        });
        let because = demand.map_or(String::new(), |demand| {
            format!("{} says {:?}", demand.said_by, demand.text)
        });
        return Ok(detected(*first, because));
    }
    if let Some(wish) = wished {
        // The next one up runs code that was written for an older one more
        // often than the other way round.
        let wanted = minor(&wish.text);
        if let Some(wanted) = wanted {
            let python = left
                .iter()
                .find(|python| python.release[1] >= wanted)
                .unwrap_or(&left[left.len() - 1]);
            let because = match python.release[1] == wanted {
                true => format!("{} says {}", wish.said_by, wish.text),
                false => format!(
                    "{} says {}, which Debian does not have; this is the nearest",
                    wish.said_by, wish.text
                ),
            };
            return Ok(detected(*python, because));
        }
    }
    Ok(detected(
        *first,
        "every requirement allows it, and nearly every wheel is built for it".to_owned(),
    ))
}

fn by_settings(settings: &Settings) -> Result<Option<Python>, ProjectError> {
    let by_version = match &settings.python {
        None => None,
        Some(version) => Some(
            OFFERED
                .into_iter()
                .find(|python| python.version == version)
                .ok_or_else(|| ProjectError::Unknown {
                    what: "Python",
                    value: version.clone(),
                    known: offered(),
                })?,
        ),
    };
    let by_suite = match &settings.suite {
        None => None,
        Some(suite) => Some(
            OFFERED
                .into_iter()
                .find(|python| python.suite == suite)
                .ok_or_else(|| ProjectError::Unknown {
                    what: "suite",
                    value: suite.clone(),
                    known: offered(),
                })?,
        ),
    };
    if let (Some(python), Some(suite)) = (by_version, by_suite)
        && python != suite
    {
        return Err(ProjectError::Unknown {
            what: "suite",
            value: suite.suite.to_owned(),
            known: format!("Python {} is in {}", python.version, python.suite),
        });
    }
    Ok(by_version.or(by_suite))
}

fn offered() -> String {
    OFFERED
        .iter()
        .map(|python| format!("{} in {}", python.version, python.suite))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `11` of `3.11`, `3.11.4`, `cpython-3.11`, `python-3.11.4`, `>=3.11`.
fn minor(text: &str) -> Option<u32> {
    let at = text.find("3.")?;
    let digits: String = text[at + 2..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// What `.python-version` or Heroku's `runtime.txt` wishes.
pub fn wish_of_files(folder: &Folder) -> Result<Option<Demand>, ProjectError> {
    for name in [".python-version", "runtime.txt"] {
        let text = folder.read(name)?.unwrap_or_default();
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'));
        if let Some(line) = line
            && minor(line).is_some()
        {
            return Ok(Some(Demand {
                text: line.to_owned(),
                said_by: name.to_owned(),
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(required: &[&str], wish: Option<&str>) -> Result<(String, String), String> {
        let required: Vec<Demand> = required
            .iter()
            .map(|text| Demand {
                text: (*text).to_owned(),
                said_by: "pyproject.toml".to_owned(),
            })
            .collect();
        let wished = wish.map(|text| Demand {
            text: text.to_owned(),
            said_by: ".python-version".to_owned(),
        });
        choose(Path::new("."), &Settings::default(), &required, wished)
            .map(|(python, why)| (python.suite.to_owned(), why.because))
            .map_err(|error| format!("{error} | {}", error.hint().unwrap_or_default()))
    }

    #[test]
    fn requirements_wishes_and_the_default() {
        let suite = |required: &[&str], wish| chosen(required, wish).unwrap().0;
        assert_eq!(suite(&[], None), "bookworm");
        assert_eq!(suite(&[">=3.9"], None), "bookworm");
        assert_eq!(suite(&[">=3.12"], None), "trixie");
        assert_eq!(suite(&[">=3.11.4"], None), "trixie");
        assert_eq!(suite(&[], Some("3.12.1")), "trixie");
        assert_eq!(suite(&[], Some("python-3.10.2")), "bookworm");
        assert_eq!(suite(&[], Some("3.14")), "trixie");
        assert_eq!(suite(&["<3.12"], Some("3.13")), "bookworm");
    }

    #[test]
    fn nothing_fits() {
        let error = chosen(&[">=3.8", "==3.12.*"], None).unwrap_err();
        assert!(
            error.contains("==3.12.*") && error.contains("--python 3.13"),
            "{error}"
        );
    }

    #[test]
    fn asked_for() {
        let ask = |python: Option<&str>, suite: Option<&str>| {
            let settings = Settings {
                python: python.map(str::to_owned),
                suite: suite.map(str::to_owned),
                ..Settings::default()
            };
            choose(Path::new("."), &settings, &[], None).map(|found| found.0.version)
        };
        assert_eq!(ask(Some("3.13"), None).unwrap(), "3.13");
        assert_eq!(ask(None, Some("trixie")).unwrap(), "3.13");
        assert!(ask(Some("3.12"), None).is_err());
        assert!(ask(Some("3.11"), Some("trixie")).is_err());
    }
}
