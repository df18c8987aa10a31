//! The trials beside each other.

use std::collections::BTreeMap;

use super::{Answered, Reason, Trial, Variant};
use crate::verify;

/// A line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub variant: Variant,
    pub trial: Trial,
    /// Why it does not work, if so: by itself, or beside the others.
    pub reason: Option<Reason>,
    /// The smallest of its program that works, where there are several rows.
    pub smallest: bool,
}

impl Row {
    pub fn works(&self) -> bool {
        self.reason.is_none()
    }

    /// True if it works, or fails as its name says.
    pub fn as_named(&self) -> bool {
        // What could not be tried shows nothing.
        let tried = !matches!(self.reason, Some(Reason::NotTried { .. }));
        tried && self.works() != self.variant.should_fail
    }
}

/// Puts the trials side by side: by program, then by name.
///
/// What most rows of a program answer is right; where as many say otherwise,
/// the first one is.
pub fn rows(tried: Vec<(Variant, Trial)>) -> Vec<Row> {
    let mut rows: Vec<Row> = tried
        .into_iter()
        .map(|(variant, trial)| Row {
            reason: trial.reason.clone(),
            variant,
            trial,
            smallest: false,
        })
        .collect();
    rows.sort_by(|a, b| {
        let of = |row: &Row| (row.variant.program.clone(), row.variant.file.clone());
        of(a).cmp(&of(b))
    });
    let mut programs: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let program = row.variant.program.clone();
        programs.entry(program).or_default().push(at);
    }
    for at in programs.values() {
        compare(&mut rows, at);
        let size = |at: &&usize| rows[**at].trial.sizes.map(|sizes| sizes.uncompressed);
        let working = at.iter().filter(|at| rows[**at].works());
        if at.len() > 1
            && let Some(smallest) = working.min_by_key(size).copied()
        {
            rows[smallest].smallest = true;
        }
    }
    rows
}

/// Marks those of one program that answer otherwise.
fn compare(rows: &mut [Row], of_program: &[usize]) {
    let working: Vec<usize> = of_program
        .iter()
        .copied()
        .filter(|at| rows[*at].works())
        .collect();
    let mut camps: Vec<Vec<usize>> = Vec::new();
    for at in working {
        let same = |camp: &&mut Vec<usize>| {
            let first = &rows[camp[0]].trial.answered;
            difference(first, &rows[at].trial.answered).is_none()
        };
        match camps.iter_mut().find(same) {
            Some(camp) => camp.push(at),
            None => camps.push(vec![at]),
        }
    }
    // The first of the largest ones: `max_by_key` gives the last.
    let Some(right) = camps.iter().rev().max_by_key(|camp| camp.len()) else {
        return;
    };
    let model = right[0];
    for at in camps.iter().flatten().copied() {
        let what = difference(&rows[model].trial.answered, &rows[at].trial.answered);
        if let Some(what) = what.filter(|_| at != model) {
            rows[at].reason = Some(Reason::Differs {
                from: rows[model].variant.file.clone(),
                what,
            });
        }
    }
}

/// The first answer to the same question that is another one.
fn difference(one: &[Answered], other: &[Answered]) -> Option<String> {
    let ends = |all: &[Answered]| all.iter().any(|answered| answered.question.is_empty());
    match (ends(one), ends(other)) {
        (true, false) => return Some("it listens on a port".to_owned()),
        (false, true) => return Some("it ends by itself".to_owned()),
        _ => {}
    }
    one.iter().find_map(|a| {
        let b = other.iter().find(|b| b.question == a.question)?;
        if verify::same_words(&a.answer, &b.answer) {
            return None;
        }
        let lines = a.answer.lines().zip(b.answer.lines());
        let line = lines.into_iter().find(|(a, b)| a != b).map(|(_, b)| b);
        let line = line
            .or_else(|| b.answer.lines().last())
            .unwrap_or("nothing");
        let shown = verify::printable(line, 120);
        Some(match a.question.as_str() {
            "" => format!("it prints {shown:?}"),
            question => format!("to {question} it answers {shown:?}"),
        })
    })
}
