//! The settings by which people's machines reach package indexes: pip's files
//! and variables, uv's own, proxies and certificates. whit installs with uv;
//! what is set for pip only holds for it too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::source::ini;

/// pip's settings, files and variables put together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct PipSettings {
    values: BTreeMap<String, String>,
}

/// What an installer in the sandbox gets: variables, and files of the host
/// that they name.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Access {
    pub variables: BTreeMap<String, String>,
    /// Small files that are copied in: the host's path, by the name inside
    /// [`INSIDE`].
    pub files: BTreeMap<String, PathBuf>,
    /// Folders with wheels, visible at the same path.
    pub folders: Vec<PathBuf>,
}

/// Where the copied files lie in the sandbox.
pub const INSIDE: &str = "/whit/in";

/// The CA bundles of the usual distributions.
pub const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Variables of uv and pip that are about the host's files and environments,
/// or that would change what is installed into the image.
const OWN: &[&str] = &[
    "UV_CACHE_DIR",
    "UV_COMPILE_BYTECODE",
    "UV_CONFIG_FILE",
    "UV_ENV_FILE",
    "UV_INSTALL_DIR",
    "UV_LINK_MODE",
    "UV_NO_CONFIG",
    "UV_OVERRIDE",
    "UV_PROJECT",
    "UV_PROJECT_ENVIRONMENT",
    "UV_PYTHON",
    "UV_PYTHON_DOWNLOADS",
    "UV_PYTHON_PREFERENCE",
    "UV_REQUIRE_HASHES",
    "UV_SYSTEM_PYTHON",
    "UV_TOOL_DIR",
    "UV_WORKING_DIR",
    "PIP_PREFIX",
    "PIP_TARGET",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
    "PIP_CACHE_DIR",
    "PIP_CONFIG_FILE",
    "PIP_PYTHON",
    "PIP_LOG",
    "PIP_REQUIRE_HASHES",
];

impl PipSettings {
    /// Reads pip's files the way pip does (pip documentation,
    /// "Configuration"), and the `PIP_*` variables over them.
    pub fn load(environment: &BTreeMap<String, String>) -> Self {
        let mut texts = Vec::new();
        for path in config_files(environment) {
            texts.extend(std::fs::read_to_string(path));
        }
        Self::merge(&texts, environment)
    }

    fn merge(files: &[String], environment: &BTreeMap<String, String>) -> Self {
        let mut values = BTreeMap::new();
        for text in files {
            let ini = ini::parse(text);
            for section in ["global", "install", "download"] {
                for (key, value) in ini.get(section).into_iter().flatten() {
                    values.insert(key.replace('_', "-"), value.clone());
                }
            }
        }
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix("PIP_")
                && !value.is_empty()
            {
                values.insert(key.to_lowercase().replace('_', "-"), value.clone());
            }
        }
        Self { values }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    fn words(&self, key: &str) -> Vec<&str> {
        self.get(key)
            .unwrap_or_default()
            .split_whitespace()
            .collect()
    }
}

fn config_files(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let get = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let mut files = vec![
        PathBuf::from("/etc/xdg/pip/pip.conf"),
        PathBuf::from("/etc/pip.conf"),
    ];
    if let Some(home) = get("HOME") {
        let home = Path::new(home);
        files.push(home.join(".pip/pip.conf"));
        let config = get("XDG_CONFIG_HOME").map_or(home.join(".config"), PathBuf::from);
        files.push(config.join("pip/pip.conf"));
    }
    files.extend(get("VIRTUAL_ENV").map(|venv| Path::new(venv).join("pip.conf")));
    files.extend(get("PIP_CONFIG_FILE").map(PathBuf::from));
    files
}

impl Access {
    /// What the invoking user's surroundings give, and the indexes that the
    /// project itself names (`URL`, or `NAME=URL` as uv has it).
    pub fn of(environment: &BTreeMap<String, String>, indexes: &[String]) -> Self {
        let mut access = Self::with(environment, &PipSettings::load(environment));
        access.project_indexes(indexes);
        access
    }

    fn project_indexes(&mut self, indexes: &[String]) {
        if indexes.is_empty() {
            return;
        }
        let mut all = indexes.join(" ");
        if let Some(own) = self.variables.get("UV_INDEX") {
            all = format!("{own} {all}");
        }
        self.variables.insert("UV_INDEX".to_owned(), all);
        // The pins say which version, and their hashes which file: it may come
        // from any of them.
        self.set("UV_INDEX_STRATEGY", "unsafe-best-match");
    }

    fn with(environment: &BTreeMap<String, String>, pip: &PipSettings) -> Self {
        let mut access = Self::default();
        for (name, value) in environment {
            if is_passed(name) && !OWN.contains(&name.as_str()) && !value.is_empty() {
                access.variables.insert(name.clone(), value.clone());
            }
        }
        access.pip_for_uv(pip);
        access.pip_for_pip(pip);
        access.certificates(environment, pip);
        access.user_files(environment);
        access.find_links(pip);
        access
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables
            .entry(name.to_owned())
            .or_insert_with(|| value.into());
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.variables.contains_key(*name))
    }

    fn pip_for_uv(&mut self, pip: &PipSettings) {
        if let Some(url) = pip.get("index-url")
            && !self.has(&["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
        {
            self.set("UV_DEFAULT_INDEX", url);
        }
        let extra = pip.words("extra-index-url");
        if !extra.is_empty() && !self.has(&["UV_INDEX", "UV_EXTRA_INDEX_URL"]) {
            self.set("UV_INDEX", extra.join(" "));
            // pip takes the best version of all indexes, uv the first index
            // that has the name: people who set this up for pip mean pip's.
            self.set("UV_INDEX_STRATEGY", "unsafe-best-match");
        }
        let links = pip.words("find-links");
        if !links.is_empty() {
            self.set("UV_FIND_LINKS", links.join(","));
        }
        let trusted = pip.words("trusted-host");
        if !trusted.is_empty() {
            self.set("UV_INSECURE_HOST", trusted.join(" "));
        }
        if pip.get("no-index").is_some_and(is_true) {
            self.set("UV_NO_INDEX", "1");
        }
        if let Some(seconds) = pip.get("timeout").or(pip.get("default-timeout")) {
            self.set("UV_HTTP_TIMEOUT", seconds);
        }
        if pip.get("only-binary") == Some(":all:") {
            self.set("UV_NO_BUILD", "1");
        }
        if let Some(proxy) = pip.get("proxy")
            && !self.has(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
        {
            self.set("HTTPS_PROXY", proxy);
            self.set("HTTP_PROXY", proxy);
        }
    }

    /// The same for pip itself, which fetches uv: its files are not there.
    fn pip_for_pip(&mut self, pip: &PipSettings) {
        for key in [
            "index-url",
            "extra-index-url",
            "find-links",
            "trusted-host",
            "no-index",
            "timeout",
            "proxy",
            "retries",
        ] {
            if let Some(value) = pip.get(key) {
                let name = format!("PIP_{}", key.to_uppercase().replace('-', "_"));
                self.set(
                    &name,
                    value.split_whitespace().collect::<Vec<_>>().join(" "),
                );
            }
        }
    }

    /// One bundle for everything: the first that is named, else the host's.
    fn certificates(&mut self, environment: &BTreeMap<String, String>, pip: &PipSettings) {
        let named = [
            "SSL_CERT_FILE",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
        ]
        .iter()
        .filter_map(|name| environment.get(*name))
        .map(String::as_str)
        .chain(pip.get("cert"))
        .chain(BUNDLES.iter().copied())
        .map(PathBuf::from)
        .find(|path| path.is_file());
        if let Some(bundle) = named {
            self.files.insert("ca.pem".to_owned(), bundle);
            for name in [
                "SSL_CERT_FILE",
                "PIP_CERT",
                "REQUESTS_CA_BUNDLE",
                "CURL_CA_BUNDLE",
                "GIT_SSL_CAINFO",
            ] {
                self.variables
                    .insert(name.to_owned(), format!("{INSIDE}/ca.pem"));
            }
        }
        self.variables.remove("SSL_CERT_DIR");
        let client = environment
            .get("SSL_CLIENT_CERT")
            .map(String::as_str)
            .or(pip.get("client-cert"));
        if let Some(path) = client.map(PathBuf::from).filter(|path| path.is_file()) {
            self.files.insert("client.pem".to_owned(), path);
            for name in ["SSL_CLIENT_CERT", "PIP_CLIENT_CERT"] {
                self.variables
                    .insert(name.to_owned(), format!("{INSIDE}/client.pem"));
            }
        }
    }

    /// `.netrc` and the user's `uv.toml`.
    fn user_files(&mut self, environment: &BTreeMap<String, String>) {
        let home = environment.get("HOME").map(PathBuf::from);
        let netrc = environment
            .get("NETRC")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".netrc")));
        if let Some(path) = netrc.filter(|path| path.is_file()) {
            self.files.insert("netrc".to_owned(), path);
            self.variables
                .insert("NETRC".to_owned(), format!("{INSIDE}/netrc"));
        }
        let config = environment
            .get("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| home.map(|home| home.join(".config")));
        // uv reads the first as the user's, the second as the system's.
        let user = config.map(|config| config.join("uv/uv.toml"));
        if let Some(path) = user.filter(|path| path.is_file()) {
            self.files.insert("config/uv/uv.toml".to_owned(), path);
        }
        let system = PathBuf::from("/etc/uv/uv.toml");
        if system.is_file() {
            self.files.insert("system/uv/uv.toml".to_owned(), system);
        }
    }

    fn find_links(&mut self, pip: &PipSettings) {
        let uv = self.variables.get("UV_FIND_LINKS").cloned();
        let places = pip
            .words("find-links")
            .into_iter()
            .chain(uv.as_deref().unwrap_or_default().split(','));
        for place in places {
            let path = Path::new(place.strip_prefix("file://").unwrap_or(place));
            // A folder that would hide the system's own is none of wheels.
            let deep = path.components().count() > 2;
            if path.is_absolute() && deep && path.is_dir() {
                self.folders.push(path.to_owned());
            }
        }
        self.folders.sort();
        self.folders.dedup();
    }
}

fn is_passed(name: &str) -> bool {
    name.starts_with("UV_")
        || name.starts_with("PIP_")
        || name.starts_with("KEYRING_")
        || matches!(
            name.to_uppercase().as_str(),
            "HTTP_PROXY" | "HTTPS_PROXY" | "ALL_PROXY" | "NO_PROXY"
        )
}

fn is_true(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "1" | "true" | "yes" | "on")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(files: &[&str], environment: &[(&str, &str)]) -> Access {
        let environment: BTreeMap<String, String> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let files: Vec<String> = files.iter().map(|text| (*text).to_owned()).collect();
        Access::with(&environment, &PipSettings::merge(&files, &environment))
    }

    #[test]
    fn pips_files_hold_for_uv() {
        let found = access(
            &[
                "[global]\nindex-url = https://a.example/simple\ntimeout = 9\n",
                "[install]\nextra-index-url =\n  https://b.example/s\n  https://c.example/s\ntrusted-host = b.example\n",
            ],
            &[],
        );
        let variables = &found.variables;
        assert_eq!(variables["UV_DEFAULT_INDEX"], "https://a.example/simple");
        assert_eq!(
            variables["UV_INDEX"],
            "https://b.example/s https://c.example/s"
        );
        assert_eq!(variables["UV_INDEX_STRATEGY"], "unsafe-best-match");
        assert_eq!(variables["UV_INSECURE_HOST"], "b.example");
        assert_eq!(variables["UV_HTTP_TIMEOUT"], "9");
        assert_eq!(variables["PIP_INDEX_URL"], "https://a.example/simple");
    }

    #[test]
    fn variables_win_and_uvs_own_win_over_pips() {
        let found = access(
            &["[global]\nindex-url = https://a.example/simple\n"],
            &[
                ("PIP_INDEX_URL", "https://b.example/simple"),
                ("UV_INDEX_URL", "https://c.example/simple"),
                ("UV_CACHE_DIR", "/x"),
                ("https_proxy", "http://p"),
                ("HOME", "/nowhere"),
                ("SECRET", "x"),
            ],
        );
        let variables = &found.variables;
        assert_eq!(variables["PIP_INDEX_URL"], "https://b.example/simple");
        assert_eq!(variables["UV_INDEX_URL"], "https://c.example/simple");
        assert!(!variables.contains_key("UV_DEFAULT_INDEX"));
        assert!(!variables.contains_key("UV_CACHE_DIR"));
        assert!(!variables.contains_key("SECRET"));
        assert_eq!(variables["https_proxy"], "http://p");
    }

    #[test]
    fn the_projects_indexes_come_after_the_users() {
        let mut found = access(&[], &[("UV_INDEX", "https://a.example/s")]);
        found.project_indexes(&["b=https://b.example/s".to_owned()]);
        assert_eq!(
            found.variables["UV_INDEX"],
            "https://a.example/s b=https://b.example/s"
        );
    }

    #[test]
    fn certificates_and_wheel_folders() {
        let dir = tempfile::tempdir().unwrap();
        let pem = dir.path().join("own.pem");
        std::fs::write(&pem, "x").unwrap();
        let wheels = dir.path().join("wheels");
        std::fs::create_dir(&wheels).unwrap();
        let found = access(
            &[&format!(
                "[global]\ncert = {}\nfind-links = {} https://d.example/w\n",
                pem.display(),
                wheels.display()
            )],
            &[],
        );
        assert_eq!(found.files["ca.pem"], pem);
        assert_eq!(found.variables["SSL_CERT_FILE"], "/whit/in/ca.pem");
        assert_eq!(found.folders, [wheels]);
    }
}
