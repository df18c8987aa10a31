//! `apt-get install` without `--no-install-recommends`.

use super::fat_base::has_build_tools;
use super::{Rule, list};
use crate::lint::finding::{Bytes, Finding, Mend};
use crate::lint::packages::{Manager, installs};
use crate::lint::{Case, costs};

pub const RULE: Rule = Rule {
    name: "apt-recommends",
    cost: "packages that nobody asked for, from nothing to several 100 MB",
    why: "apt installs what a package recommends, documentation and editors' plugins among it",
    mend: "apt-get install --no-install-recommends, and name what is needed after all",
    check,
};

fn check(case: &Case<'_>) -> Vec<Finding> {
    let in_base = has_build_tools(case);
    let mut found = Vec::new();
    let mut off = false;
    for (_, step, run) in case.file.final_runs() {
        // `APT::Install-Recommends "false";` in apt's configuration.
        off |= run.script.text.contains("Install-Recommends")
            && !run.script.text.contains("--no-install-recommends");
        if off {
            continue;
        }
        let mut edits = Vec::new();
        let mut packages = Vec::new();
        let mut editable = true;
        for command in &run.script.commands {
            let Some(installs) = installs(command, step) else {
                continue;
            };
            let lean = command.has(&["--no-install-recommends", "--without-recommends", "-R"])
                || command
                    .args
                    .iter()
                    .any(|arg| arg.contains("Install-Recommends"))
                || command.has(&["--download-only", "-d", "--reinstall"]);
            if installs.manager != Manager::Apt || lean || installs.packages.is_empty() {
                continue;
            }
            // What recommends nothing costs nothing.
            let known = installs.packages.iter().map(|name| costs::apt(name));
            if known
                .clone()
                .all(|cost| cost.is_some_and(|cost| cost.recommends == 0))
            {
                continue;
            }
            // Without its recommendations nothing brings the certificates,
            // and TLS ends in an error.
            let tls = ["curl", "wget", "git"];
            let fetches = installs
                .packages
                .iter()
                .any(|name| tls.contains(&name.as_str()));
            let certified = run.script.text.contains("ca-certificates");
            let flag = "--no-install-recommends";
            let last = command.args.len() - 1;
            match command.insert_after(installs.verb, flag) {
                Some(edit) => edits.push(edit),
                None => editable = false,
            }
            if fetches && !certified {
                edits.extend(command.insert_after(last, "ca-certificates"));
            }
            packages.extend(installs.packages);
        }
        if packages.is_empty() {
            continue;
        }
        found.push(Finding {
            rule: RULE.name,
            line: step.line,
            message: match &packages[..] {
                [name] => format!("apt also installs what {name} recommends"),
                names => format!("apt also installs what {} recommend", list(names)),
            },
            advice: RULE.mend.to_owned(),
            bytes: if in_base {
                Bytes::Unknown
            } else {
                bytes(&packages)
            },
            mend: editable.then(|| Mend::wants_a_look(edits)),
            gauge: None,
        });
    }
    found
}

/// Packages share what they recommend, so that the largest is the estimate.
fn bytes(packages: &[String]) -> Bytes {
    let costs = packages.iter().filter_map(|name| costs::apt(name));
    match costs.map(|cost| cost.recommends).max() {
        None | Some(0) => Bytes::Unknown,
        Some(bytes) => Bytes::About(bytes),
    }
}
