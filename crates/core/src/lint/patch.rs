//! Mends as text: the mended file, and the difference as a unified diff.

use super::finding::{Edit, Finding};

/// The text with the edits of these findings, as many as fit together; and
/// which of the findings were mended.
pub fn fixed<'f>(text: &str, findings: impl Iterator<Item = &'f Finding>) -> (String, Vec<usize>) {
    let body = super::without_mark(text);
    let mark = &text[..text.len() - body.len()];
    let mut chosen: Vec<Edit> = Vec::new();
    let mut mended = Vec::new();
    for (at, finding) in findings.enumerate() {
        let Some(mend) = &finding.mend else { continue };
        // Two rules may ask for the same edit.
        let fresh = mend.edits.iter().filter(|edit| !chosen.contains(edit));
        let fresh: Vec<Edit> = fresh.cloned().collect();
        if fresh
            .iter()
            .any(|edit| chosen.iter().any(|other| overlap(edit, other)))
        {
            continue;
        }
        chosen.extend(fresh);
        mended.push(at);
    }
    // Stable: insertions at one place stay in the order of the rules.
    chosen.sort_by_key(|edit| (edit.place.start, edit.place.end));
    let mut out = String::from(mark);
    let mut at = 0;
    for edit in chosen {
        out.push_str(&body[at..edit.place.start]);
        out.push_str(&edit.text);
        at = edit.place.end;
    }
    out.push_str(&body[at..]);
    (out, mended)
}

/// Insertions at one place go together; anything else must not touch.
fn overlap(a: &Edit, b: &Edit) -> bool {
    let insertion = |edit: &Edit| edit.place.is_empty();
    match (insertion(a), insertion(b)) {
        (true, true) => false,
        _ => {
            a.place.start < b.place.end.max(b.place.start + 1)
                && b.place.start < a.place.end.max(a.place.start + 1)
        }
    }
}

/// The unified diff of a finding's mend; empty if it has none.
pub fn patch(text: &str, name: &str, finding: &Finding) -> String {
    let Some(mend) = &finding.mend else {
        return String::new();
    };
    // `patch -p1` takes no absolute paths.
    let name = name.trim_start_matches('/');
    let mut patch = String::new();
    if !mend.edits.is_empty() {
        let (after, _) = fixed(text, std::iter::once(finding));
        patch.push_str(&diff(
            text,
            &after,
            (&format!("a/{name}"), &format!("b/{name}")),
        ));
    }
    if let Some((file, content)) = &mend.new_file {
        let beside = match name.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{file}"),
            None => file.clone(),
        };
        patch.push_str(&diff("", content, ("/dev/null", &format!("b/{beside}"))));
    }
    patch
}

fn diff(before: &str, after: &str, names: (&str, &str)) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(1)
        .header(names.0, names.1)
        .to_string()
}
