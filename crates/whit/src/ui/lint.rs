//! Findings of `whit lint` on the terminal.

use anstyle::{AnsiColor, Style};
use whit_core::lint::{self, Bytes, Finding, Measured, Rule, Severity};

use super::report::bytes;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

fn coloured(colour: AnsiColor) -> Style {
    Style::new().bold().fg_color(Some(colour.into()))
}

/// The findings with their patches; on stderr what they come to.
pub fn print_findings(
    name: &str,
    text: &str,
    findings: &[Finding],
    measured: Option<&Measured>,
    mended: usize,
) {
    for finding in findings {
        let colour = match finding.bytes.severity() {
            Severity::High => coloured(AnsiColor::Red),
            Severity::Medium => coloured(AnsiColor::Yellow),
            Severity::Low => BOLD,
        };
        anstream::println!(
            "{BOLD}{name}:{}:{BOLD:#} {colour}{}{colour:#} {}",
            finding.line,
            finding.rule,
            cost(finding.bytes)
        );
        anstream::println!("  {}", finding.message);
        let label = match finding.mend.as_ref().map(|mend| mend.safe) {
            Some(true) => "mend, --fix writes it",
            Some(false) => "mend, wants a look",
            None => "mend, by hand",
        };
        anstream::println!("  {DIM}{label}:{DIM:#} {}", finding.advice);
        for line in lint::patch(text, name, finding).lines() {
            let colour = match line.bytes().next() {
                Some(b'+') => Style::new().fg_color(Some(AnsiColor::Green.into())),
                Some(b'-') => Style::new().fg_color(Some(AnsiColor::Red.into())),
                _ => DIM,
            };
            anstream::println!("{colour}{line}{colour:#}");
        }
        anstream::println!();
    }
    if let Some(measured) = measured {
        layers(name, measured);
    }
    summary(name, findings, mended);
}

/// The layers that the Dockerfile's lines made.
fn layers(name: &str, measured: &Measured) {
    for layer in &measured.layers {
        let Some(line) = layer.line else { continue };
        let mut facts = vec![bytes(layer.bytes)];
        if layer.deleted_later > 0 {
            facts.push(format!("{} deleted later", bytes(layer.deleted_later)));
        }
        if layer.rewritten > 0 {
            facts.push(format!("{} written again", bytes(layer.rewritten)));
        }
        if layer.setuid > 0 {
            facts.push(format!("{} setuid files", layer.setuid));
        }
        anstream::println!("{DIM}layer of {name}:{line}{DIM:#} {}", facts.join(", "));
    }
}

fn summary(name: &str, findings: &[Finding], mended: usize) {
    let plural = |n: usize, what: &str| match n {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    if mended > 0 {
        anstream::eprintln!("{} mended in {name}", plural(mended, "finding"));
    }
    if findings.is_empty() {
        anstream::eprintln!("{name}: nothing that costs size");
        return;
    }
    let known: u64 = findings
        .iter()
        .filter_map(|finding| finding.bytes.number())
        .sum();
    let safe = |finding: &&Finding| finding.mend.as_ref().is_some_and(|mend| mend.safe);
    let fixable = findings.iter().filter(safe).count();
    let mut text = plural(findings.len(), "finding");
    if known > 0 {
        let guessed = findings
            .iter()
            .any(|finding| matches!(finding.bytes, Bytes::About(_)));
        let known = if guessed {
            cost(Bytes::About(known))
        } else {
            bytes(known)
        };
        text.push_str(&format!(", {known} together"));
    }
    if fixable > 0 {
        text.push_str(&format!("; --fix mends {fixable}"));
    }
    anstream::eprintln!("{text}");
}

fn cost(cost: Bytes) -> String {
    match cost {
        Bytes::Measured(n) => bytes(n),
        Bytes::About(n) => format!("about {}", round(n)),
        Bytes::Unknown => "size unknown".to_owned(),
    }
}

/// An estimate claims no more digits than it has.
fn round(n: u64) -> String {
    match n {
        0..1_000_000 => bytes(n),
        1_000_000..100_000_000 => format!("{} MB", (n + 500_000) / 1_000_000),
        100_000_000..1_000_000_000 => format!("{} MB", (n + 5_000_000) / 10_000_000 * 10),
        _ => format!("{:.1} GB", n as f64 / 1e9),
    }
}

/// `whit lint --rules`.
pub fn print_rules(rules: &[Rule]) {
    for rule in rules {
        anstream::println!("{BOLD}{}{BOLD:#}", rule.name);
        anstream::println!("  costs  {}", rule.cost);
        anstream::println!("  why    {}", rule.why);
        anstream::println!("  mend   {}", rule.mend);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_round() {
        assert_eq!(round(728_000_000), "730 MB");
        assert_eq!(round(20_000_000), "20 MB");
        assert_eq!(round(1_490_000_000), "1.5 GB");
    }
}
