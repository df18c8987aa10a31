//! From flags to a wish: what `build` and `shrink` have in common.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use whit_core::emit::Provenance;
use whit_core::observe::{Entry, EntryError, EntryTable, ExecProbe, Limits, Probe, ProbePlan};
use whit_core::pipeline::{self, Stopwatch, Tools, Wish};
use whit_core::plan::Globs;
use whit_core::report::Report;
use whit_core::settings::Settings;
use whit_core::size::Bytes;
use whit_core::source::FatRoot;
use whit_oci::{Compression, CompressionError, Destination, ImageName};
use whit_sandbox::Trace;

use super::why::report_path;
use crate::args::{Content, NetworkChoice, Output, Probes};
use crate::ui::{self, Failure, Screen};

/// The flags that both commands share.
pub struct Flags<'a> {
    pub output: &'a Output,
    pub probes: &'a Probes,
    pub content: &'a Content,
}

impl Flags<'_> {
    /// A wish for an image called `name`, made from `source`.
    ///
    /// `settings` are those of files; a flag comes before them, and lists add
    /// up.
    pub fn wish(
        &self,
        source: &str,
        name: &str,
        epoch: i64,
        settings: &Settings,
    ) -> Result<Wish, Failure> {
        let tag = self
            .output
            .tag
            .clone()
            .unwrap_or_else(|| format!("{name}:latest"));
        let output = match self.output.push {
            true => Some(format!("docker://{tag}")),
            false => self.output.output.clone().or(settings.output.clone()),
        };
        let destination = destination(output.as_deref(), name, &tag)?;
        let both = |flags: &[String], files: &Option<Vec<String>>| {
            let mut all = flags.to_vec();
            all.extend(files.iter().flatten().cloned());
            all
        };
        let compression = match (self.output.compress, &settings.compress) {
            (Some(compression), _) => compression,
            (None, Some(text)) => text.parse().map_err(|error: CompressionError| {
                let hint = error.hint();
                Failure::input(error).hint(hint)
            })?,
            (None, None) => Compression::Gzip { level: 10 },
        };
        Ok(Wish {
            source: source.to_owned(),
            detected: Vec::new(),
            policy: self.content.policy.or(settings.policy).unwrap_or_default(),
            keep: globs(&both(&self.content.keep, &settings.keep), "--keep")?,
            drop: globs(&both(&self.content.drop, &settings.drop), "--drop")?,
            python_code: self
                .content
                .python_code
                .or(settings.python_code)
                .unwrap_or_default(),
            strip: !self.content.no_strip,
            compression,
            run: !self.probes.no_run,
            probes: probe_plan(self.probes, settings)?,
            replayed: self.replayed()?,
            command: None,
            entries: entries_of(settings)?,
            host_network: self.probes.network == NetworkChoice::Host,
            accept_differences: self.probes.accept_differences,
            rescue: self.output.rescue.then(|| rescue(&destination)),
            destination: Some(destination),
            dry_run: self.output.dry_run,
            save_run: self.output.save_run.clone(),
            provenance: Provenance {
                title: name.to_owned(),
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

/// The questions that flags and files give; automatic ones are found on the way.
pub fn probe_plan(flags: &Probes, settings: &Settings) -> Result<ProbePlan, Failure> {
    let mut given = Vec::new();
    for table in settings.probe.iter().flatten() {
        given.push(Probe::try_from(table.clone())?);
    }
    for text in &flags.probe {
        let probe =
            Probe::http(text).map_err(|error| Failure::input(error.clone()).hint(error.hint()))?;
        given.push(probe);
    }
    for text in &flags.exec {
        let probe =
            Probe::exec(text).map_err(|error| Failure::input(error.clone()).hint(error.hint()))?;
        given.push(probe);
    }
    if let Some(stdin) = &flags.stdin {
        readable(stdin, "--stdin")?;
        given.push(Probe::Exec(ExecProbe {
            stdin: Some(stdin.clone()),
            ..ExecProbe::default()
        }));
    }
    if let Some(script) = &flags.test {
        readable(script, "--test")?;
        given.push(Probe::Script(absolute(script)?));
    }
    let limit = Duration::from_secs(flags.probe_timeout);
    let mut plan = ProbePlan::new(given);
    plan.limits = Limits {
        start: Duration::from_secs(flags.start_timeout),
        request: limit,
        exec: limit,
        ..Limits::default()
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

/// Runs the pipeline and shows what came of it.
pub fn finish(
    original: &FatRoot,
    wish: &Wish,
    flags: &Flags<'_>,
    tools: &Tools<'_>,
    watch: &mut Stopwatch,
    screen: &Screen,
) -> Result<ExitCode, Failure> {
    let report = pipeline::run(original, wish, tools, watch).map_err(failure)?;
    screen.clear();
    if let Some(place) = report_place(wish, flags.output) {
        write_report(&report, &place)?;
    }
    if flags.output.json {
        anstream::println!("{}", String::from_utf8_lossy(&report.to_json()));
    } else {
        ui::print_report(&report);
    }
    Ok(ExitCode::SUCCESS)
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

fn report_place(wish: &Wish, output: &Output) -> Option<PathBuf> {
    if let Some(place) = &output.report {
        return Some(place.clone());
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

fn write_report(report: &Report, place: &Path) -> Result<(), Failure> {
    std::fs::write(place, report.to_json()).map_err(|error| {
        Failure::input(anyhow::anyhow!(
            "cannot write the report {}: {error}",
            place.display()
        ))
        .hint("name another place with --report FILE".to_owned())
    })
}

fn globs(texts: &[String], flag: &str) -> Result<Globs, Failure> {
    Globs::new(texts).map_err(|error| Failure::input(anyhow::anyhow!("{flag}: {error}")))
}

fn readable(path: &Path, flag: &str) -> Result<(), Failure> {
    std::fs::File::open(path)
        .map(drop)
        .map_err(|error| Failure::input(anyhow::anyhow!("{flag} {}: {error}", path.display())))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(Failure::input)
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
