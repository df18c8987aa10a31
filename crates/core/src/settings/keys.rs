//! The keys of `whit.toml`, and what else sets the same thing.

/// A key of `whit.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub name: &'static str,
    /// As the command line writes it.
    pub flag: Option<&'static str>,
    pub variable: Option<&'static str>,
}

const fn key(
    name: &'static str,
    flag: Option<&'static str>,
    variable: Option<&'static str>,
) -> Key {
    Key {
        name,
        flag,
        variable,
    }
}

/// All keys, in the order in which they are shown.
pub const KEYS: [Key; 33] = [
    key("command", Some("-- COMMAND"), None),
    key("entrypoint", None, None),
    key("env", Some("--env"), None),
    key("expose", Some("--expose"), None),
    key("user", Some("--user"), Some("WHIT_USER")),
    key("workdir", Some("--workdir"), Some("WHIT_WORKDIR")),
    key("labels", Some("--label"), None),
    key("python", Some("--python"), Some("WHIT_PYTHON")),
    key("suite", Some("--suite"), Some("WHIT_SUITE")),
    key("mirror", Some("--mirror"), Some("WHIT_DEBIAN_MIRROR")),
    key("base", Some("--base"), Some("WHIT_BASE")),
    key("packages", Some("--package"), None),
    key("add-modules", Some("--add-modules"), None),
    key("build-packages", Some("--build-package"), None),
    key("policy", Some("--policy"), Some("WHIT_POLICY")),
    key("keep", Some("--keep"), None),
    key("drop", Some("--drop"), None),
    key(
        "python-code",
        Some("--python-code"),
        Some("WHIT_PYTHON_CODE"),
    ),
    key("strip", Some("--no-strip"), Some("WHIT_STRIP")),
    key("single", Some("--single"), Some("WHIT_SINGLE")),
    key("without", Some("--without"), None),
    key("allow-fallback", Some("--allow-fallback"), None),
    key("compress", Some("--compress"), Some("WHIT_COMPRESS")),
    key("output", Some("--output"), Some("WHIT_OUTPUT")),
    key("tag", Some("--tag"), Some("WHIT_TAG")),
    key("platform", Some("--platform"), Some("WHIT_PLATFORM")),
    key("registry-mirrors", Some("--registry-mirror"), None),
    key("network", Some("--network"), Some("WHIT_NETWORK")),
    key(
        "start-timeout",
        Some("--start-timeout"),
        Some("WHIT_START_TIMEOUT"),
    ),
    key(
        "probe-timeout",
        Some("--probe-timeout"),
        Some("WHIT_PROBE_TIMEOUT"),
    ),
    key("probe", Some("--probe, --exec, --stdin, --test"), None),
    key("entry", Some("--also"), None),
    key("budget", None, None),
];

impl Key {
    /// The key of that name.
    pub fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }
}
