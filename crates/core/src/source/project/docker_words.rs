//! Words of a Dockerfile's instruction: quoting and variables.
//!
//! docs.docker.com, "Dockerfile reference", "Environment replacement".

use std::collections::BTreeMap;

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// Nested `${a:-${b:-...}}` deeper than this stay as they are written.
const MAX_DEPTH: u32 = 16;

/// Splits at white space outside of quotes. Quotes and escapes stay in.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', Some('"') | None) => {
                word.push(c);
                word.extend(chars.next());
            }
            (c, Some(open)) => {
                word.push(c);
                if c == open {
                    quote = None;
                }
            }
            (c @ ('"' | '\''), None) => {
                word.push(c);
                quote = Some(c);
            }
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, None) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Removes quotes and puts values in for `$NAME`, `${NAME}`, `${NAME:-word}`
/// and `${NAME:+word}`. An unknown variable is empty.
pub fn expand(word: &str, variables: &Variables) -> String {
    expand_at(word, variables, 0)
}

fn expand_at(word: &str, variables: &Variables, depth: u32) -> String {
    let mut out = String::new();
    let mut quote: Option<char> = None;
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match (c, quote) {
            ('\'', None) | ('"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('\\', None) => {
                let next = rest.chars().next();
                out.extend(next);
                rest = &rest[next.map_or(0, char::len_utf8)..];
            }
            ('\\', Some('"')) => match rest.chars().next() {
                // Inside double quotes only these are escaped.
                Some(next @ ('"' | '$' | '\\')) => {
                    out.push(next);
                    rest = &rest[1..];
                }
                _ => out.push('\\'),
            },
            ('$', None | Some('"')) if depth < MAX_DEPTH => {
                let (value, used) = variable(rest, variables, depth);
                out.push_str(&value);
                rest = &rest[used..];
            }
            (c, _) => out.push(c),
        }
    }
    out
}

/// The value of the variable whose name begins `text` (after the `$`), and
/// how many bytes of `text` it took.
fn variable(text: &str, variables: &Variables, depth: u32) -> (String, usize) {
    let name_end = |text: &str| {
        text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(text.len())
    };
    let Some(inner) = text.strip_prefix('{') else {
        let end = name_end(text);
        if end == 0 {
            return ("$".to_owned(), 0);
        }
        return (
            variables.get(&text[..end]).cloned().unwrap_or_default(),
            end,
        );
    };
    let Some(close) = closing(inner) else {
        return ("$".to_owned(), 0);
    };
    let body = &inner[..close];
    let used = close + 2;
    let (name, modifier) = body.split_at(name_end(body));
    let value = variables.get(name).filter(|value| !value.is_empty());
    let word = |at: usize| expand_at(&modifier[at..], variables, depth + 1);
    let found = if modifier.starts_with(":-") {
        value.cloned().unwrap_or_else(|| word(2))
    } else if modifier.starts_with('-') {
        variables.get(name).cloned().unwrap_or_else(|| word(1))
    } else if modifier.starts_with(":+") {
        value.map(|_| word(2)).unwrap_or_default()
    } else if modifier.starts_with('+') {
        variables.get(name).map(|_| word(1)).unwrap_or_default()
    } else {
        value.cloned().unwrap_or_default()
    };
    (found, used)
}

/// Where the brace that is already open closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(i),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The pairs of an `ENV`, `LABEL` or `ARG`: `A=1 B="x y"`, or the old form
/// `A some text`. A word without `=` (an `ARG` without default) has no value.
pub fn pairs(text: &str, variables: &Variables) -> Vec<(String, Option<String>)> {
    let words = split(text);
    match words.first() {
        Some(first) if !first.contains('=') && words.len() > 1 => {
            let name = expand(first, variables);
            let value = text.trim_start()[first.len()..].trim();
            vec![(name, Some(expand(value, variables)))]
        }
        _ => words
            .iter()
            .map(|word| match word.split_once('=') {
                Some((name, value)) => (expand(name, variables), Some(expand(value, variables))),
                None => (expand(word, variables), None),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacement() {
        let variables = Variables::from([
            ("A".to_owned(), "x".to_owned()),
            ("EMPTY".to_owned(), String::new()),
        ]);
        for (word, value) in [
            ("$A/b", "x/b"),
            ("${A}b", "xb"),
            ("$NONE", ""),
            ("${NONE:-d}", "d"),
            ("${EMPTY:-d}", "d"),
            ("${EMPTY-d}", ""),
            ("${A:+y}${NONE:+z}", "y"),
            ("${NONE:-${A}z}", "xz"),
            (r"\$A", "$A"),
            ("'$A'", "$A"),
            ("\"$A b\"", "x b"),
            (r#""a\nb""#, r"a\nb"),
            (r#""a\"b""#, "a\"b"),
            (r"a\ b", "a b"),
            ("${A", "${A"),
            ("$", "$"),
        ] {
            assert_eq!(expand(word, &variables), value, "{word}");
        }
    }

    #[test]
    fn both_forms_of_env() {
        let none = Variables::new();
        let value = |text: &str| pairs(text, &none);
        assert_eq!(
            value("A=1 B=\"x y\" C=a\\ b"),
            [
                ("A".into(), Some("1".into())),
                ("B".into(), Some("x y".into())),
                ("C".into(), Some("a b".into()))
            ]
        );
        assert_eq!(
            value("A some  text"),
            [("A".into(), Some("some  text".into()))]
        );
        assert_eq!(value("A"), [("A".into(), None)]);
    }
}
