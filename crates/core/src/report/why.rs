//! `whit why`: the chain of reasons, read from a report.

use super::{FileLine, Report};

/// One link of the chain: a path, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    pub file: &'a FileLine,
}

/// The report knows no such path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Known paths that end alike.
    pub similar: Vec<String>,
}

/// The way from `path` to the root that it is kept for, nearest first; a
/// single step for a path that nothing needs. Where a module is dropped for
/// being in the interpreter, too, the way of what it imports goes through it.
pub fn why<'a>(report: &'a Report, path: &str) -> Result<Vec<Step<'a>>, Unknown> {
    let find = |path: &str| report.files.iter().find(|line| line.path == path);
    let wanted = format!("/{}", path.trim_start_matches('/').trim_end_matches('/'));
    let start = find(&wanted).or_else(|| {
        report
            .files
            .iter()
            .find(|line| line.moved.as_deref() == Some(&wanted))
    });
    let Some(start) = start else {
        let name = wanted.rsplit('/').next().unwrap_or_default();
        let similar = report
            .files
            .iter()
            .filter(|line| !name.is_empty() && line.path.ends_with(name))
            .take(5)
            .map(|line| line.path.clone())
            .collect();
        return Err(Unknown { similar });
    };
    let mut chain = vec![Step { file: start }];
    let mut here = start;
    while let Some(from) = &here.from {
        // The graph is a tree of first causes, so that this ends; the bound
        // guards against a report that was edited.
        let Some(next) = find(from).filter(|_| chain.len() <= report.files.len()) else {
            break;
        };
        chain.push(Step { file: next });
        here = next;
    }
    Ok(chain)
}
