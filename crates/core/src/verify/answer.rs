//! Answers to probes, compared.

use std::collections::BTreeSet;

use serde_json::Value;
use whit_sandbox::Exit;

use super::evidence::{diff, first_lines, printable};
use super::text::{outline, outlines, same_lines_in_any_order, same_text};
use super::{ANSWER, Evidence, ended, json};
use crate::observe::http::Response;
use crate::observe::{Answer, Kind, Observation, Output};

/// Headers that follow from the body, the clock or the connection. A static
/// file's `ETag` and `Last-Modified` follow from its time stamp, which a
/// reproducible image sets anew.
const UNHEARD: [&str; 6] = [
    "content-length",
    "date",
    "age",
    "expires",
    "etag",
    "last-modified",
];

/// Words of a log line that make a new line matter.
const ALARMS: [&str; 12] = [
    "error",
    "warn",
    "traceback",
    "exception",
    "fail",
    "fatal",
    "missing",
    "not found",
    "no such",
    "cannot",
    "no module",
    "unable",
];

/// Why an answer of the original proves nothing, if so.
pub(super) fn disqualifies(answer: &Answer) -> Option<String> {
    match answer {
        Answer::Failed(why) => Some(why.clone()),
        Answer::Http(response) if response.status >= 500 => Some(format!(
            "the original answers with status {}",
            response.status
        )),
        Answer::Script { exit, .. } if *exit != Exit::Code(0) => {
            Some(format!("on the original the test {}", ended(*exit)))
        }
        Answer::Exec(Output {
            exit: Some(exit @ Exit::Signal(_)),
            ..
        }) => Some(format!("on the original it {}", ended(*exit))),
        Answer::Exec(Output {
            exit: Some(Exit::Code(code @ (126 | 127))),
            ..
        }) => Some(format!(
            "on the original it ended with exit code {code}: it cannot be run"
        )),
        _ => None,
    }
}

/// The differences between an answer and those of the original.
pub(super) fn compare(probe: &str, originals: &[&Answer], small: &Answer) -> Vec<Evidence> {
    let case = Case { probe };
    match small {
        Answer::Failed(why) => vec![case.differs(ANSWER, "one", why, String::new())],
        Answer::Http(response) => {
            let before: Vec<&Response> = originals
                .iter()
                .filter_map(|answer| match answer {
                    Answer::Http(response) => Some(response),
                    _ => None,
                })
                .collect();
            case.responses(&before, response)
        }
        Answer::Exec(output) => {
            let before: Vec<&Output> = originals
                .iter()
                .filter_map(|answer| match answer {
                    Answer::Exec(output) => Some(output),
                    _ => None,
                })
                .collect();
            case.outputs(&before, output)
        }
        Answer::Script { exit, .. } if *exit == Exit::Code(0) => Vec::new(),
        Answer::Script { exit, output } => {
            let shown = diff("", &String::from_utf8_lossy(output));
            vec![case.differs("exit", "ended with exit code 0", &ended(*exit), shown)]
        }
    }
}

/// What the image's own command wrote, and how it ended where it ended by
/// itself.
pub(super) fn compare_own(originals: &[Observation], small: &Observation) -> Vec<Evidence> {
    let before: Vec<&Output> = originals.iter().map(|run| &run.own).collect();
    let both =
        |kind: fn(&Kind) -> bool| originals.iter().all(|run| kind(&run.kind)) && kind(&small.kind);
    if both(|kind| *kind == Kind::Command) {
        let case = Case {
            probe: "the image's command",
        };
        return case.outputs(&before, &small.own);
    }
    if both(|kind| matches!(kind, Kind::Service { .. } | Kind::Worker)) {
        let case = Case { probe: "log" };
        let mut found = Vec::from_iter(case.exits(&before, &small.own));
        found.extend(case.logs(&before, &small.own));
        return found;
    }
    Vec::new()
}

/// A probe whose answers are compared.
struct Case<'a> {
    probe: &'a str,
}

impl Case<'_> {
    fn differs(&self, what: &str, expected: &str, got: &str, diff: String) -> Evidence {
        Evidence {
            probe: self.probe.to_owned(),
            what: what.to_owned(),
            expected: printable(expected, 300),
            got: printable(got, 300),
            diff,
        }
    }

    /// Two texts that differ, by their first lines that do.
    fn texts(&self, what: &str, original: &str, small: &str) -> Evidence {
        let quoted = |line: &str| match line {
            "" => "nothing there".to_owned(),
            line => format!("{line:?}"),
        };
        let (expected, got) = first_lines(original, small);
        self.differs(what, &quoted(expected), &quoted(got), diff(original, small))
    }

    fn responses(&self, originals: &[&Response], small: &Response) -> Vec<Evidence> {
        let Some(first) = originals.first() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if !originals
            .iter()
            .any(|response| response.status == small.status)
        {
            let (expected, got) = (first.status.to_string(), small.status.to_string());
            let shown = diff(&lossy(&first.body), &lossy(&small.body));
            // Another status explains another body.
            return vec![self.differs("status", &expected, &got, shown)];
        }
        found.extend(self.headers(originals, small));
        let before: Vec<&[u8]> = originals.iter().map(|r| r.body.as_slice()).collect();
        found.extend(self.bytes("body", &before, &small.body));
        found
    }

    fn headers(&self, originals: &[&Response], small: &Response) -> Vec<Evidence> {
        let names = |response: &Response| -> BTreeSet<String> {
            response
                .headers
                .iter()
                .map(|(name, _)| name.clone())
                .collect()
        };
        let values = |response: &Response, name: &str| -> String {
            let all = response.headers.iter().filter(|(known, _)| known == name);
            all.map(|(_, value)| value.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let seen = names(small);
        let before: Vec<BTreeSet<String>> = originals.iter().map(|r| names(r)).collect();
        let all: BTreeSet<&String> = before.iter().flatten().chain(&seen).collect();
        let mut found = Vec::new();
        for name in all {
            let had = before.iter().filter(|names| names.contains(name)).count();
            let what = format!("header {name}");
            let first = values(originals[0], name);
            match (had, seen.contains(name)) {
                (0, true) => {
                    found.push(self.differs(&what, "none", &values(small, name), String::new()));
                }
                (had, false) if had == originals.len() && !UNHEARD.contains(&name.as_str()) => {
                    found.push(self.differs(&what, &first, "none", String::new()));
                }
                (_, false) => {}
                (_, true) => {
                    let before: Vec<String> = originals.iter().map(|r| values(r, name)).collect();
                    let before: Vec<&str> = before.iter().map(String::as_str).collect();
                    let value = values(small, name);
                    if !UNHEARD.contains(&name.as_str()) && !same_text(&before, &value) {
                        found.push(self.differs(&what, &first, &value, String::new()));
                    }
                }
            }
        }
        found
    }

    fn outputs(&self, originals: &[&Output], small: &Output) -> Vec<Evidence> {
        let mut found = Vec::from_iter(self.exits(originals, small));
        let before: Vec<&[u8]> = originals.iter().map(|o| o.stdout.as_slice()).collect();
        found.extend(self.bytes("output", &before, &small.stdout));
        let errors: Vec<String> = originals.iter().map(|o| lossy(&o.stderr)).collect();
        let errors: Vec<&str> = errors.iter().map(String::as_str).collect();
        let seen = lossy(&small.stderr);
        if !same_text(&errors, &seen) && !same_lines_in_any_order(&errors, &seen) {
            found.push(self.texts("errors", errors.first().unwrap_or(&""), &seen));
        }
        found
    }

    fn exits(&self, originals: &[&Output], small: &Output) -> Option<Evidence> {
        if originals.iter().any(|output| output.exit == small.exit) {
            return None;
        }
        let told = |exit: Option<Exit>| exit.map_or("it kept running".to_owned(), ended);
        let expected = told(originals.first().and_then(|output| output.exit));
        let shown = diff("", &lossy(&small.stderr));
        Some(self.differs("exit", &expected, &told(small.exit), shown))
    }

    /// JSON, text or bytes.
    fn bytes(&self, what: &str, originals: &[&[u8]], small: &[u8]) -> Option<Evidence> {
        if originals.contains(&small) {
            return None;
        }
        let first = originals.first()?;
        let parsed = |bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes)
                .ok()
                .filter(|v| v.is_object() || v.is_array())
        };
        if let (Some(before), Some(seen)) = (
            originals
                .iter()
                .map(|bytes| parsed(bytes))
                .collect::<Option<Vec<Value>>>(),
            parsed(small),
        ) {
            let before: Vec<&Value> = before.iter().collect();
            let mismatch = json::compare(&before, &seen).err()?;
            let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default();
            let what = match mismatch.pointer.as_str() {
                "" => what.to_owned(),
                pointer => format!("{what} at {}", printable(pointer, 100)),
            };
            let shown = diff(&pretty(before[0]), &pretty(&seen));
            return Some(self.differs(&what, &mismatch.expected, &mismatch.got, shown));
        }
        let texts: Result<Vec<&str>, _> = originals
            .iter()
            .map(|bytes| std::str::from_utf8(bytes))
            .collect();
        match (texts, std::str::from_utf8(small)) {
            (Ok(before), Ok(seen)) => {
                if same_text(&before, seen) {
                    return None;
                }
                Some(self.texts(what, before[0], seen))
            }
            _ if changing_bytes(originals, small) => None,
            _ => Some(self.differs(what, &size(first), &size(small), String::new())),
        }
    }

    /// The log of a service. Its lines come in any order and number, so only
    /// two things count: what every run of the original says must be said, and
    /// a new line must not sound like trouble.
    fn logs(&self, originals: &[&Output], small: &Output) -> Option<Evidence> {
        if small.truncated || originals.iter().any(|output| output.truncated) {
            return None;
        }
        let text =
            |output: &Output| format!("{}\n{}", lossy(&output.stdout), lossy(&output.stderr));
        let texts: Vec<String> = originals.iter().map(|output| text(output)).collect();
        let before: Vec<BTreeSet<String>> = texts
            .iter()
            .map(|text| outlines(text).into_keys().collect())
            .collect();
        let small = text(small);
        let seen: BTreeSet<String> = outlines(&small).into_keys().collect();
        let first = before.first()?;
        let lost = first
            .iter()
            .find(|line| before.iter().all(|o| o.contains(*line)) && !seen.contains(*line));
        let alarming = |line: &str| {
            let line = line.to_lowercase();
            ALARMS.iter().any(|word| line.contains(word))
        };
        let new = seen
            .iter()
            .find(|line| alarming(line) && !before.iter().any(|o| o.contains(*line)));
        let written = |text: &str, shape: &String| {
            let found = text.lines().find(|line| outline(line.trim_end()) == *shape);
            found.unwrap_or(shape).to_owned()
        };
        let shown = || diff(&texts[0], &small);
        match (lost, new) {
            (_, Some(line)) => {
                Some(self.differs("line", "none like it", &written(&small, line), shown()))
            }
            (Some(line), None) => {
                Some(self.differs("line", &written(&texts[0], line), "none like it", shown()))
            }
            (None, None) => None,
        }
    }
}

/// Bytes that change from run to run: about as many of them.
fn changing_bytes(originals: &[&[u8]], small: &[u8]) -> bool {
    let changes = originals.iter().any(|bytes| *bytes != originals[0]);
    let least = originals.iter().map(|bytes| bytes.len()).min().unwrap_or(0);
    let most = originals.iter().map(|bytes| bytes.len()).max().unwrap_or(0);
    changes && (least / 2..=most.saturating_mul(2)).contains(&small.len())
}

fn size(bytes: &[u8]) -> String {
    format!("{} bytes", bytes.len())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
