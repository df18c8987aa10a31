//! From words to programs: `PATH`, commands that run other commands, and
//! paths among arguments.

use std::collections::BTreeSet;

use whit_oci::{ImageConfig, ImagePath};

use super::Shebang;
use super::commands::{Script, assignment};
use crate::index::{FileId, Tree};
use crate::reach::{How, reach_path};
use crate::source::FatRoot;

/// Where programs are looked for without a `PATH` (what container engines
/// set).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Depth of commands that run commands.
const MAX_DEPTH: usize = 8;

/// Commands that run the command in their arguments. Between may be options,
/// their values, assignments, a user's name.
const WRAPPERS: [&str; 39] = [
    "busybox",
    "catchsegv",
    "chpst",
    "chroot",
    "chrt",
    "doas",
    "dumb-init",
    "env",
    "flock",
    "gosu",
    "ionice",
    "linux32",
    "linux64",
    "nice",
    "nohup",
    "numactl",
    "proxychains",
    "runuser",
    "s6-envdir",
    "s6-setuidgid",
    "setarch",
    "setpriv",
    "setsid",
    "softlimit",
    "stdbuf",
    "strace",
    "su-exec",
    "sudo",
    "taskset",
    "time",
    "timeout",
    "tini",
    "tini-static",
    "unbuffer",
    "unshare",
    "wait-for",
    "wait-for-it",
    "xargs",
    "xvfb-run",
];

/// Those whose first argument is a user or a folder, never a command.
const SWITCHES: [&str; 5] = ["chroot", "gosu", "s6-envdir", "s6-setuidgid", "su-exec"];

/// Commands that every shell has inside.
const BUILTINS: [&str; 60] = [
    ".",
    ":",
    "[",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "cd",
    "command",
    "compgen",
    "complete",
    "continue",
    "declare",
    "dirs",
    "disown",
    "echo",
    "enable",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "getopts",
    "hash",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "wait",
];

pub(super) fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "sh" | "bash" | "dash" | "ash" | "ksh" | "mksh" | "zsh" | "rbash"
    )
}

/// The path at which a program is found, as execvp(3) looks for it: a name
/// with a slash as it is (from `cwd`), any other in the folders of `path`.
/// The path may be a link; nothing is said of a file that cannot be executed.
pub fn resolve_program(tree: &Tree, path: &str, cwd: &ImagePath, name: &str) -> Option<ImagePath> {
    let runs = |path: &ImagePath| {
        let file = tree.lookup(path);
        file.is_some_and(|id| tree.node(id).is_executable())
    };
    if name.is_empty() || name.contains('$') {
        return None;
    }
    if name.contains('/') {
        return Some(cwd.join(name)).filter(runs);
    }
    path.split(':')
        .map(|folder| cwd.join(folder).join(name))
        .find(runs)
}

/// Finds the programs that commands run in an image.
pub struct Programs<'a> {
    tree: &'a Tree,
    path: String,
    cwd: ImagePath,
}

impl<'a> Programs<'a> {
    /// With the `PATH` and the working directory of the image.
    pub fn new(root: &'a FatRoot) -> Self {
        Self::of_config(&root.tree, &root.config)
    }

    /// With those of a configuration: an entry may have its own.
    pub fn of_config(tree: &'a Tree, config: &ImageConfig) -> Self {
        let path = config.env().into_iter().find(|(name, _)| name == "PATH");
        Self {
            tree,
            path: path.map_or_else(|| DEFAULT_PATH.to_owned(), |(_, value)| value),
            cwd: ImagePath::clamped(config.working_dir()),
        }
    }

    /// What an argument list needs that is executed as it is, without a
    /// shell: an entrypoint, a list given to `subprocess.run`. The program and
    /// the links that lead to it, commands inside of its arguments, and files
    /// that they name.
    pub fn of_argv(&self, argv: &[String]) -> Vec<(FileId, How)> {
        let mut reader = self.reader(&self.cwd);
        reader.command(argv, false, 0);
        reader.found
    }

    /// What a shell text needs, such as the argument of `sh -c` or of
    /// `os.system`. The shell itself is not among it.
    pub fn of_text(&self, text: &str) -> Vec<(FileId, How)> {
        self.of_script(&Script::parse(text), &self.cwd)
    }

    /// As [`Programs::of_text`], for a script that lies in `folder`.
    pub fn of_script(&self, script: &Script, folder: &ImagePath) -> Vec<(FileId, How)> {
        let mut reader = self.reader(folder);
        reader.script(script, 0);
        reader.found
    }

    /// The interpreter of a script, and behind `env` the program that it
    /// looks up.
    pub fn interpreter(&self, first: &Shebang) -> Vec<(FileId, How)> {
        let path = self.cwd.join(&first.interpreter);
        let mut found = reach_path(self.tree, &path, How::Interpreter);
        if first.is_env()
            && let Some(program) = first.words.first().and_then(|name| self.resolve(name))
        {
            found.extend(reach_path(self.tree, &program, How::Interpreter));
        }
        found
    }

    /// The folders that programs are looked for in.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where a program is found; see [`resolve_program`].
    pub fn resolve(&self, name: &str) -> Option<ImagePath> {
        resolve_program(self.tree, &self.path, &self.cwd, name)
    }

    fn reader<'p>(&'p self, folder: &'p ImagePath) -> Reader<'p, 'a> {
        Reader {
            programs: self,
            folder,
            functions: BTreeSet::new(),
            found: Vec::new(),
        }
    }
}

struct Reader<'p, 'a> {
    programs: &'p Programs<'a>,
    /// The folder of the script: where relative names may be meant from, too.
    folder: &'p ImagePath,
    functions: BTreeSet<String>,
    found: Vec<(FileId, How)>,
}

impl Reader<'_, '_> {
    fn script(&mut self, script: &Script, depth: usize) {
        self.functions.extend(script.functions.iter().cloned());
        for command in &script.commands {
            self.command(command, true, depth);
        }
        for word in &script.words {
            self.named(word);
        }
    }

    fn text(&mut self, text: &str, depth: usize) {
        self.script(&Script::parse(text), depth);
    }

    /// One command. In a shell, its own commands and functions go first.
    fn command(&mut self, words: &[String], in_shell: bool, depth: usize) {
        let Some((name, arguments)) = words.split_first() else {
            return;
        };
        if depth > MAX_DEPTH {
            return;
        }
        for word in words {
            self.named(word);
        }
        let base = name.rsplit('/').next().unwrap_or_default();
        if in_shell && self.functions.contains(name) {
            return;
        }
        if in_shell && BUILTINS.contains(&name.as_str()) {
            return self.builtin(name, arguments, depth);
        }
        self.runs(name);
        if is_shell(base) || base == "su" || base == "runuser" {
            self.text_after_c(arguments, depth);
        }
        if base == "find" {
            let marks = ["-exec", "-execdir", "-ok", "-okdir"];
            for at in 0..arguments.len() {
                if marks.contains(&arguments[at].as_str()) {
                    self.command(&arguments[at + 1..], false, depth + 1);
                }
            }
        }
        if WRAPPERS.contains(&base) {
            // A user may be called as a program is: `gosu postgres initdb`.
            let first = arguments.iter().position(|word| !word.starts_with('-'));
            let skipped = first
                .filter(|_| SWITCHES.contains(&base))
                .map_or(0, |at| at + 1);
            self.wrapped(&arguments[skipped..], depth);
        }
    }

    fn builtin(&mut self, name: &str, arguments: &[String], depth: usize) {
        match name {
            "." | "source" => {
                if let Some(file) = arguments.first() {
                    self.sourced(file);
                }
            }
            "exec" => self.wrapped(arguments, depth),
            // `command -v NAME` asks whether there is one, mostly to run it.
            "command" | "builtin" | "type" | "hash" => self.wrapped(arguments, depth),
            "eval" => self.text(&arguments.join(" "), depth + 1),
            "trap" => {
                if let Some(text) = arguments.iter().find(|word| !word.starts_with('-')) {
                    self.text(text, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// `sh -c TEXT`, with other options before or joined (`-ec`).
    fn text_after_c(&mut self, arguments: &[String], depth: usize) {
        let is_c = |word: &String| {
            word.starts_with('-') && !word.starts_with("--") && word.ends_with('c')
                || word == "--command"
        };
        if let Some(at) = arguments.iter().position(is_c)
            && let Some(text) = arguments.get(at + 1)
        {
            self.text(text, depth + 1);
        }
    }

    /// The command behind a wrapper: the first word that can be one.
    fn wrapped(&mut self, arguments: &[String], depth: usize) {
        for (at, word) in arguments.iter().enumerate() {
            let is_option = word.starts_with('-') || assignment(word).is_some();
            if !is_option && self.programs.resolve(word).is_some() {
                return self.command(&arguments[at..], false, depth + 1);
            }
        }
    }

    fn runs(&mut self, name: &str) {
        let programs = self.programs;
        let here = || {
            let path = self.folder.join(name);
            let file = programs.tree.lookup(&path)?;
            (name.contains('/') && programs.tree.node(file).is_executable()).then_some(path)
        };
        if let Some(path) = programs.resolve(name).or_else(here) {
            self.reach(&path, How::Runs(name.to_owned()));
        }
    }

    fn sourced(&mut self, name: &str) {
        let programs = self.programs;
        let candidates = [self.folder.join(name), programs.cwd.join(name)];
        for path in candidates {
            let is_file = |id: FileId| programs.tree.node(id).is_file();
            if programs.tree.lookup(&path).is_some_and(is_file) {
                // Before a plain naming of the same file.
                let edges = reach_path(programs.tree, &path, How::Runs(format!(". {name}")));
                self.found.splice(0..0, edges);
                return;
            }
        }
    }

    /// Paths in a word: the whole of it, or what stands behind `=`, `:` and
    /// quotes.
    fn named(&mut self, word: &str) {
        let is_path = |c: char| c.is_alphanumeric() || "/._+-@~%,".contains(c);
        for piece in word.split(|c: char| !is_path(c)) {
            let is_absolute = piece.starts_with('/') && piece.len() > 1;
            let is_relative = piece.contains('/') || piece.contains('.');
            if is_absolute {
                self.name(&ImagePath::clamped(piece), piece);
            } else if is_relative && piece.len() == word.len() {
                self.name(&self.programs.cwd.join(piece), piece);
                self.name(&self.folder.join(piece), piece);
            }
        }
    }

    fn name(&mut self, path: &ImagePath, text: &str) {
        let is_kernels = ["dev", "proc", "sys"]
            .iter()
            .any(|folder| path.starts_with(&(*folder).into()));
        if !is_kernels && !path.is_root() {
            self.reach(path, How::Named(text.to_owned()));
        }
    }

    fn reach(&mut self, path: &ImagePath, how: How) {
        self.found.extend(reach_path(self.programs.tree, path, how));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestRoot, root};

    fn image() -> TestRoot {
        root(
            &[
                "*bin/sh",
                "*usr/bin/echo",
                "*usr/bin/date",
                "*usr/bin/env",
                "*usr/bin/timeout",
                "*usr/bin/tini",
                "*usr/bin/python3",
                "*usr/bin/find",
                "*usr/bin/gzip",
                "*app/run.sh",
                "app/conf.toml",
                "usr/bin/readme",
            ],
            &["PATH=/bin:/usr/bin"],
        )
    }

    fn argv(words: &[&str]) -> Vec<String> {
        let mut test = image();
        test.root.config.set_exec("WorkingDir", "/app".into());
        let words = Vec::from_iter(words.iter().map(|word| (*word).to_owned()));
        let mut names = test.names(&Programs::new(&test.root).of_argv(&words));
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn programs_are_found_in_path_or_by_path() {
        let test = image();
        let find = |name| resolve_program(&test.root.tree, "/usr/bin:/bin", &"app".into(), name);
        assert_eq!(find("sh"), Some("bin/sh".into()));
        assert_eq!(find("./run.sh"), Some("app/run.sh".into()));
        assert_eq!(find("readme"), None, "it cannot be executed");
        assert_eq!(find("$X"), None);
    }

    #[test]
    fn without_a_shell_echo_is_a_program() {
        assert_eq!(argv(&["echo", "x"]), ["/usr/bin/echo"]);
        assert_eq!(
            argv(&["sh", "-ec", "echo x; date"]),
            ["/bin/sh", "/usr/bin/date"]
        );
    }

    #[test]
    fn commands_that_run_commands() {
        assert_eq!(
            argv(&[
                "tini", "--", "env", "A=1", "timeout", "-s", "KILL", "5", "python3", "x"
            ]),
            [
                "/usr/bin/env",
                "/usr/bin/python3",
                "/usr/bin/timeout",
                "/usr/bin/tini"
            ]
        );
        assert_eq!(
            argv(&["find", "/app", "-exec", "gzip", "{}", ";"]),
            ["/app", "/usr/bin/find", "/usr/bin/gzip"]
        );
    }

    #[test]
    fn arguments_name_files() {
        assert_eq!(
            argv(&[
                "./run.sh",
                "--config=/app/conf.toml",
                "conf.toml",
                "/dev/null"
            ]),
            ["/app/conf.toml", "/app/run.sh"]
        );
    }

    #[test]
    fn functions_hide_programs() {
        let test = image();
        let edges = Programs::new(&test.root).of_text("date() { gzip; }; date");
        assert_eq!(test.names(&edges), ["/usr/bin/gzip"]);
    }
}
