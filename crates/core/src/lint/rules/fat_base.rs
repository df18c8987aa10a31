//! A base image whose slim brother does the same.

use super::Rule;
use super::multi_stage::compiles;
use crate::lint::dockerfile::{Run, Stage};
use crate::lint::finding::{Bytes, Edit, Finding, Mend};
use crate::lint::packages::installs;
use crate::lint::{Case, costs};

pub const RULE: Rule = Rule {
    name: "fat-base",
    cost: "for the languages' images about 730 MB of compilers and headers",
    why: "the base holds what building needs, and there is a smaller one of the same libraries",
    mend: "the base's -slim or -jre tag",
    check,
};

/// Official images with `-slim` tags, by what is fat about them. The order of
/// the words in the tag differs: `3.12-slim-bookworm`, `20-bookworm-slim`.
const SLIM: [(&str, Order); 7] = [
    ("python", Order::SlimFirst),
    ("ruby", Order::SlimFirst),
    ("node", Order::SlimLast),
    ("perl", Order::SlimFirst),
    ("elixir", Order::SlimLast),
    ("erlang", Order::SlimLast),
    ("debian", Order::SlimLast),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    SlimFirst,
    SlimLast,
}

const DISTRIBUTIONS: [&str; 6] = ["trixie", "bookworm", "bullseye", "buster", "stretch", "sid"];

/// Programs that the fat images have and the slim ones lack.
const LACKING: [&str; 13] = [
    "gcc", "g++", "cc", "make", "git", "hg", "svn", "curl", "wget", "unzip", "patch", "file",
    "convert",
];

fn check(case: &Case<'_>) -> Vec<Finding> {
    let Some(stage) = case.file.bottom() else {
        return Vec::new();
    };
    // An image that compiles in its last stage needs that first; a slim base
    // would break it.
    if case.is_for_development() || case.commands().any(|(_, _, c)| compiles(c).is_some()) {
        return Vec::new();
    }
    let Some((name, tag)) = official(&stage.base) else {
        return Vec::new();
    };
    if stage.base.contains('@') {
        // The digest names bytes; another tag would name others.
        return slim(case, stage, name, tag, None).into_iter().collect();
    }
    let edit = |words: &str, to: String| {
        let place = stage.base_place.clone();
        let raw = case.text.get(place.clone())?;
        // Only where the tag is written out, or the variable is its beginning.
        raw.ends_with(words).then(|| Edit {
            place: place.end - words.len()..place.end,
            text: to,
        })
    };
    if name == "eclipse-temurin" {
        return temurin(case, stage, tag, edit).into_iter().collect();
    }
    let Some((_, order)) = SLIM.iter().find(|(known, _)| *known == name) else {
        return Vec::new();
    };
    let distribution = DISTRIBUTIONS
        .iter()
        .find(|known| tag.split('-').any(|part| part == **known));
    let edit = match (tag, distribution) {
        ("", _) => edit(name, format!("{name}:slim")),
        ("latest", _) => edit("latest", "slim".to_owned()),
        (_, Some(distribution)) if *order == Order::SlimFirst && tag != *distribution => {
            edit(distribution, format!("slim-{distribution}"))
        }
        _ => edit("", "-slim".to_owned()),
    };
    slim(case, stage, name, tag, edit).into_iter().collect()
}

/// True if the base brings compilers and headers already: then the tables,
/// which begin at a minimal system, say nothing about what more of them costs.
pub fn has_build_tools(case: &Case<'_>) -> bool {
    let base = case.file.bottom().and_then(|stage| official(&stage.base));
    base.is_some_and(|(name, tag)| {
        let known = name == "buildpack-deps" || SLIM.iter().any(|(known, _)| *known == name);
        known && name != "debian" && !is_small(tag)
    })
}

fn is_small(tag: &str) -> bool {
    const SMALL: [&str; 6] = [
        "slim",
        "alpine",
        "windowsservercore",
        "nanoserver",
        "experimental",
        "rc",
    ];
    tag.split(['-', '.'])
        .any(|part| SMALL.iter().any(|word| part.starts_with(word)))
}

fn slim(
    case: &Case<'_>,
    stage: &Stage,
    name: &str,
    tag: &str,
    edit: Option<Edit>,
) -> Option<Finding> {
    let known = SLIM.iter().any(|(known, _)| *known == name);
    if !known || is_small(tag) {
        return None;
    }
    let bytes = match name {
        "debian" => Bytes::Unknown,
        _ => Bytes::About(costs::BUILDPACK),
    };
    let missing = if name == "debian" {
        None
    } else {
        lacking(case)
    };
    let advice = match &missing {
        Some(program) => format!(
            "the -slim tag of {name}, and install {program} where it is used (it is not in -slim)"
        ),
        None => format!("the -slim tag of {name}"),
    };
    let what = match name {
        "debian" => "brings documentation and translations",
        _ => "brings compilers and headers that nothing here uses",
    };
    Some(Finding {
        rule: RULE.name,
        line: stage.line,
        message: format!("{} {what}", stage.base),
        advice,
        bytes,
        mend: edit
            .filter(|_| missing.is_none())
            .map(|edit| Mend::wants_a_look(vec![edit])),
        gauge: None,
    })
}

/// A JDK that only runs what is there.
fn temurin(
    case: &Case<'_>,
    stage: &Stage,
    tag: &str,
    edit: impl Fn(&str, String) -> Option<Edit>,
) -> Option<Finding> {
    let needs_jdk = case.commands().any(|(_, _, command)| {
        command.is(&["jlink", "jar", "keytool", "jdeps", "jcmd"]) || command.program == "jpackage"
    });
    let parts: Vec<&str> = tag.split('-').collect();
    if parts.contains(&"jre") || needs_jdk {
        return None;
    }
    let edit = match parts.iter().position(|part| *part == "jdk") {
        Some(at) => {
            let rest = parts[at + 1..].iter().map(|part| format!("-{part}"));
            let rest: String = rest.collect();
            edit(&format!("-jdk{rest}"), format!("-jre{rest}"))
        }
        None if parts.len() == 1 && parts[0].chars().all(|c| c.is_ascii_digit()) => {
            edit("", "-jre".to_owned())
        }
        None => None,
    };
    Some(Finding {
        rule: RULE.name,
        line: stage.line,
        message: format!(
            "{} brings a compiler, and nothing here compiles",
            stage.base
        ),
        advice: "the -jre tag of eclipse-temurin".to_owned(),
        bytes: Bytes::Unknown,
        mend: edit.map(|edit| Mend::wants_a_look(vec![edit])),
        gauge: None,
    })
}

/// Name and tag of an official image; an image of somebody else may have
/// the same name and no such tags.
fn official(base: &str) -> Option<(&str, &str)> {
    let plain = base.split('@').next().unwrap_or_default();
    let (path, tag) = match plain.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, tag),
        _ => (plain, ""),
    };
    let name = path.rsplit('/').next()?;
    let before = path.strip_suffix(name)?.trim_end_matches('/');
    let ours = [
        "",
        "library",
        "docker.io",
        "docker.io/library",
        "index.docker.io/library",
    ];
    (ours.contains(&before) || before.ends_with("docker/library")).then_some((name, tag))
}

/// A program that a step uses, that the slim image lacks, and that nothing
/// installs.
fn lacking(case: &Case<'_>) -> Option<String> {
    let used = |run: &Run, name: &str| run.script.commands.iter().any(|c| c.program == name);
    let installed = |name: &str| {
        case.file.final_runs().any(|(_, step, run)| {
            let found = run
                .script
                .commands
                .iter()
                .filter_map(|command| installs(command, step));
            found.flat_map(|installs| installs.packages).any(|package| {
                package == name || package == "build-essential" && LACKING[..4].contains(&name)
            })
        })
    };
    LACKING
        .iter()
        .find(|name| case.file.final_runs().any(|(_, _, run)| used(run, name)) && !installed(name))
        .map(|name| (*name).to_owned())
}
