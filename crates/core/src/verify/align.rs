//! Sequences compared: which parts are in both, and whether a third one has
//! the same fixed parts in the same order.

use std::ops::Range;

/// Most differences that are looked for; two sequences with more have nothing
/// in common as far as whit is concerned.
const MAX_DIFFERENCES: usize = 1000;

/// For every element of `a` its partner in `b` (Myers' greedy algorithm,
/// "An O(ND) Difference Algorithm", 1986). Empty pairs beyond the common
/// start and end if the middle differs too much.
pub(super) fn pairs<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<Option<usize>> {
    let mut partner = vec![None; a.len()];
    let head = a.iter().zip(b).take_while(|(x, y)| same(x, y)).count();
    for (at, slot) in partner.iter_mut().enumerate().take(head) {
        *slot = Some(at);
    }
    let (rest_a, rest_b) = (&a[head..], &b[head..]);
    let tail = rest_a
        .iter()
        .rev()
        .zip(rest_b.iter().rev())
        .take_while(|(x, y)| same(x, y))
        .count();
    for at in 1..=tail {
        partner[a.len() - at] = Some(b.len() - at);
    }
    let middle_a = &rest_a[..rest_a.len() - tail];
    let middle_b = &rest_b[..rest_b.len() - tail];
    for (x, y) in common(middle_a, middle_b, same) {
        partner[head + x] = Some(head + y);
    }
    partner
}

/// Index pairs of a longest common subsequence, in order.
fn common<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> Vec<(usize, usize)> {
    let most = (a.len() + b.len()).min(MAX_DIFFERENCES);
    let (n, m) = (a.len() as isize, b.len() as isize);
    let offset = most as isize + 1;
    let at = |k: isize| (k + offset) as usize;
    let mut reach = vec![0isize; 2 * most + 3];
    let mut history: Vec<Vec<isize>> = Vec::new();
    if a.is_empty() || b.is_empty() {
        return Vec::new();
    }
    for d in 0..=most as isize {
        // Only the diagonals that round d can have changed are kept.
        history.push(reach[at(-d - 1)..=at(d + 1)].to_vec());
        for k in (-d..=d).step_by(2) {
            let down = k == -d || k != d && reach[at(k - 1)] < reach[at(k + 1)];
            let mut x = if down {
                reach[at(k + 1)]
            } else {
                reach[at(k - 1)] + 1
            };
            let mut y = x - k;
            while x < n && y < m && x >= 0 && y >= 0 && same(&a[x as usize], &b[y as usize]) {
                x += 1;
                y += 1;
            }
            reach[at(k)] = x;
            if x >= n && y >= m {
                return walk_back(&history, n, m);
            }
        }
    }
    Vec::new()
}

/// Reads the matches off the rounds, from the end to the start.
fn walk_back(history: &[Vec<isize>], n: isize, m: isize) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let (mut x, mut y) = (n, m);
    for (d, reach) in history.iter().enumerate().rev() {
        let d = d as isize;
        let get = |k: isize| reach[(k + d + 1) as usize];
        let k = x - y;
        let down = k == -d || k != d && get(k - 1) < get(k + 1);
        let before = if down { k + 1 } else { k - 1 };
        let from_x = if d == 0 { 0 } else { get(before) };
        let from_y = if d == 0 { 0 } else { from_x - before };
        while x > from_x && y > from_y {
            x -= 1;
            y -= 1;
            found.push((x as usize, y as usize));
        }
        (x, y) = (from_x, from_y);
    }
    found.reverse();
    found
}

/// A part of the originals: the same in all of them, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) stable: bool,
    /// Where it lies in each original.
    pub(super) ranges: Vec<Range<usize>>,
}

/// Cuts the originals into segments that are stable and segments that are not,
/// in turns.
pub(super) fn segments<T>(originals: &[&[T]], same: impl Fn(&T, &T) -> bool) -> Vec<Segment> {
    let Some((base, others)) = originals.split_first() else {
        return Vec::new();
    };
    let partners: Vec<Vec<Option<usize>>> = others
        .iter()
        .map(|other| pairs(base, other, &same))
        .collect();
    let mut found: Vec<Segment> = Vec::new();
    // Where the segment that is being read began, in each original.
    let mut starts = vec![0; originals.len()];
    let mut at = 0;
    loop {
        // The next element that all originals have.
        let next = (at..base.len()).find(|i| partners.iter().all(|p| p[*i].is_some()));
        let here: Vec<usize> = match next {
            Some(i) => std::iter::once(i)
                .chain(partners.iter().map(|p| p[i].unwrap_or_default()))
                .collect(),
            None => originals.iter().map(|o| o.len()).collect(),
        };
        let ranges: Vec<Range<usize>> = starts
            .iter()
            .zip(&here)
            .map(|(start, end)| *start..*end)
            .collect();
        if ranges.iter().any(|range| !range.is_empty()) {
            found.push(Segment {
                stable: false,
                ranges,
            });
        }
        if next.is_none() {
            return found;
        }
        // As far as all of them go on together.
        let mut length = 1;
        while here[0] + length < base.len()
            && partners
                .iter()
                .zip(&here[1..])
                .all(|(p, start)| p[here[0] + length] == Some(start + length))
        {
            length += 1;
        }
        starts = here.iter().map(|start| start + length).collect();
        at = starts[0];
        found.push(Segment {
            stable: true,
            ranges: here.iter().map(|start| *start..start + length).collect(),
        });
    }
}

/// Finds the stable segments of `base` in `seen`, in order, with anything
/// between them where the originals were not stable. Gives the range of `seen`
/// for every segment, or the first stable segment that is not there.
pub(super) fn locate<T>(
    segments: &[Segment],
    base: &[T],
    seen: &[T],
    same: impl Fn(&T, &T) -> bool,
) -> Result<Vec<Range<usize>>, usize> {
    let equal = |range: &Range<usize>, start: usize| {
        seen.len() - start >= range.len()
            && base[range.clone()]
                .iter()
                .zip(&seen[start..])
                .all(|(a, b)| same(a, b))
    };
    let mut ranges = Vec::with_capacity(segments.len());
    let mut at = 0;
    for (i, segment) in segments.iter().enumerate() {
        let wanted = &segment.ranges[0];
        if !segment.stable {
            // Its end is known once the next one is found.
            ranges.push(at..at);
            continue;
        }
        let open = i > 0;
        let last = i + 1 == segments.len();
        let latest = seen.len().checked_sub(wanted.len()).ok_or(i)?;
        let start = match (open, last) {
            _ if latest < at => None,
            (false, true) => (latest == 0 && equal(wanted, 0)).then_some(0),
            (false, false) => equal(wanted, 0).then_some(0),
            (true, true) => equal(wanted, latest).then_some(latest),
            (true, false) => (at..=latest).find(|start| equal(wanted, *start)),
        }
        .ok_or(i)?;
        if let Some(gap) = ranges.last_mut()
            && open
        {
            gap.end = start;
        }
        at = start + wanted.len();
        ranges.push(start..at);
    }
    if let (Some(gap), Some(false)) = (ranges.last_mut(), segments.last().map(|s| s.stable)) {
        gap.end = seen.len();
        return Ok(ranges);
    }
    if at == seen.len() {
        Ok(ranges)
    } else {
        Err(segments.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    fn lcs(a: &str, b: &str) -> String {
        let (a, b) = (chars(a), chars(b));
        let partner = pairs(&a, &b, |x, y| x == y);
        let mut last = None;
        for (at, found) in partner.iter().enumerate() {
            if let Some(found) = found {
                assert_eq!(a[at], b[*found]);
                assert!(last < Some(*found), "in order");
                last = Some(*found);
            }
        }
        partner
            .iter()
            .zip(&a)
            .filter(|(p, _)| p.is_some())
            .map(|(_, c)| *c)
            .collect()
    }

    #[test]
    fn longest_common_parts() {
        for (a, b, length) in [
            ("", "", 0),
            ("abc", "", 0),
            ("abc", "abc", 3),
            ("abcabba", "cbabac", 4),
            ("xaxbxc", "abc", 3),
            ("abc", "xaxbxcx", 3),
            ("abcdef", "uvwxyz", 0),
            ("kitten", "sitting", 4),
        ] {
            assert_eq!(lcs(a, b).len(), length, "{a} {b}");
        }
    }

    #[test]
    fn too_different_is_nothing_in_common() {
        let a: Vec<u32> = (0..5000).collect();
        let b: Vec<u32> = (10_000..15_000).collect();
        assert!(pairs(&a, &b, |x, y| x == y).iter().all(Option::is_none));
    }

    fn located(originals: &[&str], seen: &str) -> Option<Vec<String>> {
        let originals: Vec<Vec<char>> = originals.iter().map(|o| chars(o)).collect();
        let slices: Vec<&[char]> = originals.iter().map(Vec::as_slice).collect();
        let same = |a: &char, b: &char| a == b;
        let segments = segments(&slices, same);
        let seen = chars(seen);
        let ranges = locate(&segments, slices[0], &seen, same).ok()?;
        let text = |range: &Range<usize>| seen[range.clone()].iter().collect::<String>();
        Some(
            segments
                .iter()
                .zip(&ranges)
                .filter(|(segment, _)| !segment.stable)
                .map(|(_, range)| text(range))
                .collect(),
        )
    }

    #[test]
    fn stable_parts_must_be_there_in_order() {
        for (originals, seen, gaps) in [
            (&["a1b", "a2b"][..], "a3b", Some(vec!["3"])),
            (&["a1b", "a2b"], "ab", Some(vec![""])),
            (&["a1b", "a2b"], "a1bb", Some(vec!["1b"])),
            (&["a1b", "a2b"], "a1", None),
            (&["a1b", "a2b"], "xa1b", None),
            (&["a1b", "a2b"], "a1bx", None),
            (&["abc", "abc"], "abc", Some(vec![])),
            (&["abc", "abc"], "abcd", None),
            (&["abc"], "abd", None),
            (&["1x2", "3x4"], "55x66", Some(vec!["55", "66"])),
            (&["1x2", "3x4"], "5566", None),
            (
                &["1a2b3", "4a5b6", "7a8b9"],
                "-a-b-",
                Some(vec!["-", "-", "-"]),
            ),
            (&["ab", "axb"], "ayyb", Some(vec!["yy"])),
            (&["", ""], "", Some(vec![])),
            (&["", ""], "x", None),
            (&["1", "2"], "", Some(vec![""])),
        ] {
            let gaps: Option<Vec<String>> =
                gaps.map(|gaps| gaps.into_iter().map(str::to_owned).collect());
            assert_eq!(located(originals, seen), gaps, "{originals:?} {seen:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn an_original_always_fits_itself(a in "[abc]{0,12}", b in "[abc]{0,12}", c in "[abc]{0,12}") {
            proptest::prop_assert!(located(&[&a, &b], &a).is_some());
            proptest::prop_assert!(located(&[&a, &b, &c], &a).is_some());
            let _ = located(&[&a, &b], &c);
            let _ = lcs(&a, &b);
        }
    }
}
