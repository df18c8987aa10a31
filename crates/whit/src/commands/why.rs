//! `whit why`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use whit_core::report::{Report, why};
use whit_oci::Reference;

use crate::args::Why;
use crate::ui::{self, Failure};

pub fn run(args: &Why) -> Result<ExitCode, Failure> {
    let (image, path) = match args.words.as_slice() {
        [path] if args.report.is_some() => (None, path),
        [image, path] => (Some(image), path),
        _ => {
            return Err(
                Failure::input(anyhow::anyhow!("`whit why` needs an image and a path"))
                    .hint("whit why IMAGE.tar /usr/bin/python3".to_owned()),
            );
        }
    };
    let place = match (&args.report, image) {
        (Some(report), _) => report.clone(),
        (None, Some(image)) => beside(image),
        (None, None) => PathBuf::new(),
    };
    let report = read_report(&place)?;
    let chain = why(&report, path).map_err(|unknown| {
        let failure = Failure::input(anyhow::anyhow!(
            "neither the image nor its original has the path {path}"
        ));
        match unknown.similar.as_slice() {
            [] => failure,
            similar => failure.hint(format!("did you mean {}?", similar.join(" or "))),
        }
    })?;
    if args.json {
        let lines: Vec<_> = chain.iter().map(|step| step.file).collect();
        anstream::println!("{}", serde_json::to_string(&lines)?);
    } else {
        ui::print_why(&chain);
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads what `build` or `shrink` left.
pub fn read_report(place: &Path) -> Result<Report, Failure> {
    let bytes = std::fs::read(place).map_err(|error| {
        Failure::input(anyhow::anyhow!("cannot read the report {}: {error}", place.display()))
            .hint("the report is written beside the image by `whit build` and `whit shrink`; name another one with --report FILE".to_owned())
    })?;
    Report::from_json(&bytes).map_err(|error| {
        Failure::input(anyhow::anyhow!(
            "{} is not a report of whit: {error}",
            place.display()
        ))
    })
}

/// Where `build` and `shrink` leave the report of an image.
pub fn beside(image: &str) -> PathBuf {
    let reference = Reference::parse(image).ok();
    if let Some(name) = reference.as_ref().and_then(Reference::name) {
        return report_path(Path::new(name.base()));
    }
    let path = image
        .split_once(':')
        .filter(|(transport, _)| matches!(*transport, "docker-archive" | "oci-archive" | "oci"))
        .map_or(image, |(_, path)| path);
    if Path::new(path).exists() {
        return report_path(Path::new(path));
    }
    // `oci:DIR:REF`
    let path = path.rsplit_once(':').map_or(path, |(path, _)| path);
    report_path(Path::new(path))
}

/// `NAME.tar` → `NAME.whit.json`; a folder `NAME` → `NAME.whit.json` beside it.
pub fn report_path(image: &Path) -> PathBuf {
    let name = image.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".tar").unwrap_or(&name);
    image.with_file_name(format!("{stem}.whit.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_lies_beside_the_image() {
        assert_eq!(beside("out/app.tar"), Path::new("out/app.whit.json"));
        assert_eq!(beside("oci:layout:1.2"), Path::new("layout.whit.json"));
        assert_eq!(beside("docker-archive:app.tar"), Path::new("app.whit.json"));
        assert_eq!(
            beside("docker://r.io/shop/api:1"),
            Path::new("api.whit.json")
        );
        assert_eq!(beside("podman:api:1"), Path::new("api.whit.json"));
    }
}
