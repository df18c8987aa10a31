//! `whit lint`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use whit_core::lint::{self, Bytes, Context, Finding, LintError, Measured};
use whit_core::progress::Progress;
use whit_oci::Image;

use super::settings::of_registries;
use super::transports::transports;
use super::workplace::{Workplace, open_image, reference};
use crate::args::Lint;
use crate::ui::{self, Failure, Screen};

/// Mending one thing may uncover another; more rounds than this do not.
const MAX_ROUNDS: usize = 8;

pub fn run(args: &Lint, screen: &Screen) -> Result<ExitCode, Failure> {
    if args.rules {
        ui::print_rules(lint::RULES);
        return Ok(ExitCode::SUCCESS);
    }
    let path = match args.dockerfile.is_dir() {
        true => args.dockerfile.join("Dockerfile"),
        false => args.dockerfile.clone(),
    };
    let text = read(&path)?;
    let mut subject = Subject {
        args,
        path: &path,
        name: name(&path),
        context: context(&path)?,
    };
    let (mut findings, mut measured) = subject.with_image(&text, screen)?;
    let mut text = text;
    let mut mended = 0;
    if args.fix {
        let (after, count) = mend(&mut subject, &text, &findings)?;
        if count > 0 {
            mended = count;
            // The image was built from what the file said before.
            (findings, measured) = (subject.look(&after, None)?.0, None);
            text = after;
        }
    }
    if args.json {
        anstream::println!(
            "{:#}",
            document(&subject, &text, &findings, measured.as_ref(), mended)
        );
    } else {
        ui::print_findings(&subject.name, &text, &findings, measured.as_ref(), mended);
    }
    Ok(match findings.is_empty() || args.exit_zero {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

/// A Dockerfile and what lies around it.
struct Subject<'a> {
    args: &'a Lint,
    path: &'a Path,
    /// As the user named it.
    name: String,
    context: Context,
}

impl Subject<'_> {
    fn look(
        &self,
        text: &str,
        image: Option<&Image>,
    ) -> Result<(Vec<Finding>, Option<Measured>), Failure> {
        lint::lint(text, self.args.target.as_deref(), &self.context, image).map_err(|error| {
            let hint = error.hint();
            let name = &self.name;
            Failure::input(anyhow::Error::new(error).context(format!("cannot lint {name}")))
                .hint(hint)
        })
    }

    fn with_image(
        &self,
        text: &str,
        screen: &Screen,
    ) -> Result<(Vec<Finding>, Option<Measured>), Failure> {
        let Some(image) = &self.args.image else {
            return self.look(text, None);
        };
        let place = Workplace::open()?;
        let registries = &self.args.registries;
        let settings = of_registries(registries, &place.around, folder(self.path))?;
        let transports = transports(&place.around, registries, &settings, screen)?;
        let tools = place.tools(screen, &transports);
        screen.phase("reading the image", None);
        let image = open_image(&reference(image)?, self.args.platform.as_ref(), &tools)?;
        self.look(text, Some(&image))
    }
}

fn name(path: &Path) -> String {
    let name = path.to_string_lossy();
    name.strip_prefix("./").unwrap_or(&name).to_owned()
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::input(anyhow::anyhow!("cannot read {}: {error}", path.display()))
            .hint("whit lint FILE, or whit lint FOLDER for FOLDER/Dockerfile".to_owned())
    })?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::input(anyhow::anyhow!("{} is not UTF-8 text", path.display())))
}

/// The folder of a Dockerfile.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The context is the folder of the Dockerfile, as with `docker build FOLDER`.
fn context(path: &Path) -> Result<Context, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Context::read(folder(path), &name).map_err(|error: LintError| {
        let hint = error.hint();
        Failure::input(error).hint(hint)
    })
}

/// Writes the mends, and hands over the new text and how many there were.
fn mend(
    subject: &mut Subject<'_>,
    text: &str,
    findings: &[Finding],
) -> Result<(String, usize), Failure> {
    let allowed = |finding: &&Finding| {
        let mend = finding.mend.as_ref();
        mend.is_some_and(|mend| mend.safe || subject.args.unsafe_fixes)
    };
    let mut text = text.to_owned();
    let mut findings = findings.to_vec();
    let mut count = 0;
    let mut files: Vec<(PathBuf, String)> = Vec::new();
    for round in 0..MAX_ROUNDS {
        let chosen: Vec<&Finding> = findings.iter().filter(allowed).collect();
        let (after, mended) = lint::fixed(&text, chosen.iter().copied());
        if round == 0 {
            let new = chosen
                .iter()
                .filter_map(|finding| finding.mend.as_ref()?.new_file.as_ref());
            files.extend(new.map(|(name, text)| (subject.path.with_file_name(name), text.clone())));
        }
        if after == text {
            count += files.len();
            break;
        }
        count += mended.len();
        text = after;
        findings = subject.look(&text, None)?.0;
        // Files are written once, at the end.
        for finding in &mut findings {
            finding.mend = finding.mend.take().filter(|mend| mend.new_file.is_none());
        }
    }
    write(subject.path, &text)?;
    for (path, content) in &files {
        write(path, content)?;
    }
    if !files.is_empty() {
        subject.context = context(subject.path)?;
    }
    Ok((text, count))
}

/// A whole file or none: a Dockerfile that is cut off is worth nothing.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let fail = |error: std::io::Error| {
        Failure::input(anyhow::anyhow!("cannot write {}: {error}", path.display()))
    };
    if std::fs::read(path).is_ok_and(|before| before == text.as_bytes()) {
        return Ok(());
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".whit-new");
    let beside = PathBuf::from(beside);
    std::fs::write(&beside, text).map_err(fail)?;
    if let Ok(metadata) = std::fs::metadata(path) {
        std::fs::set_permissions(&beside, metadata.permissions()).map_err(fail)?;
    }
    std::fs::rename(&beside, path).map_err(fail)
}

fn document(
    subject: &Subject<'_>,
    text: &str,
    findings: &[Finding],
    measured: Option<&Measured>,
    mended: usize,
) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let mend = finding.mend.as_ref();
            json!({
                "rule": finding.rule,
                "line": finding.line,
                "severity": finding.bytes.severity().name(),
                "bytes": finding.bytes.number(),
                "measured": matches!(finding.bytes, Bytes::Measured(_)),
                "message": finding.message,
                "advice": finding.advice,
                "patch": mend.map(|_| lint::patch(text, &subject.name, finding)),
                "safe": mend.map(|mend| mend.safe),
            })
        })
        .collect();
    let layers = measured.map(|measured| {
        let layers = measured.layers.iter().map(|layer| {
            json!({
                "line": layer.line,
                "bytes": layer.bytes,
                "deleted_later": layer.deleted_later,
                "rewritten": layer.rewritten,
                "setuid": layer.setuid,
            })
        });
        layers.collect::<Vec<Value>>()
    });
    json!({ "file": subject.name, "findings": findings, "mended": mended, "layers": layers })
}
