//! Lists of paths as shell text, short enough to be read.

use std::collections::BTreeMap;

use whit_oci::ImagePath;

/// Characters of a line, about.
const WIDTH: usize = 100;
/// Bytes of one `RUN`: a program's argument has at most 128 KiB
/// (`MAX_ARG_STRLEN`, execve(2)), and the whole text is one.
const MOST: usize = 60_000;

/// `RUN` instructions that add paths, relative to the root, to the list `file`,
/// a folder's names behind its own: `of usr/bin env python3.11`. Every folder
/// comes before what is in it.
pub(super) fn instructions(paths: &[ImagePath], file: &str) -> Vec<String> {
    let mut groups: BTreeMap<ImagePath, Vec<String>> = BTreeMap::new();
    for path in paths {
        let folder = path.parent().unwrap_or_default();
        groups.entry(folder).or_default().push(text(path.name()));
    }
    let mut runs = Vec::new();
    let mut body = String::new();
    for (folder, names) in groups {
        let folder = match folder.is_root() {
            true => ".".to_owned(),
            false => text(folder.as_bytes()),
        };
        if body.len() > MOST {
            runs.push(run(&body, file));
            body.clear();
        }
        body.push_str(&command(&folder, &names, file, &mut runs));
    }
    if !body.is_empty() {
        runs.push(run(&body, file));
    }
    runs
}

/// `of FOLDER NAME...;` on lines of [`WIDTH`]. A folder that fills whole
/// instructions puts them into `runs`.
fn command(folder: &str, names: &[String], file: &str, runs: &mut Vec<String>) -> String {
    let head = format!("    of {folder}");
    let mut body = head.clone();
    let mut width = head.len();
    for name in names {
        if body.len() > MOST {
            body.push_str("; \\\n");
            runs.push(run(&body, file));
            body = head.clone();
            width = head.len();
        }
        if width + 1 + name.len() > WIDTH {
            body.push_str(" \\\n       ");
            width = 7;
        }
        body.push(' ');
        body.push_str(name);
        width += 1 + name.len();
    }
    body.push_str("; \\\n");
    body
}

fn run(body: &str, file: &str) -> String {
    format!(
        "RUN of() {{ folder=$1; shift; for name; do printf '%s\\n' \"$folder/$name\"; done; }}; \
         {{ \\\n{body}    }} >> {file}\n"
    )
}

/// A name as one word of a shell. Names were checked to be UTF-8 without
/// control characters.
pub(super) fn text(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    shlex::try_quote(&name).map_or_else(|_| name.to_string(), |quoted| quoted.into_owned())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// What a shell makes of the instructions, as an engine hands them to it.
    fn lists(paths: &[ImagePath]) -> (usize, String) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("list");
        let runs = instructions(paths, file.to_str().unwrap());
        for run in &runs {
            let text = run.strip_prefix("RUN ").unwrap().replace("\\\n", "");
            let done = Command::new("/bin/sh").args(["-c", &text]).status();
            assert!(done.unwrap().success());
        }
        (runs.len(), std::fs::read_to_string(&file).unwrap())
    }

    #[test]
    fn a_shell_reads_every_name() {
        let names = [
            "a",
            "a/it's",
            "a/two words",
            "a/$HOME",
            "a/#x",
            "a/b\\x2d",
            "a/ä",
            "a/-n",
            // Folder by folder.
            "a/b/*",
        ];
        let paths: Vec<ImagePath> = names.iter().map(|name| (*name).into()).collect();
        let wanted: String = std::iter::once("./a".to_owned())
            .chain(names[1..].iter().map(|name| (*name).to_owned()))
            .map(|name| name + "\n")
            .collect();
        assert_eq!(lists(&paths), (1, wanted));
    }

    #[test]
    fn long_lists_are_several_instructions() {
        let one: Vec<ImagePath> = (0..9_000)
            .map(|n| {
                format!("usr/lib/python3/site-packages/module{n}.py")
                    .as_str()
                    .into()
            })
            .collect();
        let (runs, list) = lists(&one);
        assert!(runs > 1, "{runs}");
        assert_eq!(list.lines().count(), one.len());
        for run in instructions(&one, "x") {
            assert!(run.len() < 100_000, "{}", run.len());
        }
    }
}
