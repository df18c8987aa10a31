//! From flags to a wish: what `build` and `shrink` have in common.

use std::path::{Path, PathBuf};
use std::time::Duration;

use whit_core::emit::Provenance;
use whit_core::observe::{Entry, EntryError, EntryTable, Limits, Probe, ProbePlan};
use whit_core::pipeline::{self, Wish};
use whit_core::plan::Globs;
use whit_core::report::Report;
use whit_core::settings::{NetworkChoice, Settings};
use whit_core::single;
use whit_core::size::Bytes;
use whit_oci::{Compression, CompressionError, Destination, ImageName};
use whit_sandbox::Trace;

use super::why::report_path;
use crate::args::{Content, Output, Probes};
use crate::ui::Failure;

/// The flags that both commands share.
pub struct Flags<'a> {
    pub output: &'a Output,
    pub probes: &'a Probes,
    pub content: &'a Content,
}

impl Flags<'_> {
    /// A wish for an image called `name`, made from `source`.
    ///
    /// `settings` are those of flags, too, and the defaults.
    pub fn wish(
        &self,
        source: &str,
        name: &str,
        epoch: i64,
        settings: &Settings,
    ) -> Result<Wish, Failure> {
        let tag = settings.tag.clone().unwrap_or(format!("{name}:latest"));
        let output = match (self.output.push, &settings.tag) {
            (true, Some(tag)) => Some(format!("docker://{tag}")),
            (true, None) => {
                return Err(Failure::input(anyhow::anyhow!(
                    "--push does not know which name the image has"
                ))
                .hint("name it: -t registry.example/app:1 --push".to_owned()));
            }
            (false, _) => settings.output.clone(),
        };
        let executable = output.as_deref().and_then(executable);
        let destination = match executable {
            Some(_) => None,
            None => Some(destination(output.as_deref(), name, &tag)?),
        };
        let compression = settings.compress.as_deref().unwrap_or_default();
        let compression: Compression = compression.parse().map_err(|error: CompressionError| {
            let hint = error.hint();
            Failure::input(error).hint(hint)
        })?;
        Ok(Wish {
            source: source.to_owned(),
            detected: Vec::new(),
            policy: settings.policy.unwrap_or_default(),
            keep: globs(&settings.keep, "--keep")?,
            drop: globs(&settings.drop, "--drop")?,
            python_code: settings.python_code.unwrap_or_default(),
            strip: settings.strip.unwrap_or(true),
            compression,
            run: !self.probes.no_run,
            unrunnable: None,
            emulator: None,
            probes: probe_plan(self.probes, settings)?,
            replayed: self.replayed()?,
            command: None,
            entries: entries_of(settings)?,
            host_network: settings.network == Some(NetworkChoice::Host),
            accept_differences: self.probes.accept_differences,
            rescue: destination
                .as_ref()
                .filter(|_| self.output.rescue)
                .map(rescue),
            destination,
            dry_run: self.output.dry_run,
            single: single(settings, executable.is_some()),
            executable,
            bill: self.output.sbom.clone(),
            save_run: self.output.save_run.clone(),
            provenance: Provenance {
                title: name.to_owned(),
                unproven: self.probes.no_run,
                ..Provenance::default()
            },
            epoch,
            mtime: None,
            max_unpacked: self.max_unpacked(),
        })
    }

    pub fn max_unpacked(&self) -> Option<u64> {
        self.content.max_unpacked.map(|Bytes(bytes)| bytes)
    }

    /// What the records of earlier runs tell.
    fn replayed(&self) -> Result<Trace, Failure> {
        let mut all = Trace::new();
        for folder in &self.probes.replay {
            all.extend(pipeline::replay(folder).map_err(|error| {
                let hint = error.hint();
                Failure::input(error).hint(hint)
            })?);
        }
        Ok(all)
    }
}

/// The questions that settings give; automatic ones are found on the way.
pub fn probe_plan(flags: &Probes, settings: &Settings) -> Result<ProbePlan, Failure> {
    let given = settings.probe.iter().flatten();
    let given = given
        .map(|table| {
            Probe::try_from(table.clone()).map_err(|error| {
                let hint = error.hint();
                Failure::input(error).hint(hint)
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let default = Limits::default();
    let seconds = |setting: Option<u64>, default| setting.map_or(default, Duration::from_secs);
    let mut plan = ProbePlan::new(given);
    plan.limits = Limits {
        start: seconds(settings.start_timeout, default.start),
        request: seconds(settings.probe_timeout, default.request),
        exec: seconds(settings.probe_timeout, default.exec),
        ..default
    };
    plan.allow_failure = flags.allow_failure;
    Ok(plan)
}

/// The programs of `--also`, as settings.
pub fn entries(probes: &Probes) -> Result<Option<Vec<EntryTable>>, Failure> {
    let also = probes.also.iter();
    let entries: Vec<EntryTable> = also
        .map(|text| EntryTable::parse(text).map_err(entry_failure))
        .collect::<Result<_, _>>()?;
    Ok((!entries.is_empty()).then_some(entries))
}

/// What settings say an image is started with besides its own command.
pub fn entries_of(settings: &Settings) -> Result<Vec<Entry>, Failure> {
    settings
        .entry
        .iter()
        .flatten()
        .map(|table| Entry::try_from(table.clone()).map_err(entry_failure))
        .collect::<Result<_, _>>()
}

fn entry_failure(error: EntryError) -> Failure {
    let hint = error.hint();
    Failure::input(error).hint(hint)
}

/// An error of the pipeline with its exit code and hint.
pub fn failure(error: pipeline::Error) -> Failure {
    let hint = error.hint();
    match error {
        pipeline::Error::Refused { .. } => Failure::refused(error).hint(hint),
        error => Failure::input(error).hint(hint),
    }
}

fn destination(text: Option<&str>, name: &str, tag: &str) -> Result<Destination, Failure> {
    let named = || {
        tag.parse::<ImageName>().map_err(|error| {
            let hint = error.hint();
            Failure::input(error).hint(hint)
        })
    };
    let Some(text) = text else {
        return Ok(Destination::DockerArchive {
            file: PathBuf::from(format!("{name}.tar")),
            name: Some(named()?),
        });
    };
    let parsed: Destination = text.parse().map_err(|error: whit_oci::DestinationError| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })?;
    Ok(match parsed {
        Destination::DockerArchive { file, name: None } => Destination::DockerArchive {
            file,
            name: Some(named()?),
        },
        Destination::OciArchive {
            file,
            reference: None,
        } => Destination::OciArchive {
            file,
            reference: Some(tag.to_owned()),
        },
        other => other,
    })
}

/// `exe:FILE`: no image, but the executable that would be in it.
fn executable(output: &str) -> Option<PathBuf> {
    Some(PathBuf::from(output.strip_prefix("exe:")?))
}

/// The app as one executable, if that is wished for.
fn single(settings: &Settings, is_output: bool) -> Option<single::Wish> {
    Some(single::Wish {
        mode: settings.single.or(is_output.then(single::Mode::default))?,
        without: settings.without.clone().unwrap_or_default(),
        fallbacks: settings.allow_fallback.clone().unwrap_or_default(),
    })
}

/// `NAME.tar` → `NAME.rescue.tar`; elsewhere a second name.
fn rescue(destination: &Destination) -> Destination {
    let beside = |file: &Path| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        file.with_file_name(format!("{stem}.rescue.tar"))
    };
    let rescued = |name: &ImageName| name.with_tag(format!("{}-rescue", name.tag_or_latest()));
    let named = |reference: &Option<String>| {
        reference
            .as_ref()
            .map(|reference| format!("{reference}-rescue"))
    };
    match destination {
        Destination::OciDir { dir, reference } => Destination::OciDir {
            dir: dir.clone(),
            reference: Some(named(reference).unwrap_or_else(|| "rescue".to_owned())),
        },
        Destination::OciArchive { file, reference } => Destination::OciArchive {
            file: beside(file),
            reference: named(reference),
        },
        Destination::DockerArchive { file, name } => Destination::DockerArchive {
            file: beside(file),
            name: name.as_ref().map(rescued),
        },
        Destination::Registry(name) => Destination::Registry(rescued(name)),
        Destination::DockerDaemon(name) => Destination::DockerDaemon(rescued(name)),
        Destination::Podman(name) => Destination::Podman(rescued(name)),
    }
}

pub fn report_place(wish: &Wish, output: &Output) -> Option<PathBuf> {
    if let Some(place) = &output.report {
        return Some(place.clone());
    }
    if let Some(executable) = wish.executable.as_ref().filter(|_| !wish.dry_run) {
        return Some(report_path(executable));
    }
    Some(match wish.destination.as_ref().filter(|_| !wish.dry_run)? {
        Destination::OciDir { dir: path, .. }
        | Destination::OciArchive { file: path, .. }
        | Destination::DockerArchive { file: path, .. } => report_path(path),
        // What has no folder has its report in this one.
        Destination::Registry(name)
        | Destination::DockerDaemon(name)
        | Destination::Podman(name) => report_path(Path::new(name.base())),
    })
}

pub fn write_report(report: &Report, place: &Path) -> Result<(), Failure> {
    std::fs::write(place, report.to_json()).map_err(|error| {
        Failure::input(anyhow::anyhow!(
            "cannot write the report {}: {error}",
            place.display()
        ))
        .hint("name another place with --report FILE".to_owned())
    })
}

fn globs(texts: &Option<Vec<String>>, flag: &str) -> Result<Globs, Failure> {
    Globs::new(texts.as_deref().unwrap_or_default())
        .map_err(|error| Failure::input(anyhow::anyhow!("{flag}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_named_after_the_project() {
        let Destination::DockerArchive { file, name } =
            destination(None, "app", "app:latest").ok().unwrap()
        else {
            panic!("not a docker archive");
        };
        assert_eq!(file, Path::new("app.tar"));
        assert_eq!(name.unwrap().tagged(), "app:latest");
    }
}
