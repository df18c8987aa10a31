//! `--html`: one page with everything in it.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Value, json};
use whit_core::explore::{Cause, Exploration, FileLine, Forest};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The page. It asks no other place for anything.
pub fn page(exploration: &Exploration) -> String {
    let data = in_script(&data(exploration).to_string());
    // Data comes last: what is put in is not looked at again.
    let (before, rest) = split(PAGE, "{{title}}");
    let (head, rest) = split(rest, "{{style}}");
    let (body, rest) = split(rest, "{{data}}");
    let (between, end) = split(rest, "{{script}}");
    let title = in_markup(&format!("{}: where the bytes went", exploration.image));
    [
        before, &title, head, STYLE, body, &data, between, SCRIPT, end,
    ]
    .concat()
}

fn split<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

fn in_markup(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// JSON that cannot end the element around it, whatever is in its strings
/// (HTML standard, "Restrictions for contents of script elements"). These
/// characters stand only in strings.
fn in_script(json: &str) -> String {
    json.replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

fn data(exploration: &Exploration) -> Value {
    let mut names = Names::default();
    let mut types = Names::default();
    let forest = Forest::grow(&exploration.files);
    let tree = folder(&forest, 0, &exploration.files, &mut names, &mut types);
    json!({
        "whit": env!("CARGO_PKG_VERSION"),
        "image": exploration.image,
        "platform": exploration.platform,
        "totals": exploration.totals,
        "before": exploration.before,
        "layers": exploration.layers,
        "packages": exploration.packages,
        "types": exploration.types,
        "wasted": exploration.wasted,
        "causes": Cause::ALL,
        "type_names": types.list,
        "strings": names.list,
        "tree": tree,
    })
}

/// Texts by number: many files share a reason or a package.
#[derive(Default)]
struct Names {
    list: Vec<String>,
    known: HashMap<String, usize>,
}

impl Names {
    fn number(&mut self, name: &str) -> usize {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let number = self.list.len();
        self.list.push(name.to_owned());
        self.known.insert(name.to_owned(), number);
        number
    }
}

fn folder(
    forest: &Forest,
    id: usize,
    files: &[FileLine],
    names: &mut Names,
    types: &mut Names,
) -> Value {
    let node = &forest.nodes[id];
    if let Some(line) = node.file.and_then(|file| files.get(file)) {
        return file(&node.name, line, names, types);
    }
    let children: Vec<Value> = node
        .children
        .iter()
        .map(|child| folder(forest, *child, files, names, types))
        .collect();
    json!([node.name, children])
}

/// A row whose columns are those that `page.js` names, cut after the last one
/// that says something.
fn file(name: &str, line: &FileLine, names: &mut Names, types: &mut Names) -> Value {
    let mut text = |text: &Option<String>| number(text.as_ref().map(|text| names.number(text)));
    let wasted = line.wasted.as_ref();
    let fate = line.fate.as_ref();
    let mut row = vec![
        json!(name),
        json!(line.bytes),
        // What the image has not needs nothing on the wire.
        number(line.wire.or(line.layer.is_none().then_some(0))),
        number(fate.map(|fate| fate.before)),
        number(
            line.file_type
                .map(|file_type| types.number(file_type.name())),
        ),
        number(line.layer),
        text(&line.package),
        number(
            wasted.and_then(|wasted| Cause::ALL.iter().position(|cause| *cause == wasted.cause)),
        ),
        number(wasted.map(|wasted| wasted.bytes)),
        number(wasted.and_then(|wasted| wasted.by)),
        number(fate.map(|fate| u8::from(fate.kept))),
        text(&fate.map(|fate| fate.why.clone())),
        text(&fate.and_then(|fate| fate.from.clone())),
        text(&line.link),
    ];
    while row.last().is_some_and(Value::is_null) {
        row.pop();
    }
    Value::Array(row)
}

fn number(value: Option<impl Serialize>) -> Value {
    value.map_or(Value::Null, |value| json!(value))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const EVIL: &str = "/srv/</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>";

    /// Elements of the page itself.
    fn count(page: &str, tag: &str) -> usize {
        page.to_lowercase().matches(tag).count()
    }

    #[test]
    fn names_cannot_leave_their_strings() {
        let mut exploration = sample();
        let harmless = page(&exploration);
        exploration.image = "\"><script>alert(3)</script>".to_owned();
        exploration.files[0].path = EVIL.to_owned();
        exploration.files[0].package = Some("</SCRIPT>\u{2028}&amp;".to_owned());
        exploration.layers[0].created_by =
            "RUN echo '</script>' <!-- {{script}} {{data}}".to_owned();
        let page = page(&exploration);
        for tag in ["<script", "</script", "<img", "<!--", "onerror=\""] {
            assert_eq!(count(&page, tag), count(&harmless, tag), "{tag}");
        }
        let (_, data) = page.split_once("id=\"data\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(
            data["layers"][0]["created_by"],
            exploration.layers[0].created_by
        );
        let mut here = &data["tree"];
        for (i, part) in EVIL.split('/').enumerate() {
            assert_eq!(here[0], part, "{i}");
            here = here[1].get(0).unwrap_or(&Value::Null);
        }
    }

    #[test]
    fn the_page_asks_nobody() {
        let page = page(&sample());
        assert!(page.contains("default-src 'none'"));
        for address in ["http://", "https://", "src=", "@import", "url(", "fetch("] {
            assert!(!page.contains(address), "{address}");
        }
        for mark in ["{{title}}", "{{style}}", "{{data}}", "{{script}}"] {
            assert!(!page.contains(mark), "{mark}");
        }
    }
}
