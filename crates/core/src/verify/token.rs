//! Text cut into words, numbers and the other things that programs print.

/// What a token is. Values of the more special classes change from run to run
/// in ways that say nothing about an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    Word,
    /// Decimal, with or without a fraction.
    Number,
    /// `0x...`, or eight or more hexadecimal digits.
    Hex,
    Uuid,
    /// Letters and digits mixed as in keys and identifiers made by chance.
    Random,
    /// Day and time of day.
    DateTime,
    Date,
    Time,
    /// A number with a unit of time.
    Duration,
    Space,
    Punct,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) text: &'a str,
    pub(super) class: Class,
}

/// How far two dates may lie apart and still both mean "now", in seconds.
const NEAR: i64 = 86_400;

/// Cuts a text into tokens; put together they are the text again.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut before = "";
    while !rest.is_empty() {
        let (length, class) = next(rest, before);
        let (text, after) = rest.split_at(length);
        before = text;
        found.push(Token { text, class });
        rest = after;
    }
    found
}

impl Token<'_> {
    /// True if two tokens say the same: equal, or two readings of a clock a
    /// little apart, or two durations.
    pub(super) fn same(&self, other: &Token<'_>) -> bool {
        if self.text == other.text {
            return true;
        }
        if self.class != other.class {
            return false;
        }
        match self.class {
            Class::Duration => unit(self.text) == unit(other.text),
            Class::DateTime | Class::Date | Class::Time | Class::Number => {
                match (clock(self), clock(other)) {
                    (Some(a), Some(b)) => a.abs_diff(b) <= NEAR.unsigned_abs(),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// What stands for the token where only its kind matters: tokens that are
    /// [`Token::same`] have the same outline.
    pub(super) fn outline(&self) -> &str {
        match self.class {
            Class::DateTime => "<datetime>",
            Class::Date => "<date>",
            Class::Time => "<time>",
            Class::Duration => "<duration>",
            Class::Number if clock(self).is_some() => "<clock>",
            _ => self.text,
        }
    }

    /// A looser outline: every number, identifier and address is only its
    /// class.
    pub(super) fn shape(&self) -> &str {
        match self.class {
            Class::Number | Class::Hex | Class::Random | Class::Uuid => "<value>",
            Class::Space => " ",
            _ => self.outline(),
        }
    }
}

fn is_value(class: Class) -> bool {
    matches!(
        class,
        Class::Number | Class::Hex | Class::Random | Class::Uuid | Class::Duration
    )
}

/// True if `seen` may be another one of values that change: it is of their
/// kind, or, for identifiers that happen to look like words, as long.
pub(super) fn is_another<'a, 'b: 'a>(
    originals: impl Iterator<Item = &'a Token<'b>> + Clone,
    seen: &Token<'_>,
) -> bool {
    let identifier = |token: &Token<'_>| is_value(token.class) || token.class == Class::Word;
    let as_long = |token: &Token<'_>| token.text.len() == seen.text.len();
    fits(originals.clone().map(|token| token.class), seen.class)
        || seen.text.len() >= 8
            && identifier(seen)
            && originals.clone().all(identifier)
            && originals.clone().any(as_long)
}

/// True if `seen` may stand where the originals had values of these classes:
/// the same class, or, where identifiers now look like a number and now like a
/// word, any of those.
pub(super) fn fits(originals: impl Iterator<Item = Class> + Clone, seen: Class) -> bool {
    let value = is_value;
    originals.clone().any(|class| class == seen)
        || value(seen) && originals.clone().all(value)
        || (value(seen) || seen == Class::Word)
            && originals.clone().any(value)
            && originals.clone().any(|class| class == Class::Word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length and class of the first token; `before` is the one that it follows.
fn next(text: &str, before: &str) -> (usize, Class) {
    let bytes = text.as_bytes();
    if !before.ends_with(is_word) {
        let special = [
            (uuid(bytes), Class::Uuid),
            (datetime(bytes), Class::DateTime),
            (date(bytes), Class::Date),
            (time(bytes), Class::Time),
            (address(bytes), Class::Hex),
            (random(bytes), Class::Random),
        ];
        for (length, class) in special {
            if let Some(length) = length
                && ends(text, length)
            {
                return (length, class);
            }
        }
    }
    let first = text.chars().next().unwrap_or(' ');
    if first.is_whitespace() {
        return (run(text, char::is_whitespace), Class::Space);
    }
    if !is_word(first) {
        return (first.len_utf8(), Class::Punct);
    }
    let word = run(text, is_word);
    let digits = run(text, |c| c.is_ascii_digit());
    if digits > 0 {
        // Behind a dot it is a part of a version, and has no fraction.
        let number = if before == "." {
            digits
        } else {
            fraction(bytes, digits)
        };
        if let Some(length) = duration(text, number) {
            return (length, Class::Duration);
        }
        if ends(text, number) {
            return (number, Class::Number);
        }
    }
    (word, word_class(&text[..word]))
}

/// The bytes of the leading run of characters that `belong`.
fn run(text: &str, belong: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belong(c)).unwrap_or(text.len())
}

/// True if no word goes on at `length`.
fn ends(text: &str, length: usize) -> bool {
    !text[length..].starts_with(is_word)
}

fn word_class(word: &str) -> Class {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    if hex && word.len() >= 8 && digits > 0 {
        Class::Hex
    } else if digits >= 2 && letters >= 2 && word.len() >= 8 {
        Class::Random
    } else {
        Class::Word
    }
}

/// A run of base64's letters, both alphabets, that nobody thought up: its case
/// changes at every third letter at least. In cookies and addresses some of them
/// are written as `%2B`.
fn random(text: &[u8]) -> Option<usize> {
    let letter = |at: &[u8]| match at {
        [b'%', b'2', b'B' | b'F', ..] | [b'%', b'3', b'D', ..] | [b'%', b'0', b'A', ..] => 3,
        [b, ..] if b.is_ascii_alphanumeric() || b"-_+/".contains(b) => 1,
        _ => 0,
    };
    let mut end = 0;
    loop {
        match letter(&text[end..]) {
            0 => break,
            length => end += length,
        }
    }
    let run = &text[..end];
    let kind = |b: &u8| {
        (
            b.is_ascii_uppercase(),
            b.is_ascii_lowercase(),
            b.is_ascii_digit(),
        )
    };
    let changes = run
        .windows(2)
        .filter(|pair| kind(&pair[0]) != kind(&pair[1]))
        .count();
    let cased = run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase);
    (run.len() >= 16 && cased && changes * 3 >= run.len()).then_some(run.len())
}

/// `0x` and hexadecimal digits.
fn address(text: &[u8]) -> Option<usize> {
    let digits = text.strip_prefix(b"0x")?;
    let count = digits.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    (count > 0).then_some(count + 2)
}

/// The end of a number whose integer part has `digits` digits.
fn fraction(text: &[u8], digits: usize) -> usize {
    match text.get(digits..) {
        Some([b'.', rest @ ..]) => {
            let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
            // `1.2.3` is a version, not a number and a half.
            match (count, rest.get(count)) {
                (0, _) | (_, Some(b'.')) => digits,
                _ => digits + 1 + count,
            }
        }
        _ => digits,
    }
}

const UNITS: [&str; 14] = [
    "milliseconds",
    "microseconds",
    "seconds",
    "second",
    "msecs",
    "msec",
    "secs",
    "sec",
    "ms",
    "us",
    "µs",
    "μs",
    "ns",
    "s",
];

/// A number of length `number` that a unit of time follows, after a space at
/// most.
fn duration(text: &str, number: usize) -> Option<usize> {
    let rest = &text[number..];
    let gap = usize::from(rest.starts_with(' '));
    let unit = UNITS.iter().find(|unit| {
        rest[gap..]
            .strip_prefix(**unit)
            .is_some_and(|after| !after.starts_with(is_word))
    })?;
    Some(number + gap + unit.len())
}

fn unit(duration: &str) -> &str {
    duration.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ')
}

/// Matches bytes against a pattern: `9` is any digit, `x` any hexadecimal one,
/// everything else itself.
fn matches(text: &[u8], pattern: &[u8]) -> Option<usize> {
    let text = text.get(..pattern.len())?;
    let fits = text.iter().zip(pattern).all(|(b, p)| match p {
        b'9' => b.is_ascii_digit(),
        b'x' => b.is_ascii_hexdigit(),
        p => b == p,
    });
    fits.then_some(pattern.len())
}

fn uuid(text: &[u8]) -> Option<usize> {
    matches(text, b"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

fn date(text: &[u8]) -> Option<usize> {
    [b"9999-99-99", b"9999/99/99", b"99/99/9999", b"99.99.9999"]
        .into_iter()
        .find_map(|pattern| matches(text, pattern))
        .or_else(|| day(text))
}

/// `Thu, 01 Jan 2026`, `01 Jan 2026`, `01/Jan/2026`, `01-Jan-2026`.
fn day(text: &[u8]) -> Option<usize> {
    let start = weekday(text).unwrap_or(0);
    let digits = count(&text[start..], 2).filter(|n| *n > 0)?;
    let at = start + digits;
    let gap = text.get(at).filter(|b| b" /-".contains(b))?;
    month(text.get(at + 1..)?)?;
    let year = at + 4;
    (text.get(year) == Some(gap)).then_some(())?;
    matches(text.get(year + 1..)?, b"9999").map(|n| year + 1 + n)
}

/// `Thu, ` or `Thursday, `.
fn weekday(text: &[u8]) -> Option<usize> {
    const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    DAYS.into_iter().find(|day| text.starts_with(day))?;
    let letters = text
        .iter()
        .take_while(|b| b.is_ascii_lowercase() || b.is_ascii_uppercase());
    let end = letters.count();
    text.get(end..)?.starts_with(b", ").then_some(end + 2)
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// The month's number from its short name.
fn month(text: &[u8]) -> Option<i64> {
    let at = MONTHS.iter().position(|month| text.starts_with(month))?;
    i64::try_from(at + 1).ok()
}

/// How many digits there are, at most `most`.
fn count(text: &[u8], most: usize) -> Option<usize> {
    Some(
        text.iter()
            .take(most)
            .take_while(|b| b.is_ascii_digit())
            .count(),
    )
}

/// `23:59:59`, with a fraction behind it or not.
fn time(text: &[u8]) -> Option<usize> {
    let mut end = matches(text, b"99:99:99").or_else(|| matches(text, b"9:99:99"))?;
    if let Some([b'.' | b',', rest @ ..]) = text.get(end..) {
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits > 0 {
            end += 1 + digits;
        }
    }
    Some(end)
}

/// A date and a time of day, as ISO 8601, RFC 9110, asctime(3), web servers'
/// logs and Python's `logging` write them; a time zone belongs to it.
fn datetime(text: &[u8]) -> Option<usize> {
    let mut end = match date(text) {
        Some(date) => {
            let gap = text
                .get(date)
                .filter(|b| b"T :_".contains(b))
                .map(|_| date + 1)?;
            gap + time(&text[gap..]).or_else(|| minutes(&text[gap..]))?
        }
        None => asctime(text)?,
    };
    let zone = text.get(end..).unwrap_or_default();
    for pattern in [
        &b"Z"[..],
        b" GMT",
        b" UTC",
        b"+99:99",
        b"-99:99",
        b" +9999",
        b" -9999",
        b"+9999",
        b"-9999",
    ] {
        if let Some(length) = matches(zone, pattern) {
            end += length;
            break;
        }
    }
    Some(end)
}

fn minutes(text: &[u8]) -> Option<usize> {
    matches(text, b"99:99")
}

/// `Thu Jan  1 23:59:59 2026`, with a zone before the year or not.
fn asctime(text: &[u8]) -> Option<usize> {
    let start = weekday_short(text)?;
    month(text.get(start..)?)?;
    let day = start + 4;
    matches(text.get(day..)?, b"99 ").or_else(|| matches(text.get(day..)?, b" 9 "))?;
    let end = day + 3 + matches(text.get(day + 3..)?, b"99:99:99")?;
    let mut rest = text.get(end..)?;
    let zone = rest
        .iter()
        .take(6)
        .take_while(|b| b.is_ascii_uppercase() || **b == b' ')
        .count();
    rest = rest.get(zone..)?;
    matches(rest, b"9999").map(|year| end + zone + year)
}

fn weekday_short(text: &[u8]) -> Option<usize> {
    const DAYS: [&[u8]; 7] = [
        b"Mon ", b"Tue ", b"Wed ", b"Thu ", b"Fri ", b"Sat ", b"Sun ",
    ];
    DAYS.into_iter()
        .find(|day| text.starts_with(day))
        .map(|_| 4)
}

/// Seconds since the epoch (since midnight for a time alone); `None` where a
/// token is no reading of a clock. Time zones are left out: both sides come
/// from the same machine.
fn clock(token: &Token<'_>) -> Option<i64> {
    let text = token.text;
    match token.class {
        Class::Number => {
            let (whole, _) = text.split_once('.').unwrap_or((text, ""));
            let scale = match whole.len() {
                10 => 1,
                13 => 1_000,
                16 => 1_000_000,
                19 => 1_000_000_000,
                _ => return None,
            };
            let seconds = whole.parse::<i64>().ok()? / scale;
            // From 2017 on: the years in which whit can have been run.
            (1_500_000_000..=9_999_999_999)
                .contains(&seconds)
                .then_some(seconds)
        }
        Class::Time => seconds_of_day(text),
        Class::Date => days(text).map(|days| days * 86_400),
        Class::DateTime => {
            let colon = text.match_indices(':').find(|(at, _)| {
                // The first colon between digits that is not a log's `2026:`.
                matches(&text.as_bytes()[at.saturating_sub(2)..], b"99:99").is_some()
                    && !text[..*at].ends_with(|c: char| !c.is_ascii_digit())
                    && at
                        .checked_sub(3)
                        .is_some_and(|i| !text.as_bytes()[i].is_ascii_digit())
            })?;
            let time = text.get(colon.0 - 2..)?;
            Some(days(text)? * 86_400 + seconds_of_day(time)?)
        }
        _ => None,
    }
}

fn seconds_of_day(time: &str) -> Option<i64> {
    let mut parts = time
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse::<i64>().ok());
    let hours = parts.next()??;
    let minutes = parts.next()??;
    let seconds = parts.next().flatten().unwrap_or(0);
    Some(hours * 3600 + minutes * 60 + seconds)
}

/// Days since the epoch of the date that a text starts with or holds.
fn days(text: &str) -> Option<i64> {
    let numbers: Vec<&str> = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect();
    let number = |at: usize| numbers.get(at)?.parse::<i64>().ok();
    let named = (0..text.len()).find_map(|at| month(text.as_bytes().get(at..)?));
    let year_at = numbers.iter().position(|part| part.len() == 4)?;
    let year = number(year_at)?;
    let (month, day) = match (named, year_at) {
        (Some(month), _) => (month, number(0)?),
        (None, 0) => (number(1)?, number(2)?),
        (None, _) => (number(1)?, number(0)?),
    };
    // Days from civil (Howard Hinnant's algorithm): years begin in March.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::Class::*;
    use super::*;

    fn one(text: &str) -> Token<'_> {
        let found = tokens(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found[0]
    }

    #[test]
    fn classes() {
        for (text, class) in [
            ("hello", Word),
            ("été", Word),
            ("42", Number),
            ("0.25", Number),
            ("0x7f3a2c", Hex),
            ("deadbeef01", Hex),
            ("550e8400-e29b-41d4-a716-446655440000", Uuid),
            ("k3J9dQx81Z", Random),
            ("avLFK-7A-Omh2fdyNL0mgQ", Random),
            ("x/Yq+0Zr8LmKp2/vTQ", Random),
            ("x%2FYq%2B0Zr8LmKp2%2FvTQ%3D%3D--1f3a", Random),
            ("2026-11-02", Date),
            ("2026/11/02", Date),
            ("02 Nov 2026", Date),
            ("12:34:56", Time),
            ("12:34:56.789", Time),
            ("2026-11-02T12:34:56.789Z", DateTime),
            ("2026-11-02 12:34:56,789", DateTime),
            ("2026-11-02T12:34:56+02:00", DateTime),
            ("2026-11-02 12:34", DateTime),
            ("Mon, 02 Nov 2026 12:34:56 GMT", DateTime),
            ("02/Nov/2026:12:34:56 +0000", DateTime),
            ("Mon Nov  2 12:34:56 2026", DateTime),
            ("Mon Nov  2 12:34:56 UTC 2026", DateTime),
            ("12ms", Duration),
            ("0.5 seconds", Duration),
            ("3 s", Duration),
            ("  \t", Space),
            ("{", Punct),
        ] {
            assert_eq!(one(text).class, class, "{text}");
        }
    }

    #[test]
    fn tokens_are_the_text() {
        for text in [
            "a-b_c 1.2.3 é\n<p>x</p>",
            "v1.2",
            "3 sheep",
            "utf8 x86_64",
            "10:3",
        ] {
            let joined: String = tokens(text).iter().map(|t| t.text).collect();
            assert_eq!(joined, text);
        }
        let versions: Vec<_> = tokens("1.2.3").iter().map(|t| t.text).collect();
        assert_eq!(versions, ["1", ".", "2", ".", "3"]);
        assert!(tokens("3 sheep").iter().all(|t| t.class != Duration));
    }

    #[test]
    fn clocks_that_agree() {
        for (a, b) in [
            ("2026-11-02T12:34:56Z", "2026-11-02T12:35:01Z"),
            ("2026-11-02 23:59:59", "2026-11-03 00:00:00"),
            (
                "Mon, 02 Nov 2026 12:34:56 GMT",
                "Mon, 02 Nov 2026 12:34:57 GMT",
            ),
            ("02/Nov/2026:12:34:56 +0000", "02/Nov/2026:12:35:56 +0000"),
            ("Mon Nov  2 12:34:56 2026", "Mon Nov  2 12:34:59 2026"),
            ("2026-12-31", "2027-01-01"),
            ("1793622896", "1793622899"),
            ("1793622896123", "1793622899001"),
            ("1793622896.5", "1793622899.25"),
            ("12:00:00", "12:00:09"),
            ("12ms", "9.5ms"),
        ] {
            assert!(one(a).same(&one(b)), "{a} {b}");
            assert_eq!(one(a).outline(), one(b).outline(), "{a} {b}");
        }
    }

    #[test]
    fn values_that_differ() {
        for (a, b) in [
            ("2020-01-01T00:00:00Z", "2026-11-02T12:35:01Z"),
            ("2020-01-01", "2020-02-01"),
            (
                "Mon, 02 Nov 2026 12:34:56 GMT",
                "Mon, 02 Nov 2020 12:34:56 GMT",
            ),
            ("41", "42"),
            ("1234567890", "1234567891"),
            ("12ms", "12s"),
            ("0x1", "0x2"),
            ("word", "wort"),
        ] {
            assert!(!one(a).same(&one(b)), "{a} {b}");
        }
    }

    #[test]
    fn classes_that_may_stand_for_each_other() {
        for (originals, seen, expected) in [
            ([Number, Number], Number, true),
            ([Number, Number], Word, false),
            ([Number, Hex], Random, true),
            ([Hex, Word], Word, true),
            ([Hex, Word], Number, true),
            ([Word, Word], Word, true),
            ([Word, Word], Number, false),
            ([Uuid, Uuid], Punct, false),
            ([DateTime, DateTime], DateTime, true),
        ] {
            assert_eq!(
                fits(originals.into_iter(), seen),
                expected,
                "{originals:?} {seen:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_without_loss(text in "[0-9a-fxTZ:,./ é\\-]{0,60}|\\PC{0,40}") {
            let joined: String = tokens(&text).iter().map(|t| t.text).collect();
            proptest::prop_assert_eq!(joined, text.clone());
            for token in tokens(&text) {
                proptest::prop_assert!(token.same(&token));
                let _ = token.shape();
            }
        }
    }
}
