//! The difference of two images on the terminal and in a pull request.

use anstyle::AnsiColor;
use anyhow::Result;
use serde::Serialize;
use whit_core::diff::{
    Aspect, Cause, CauseKind, ConfigChange, Diff, FileChange, Grown, PackageChange, Side,
};
use whit_core::index::PackageKind;

use super::markdown::{self, code, folded};
use super::printable::printable;
use super::report::{BOLD, DIM, bytes, coloured, right_align, table};

/// Lines of each kind on a terminal; `--json` has all.
const SHOWN: usize = 15;
/// Rows of each kind in a comment, which may have 65,536 characters.
const FOLDED: usize = 150;

pub fn print_diff(diff: &Diff) {
    let mut table = table();
    table.set_header(["", "before", "after", "change"]);
    for row in sizes(diff) {
        table.add_row(row);
    }
    right_align(&mut table, 1..4);
    anstream::println!("{table}\n");

    section("why", "thing", diff.causes.len());
    for cause in diff.causes.iter().take(SHOWN) {
        anstream::println!(
            "  {:>10}  {}",
            signed(cause.change()),
            printable(&why(cause))
        );
    }
    section("packages", "package", diff.packages.len());
    for package in diff.packages.iter().take(SHOWN) {
        anstream::println!("  {}", printable(&package_line(package)));
    }
    section("configuration", "setting", diff.config.len());
    for change in diff.config.iter().take(SHOWN) {
        let said = |value: &Option<String>| match value {
            Some(value) => printable(value),
            None => "nothing".to_owned(),
        };
        anstream::println!(
            "  {}: {} {DIM}→{DIM:#} {}",
            printable(&change.setting),
            said(&change.before),
            said(&change.after)
        );
    }
    section("files", "path", diff.files.len());
    for file in largest(&diff.files).into_iter().take(SHOWN) {
        anstream::println!(
            "  {:>10}  {}  {DIM}{}{DIM:#}",
            signed(file.change()),
            printable(&file.path.to_string()),
            printable(&what(file))
        );
    }
    if diff.causes.is_empty() && diff.config.is_empty() && diff.files.is_empty() {
        anstream::println!(
            "{green}the same{green:#}  no file, package or setting differs",
            green = coloured(AnsiColor::Green)
        );
    }
}

/// A heading, if there is something below it.
fn section(name: &str, noun: &str, count: usize) {
    if count == 0 {
        return;
    }
    let hidden = count.saturating_sub(SHOWN);
    let more = match hidden {
        0 => String::new(),
        _ => format!(", the first {SHOWN} of them here; --json has all"),
    };
    let plural = if count == 1 { "" } else { "s" };
    anstream::println!("{BOLD}{name}{BOLD:#}  {DIM}{count} {noun}{plural}{more}{DIM:#}");
}

pub fn print_diff_json(diff: &Diff, grown: &[Grown]) -> Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        #[serde(flatten)]
        diff: &'a Diff,
        grown: &'a [Grown],
    }
    let document = Document { diff, grown };
    anstream::println!("{}", serde_json::to_string(&document)?);
    Ok(())
}

/// The sizes in sight, the rest folded.
pub fn print_diff_markdown(diff: &Diff) {
    let (before, after) = (&diff.before, &diff.after);
    anstream::println!(
        "### Image size: {} → {} ({})\n",
        bytes(before.uncompressed),
        bytes(after.uncompressed),
        change(before.uncompressed, after.uncompressed)
    );
    anstream::println!("{} → {}\n", code(&before.image), code(&after.image));
    let mut table = markdown::Table::new(
        &["", "before", "after", "change"],
        &[false, true, true, true],
    );
    for row in sizes(diff) {
        table.row(row);
    }
    anstream::println!("{}", table.finish());
    let causes = diff.causes.iter().map(|cause| {
        let name = match cause.kind {
            CauseKind::Hidden => why(cause),
            CauseKind::Folder => format!("files of no package in {}", code(&cause.name)),
            CauseKind::Package(kind) => format!("{} {}", manager(kind), code(&cause.name)),
        };
        vec![name, signed(cause.change())]
    });
    fold("size by cause", &["", "change"], causes.collect());
    let packages = diff.packages.iter().map(|package| {
        vec![
            format!("{} {}", manager(package.kind), code(&package.name)),
            versions(&package.before),
            versions(&package.after),
        ]
    });
    fold("packages", &["", "before", "after"], packages.collect());
    let value = |value: &Option<String>| value.as_deref().map(code).unwrap_or_default();
    let setting = |change: &ConfigChange| {
        vec![
            code(&change.setting),
            value(&change.before),
            value(&change.after),
        ]
    };
    let config = diff.config.iter().map(setting).collect();
    fold("configuration", &["", "before", "after"], config);
    let files = largest(&diff.files).into_iter().map(|file| {
        vec![
            code(&file.path.to_string()),
            signed(file.change()),
            code(&what(file)),
        ]
    });
    fold("files", &["", "change", ""], files.collect());
}

/// Prints a table that opens at a click, unless it is empty.
fn fold(name: &str, header: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let right: Vec<bool> = header.iter().map(|name| *name == "change").collect();
    let mut table = markdown::Table::new(header, &right);
    let count = rows.len();
    for row in rows.into_iter().take(FOLDED) {
        table.row(row);
    }
    let mut content = table.finish();
    if count > FOLDED {
        content.push_str(&format!("\nand {} more\n", count - FOLDED));
    }
    anstream::println!("{}", folded(&format!("{name}: {count}"), &content));
}

/// Why an image is refused.
pub fn grown_too_much(diff: &Diff, grown: &[Grown]) -> String {
    let lines: Vec<String> = grown
        .iter()
        .map(|grown| {
            format!(
                "  {}: {} → {} ({}), {} more than accepted",
                grown.what,
                bytes(grown.before),
                bytes(grown.after),
                change(grown.before, grown.after),
                bytes(grown.after - grown.limit)
            )
        })
        .collect();
    format!(
        "{} grew too much\n{}",
        printable(&diff.after.image),
        lines.join("\n")
    )
}

fn sizes(diff: &Diff) -> Vec<[String; 4]> {
    let (before, after) = (&diff.before, &diff.after);
    let compressed = |side: &Side| {
        let about = if side.estimated { "~" } else { "" };
        format!("{about}{}", bytes(side.compressed))
    };
    let number = |name: &str, before: u64, after: u64| {
        let difference = i128::from(after) - i128::from(before);
        let change = match difference {
            0 => String::new(),
            1.. => format!("+{difference}"),
            _ => format!("−{}", difference.unsigned_abs()),
        };
        [
            name.to_owned(),
            before.to_string(),
            after.to_string(),
            change,
        ]
    };
    vec![
        [
            "uncompressed".to_owned(),
            bytes(before.uncompressed),
            bytes(after.uncompressed),
            change(before.uncompressed, after.uncompressed),
        ],
        [
            "compressed".to_owned(),
            compressed(before),
            compressed(after),
            change(before.compressed, after.compressed),
        ],
        number("layers", before.layers as u64, after.layers as u64),
        number("files", before.files, after.files),
    ]
}

/// `+1.2 MB, +3.4 %`
fn change(before: u64, after: u64) -> String {
    let difference = i128::from(after) - i128::from(before);
    if difference == 0 {
        return "unchanged".to_owned();
    }
    let size = signed(difference);
    match before {
        0 => size,
        before => {
            let percent = difference as f64 * 100.0 / before as f64;
            let sign = if difference < 0 { "−" } else { "+" };
            format!("{size}, {sign}{:.1} %", percent.abs())
        }
    }
}

fn signed(difference: i128) -> String {
    let sign = match difference {
        0 => "±",
        1.. => "+",
        _ => "−",
    };
    let size = u64::try_from(difference.unsigned_abs()).unwrap_or(u64::MAX);
    format!("{sign}{}", bytes(size))
}

fn manager(kind: PackageKind) -> &'static str {
    match kind {
        PackageKind::Dpkg => "Debian package",
        PackageKind::Apk => "Alpine package",
        PackageKind::Python => "Python package",
        PackageKind::Node => "Node package",
    }
}

fn why(cause: &Cause) -> String {
    match cause.kind {
        CauseKind::Package(kind) => format!("{} {}", manager(kind), cause.name),
        CauseKind::Folder => format!("files of no package in {}", cause.name),
        CauseKind::Hidden => "replaced or deleted by higher layers".to_owned(),
    }
}

fn versions(versions: &[String]) -> String {
    match versions {
        [] => "–".to_owned(),
        versions => versions
            .iter()
            .map(|version| code(version))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn package_line(package: &PackageChange) -> String {
    let name = format!("{} {}", manager(package.kind), package.name);
    let (before, after) = (package.before.join(", "), package.after.join(", "));
    match (&package.before[..], &package.after[..]) {
        ([], _) => format!("{name} {after} is new"),
        (_, []) => format!("{name} {before} is gone"),
        _ => format!("{name} {before} → {after}"),
    }
}

/// Files by how much they changed, then by path.
fn largest(files: &[FileChange]) -> Vec<&FileChange> {
    let mut sorted: Vec<&FileChange> = files.iter().collect();
    sorted.sort_by_key(|file| std::cmp::Reverse(file.change().unsigned_abs()));
    sorted
}

/// What happened to a file.
fn what(file: &FileChange) -> String {
    let (Some(before), Some(after)) = (&file.before, &file.after) else {
        return match file.before {
            None => "new".to_owned(),
            Some(_) => "gone".to_owned(),
        };
    };
    let target = |state: &whit_core::diff::FileState| state.target.clone().unwrap_or_default();
    let parts: Vec<String> = file
        .changed
        .iter()
        .map(|aspect| match aspect {
            Aspect::Type => format!("{} → {}", before.file_type, after.file_type),
            Aspect::Content => "content".to_owned(),
            Aspect::Target => format!("target {} → {}", target(before), target(after)),
            Aspect::Mode => format!("mode {} → {}", before.mode, after.mode),
            Aspect::Owner => format!("owner {} → {}", before.owner, after.owner),
            Aspect::Attributes => "extended attributes".to_owned(),
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_a_sign() {
        assert_eq!(change(100, 100), "unchanged");
        assert_eq!(change(2_000_000, 3_000_000), "+1.0 MB, +50.0 %");
        assert_eq!(change(0, 5), "+5 B");
        assert_eq!(signed(-1_000), "−1.0 kB");
    }
}
