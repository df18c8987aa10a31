//! What package managers leave behind in a layer, unless they are told not to.

use super::costs;
use super::dockerfile::{Dockerfile, Mount, Run, Step};
use super::finding::{Bytes, Edit, Mend};
use super::paths::{covers, deleted, home, is_below, resolve};
use super::script::Command;

/// A cache that a step leaves in its layer.
#[derive(Debug, Clone)]
pub struct Left {
    /// Index of the step.
    pub step: usize,
    pub line: usize,
    pub habit: &'static Habit,
    /// The program that left it.
    pub program: String,
    /// Where it lies, `~` for the home.
    pub folders: Vec<String>,
    pub bytes: Bytes,
    pub mend: Option<Mend>,
}

/// How a package manager keeps what it downloaded.
#[derive(Debug)]
pub struct Habit {
    pub rule: &'static str,
    programs: &'static [&'static str],
    /// Verbs that download. `""` is no verb at all.
    verbs: &'static [&'static str],
    /// The second words of verbs that have them (`uv pip install`).
    sub: &'static [&'static str],
    /// The first one is the usual one.
    pub folders: &'static [&'static str],
    /// Options and variables that turn it off.
    flags: &'static [&'static str],
    off: &'static [&'static str],
    /// Variables that say where it lies.
    elsewhere: &'static [&'static str],
    /// Verbs that delete it.
    cleaners: &'static [&'static str],
    remedy: Remedy,
    /// Bytes, from `costs`.
    about: Option<u64>,
    /// What it is, for the message.
    pub what: &'static str,
}

#[derive(Debug)]
enum Remedy {
    /// An option behind the verb.
    Option(&'static str),
    /// A command at the end.
    Command(&'static str),
    /// The same, with the program's own name before it.
    Verb(&'static str),
}

/// What the entries have in common.
const NOTHING: Habit = Habit {
    rule: "",
    programs: &[],
    verbs: &[],
    sub: &[],
    folders: &[],
    flags: &[],
    off: &[],
    elsewhere: &[],
    cleaners: &[],
    remedy: Remedy::Command(""),
    about: None,
    what: "",
};

/// The managers and where they keep what: their manuals (apt.conf(5), apk(8),
/// dnf.conf(5); pip's, uv's, poetry's, npm's, yarn's, conda's and composer's
/// pages about caching).
static HABITS: [Habit; 12] = [
    Habit {
        rule: "apt-lists",
        programs: &["apt-get", "apt", "aptitude"],
        verbs: &["update"],
        folders: &["/var/lib/apt/lists"],
        cleaners: &["dist-clean", "distclean"],
        remedy: Remedy::Command("rm -rf /var/lib/apt/lists/*"),
        about: Some(costs::APT_LISTS),
        what: "apt's lists of packages",
        ..NOTHING
    },
    Habit {
        rule: "apk-cache",
        programs: &["apk"],
        verbs: &["add", "upgrade"],
        folders: &["/var/cache/apk"],
        flags: &["--no-cache"],
        cleaners: &["cache"],
        remedy: Remedy::Option("--no-cache"),
        what: "apk's index",
        ..NOTHING
    },
    Habit {
        rule: "apk-cache",
        programs: &["apk"],
        verbs: &["update"],
        folders: &["/var/cache/apk"],
        flags: &["--no-cache"],
        cleaners: &["cache"],
        remedy: Remedy::Command("rm -rf /var/cache/apk/*"),
        what: "apk's index",
        ..NOTHING
    },
    Habit {
        rule: "dnf-cache",
        programs: &["dnf", "dnf5", "microdnf", "yum", "tdnf"],
        verbs: &[
            "install",
            "groupinstall",
            "reinstall",
            "update",
            "upgrade",
            "distro-sync",
            "module",
            "makecache",
            "localinstall",
        ],
        folders: &[
            "/var/cache/dnf",
            "/var/cache/yum",
            "/var/cache/libdnf5",
            "/var/cache/tdnf",
        ],
        cleaners: &["clean"],
        remedy: Remedy::Verb("clean all"),
        what: "metadata and packages",
        ..NOTHING
    },
    Habit {
        rule: "dnf-cache",
        programs: &["zypper"],
        verbs: &["install", "in", "update", "up", "dup", "refresh", "ref"],
        folders: &["/var/cache/zypp"],
        cleaners: &["clean", "cc"],
        remedy: Remedy::Verb("clean --all"),
        what: "metadata and packages",
        ..NOTHING
    },
    Habit {
        rule: "pip-cache",
        programs: &["pip", "pip2", "pip3"],
        verbs: &["install", "wheel", "download"],
        folders: &["~/.cache/pip"],
        flags: &["--no-cache-dir"],
        off: &["PIP_NO_CACHE_DIR"],
        elsewhere: &["PIP_CACHE_DIR"],
        cleaners: &["cache"],
        remedy: Remedy::Option("--no-cache-dir"),
        about: Some(costs::PIP_CACHE),
        what: "what pip downloaded and built",
        ..NOTHING
    },
    Habit {
        rule: "pip-cache",
        programs: &["uv"],
        verbs: &["pip", "sync", "add", "tool"],
        sub: &["install", "sync"],
        folders: &["~/.cache/uv"],
        flags: &["--no-cache", "-n"],
        off: &["UV_NO_CACHE"],
        elsewhere: &["UV_CACHE_DIR"],
        cleaners: &["cache"],
        remedy: Remedy::Option("--no-cache"),
        about: Some(costs::PIP_CACHE),
        what: "what uv downloaded and built",
    },
    Habit {
        rule: "pip-cache",
        programs: &["poetry"],
        verbs: &["install", "sync", "add", "update"],
        folders: &["~/.cache/pypoetry"],
        flags: &["--no-cache"],
        elsewhere: &["POETRY_CACHE_DIR"],
        cleaners: &["cache"],
        remedy: Remedy::Option("--no-cache"),
        about: Some(costs::PIP_CACHE),
        what: "what poetry downloaded and built",
        ..NOTHING
    },
    Habit {
        rule: "npm-cache",
        programs: &["npm"],
        verbs: &[
            "install",
            "ci",
            "i",
            "add",
            "install-ci-test",
            "clean-install",
        ],
        folders: &["~/.npm"],
        elsewhere: &["npm_config_cache", "NPM_CONFIG_CACHE"],
        cleaners: &["cache"],
        remedy: Remedy::Command("npm cache clean --force"),
        about: Some(costs::NPM_CACHE),
        what: "what npm downloaded",
        ..NOTHING
    },
    Habit {
        rule: "npm-cache",
        programs: &["yarn"],
        verbs: &["install", "add", ""],
        folders: &[
            "/usr/local/share/.cache/yarn",
            "~/.cache/yarn",
            "~/.yarn/berry/cache",
        ],
        elsewhere: &["YARN_CACHE_FOLDER"],
        cleaners: &["cache"],
        remedy: Remedy::Command("yarn cache clean"),
        about: Some(costs::NPM_CACHE),
        what: "what yarn downloaded",
        ..NOTHING
    },
    Habit {
        rule: "conda-cache",
        programs: &["conda", "mamba", "micromamba"],
        verbs: &["install", "create", "env", "update", "upgrade"],
        folders: &[
            "/opt/conda/pkgs",
            "/opt/mamba/pkgs",
            "~/miniconda3/pkgs",
            "~/.conda/pkgs",
        ],
        elsewhere: &["CONDA_PKGS_DIRS"],
        cleaners: &["clean"],
        remedy: Remedy::Verb("clean --all --yes"),
        what: "packages and tarballs",
        ..NOTHING
    },
    Habit {
        rule: "composer-cache",
        programs: &["composer", "composer.phar"],
        verbs: &["install", "update", "require", "create-project"],
        folders: &["~/.composer/cache", "~/.cache/composer", "/tmp/cache"],
        flags: &["--no-cache"],
        elsewhere: &["COMPOSER_CACHE_DIR", "COMPOSER_HOME"],
        cleaners: &["clear-cache", "clearcache", "cc"],
        remedy: Remedy::Option("--no-cache"),
        what: "what composer downloaded",
        ..NOTHING
    },
];

/// What the final image's steps leave behind.
pub fn left(file: &Dockerfile) -> Vec<Left> {
    let mut found = Vec::new();
    for (at, step, run) in file.final_runs() {
        let mut seen: Vec<&str> = Vec::new();
        for habit in &HABITS {
            // One finding for apk's index, whoever fetched it.
            let name = habit.folders[0];
            if seen.contains(&name) {
                continue;
            }
            let Some(left) = leaves(habit, at, step, run) else {
                continue;
            };
            seen.push(name);
            found.push(left);
        }
    }
    found
}

fn leaves(habit: &'static Habit, at: usize, step: &Step, run: &Run) -> Option<Left> {
    let commands = &run.script.commands;
    let fetches: Vec<(usize, &Command)> = commands
        .iter()
        .enumerate()
        .filter(|(_, command)| habit.fetches(command))
        .filter(|(_, command)| !command.has(habit.flags))
        .collect();
    let (_, first) = fetches.first()?;
    let (last, _) = fetches.last()?;
    if habit.off.iter().any(|name| is_on(name, step, run)) {
        return None;
    }
    let mut folders: Vec<String> = habit.folders.iter().map(|f| (*f).to_owned()).collect();
    for name in habit.elsewhere {
        match step.variables.get(*name) {
            Some(folder) => folders = vec![resolve(folder, step)],
            // Somewhere that only the shell knows.
            None if run.script.sets(name) => return None,
            None => {}
        }
    }
    if run.mounts.iter().any(|mount| holds(mount, &folders)) || folders == ["/dev/null"] {
        return None;
    }
    let cleans = |command: &Command| {
        (command.is(habit.programs) && command.verb(habit.cleaners).is_some())
            || deleted(command).iter().any(|target| {
                let target = resolve(target, step);
                folders.iter().any(|folder| covers(&target, folder))
            })
    };
    if commands[last + 1..].iter().any(cleans) {
        return None;
    }
    Some(Left {
        step: at,
        line: step.line,
        habit,
        program: first.program.clone(),
        bytes: habit.about.map_or(Bytes::Unknown, Bytes::About),
        mend: habit.mend(&fetches, run),
        folders,
    })
}

impl Habit {
    fn fetches(&self, command: &Command) -> bool {
        // `pip3.12`
        let name = match command.program.strip_prefix("pip3.") {
            Some(_) => "pip3",
            None => command.program.as_str(),
        };
        if !self.programs.contains(&name) {
            return false;
        }
        match command.verb(self.verbs) {
            Some(verb) if matches!(command.args[verb].as_str(), "pip" | "tool") => {
                let sub = command.operands_after(verb).next();
                self.sub.contains(&sub.unwrap_or_default())
            }
            Some(_) => true,
            None => {
                self.verbs.contains(&"")
                    && command.args.iter().all(|arg| arg.starts_with('-'))
                    && !command.has(&["--version", "--help"])
            }
        }
    }

    fn mend(&self, fetches: &[(usize, &Command)], run: &Run) -> Option<Mend> {
        let edits: Option<Vec<Edit>> = match self.remedy {
            Remedy::Option(option) => fetches
                .iter()
                .map(|(_, command)| {
                    let verb = command.verb(self.verbs)?;
                    // `uv pip install`: behind the second word.
                    let second = matches!(command.args[verb].as_str(), "pip" | "tool");
                    command.insert_after(verb + usize::from(second), option)
                })
                .collect(),
            Remedy::Command(command) => run.script.append(command).map(|edit| vec![edit]),
            Remedy::Verb(verb) => {
                let program = &fetches.last()?.1.program;
                let edit = run.script.append(&format!("{program} {verb}"));
                edit.map(|edit| vec![edit])
            }
        };
        // Yarn's newer versions run from their cache.
        match self.programs {
            ["yarn"] => edits.map(Mend::wants_a_look),
            _ => edits.map(Mend::safe),
        }
    }
}

/// True if a switch is set, by `ENV`, `ARG` or the shell, to anything but no.
fn is_on(name: &str, step: &Step, run: &Run) -> bool {
    let no = |value: &str| {
        matches!(
            value.to_lowercase().as_str(),
            "" | "0" | "false" | "no" | "off"
        )
    };
    match step.variables.get(name) {
        Some(value) => !no(value),
        None => run.script.sets(name),
    }
}

/// True if one of the folders lies on a mount that is no part of the layer.
fn holds(mount: &Mount, folders: &[String]) -> bool {
    if !matches!(mount.kind.as_str(), "cache" | "tmpfs") {
        return false;
    }
    let target = home(&mount.target);
    let target = target.trim_end_matches('/');
    folders.iter().any(|folder| {
        let rest = folder.strip_prefix('~');
        folder == target
            || is_below(folder, target)
            // A home that is not called so: `/opt/app/.cache/pip`.
            || rest.is_some_and(|rest| target.ends_with(rest) || target.ends_with("/.cache") && rest.starts_with("/.cache/"))
    })
}
