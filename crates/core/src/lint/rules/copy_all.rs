//! `COPY .` of a folder with more in it than the app.

use super::{Rule, list};
use crate::lint::Case;
use crate::lint::dockerfile::Kind;
use crate::lint::finding::{Bytes, Finding, Mend};

pub const RULE: Rule = Rule {
    name: "copy-all",
    cost: "`.git`, `node_modules`, virtual environments and caches of the machine that builds",
    why: "`COPY .` copies all that no `.dockerignore` keeps out",
    mend: "a .dockerignore",
    check,
};

/// What the new `.dockerignore` keeps out besides what was found.
const USUAL: [&str; 5] = [
    ".git",
    "**/node_modules",
    "**/.venv",
    "**/__pycache__",
    "**/.DS_Store",
];

fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(step) = case
        .file
        .final_steps()
        .map(|(_, step)| step)
        .find(|step| match &step.kind {
            Kind::Copy(copy) => {
                copy.is_from_context() && copy.sources.iter().any(|source| is_all(source))
            }
            _ => false,
        })
    else {
        return Vec::new();
    };
    let context = case.context;
    let litter = &context.litter;
    let names: Vec<String> = litter.iter().map(|(path, _)| path.clone()).collect();
    let message = match (&context.ignore_file, &names[..]) {
        (Some(_), []) => return Vec::new(),
        (Some(file), names) => {
            format!("`COPY .` copies {}, which {file} lets through", list(names))
        }
        _ if !context.is_known() => return Vec::new(),
        (None, []) => {
            "`COPY .` without a .dockerignore copies whatever comes to lie here".to_owned()
        }
        (None, names) => format!("`COPY .` without a .dockerignore copies {}", list(names)),
    };
    let bytes: u64 = litter.iter().map(|(_, bytes)| bytes).sum();
    let mend = context.ignore_file.is_none().then(|| {
        let mut lines: Vec<String> = USUAL.iter().map(|line| (*line).to_owned()).collect();
        for name in names {
            let base = name.rsplit('/').next().unwrap_or(&name).to_owned();
            let known = [base.clone(), format!("**/{base}")];
            if !lines.iter().any(|line| known.contains(line)) {
                lines.push(format!("**/{base}"));
            }
        }
        Mend {
            edits: Vec::new(),
            new_file: Some((".dockerignore".to_owned(), lines.join("\n") + "\n")),
            safe: false,
        }
    });
    vec![Finding {
        rule: RULE.name,
        line: step.line,
        message,
        advice: match &context.ignore_file {
            Some(file) => format!("name it in {file}"),
            None => RULE.mend.to_owned(),
        },
        bytes: Bytes::Measured(bytes),
        mend,
        gauge: None,
    }]
}

fn is_all(source: &str) -> bool {
    matches!(source, "." | "./" | "/" | "*" | "./*" | "/." | "./.")
}
