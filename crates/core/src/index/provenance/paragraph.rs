//! Paragraphs of `Field: value` lines (Debian policy 5.1; Python's metadata
//! and apk's database look alike).

/// The paragraphs of a text, blank lines between them left out.
pub fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(['\n', '\r']);
        if rest.is_empty() {
            return None;
        }
        let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
        let (paragraph, after) = rest.split_at(end);
        rest = after;
        Some(paragraph)
    })
}

/// The values of every field called `name`, continuation lines joined on.
/// Names are compared without regard to case.
pub fn fields<'a>(paragraph: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let mut lines = paragraph.lines().peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let Some((found, value)) = line.split_once(':') else {
                continue;
            };
            if !found.eq_ignore_ascii_case(name) {
                continue;
            }
            let mut value = value.trim().to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
                value.push('\n');
                value.push_str(more.trim());
            }
            return Some(value);
        }
    })
}

/// The value of the first field called `name`.
pub fn field(paragraph: &str, name: &str) -> Option<String> {
    fields(paragraph, name).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_paragraphs() {
        let text = "\nPackage: a\nDepends: b,\n c\n\n\nPackage: d\n";
        let found: Vec<_> = paragraphs(text).collect();
        assert_eq!(found, ["Package: a\nDepends: b,\n c\n", "Package: d\n"]);
        assert_eq!(field(found[0], "depends").unwrap(), "b,\nc");
        assert_eq!(field(found[0], "Version"), None);
        assert_eq!(field(" : x\n: y", "z"), None);
    }
}
