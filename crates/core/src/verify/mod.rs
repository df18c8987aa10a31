//! The judge.
pub(crate) fn printable(line: &str, max: usize) -> String {
    line.chars().take(max).collect()
}
