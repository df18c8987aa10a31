//! Which Python, and with it which release of Debian.

use std::path::Path;

use super::specifier::{Release, allows};
use super::{Detected, Folder, ProjectError};
use crate::settings::Settings;
use crate::source::base::FoundPython;

/// The interpreter that a project gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Python {
    /// `3.11`.
    pub version: String,
    /// Debian's name of the release that has it; `None` for a base's.
    pub suite: Option<&'static str>,
    /// Where it is in the runtime: `/usr/bin/python3.11`.
    pub interpreter: String,
}

/// A Python that Debian has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    version: &'static str,
    suite: &'static str,
    /// The exact release that the suite has at least.
    release: Release,
}

/// What there is to choose from, oldest first. The releases are those of the
/// suites' first stable versions; point releases keep them.
const OFFERED: [Offer; 2] = [
    Offer {
        version: "3.11",
        suite: "bookworm",
        release: [3, 11, 2],
    },
    Offer {
        version: "3.13",
        suite: "trixie",
        release: [3, 13, 5],
    },
];

impl From<Offer> for Python {
    fn from(offer: Offer) -> Self {
        Self {
            version: offer.version.to_owned(),
            suite: Some(offer.suite),
            interpreter: format!("/usr/bin/python{}", offer.version),
        }
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
    let detected = |python: Offer, because: String| {
        let value = format!("{} (Debian {})", python.version, python.suite);
        (
            Python::from(python),
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
    let fits = |python: &Offer| {
        required
            .iter()
            .all(|demand| allows(&demand.text, python.release).unwrap_or(true))
    };
    let left: Vec<Offer> = OFFERED.into_iter().filter(|python| fits(python)).collect();
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

/// Chooses among those of a base, the first of which is the one that it
/// starts as `python3`.
pub fn choose_of_base(
    base: &str,
    pythons: &[FoundPython],
    settings: &Settings,
    required: &[Demand],
) -> Result<(Python, Detected), ProjectError> {
    let asked = settings.python.as_ref().map(|text| Demand {
        text: text.clone(),
        said_by: "--python".to_owned(),
    });
    let demands: Vec<&Demand> = required.iter().chain(&asked).collect();
    let refusal = |python: &FoundPython| {
        demands
            .iter()
            .find(|demand| allows(&demand.text, python.release) == Some(false))
    };
    let Some(chosen) = pythons.iter().find(|python| refusal(python).is_none()) else {
        let refusal = pythons.first().and_then(refusal);
        let found: Vec<String> = pythons.iter().map(FoundPython::to_string).collect();
        return Err(ProjectError::BasePython {
            base: base.to_owned(),
            found: found.join(" and "),
            wanted: refusal.map_or_else(String::new, |demand| demand.text.clone()),
            said_by: refusal.map_or_else(String::new, |demand| demand.said_by.clone()),
        });
    };
    let [major, minor, _] = chosen.release;
    let detected = Detected {
        what: "python",
        value: chosen.to_string(),
        because: match pythons.first() == Some(chosen) {
            true => "the base starts it".to_owned(),
            false => "of those that the base has, it is the first that fits".to_owned(),
        },
    };
    let python = Python {
        version: format!("{major}.{minor}"),
        suite: None,
        interpreter: chosen.program.clone(),
    };
    Ok((python, detected))
}

fn by_settings(settings: &Settings) -> Result<Option<Offer>, ProjectError> {
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

/// The suite that was asked for, one of those that whit knows.
pub fn suite_of(settings: &Settings) -> Result<Option<&'static str>, ProjectError> {
    Ok(by_settings(settings)?.map(|offer| offer.suite))
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
            .map(|(python, why)| (python.suite.unwrap().to_owned(), why.because))
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

    #[test]
    fn of_a_base_the_first_that_fits() {
        let found = |program: &str, release| FoundPython {
            program: program.to_owned(),
            release,
        };
        let pythons = [
            found("/usr/local/bin/python3.12", [3, 12, 4]),
            found("/usr/bin/python3.11", [3, 11, 2]),
        ];
        let choose = |required: &str, asked: Option<&str>| {
            let required = [Demand {
                text: required.to_owned(),
                said_by: "requires-python".to_owned(),
            }];
            let settings = Settings {
                python: asked.map(str::to_owned),
                ..Settings::default()
            };
            choose_of_base("base.tar", &pythons, &settings, &required)
                .map(|(python, _)| python.interpreter)
                .map_err(|error| error.to_string())
        };
        assert_eq!(choose(">=3.9", None).unwrap(), pythons[0].program);
        assert_eq!(choose("<3.12", None).unwrap(), pythons[1].program);
        assert_eq!(choose(">=3.9", Some("3.11")).unwrap(), pythons[1].program);
        assert_eq!(
            choose(">=3.13", None).unwrap_err(),
            "requires-python wants Python >=3.13, and the base base.tar has 3.12.4 (/usr/local/bin/python3.12) and 3.11.2 (/usr/bin/python3.11)"
        );
        assert!(
            choose("", Some("3.13"))
                .unwrap_err()
                .starts_with("--python wants")
        );
    }
}
