//! Paragraphs of `Name: value` fields (deb822(5)), as in control files,
//! `Release` and apt's sources.

/// The fields of one paragraph in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paragraph<'a> {
    fields: Vec<(&'a str, Vec<&'a str>)>,
}

impl<'a> Paragraph<'a> {
    /// The lines of a field's value without the space that begins each
    /// following one; names are compared as policy 5.1 wants it, without case.
    pub fn lines(&self, name: &str) -> &[&'a str] {
        self.fields
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map_or(&[], |(_, lines)| lines)
    }

    /// The first line of a field; `None` if there is no such field.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.lines(name).first().copied()
    }

    /// The words of all lines of a field.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.lines(name)
            .iter()
            .flat_map(|line| line.split_whitespace())
    }
}

/// The paragraphs of a text. Comment lines and lines that are no field are
/// passed over.
pub fn parse(text: &str) -> Vec<Paragraph<'_>> {
    let mut paragraphs = Vec::new();
    let mut current = Paragraph::default();
    for line in text.lines() {
        if line.trim().is_empty() {
            if !current.fields.is_empty() {
                paragraphs.push(std::mem::take(&mut current));
            }
        } else if line.starts_with('#') {
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, lines)) = current.fields.last_mut() {
                lines.push(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            current.fields.push((name.trim(), vec![value.trim()]));
        }
    }
    if !current.fields.is_empty() {
        paragraphs.push(current);
    }
    paragraphs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_fields_and_lines() {
        let text = "# one\nPackage: a\nDescription: short\n long\n .\n end\n\n\n\nnonsense\n \
                    package: b\nPackage: c\n";
        let found = parse(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].get("package"), Some("a"));
        assert_eq!(found[0].lines("Description"), ["short", "long", ".", "end"]);
        assert_eq!(found[1].get("Package"), Some("c"));
        assert_eq!(found[1].get("Description"), None);
    }

    #[test]
    fn a_comment_inside_a_value_does_not_end_it() {
        let found = parse("Suites: a\n# not this\n b\n");
        assert_eq!(found[0].words("Suites").collect::<Vec<_>>(), ["a", "b"]);
    }
}
