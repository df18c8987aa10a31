//! From flags, environment and files to settings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use whit_core::observe::ProbeTable;
use whit_core::settings::{self, Layers, Port, Settings};
use whit_oci::Reference;

use super::wish::entries;
use crate::args::{Build, Content, NetworkChoice, Output, Probes, Registries};
use crate::surroundings::Surroundings;
use crate::ui::Failure;

/// Stacks flags, the environment and a folder's files.
pub fn layers(flags: Settings, around: &Surroundings, folder: &Path) -> Result<Layers, Failure> {
    Layers::new(flags, &around.environment, folder).map_err(|error| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

/// What `whit build` goes by.
pub fn of_build(args: &Build, around: &Surroundings) -> Result<Layers, Failure> {
    let flags = Settings {
        command: (!args.command.is_empty()).then(|| args.command.clone()),
        env: pairs(&args.env, "--env")?,
        expose: ports(&args.expose),
        user: args.user.clone(),
        workdir: args.workdir.clone(),
        labels: pairs(&args.label, "--label")?,
        python: args.python.clone(),
        suite: args.suite.clone(),
        mirror: args.mirror.clone(),
        base: args.base.clone(),
        platform: args.platform.clone(),
        packages: list(&args.package),
        add_modules: list(&args.add_modules),
        build_packages: list(&args.build_package),
        single: args.single,
        without: list(&args.without),
        allow_fallback: list(&args.allow_fallback),
        ..Settings::default()
    };
    of_project(
        flags
            .or(of_output(&args.output))
            .or(of_probes(&args.probes)?)
            .or(of_content(&args.content))
            .or(of_mirrors(&args.registries)),
        &args.dir,
        around,
    )
}

/// Flags, the environment and the files of a project.
pub fn of_project(
    flags: Settings,
    project: &Path,
    around: &Surroundings,
) -> Result<Layers, Failure> {
    let folder = folder(project);
    layers(flags, around, folder)?.map_files(|settings| {
        Ok(Settings {
            base: settings
                .base
                .map(|base| beside(&base, folder))
                .transpose()?,
            ..settings
        })
    })
}

/// What commands go by that only look at images.
pub fn of_registries(
    flags: &Registries,
    around: &Surroundings,
    folder: &Path,
) -> Result<Settings, Failure> {
    Ok(layers(of_mirrors(flags), around, folder)?.merged())
}

pub fn of_mirrors(flags: &Registries) -> Settings {
    Settings {
        registry_mirrors: list(&flags.registry_mirror),
        ..Settings::default()
    }
}

pub fn of_output(flags: &Output) -> Settings {
    Settings {
        output: flags.output.clone(),
        tag: flags.tag.clone(),
        compress: flags.compress.map(|compression| compression.to_string()),
        ..Settings::default()
    }
}

pub fn of_content(flags: &Content) -> Settings {
    Settings {
        policy: flags.policy,
        keep: list(&flags.keep),
        drop: list(&flags.drop),
        python_code: flags.python_code,
        strip: flags.no_strip.then_some(false),
        ..Settings::default()
    }
}

pub fn of_probes(flags: &Probes) -> Result<Settings, Failure> {
    let mut probes: Vec<ProbeTable> = Vec::new();
    probes.extend(flags.probe.iter().map(|request| ProbeTable {
        http: Some(request.clone()),
        ..ProbeTable::default()
    }));
    probes.extend(flags.exec.iter().map(|command| ProbeTable {
        exec: Some(command.clone()),
        ..ProbeTable::default()
    }));
    if let Some(stdin) = &flags.stdin {
        probes.push(ProbeTable {
            // Told in reports as it was typed.
            stdin: readable(stdin, "--stdin").map(|_| Some(stdin.clone()))?,
            ..ProbeTable::default()
        });
    }
    if let Some(script) = &flags.test {
        probes.push(ProbeTable {
            test: Some(readable(script, "--test")?),
            ..ProbeTable::default()
        });
    }
    Ok(Settings {
        probe: (!probes.is_empty()).then_some(probes),
        network: flags.network.map(|network| match network {
            NetworkChoice::None => settings::NetworkChoice::None,
            NetworkChoice::Host => settings::NetworkChoice::Host,
        }),
        entry: entries(flags)?,
        start_timeout: flags.start_timeout,
        probe_timeout: flags.probe_timeout,
        ..Settings::default()
    })
}

/// The folder of a project, of which a single file may be named.
pub fn folder(project: &Path) -> &Path {
    match project.parent() {
        Some(parent) if project.is_file() && !parent.as_os_str().is_empty() => parent,
        Some(_) if project.is_file() => Path::new("."),
        _ => project,
    }
}

/// An image that a file of the project names, relative to the project.
fn beside(image: &str, folder: &Path) -> Result<String, Failure> {
    let exists = |path: &Path| folder.join(path).exists();
    let reference = Reference::parse_with(image, &exists)?;
    Ok(reference.from_folder(folder).to_string())
}

fn list(given: &[String]) -> Option<Vec<String>> {
    (!given.is_empty()).then(|| given.to_vec())
}

fn ports(numbers: &[u16]) -> Option<Vec<Port>> {
    let tcp = |number: &u16| Port {
        number: *number,
        udp: false,
    };
    (!numbers.is_empty()).then(|| numbers.iter().map(tcp).collect())
}

fn pairs(texts: &[String], flag: &str) -> Result<Option<BTreeMap<String, String>>, Failure> {
    if texts.is_empty() {
        return Ok(None);
    }
    let mut found = BTreeMap::new();
    for text in texts {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| Failure::input(anyhow::anyhow!("{flag} {text:?} is not NAME=VALUE")))?;
        found.insert(name.to_owned(), value.to_owned());
    }
    Ok(Some(found))
}

/// The absolute path of a file that can be read.
fn readable(path: &Path, flag: &str) -> Result<PathBuf, Failure> {
    std::fs::File::open(path)
        .and_then(|_| std::path::absolute(path))
        .map_err(|error| Failure::input(anyhow::anyhow!("{flag} {}: {error}", path.display())))
}
