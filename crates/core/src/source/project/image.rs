//! The metadata of the image that a project becomes: from the Dockerfile, from
//! the settings, and from what a Python service wants anyway.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use whit_oci::{ImageConfig, ImagePath};

use super::dockerfile::DockerFacts;
use super::{Account, Detected, Folder, Language, Project, ProjectError, VENV};
use crate::settings::{Port, Settings};
use crate::source::base::Base;

/// Debian's `PATH` for everyone.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the fat root has its certificates.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Variables of a Dockerfile that only its own build reads.
const BUILD_ONLY: &[&str] = &[
    "PIP_",
    "POETRY_",
    "UV_",
    "PDM_",
    "PIPENV_",
    "DEBIAN_FRONTEND",
    "VIRTUAL_ENV",
];

/// The variables that a base gives to what is made from it, `PATH` excluded.
pub fn inherited(base: &ImageConfig) -> Vec<(String, String)> {
    let mut env = base.env();
    env.retain(|(name, _)| name != "PATH" && !is_for_builds(name));
    env
}

fn is_for_builds(name: &str) -> bool {
    BUILD_ONLY.iter().any(|prefix| name.starts_with(prefix))
}

impl Project {
    /// Decides about everything around the command.
    pub(super) fn settled(
        mut self,
        folder: &Folder,
        settings: &Settings,
        docker: Option<&DockerFacts>,
        base: Option<&Base>,
    ) -> Result<Self, ProjectError> {
        if let Some(base) = base {
            self.take_base(base);
        }
        if let Some(docker) = docker {
            self.take_dockerfile(docker)?;
        }
        for (name, value) in self.command.env.clone() {
            let set = docker.is_some_and(|docker| docker.env.iter().any(|(n, _)| *n == name));
            if !set {
                self.set_env(&name, &value);
            }
        }
        if self.expose.is_empty() {
            self.expose = self.command.ports.clone();
        }
        if let Some(base) = base
            && self.workdir == ImagePath::clamped(base.config.working_dir())
            && docker.is_none_or(|docker| docker.workdir.is_none())
        {
            self.say("workdir", self.workdir.to_string(), "the base says so");
        }
        self.take_settings(settings)?;
        self.env.sort();
        self.expose.sort();
        self.expose.dedup();
        if !self.expose.is_empty() {
            let ports: Vec<String> = self.expose.iter().map(Port::to_string).collect();
            let because = match (&settings.expose, docker) {
                (Some(_), _) => "it was asked for",
                (None, Some(docker)) if !docker.expose.is_empty() => "the Dockerfile says so",
                _ => "the command listens there",
            };
            self.say("port", ports.join(", "), because);
        }
        let because = match (
            &settings.user,
            docker.and_then(|docker| docker.user.as_ref()),
        ) {
            (Some(_), _) => "it was asked for",
            (None, Some(_)) => "the Dockerfile's USER says so",
            (None, None) if self.account != Account::nonroot() => "the base's USER says so",
            (None, None) => "an image need not run as root; `user` changes it",
        };
        let user = format!("{} ({})", self.account.id(), self.account.name);
        self.say("user", user, because);
        let own = [
            self.command.entrypoint.as_slice(),
            self.command.cmd.as_slice(),
        ]
        .concat();
        let others = settings.entry.iter().flatten();
        let commands = others
            .filter_map(|entry| entry.command.as_deref())
            .chain([own.as_slice()]);
        let wished = settings.packages.iter().flatten().cloned();
        self.debian = commands
            .flat_map(|words| shells(words, folder, &self.workdir))
            .map(str::to_owned)
            .chain(wished)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        Ok(self)
    }

    /// What an image inherits from the one that it is made `FROM`. How it
    /// starts and where it listens is the project's own.
    fn take_base(&mut self, base: &Base) {
        let config = &base.config;
        let line = Detected {
            what: "base",
            value: base.name.clone(),
            because: format!("it was asked for; its ID is {}", base.digest),
        };
        self.detected.insert(0, line);
        let started = config.entrypoint();
        if !started.is_empty() {
            self.say(
                "entrypoint",
                format!("without the base's {}", started.join(" ")),
                "the project's command is started as it is",
            );
        }
        if base.had_venv && matches!(self.language, Language::Python(_)) {
            self.say(
                "venv",
                format!("without what the base has in {VENV}"),
                "the project's own dependencies go there",
            );
        }
        let env = config.env();
        if let Some((_, path)) = env.iter().find(|(name, _)| name == "PATH") {
            self.usual_path.clone_from(path);
        }
        self.env = inherited(config);
        let workdir = ImagePath::clamped(config.working_dir());
        if !workdir.is_root() {
            self.workdir = workdir;
        }
        self.users = base.users();
        // Most bases say nothing, which means root; an app need not be.
        let user = Account::parse(config.user(), "the base's USER", &self.users);
        if let Some(user) = user.ok().filter(|user| user.uid != 0) {
            self.account = user;
        }
        let labels = config.exec("Labels").and_then(Value::as_object);
        for (name, value) in labels.into_iter().flatten() {
            // Its title, version and source are not the project's.
            if let Some(value) = value.as_str()
                && !name.starts_with("org.opencontainers.image.")
            {
                self.labels.insert(name.clone(), value.to_owned());
            }
        }
        self.volumes = config.volumes();
        self.stop_signal = config.stop_signal().map(str::to_owned);
        self.healthcheck = config.exec("Healthcheck").cloned();
    }

    fn set_env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    fn take_dockerfile(&mut self, docker: &DockerFacts) -> Result<(), ProjectError> {
        if let Some(workdir) = &docker.workdir {
            let workdir = ImagePath::clamped(workdir);
            // An app that lies in the root among the system's folders is one
            // nobody meant.
            if !workdir.is_root() {
                self.say("workdir", workdir.to_string(), "the Dockerfile says so");
                self.workdir = workdir;
            }
        }
        self.copies = docker.copies.clone();
        if let Language::Other(_) = &self.language {
            self.copies.extend(docker.stage_copies.iter().cloned());
        }
        if !self.copies.is_empty() {
            let count = self.copies.len();
            self.say(
                "files",
                "where the Dockerfile copies them",
                format!("its last stage has {count} COPY"),
            );
        }
        let mut dropped = Vec::new();
        for (name, value) in &docker.env {
            if name == "PATH" {
                self.path =
                    Some(value.trim_matches(':').to_owned()).filter(|path| !path.is_empty());
            } else if is_for_builds(name) {
                dropped.push(name.clone());
            } else {
                self.set_env(name, value);
            }
        }
        if !dropped.is_empty() {
            self.say(
                "env",
                format!("without {}", dropped.join(", ")),
                "only the Dockerfile's own build reads it",
            );
        }
        if let Some(user) = &docker.user {
            self.account = Account::parse(user, "the Dockerfile's USER", &self.users)?;
        }
        self.expose = docker.expose.clone();
        self.labels.extend(docker.labels.iter().cloned());
        self.volumes.extend(docker.volumes.iter().cloned());
        if docker.stop_signal.is_some() {
            self.stop_signal = docker.stop_signal.clone();
        }
        if docker.healthcheck.is_some() {
            self.healthcheck = docker.healthcheck.clone();
        }
        Ok(())
    }

    fn take_settings(&mut self, settings: &Settings) -> Result<(), ProjectError> {
        if let Some(workdir) = &settings.workdir {
            let path = ImagePath::clamped(workdir);
            if !workdir.starts_with('/') || path.is_root() {
                return Err(ProjectError::Value {
                    what: "workdir",
                    value: workdir.clone(),
                    said_by: "the setting".to_owned(),
                    problem: "it must be an absolute path below /",
                });
            }
            self.workdir = path;
            // The Dockerfile's places were for its own working directory.
            self.copies.clear();
        }
        for (name, value) in settings.env.iter().flatten() {
            if name == "PATH" {
                self.path = Some(value.clone());
                continue;
            }
            self.set_env(name, value);
        }
        if let Some(expose) = &settings.expose {
            self.expose = expose.clone();
        }
        if let Some(user) = &settings.user {
            self.account = Account::parse(user, "the setting", &self.users)?;
        }
        self.labels.extend(
            settings
                .labels
                .iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.clone())),
        );
        Ok(())
    }

    /// The environment of the image, `PATH` first.
    ///
    /// - `PATH` begins with the programs of the dependencies.
    ///
    /// For Python, where a Dockerfile or the settings don't say otherwise:
    /// - `PYTHONUNBUFFERED`: a log line that is buffered when the container is
    ///   killed is lost.
    /// - `PYTHONDONTWRITEBYTECODE`: the image brings its bytecode, its user
    ///   cannot write beside the sources, and one who can should not change
    ///   the image at run time.
    /// - `SSL_CERT_FILE` where `certificates` says that the fat root has them:
    ///   a libssl that a wheel brings looks in places that no image has.
    ///
    /// `VIRTUAL_ENV` is left out: Python finds its environment by
    /// `pyvenv.cfg`, and only shell prompts and installers read the variable.
    pub fn environment(&self, certificates: bool) -> Vec<(String, String)> {
        let own = match &self.path {
            Some(path) if path.contains("/usr/bin") => path.clone(),
            Some(path) => format!("{path}:{}", self.usual_path),
            None => self.usual_path.clone(),
        };
        let (path, mut usual) = match &self.language {
            Language::Python(_) => (
                format!("{VENV}/bin:{own}"),
                vec![("PYTHONUNBUFFERED", "1"), ("PYTHONDONTWRITEBYTECODE", "1")],
            ),
            Language::Other(craft) => {
                let inside = |folder: &&str| self.workdir.join(folder).to_string();
                let mut folders: Vec<String> = craft.path.iter().map(inside).collect();
                folders.push(own);
                (folders.join(":"), craft.env.clone())
            }
        };
        let mut env = vec![("PATH".to_owned(), path)];
        if certificates && matches!(self.language, Language::Python(_)) {
            usual.push(("SSL_CERT_FILE", CERTIFICATES));
        }
        for (name, value) in usual {
            if !self.env.iter().any(|(known, _)| known == name) {
                env.push((name.to_owned(), value.to_owned()));
            }
        }
        env.extend(self.env.iter().cloned());
        env[1..].sort();
        env
    }

    /// The image's configuration. `architecture` is Go's name of it;
    /// `certificates` tells if the fat root has a CA bundle.
    pub fn image_config(&self, architecture: &str, certificates: bool) -> ImageConfig {
        let mut config = ImageConfig::new(architecture);
        let env: Vec<String> = self
            .environment(certificates)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        config.set_exec("Env", json!(env));
        if !self.command.entrypoint.is_empty() {
            config.set_exec("Entrypoint", json!(self.command.entrypoint));
        }
        if !self.command.cmd.is_empty() {
            config.set_exec("Cmd", json!(self.command.cmd));
        }
        config.set_exec("WorkingDir", json!(self.workdir.to_string()));
        config.set_exec("User", json!(self.account.id()));
        let keys = |keys: Vec<String>| {
            let map: Map<String, Value> = keys.into_iter().map(|key| (key, json!({}))).collect();
            Value::Object(map)
        };
        if !self.expose.is_empty() {
            let ports = self.expose.iter().map(Port::to_string).collect();
            config.set_exec("ExposedPorts", keys(ports));
        }
        if !self.volumes.is_empty() {
            config.set_exec("Volumes", keys(self.volumes.clone()));
        }
        let labels = self.all_labels();
        if !labels.is_empty() {
            config.set_exec("Labels", json!(labels));
        }
        if let Some(signal) = &self.stop_signal {
            config.set_exec("StopSignal", json!(signal));
        }
        if let Some(check) = &self.healthcheck {
            config.set_exec("Healthcheck", check.clone());
        }
        config
    }

    /// The labels, with `org.opencontainers.image.*` (OCI image spec,
    /// annotations.md) from the project's own metadata where nobody set them.
    pub fn all_labels(&self) -> std::collections::BTreeMap<String, String> {
        let mut labels = self.labels.clone();
        let known = [
            ("title", Some(&self.name)),
            ("version", self.version.as_ref()),
            ("description", self.description.as_ref()),
            ("licenses", self.license.as_ref()),
        ];
        for (key, value) in known {
            if let Some(value) = value {
                labels
                    .entry(format!("org.opencontainers.image.{key}"))
                    .or_insert_with(|| value.clone());
            }
        }
        labels
    }
}

/// The Debian packages of the shells that a command starts with: by name, or
/// as the interpreter of a script of the project.
fn shells(words: &[String], folder: &Folder, workdir: &ImagePath) -> Vec<&'static str> {
    let mut found = Vec::new();
    for word in words.iter().take(3) {
        found.extend(package_of(word.rsplit('/').next().unwrap_or(word)));
        let inside = workdir.join(word);
        let own = inside
            .strip_prefix(workdir)
            .and_then(|rest| std::str::from_utf8(rest).ok())
            .filter(|rest| !rest.is_empty());
        // A script that the Dockerfile copies elsewhere keeps its name.
        let base = word.rsplit('/').next().filter(|_| word.contains('/'));
        let text = [own, base]
            .into_iter()
            .flatten()
            .find_map(|name| folder.read(name).ok().flatten());
        let shebang = text
            .as_deref()
            .and_then(|text| text.lines().next())
            .and_then(|line| line.strip_prefix("#!"));
        for word in shebang.into_iter().flat_map(str::split_whitespace) {
            found.extend(package_of(word.rsplit('/').next().unwrap_or(word)));
        }
    }
    found
}

fn package_of(program: &str) -> Option<&'static str> {
    match program {
        "sh" | "dash" => Some("dash"),
        "bash" => Some("bash"),
        _ => None,
    }
}
