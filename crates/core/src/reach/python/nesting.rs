//! How deeply Python source can nest, found without parsing it.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::Mode;
use ruff_python_parser::lexer::lex;

/// An upper bound, give or take a small factor, for the depth of the syntax
/// tree: open brackets, indentation, and the chains of operators, attributes
/// and calls between two commas or lines.
///
/// It holds for source with errors, too, from which the parser makes a tree of
/// its own: a bracket that closes another kind closes nothing here.
pub fn depth(text: &str) -> usize {
    let mut lexer = lex(text, Mode::Module);
    let mut deepest = 0;
    // What must end each bracket or string that is open, and what was before.
    let mut around: Vec<(TokenKind, Chain)> = Vec::new();
    let mut outer = 0;
    let mut here = Chain::default();
    loop {
        let token = lexer.next_token();
        if let Some(end) = end_of(token) {
            here.length += 1;
            outer += here.length;
            around.push((end, std::mem::take(&mut here)));
        } else if let Some((_, back)) = around.pop_if(|(end, _)| *end == token) {
            outer -= back.length;
            here = back;
        } else {
            match token {
                TokenKind::EndOfFile => break,
                TokenKind::Newline => {
                    around.clear();
                    outer = 0;
                    here = Chain::default();
                }
                _ => here.take(token),
            }
        }
        deepest = deepest.max(outer + here.length);
    }
    deepest + widest_indentation(text)
}

/// What hangs together between two brackets.
#[derive(Default)]
struct Chain {
    length: usize,
    /// Lambdas whose colon has not come yet: commas part their parameters.
    lambdas: usize,
    /// What follows `yield` is its own, commas or not.
    yields: bool,
}

impl Chain {
    fn take(&mut self, token: TokenKind) {
        match token {
            TokenKind::Comma if self.lambdas == 0 && !self.yields => self.length = 0,
            TokenKind::Comma => {}
            TokenKind::Colon if self.lambdas > 0 => self.lambdas -= 1,
            TokenKind::Lambda => {
                self.lambdas += 1;
                self.length += 1;
            }
            TokenKind::Yield => {
                self.yields = true;
                self.length += 1;
            }
            token if nests(token) => self.length += 1,
            _ => {}
        }
    }
}

/// The token that ends what this one begins.
fn end_of(token: TokenKind) -> Option<TokenKind> {
    Some(match token {
        TokenKind::Lpar => TokenKind::Rpar,
        TokenKind::Lsqb => TokenKind::Rsqb,
        TokenKind::Lbrace => TokenKind::Rbrace,
        TokenKind::FStringStart => TokenKind::FStringEnd,
        TokenKind::TStringStart => TokenKind::TStringEnd,
        _ => return None,
    })
}

/// False for tokens that any number of make no tree deeper: words, literals,
/// and the operators that take a list.
fn nests(token: TokenKind) -> bool {
    !matches!(
        token,
        TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::None
            | TokenKind::True
            | TokenKind::False
            | TokenKind::Ellipsis
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::Indent
            | TokenKind::Dedent
            | TokenKind::Semi
            | TokenKind::Equal
            | TokenKind::And
            | TokenKind::Or
            | TokenKind::In
            | TokenKind::Is
            | TokenKind::Less
            | TokenKind::Greater
            | TokenKind::LessEqual
            | TokenKind::GreaterEqual
            | TokenKind::EqEqual
            | TokenKind::NotEqual
    )
}

/// Every block is indented by one more character at least. Lines in brackets
/// count: the parser may find that a bracket was meant to end before.
fn widest_indentation(text: &str) -> usize {
    text.split(['\n', '\r'])
        .map(|line| line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::{Imports, Platform};
    use super::*;

    const PLATFORM: Platform = Platform { version: (3, 11) };

    #[test]
    fn flat_tables_are_shallow_and_chains_are_deep() {
        let table = format!("x = [{}]\n", "(1, 'a+b+c.d'), ".repeat(10_000));
        assert!(depth(&table) < 10);
        assert!(depth(&format!("x = {}1\n", "-".repeat(5_000))) >= 5_000);
        assert!(depth(&format!("x = a{}\n", "()".repeat(5_000))) >= 5_000);
        assert!(depth(&format!("x = {}\n", "[".repeat(5_000))) >= 5_000);
        assert!(depth(&format!("f'{{{}1}}'", "-".repeat(5_000))) >= 5_000);
        assert!(depth("# ((((((((((\n'((((((((((('\n") <= 1);
        assert!(depth(&"x = a.b.c(d) + {1: 'e', **f}\n".repeat(5_000)) < 10);
        assert!(depth(&format!("x({})\n", "lambda a, b: a, ".repeat(5_000))) < 10);
    }

    #[test]
    fn indentation_counts() {
        let mut text = String::new();
        for i in 0..200 {
            text += &format!("{}if x:\n", " ".repeat(i));
        }
        assert!(depth(&text) >= 199);
    }

    #[test]
    fn nothing_hides_depth() {
        for deep in [
            "-\\\n".repeat(500) + "1",
            format!("({}1)", "not\n".repeat(500)),
            format!("({}1)", "not\t".repeat(500)),
            "lambda a, b: ".repeat(500) + "1",
            "yield 1, ".repeat(500),
            format!("f\"{{\"\"{}1}}\"", "-".repeat(500)),
            format!("f'{{x:{{y}}}}' + {}1", "-".repeat(500)),
            "(], ".repeat(500),
            "f'{x]}', ".repeat(500) + &"~".repeat(500),
        ] {
            assert!(depth(&deep) >= 500, "{}", &deep[..40]);
        }
    }

    /// At the limit, on the small stack of a thread.
    #[test]
    fn what_is_deep_is_read_without_a_fall() {
        let shapes = [
            ("-", "1", ""),
            ("(", "1", ")"),
            ("[", "1", "]"),
            ("lambda a, b: ", "1", ""),
            ("f(", "1", ")"),
            ("1 if 1 else ", "1", ""),
            ("1**", "1", ""),
            ("not\\\n", "1", ""),
            ("yield ", "1", ""),
            ("await ", "1", ""),
            ("f'{", "1", "}'"),
            ("", "a", ".b"),
            ("", "a", "()"),
            ("(], ", "", ""),
            ("import a; -\\\n", "1", ""),
        ];
        for (before, middle, after) in shapes {
            for count in [700, 1_450, 2_900, 40_000] {
                let text = before.repeat(count) + middle + &after.repeat(count);
                let imports = Imports::of(text.as_bytes(), PLATFORM);
                assert!(!imports.scopes.is_empty(), "{before}");
            }
        }
        // These ended the program when their depth was not seen.
        for hidden in ["-\\\n", "not\\\n", "lambda a, b: "] {
            assert!(Imports::of(hidden.repeat(1_000_000).as_bytes(), PLATFORM).broken);
        }
        let line = format!("\nimport a; {}1\n", "-".repeat(4_000));
        let imports = Imports::of(line.repeat(2).as_bytes(), PLATFORM);
        assert!(imports.broken);
    }
}
