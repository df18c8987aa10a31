//! Which Node a project wants, and which Debian has it.

use serde_json::Value;

use super::Clues;
use crate::source::project::{Folder, ProjectError};

/// What there is to choose from, the preferred one first.
const OFFERED: [(u32, u32, &str); 2] = [(20, 19, "trixie"), (18, 20, "bookworm")];

/// A demand on the version: the text and who says so.
pub struct Demand {
    text: String,
    said_by: &'static str,
}

/// The Node of a release of Debian.
pub struct Chosen {
    pub suite: &'static str,
    pub value: String,
    pub because: String,
}

impl Demand {
    /// `engines.node`, else what version managers read.
    pub fn of(folder: &Folder, package: &Value) -> Result<Self, ProjectError> {
        if let Some(text) = package["engines"]["node"].as_str() {
            return Ok(Self {
                text: text.to_owned(),
                said_by: "engines in package.json",
            });
        }
        for name in [".nvmrc", ".node-version"] {
            if let Some(text) = folder.read(name)? {
                return Ok(Self {
                    text: text.trim().to_owned(),
                    said_by: name,
                });
            }
        }
        Ok(Self {
            text: "*".to_owned(),
            said_by: "nothing",
        })
    }

    pub fn choose(&self, clues: &Clues<'_>) -> Result<Chosen, ProjectError> {
        let asked = super::super::python::suite_of(clues.settings)?;
        let offered = OFFERED
            .iter()
            .filter(|(_, _, suite)| asked.is_none_or(|asked| asked == *suite));
        let chosen = offered
            .clone()
            .find(|(major, minor, _)| allows(&self.text, (*major, *minor)));
        // A base brings its own.
        let chosen = chosen.or(offered.clone().next().filter(|_| clues.base.is_some()));
        match chosen {
            Some((major, _, suite)) => Ok(Chosen {
                suite,
                value: format!("{major} (Debian {suite})"),
                because: match (asked, self.text.as_str()) {
                    (Some(_), _) => "it was asked for".to_owned(),
                    (None, "*") => "it is the newest that Debian has".to_owned(),
                    (None, text) => format!("{} says {text:?}", self.said_by),
                },
            }),
            None => Err(ProjectError::NoNode {
                wanted: self.text.clone(),
                said_by: self.said_by,
            }),
        }
    }
}

/// True if a range (npm's semver, "Ranges") allows a release; what is not
/// understood allows everything.
fn allows(range: &str, release: (u32, u32)) -> bool {
    range.split("||").any(|set| {
        if let Some((low, high)) = set.split_once(" - ") {
            return holds(">=", low, release) && holds("<=", high, release);
        }
        comparators(set)
            .iter()
            .all(|(operator, version)| holds(operator, version, release))
    })
}

/// Pairs of an operator and a version; spaces between them mean nothing.
fn comparators(set: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for word in set.split_whitespace() {
        let start = word.trim_start_matches(['<', '>', '=', '^', '~']);
        let operator = &word[..word.len() - start.len()];
        match found.last_mut() {
            Some((_, version)) if version.is_empty() => start.clone_into(version),
            _ => found.push((operator.to_owned(), start.to_owned())),
        }
    }
    found
}

fn holds(operator: &str, version: &str, (major, minor): (u32, u32)) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.parse::<u32>().ok());
    let Some(wanted) = numbers.next().flatten() else {
        return true;
    };
    let wanted_minor = numbers.next().flatten();
    let least = (wanted, wanted_minor.unwrap_or(0));
    match (operator, wanted_minor) {
        (">=", _) => (major, minor) >= least,
        (">", None) => major > wanted,
        (">", Some(_)) => (major, minor) >= least,
        ("<", _) => (major, minor) < least,
        ("<=", None) => major <= wanted,
        ("<=", Some(_)) => (major, minor) <= least,
        ("~", Some(wanted_minor)) => major == wanted && minor == wanted_minor,
        ("^", _) => major == wanted && minor >= least.1,
        // An exact version of `.nvmrc` is a wish for the line that it is of:
        // Debian has the newest of each.
        _ => major == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let node20 = (20, 19);
        for range in [
            "*",
            ">=18",
            ">= 18.0.0",
            "20.x",
            "20",
            "v20.1.0",
            "^20.5.0",
            "18 || 20",
            ">=18 <21",
            "18.0.0 - 20.99.0",
            "lts/*",
            "",
            ">=20.19.0",
            "~20.19",
        ] {
            assert!(allows(range, node20), "{range}");
        }
        for range in [
            ">=22", "18.x", "^18.1", "<20", ">20", "22 || 24", "^20.99", "v22.3.0",
        ] {
            assert!(!allows(range, node20), "{range}");
        }
    }
}
