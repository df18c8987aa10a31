//! Text from images on a terminal.

/// `text` without anything that a terminal would obey: an image may call its
/// files and packages whatever it likes.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys() {
        assert_eq!(
            printable("a\x1b[31mé\n\u{9b}"),
            "a\u{fffd}[31mé\u{fffd}\u{fffd}"
        );
    }
}
