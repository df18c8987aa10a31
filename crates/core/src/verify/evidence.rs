//! A difference, told so that a person sees it at once.

use std::fmt;

use super::align::pairs;
use super::text::same_line;

/// Most lines of a rendered difference.
const MAX_LINES: usize = 20;
/// Most lines that are read of a text.
const MAX_READ: usize = 20_000;
/// Most characters of one of its lines.
const MAX_WIDTH: usize = 160;
/// Unchanged lines before the first difference.
const CONTEXT: usize = 2;

/// One thing that the small image does differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The probe as the user would write it, or `start` or `stop`.
    pub probe: String,
    /// What about it: `status`, `body`, `header x`, `exit`, `output` ...
    pub what: String,
    pub expected: String,
    pub got: String,
    /// The first lines that differ, `-` from the original and `+` from the
    /// small image; empty where `expected` and `got` tell everything.
    pub diff: String,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}: expected {}, got {}",
            self.probe, self.what, self.expected, self.got
        )?;
        for line in self.diff.lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

/// The first differing lines of two texts with a little before them. Texts
/// come from an image: what a terminal would obey is escaped.
pub(super) fn diff(original: &str, small: &str) -> String {
    let rows = rows(original, small);
    let Some(first) = rows.iter().position(|(mark, _)| *mark != ' ') else {
        return String::new();
    };
    let from = first.saturating_sub(CONTEXT);
    let shown = &rows[from..rows.len().min(from + MAX_LINES - 1)];
    let mut text: Vec<String> = shown
        .iter()
        .map(|(mark, line)| format!("{mark} {}", printable(line, MAX_WIDTH)))
        .collect();
    let left = rows.len() - from - shown.len();
    if left > 0 {
        text.push(format!("... {left} more lines"));
    }
    text.join("\n")
}

/// The first line that differs, of the original and of the small image; empty
/// where one of them has nothing there.
pub(super) fn first_lines<'a>(original: &'a str, small: &'a str) -> (&'a str, &'a str) {
    let rows = rows(original, small);
    let changed = rows.iter().skip_while(|(mark, _)| *mark == ' ');
    let changed: Vec<_> = changed.take_while(|(mark, _)| *mark != ' ').collect();
    let line = |wanted: char| {
        let found = changed.iter().find(|(mark, _)| *mark == wanted);
        found.map_or("", |(_, line)| *line)
    };
    (line('-'), line('+'))
}

/// All lines of both, marked.
fn rows<'a>(original: &'a str, small: &'a str) -> Vec<(char, &'a str)> {
    let old: Vec<&str> = original.lines().take(MAX_READ).collect();
    let new: Vec<&str> = small.lines().take(MAX_READ).collect();
    let partners = pairs(&old, &new, |a, b| same_line(a, b));
    let mut rows: Vec<(char, &str)> = Vec::new();
    let mut at = 0;
    for (line, partner) in old.iter().zip(&partners) {
        match partner {
            Some(partner) => {
                rows.extend(new[at..*partner].iter().map(|line| ('+', *line)));
                rows.push((' ', line));
                at = partner + 1;
            }
            None => rows.push(('-', line)),
        }
    }
    rows.extend(new[at..].iter().map(|line| ('+', *line)));
    rows
}

/// At most `max` characters of a text, with control characters escaped. The
/// middle is left out: a traceback in one line of JSON ends with the error.
pub(crate) fn printable(text: &str, max: usize) -> String {
    let count = text.chars().count();
    let left_out = max.div_ceil(2)..count.saturating_sub(max / 2);
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if left_out.contains(&at) {
            if at == left_out.start {
                shown.push_str("...");
            }
        } else if c.is_control() && c != '\t' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_with_its_surroundings() {
        let original = "a\nb\nc\nd\ne\n";
        let small = "a\nb\nc\nD\ne\nf\n";
        assert_eq!(diff(original, small), "  b\n  c\n- d\n+ D\n  e\n+ f");
        assert_eq!(diff(original, original), "");
    }

    #[test]
    fn long_differences_are_cut() {
        let many: String = (0..100).map(|i| format!("{i}\n")).collect();
        let shown = diff("", &many);
        assert_eq!(shown.lines().count(), MAX_LINES);
        assert!(shown.ends_with("... 81 more lines"), "{shown}");
        let wide = diff("", &"x".repeat(1000));
        assert_eq!(wide.chars().count(), 2 + MAX_WIDTH + 3);
        assert_eq!(printable("first, second, last", 9), "first...last");
    }

    #[test]
    fn terminals_are_not_driven() {
        assert_eq!(printable("\u{1b}[31mred\r", 99), "\\u{1b}[31mred\\r");
    }
}
