//! How deeply Python source can nest, found without parsing it.

/// An upper bound for the depth of the syntax tree: open brackets, indentation,
/// and the chains of operators, attributes and calls between two commas or
/// lines. Text in plain strings and comments does not count; an f-string's does,
/// because expressions hide in it.
pub fn depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut deepest = 0;
    // Chains of the brackets around, and their sum.
    let mut around: Vec<usize> = Vec::new();
    let mut outer = 0;
    let mut chain = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at = line_end(bytes, at);
                continue;
            }
            b'"' | b'\'' => {
                let end = string_end(bytes, at);
                if is_formatted(bytes, at) {
                    chain += bytes[at..end].iter().filter(|b| nests(**b)).count();
                }
                at = end;
                deepest = deepest.max(outer + chain);
                continue;
            }
            b'(' | b'[' | b'{' => {
                chain += 1;
                around.push(chain);
                outer += chain;
                chain = 0;
            }
            b')' | b']' | b'}' => {
                if let Some(back) = around.pop() {
                    outer -= back;
                    chain = back;
                }
            }
            b',' => chain = 0,
            b'\n' if around.is_empty() => {
                chain = bytes[at + 1..]
                    .iter()
                    .take_while(|b| matches!(b, b' ' | b'\t'))
                    .count();
            }
            b'l' if bytes[at..].starts_with(b"lambda") => chain += 1,
            b'n' if bytes[at..].starts_with(b"not ") => chain += 1,
            b'i' if bytes[at..].starts_with(b"if ") => chain += 1,
            b'a' if bytes[at..].starts_with(b"await ") => chain += 1,
            byte if nests(byte) => chain += 1,
            _ => {}
        }
        deepest = deepest.max(outer + chain);
        at += 1;
    }
    deepest
}

fn nests(byte: u8) -> bool {
    matches!(
        byte,
        b'(' | b'['
            | b'{'
            | b'.'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'@'
            | b'&'
            | b'|'
            | b'^'
            | b'~'
            | b'<'
            | b'>'
            | b':'
    )
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |n| from + n)
}

/// Whether the quote at `at` has an `f` or `t` in its prefix.
fn is_formatted(bytes: &[u8], at: usize) -> bool {
    bytes[at.saturating_sub(2)..at]
        .iter()
        .any(|b| matches!(b, b'f' | b'F' | b't' | b'T'))
}

/// Just behind the string that starts with the quote at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut i = if triple { at + 3 } else { at + 1 };
    while let Some(&byte) = bytes.get(i) {
        match byte {
            b'\\' => i += 1,
            b'\n' if !triple => return i,
            byte if byte == quote => {
                if !triple {
                    return i + 1;
                }
                if bytes[i..].starts_with(&[quote; 3]) {
                    return i + 3;
                }
            }
            _ => {}
        }
        i += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_tables_are_shallow_and_chains_are_deep() {
        let table = format!("x = [{}]\n", "(1, 'a+b+c.d'), ".repeat(10_000));
        assert!(depth(&table) < 10);
        assert!(depth(&format!("x = {}1\n", "-".repeat(5_000))) >= 5_000);
        assert!(depth(&format!("x = a{}\n", "()".repeat(5_000))) >= 5_000);
        assert!(depth(&format!("x = {}\n", "[".repeat(5_000))) >= 5_000);
        assert!(depth(&format!("f'{{{}1}}'", "-".repeat(5_000))) >= 5_000);
        assert!(depth("# ((((((((((\n'((((((((((('\n") <= 1);
    }

    #[test]
    fn indentation_counts() {
        let mut text = String::new();
        for i in 0..200 {
            text += &format!("{}if x:\n", " ".repeat(i));
        }
        assert!(depth(&text) >= 199);
    }
}
