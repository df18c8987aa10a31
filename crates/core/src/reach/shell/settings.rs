//! The user's own settings: files and programs that nginx, supervisord, cron
//! and the like open or start because a line of theirs says so, perhaps long
//! after every run that was watched.

use whit_oci::ImagePath;

use super::Programs;
use crate::index::{FileId, Tree};
use crate::reach::surroundings::is_ballast;
use crate::reach::{How, reach_path};

/// Extensions of files that hold settings.
const EXTENSIONS: [&[u8]; 15] = [
    b"cfg",
    b"cnf",
    b"conf",
    b"cron",
    b"crontab",
    b"env",
    b"ini",
    b"json",
    b"list",
    b"properties",
    b"service",
    b"toml",
    b"xml",
    b"yaml",
    b"yml",
];

/// Keys whose value is a command, in small letters.
const COMMANDS: [&str; 7] = [
    "command",
    "cmd",
    "exec",
    "execstart",
    "execstartpre",
    "run",
    "web",
];

/// True for a file of settings that no package brought.
pub fn is_settings(tree: &Tree, file: FileId) -> bool {
    let node = tree.node(file);
    // Folders of settings are a service's; `/etc/passwd` names shells, and runs none.
    let by_place = node.path.starts_with(&"etc".into())
        && node.path.components().count() > 2
        && node.path.extension().is_none();
    node.package.is_none()
        && node.is_file()
        && (by_place
            || node
                .path
                .extension()
                .is_some_and(|extension| EXTENSIONS.contains(&extension)))
}

/// What the lines of a file of settings lead to.
pub fn named(tree: &Tree, programs: &Programs<'_>, text: &str) -> Vec<(FileId, How)> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(command) = command(line) {
            found.extend(programs.of_text(command));
        }
        let is_path = |c: char| c.is_alphanumeric() || "/._+-@~%".contains(c);
        for word in line.split(|c: char| !is_path(c)) {
            if word.starts_with('/') && word.trim_matches('/').contains('/') {
                found.extend(file(tree, word));
            }
        }
    }
    found
}

/// The command of `KEY=COMMAND` or `KEY: COMMAND`.
fn command(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(['=', ':'])?;
    let key = key.trim().trim_matches('"').to_ascii_lowercase();
    let value = value.trim().trim_matches([',', '"', '\'']);
    COMMANDS.contains(&key.as_str()).then_some(value)
}

/// The file at an absolute path. A program there is run, as far as anybody can
/// tell.
fn file(tree: &Tree, word: &str) -> Vec<(FileId, How)> {
    let path = ImagePath::clamped(word);
    let is_kernels = ["dev", "proc", "sys", "run", "tmp"]
        .iter()
        .any(|folder| path.starts_with(&(*folder).into()));
    let node = tree.lookup(&path).map(|id| tree.node(id));
    match node.filter(|node| node.is_file() && !is_kernels && !is_ballast(&node.path)) {
        Some(node) if node.is_executable() => reach_path(tree, &path, How::Runs(word.to_owned())),
        Some(_) => reach_path(tree, &path, How::Named(word.to_owned())),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::root;

    #[test]
    fn lines_name_commands_and_files() {
        let test = root(
            &[
                "etc/supervisor.conf",
                "etc/nginx/nginx.conf @nginx",
                "srv/notes.txt",
                "etc/passwd",
                "etc/nginx/sites-enabled/default",
                "*usr/bin/b2sum @coreutils",
                "*usr/bin/sort @coreutils",
                "*usr/bin/never @other",
                "etc/ssl/ca.pem",
                "usr/share/doc/x/readme @other",
            ],
            &["PATH=/usr/bin"],
        );
        let tree = &test.root.tree;
        let text = "[program:sums]\ncommand = sort -u\nsums=/usr/bin/b2sum /srv/x\n\
            ; command=never\n# /usr/bin/never\nproxy_ssl_trusted_certificate /etc/ssl/ca.pem;\n\
            readme=/usr/share/doc/x/readme\n";
        let names = test.names(&named(tree, &Programs::new(&test.root), text));
        assert_eq!(
            names,
            ["/usr/bin/sort", "/usr/bin/b2sum", "/etc/ssl/ca.pem"]
        );
        assert!(is_settings(tree, test.id("etc/supervisor.conf")));
        assert!(!is_settings(tree, test.id("etc/nginx/nginx.conf")));
        assert!(!is_settings(tree, test.id("srv/notes.txt")));
        assert!(!is_settings(tree, test.id("etc/passwd")));
        assert!(is_settings(
            tree,
            test.id("etc/nginx/sites-enabled/default")
        ));
    }
}
