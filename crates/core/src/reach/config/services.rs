//! The clients of a service: programs that no file of the image names, and
//! that people run in it all the same (`redis-cli`, `psql`, `supervisorctl`,
//! through `exec`, by hand or as a cluster's probe).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use whit_oci::ImagePath;

use super::{Config, Extent, is_program_folder};
use crate::index::{FileId, PackageId};
use crate::reach::{How, reach_path};

/// Bytes of a first line that are compared.
const MAX_LINE: u64 = 256;

/// What starts a program, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Elf,
    /// The first line of a script.
    Script(String),
}

impl Config<'_> {
    /// The programs that came with the service which `started` starts: those of
    /// its own package and of the packages that this one is split into. Only
    /// what needs no further interpreter.
    pub(super) fn programs_of_service(
        &self,
        started: FileId,
        package: PackageId,
    ) -> Vec<(FileId, How)> {
        let tree = &self.root.tree;
        let family: Vec<PackageId> = self
            .family(package, Extent::Data)
            .into_iter()
            .map(|(member, _)| member)
            .collect();
        let files = || family.iter().filter_map(|member| self.files.get(member));
        if !files().flatten().any(|file| is_unit(tree.path(*file))) {
            return Vec::new();
        }
        let own = self.form(started);
        let mut found = Vec::new();
        for file in files().flatten() {
            let node = tree.node(*file);
            let parent = node.path.parent().unwrap_or_default();
            if !is_program_folder(&parent) {
                continue;
            }
            let Some(program) = tree.lookup(&node.path) else {
                continue;
            };
            let form = self.form(program);
            if tree.node(program).is_executable() && (form == Some(Form::Elf) || form == own) {
                let name = &tree.package(package).name;
                found.extend(reach_path(tree, &node.path, How::Client(name.clone())));
            }
        }
        found
    }

    fn form(&self, file: FileId) -> Option<Form> {
        let open = File::open(self.root.content(file)?).ok()?;
        let mut line = Vec::new();
        let mut start = BufReader::new(open.take(MAX_LINE));
        start.read_until(b'\n', &mut line).ok()?;
        if line.starts_with(b"\x7fELF") {
            Some(Form::Elf)
        } else if line.starts_with(b"#!") {
            Some(Form::Script(String::from_utf8_lossy(&line).into_owned()))
        } else {
            None
        }
    }
}

/// What tells an init system how to start a service.
fn is_unit(path: &ImagePath) -> bool {
    let parent = path.parent().unwrap_or_default();
    let folders = ["lib/systemd/system", "usr/lib/systemd/system"];
    parent == "etc/init.d".into()
        || path.extension() == Some(b"service")
            && folders.iter().any(|folder| parent == (*folder).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reach::{Analyzer, Cause};
    use crate::testing::root;

    fn started(lines: &[&str], file: &str) -> Vec<String> {
        let test = root(lines, &[]);
        let cause = Cause {
            from: None,
            how: How::Command,
        };
        let found = Config::new(&test.root).follow_caused(test.id(file), &cause);
        let mut names = test.names(&found.edges);
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn a_service_keeps_its_clients() {
        let lines = [
            "*usr/bin/redis-server = \x7fELF @redis",
            "*usr/bin/redis-cli = \x7fELF @redis",
            "usr/bin/redis-check -> redis-cli @redis",
            "*usr/bin/redis-report = #!/usr/bin/perl\\n @redis",
            "lib/systemd/system/redis.service @redis",
        ];
        assert_eq!(
            started(&lines, "usr/bin/redis-server"),
            ["/usr/bin/redis-check", "/usr/bin/redis-cli"]
        );
        assert!(started(&lines[..4], "usr/bin/redis-server").is_empty());
    }

    #[test]
    fn of_scripts_those_that_the_same_interpreter_runs() {
        let lines = [
            "*usr/bin/supervisord = #!/usr/bin/python3\\n @supervisor",
            "*usr/bin/supervisorctl = #!/usr/bin/python3\\n @supervisor",
            "*usr/bin/report = #!/usr/bin/perl\\n @supervisor",
            "etc/init.d/supervisor @supervisor",
        ];
        assert_eq!(
            started(&lines, "usr/bin/supervisord"),
            ["/usr/bin/supervisorctl"]
        );
    }
}
