//! Why an image that was run does not work: its entry is looked at, then its
//! last words.

use std::io::Read;
use std::path::Path;

use whit_oci::ImagePath;
use whit_sandbox::Exit;

use super::{Reason, words};
use crate::elf::{Headers, OnDisk};
use crate::index::FileId;
use crate::observe::{self, Kind, Observation};
use crate::reach::elf::Elf;
use crate::source::FatRoot;

/// The kernel reads that much of a script's first line (`BINPRM_BUF_SIZE`).
const FIRST_LINE: u64 = 256;

/// The `PATH` of container engines where the image sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why an image does not work that was seen to fail; it had `seconds` to
/// start.
pub fn diagnose(root: &FatRoot, seen: &Observation, seconds: u64) -> Reason {
    let entry = Entry { root };
    let argv = root.config.command();
    // Shells and loaders end with 126 and 127 where they cannot start something.
    let not_started = match seen.own.exit {
        Some(Exit::Code(code)) => matches!(code, 126 | 127),
        _ => matches!(seen.kind, Kind::NotStarted(_)),
    };
    let said = seen.last_words(20);
    let program = argv.first().map_or("it", String::as_str);
    if not_started && let Some(reason) = entry.problem(&argv) {
        return reason;
    }
    if let Some(reason) = words::meaning(&said, program, &root.tree) {
        return reason;
    }
    let said = said.lines().last().unwrap_or_default().trim().to_owned();
    match (&seen.kind, seen.own.exit) {
        (Kind::NotStarted(why), _) => Reason::Failed {
            how: "cannot be started".to_owned(),
            said: why.clone(),
        },
        (_, Some(exit)) => Reason::Failed {
            how: observe::ended(exit),
            said,
        },
        (Kind::Service { .. }, None) => Reason::Failed {
            how: "answers with errors".to_owned(),
            said,
        },
        _ => Reason::Silent { seconds },
    }
}

/// The file that an image starts.
struct Entry<'a> {
    root: &'a FatRoot,
}

impl Entry<'_> {
    /// What keeps this command line from being started.
    fn problem(&self, argv: &[String]) -> Option<Reason> {
        let (program, rest) = argv.split_first()?;
        let line = match rest {
            [flag, line, ..] if flag == "-c" && is_shell(program) => Some(line),
            _ => None,
        };
        let Some(file) = self.find(program) else {
            return Some(match line {
                Some(line) if program == "/bin/sh" => Reason::NoShell {
                    command: line.clone(),
                },
                _ => Reason::NoProgram {
                    program: program.clone(),
                },
            });
        };
        if let Some(reason) = self.of_file(file) {
            return Some(reason);
        }
        // The shell is there; what does it run?
        let words = shlex::split(line?)?;
        let is_setting = |word: &&String| {
            let name = word.split_once('=').map(|(name, _)| name);
            name.is_some_and(|name| !name.contains('/')) || *word == "exec"
        };
        let words: Vec<String> = words.iter().skip_while(is_setting).cloned().collect();
        self.problem(&words)
    }

    /// What keeps this file from being started.
    fn of_file(&self, file: FileId) -> Option<Reason> {
        let tree = &self.root.tree;
        let node = tree.node(file);
        let shown = format!("/{}", tree.path(file).to_string().trim_start_matches('/'));
        if !node.is_file() {
            return Some(Reason::ExecFormat {
                program: shown,
                is: "no file".to_owned(),
            });
        }
        if !node.is_executable() {
            return Some(Reason::NotExecutable { program: shown });
        }
        let host = self.root.content(file)?;
        let start = first_bytes(&host)?;
        if let Some(line) = start.strip_prefix(b"#!") {
            return self.of_script(line, shown);
        }
        if start.starts_with(b"\x7fELF") {
            return self.of_elf(file, &host, shown);
        }
        let is = match start.as_slice() {
            [] => "empty",
            [b'M', b'Z', ..] => "a program for Windows",
            [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => {
                "a program for macOS, or Java bytecode"
            }
            _ => "neither a program nor a script with #! in its first line",
        };
        Some(Reason::ExecFormat {
            program: shown,
            is: is.to_owned(),
        })
    }

    fn of_script(&self, line: &[u8], script: String) -> Option<Reason> {
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).into_owned();
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let interpreter = words.next()?.to_owned();
        if line.ends_with('\r') {
            return Some(Reason::CarriageReturn { script });
        }
        let missing = |interpreter: String| Reason::NoInterpreter {
            script: script.clone(),
            interpreter,
        };
        let Some(file) = self.find(&interpreter) else {
            return Some(missing(interpreter));
        };
        if let Some(reason) = self.of_file(file) {
            return Some(reason);
        }
        // `env` looks for the program in the path.
        let is_env = interpreter.ends_with("/env");
        let wanted = words.find(|word| !word.starts_with('-') && !word.contains('='));
        match wanted.filter(|_| is_env) {
            Some(wanted) => match self.find(wanted) {
                Some(file) => self.of_file(file),
                None => Some(missing(wanted.to_owned())),
            },
            None => None,
        }
    }

    fn of_elf(&self, file: FileId, host: &Path, program: String) -> Option<Reason> {
        let headers = OnDisk::open(host)
            .ok()
            .and_then(|bytes| Headers::parse(&bytes).ok());
        let Some(headers) = headers else {
            return Some(Reason::ExecFormat {
                program,
                is: "damaged".to_owned(),
            });
        };
        let (here, its) = (here(), machine(headers.machine));
        // x86-64 runs programs of its predecessor too.
        let runs = its == here || (its == "x86" && here == "x86_64");
        if !runs {
            return Some(Reason::ExecFormat {
                program,
                is: format!("for {its}, and this machine is {here}"),
            });
        }
        let loading = Elf::new(self.root).loading(file)?;
        if let Some(loader) = loading.interpreter
            && self.find(&loader).is_none()
        {
            return Some(Reason::NoLoader {
                has: self.other_libc(&loader),
                program,
                loader,
            });
        }
        (!loading.missing.is_empty()).then_some(Reason::NoLibrary {
            program,
            libraries: loading.missing,
        })
    }

    /// The C library that the image has in the place of the wanted one.
    fn other_libc(&self, wanted: &str) -> Option<String> {
        let (other, prefix): (&str, &[u8]) = match wanted.contains("ld-musl") {
            true => ("glibc", b"ld-linux"),
            false => ("musl", b"ld-musl-"),
        };
        let mut nodes = self.root.tree.iter();
        nodes
            .any(|(_, node)| !node.is_dir() && node.path.name().starts_with(prefix))
            .then(|| other.to_owned())
    }

    /// The file that a name leads to, as `execvp` finds it.
    fn find(&self, program: &str) -> Option<FileId> {
        let tree = &self.root.tree;
        if program.contains('/') {
            let from = match program.starts_with('/') {
                true => ImagePath::clamped(program),
                false => {
                    ImagePath::clamped(format!("{}/{program}", self.root.config.working_dir()))
                }
            };
            return tree.lookup(&from);
        }
        let env = self.root.config.env();
        let path = env.iter().find(|(name, _)| name == "PATH");
        let path = path.map_or(DEFAULT_PATH, |(_, value)| value.as_str());
        path.split(':')
            .find_map(|folder| tree.lookup(&ImagePath::clamped(format!("{folder}/{program}"))))
    }
}

fn is_shell(program: &str) -> bool {
    let name = program.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "dash" | "ash")
}

fn first_bytes(host: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    let file = std::fs::File::open(host).ok()?;
    file.take(FIRST_LINE).read_to_end(&mut start).ok()?;
    Some(start)
}

/// `e_machine` (elf(5)) in Rust's and the kernel's words.
fn machine(number: u16) -> String {
    match number {
        3 => "x86".to_owned(),
        8 => "mips".to_owned(),
        21 => "powerpc64".to_owned(),
        22 => "s390x".to_owned(),
        40 => "arm".to_owned(),
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        243 => "riscv64".to_owned(),
        258 => "loongarch64".to_owned(),
        other => format!("machine {other}"),
    }
}

fn here() -> String {
    std::env::consts::ARCH.to_owned()
}
