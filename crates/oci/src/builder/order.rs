//! What is to be built, and how each engine is told.

use std::path::PathBuf;
use std::process::Command;

use super::BuildEngine;

/// A build, in the terms that all engines share.
#[derive(Debug, Clone, Default)]
pub struct BuildOrder {
    pub dockerfile: PathBuf,
    /// The folder that `COPY` copies from.
    pub context: PathBuf,
    /// `NAME=VALUE`, or `NAME` for the value of the environment.
    pub build_args: Vec<String>,
    /// The stage to build; the last one if there is none.
    pub target: Option<String>,
    /// The network of `RUN`: `host`, `none`, or what else the engine knows.
    pub network: Option<String>,
    /// `OS/ARCH[/VARIANT]`
    pub platform: Option<String>,
    /// Does every step anew.
    pub no_cache: bool,
}

impl BuildOrder {
    /// The command line; the image is called `name`.
    pub(super) fn command(&self, engine: BuildEngine, buildkit: bool, name: &str) -> Command {
        let mut command = Command::new(engine.program());
        command.arg("build");
        match (engine, buildkit) {
            (BuildEngine::Docker, true) => {
                // A builder in a container keeps what it builds to itself.
                command.args(["--progress=plain", "--load"]);
            }
            (BuildEngine::Docker, false) => {
                // Else it refuses where somebody asked for BuildKit.
                command.env("DOCKER_BUILDKIT", "0").arg("--force-rm");
            }
            // OCI's format has no HEALTHCHECK, SHELL and ONBUILD.
            (BuildEngine::Podman, _) => {
                command.args(["--format", "docker", "--force-rm"]);
            }
            (BuildEngine::Buildah, _) => {
                command.args(["--format", "docker", "--force-rm", "--layers"]);
            }
        }
        command
            .args(["--tag", name])
            .arg("--file")
            .arg(&self.dockerfile);
        for pair in &self.build_args {
            command.args(["--build-arg", pair]);
        }
        let options = [
            ("--target", &self.target),
            ("--network", &self.network),
            ("--platform", &self.platform),
        ];
        for (option, value) in options {
            if let Some(value) = value {
                command.args([option, value]);
            }
        }
        if self.no_cache {
            command.arg("--no-cache");
        }
        command.arg(&self.context);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(engine: BuildEngine, buildkit: bool) -> String {
        let order = BuildOrder {
            dockerfile: "app/Dockerfile.prod".into(),
            context: "app".into(),
            build_args: vec!["V=1 2".to_owned()],
            target: Some("run".to_owned()),
            network: Some("host".to_owned()),
            ..BuildOrder::default()
        };
        let command = order.command(engine, buildkit, "x:1");
        let words = command.get_args().map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn command_lines() {
        let rest = "--tag|x:1|--file|app/Dockerfile.prod|--build-arg|V=1 2|\
                    --target|run|--network|host|app";
        assert_eq!(
            line(BuildEngine::Docker, false),
            format!("build|--force-rm|{rest}")
        );
        assert_eq!(
            line(BuildEngine::Docker, true),
            format!("build|--progress=plain|--load|{rest}")
        );
        assert_eq!(
            line(BuildEngine::Buildah, false),
            format!("build|--format|docker|--force-rm|--layers|{rest}")
        );
    }
}
