//! A matrix of Dockerfiles on the terminal and for programs.

use std::fmt;

use anyhow::Result;
use serde::Serialize;
use whit_core::matrix::{Reason, Row, Shrunk, Sizes};
use whit_core::size::Bandwidth;
use whit_oci::BuildEngine;

use super::markdown;
use super::printable::printable;
use super::report::{DIM, bytes, right_align, seconds, table};

/// The columns before and after the pull times.
const BEFORE: [&str; 5] = [
    "Dockerfile",
    "uncompressed",
    "compressed",
    "as whit shrinks it",
    "build",
];
const VERDICT: &str = "verdict";

pub fn print_matrix(rows: &[Row], bandwidths: &[Bandwidth]) {
    for (program, rows) in programs(rows) {
        anstream::println!("{}", printable(program));
        let mut table = table();
        table.set_header(header(bandwidths));
        for row in rows {
            let mut cells = vec![printable(&row.variant.file)];
            cells.extend(figures(row, bandwidths));
            cells.push(printable(&judged(row)));
            table.add_row(cells);
        }
        right_align(&mut table, 1..header(bandwidths).len() - 1);
        anstream::println!("{table}\n");
    }
    let refused: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row, refusal(row)?)))
        .collect();
    for (row, error) in refused {
        let file = printable(&row.variant.file);
        anstream::println!(
            "{DIM}whit shrink refuses {file}: {}{DIM:#}",
            printable(error)
        );
    }
    anstream::println!("{DIM}{}{DIM:#}", NOTE);
}

const NOTE: &str = "build: what the engine had in its cache cost nothing; \
    ~ extrapolated from samples; pull times are those of the compressed image";

pub fn print_matrix_markdown(rows: &[Row], bandwidths: &[Bandwidth]) {
    for (program, rows) in programs(rows) {
        anstream::println!("### {}\n", markdown::code(program));
        let header = header(bandwidths);
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let last = header.len() - 1;
        let right: Vec<bool> = (0..header.len()).map(|i| i > 0 && i < last).collect();
        let mut table = markdown::Table::new(&header, &right);
        for row in rows {
            let mut cells = vec![markdown::code(&row.variant.file)];
            cells.extend(figures(row, bandwidths));
            cells.push(match &row.reason {
                None => judged(row),
                Some(reason) => {
                    format!("{}: {}", heading(row), markdown::code(&reason.to_string()))
                }
            });
            table.row(cells);
        }
        anstream::println!("{}", table.finish());
    }
}

pub fn print_matrix_json(
    rows: &[Row],
    engine: BuildEngine,
    bandwidths: &[Bandwidth],
) -> Result<()> {
    #[derive(Serialize)]
    struct Pull {
        mbps: u64,
        seconds: f64,
    }
    #[derive(Serialize)]
    struct Why<'a> {
        kind: &'a str,
        text: String,
        #[serde(flatten)]
        facts: &'a Reason,
    }
    #[derive(Serialize)]
    struct Line<'a> {
        file: &'a str,
        program: &'a str,
        build: Option<&'a str>,
        run: Option<&'a str>,
        should_fail: bool,
        works: bool,
        as_named: bool,
        smallest: bool,
        reason: Option<Why<'a>>,
        uncompressed: Option<u64>,
        compressed: Option<u64>,
        estimated: Option<bool>,
        build_seconds: Option<f64>,
        pull: Vec<Pull>,
        shrunk: Option<&'a Shrunk>,
    }
    #[derive(Serialize)]
    struct Document<'a> {
        engine: String,
        rows: Vec<Line<'a>>,
    }
    let line = |row: &'_ Row| {
        let sizes = row.trial.sizes;
        let pull = |bandwidth: &Bandwidth| {
            sizes.map(|sizes| Pull {
                mbps: bandwidth.mbps(),
                seconds: bandwidth.seconds(sizes.compressed),
            })
        };
        (
            sizes,
            bandwidths.iter().filter_map(pull).collect::<Vec<_>>(),
        )
    };
    let rows = rows
        .iter()
        .map(|row| {
            let (sizes, pull) = line(row);
            Line {
                file: &row.variant.file,
                program: &row.variant.program,
                build: row.variant.build.as_deref(),
                run: row.variant.run.as_deref(),
                should_fail: row.variant.should_fail,
                works: row.works(),
                as_named: row.as_named(),
                smallest: row.smallest,
                reason: row.reason.as_ref().map(|reason| Why {
                    kind: reason.kind(),
                    text: reason.to_string(),
                    facts: reason,
                }),
                uncompressed: sizes.map(|sizes| sizes.uncompressed),
                compressed: sizes.map(|sizes| sizes.compressed),
                estimated: sizes.map(|sizes| sizes.estimated),
                build_seconds: row.trial.build_seconds,
                pull,
                shrunk: row.trial.shrunk.as_ref(),
            }
        })
        .collect();
    let document = Document {
        engine: engine.to_string(),
        rows,
    };
    anstream::println!("{}", serde_json::to_string(&document)?);
    Ok(())
}

/// A verdict in words, without the name's.
pub fn verdict(reason: Option<&Reason>) -> String {
    match reason {
        None => "works".to_owned(),
        Some(reason) => format!("does not work: {reason}"),
    }
}

/// The rows that are not as their names say.
#[derive(Debug)]
pub struct Unexpected(Vec<String>);

impl Unexpected {
    pub fn of(rows: &[&Row]) -> Self {
        let line = |row: &&Row| match (&row.reason, row.variant.should_fail) {
            (None, _) => format!("{} works, and its name says .err", row.variant.file),
            (Some(reason), _) => format!("{} does not work: {reason}", row.variant.file),
        };
        Self(rows.iter().map(|row| printable(&line(row))).collect())
    }
}

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not as their names say:\n  {}", self.0.join("\n  "))
    }
}

impl std::error::Error for Unexpected {}

/// The rows of each program; they come in that order.
fn programs(rows: &[Row]) -> impl Iterator<Item = (&str, &[Row])> {
    rows.chunk_by(|a, b| a.variant.program == b.variant.program)
        .filter_map(|rows| Some((rows.first()?.variant.program.as_str(), rows)))
}

fn header(bandwidths: &[Bandwidth]) -> Vec<String> {
    let pull = bandwidths.iter().map(|bandwidth| format!("at {bandwidth}"));
    let before = BEFORE.iter().map(|name| (*name).to_owned());
    before.chain(pull).chain([VERDICT.to_owned()]).collect()
}

/// What stands between the name and the verdict.
fn figures(row: &Row, bandwidths: &[Bandwidth]) -> Vec<String> {
    let sizes = row.trial.sizes;
    let none = || "–".to_owned();
    let mut cells = vec![
        sizes.map_or_else(none, |sizes| bytes(sizes.uncompressed)),
        sizes.map_or_else(none, wire),
        match &row.trial.shrunk {
            Some(Shrunk::To(sizes)) => format!("{} / {}", bytes(sizes.uncompressed), wire(*sizes)),
            Some(Shrunk::Refused { .. }) => "refused".to_owned(),
            None => none(),
        },
        row.trial.build_seconds.map_or_else(none, seconds),
    ];
    cells.extend(bandwidths.iter().map(|bandwidth| {
        sizes.map_or_else(none, |sizes| seconds(bandwidth.seconds(sizes.compressed)))
    }));
    cells
}

fn wire(sizes: Sizes) -> String {
    let about = if sizes.estimated { "~" } else { "" };
    format!("{about}{}", bytes(sizes.compressed))
}

fn refusal(row: &Row) -> Option<&str> {
    match &row.trial.shrunk {
        Some(Shrunk::Refused { error }) => Some(error),
        _ => None,
    }
}

/// The verdict beside what the name says.
fn heading(row: &Row) -> &'static str {
    match (row.works(), row.as_named()) {
        (true, true) if row.smallest => "works, the smallest",
        (true, true) => "works",
        (true, false) => "WORKS, and its name says .err",
        (false, true) => "fails as its name says",
        (false, false) => "DOES NOT WORK",
    }
}

fn judged(row: &Row) -> String {
    match &row.reason {
        None => heading(row).to_owned(),
        Some(reason) => format!("{}: {reason}", heading(row)),
    }
}
