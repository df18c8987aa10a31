//! Archives that stay in the image beside what was in them.

use super::Rule;
use crate::lint::Case;
use crate::lint::dockerfile::{Copy, Kind, Run, Step};
use crate::lint::finding::{Bytes, Finding, Gauge, Mend};
use crate::lint::paths::{covers, deleted, resolve};
use crate::lint::script::Command;

pub const RULE: Rule = Rule {
    name: "archive-left",
    cost: "the archive, beside all that it held",
    why: "a layer keeps an archive that another layer unpacks, even if that deletes it",
    mend: "ADD a local archive to where it belongs (ADD unpacks it); fetch, unpack and delete others in one RUN",
    check,
};

const ENDINGS: [&str; 13] = [
    ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".zip",
    ".jar.gz", ".7z", ".gz", ".xz",
];

/// An archive that a step brings.
struct Archive {
    step: usize,
    line: usize,
    path: String,
    bytes: Bytes,
    /// How it came, for the message.
    how: &'static str,
}

fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for archive in archives(case) {
        let Some((at, step, run, index)) = unpacked(case, &archive) else {
            continue;
        };
        let removed = run.script.commands[index..]
            .iter()
            .any(|command| removes(command, step, &archive.path));
        let same = at == archive.step;
        if same && removed {
            continue;
        }
        let mut later = case.commands().filter(|(later, ..)| *later > at);
        let name = file_name(&archive.path).to_owned();
        let used_again = later.any(|(_, run, _)| run.script.text.contains(&name));
        let message = match same {
            true => format!("{name} stays beside what was in it"),
            false => format!("line {} unpacks {name}, and this layer keeps it", step.line),
        };
        let mend = match same && !used_again {
            true => run.script.append(&format!("rm {}", quoted(&archive.path))),
            false => None,
        };
        found.push(Finding {
            rule: RULE.name,
            line: archive.line,
            message: format!("{} {message}", archive.how),
            advice: match (same, archive.how) {
                (true, _) => "delete it in the same RUN, or pipe the download into tar".to_owned(),
                (_, "COPY:") => {
                    "ADD it to where it belongs (ADD unpacks), or RUN --mount=type=bind".to_owned()
                }
                _ => "fetch, unpack and delete it in one RUN".to_owned(),
            },
            bytes: archive.bytes,
            mend: mend.map(|edit| Mend::safe(vec![edit])),
            gauge: Some(Gauge::Below(archive.step, vec![archive.path])),
        });
    }
    found
}

/// The archives that steps before `step` brought and that finding tells of.
pub fn is_unpacked(case: &Case<'_>, path: &str) -> bool {
    archives(case)
        .iter()
        .any(|archive| archive.path == path && unpacked(case, archive).is_some())
}

fn archives(case: &Case<'_>) -> Vec<Archive> {
    let mut archives = Vec::new();
    for (at, step) in case.file.final_steps() {
        match &step.kind {
            Kind::Copy(copy) => archives.extend(copied(case, at, step, copy)),
            Kind::Run(run) => {
                for command in &run.script.commands {
                    let path = downloaded(command, step).filter(|path| is_archive(path));
                    archives.extend(path.map(|path| Archive {
                        step: at,
                        line: step.line,
                        path,
                        bytes: Bytes::Unknown,
                        how: "download:",
                    }));
                }
            }
            _ => {}
        }
    }
    archives
}

fn copied<'a>(
    case: &'a Case<'_>,
    at: usize,
    step: &'a Step,
    copy: &'a Copy,
) -> impl Iterator<Item = Archive> + 'a {
    let archives = copy.sources.iter().filter(|source| is_archive(source));
    archives
        // `ADD` unpacks what is local.
        .filter(|source| !copy.is_add || source.contains("://"))
        .map(move |source| {
            let size = case.context.size(source).filter(|_| copy.is_from_context());
            Archive {
                step: at,
                line: step.line,
                path: resolve(&copy.target(source), step),
                bytes: size.map_or(Bytes::Unknown, Bytes::Measured),
                how: if copy.is_add { "ADD:" } else { "COPY:" },
            }
        })
}

fn is_archive(path: &str) -> bool {
    let path = path
        .split(['?', '#'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    ENDINGS.iter().any(|ending| path.ends_with(ending))
}

/// The file that `curl -o FILE`, `curl -O URL` or `wget URL` writes.
pub fn downloaded(command: &Command, step: &Step) -> Option<String> {
    let url = || command.args.iter().find(|arg| arg.contains("://"));
    let named = match command.program.as_str() {
        "curl" => command.values("-o", "--output"),
        "wget" => command.values("-O", "--output-document"),
        _ => return None,
    };
    // `-sSLo FILE`: letters before the one with the value.
    let bundled = || {
        let letter = if command.program == "curl" { 'o' } else { 'O' };
        let is = |arg: &String| {
            arg.len() > 2 && arg.starts_with('-') && !arg.starts_with("--") && arg.ends_with(letter)
        };
        let at = command.args.iter().position(is)?;
        command.args.get(at + 1).map(String::as_str)
    };
    let file = match named.first().copied().or_else(bundled) {
        Some("-" | "/dev/stdout") => return None,
        Some(file) => file.to_owned(),
        None => {
            let url = url()?;
            let remote = command.program == "wget"
                || command.args.iter().any(|arg| {
                    arg == "--remote-name"
                        || (arg.starts_with('-') && !arg.starts_with("--") && arg.contains('O'))
                });
            remote.then(|| file_name(url).to_owned())?
        }
    };
    // A URL whose name only the shell knows.
    (!file.is_empty() && !file.contains("://")).then(|| resolve(&file, step))
}

/// The first command that unpacks an archive: the step, and which one.
fn unpacked<'a>(case: &Case<'a>, archive: &Archive) -> Option<(usize, &'a Step, &'a Run, usize)> {
    let file = case.file;
    file.final_runs()
        .filter(|(at, ..)| *at >= archive.step)
        .find_map(|(at, step, run)| {
            let index = run.script.commands.iter().position(|command| {
                let unpacks = match command.program.as_str() {
                    "tar" | "bsdtar" => {
                        command.args.first().is_some_and(|arg| {
                            arg == "--extract" || (arg.trim_start_matches('-').contains('x'))
                        }) || command.has(&["-x", "--extract"])
                    }
                    "unzip" | "gunzip" | "unxz" | "7z" | "jar" => true,
                    _ => false,
                };
                unpacks && names(command, step, &archive.path)
            })?;
            Some((at, step, run, index))
        })
}

/// True if a command names a path; the folder that it stands in after a `cd`
/// is not known, so that the name alone is enough.
fn names(command: &Command, step: &Step, path: &str) -> bool {
    command.args.iter().any(|arg| {
        let arg = arg.strip_prefix("--file=").unwrap_or(arg);
        resolve(arg, step) == path || (!arg.contains('/') && arg == file_name(path))
    })
}

fn removes(command: &Command, step: &Step, path: &str) -> bool {
    let name = file_name(path);
    deleted(command).iter().any(|target| {
        covers(&resolve(target, step), path)
            || target == name
            // `rm *.tar.gz`
            || target.strip_prefix('*').is_some_and(|ending| name.ends_with(ending))
            || target.ends_with(&format!("/{name}"))
    }) || (command.program == "gunzip" && command.args.iter().any(|arg| arg.ends_with(name)))
}

fn file_name(path: &str) -> &str {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or(path)
}

/// As the Dockerfile's shell takes it.
fn quoted(path: &str) -> String {
    match path.contains([' ', '\'', '(', ')']) {
        true => format!("\"{path}\""),
        false => path.to_owned(),
    }
}
