//! Debian versions (deb-version(7), Debian policy 5.6.12).

use std::cmp::Ordering;

/// Compares two versions as dpkg does: epoch, then upstream version, then
/// revision.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (split(a), split(b));
    compare_numbers(a.epoch, b.epoch)
        .then_with(|| compare_part(a.upstream, b.upstream))
        .then_with(|| compare_part(a.revision, b.revision))
}

struct Parts<'a> {
    epoch: &'a [u8],
    upstream: &'a [u8],
    revision: &'a [u8],
}

/// `[epoch:]upstream[-revision]`; no epoch is 0, no revision the lowest.
fn split(version: &str) -> Parts<'_> {
    let (epoch, rest) = version
        .trim()
        .split_once(':')
        .unwrap_or(("", version.trim()));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    Parts {
        epoch: epoch.as_bytes(),
        upstream: upstream.as_bytes(),
        revision: revision.as_bytes(),
    }
}

/// Runs of other characters and runs of digits in turn, from the left.
fn compare_part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, rest_a) = a.split_at(run(a, |byte| !byte.is_ascii_digit()));
        let (text_b, rest_b) = b.split_at(run(b, |byte| !byte.is_ascii_digit()));
        let (number_a, rest_a) = rest_a.split_at(run(rest_a, |byte| byte.is_ascii_digit()));
        let (number_b, rest_b) = rest_b.split_at(run(rest_b, |byte| byte.is_ascii_digit()));
        let order = compare_text(text_a, text_b).then_with(|| compare_numbers(number_a, number_b));
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    Ordering::Equal
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|byte| !belongs(*byte))
        .unwrap_or(bytes.len())
}

/// Letters sort before everything else, and `~` before even the end.
fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    (0..a.len().max(b.len()))
        .map(|i| weight(a.get(i)).cmp(&weight(b.get(i))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Numbers of any length: leading zeroes do not count, then the longer one is
/// greater.
fn compare_numbers(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |bytes: &[u8]| run(bytes, |byte| byte == b'0');
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ascending_list() {
        let versions = [
            "~~",
            "~~a",
            "~",
            "",
            "1.0~beta1~svn1245",
            "1.0~beta1",
            "1.0",
            "1.0-0.1",
            "1.0-1",
            "1.0-1+b1",
            "1.0-1+deb12u1",
            "1.0a",
            "1.0+x",
            "1.0.1",
            "1.2",
            "1.10",
            "1.10-2-1",
            "1:0.1",
            "2:0",
        ];
        for (i, a) in versions.iter().enumerate() {
            for (j, b) in versions.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a:?} against {b:?}");
            }
        }
    }

    #[test]
    fn equal_though_written_otherwise() {
        for (a, b) in [
            ("1.0", "0:1.0"),
            ("1.0", "1.0-0"),
            ("1.00", "1.0"),
            ("1.002", "1.2"),
            ("00000000000000000000000001", "1"),
        ] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} against {b}");
        }
    }

    #[test]
    fn numbers_of_any_length() {
        assert!(
            compare(
                "1.99999999999999999999999999",
                "1.100000000000000000000000000"
            )
            .is_lt()
        );
    }

    proptest::proptest! {
        #[test]
        fn it_is_an_order(
            a in "[0-9:.+~a-c-]{0,8}", b in "[0-9:.+~a-c-]{0,8}", c in "[0-9:.+~a-c-]{0,8}"
        ) {
            assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                assert!(compare(&a, &c).is_le());
            }
        }
    }
}
