//! Finding the Python interpreter that an image's command starts, and what it
//! is told to run.

use whit_oci::ImagePath;

use super::distributions::Read;
use crate::index::{FileId, Tree};

/// An interpreter as the image calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The path by which it is started. A virtual environment's link must be
    /// started by that name: it tells the environment.
    pub program: ImagePath,
    /// The file behind all links.
    pub file: FileId,
    /// Options that change what it finds (`-I`, `-S`, `-O`, `-X utf8`).
    pub options: Vec<String>,
}

impl Interpreter {
    /// True if both find the same modules: one program, under whatever name,
    /// and not of different virtual environments.
    pub fn is_like(&self, other: &Self, tree: &Tree) -> bool {
        let environment = |python: &Self| {
            let folder = python.program.parent()?;
            let root = folder.parent()?;
            tree.lookup(&root.join("pyvenv.cfg")).map(|_| root)
        };
        self.file == other.file && environment(self) == environment(other)
    }
}

/// What a command comes down to, as far as Python is concerned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    pub interpreter: Option<Interpreter>,
    /// Scripts that it runs.
    pub scripts: Vec<FileId>,
    /// Modules that it runs by `-m`.
    pub modules: Vec<String>,
    /// Code given by `-c`.
    pub code: Vec<String>,
    /// The other words of the command: `app.main:app` may be among them.
    pub words: Vec<String>,
}

impl Launch {
    /// Adds what another command of the same program starts.
    pub fn also(&mut self, other: Launch) {
        self.interpreter = self.interpreter.take().or(other.interpreter);
        self.scripts.extend(other.scripts);
        self.modules.extend(other.modules);
        self.code.extend(other.code);
        self.words.extend(other.words);
    }
}

/// How many programs may start one another.
const DEEPEST: usize = 8;
/// Scripts larger than this are not read for their first line.
const LARGEST_SCRIPT: u64 = 1 << 20;

/// Follows a command (entrypoint and arguments) to Python: through `PATH`,
/// first lines, `sh -c`, shell scripts and small wrappers such as `tini`.
pub fn find(
    tree: &Tree,
    read: &Read,
    argv: &[String],
    search: &[ImagePath],
    cwd: &ImagePath,
) -> Launch {
    let finder = Finder {
        tree,
        read,
        search,
        cwd,
    };
    let mut launch = Launch::default();
    finder.follow(argv, 0, &mut launch);
    launch
}

/// The interpreter that the image has, the most special one first: for
/// commands that lead to none.
pub fn any(tree: &Tree, search: &[ImagePath]) -> Option<Interpreter> {
    let mut folders: Vec<ImagePath> = tree
        .iter()
        .filter(|(_, node)| node.path.name() == b"pyvenv.cfg")
        .filter_map(|(_, node)| node.path.parent())
        .map(|dir| dir.join("bin"))
        .collect();
    folders.extend(["opt/conda/bin", "usr/local/bin", "usr/bin", "bin"].map(ImagePath::from));
    folders.extend(search.iter().cloned());
    folders.iter().find_map(|dir| {
        ["python", "python3"].iter().find_map(|name| {
            let path = dir.join(name);
            let file = tree.lookup(&path)?;
            tree.node(file).is_file().then(|| Interpreter {
                program: path,
                file,
                options: Vec::new(),
            })
        })
    })
}

impl Interpreter {
    /// The command line that starts it, for [`super::Facts::gather`].
    pub fn argv(&self) -> Vec<String> {
        let mut argv = vec![self.program.to_string()];
        argv.extend(self.options.iter().cloned());
        argv
    }
}

struct Finder<'a> {
    tree: &'a Tree,
    read: &'a Read<'a>,
    search: &'a [ImagePath],
    cwd: &'a ImagePath,
}

impl Finder<'_> {
    /// True if the command leads to Python.
    fn follow(&self, argv: &[String], depth: usize, launch: &mut Launch) -> bool {
        let Some((program, rest)) = argv.split_first() else {
            return false;
        };
        if depth == DEEPEST {
            return false;
        }
        let Some((path, file)) = self.program(program) else {
            return false;
        };
        if is_python(self.tree.path(file).name()) {
            self.python(path, file, rest, launch);
            return true;
        }
        let name = self.tree.path(file).name();
        if matches!(name, b"sh" | b"bash" | b"dash" | b"ash" | b"busybox")
            && let Some(at) = rest.iter().position(|word| is_command_option(word))
        {
            let line = rest.get(at + 1).map(String::as_str).unwrap_or_default();
            // `sh -c 'exec "$@"' -- python app.py`
            return self.line(line, depth, launch) || self.anywhere(&rest[at + 1..], depth, launch);
        }
        match self.first_line(file) {
            Some(line) => self.script(&line, path, file, rest, depth, launch),
            // A wrapper: what it starts is among its arguments.
            None => self.anywhere(rest, depth, launch),
        }
    }

    /// `python [options] [-c code | -m module | script | -] [words]`.
    fn python(&self, path: ImagePath, file: FileId, rest: &[String], launch: &mut Launch) {
        let mut options = Vec::new();
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
                if let Some((_, script)) = self.place(word) {
                    launch.scripts.push(script);
                }
                break;
            };
            if flags.starts_with('-') {
                continue;
            }
            // `-Bm module`: the last letter takes the argument.
            match flags.find(['m', 'c', 'W', 'X']) {
                Some(at) => {
                    let attached = &flags[at + 1..];
                    let argument = if attached.is_empty() {
                        words.next().cloned().unwrap_or_default()
                    } else {
                        attached.to_owned()
                    };
                    if at > 0 {
                        options.push(format!("-{}", &flags[..at]));
                    }
                    match flags.as_bytes()[at] {
                        b'm' => {
                            launch.modules.push(argument);
                            break;
                        }
                        b'c' => {
                            launch.code.push(argument);
                            break;
                        }
                        b'X' => options.extend(["-X".to_owned(), argument]),
                        _ => {}
                    }
                }
                None => options.push(word.clone()),
            }
        }
        launch.words.extend(words.cloned());
        options.retain(|option| {
            option == "-X"
                || !option.starts_with('-')
                || option[1..].chars().all(|c| "IESsOPBu".contains(c))
        });
        if launch.interpreter.is_none() {
            launch.interpreter = Some(Interpreter {
                program: path,
                file,
                options,
            });
        }
    }

    /// A script: Python's, or a shell's that may start Python.
    fn script(
        &self,
        line: &str,
        path: ImagePath,
        file: FileId,
        rest: &[String],
        depth: usize,
        launch: &mut Launch,
    ) -> bool {
        let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if words.first().is_some_and(|word| word.ends_with("/env")) {
            words.remove(0);
            words.retain(|word| word != "-S" && !word.contains('='));
        }
        let text = self.text(file);
        // pip's way around long first lines: `'''exec' /a/python "$0" "$@"`.
        if let Some(exec) = text
            .lines()
            .nth(1)
            .and_then(|l| l.strip_prefix("'''exec' "))
        {
            words = exec
                .split_whitespace()
                .map(|word| word.trim_matches('"').to_owned())
                .take_while(|word| !word.starts_with('$'))
                .collect();
        }
        words.push(path.to_string());
        words.extend(rest.iter().cloned());
        if let Some((path, interpreter)) = words.first().and_then(|word| self.program(word))
            && is_python(self.tree.path(interpreter).name())
        {
            self.python(path, interpreter, &words[1..], launch);
            // The script itself, whatever its name.
            if !launch.scripts.contains(&file) {
                launch.scripts.push(file);
            }
            return true;
        }
        let mut found = false;
        for line in text.lines() {
            found |= self.line(line, depth, launch);
        }
        // `exec "$@"`
        self.anywhere(rest, depth, launch) || found
    }

    /// A line of shell: every place where a command may stand.
    fn line(&self, line: &str, depth: usize, launch: &mut Launch) -> bool {
        let mut found = false;
        for part in line.split([';', '|', '&', '(', ')', '`']) {
            let words: Vec<String> = shlex::split(part)
                .unwrap_or_else(|| part.split_whitespace().map(str::to_owned).collect());
            let from = words
                .iter()
                .position(|word| {
                    !word.contains('=')
                        && !matches!(
                            word.as_str(),
                            "exec"
                                | "if"
                                | "then"
                                | "else"
                                | "do"
                                | "while"
                                | "until"
                                | "!"
                                | "time"
                                | "eval"
                        )
                })
                .unwrap_or(words.len());
            // Only Python is looked for: a shell script starts many programs.
            if words
                .get(from)
                .is_some_and(|word| self.leads_to_python(word))
            {
                found |= self.follow(&words[from..], depth + 1, launch);
            }
        }
        found
    }

    fn leads_to_python(&self, word: &str) -> bool {
        self.program(word).is_some_and(|(_, file)| {
            is_python(self.tree.path(file).name())
                || self
                    .first_line(file)
                    .is_some_and(|line| line.contains("python"))
                || self
                    .first_line(file)
                    .is_some_and(|line| line.contains("sh") && self.text(file).contains("python"))
        })
    }

    /// The first argument from which a command leads to Python.
    fn anywhere(&self, words: &[String], depth: usize, launch: &mut Launch) -> bool {
        (0..words.len().min(16)).any(|from| self.follow(&words[from..], depth + 1, launch))
    }

    /// The program that a word starts: its path as called, and its file.
    fn program(&self, word: &str) -> Option<(ImagePath, FileId)> {
        if word.is_empty() {
            return None;
        }
        if word.contains('/') {
            return self.place(word);
        }
        self.search.iter().find_map(|dir| {
            let path = dir.join(word);
            let file = self.tree.lookup(&path)?;
            self.tree.node(file).is_executable().then_some((path, file))
        })
    }

    fn place(&self, word: &str) -> Option<(ImagePath, FileId)> {
        let path = self.cwd.join(word);
        let file = self.tree.lookup(&path)?;
        self.tree.node(file).is_file().then_some((path, file))
    }

    fn text(&self, file: FileId) -> String {
        if self.tree.node(file).size() > LARGEST_SCRIPT {
            return String::new();
        }
        (self.read)(file)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// What follows `#!`.
    fn first_line(&self, file: FileId) -> Option<String> {
        let text = self.text(file);
        let line = text.lines().next()?.strip_prefix("#!")?;
        Some(line.trim().to_owned())
    }
}

/// `python`, `python3`, `python3.11`, `python3.13t`; not `python3-config`.
fn is_python(name: &[u8]) -> bool {
    name.strip_prefix(b"python").is_some_and(|rest| {
        rest.iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b't' | b'd' | b'm'))
    })
}

/// `-c`, `-lc`, `-ec`.
fn is_command_option(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|flags| !flags.starts_with('-') && flags.ends_with('c'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::reach::python::testing::executables;

    fn launch(command: &str) -> BTreeMap<&'static str, String> {
        let (tree, read) = executables(&[
            ("usr/bin/python3.11", "\x7fELF"),
            ("usr/bin/python3 -> python3.11", ""),
            ("app/venv/bin/python -> /usr/bin/python3", ""),
            ("app/venv/pyvenv.cfg", "home = /usr/bin"),
            (
                "app/venv/bin/gunicorn",
                "#!/app/venv/bin/python\nimport x\n",
            ),
            (
                "app/venv/bin/long",
                "#!/bin/sh\n'''exec' /app/venv/bin/python \"$0\" \"$@\"\n' '''\n",
            ),
            ("app/main.py", "#!/usr/bin/env -S python3 -u\n"),
            (
                "app/start.sh",
                "#!/bin/sh\nset -e\nPORT=1 exec gunicorn app:app -b :$PORT\n",
            ),
            ("app/entry.sh", "#!/bin/sh\nexec \"$@\"\n"),
            ("bin/sh -> dash", ""),
            ("bin/dash", "\x7fELF"),
            ("sbin/tini", "\x7fELF"),
        ]);
        let argv = shlex::split(command).unwrap();
        let search = ["app/venv/bin", "usr/bin", "bin", "sbin"].map(ImagePath::from);
        let launch = find(&tree, &read, &argv, &search, &"app".into());
        let interpreter = launch.interpreter.or_else(|| any(&tree, &search)).unwrap();
        assert_eq!(tree.path(interpreter.file), &"usr/bin/python3.11".into());
        BTreeMap::from([
            ("argv", interpreter.argv().join(" ")),
            (
                "scripts",
                launch
                    .scripts
                    .iter()
                    .map(|id| tree.path(*id).to_string())
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            ("modules", launch.modules.join(" ")),
            ("words", launch.words.join(" ")),
        ])
    }

    #[test]
    fn commands_lead_to_python() {
        for (command, argv, scripts, modules, words) in [
            (
                "python main.py --x",
                "/app/venv/bin/python",
                "/app/main.py",
                "",
                "--x",
            ),
            (
                "python3 -IBm app.main -v",
                "/usr/bin/python3 -IB",
                "",
                "app.main",
                "-v",
            ),
            (
                "/usr/bin/python3 -X utf8 -W ignore -O main.py",
                "/usr/bin/python3 -X utf8 -O",
                "/app/main.py",
                "",
                "",
            ),
            (
                "gunicorn app:app -k gthread",
                "/app/venv/bin/python",
                "/app/venv/bin/gunicorn",
                "",
                "app:app -k gthread",
            ),
            (
                "long a",
                "/app/venv/bin/python",
                "/app/venv/bin/long",
                "",
                "a",
            ),
            (
                "./main.py a",
                "/usr/bin/python3 -u",
                "/app/main.py",
                "",
                "a",
            ),
            (
                "tini -- python -m app",
                "/app/venv/bin/python",
                "",
                "app",
                "",
            ),
            (
                "sh -c 'cd /app && exec python -m a.b'",
                "/app/venv/bin/python",
                "",
                "a.b",
                "",
            ),
            (
                "/app/start.sh",
                "/app/venv/bin/python",
                "/app/venv/bin/gunicorn",
                "",
                "app:app -b :$PORT",
            ),
            (
                "/app/entry.sh python main.py",
                "/app/venv/bin/python",
                "/app/main.py",
                "",
                "",
            ),
            ("sh -c 'sleep 1'", "/app/venv/bin/python", "", "", ""),
        ] {
            let found = launch(command);
            assert_eq!(found["argv"], argv, "{command}");
            assert_eq!(found["scripts"], scripts, "{command}");
            assert_eq!(found["modules"], modules, "{command}");
            assert_eq!(found["words"], words, "{command}");
        }
    }

    #[test]
    fn names_of_interpreters() {
        assert!(is_python(b"python3.13t"));
        assert!(!is_python(b"python3-config"));
        assert!(!is_python(b"pythonista"));
    }
}
