//! One app in every way that people ship apps, as tables and as a page.

use anyhow::Result;
use serde::Serialize;
use whit_core::compare::{Built, Outcome, Row, Strategy, Works};

use super::markdown;
use super::printable::printable;
use super::report::{DIM, bytes, right_align, seconds, table};

const HEADER: [&str; 14] = [
    "strategy",
    "size",
    "gzip",
    "5 Mbps",
    "100 Mbps",
    "1 Gbps",
    "build",
    "first answer",
    "memory",
    "files",
    "packages",
    "setuid",
    "shell",
    "works",
];

pub fn print(rows: &[Row]) {
    let mut table = table();
    table.set_header(HEADER);
    for row in rows {
        table.add_row(cells(row));
    }
    right_align(&mut table, 1..12);
    anstream::println!("{table}");
    for note in notes(rows) {
        anstream::println!("{DIM}{note}{DIM:#}");
    }
}

pub fn print_markdown(rows: &[Row]) {
    let right: Vec<bool> = (0..HEADER.len()).map(|i| (1..12).contains(&i)).collect();
    let mut table = markdown::Table::new(&HEADER, &right);
    for row in rows {
        table.row(cells(row));
    }
    anstream::print!("{}", table.finish());
    for note in notes(rows) {
        anstream::println!("\n{}", markdown::plain(&note));
    }
}

pub fn print_json(app: &str, rows: &[Row]) -> Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        app: &'a str,
        rows: &'a [Row],
    }
    let document = Document { app, rows };
    anstream::println!("{}", serde_json::to_string(&document)?);
    Ok(())
}

fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![label(row)];
    match &row.outcome {
        Outcome::Absent { .. } => {
            cells.extend(std::iter::repeat_n("–".to_owned(), HEADER.len() - 2));
            cells.push("not to be had".to_owned());
        }
        Outcome::Built(built) => cells.extend(figures(built)),
    }
    cells
}

fn figures(built: &Built) -> Vec<String> {
    let mut cells = vec![bytes(built.size.uncompressed), bytes(built.size.compressed)];
    cells.extend(built.size.pull.iter().map(|pull| seconds(pull.seconds)));
    cells.push(match built.build_cold {
        Some(cold) => format!("{}, cold {}", seconds(built.build_warm), seconds(cold)),
        None => seconds(built.build_warm),
    });
    cells.push(
        built
            .tried
            .first_answer
            .map_or("–".to_owned(), |time| format!("{:.0} ms", time * 1e3)),
    );
    cells.push(bytes(built.tried.memory));
    cells.push(built.size.files.to_string());
    cells.push(built.facts.packages.to_string());
    cells.push(built.facts.setuid.to_string());
    cells.push(if built.facts.shell { "yes" } else { "no" }.to_owned());
    cells.push(match &built.tried.works {
        Works::Yes { probes: 1 } => "yes, 1 probe".to_owned(),
        Works::Yes { probes } => format!("yes, {probes} probes"),
        Works::No { .. } => "no".to_owned(),
    });
    cells
}

/// What the rows are, and why some of them are not there.
fn notes(rows: &[Row]) -> Vec<String> {
    let mut notes: Vec<String> = rows
        .iter()
        .map(|row| {
            let problem = match &row.outcome {
                Outcome::Absent { why } => format!("; not to be had: {}", printable(why)),
                Outcome::Built(built) => match &built.tried.works {
                    Works::Yes { .. } => String::new(),
                    Works::No { why } => format!("; does not work: {}", printable(why)),
                },
            };
            format!("{}: {}{problem}", label(row), row.how)
        })
        .collect();
    notes.push(
        "build: warm, all that does not depend on the app at hand; whit's own images were proven \
         in that time, the others were not. First answer: from the start, the best of three. \
         Memory: of the largest process after it."
            .to_owned(),
    );
    notes
}

/// A page with bars, which needs nothing but a browser.
pub fn page(app: &str, rows: &[Row]) -> String {
    let built: Vec<(&Row, &Built)> = rows
        .iter()
        .filter_map(|row| match &row.outcome {
            Outcome::Built(built) => Some((row, built.as_ref())),
            Outcome::Absent { .. } => None,
        })
        .collect();
    let megabytes = |n: u64| bytes(n);
    let charts = [
        chart("Size", "uncompressed, all layers", &built, &|b| {
            Some((b.size.uncompressed as f64, megabytes(b.size.uncompressed)))
        }),
        chart("On the wire", "gzip", &built, &|b| {
            Some((b.size.compressed as f64, megabytes(b.size.compressed)))
        }),
        chart("Pull at 5 Mbps", "by the bytes alone", &built, &|b| {
            let pull = b.size.pull.first()?.seconds;
            Some((pull, seconds(pull)))
        }),
        chart(
            "Build",
            "with everything cached that does not depend on the app",
            &built,
            &|b| Some((b.build_warm, seconds(b.build_warm))),
        ),
        chart(
            "First answer",
            "from the start of the container",
            &built,
            &|b| {
                let time = b.tried.first_answer?;
                Some((time, format!("{:.0} ms", time * 1e3)))
            },
        ),
        chart(
            "Memory",
            "the largest process after the first answer",
            &built,
            &|b| Some((b.tried.memory as f64, megabytes(b.tried.memory))),
        ),
        chart("Files", "and folders and links", &built, &|b| {
            Some((b.size.files as f64, b.size.files.to_string()))
        }),
        chart("Packages", "that a scanner sees", &built, &|b| {
            Some((b.facts.packages as f64, b.facts.packages.to_string()))
        }),
    ];
    let notes: String = notes(rows)
        .iter()
        .map(|note| format!("<li>{}</li>", escaped(note)))
        .collect();
    let head: String = HEADER
        .iter()
        .map(|name| format!("<th>{name}</th>"))
        .collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells: String = cells(row)
                .iter()
                .map(|cell| format!("<td>{}</td>", escaped(cell)))
                .collect();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    include_str!("compare/page.html")
        .replace("{{app}}", &escaped(app))
        .replace("{{charts}}", &charts.concat())
        .replace("{{head}}", &head)
        .replace("{{rows}}", &body)
        .replace("{{notes}}", &notes)
}

/// Bars of one figure; the longest takes the whole width.
fn chart(
    title: &str,
    what: &str,
    built: &[(&Row, &Built)],
    figure: &dyn Fn(&Built) -> Option<(f64, String)>,
) -> String {
    let figures: Vec<_> = built
        .iter()
        .filter_map(|(row, built)| Some((row, figure(built)?)))
        .collect();
    let most = figures.iter().map(|(_, (n, _))| *n).fold(0.0, f64::max);
    let bars: String = figures
        .iter()
        .map(|(row, (n, text))| {
            let width = if most > 0.0 { n / most * 100.0 } else { 0.0 };
            format!(
                "<div class=row><span class=name>{}{}</span><span class=track><span class=\"bar {}\" style=\"width:{width:.2}%\"></span></span><span class=figure>{}</span></div>",
                escaped(&label(row)),
                match works(row) {
                    true => "",
                    false => " <b title=\"does not work\">✗</b>",
                },
                row.strategy,
                escaped(text),
            )
        })
        .collect();
    format!("<section><h2>{title}</h2><p>{what}</p>{bars}</section>")
}

/// The strategy, with the engine if one built it.
fn label(row: &Row) -> String {
    match row.by.as_str() {
        "whit" if row.strategy == Strategy::OneFile => "legendary, one file".to_owned(),
        "whit" => row.strategy.to_string(),
        engine => format!("{}, {engine}", row.strategy),
    }
}

fn works(row: &Row) -> bool {
    match &row.outcome {
        Outcome::Built(built) => matches!(built.tried.works, Works::Yes { .. }),
        Outcome::Absent { .. } => false,
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
