//! Sets that are printed in any order.

use super::token::{Class, Token};

/// A bracket that is open: what stands before it, and its elements so far.
struct Open<'a> {
    before: Vec<Token<'a>>,
    elements: Vec<Vec<Token<'a>>>,
}

/// The tokens with the elements of every pair of brackets sorted, from the
/// innermost outwards. Elements end at commas; what is not balanced stays as
/// it is.
pub(super) fn sorted<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut open: Vec<Open<'a>> = Vec::new();
    let mut current: Vec<Token<'a>> = Vec::new();
    for token in tokens {
        match token.text {
            "{" | "[" | "(" => {
                current.push(*token);
                open.push(Open {
                    before: std::mem::take(&mut current),
                    elements: Vec::new(),
                });
            }
            "," if !open.is_empty() => {
                if let Some(open) = open.last_mut() {
                    open.elements.push(std::mem::take(&mut current));
                }
            }
            "}" | "]" | ")" => {
                if let Some(mut last) = open.pop() {
                    last.elements.push(std::mem::take(&mut current));
                    last.elements.sort_by_cached_key(|element| words(element));
                    current = close(last);
                }
                current.push(*token);
            }
            _ => current.push(*token),
        }
    }
    while let Some(mut last) = open.pop() {
        last.elements.push(std::mem::take(&mut current));
        current = close(last);
    }
    current
}

/// What stands before a bracket and its elements, as one line again.
fn close(open: Open<'_>) -> Vec<Token<'_>> {
    let mut line = open.before;
    for (at, element) in open.elements.into_iter().enumerate() {
        if at > 0 {
            line.push(Token {
                text: ",",
                class: Class::Punct,
            });
        }
        line.extend(
            element
                .into_iter()
                .filter(|token| token.class != Class::Space),
        );
    }
    line
}

fn words(element: &[Token<'_>]) -> String {
    let words = element.iter().filter(|token| token.class != Class::Space);
    words.map(|token| token.text).collect()
}

#[cfg(test)]
mod tests {
    use super::super::token::tokens;
    use super::*;

    #[test]
    fn elements_are_sorted_in_every_bracket() {
        for (text, expected) in [
            ("no brackets, at all", "no brackets, at all"),
            ("x {b, a} y", "x {a,b} y"),
            ("[(2, 1), (1, 0)]", "[(0,1),(1,2)]"),
            ("{}", "{}"),
            ("f(b, {d, c", "f(b,{d,c"),
            ("a) b] {2, 1}", "a) b] {1,2}"),
        ] {
            let found: String = sorted(&tokens(text))
                .iter()
                .map(|token| token.text)
                .collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
