//! A report on the terminal.

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use whit_core::report::{FileLine, PackageLine, Report, Step};

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();

pub fn coloured(colour: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(colour.into()))
}

/// Decimal megabytes as engines print them.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{:.1} kB", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        _ => format!("{:.2} GB", n as f64 / 1e9),
    }
}

pub fn seconds(s: f64) -> String {
    match s {
        s if s < 0.095 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s => format!("{:.0} min", s / 60.0),
    }
}

/// The heading of the report of one platform among several.
pub fn print_platform(name: &str) {
    anstream::println!("\n{BOLD}{name}{BOLD:#}\n");
}

/// The whole report: sizes, proof, the biggest keeps and drops, time.
pub fn print_report(report: &Report) {
    sizes(report);
    proof(report);
    single(report);
    packages(report);
    for warning in &report.warnings {
        anstream::println!(
            "{yellow}warning:{yellow:#} {warning}",
            yellow = coloured(AnsiColor::Yellow)
        );
    }
    phases(report);
    outcome(report);
}

pub fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

pub fn right_align(table: &mut Table, columns: impl IntoIterator<Item = usize>) {
    for i in columns {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn sizes(report: &Report) {
    let about = |estimated: bool| if estimated { "~" } else { "" };
    let (before, after) = (&report.before, &report.after);
    let mut table = table();
    table.set_header(["", "before", "after", "saved"]);
    let saved = |before: u64, after: u64| {
        if before == 0 {
            return String::new();
        }
        format!("{:.0} %", 100.0 - after as f64 * 100.0 / before as f64)
    };
    table.add_row([
        "uncompressed".to_owned(),
        bytes(before.bytes),
        bytes(after.bytes),
        saved(before.bytes, after.bytes),
    ]);
    table.add_row([
        "compressed".to_owned(),
        format!("{}{}", about(before.estimated), bytes(before.compressed)),
        format!("{}{}", about(after.estimated), bytes(after.compressed)),
        saved(before.compressed, after.compressed),
    ]);
    table.add_row([
        "files".to_owned(),
        before.files.to_string(),
        after.files.to_string(),
        saved(before.files, after.files),
    ]);
    for pull in &report.pull {
        let speed = match pull.mbps {
            mbps if mbps >= 1000 => format!("pull at {} Gbps", mbps / 1000),
            mbps => format!("pull at {mbps} Mbps"),
        };
        table.add_row([
            speed,
            seconds(pull.before),
            seconds(pull.after),
            String::new(),
        ]);
    }
    right_align(&mut table, 1..4);
    anstream::println!("{table}\n");
    for layer in &report.layers {
        anstream::println!(
            "{DIM}layer{DIM:#} {:<13} {:>10} {DIM}{} compressed, {} files{DIM:#}",
            layer.name,
            bytes(layer.bytes),
            bytes(layer.compressed),
            layer.files
        );
    }
    anstream::println!();
}

fn proof(report: &Report) {
    let proof = &report.proof;
    if !proof.proven {
        anstream::println!(
            "{yellow}unproven{yellow:#}  the image was not run{}",
            match &proof.unrunnable {
                Some(because) => format!(": {because}"),
                None => String::new(),
            },
            yellow = coloured(AnsiColor::Yellow)
        );
        anstream::println!();
        return;
    }
    anstream::println!(
        "{green}proven{green:#}  {} probe{}, the same answers from both images{}",
        proof.probes.len(),
        if proof.probes.len() == 1 { "" } else { "s" },
        match &proof.emulator {
            Some(emulator) => format!(", both under {emulator}"),
            None => String::new(),
        },
        green = coloured(AnsiColor::Green)
    );
    const SHOWN: usize = 12;
    for line in proof.probes.iter().take(SHOWN) {
        anstream::println!("  {}  {DIM}{}{DIM:#}", line.probe, line.result);
    }
    if proof.probes.len() > SHOWN {
        anstream::println!("  {DIM}and {} more{DIM:#}", proof.probes.len() - SHOWN);
    }
    for line in &proof.disqualified {
        anstream::println!(
            "  {DIM}not counted: {}, which fails on the original too: {}{DIM:#}",
            line.probe,
            line.result
        );
    }
    if !proof.repaired.is_empty() {
        anstream::println!(
            "  {BOLD}put back{BOLD:#} in {} round{}:",
            proof.rounds.saturating_sub(1),
            if proof.rounds == 2 { "" } else { "s" }
        );
        for path in proof.repaired.iter().take(SHOWN) {
            anstream::println!("    {path}");
        }
        if proof.repaired.len() > SHOWN {
            anstream::println!("    {DIM}and {} more{DIM:#}", proof.repaired.len() - SHOWN);
        }
    }
    for difference in &proof.differences {
        anstream::println!(
            "  {red}different, accepted by you:{red:#} {difference}",
            red = coloured(AnsiColor::Red)
        );
    }
    if let (Some(before), Some(after)) = (proof.startup_before, proof.startup_after) {
        anstream::println!(
            "  {DIM}start-up {} → {}, memory {} → {}{DIM:#}",
            seconds(before / 1e3),
            seconds(after / 1e3),
            bytes(proof.memory_before),
            bytes(proof.memory_after)
        );
    }
    anstream::println!();
}

/// The app as one executable: its form, why no better one, what lies beside.
fn single(report: &Report) {
    let Some(single) = &report.single else { return };
    anstream::println!(
        "{BOLD}one executable{BOLD:#}  {}, {}{}",
        single.form,
        bytes(single.bytes),
        match single.linked.len() {
            0 => String::new(),
            n => format!(", {n} extension modules inside"),
        }
    );
    for other in &single.passed_over {
        anstream::println!("  {DIM}not {}: {}{DIM:#}", other.form, other.why);
    }
    for path in &single.left_out {
        anstream::println!("  left out, as you said: {path}");
    }
    const SHOWN: usize = 12;
    if !single.beside.is_empty() {
        let names = single.beside.iter().take(SHOWN);
        let names: Vec<&str> = names.map(String::as_str).collect();
        let more = single.beside.len() - names.len();
        let rest = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        anstream::println!("  {DIM}files beside it: {}{rest}{DIM:#}", names.join(" "));
    }
    anstream::println!();
}

fn packages(report: &Report) {
    const SHOWN: usize = 10;
    let ten = |size: fn(&PackageLine) -> u64| {
        let mut lines: Vec<&PackageLine> = report.packages.iter().collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(size(line)), line.name.clone()));
        lines
            .into_iter()
            .take(SHOWN)
            .filter(|line| size(line) > 0)
            .map(|line| (bytes(size(line)), line.name.clone()))
            .collect::<Vec<_>>()
    };
    let kept = ten(|line| line.kept_bytes);
    let dropped = ten(|line| line.dropped_bytes);
    let mut table = table();
    table.set_header(["kept", "", "dropped", ""]);
    let empty = (String::new(), String::new());
    for i in 0..kept.len().max(dropped.len()) {
        let (kept_bytes, kept_name) = kept.get(i).unwrap_or(&empty).clone();
        let (dropped_bytes, dropped_name) = dropped.get(i).unwrap_or(&empty).clone();
        table.add_row([kept_bytes, kept_name, dropped_bytes, dropped_name]);
    }
    right_align(&mut table, [0, 2]);
    anstream::println!("{table}\n");
}

fn phases(report: &Report) {
    let parts: Vec<String> = report
        .phases
        .iter()
        .filter(|phase| phase.seconds >= 0.05)
        .map(|phase| format!("{} {}", phase.name, seconds(phase.seconds)))
        .collect();
    let total: f64 = report.phases.iter().map(|phase| phase.seconds).sum();
    anstream::println!("{DIM}{}: {}{DIM:#}", seconds(total), parts.join(", "));
}

fn outcome(report: &Report) {
    let Some(output) = &report.output else {
        anstream::println!("{BOLD}nothing written{BOLD:#} (dry run)");
        return;
    };
    anstream::println!("{BOLD}{output}{BOLD:#}");
    if let Some(digest) = &report.digest {
        anstream::println!("{DIM}{digest}{DIM:#}");
    }
}

/// The chain from a path to its root.
pub fn print_why(chain: &[Step<'_>]) {
    for (depth, step) in chain.iter().enumerate() {
        let line = step.file;
        let indent = "  ".repeat(depth);
        let verdict = match (depth, line.kept) {
            (0, true) => format!("{green}kept{green:#} ", green = coloured(AnsiColor::Green)),
            (_, false) => format!("{red}dropped{red:#} ", red = coloured(AnsiColor::Red)),
            _ => String::new(),
        };
        anstream::println!(
            "{indent}{verdict}{BOLD}{}{BOLD:#}{}",
            line.path,
            aside(line)
        );
        let joint = if line.kept { "" } else { "because " };
        match &line.from {
            Some(_) => anstream::println!("{indent}  {joint}{} by", by(&line.why)),
            None => anstream::println!("{indent}  {joint}{}", line.why),
        }
    }
}

/// Phrases of [`whit_core::reach::How`] that don't take "by" as they are.
fn by(why: &str) -> String {
    match why {
        "holds a file that is kept" => "holds a kept file, named".into(),
        "is its interpreter" => "is the interpreter wanted".into(),
        "is on the way of a symbolic link" => "is on the way of a symbolic link, wanted".into(),
        why => why.to_owned(),
    }
}

fn aside(line: &FileLine) -> String {
    let mut parts = vec![bytes(line.size)];
    if let Some(package) = &line.package {
        parts.push(package.clone());
    }
    match (&line.edit, line.now) {
        (Some(edit), Some(now)) => parts.push(format!("{edit}, now {}", bytes(now))),
        (Some(edit), None) if edit == "linked" => parts.push(edit.clone()),
        _ => {}
    }
    if let Some(moved) = &line.moved {
        parts.push(format!("as {moved}"));
    }
    if let Some(executable) = &line.inside {
        parts.push(format!("in {executable}"));
    }
    format!("  {DIM}{}{DIM:#}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(16_000_000), "16.0 MB");
        assert_eq!(bytes(1_500_000_000), "1.50 GB");
    }
}
