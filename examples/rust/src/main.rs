//! Counts the words of its input.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::process::ExitCode;

const USAGE: &str = "usage: tally [--json] [FILE]\n\nCounts the words of a file, or of its input.";

fn main() -> ExitCode {
    let mut json = false;
    let mut file = None;
    for word in std::env::args().skip(1) {
        match word.as_str() {
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            "--version" => {
                println!("tally {}", env!("CARGO_PKG_VERSION"));
                return ExitCode::SUCCESS;
            }
            "--json" => json = true,
            flag if flag.starts_with("--") => {
                eprintln!("tally: unknown option {flag}\n{USAGE}");
                return ExitCode::from(2);
            }
            _ => file = Some(word),
        }
    }
    match count(file.as_deref()) {
        Ok(counts) if json => println!("{}", serde_json::json!(counts)),
        Ok(counts) => counts.iter().for_each(|(word, n)| println!("{n:>5} {word}")),
        Err(problem) => {
            eprintln!("tally: {problem}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn count(file: Option<&str>) -> io::Result<BTreeMap<String, usize>> {
    let mut text = String::new();
    match file {
        Some(path) => text = std::fs::read_to_string(path)?,
        None => drop(io::stdin().read_to_string(&mut text)?),
    }
    let mut counts = BTreeMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_insert(0) += 1;
    }
    Ok(counts)
}
