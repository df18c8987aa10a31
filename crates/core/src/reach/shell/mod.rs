//! Scripts: who interprets them, and what shell scripts and settings run.

mod commands;
mod literals;
mod programs;
mod settings;
mod words;

use std::fs::File;
use std::io::Read;

pub use commands::{Script, commands};
pub use programs::{Programs, resolve_program};
pub use words::{Token, Tokens};

use super::{Analyzer, Cause, Found, How};
use crate::index::{FileId, PackageKind};
use crate::source::FatRoot;

/// Bytes of a script that are read.
const MAX_SCRIPT: u64 = 1 << 20;
/// Bytes of the first line that the kernel looks at (`BINPRM_BUF_SIZE`).
const MAX_FIRST_LINE: usize = 256;

/// Follows `#!` lines, and the commands of shell scripts.
pub struct Shell<'a> {
    root: &'a FatRoot,
    programs: Programs<'a>,
}

impl<'a> Shell<'a> {
    pub fn new(root: &'a FatRoot) -> Self {
        Self {
            root,
            programs: Programs::new(root),
        }
    }

    fn read(&self, file: FileId) -> Option<Vec<u8>> {
        let mut open = File::open(self.root.content(file)?).ok()?;
        let mut head = vec![0; 2];
        open.read_exact(&mut head).ok()?;
        let name = self.root.tree.path(file).name();
        // Most files are neither.
        if head != b"#!" && !name.ends_with(b".sh") {
            return None;
        }
        open.take(MAX_SCRIPT - 2).read_to_end(&mut head).ok()?;
        Some(head)
    }

    /// The content of a file that is no longer than scripts are.
    fn whole(&self, file: FileId) -> Option<Vec<u8>> {
        let fits = self.root.tree.node(file).size() <= MAX_SCRIPT;
        let host = self.root.content(file).filter(|_| fits)?;
        std::fs::read(host).ok()
    }

    /// True for a script that a package brought and that is kept because its
    /// folder is: OpenSSL's `CA.pl` must not keep Perl.
    fn is_only_data(&self, file: FileId, cause: &Cause) -> bool {
        let tree = &self.root.tree;
        let by_system = tree.node(file).package.is_some_and(|id| {
            matches!(tree.package(id).kind, PackageKind::Dpkg | PackageKind::Apk)
        });
        by_system
            && matches!(
                cause.how,
                How::Named(_)
                    | How::PackageData(_)
                    | How::PackageMetadata(_)
                    | How::Config(_)
                    | How::Depends(_)
                    | How::Surroundings(_)
            )
    }

    /// True for a script in a package of Node that is kept because packages
    /// stay whole: they hold scripts for those who build them. Who runs one
    /// says so.
    fn is_only_kept(&self, file: FileId, cause: &Cause) -> bool {
        let tree = &self.root.tree;
        let is_nodes = tree
            .node(file)
            .package
            .is_some_and(|id| tree.package(id).kind == PackageKind::Node);
        is_nodes && matches!(cause.how, How::PackageData(_))
    }

    fn script(&self, file: FileId, bytes: &[u8], found: &mut Found) {
        let folder = self.root.tree.path(file).parent().unwrap_or_default();
        let script = Script::parse(&String::from_utf8_lossy(bytes));
        found
            .edges
            .extend(self.programs.of_script(&script, &folder));
        found.edges.retain(|(id, _)| *id != file);
    }
}

impl Analyzer for Shell<'_> {
    fn follow(&self, file: FileId) -> Found {
        let cause = Cause {
            from: None,
            how: How::Command,
        };
        self.follow_caused(file, &cause)
    }

    /// A file that a script reads with `.` is a script, whatever its name; and
    /// an interpreter is not kept for a package's script that nobody runs.
    fn follow_caused(&self, file: FileId, cause: &Cause) -> Found {
        let mut found = Found::default();
        let node = self.root.tree.node(file);
        if !node.is_file() {
            return found;
        }
        if matches!(&cause.how, How::Runs(command) if command.starts_with(". ")) {
            if let Some(bytes) = self.whole(file) {
                self.script(file, &bytes, &mut found);
            }
            return found;
        }
        if node.package.is_none()
            && literals::is_code(&node.path)
            && let Some(bytes) = self.whole(file)
        {
            let code = String::from_utf8_lossy(&bytes);
            for command in literals::commands(&code) {
                found.edges.extend(self.programs.of_text(command));
            }
        }
        if settings::is_settings(&self.root.tree, file)
            && let Some(bytes) = self.whole(file)
            && let Ok(text) = std::str::from_utf8(&bytes)
        {
            let named = settings::named(&self.root.tree, &self.programs, text);
            found.edges.extend(named);
            found.edges.retain(|(id, _)| *id != file);
        }
        // A module's first line is for those who run it as a program.
        if matches!(cause.how, How::Import(_)) {
            return found;
        }
        if self.is_only_kept(file, cause) {
            return found;
        }
        let Some(bytes) = self.read(file) else {
            return found;
        };
        let Some(first) = shebang(&bytes) else {
            // Meant to be sourced.
            self.script(file, &bytes, &mut found);
            return found;
        };
        if !first.is_shell() && self.is_only_data(file, cause) {
            return found;
        }
        let program = self.programs.interpreter(&first);
        if program.is_empty() && node.is_executable() {
            let name = &first.interpreter;
            found.warnings.push(format!(
                "{} is run by {name}, which the image does not have",
                node.path
            ));
        }
        found.edges.extend(program);
        if first.is_shell() {
            self.script(file, &bytes, &mut found);
        }
        found
    }
}

/// The first line of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shebang {
    /// What the kernel starts.
    pub interpreter: String,
    /// Behind `env`, what that starts: a name to be looked up in `PATH`, and
    /// its arguments. Else the interpreter's single argument, if any.
    pub words: Vec<String>,
}

impl Shebang {
    pub fn is_env(&self) -> bool {
        self.interpreter.rsplit('/').next() == Some("env")
    }

    /// The name of the program that reads the script.
    pub fn program(&self) -> &str {
        let path = match self.words.first() {
            Some(word) if self.is_env() => word,
            _ => &self.interpreter,
        };
        path.rsplit('/').next().unwrap_or_default()
    }

    pub fn is_shell(&self) -> bool {
        programs::is_shell(self.program())
            || (self.program() == "busybox" && self.words.last().is_some_and(|w| w == "sh"))
    }
}

/// Reads `#!INTERPRETER [ARGUMENT]` (execve(2)); behind `env`, options and
/// assignments are stepped over and `-S` splits the rest.
pub fn shebang(bytes: &[u8]) -> Option<Shebang> {
    let rest = bytes.strip_prefix(b"#!")?;
    let line = rest.split(|b| *b == b'\n').next()?;
    let line = &line[..line.len().min(MAX_FIRST_LINE - 2)];
    let line = std::str::from_utf8(line)
        .ok()?
        .trim_matches([' ', '\t', '\r']);
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim();
    if interpreter.is_empty() {
        return None;
    }
    let mut first = Shebang {
        interpreter: interpreter.to_owned(),
        words: Vec::new(),
    };
    if first.is_env() {
        let text = argument
            .strip_prefix("--split-string=")
            .or(argument.strip_prefix("-S"))
            .unwrap_or(argument);
        let words = commands::commands(text)
            .into_iter()
            .next()
            .unwrap_or_default();
        first.words = words
            .into_iter()
            .skip_while(|word| word.starts_with('-') || commands::assignment(word).is_some())
            .collect();
    } else if !argument.is_empty() {
        first.words.push(argument.to_owned());
    }
    Some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestRoot, root};

    #[test]
    fn first_lines() {
        let program = |line: &str| shebang(line.as_bytes()).map(|s| s.program().to_owned());
        for (line, expected) in [
            ("#!/bin/sh\n", "sh"),
            ("#! /usr/bin/python3 -u\nx", "python3"),
            ("#!/usr/bin/env python3", "python3"),
            ("#!/usr/bin/env -S X=1 python3 -u\n", "python3"),
            ("#!/usr/bin/env -S -i bash\n", "bash"),
            ("#!/opt/app/.venv/bin/python\r\n", "python"),
        ] {
            assert_eq!(program(line).as_deref(), Some(expected), "{line:?}");
        }
        assert_eq!(program("#!\n"), None);
        assert_eq!(program("import os"), None);
    }

    fn edges(test: &TestRoot, file: &str) -> Vec<String> {
        test.names(&Shell::new(&test.root).follow(test.id(file)).edges)
    }

    #[test]
    fn an_entrypoint_script() {
        let test = root(
            &[
                "*entry.sh = #!/bin/sh\\nset -e\\n. /etc/default/app\\n\
                 id -u | tr -d x\\nif [ \"$1\" = serve ]; then\\n  exec gosu app nginx -c /etc/n.conf\\nfi\\n\
                 exec \"$@\"\\n",
                "*bin/sh",
                "*usr/bin/id",
                "*usr/bin/tr",
                "*usr/bin/[",
                "*usr/sbin/nginx",
                "*usr/local/bin/gosu",
                "*usr/bin/app",
                "etc/default/app = helper\\n",
                "*usr/bin/helper",
                "etc/n.conf",
            ],
            &[],
        );
        let found = edges(&test, "entry.sh");
        for kept in [
            "/bin/sh",
            "/etc/default/app",
            "/usr/bin/id",
            "/usr/bin/tr",
            "/usr/local/bin/gosu",
            "/usr/sbin/nginx",
            "/etc/n.conf",
        ] {
            assert!(found.contains(&kept.to_owned()), "{kept} in {found:?}");
        }
        assert!(!found.contains(&"/usr/bin/[".to_owned()));
        assert!(
            !found.contains(&"/usr/bin/app".to_owned()),
            "it is a user here"
        );
        assert!(!found.contains(&"/usr/bin/helper".to_owned()));
        let cause = Cause {
            from: None,
            how: How::Runs(". /etc/default/app".into()),
        };
        let sourced = Shell::new(&test.root).follow_caused(test.id("etc/default/app"), &cause);
        assert_eq!(test.names(&sourced.edges), ["/usr/bin/helper"]);
    }

    #[test]
    fn a_missing_interpreter_is_told() {
        let test = root(&["*x = #!/usr/bin/perl\\n", "y = #!/usr/bin/perl\\n"], &[]);
        let warnings = |file| Shell::new(&test.root).follow(test.id(file)).warnings;
        assert_eq!(warnings("x").len(), 1);
        assert!(warnings("y").is_empty());
    }

    #[test]
    fn a_packages_script_that_is_only_data_keeps_no_interpreter() {
        let test = root(
            &[
                "*usr/lib/x/CA.pl = #!/usr/bin/perl\\n @openssl",
                "*usr/bin/perl @perl",
            ],
            &[],
        );
        let follow = |how| {
            let cause = Cause { from: None, how };
            Shell::new(&test.root).follow_caused(test.id("usr/lib/x/CA.pl"), &cause)
        };
        assert!(follow(How::PackageData("openssl".into())).edges.is_empty());
        assert_eq!(
            test.names(&follow(How::Runs("CA.pl".into())).edges),
            ["/usr/bin/perl"]
        );
    }

    #[test]
    fn a_script_in_a_package_of_node_waits_for_who_runs_it() {
        let mut test = root(
            &[
                "*app/node_modules/a/build.sh = #!/bin/bash\\nnpm run x\\n @a",
                "*bin/bash",
                "*bin/npm",
            ],
            &[],
        );
        test.kind("a", PackageKind::Node);
        let follow = |how| {
            let cause = Cause { from: None, how };
            let script = test.id("app/node_modules/a/build.sh");
            test.names(&Shell::new(&test.root).follow_caused(script, &cause).edges)
        };
        assert!(follow(How::PackageData("a".into())).is_empty());
        assert_eq!(
            follow(How::Runs("build.sh".into())),
            ["/bin/bash", "/bin/npm"]
        );
    }

    #[test]
    fn env_finds_the_interpreter_in_path() {
        let test = root(
            &[
                "*x = #!/usr/bin/env python3\\nrm -rf /\\n",
                "*usr/bin/env",
                "*venv/bin/python3 -> /usr/bin/python3.11",
                "*usr/bin/python3.11",
                "*usr/bin/rm",
            ],
            &["PATH=/venv/bin:/usr/bin"],
        );
        assert_eq!(
            edges(&test, "x"),
            ["/usr/bin/env", "/venv/bin/python3", "/usr/bin/python3.11"]
        );
    }
}
