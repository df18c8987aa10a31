//! Paths as Dockerfiles and shells write them.

use super::dockerfile::{Step, absolute};
use super::script::Command;

/// A path of a step: absolute, variables replaced where they are known, and
/// `~` for any home.
pub fn resolve(path: &str, step: &Step) -> String {
    let mut path = path.to_owned();
    for (name, value) in &step.variables {
        if path.contains('$') {
            path = path
                .replace(&format!("${{{name}}}"), value)
                .replace(&format!("${name}"), value);
        }
    }
    let path = path.replace("${HOME}", "~").replace("$HOME", "~");
    if path.starts_with('~') {
        return path.trim_end_matches('/').to_owned();
    }
    home(&absolute(&path, &step.workdir))
}

/// `/root/x` and `/home/NAME/x` → `~/x`.
pub fn home(path: &str) -> String {
    let below = |path: &str, folder: &str| {
        path.strip_prefix(folder)
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .map(str::to_owned)
    };
    let rest = below(path, "/root").or_else(|| {
        let rest = path.strip_prefix("/home/")?;
        let name = rest.split('/').next()?;
        below(rest, name)
    });
    match rest {
        Some(rest) => format!("~{rest}"),
        None => path.to_owned(),
    }
}

/// True if deleting `target` (a shell's pattern) deletes what is in `folder`.
pub fn covers(target: &str, folder: &str) -> bool {
    let plain = target.split(['*', '?', '[']).next().unwrap_or_default();
    // `/var/lib/ap*` deletes some of its siblings; who knows which.
    let plain = match plain.len() == target.len() {
        true => plain,
        false => &plain[..plain.rfind('/').map_or(0, |at| at + 1)],
    };
    let plain = plain.trim_end_matches('/');
    !plain.is_empty() && (folder == plain || is_below(folder, plain))
}

/// True if `path` is somewhere below `folder`.
pub fn is_below(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
}

/// What a command deletes, as written: `rm -rf A B`, `find A -delete`.
pub fn deleted(command: &Command) -> Vec<String> {
    let targets: Vec<&String> = match command.program.as_str() {
        "rm" | "rmdir" | "unlink" => command
            .args
            .iter()
            .filter(|arg| !arg.starts_with('-'))
            .collect(),
        "find" if command.has(&["-delete"]) || command.args.iter().any(|arg| arg == "rm") => {
            command
                .args
                .iter()
                .take_while(|arg| !arg.starts_with('-'))
                .collect()
        }
        _ => Vec::new(),
    };
    targets
        .into_iter()
        .flat_map(|target| braces(target))
        .collect()
}

/// `a{b,c}d` → `abd`, `acd`; only the first braces.
fn braces(word: &str) -> Vec<String> {
    let inside = word.split_once('{').and_then(|(before, rest)| {
        let (list, after) = rest.split_once('}')?;
        (list.contains(',') && !before.ends_with('$')).then_some((before, list, after))
    });
    match inside {
        None => vec![word.to_owned()],
        Some((before, list, after)) => {
            let part = |part: &str| format!("{before}{part}{after}");
            list.split(',').map(part).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let lists = "/var/lib/apt/lists";
        for target in [
            "/var/lib/apt/lists/*",
            "/var/lib/apt/lists/",
            "/var/lib/apt",
            "/var/lib/apt/*",
        ] {
            assert!(covers(target, lists), "{target}");
        }
        assert!(!covers("/var/lib/apt/lists/partial", lists));
        assert!(!covers("/var/lib/ap", lists));
        assert_eq!(
            braces("/var/lib/{apt,dpkg}/"),
            ["/var/lib/apt/", "/var/lib/dpkg/"]
        );
        assert_eq!(home("/home/app/.cache"), "~/.cache");
        assert_eq!(home("/rootless"), "/rootless");
    }
}
