//! Other processors than this machine's, and several at a time.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::observe::{self, Means};
use whit_core::pipeline::{Tools, Wish};
use whit_core::report::Report;
use whit_core::settings::Settings;
use whit_oci::{Destination, Platform, Transports, stage_index};

use super::wish::{Flags, report_place, write_report};
use super::workplace::Workplace;
use crate::ui::{self, Failure, Screen};

/// The image of one platform.
pub struct Made {
    pub wish: Wish,
    pub report: Report,
}

/// Changes the wish before anything is written.
pub type Change<'c> = dyn FnMut(&mut Wish) + 'c;

/// Makes one image, in a place of its own.
pub type Make<'m> =
    dyn FnMut(Option<&Platform>, &Workplace, &mut Change<'_>) -> Result<Made, Failure> + 'm;

/// The platforms that were asked for; none means this machine's.
pub fn wanted(settings: &Settings) -> Result<Vec<Platform>, Failure> {
    let texts = settings.platform.iter().flat_map(|text| text.split(','));
    let mut found: Vec<Platform> = Vec::new();
    for text in texts {
        let platform = text.trim().parse()?;
        if !found.contains(&platform) {
            found.push(platform);
        }
    }
    Ok(found)
}

/// Makes the image of each platform, and an index where there are several.
pub fn each(
    settings: &Settings,
    flags: &Flags<'_>,
    place: &Workplace,
    transports: &Transports,
    screen: &Screen,
    make: &mut Make<'_>,
) -> Result<ExitCode, Failure> {
    let platforms = wanted(settings)?;
    if let [] | [_] = platforms[..] {
        let made = make(platforms.first(), place, &mut |_| {})?;
        screen.clear();
        if let Some(file) = report_place(&made.wish, flags.output) {
            write_report(&made.report, &file)?;
        }
        match flags.output.json {
            true => anstream::println!("{}", String::from_utf8_lossy(&made.report.to_json())),
            false => ui::print_report(&made.report),
        }
        return Ok(ExitCode::SUCCESS);
    }
    takes_an_index(settings, flags)?;
    let mut reports = Vec::new();
    let mut layouts: Vec<PathBuf> = Vec::new();
    // The layouts lie in them.
    let mut places = Vec::new();
    let mut whole: Option<Wish> = None;
    for platform in &platforms {
        let own = place.another(false)?;
        let layout = own.folder().join("layout");
        let mut destination = None;
        let mut made = make(Some(platform), &own, &mut |wish| {
            let part = Destination::OciDir {
                dir: layout.clone(),
                reference: None,
            };
            destination = wish.destination.replace(part);
            let save = wish.save_run.take();
            wish.save_run = save.map(|folder| folder.join(&platform.architecture));
        })?;
        made.wish.destination = destination;
        made.report.output = made.wish.destination.as_ref().map(ToString::to_string);
        reports.push((platform, made.report));
        layouts.push(layout);
        places.push(own);
        whole = Some(made.wish);
    }
    screen.clear();
    let Some(wish) = whole else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut digest = None;
    if let Some(destination) = wish.destination.as_ref().filter(|_| !wish.dry_run) {
        let staged = stage_index(destination, &layouts, wish.epoch, place.folder());
        let staged = staged.map_err(writing)?;
        digest = Some(staged.manifest_digest());
        staged.commit(transports).map_err(writing)?;
    }
    for (platform, report) in &reports {
        if let Some(file) = report_place(&wish, flags.output) {
            write_report(report, &beside(&file, &platform.architecture))?;
        }
    }
    if flags.output.json {
        let all: Vec<&Report> = reports.iter().map(|(_, report)| report).collect();
        anstream::println!("{}", serde_json::to_string(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for (platform, report) in &reports {
        ui::print_platform(&platform.to_string());
        ui::print_report(report);
    }
    if let Some(digest) = digest {
        anstream::println!("\nindex of {} platforms\n{digest}", reports.len());
    }
    Ok(ExitCode::SUCCESS)
}

/// Settles how programs of an image for `architecture` are run: by this
/// processor, under an emulator, or not at all, and then the result is not
/// proven.
pub fn settle(wish: &mut Wish, architecture: &str, tools: &Tools<'_>) {
    match observe::means(architecture) {
        Ok(Means::Native) => {}
        Ok(Means::Host) => wish.emulator = Some("the host's binfmt_misc".to_owned()),
        Ok(Means::Emulator(emulator)) => {
            let name = emulator.program().file_name().unwrap_or_default();
            wish.emulator = Some(name.to_string_lossy().into_owned());
        }
        Err(error) => {
            tools.progress.note(&format!("{error}; {}", error.hint()));
            wish.run = false;
            wish.unrunnable = Some(error.to_string());
            wish.provenance.unproven = true;
        }
    }
}

/// Refuses what cannot be had of several platforms, before any work.
fn takes_an_index(settings: &Settings, flags: &Flags<'_>) -> Result<(), Failure> {
    let one = |what: String| {
        Failure::input(anyhow::anyhow!(
            "{what} holds the image of one platform, not of several"
        ))
        .hint(
            "name one platform, or write with -o oci:DIR, -o oci-archive:FILE or -o docker://NAME"
                .to_owned(),
        )
    };
    if flags.output.rescue {
        return Err(one("--rescue".to_owned()));
    }
    if flags.output.push {
        return Ok(());
    }
    let Some(output) = &settings.output else {
        return Err(one("a docker-archive, the usual output,".to_owned()));
    };
    let destination: Destination =
        output
            .parse()
            .map_err(|error: whit_oci::DestinationError| {
                let hint = error.hint();
                Failure::input(error).hint(hint)
            })?;
    match destination {
        Destination::OciDir { .. } | Destination::OciArchive { .. } | Destination::Registry(_) => {
            Ok(())
        }
        Destination::DockerArchive { .. }
        | Destination::DockerDaemon(_)
        | Destination::Podman(_) => Err(one(destination.to_string())),
    }
}

fn writing(error: whit_oci::WriteError) -> Failure {
    let hint = error.hint();
    Failure::input(error).hint(hint)
}

/// `app.whit.json` → `app.arm64.whit.json`.
fn beside(report: &Path, architecture: &str) -> PathBuf {
    let name = report.file_name().unwrap_or_default().to_string_lossy();
    let (stem, end) = match name.strip_suffix(".whit.json") {
        Some(stem) => (stem, ".whit.json"),
        None => name
            .rfind('.')
            .map_or((&*name, ""), |dot| name.split_at(dot)),
    };
    report.with_file_name(format!("{stem}.{architecture}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_platform_has_its_report() {
        let name = |path| beside(Path::new(path), "arm64");
        assert_eq!(
            name("out/app.whit.json"),
            Path::new("out/app.arm64.whit.json")
        );
        assert_eq!(name("report.json"), Path::new("report.arm64.json"));
        assert_eq!(name("report"), Path::new("report.arm64"));
    }

    #[test]
    fn platforms_once_each() {
        let settings = |text: &str| Settings {
            platform: Some(text.to_owned()),
            ..Settings::default()
        };
        let names = |text| {
            let found = wanted(&settings(text)).ok().unwrap();
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            names("linux/amd64, linux/arm64,linux/aarch64"),
            ["linux/amd64", "linux/arm64"]
        );
        assert!(wanted(&settings("arm64,")).is_err());
    }
}
