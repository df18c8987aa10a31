//! What builds of source distributions use: their build requirements, which
//! no list of the project pins.
//!
//! uv tells them in its log only. They go into whit.lock, and the next build
//! is held to them, so that it makes the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::install::Session;
use super::installed::built;
use super::{Failure, Pin, Pinned};

impl Session<'_> {
    /// What the builds of this run used, with hashes. Where a build was not
    /// run because uv had its result, what was used back then.
    pub fn build_pins(
        &mut self,
        pinned: &Pinned,
        installed: &[Pin],
        log: &str,
    ) -> Result<Vec<Pin>, Failure> {
        if !pinned.build.is_empty() {
            return Ok(pinned.build.clone());
        }
        let mut names = used_in_builds(log);
        let notes = self.request.cache.join("builds");
        for pin in built(installed) {
            let version = pin.version.as_deref().unwrap_or("0");
            let note = notes.join(format!("{}-{}", pin.name, version.replace('/', "_")));
            if log.contains(&format!("Building {}", pin.name)) {
                let text = names.iter().cloned().collect::<Vec<_>>().join("\n");
                let _ = fs::create_dir_all(&notes).and_then(|()| fs::write(&note, text));
            } else if let Ok(text) = fs::read_to_string(&note) {
                names.extend(text.lines().map(str::to_owned));
            }
        }
        self.hashed(names)
    }

    /// Pins with hashes of `name==version` texts. A name that occurs in two
    /// versions cannot be held to either and is left out.
    pub fn hashed(&mut self, names: BTreeSet<String>) -> Result<Vec<Pin>, Failure> {
        let mut versions: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
        for text in &names {
            if let Some((name, _)) = text.split_once("==") {
                versions.entry(name).or_default().push(text);
            }
        }
        let single: Vec<String> = versions
            .into_values()
            .filter(|texts| texts.len() == 1)
            .flat_map(|texts| texts.into_iter().cloned())
            .collect();
        if single.is_empty() {
            return Ok(Vec::new());
        }
        let list = self
            .workshop()?
            .input("built-with.in", &(single.join("\n") + "\n"))
            .map_err(Failure::Error)?;
        let python = self.request.app.python.interpreter.clone();
        let words = ["pip", "compile", "--no-deps", "--python", &python];
        self.resolve("pinning what builds use", &words, &[list])
    }
}

/// `name==version` of everything that uv put into build environments:
/// "DEBUG Installing `cython==0.29.37`, `wheel==0.48.0` in `/...`".
pub fn used_in_builds(log: &str) -> BTreeSet<String> {
    log.lines()
        .filter_map(|line| line.trim_start().strip_prefix("DEBUG Installing "))
        .filter(|rest| rest.starts_with('`'))
        .flat_map(|rest| rest.split('`'))
        .filter(|part| part.contains("==") && !part.contains(' '))
        .map(str::to_owned)
        .collect()
}

/// The names of all that uv built: "   Building pyyaml==6.0.1".
pub fn builds(log: &str) -> impl Iterator<Item = &str> {
    log.lines()
        .filter_map(|line| line.trim_start().strip_prefix("Building "))
        .filter_map(|what| what.split([' ', '=']).next())
}

pub fn as_text(pin: &Pin) -> Option<String> {
    Some(format!("{}=={}", pin.name, pin.version.as_ref()?))
}

pub fn is_among(text: &str, build: &[Pin]) -> bool {
    build
        .iter()
        .any(|pin| as_text(pin).as_deref() == Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_requirements_are_read_from_uvs_log() {
        let log = "   Building pyyaml==6.0.1\nDEBUG Installing `cython==0.29.37`, `wheel==0.48.0` in `/t/cache/builds-v0/.tmpx`\nDEBUG Installing build requirements: wheel==0.48.0\n";
        let names: Vec<String> = used_in_builds(log).into_iter().collect();
        assert_eq!(names, ["cython==0.29.37", "wheel==0.48.0"]);
        let built = "   Building pyyaml==6.0.1\n   Building app @ file:///whit/src\n";
        assert!(builds(built).eq(["pyyaml", "app"]));
    }
}
