//! The Dockerfile itself.

use std::collections::BTreeMap;
use std::fmt;

use whit_oci::ImagePath;

use super::{APK, Database, Looks, Python, Recipe, lists};
use crate::index::PackageKind;

/// Where the second stage works: in a folder of the original's copy, so that
/// the original's own Python sees it.
const DESK: &str = "/original/.recipe";

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (config, unsaid) = super::instructions::instructions(&self.config);
        self.head(f, &unsaid)?;
        self.assembly(f)?;
        write!(
            f,
            "\n# The image: those files, and the original's configuration.\n\
             FROM scratch\nCOPY --from=root {DESK}/root/ /\n{config}"
        )
    }
}

impl Recipe {
    fn head(&self, f: &mut fmt::Formatter<'_>, unsaid: &[String]) -> fmt::Result {
        writeln!(
            f,
            "# What is in {}, copied out of its original by any engine; it needs no\n\
             # build context:\n\
             #\n\
             #     docker build -t NAME - < Dockerfile\n\
             #     podman build -t NAME -f Dockerfile .\n\
             #\n\
             # Written by `whit recipe`, whit {}. The files, their owners, modes and\n\
             # attributes, and the configuration are those of whit's image, but for:\n\
             #",
            self.image, self.whit
        )?;
        for difference in self.differences.iter().chain(unsaid) {
            wrapped(f, difference)?;
        }
        writeln!(f, "\nARG ORIGINAL={}", self.original)?;
        if let Some(tools) = self.tools {
            writeln!(
                f,
                "# Has the shell, tar and awk that the original lacks; nothing of it stays.\n\
                 ARG TOOLS={tools}"
            )?;
        }
        Ok(())
    }

    fn assembly(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nFROM ${{ORIGINAL}} AS original\n\n\
             # What stays is put together beside a copy of the original.\n\
             FROM ${{{}}} AS root",
            match self.tools {
                Some(_) => "TOOLS",
                None => "ORIGINAL",
            }
        )?;
        if self.config.exec("Shell").is_some() {
            writeln!(f, "SHELL [\"/bin/sh\", \"-c\"]")?;
        }
        writeln!(
            f,
            "USER 0:0\nCOPY --from=original / /original/\nRUN mkdir -p {DESK}/root"
        )?;
        let named = "the names of a folder's files stand behind the folder's";
        if !self.whole.is_empty() {
            writeln!(f, "\n# Folders that stay as a whole; {named}.")?;
            list(f, &self.whole, "whole")?;
        }
        if !self.parts.is_empty() {
            writeln!(f, "\n# Single files, links and folders; {named}.")?;
            list(f, &self.parts, "parts")?;
        }
        if let Some(python) = &self.python {
            if !python.sourceless.is_empty() {
                writeln!(f, "\n# Modules that stay as bytecode alone.")?;
                list(f, &python.sourceless, "sourceless")?;
            }
            if !python.cached.is_empty() {
                writeln!(f, "\n# Modules that stay as source and bytecode.")?;
                list(f, &python.cached, "cached")?;
            }
        }
        writeln!(f)?;
        self.copy(f)?;
        if let Some(python) = &self.python {
            compile(f, python)?;
        }
        self.make(f)
    }

    /// Whole folders without bytecode caches, then the rest without what is
    /// below. An archive between, since a pipe would hide that reading failed.
    fn copy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.whole.iter().chain(&self.parts);
        // GNU's tar takes a backslash in a list for an escape.
        let literal = match names.clone().any(|path| path.as_bytes().contains(&b'\\')) {
            true => " --no-unquote",
            false => "",
        };
        let attributes = match self.attributes {
            true => " --xattrs --xattrs-include='*'",
            false => "",
        };
        for (paths, what, options) in [
            (&self.whole, "whole", " --exclude=__pycache__"),
            (&self.parts, "parts", " --no-recursion"),
        ] {
            if paths.is_empty() {
                continue;
            }
            writeln!(
                f,
                "RUN tar --numeric-owner{attributes}{literal}{options} -C /original \
                 -cf {DESK}/{what}.tar -T {DESK}/{what} \\\n \
                 && tar --numeric-owner{attributes} -C {DESK}/root -xpf {DESK}/{what}.tar \\\n \
                 && rm {DESK}/{what}.tar"
            )?;
        }
        Ok(())
    }

    /// What is in no original: folders and records of packages, and who owns
    /// what was compiled.
    fn make(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut folders: BTreeMap<Looks, Vec<&ImagePath>> = BTreeMap::new();
        for (path, looks) in &self.folders {
            folders.entry(*looks).or_default().push(path);
        }
        if !folders.is_empty() {
            let all: Vec<&ImagePath> = self.folders.iter().map(|(path, _)| path).collect();
            writeln!(f, "\n# Folders that the original lacks.")?;
            run(f, "mkdir -p", &all)?;
            for (looks, paths) in &folders {
                change(f, *looks, paths)?;
            }
        }
        for database in &self.databases {
            record(f, database)?;
        }
        let mut looks: BTreeMap<Looks, Vec<&ImagePath>> = BTreeMap::new();
        for (path, wanted) in &self.looks {
            looks.entry(*wanted).or_default().push(path);
        }
        for (looks, paths) in &looks {
            change(f, *looks, paths)?;
        }
        Ok(())
    }
}

/// The image's own interpreter compiles what lies in the root, for the place
/// where it will be.
fn compile(f: &mut fmt::Formatter<'_>, python: &Python) -> fmt::Result {
    let root = ".recipe/root";
    let command = |options: &str, list: &str, name: &str| {
        format!(
            "RUN sed 's|^|/{root}/|' {DESK}/{list} > {DESK}/{list}.there \\\n \
             && chroot /original {} -I{options} -m compileall -q -f{name} \\\n    \
             --invalidation-mode unchecked-hash -s /{root} -p / -i /.recipe/{list}.there",
            python.program
        )
    };
    if !python.sourceless.is_empty() {
        // Columns are for tracebacks of code that has its source.
        let compile = command(" -X no_debug_ranges", "sourceless", " -b");
        writeln!(
            f,
            "{compile} \\\n && tr '\\n' '\\0' < {DESK}/sourceless | (cd {DESK}/root && xargs -0 rm --)"
        )?;
    }
    if !python.cached.is_empty() {
        writeln!(f, "{}", command("", "cached", ""))?;
    }
    Ok(())
}

/// Cuts a database down to the packages of which something is left; scanners
/// read it.
fn record(f: &mut fmt::Formatter<'_>, database: &Database) -> fmt::Result {
    let names = folded(&database.packages);
    match database.kind {
        PackageKind::Dpkg => {
            writeln!(
                f,
                "\n# What scanners read: the records of the packages that are left.\n\
                 RUN for name in{names}; do \\\n      \
                 awk -v RS= -v name=\"$name\" 'index($0 \"\\n\", \"Package: \" name \"\\n\") == 1' \\\n        \
                 /original/var/lib/dpkg/status > \"{DESK}/root/var/lib/dpkg/status.d/$name\" || exit 1; \\\n    \
                 done"
            )
        }
        _ => {
            writeln!(
                f,
                "\n# What scanners read: the records of the packages that are left.\n\
                 RUN for name in{names}; do \\\n      \
                 awk -v RS= -v ORS='\\n\\n' -v name=\"$name\" 'index(\"\\n\" $0 \"\\n\", \"\\nP:\" name \"\\n\")' \\\n        \
                 /original/{APK} || exit 1; \\\n    \
                 done > {DESK}/root/{APK}"
            )
        }
    }
}

/// Words on lines of their own length.
fn folded(words: &[String]) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in words {
        if width + word.len() > 90 || width == 0 {
            text.push_str(" \\\n       ");
            width = 7;
        }
        text.push(' ');
        text.push_str(word);
        width += 1 + word.len();
    }
    text
}

fn list(f: &mut fmt::Formatter<'_>, paths: &[ImagePath], name: &str) -> fmt::Result {
    for run in lists::instructions(paths, &format!("{DESK}/{name}")) {
        f.write_str(&run)?;
    }
    Ok(())
}

/// Mode last: a new owner takes the set-user-ID bit (chown(2)).
fn change(f: &mut fmt::Formatter<'_>, looks: Looks, paths: &[&ImagePath]) -> fmt::Result {
    run(f, &format!("chown {}:{}", looks.uid, looks.gid), paths)?;
    run(f, &format!("chmod {:04o}", looks.mode), paths)
}

fn run(f: &mut fmt::Formatter<'_>, command: &str, paths: &[&ImagePath]) -> fmt::Result {
    // Far below what one argument of a program may have.
    for paths in paths.chunks(500) {
        let words: Vec<String> = paths
            .iter()
            .map(|path| lists::text(format!(".{path}").as_bytes()))
            .collect();
        writeln!(f, "RUN cd {DESK}/root && {command}{}", folded(&words))?;
    }
    Ok(())
}

/// A sentence as a list item of a comment.
fn wrapped(f: &mut fmt::Formatter<'_>, sentence: &str) -> fmt::Result {
    let mut line = "#   -".to_owned();
    for word in sentence.split(' ') {
        if line.len() + 1 + word.len() > 80 {
            writeln!(f, "{line}")?;
            line = "#    ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(f, "{line}")
}
