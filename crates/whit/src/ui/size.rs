//! Sizes of images on the terminal and for programs.

use anyhow::Result;
use serde::Serialize;
use whit_core::size::{Excess, ImageSize};

use super::markdown;
use super::printable::printable;
use super::report::{DIM, bytes, right_align, seconds, table};

/// A part of an image that lies in lower layers and nobody sees is worth a
/// word from this share of it on.
const WORTH_A_WORD: u64 = 50;

pub fn print_sizes(sizes: &[ImageSize], any_there: bool) {
    let mut table = table();
    table.set_header(header(sizes, any_there));
    for size in sizes {
        let mut row = vec![printable(&size.image)];
        row.extend(figures(size, any_there));
        table.add_row(row);
    }
    let columns = header(sizes, any_there).len();
    right_align(&mut table, 1..columns);
    anstream::println!("{table}");
    for note in notes(sizes) {
        anstream::println!("{DIM}{note}{DIM:#}");
    }
}

pub fn print_sizes_markdown(sizes: &[ImageSize], any_there: bool) {
    let header = header(sizes, any_there);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let right: Vec<bool> = (0..header.len()).map(|i| i > 0).collect();
    let mut table = markdown::Table::new(&header, &right);
    for size in sizes {
        let mut row = vec![markdown::code(&size.image)];
        row.extend(figures(size, any_there));
        table.row(row);
    }
    anstream::print!("{}", table.finish());
}

pub fn print_sizes_json(sizes: &[ImageSize], over: &[Excess]) -> Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        images: &'a [ImageSize],
        over: &'a [Excess],
    }
    let document = Document {
        images: sizes,
        over,
    };
    anstream::println!("{}", serde_json::to_string(&document)?);
    Ok(())
}

/// RFC 4180, sizes in bytes and times in seconds.
pub fn print_sizes_csv(sizes: &[ImageSize]) {
    let mut header: Vec<String> = [
        "image",
        "uncompressed",
        "compressed",
        "estimated",
        "stored",
        "visible",
        "links",
        "layers",
        "files",
        "to pull",
    ]
    .map(str::to_owned)
    .to_vec();
    if let Some(size) = sizes.first() {
        header.extend(size.recompressed.iter().map(|r| r.compression.clone()));
        header.extend(size.pull.iter().map(|pull| pull.bandwidth.to_string()));
    }
    anstream::println!("{}", header.join(","));
    for size in sizes {
        let mut row = vec![
            quoted(&size.image),
            size.uncompressed.to_string(),
            size.compressed.to_string(),
            size.estimated.to_string(),
            size.stored.to_string(),
            size.visible.to_string(),
            size.link_bytes.to_string(),
            size.layers.len().to_string(),
            size.files.to_string(),
            size.to_pull.to_string(),
        ];
        row.extend(size.recompressed.iter().map(|r| r.bytes.to_string()));
        row.extend(size.pull.iter().map(|pull| format!("{:.3}", pull.seconds)));
        anstream::println!("{}", row.join(","));
    }
}

/// One line per thing that weighs too much.
pub fn over_budget(over: &[Excess]) -> String {
    let lines: Vec<String> = over
        .iter()
        .map(|excess| {
            format!(
                "  {}: {} is {}{}, {} more than the limit of {}",
                printable(&excess.image),
                printable(&excess.what.to_string()),
                about(excess.estimated),
                bytes(excess.bytes),
                bytes(excess.bytes - excess.limit),
                bytes(excess.limit),
            )
        })
        .collect();
    format!("over budget\n{}", lines.join("\n"))
}

fn header(sizes: &[ImageSize], any_there: bool) -> Vec<String> {
    let mut header = vec![
        "image".to_owned(),
        "uncompressed".to_owned(),
        "compressed".to_owned(),
    ];
    let first = sizes.first();
    let recompressed = first.map(|size| &size.recompressed);
    header.extend(
        recompressed
            .into_iter()
            .flatten()
            .map(|recompressed| recompressed.compression.clone()),
    );
    header.extend(["layers".to_owned(), "files".to_owned()]);
    if any_there {
        header.push("to pull".to_owned());
    }
    header.extend(
        first
            .into_iter()
            .flat_map(|size| &size.pull)
            .map(|pull| format!("at {}", pull.bandwidth)),
    );
    header
}

/// What follows the name.
fn figures(size: &ImageSize, any_there: bool) -> Vec<String> {
    let wire = |n: u64| format!("{}{}", about(size.estimated), bytes(n));
    let mut row = vec![bytes(size.uncompressed), wire(size.compressed)];
    row.extend(size.recompressed.iter().map(|r| bytes(r.bytes)));
    row.push(size.layers.len().to_string());
    row.push(size.files.to_string());
    if any_there {
        row.push(wire(size.to_pull));
    }
    row.extend(size.pull.iter().map(|pull| seconds(pull.seconds)));
    row
}

fn about(estimated: bool) -> &'static str {
    if estimated { "~" } else { "" }
}

fn notes(sizes: &[ImageSize]) -> Vec<String> {
    let mut notes: Vec<String> = sizes
        .iter()
        .filter(|size| hidden(size) > size.uncompressed / WORTH_A_WORD)
        .map(|size| {
            format!(
                "{}: {} of it lie in lower layers, replaced or deleted by higher ones",
                printable(&size.image),
                bytes(hidden(size))
            )
        })
        .collect();
    if sizes.iter().any(|size| size.estimated) {
        notes.push(
            "~ extrapolated from samples, for the layers are stored without compression; \
             --recompress gzip measures"
                .to_owned(),
        );
    }
    notes
}

fn hidden(size: &ImageSize) -> u64 {
    size.uncompressed.saturating_sub(size.visible)
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_commas_are_quoted() {
        assert_eq!(quoted("oci:a:1"), "oci:a:1");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
