//! The summary on standard output.

use std::fmt::{self, Write};

use anstyle::Style;
use comfy_table::{CellAlignment, Table, presets};
use whit_core::explore::{Exploration, Group, LayerLine};

use crate::ui::bytes;
use crate::ui::printable::printable;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// Lines of a section.
const SHOWN: usize = 12;

/// Layers, packages, types, folders and what is wasted.
pub fn text(exploration: &Exploration) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(exploration, &mut out);
    out
}

fn write(exploration: &Exploration, out: &mut String) -> fmt::Result {
    head(exploration, out)?;
    layers(exploration, out)?;
    groups("packages", &exploration.packages, out)?;
    groups("types", &exploration.types, out)?;
    folders(exploration, out)?;
    wasted(exploration, out)
}

fn head(exploration: &Exploration, out: &mut String) -> fmt::Result {
    let totals = &exploration.totals;
    let about = |estimated: bool| if estimated { "~" } else { "" };
    writeln!(
        out,
        "{BOLD}{}{BOLD:#}  {DIM}{}, {} layers, {} files{DIM:#}",
        printable(&exploration.image),
        printable(&exploration.platform),
        exploration.layers.len(),
        totals.files
    )?;
    writeln!(
        out,
        "{} unpacked, {}{} on the wire, {} wasted ({})",
        bytes(totals.bytes),
        about(totals.wire_estimated),
        bytes(totals.wire),
        bytes(totals.wasted),
        share(totals.wasted, totals.bytes)
    )?;
    if let Some(before) = &exploration.before {
        writeln!(
            out,
            "{DIM}made from {}: {} unpacked, {}{} on the wire{DIM:#}",
            printable(&before.source),
            bytes(before.bytes),
            about(before.wire_estimated),
            bytes(before.wire)
        )?;
    }
    Ok(())
}

fn share(part: u64, whole: u64) -> String {
    match (part, whole) {
        (0, _) | (_, 0) => "0 %".to_owned(),
        (part, whole) => match part as f64 * 100.0 / whole as f64 {
            percent if percent < 1.0 => "<1 %".to_owned(),
            percent => format!("{percent:.0} %"),
        },
    }
}

fn wire(bytes_on_it: Option<u64>) -> String {
    bytes_on_it.map_or_else(|| "–".to_owned(), bytes)
}

/// A section of a title, rows of size, wire, files and words, and what was
/// left out.
fn section(title: &str, rows: Vec<[String; 4]>, left: usize, out: &mut String) -> fmt::Result {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([title, "size", "wire", "files"]);
    for [words, size, wire, files] in rows {
        table.add_row([words, size, wire, files]);
    }
    for i in 1..4 {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out)?;
    for (i, line) in table.lines().enumerate() {
        match i {
            0 => writeln!(out, "{DIM}{}{DIM:#}", line.trim_end())?,
            _ => writeln!(out, "{}", line.trim_end())?,
        }
    }
    match left {
        0 => Ok(()),
        left => writeln!(out, " {DIM}and {left} more{DIM:#}"),
    }
}

fn layers(exploration: &Exploration, out: &mut String) -> fmt::Result {
    let row = |(i, layer): (usize, &LayerLine)| {
        let hidden = match layer.hidden {
            0 => String::new(),
            hidden => format!(", {} hidden later", bytes(hidden)),
        };
        [
            format!("{} {}{hidden}", i + 1, step(layer)),
            bytes(layer.bytes),
            format!(
                "{}{}",
                if layer.wire_estimated { "~" } else { "" },
                bytes(layer.wire)
            ),
            layer.files.to_string(),
        ]
    };
    let rows = exploration.layers.iter().enumerate().map(row).collect();
    section("layers", rows, 0, out)
}

/// What made a layer, without what builders write around it.
fn step(layer: &LayerLine) -> String {
    const LONGEST: usize = 60;
    let words = layer
        .created_by
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let words = words
        .replace("/bin/sh -c #(nop) ", "")
        .replace("/bin/sh -c ", "");
    let words = words.trim_end_matches("# buildkit").trim();
    match words.chars().count() {
        0 => layer.digest.get(..19).unwrap_or_default().to_owned(),
        count if count > LONGEST => {
            let start: String = words.chars().take(LONGEST - 1).collect();
            format!("{}…", printable(&start))
        }
        _ => printable(words),
    }
}

fn groups(title: &str, groups: &[Group], out: &mut String) -> fmt::Result {
    let there: Vec<&Group> = groups.iter().filter(|group| group.bytes > 0).collect();
    let rows = there
        .iter()
        .take(SHOWN)
        .map(|group| {
            let name = match &group.version {
                Some(version) => printable(&format!("{} {version}", group.name)),
                None => printable(&group.name),
            };
            [
                name,
                bytes(group.bytes),
                wire(group.wire),
                group.files.to_string(),
            ]
        })
        .collect();
    section(title, rows, there.len().saturating_sub(SHOWN), out)
}

fn folders(exploration: &Exploration, out: &mut String) -> fmt::Result {
    const SHOWN: usize = 20;
    // A depth's folder above, so that a line shows what it adds to that.
    let mut above: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for folder in exploration.folders.iter().take(SHOWN) {
        above.truncate(folder.depth);
        let parent = above.last().copied().unwrap_or_default();
        let name = folder.path.strip_prefix(parent).unwrap_or(&folder.path);
        rows.push([
            format!("{}{}", "  ".repeat(folder.depth), printable(name)),
            bytes(folder.bytes),
            wire(folder.wire),
            folder.files.to_string(),
        ]);
        above.push(&folder.path);
    }
    let left = exploration.folders.len().saturating_sub(SHOWN);
    section("folders", rows, left, out)
}

fn wasted(exploration: &Exploration, out: &mut String) -> fmt::Result {
    if exploration.wasted.is_empty() {
        return writeln!(out, "\nnothing wasted");
    }
    writeln!(out, "\n{DIM}wasted{DIM:#}")?;
    for line in &exploration.wasted {
        let files = match line.files {
            1 => "1 file".to_owned(),
            files => format!("{files} files"),
        };
        let on_wire = line
            .wire
            .map(|wire| format!(", {} on the wire", bytes(wire)))
            .unwrap_or_default();
        writeln!(
            out,
            "{:>10}  {BOLD}{}{BOLD:#} {DIM}{files}{on_wire}{DIM:#}",
            bytes(line.bytes),
            line.name
        )?;
        if let Some(example) = line.examples.first() {
            writeln!(out, "{:12}{DIM}such as {}{DIM:#}", "", printable(example))?;
        }
        writeln!(out, "{:12}{}", "", line.mend)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{sample, shrunk};
    use super::*;

    fn plain(exploration: &Exploration) -> String {
        anstream::adapter::strip_str(&text(exploration)).to_string()
    }

    #[test]
    fn the_summary() {
        insta::assert_snapshot!(plain(&sample()));
    }

    #[test]
    fn a_small_image_tells_what_it_was() {
        let text = plain(&shrunk());
        let third = text.lines().nth(2).unwrap_or_default();
        assert_eq!(
            third,
            "made from docker-archive:big.tar: 80.0 MB unpacked, ~30.0 MB on the wire"
        );
    }

    #[test]
    fn names_do_not_command_the_terminal() {
        let mut exploration = sample();
        exploration.packages[0].name = "\u{1b}[2Jx".to_owned();
        exploration.layers[0].created_by = "RUN \u{1b}]0;title\u{7}".to_owned();
        exploration.wasted[0].examples[0] = "/a\nb".to_owned();
        let text = plain(&exploration);
        assert!(text.contains("\u{fffd}[2Jx 1.2-3"), "{text}");
        assert!(text.contains("RUN \u{fffd}]0;title\u{fffd}"), "{text}");
        assert!(text.contains("such as /a\u{fffd}b"), "{text}");
    }

    #[test]
    fn the_builders_words_are_left_out() {
        let steps: Vec<String> = sample().layers.iter().map(step).collect();
        assert_eq!(
            steps,
            ["ADD file:4 in /", "RUN rm -rf /var/lib/apt/lists/*"]
        );
    }
}
