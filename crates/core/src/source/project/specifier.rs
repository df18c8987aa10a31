//! Which Python versions a requirement allows: the part of PEP 440, and of
//! Poetry's own notation, that `requires-python` uses.

/// `3.11.2` as numbers.
pub type Release = [u32; 3];

/// True if `release` satisfies every part of `text`; `None` if the text is
/// not understood.
///
/// Parts are joined by `,` (all must hold), alternatives by `||` (Poetry).
pub fn allows(text: &str, release: Release) -> Option<bool> {
    let mut any = false;
    for alternative in text.split("||") {
        let mut all = true;
        for part in alternative.split(',') {
            let part = part.trim();
            if part.is_empty() || part == "*" {
                continue;
            }
            // Poetry also takes a space for a comma: `>=3.9 <3.13`.
            for piece in pieces(part) {
                all &= clause(&piece, release)?;
            }
        }
        any |= all;
    }
    Some(any)
}

/// Splits `>=3.9 <3.13` and leaves `>= 3.9` whole.
fn pieces(part: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for word in part.split_whitespace() {
        match pieces.last_mut() {
            Some(last) if last.ends_with(['=', '<', '>', '~', '^', '!']) => last.push_str(word),
            _ => pieces.push(word.to_owned()),
        }
    }
    pieces
}

fn clause(text: &str, release: Release) -> Option<bool> {
    let operators = ["===", "==", "!=", "~=", ">=", "<=", ">", "<", "^", "~", "="];
    let operator = operators.iter().find(|op| text.starts_with(**op));
    let (operator, version) = match operator {
        Some(op) => (*op, text[op.len()..].trim()),
        None => ("", text.trim()),
    };
    let (numbers, wildcard) = numbers(version)?;
    let full: Release = std::array::from_fn(|i| numbers.get(i).copied().unwrap_or(0));
    let same = release.iter().zip(&numbers).all(|(a, b)| a == b);
    Some(match operator {
        // A bare `3.11` in Poetry, `.python-version` and the like means any
        // 3.11.
        "" | "=" => same,
        "==" if wildcard => same,
        "==" | "===" => release == full,
        "!=" if wildcard => !same,
        "!=" => release != full,
        ">=" => release >= full,
        "<=" if wildcard => release <= full || same,
        "<=" => release <= full,
        ">" => release > full,
        "<" => release < full,
        // ~= 3.11 means >= 3.11, == 3.*; ~= 3.11.2 means >= 3.11.2, == 3.11.*
        "~=" => {
            let fixed = numbers.len().checked_sub(1).filter(|fixed| *fixed > 0)?;
            release >= full && release[..fixed.min(3)] == numbers[..fixed.min(3)]
        }
        // Poetry's ~3.11 means 3.11.*, ~3 means 3.*.
        "~" => {
            release >= full && release[..numbers.len().min(2)] == numbers[..numbers.len().min(2)]
        }
        // ^3.11 means >= 3.11, < 4.
        "^" => release >= full && release[0] == full[0],
        _ => return None,
    })
}

/// The numbers of `3.11.*`, and whether it ends in a wildcard. What follows
/// the release (`rc1`, `.dev0`) is passed over.
fn numbers(version: &str) -> Option<(Vec<u32>, bool)> {
    let mut numbers = Vec::new();
    for part in version.split('.') {
        if part == "*" || part == "x" {
            return (!numbers.is_empty()).then_some((numbers, true));
        }
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        if digits.is_empty() {
            break;
        }
        numbers.push(digits.parse().ok()?);
        if digits.len() < part.len() || numbers.len() == 3 {
            break;
        }
    }
    (!numbers.is_empty()).then_some((numbers, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_offers_against_what_people_write() {
        for (text, on_311, on_313) in [
            (">=3.9", true, true),
            (">=3.12", false, true),
            (">=3.8,<3.12", true, false),
            (">=3.8, <3.12", true, false),
            (">=3.9 <3.13", true, false),
            ("~=3.11", true, true),
            ("~=3.11.0", true, false),
            ("~=3.11.5", false, false),
            ("==3.11.*", true, false),
            ("==3.12.*", false, false),
            ("==3.11.2", true, false),
            ("==3.11", false, false),
            ("!=3.11.*", false, true),
            (">3.11", true, true),
            ("<=3.12", true, false),
            ("^3.11", true, true),
            ("^3.12", false, true),
            ("~3.13", false, true),
            ("3.13", false, true),
            ("3.11.4", false, false),
            ("3.11.x", true, false),
            ("~3.11 || ~3.13", true, true),
            ("*", true, true),
            ("", true, true),
            (">=3.12.0rc1", false, true),
            (">=3", true, true),
            (">=2.7,!=3.0.*,!=3.1.*", true, true),
        ] {
            assert_eq!(allows(text, [3, 11, 2]), Some(on_311), "{text} on 3.11.2");
            assert_eq!(allows(text, [3, 13, 5]), Some(on_313), "{text} on 3.13.5");
        }
        assert_eq!(allows("newest", [3, 11, 2]), None);
        assert_eq!(allows("~=3", [3, 11, 2]), None);
    }
}
