//! `npm start`: what a package manager runs by the name of a script.

use super::manifest::Manifest;
use crate::reach::shell;

/// Scripts that run scripts, at most.
const MAX_SCRIPTS: usize = 64;

/// The texts of the scripts that a command runs, those with `pre` and `post`
/// before their names included, and those that they run. Empty if the command
/// is no package manager's.
pub(super) fn texts(manifest: &Manifest, command: &[String]) -> Vec<String> {
    let mut names: Vec<String> = script_name(command).into_iter().collect();
    let mut seen = Vec::new();
    let mut texts = Vec::new();
    while let Some(name) = names.pop() {
        if seen.contains(&name) || seen.len() > MAX_SCRIPTS {
            continue;
        }
        for name in [format!("pre{name}"), name.clone(), format!("post{name}")] {
            let Some(text) = manifest.scripts.get(&name) else {
                continue;
            };
            let commands = shell::commands(text);
            names.extend(commands.iter().filter_map(|words| script_name(words)));
            texts.push(text.clone());
        }
        seen.push(name);
    }
    texts
}

/// `npm start`, `npm run NAME`, `yarn NAME`, `pnpm run NAME`, with options
/// between; a shell or a wrapper may stand before it.
fn script_name(command: &[String]) -> Option<String> {
    let manager = |word: &String| {
        let name = word.rsplit('/').next().unwrap_or_default();
        matches!(name, "npm" | "yarn" | "pnpm" | "npm-cli.js")
    };
    let at = command.iter().position(manager)?;
    let mut words = command[at + 1..]
        .iter()
        .filter(|word| !word.starts_with('-'));
    let first = words.next()?;
    match first.as_str() {
        "run" | "run-script" => words.next().cloned(),
        _ => Some(first.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_run_scripts() {
        let manifest = Manifest::parse(
            br#"{"scripts": {"start": "npm run serve", "prestart": "echo x",
                "serve": "cross-env A=1 node .", "test": "jest"}}"#,
        )
        .unwrap();
        let of = |words: &[&str]| -> Vec<String> {
            texts(
                &manifest,
                &words
                    .iter()
                    .map(|word| (*word).to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let expected = ["echo x", "npm run serve", "cross-env A=1 node ."];
        assert_eq!(of(&["npm", "start"]), expected);
        assert_eq!(of(&["/usr/bin/npm", "--silent", "start"]), expected);
        assert_eq!(of(&["yarn", "test"]), ["jest"]);
        assert!(of(&["node", "start"]).is_empty());
    }
}
