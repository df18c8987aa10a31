//! An image, ready to be run in the sandbox.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use whit_oci::{ImageConfig, ImagePath};
use whit_sandbox::{Command, Emulator, Exit, GivenUp, Mount, Network, Running, Spec, Stdin, Upper};

use super::emulation::{self, Means};
use super::{Error, Identity, Limits, Users};
use crate::index::{NodeKind, Tree};

/// The `PATH` of container engines where the image sets none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The name of every sandbox's machine. A fixed one, since answers that name
/// their host should not differ from run to run.
const HOSTNAME: &str = "whit";

/// Most bytes of a file of accounts.
const MAX_ACCOUNTS: u64 = 4 << 20;

/// What stands around a program while it runs: root file system, environment,
/// user. The original, the small image and whit's own helper commands (asking
/// an interpreter for its paths, compiling bytecode) all run on one.
#[derive(Debug, Clone)]
pub struct Stage {
    lowers: Vec<PathBuf>,
    config: ImageConfig,
    users: Users,
    /// Entrypoint and command together; what `-- COMMAND...` replaces.
    argv: Vec<String>,
    /// True once [`Stage::with_argv`] was called.
    replaced: bool,
    pub network: Network,
    pub mounts: Vec<Mount>,
    limits: (u64, u64),
    emulator: Option<Emulator>,
}

impl Stage {
    /// A stage of extracted folders, the bottom one first, and the tree that
    /// they make up.
    ///
    /// `scratch` must outlive the stage and be its own: volumes that the image
    /// names but does not have are made there, as engines make them.
    ///
    /// # Errors
    /// [`Error::Io`] if `scratch` cannot be written or an account file cannot
    /// be read.
    pub fn new(
        dirs: &[PathBuf],
        config: &ImageConfig,
        tree: &Tree,
        scratch: &Path,
    ) -> Result<Self, Error> {
        let users = Users::parse(
            &read(tree, dirs, "etc/passwd")?,
            &read(tree, dirs, "etc/group")?,
        );
        let mut lowers = Vec::with_capacity(dirs.len() + 1);
        lowers.extend(mount_points(config, tree, scratch)?);
        lowers.extend_from_slice(dirs);
        let limits = Limits::default();
        Ok(Self {
            lowers,
            argv: config.command(),
            replaced: false,
            config: config.clone(),
            users,
            network: Network::Private,
            mounts: Vec::new(),
            limits: (limits.written, limits.processes),
            emulator: emulator(config.architecture()),
        })
    }

    /// Runs `argv` where the image's entrypoint and command would run.
    pub fn with_argv(mut self, argv: Vec<String>) -> Self {
        self.argv = argv;
        self.replaced = true;
        self
    }

    /// Takes the bounds on memory files and processes from `limits`.
    pub fn with_limits(mut self, limits: &Limits) -> Self {
        self.limits = (limits.written, limits.processes);
        self
    }

    pub fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// The program and arguments that the image starts.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// True if the user replaced the image's own command.
    pub fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// True if an emulator runs the programs.
    pub fn is_foreign(&self) -> bool {
        emulation::likely(self.config.architecture()) != Some(Means::Native)
    }

    /// The sandbox to run in.
    pub fn spec(&self) -> Spec {
        Spec {
            lowers: self.lowers.clone(),
            upper: Upper::Memory {
                max_bytes: self.limits.0,
            },
            mounts: self.mounts.clone(),
            network: self.network,
            hostname: HOSTNAME.to_owned(),
            max_processes: self.limits.1,
            emulator: self.emulator.clone(),
        }
    }

    /// What the image runs when it is started.
    ///
    /// # Errors
    /// [`Error::NoCommand`] without an entrypoint and a command, and those of
    /// [`Stage::command`].
    pub fn own_command(&self) -> Result<Command, Error> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(Error::NoCommand);
        }
        self.command(&self.argv)
    }

    /// Any program, with the image's environment, user and working directory.
    ///
    /// # Errors
    /// [`Error::UnknownUser`] and [`Error::UnknownGroup`] if the image's user
    /// cannot be resolved.
    pub fn command(&self, argv: &[impl AsRef<str>]) -> Result<Command, Error> {
        let identity = self.identity()?;
        Ok(Command {
            argv: argv.iter().map(|arg| arg.as_ref().into()).collect(),
            env: self.environment(&identity),
            cwd: PathBuf::from(self.config.working_dir()),
            uid: identity.uid,
            gid: identity.gid,
            groups: identity.groups,
            stdin: Stdin::Null,
            trace: false,
        })
    }

    /// Runs one of whit's own questions to its end; its answer is what it
    /// wrote to standard output.
    ///
    /// # Errors
    /// The last line of what it complained about, or why it did not end.
    pub fn ask(
        &self,
        command: &Command,
        patience: Duration,
        cancel: &AtomicBool,
    ) -> Result<Vec<u8>, String> {
        let said = |error: whit_sandbox::Error| error.to_string();
        let outcome = Running::start(&self.spec(), command)
            .and_then(|running| running.finish_within(patience, cancel))
            .map_err(said)?
            .map_err(|given_up| match given_up {
                GivenUp::Cancelled => "interrupted".to_owned(),
                GivenUp::TooLong => "it did not end".to_owned(),
            })?;
        match outcome.exit {
            Exit::Code(0) => Ok(outcome.stdout),
            _ => Err(String::from_utf8_lossy(&outcome.stderr)
                .lines()
                .last()
                .unwrap_or("it failed without a word")
                .to_owned()),
        }
    }

    /// The user that the image runs as.
    pub fn identity(&self) -> Result<Identity, Error> {
        self.users.resolve(self.config.user())
    }

    /// `PATH`, `HOSTNAME` and `HOME` as engines set them, overridden by the
    /// image's own variables.
    fn environment(&self, identity: &Identity) -> Vec<(OsString, OsString)> {
        let mut env = vec![
            ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
            ("HOSTNAME".to_owned(), HOSTNAME.to_owned()),
            ("HOME".to_owned(), identity.home.clone()),
        ];
        for (name, value) in self.config.env() {
            match env.iter_mut().find(|(known, _)| *known == name) {
                Some(pair) => pair.1 = value,
                None => env.push((name, value)),
            }
        }
        env.into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }
}

/// What a sandbox needs to run programs of an architecture.
pub fn emulator(architecture: &str) -> Option<Emulator> {
    match emulation::likely(architecture)? {
        Means::Emulator(emulator) => Some(emulator),
        Means::Native | Means::Host => None,
    }
}

/// A file of the image, symbolic links followed inside of it; empty if it is
/// not there.
fn read(tree: &Tree, dirs: &[PathBuf], path: &str) -> Result<Vec<u8>, Error> {
    let Some(id) = tree.lookup(&ImagePath::from(path)) else {
        return Ok(Vec::new());
    };
    let NodeKind::File { content, .. } = &tree.node(id).kind else {
        return Ok(Vec::new());
    };
    let Some(host) = dirs
        .iter()
        .rev()
        .map(|dir| content.under(dir))
        .find(|host| host.symlink_metadata().is_ok_and(|meta| meta.is_file()))
    else {
        return Ok(Vec::new());
    };
    let mut bytes = Vec::new();
    fs::File::open(&host)
        .and_then(|file| file.take(MAX_ACCOUNTS).read_to_end(&mut bytes))
        .map_err(Error::io(format!("cannot read the image's /{path}")))?;
    Ok(bytes)
}

/// A bottom layer with the volumes that the image names but does not have;
/// engines make them when they start a container. `None` if nothing is
/// missing.
fn mount_points(
    config: &ImageConfig,
    tree: &Tree,
    scratch: &Path,
) -> Result<Option<PathBuf>, Error> {
    let missing: Vec<ImagePath> = config
        .volumes()
        .iter()
        .map(|volume| tree.resolve(&ImagePath::clamped(volume)))
        .filter(|found| found.file.is_none())
        .map(|found| found.path)
        .collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let layer = scratch.join("volumes");
    let made = Error::io("cannot make the mount points of the image's volumes");
    make_owned(&layer, &missing).map_err(made)?;
    Ok(Some(layer))
}

fn make_owned(layer: &Path, folders: &[ImagePath]) -> std::io::Result<()> {
    for folder in folders {
        fs::create_dir_all(folder.under(layer))?;
        let Some((uid, gid)) = whit_sandbox::disk_owner(0, 0) else {
            continue;
        };
        std::os::unix::fs::chown(folder.under(layer), Some(uid), Some(gid))?;
        for above in folder.ancestors() {
            std::os::unix::fs::chown(above.under(layer), Some(uid), Some(gid))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use whit_oci::Meta;

    use super::*;
    use crate::index::Node;

    fn tree(files: &[(&str, NodeKind)]) -> Tree {
        let node = |(path, kind): &(&str, NodeKind)| {
            let path = ImagePath::from(*path);
            let node = Node {
                path: path.clone(),
                kind: kind.clone(),
                meta: Meta::default(),
                layer: 0,
                package: None,
            };
            (path, node)
        };
        Tree::new(
            files.iter().map(node).collect::<BTreeMap<_, _>>(),
            Vec::new(),
        )
    }

    fn env(command: &Command) -> BTreeMap<String, String> {
        let text = |text: &OsString| text.to_string_lossy().into_owned();
        command
            .env
            .iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn an_image_is_started_as_engines_do() {
        let scratch = tempfile::tempdir().unwrap();
        let [lower, upper] = ["lower", "upper"].map(|name| scratch.path().join(name));
        for (dir, path, text) in [
            (&lower, "etc/passwd", "app:x:1:1::/old:\n"),
            (&upper, "etc/accounts", "app:x:1000:1001::/home/app:\n"),
            (&lower, "etc/group", "video:x:44:app\n"),
        ] {
            fs::create_dir_all(dir.join("etc")).unwrap();
            fs::write(dir.join(path), text).unwrap();
        }
        let file = |path: &str| NodeKind::File {
            size: 1,
            content: path.into(),
        };
        // An absolute link leads to the image's file, never to the host's.
        let link = NodeKind::Symlink {
            target: b"/etc/accounts".to_vec(),
        };
        let tree = tree(&[
            ("etc/passwd", link),
            ("etc/accounts", file("etc/accounts")),
            ("etc/group", file("etc/group")),
            ("data", NodeKind::Dir),
        ]);
        let mut config = ImageConfig::new("amd64");
        config.set_exec("Entrypoint", json!(["serve"]));
        config.set_exec("Cmd", json!(["--all"]));
        config.set_exec("User", json!("app"));
        config.set_exec("WorkingDir", json!("/srv"));
        config.set_exec("Env", json!(["A=1", "HOME=/own", "EMPTY"]));
        config.set_exec("Volumes", json!({"/data": {}, "/var/cache/app": {}}));

        let dirs = [lower.clone(), upper.clone()];
        let stage = Stage::new(&dirs, &config, &tree, scratch.path()).unwrap();
        let command = stage.own_command().unwrap();
        assert_eq!(command.argv, ["serve", "--all"]);
        assert_eq!(command.cwd, Path::new("/srv"));
        assert_eq!((command.uid, command.gid), (1000, 1001));
        assert_eq!(command.groups, [44]);
        let env = env(&command);
        assert_eq!(env["PATH"], DEFAULT_PATH);
        assert_eq!(env["HOME"], "/own");
        assert_eq!(env["HOSTNAME"], HOSTNAME);
        assert_eq!((env["A"].as_str(), env["EMPTY"].as_str()), ("1", ""));

        let spec = stage.spec();
        let volumes = scratch.path().join("volumes");
        assert_eq!(spec.lowers, [volumes.clone(), lower, upper]);
        assert!(volumes.join("var/cache/app").is_dir() && !volumes.join("data").exists());
        assert_eq!(spec.network, Network::Private);

        let stage = stage.with_argv(vec!["other".into()]);
        assert_eq!(stage.own_command().unwrap().argv, ["other"]);
        assert!(stage.is_replaced());
    }

    #[test]
    fn what_cannot_be_started() {
        let scratch = tempfile::tempdir().unwrap();
        let mut config = ImageConfig::new("amd64");
        let stage = |config: &ImageConfig| {
            Stage::new(&[], config, &tree(&[]), scratch.path())
                .unwrap()
                .own_command()
        };
        assert!(matches!(stage(&config), Err(Error::NoCommand)));
        config.set_exec("Cmd", json!([""]));
        assert!(matches!(stage(&config), Err(Error::NoCommand)));
        config.set_exec("Cmd", json!(["x"]));
        config.set_exec("User", json!("who"));
        assert!(matches!(stage(&config), Err(Error::UnknownUser { .. })));
    }
}
