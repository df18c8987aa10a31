//! Tables in GitHub's Markdown, with names that nobody vouches for.

use std::fmt::Write;

/// A table; columns after the first one are numbers where `right` says so.
pub struct Table {
    text: String,
}

impl Table {
    pub fn new(header: &[&str], right: &[bool]) -> Self {
        let mut table = Self {
            text: String::new(),
        };
        table.row(header);
        let rules = right.iter().map(|right| if *right { "--:" } else { "---" });
        table.row(rules);
        table
    }

    /// Adds a row of cells that are Markdown already.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.text.push('|');
        for cell in cells {
            // Writing to a string cannot fail.
            let _ = write!(self.text, " {} |", cell.as_ref());
        }
        self.text.push('\n');
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// A part that opens at a click.
pub fn folded(summary: &str, content: &str) -> String {
    format!("<details><summary>{summary}</summary>\n\n{content}\n</details>\n")
}

/// A name or a value as code, whatever is in it.
pub fn code(text: &str) -> String {
    format!("<code>{}</code>", plain(text))
}

/// A text that stays text, whatever is in it.
pub fn plain(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            // Everything that Markdown could take for its own.
            c if c.is_ascii_punctuation() && !matches!(c, '/' | '.' | '-' | ',') => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_cells() {
        assert_eq!(
            code("a|b`<script>*\n"),
            "<code>a&#124;b&#96;&lt;script&gt;&#42;\u{fffd}</code>"
        );
        let mut table = Table::new(&["a", "b"], &[false, true]);
        table.row(["1", "2"]);
        assert_eq!(table.finish(), "| a | b |\n| --- | --: |\n| 1 | 2 |\n");
    }
}
