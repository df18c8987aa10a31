//! Texts compared by shape.
//!
//! What is the same in every run of the original must be the same in the small
//! image; what changes from run to run must only stay of its kind. Lines are
//! aligned first, then the tokens of lines that change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::align::{locate, segments};
use super::token::{Token, fits, is_another, tokens};
use super::{sets, traceback};

/// Texts beyond this many bytes are compared as wholes.
const MAX_ALIGNED: usize = 4 << 20;

/// True if `small` says what the originals say.
pub(super) fn same_text(originals: &[&str], small: &str) -> bool {
    if originals.contains(&small) {
        return true;
    }
    if small.len() > MAX_ALIGNED || originals.iter().any(|text| text.len() > MAX_ALIGNED) {
        return false;
    }
    let originals: Vec<String> = originals
        .iter()
        .map(|text| traceback::normal(text))
        .collect();
    let small = traceback::normal(small);
    let originals: Vec<Vec<Line<'_>>> = originals.iter().map(|text| lines(text)).collect();
    let originals: Vec<&[Line<'_>]> = originals.iter().map(Vec::as_slice).collect();
    same_lines(&originals, &lines(&small))
}

/// True if the lines of `small` are those of the originals, whatever their
/// order: programs with several threads write to their standard error in any.
pub(super) fn same_lines_in_any_order(originals: &[&str], small: &str) -> bool {
    let small = outlines(small);
    let originals: Vec<BTreeMap<String, usize>> =
        originals.iter().map(|text| outlines(text)).collect();
    // As often as in one of the originals, or in between.
    let all: BTreeSet<&String> = originals
        .iter()
        .chain([&small])
        .flat_map(|o| o.keys())
        .collect();
    all.into_iter().all(|line| {
        let count = |o: &BTreeMap<String, usize>| o.get(line).copied().unwrap_or(0);
        let seen = count(&small);
        let least = originals.iter().map(count).min().unwrap_or(0);
        let most = originals.iter().map(count).max().unwrap_or(0);
        (least..=most).contains(&seen)
    })
}

/// Lines reduced to what does not change by itself, and how often each occurs.
pub(super) fn outlines(text: &str) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in traceback::normal(text).lines() {
        let shape = outline(line.trim_end());
        if !shape.trim().is_empty() {
            *found.entry(shape).or_insert(0) += 1;
        }
    }
    found
}

/// A text with values, clocks and gaps replaced by their kinds.
pub(super) fn outline(text: &str) -> String {
    tokens(text).iter().map(Token::shape).collect()
}

/// A line and its tokens.
struct Line<'a> {
    text: &'a str,
    tokens: Vec<Token<'a>>,
    /// The tokens' outlines: two lines that are the same have the same one.
    outline: String,
}

fn lines(text: &str) -> Vec<Line<'_>> {
    text.split('\n')
        .map(|text| {
            let tokens = tokens(text);
            Line {
                text,
                outline: tokens.iter().map(Token::outline).collect(),
                tokens,
            }
        })
        .collect()
}

fn owned(token: &Token<'_>) -> String {
    token.text.to_owned()
}

fn shape(token: &Token<'_>) -> String {
    token.shape().to_owned()
}

impl Line<'_> {
    fn owned(&self) -> String {
        self.text.to_owned()
    }

    fn shape(&self) -> String {
        self.tokens.iter().map(Token::shape).collect()
    }

    fn same(&self, other: &Line<'_>) -> bool {
        self.text == other.text
            || self.outline == other.outline
                && self.tokens.len() == other.tokens.len()
                && self
                    .tokens
                    .iter()
                    .zip(&other.tokens)
                    .all(|(a, b)| a.same(b))
    }
}

fn same_lines(originals: &[&[Line<'_>]], small: &[Line<'_>]) -> bool {
    let base = originals[0];
    if let Some(verdict) = rearranged(originals, small, Line::owned, Line::shape) {
        return verdict;
    }
    if lines_by_position(originals, small) {
        return true;
    }
    let segments = segments(originals, |a, b| a.same(b));
    let Ok(ranges) = locate(&segments, base, small, |a, b| a.same(b)) else {
        return false;
    };
    segments.iter().zip(&ranges).all(|(segment, range)| {
        let parts: Vec<&[Line<'_>]> = originals
            .iter()
            .zip(&segment.ranges)
            .map(|(original, range)| &original[range.clone()])
            .collect();
        segment.stable || changing_lines(&parts, &small[range.clone()])
    })
}

/// The quick and usual case: line by line.
fn lines_by_position(originals: &[&[Line<'_>]], small: &[Line<'_>]) -> bool {
    originals
        .iter()
        .all(|original| original.len() == small.len())
        && small.iter().enumerate().all(|(at, line)| {
            let parts: Vec<&[Token<'_>]> =
                originals.iter().map(|o| o[at].tokens.as_slice()).collect();
            same_tokens(&parts, &line.tokens)
        })
}

/// Lines that the originals do not have in common.
fn changing_lines(originals: &[&[Line<'_>]], small: &[Line<'_>]) -> bool {
    if let Some(verdict) = rearranged(originals, small, Line::owned, Line::shape) {
        return verdict;
    }
    if lines_by_position(originals, small) {
        return true;
    }
    if originals.iter().all(|o| o.len() == originals[0].len()) {
        return false;
    }
    // Even their number changes: each line must be of a shape that an original
    // has there.
    let known: BTreeSet<String> = originals
        .iter()
        .copied()
        .flatten()
        .map(Line::shape)
        .collect();
    small
        .iter()
        .map(Line::shape)
        .all(|line| known.contains(&line))
        && plausible(originals, small.len())
}

/// The tokens of one line.
fn same_tokens(originals: &[&[Token<'_>]], small: &[Token<'_>]) -> bool {
    if let Some(verdict) = rearranged(originals, small, owned, shape) {
        return verdict;
    }
    let equal_count = originals.iter().all(|o| o.len() == originals[0].len());
    if equal_count && originals[0].len() == small.len() {
        let fits = small.iter().enumerate().all(|(at, token)| {
            let before = originals.iter().map(|o| &o[at]);
            same_token(before, token)
        });
        if fits {
            return true;
        }
    }
    let segments = segments(originals, Token::same);
    if let Ok(ranges) = locate(&segments, originals[0], small, Token::same)
        && segments.iter().zip(&ranges).all(|(segment, range)| {
            segment.stable || changing_tokens(originals, &segment.ranges, &small[range.clone()])
        })
    {
        return true;
    }
    same_but_for_order(originals, small)
}

/// For a line with a set in it: if the originals resemble each other more once
/// everything in brackets is sorted, it is compared sorted.
fn same_but_for_order(originals: &[&[Token<'_>]], small: &[Token<'_>]) -> bool {
    let differences = |lines: &[Vec<Token<'_>>]| -> usize {
        let pairs = lines.windows(2).map(|pair| pair[0].iter().zip(&pair[1]));
        pairs
            .map(|pair| pair.filter(|(a, b)| !a.same(b)).count())
            .sum()
    };
    let as_they_are: Vec<Vec<Token<'_>>> = originals.iter().map(|line| line.to_vec()).collect();
    let sorted: Vec<Vec<Token<'_>>> = originals.iter().map(|line| sets::sorted(line)).collect();
    let small = sets::sorted(small);
    sorted.iter().all(|line| line.len() == small.len())
        && differences(&sorted) < differences(&as_they_are)
        && small
            .iter()
            .enumerate()
            .all(|(at, token)| same_token(sorted.iter().map(|line| &line[at]), token))
}

/// True if two lines say the same but for clocks.
pub(super) fn same_line(a: &str, b: &str) -> bool {
    a == b || {
        let (a, b) = (tokens(a), tokens(b));
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.same(b))
    }
}

/// One position: the same where the originals agree, of the same kind where
/// they do not.
fn same_token<'a, 'b: 'a>(
    originals: impl Iterator<Item = &'a Token<'b>> + Clone,
    small: &Token<'_>,
) -> bool {
    let mut rest = originals.clone();
    let Some(first) = rest.next() else {
        return false;
    };
    if rest.all(|other| first.same(other)) {
        first.same(small)
    } else {
        is_another(originals, small)
    }
}

/// Tokens between stable ones.
fn changing_tokens(
    originals: &[&[Token<'_>]],
    ranges: &[Range<usize>],
    small: &[Token<'_>],
) -> bool {
    let parts: Vec<&[Token<'_>]> = originals
        .iter()
        .zip(ranges)
        .map(|(original, range)| &original[range.clone()])
        .collect();
    if let Some(verdict) = rearranged(&parts, small, owned, shape) {
        return verdict;
    }
    let count = parts[0].len();
    if count == small.len() && parts.iter().all(|part| part.len() == count) {
        return small
            .iter()
            .enumerate()
            .all(|(at, token)| same_token(parts.iter().map(|part| &part[at]), token));
    }
    let classes = parts.iter().copied().flatten().map(|token| token.class);
    small.iter().all(|token| fits(classes.clone(), token.class)) && plausible(&parts, small.len())
}

/// For a set that is printed in any order, where the originals have the same
/// elements in different orders: whether `small` has them too, apart from
/// values. `None` where the originals are nothing of that kind.
fn rearranged<T>(
    originals: &[&[T]],
    small: &[T],
    text: impl Fn(&T) -> String,
    shape: impl Fn(&T) -> String,
) -> Option<bool> {
    let sorted = |part: &[T], text: &dyn Fn(&T) -> String| {
        let mut texts: Vec<String> = part.iter().map(text).collect();
        texts.sort_unstable();
        texts
    };
    let (base, others) = originals.split_first()?;
    let in_order = |part: &[T]| part.iter().map(&text).collect::<Vec<_>>();
    if others
        .iter()
        .all(|other| other.len() == base.len() && in_order(other) == in_order(base))
    {
        return None;
    }
    let elements = sorted(base, &text);
    if others.iter().any(|other| sorted(other, &text) != elements) {
        return None;
    }
    Some(sorted(base, &shape) == sorted(small, &shape))
}

/// A length that fits lengths that change: nothing only where an original has
/// nothing, and not beyond all proportion.
fn plausible<T>(originals: &[&[T]], length: usize) -> bool {
    let least = originals.iter().map(|o| o.len()).min().unwrap_or(0);
    let most = originals.iter().map(|o| o.len()).max().unwrap_or(0);
    length <= most * 4 + 16 && (length > 0 || least == 0) && length * 4 + 16 >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for (originals, small) in [
            // Nothing changes.
            (["hello\nworld\n", "hello\nworld\n"], "hello\nworld\n"),
            // Values that change, of the same kind.
            (["pid 17\n", "pid 19\n"], "pid 4\n"),
            (["<Foo at 0x7f01>", "<Foo at 0x7f02>"], "<Foo at 0x7fff3>"),
            (["id deadbeef01", "id 0123456789"], "id cafe012345"),
            (
                [
                    "x 550e8400-e29b-41d4-a716-446655440000",
                    "x 550e8400-e29b-41d4-a716-446655440001",
                ],
                "x 550e8400-e29b-41d4-a716-446655449999",
            ),
            // Clocks that read the same in both runs by chance.
            (
                ["at 2026-11-02 10:00:00", "at 2026-11-02 10:00:00"],
                "at 2026-11-02 10:00:07",
            ),
            (["t=1793622896", "t=1793622896"], "t=1793622899"),
            (["took 0.0 s", "took 0.0 s"], "took 0.1 s"),
            // A set in any order, within a line and over lines.
            (["{'a', 'b', 'c'}", "{'b', 'c', 'a'}"], "{'c', 'a', 'b'}"),
            (
                ["one\ntwo\nthree\n", "two\none\nthree\n"],
                "three\none\ntwo\n",
            ),
            // Lines that come and go, in a place of their own.
            (
                ["start\nend\n", "start\nretry 1\nretry 2\nend\n"],
                "start\nretry 7\nend\n",
            ),
            // Words made by chance.
            (
                ["token kq3J9dQx81Z.", "token a81Zkq3J9dQx."],
                "token Q3J9d81Zkqxx.",
            ),
            (["key a-b-c!", "key dd-e!"], "key f-g-h!"),
            (
                ["sid=WlmNCAfek7Ni9etwQZcLPA;", "sid=wXR0JfnUJiyvODLNOsOCxA;"],
                "sid=avLFK-7A-Omh2fdyNL0mgQ;",
            ),
            (["id deadbeef01", "id 0123456789"], "id deadbeeffa"),
            // A changing line beside a stable one that looks like it.
            (["n 1\nn 5\n", "n 2\nn 5\n"], "n 9\nn 5\n"),
        ] {
            assert!(same_text(&originals, small), "{originals:?} / {small:?}");
        }
    }

    #[test]
    fn refused() {
        for (originals, small) in [
            (["hello\n", "hello\n"], "hallo\n"),
            (["hello\n", "hello\n"], "hello\nmore\n"),
            (["hello\nworld\n", "hello\nworld\n"], "hello\n"),
            (["hello\n", "hello\n"], ""),
            // A stable number changes.
            (["pid 17 of 3\n", "pid 19 of 3\n"], "pid 18 of 4\n"),
            // Another kind of value.
            (["pid 17\n", "pid 19\n"], "pid none\n"),
            (["pid 17\n", "pid 19\n"], "pid \n"),
            // A fixed date.
            (["since 2020-01-01", "since 2020-01-01"], "since 2021-01-01"),
            (
                ["since 2020-01-01 00:00:00", "since 2020-01-01 00:00:00"],
                "since 2026-01-01 00:00:00",
            ),
            // A list whose order matters, and a set that lacks an element.
            (["[a, b, c]", "[a, b, c]"], "[b, a, c]"),
            (["{'a', 'b', 'c'}", "{'b', 'c', 'a'}"], "{'c', 'a', 'x'}"),
            (["one\ntwo\n", "two\none\n"], "two\ntwo\n"),
            (["id 4 (1, 2, 3)", "id 5 (1, 2, 3)"], "id 6 (2, 3, 1)"),
            (["id 4 {1, 2, 3}", "id 5 {3, 2, 1}"], "id 6 {2, 3}"),
            // A stable line is gone.
            (["start\n1\nend\n", "start\n2\nend\n"], "start\n3\n"),
            (
                ["start\nend\n", "start\nretry 1\nend\n"],
                "start\nfailed 1\nend\n",
            ),
            // An error where a value should be.
            (["<b>17</b>", "<b>19</b>"], "<b>17</b><i>error</i>"),
            (["v1.2", "v1.2"], "v1.3"),
        ] {
            assert!(!same_text(&originals, small), "{originals:?} / {small:?}");
        }
    }

    #[test]
    fn more_runs_forgive_more() {
        assert!(!same_text(&["n 5", "n 5"], "n 6"));
        assert!(same_text(&["n 5", "n 5", "n 7"], "n 6"));
        assert!(same_text(&["only one"], "only one"));
        assert!(!same_text(&["only one"], "only 1"));
    }

    #[test]
    fn errors_may_come_in_any_order() {
        let originals = ["[7] a\n[8] b\n", "[8] b\n[9] a\n"];
        assert!(same_lines_in_any_order(&originals, "[1] b\n[2] a\n"));
        assert!(!same_lines_in_any_order(&originals, "[1] b\n"));
        assert!(!same_lines_in_any_order(
            &originals,
            "[1] b\n[2] a\n[2] a\n"
        ));
        assert!(!same_lines_in_any_order(
            &originals,
            "[1] b\n[2] a\nwarning: x\n"
        ));
    }

    #[test]
    fn identifiers_made_by_chance_are_known_as_such() {
        let mut state = 7u64;
        let mut made = |letters: &[u8], length: usize| -> String {
            let mut letter = || {
                // Knuth's MMIX generator; the high bits are the good ones.
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                char::from(letters[(state >> 33) as usize % letters.len()])
            };
            let id: String = (0..length).map(|_| letter()).collect();
            format!("<input name=token value=\"{id}\"> sid={id}; Path=/")
        };
        let url_safe = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let base64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for (letters, length) in [
            (&url_safe[..], 22),
            (&url_safe[..], 43),
            (&base64[..], 32),
            (b"0123456789abcdef", 8),
            (b"0123456789abcdef", 32),
            (b"0123456789", 6),
            (
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
                12,
            ),
        ] {
            let refused = (0..500)
                .filter(|_| {
                    let [a, b, c] = [(); 3].map(|()| made(letters, length));
                    !same_text(&[&a, &b], &c)
                })
                .count();
            assert!(refused <= 5, "{length} letters: {refused} of 500");
        }
    }

    #[test]
    fn large_texts_stay_quick() {
        let text = |seed: u64| -> String {
            (0..20_000u64)
                .map(|i| format!("line {i} value {}\n", i.wrapping_mul(seed) % 9973))
                .collect()
        };
        assert!(same_text(&[&text(3), &text(5)], &text(7)));
        let other = text(7) + "one more\n";
        assert!(!same_text(&[&text(3), &text(5)], &other));
    }

    proptest::proptest! {
        #[test]
        fn an_original_is_like_the_originals(a in "[ab1 {},\n]{0,20}", b in "[ab1 {},\n]{0,20}") {
            // Not through `same_text`, which need not look where texts are equal.
            let (x, y) = (lines(&a), lines(&b));
            proptest::prop_assert!(same_lines(&[&x, &y], &x));
            proptest::prop_assert!(same_lines(&[&x, &y], &y));
            proptest::prop_assert!(same_lines_in_any_order(&[&a, &b], &b));
        }
    }
}
