//! Shell text to tokens: words with quotes taken off, and operators.
//!
//! POSIX "Shell Command Language", 2.2 to 2.7, and the parts of bash that
//! scripts in images use. Text that no shell would accept still gives tokens.

use std::ops::Range;

/// A piece of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word without its quotes. What is put in by the shell stays as
    /// written (`$NAME`, `${NAME:-x}`), except for commands: `$()`.
    Word(String),
    /// `;`, `&`, `|`, `&&`, `||` or the end of a line.
    Separator,
    /// `;;` and its relatives in `case`.
    Break,
    Open,
    Close,
    /// `<`, `>>`, `2>&1` ...: the next word is a file.
    Redirect,
}

/// The tokens of a text, and the texts of commands inside of words.
#[derive(Debug, Default)]
pub struct Tokens {
    /// Each with the bytes of the text that it was made of.
    pub tokens: Vec<(Token, Range<usize>)>,
    pub nested: Vec<String>,
}

impl Tokens {
    pub fn read(text: &str) -> Self {
        let mut reader = Reader::new(text.as_bytes(), 0);
        let mut tokens = Vec::new();
        while let Some(token) = reader.token() {
            tokens.push((token, reader.start..reader.at));
        }
        Self {
            tokens,
            nested: reader.nested,
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the token began that was read last.
    start: usize,
    nested: Vec<String>,
    /// Here-documents whose bodies begin on the next line: delimiter, and
    /// whether commands inside of them run.
    documents: Vec<(Vec<u8>, bool)>,
    /// How many `${` are open around this text.
    depth: usize,
}

/// Depth of `${A:-${B:-...}}` that is looked into.
const MAX_DEPTH: usize = 16;

impl<'a> Reader<'a> {
    fn new(text: &'a [u8], depth: usize) -> Self {
        Self {
            text,
            at: 0,
            start: 0,
            nested: Vec::new(),
            documents: Vec::new(),
            depth,
        }
    }

    /// The commands inside of a text that is not a command itself.
    fn substitutions(text: &'a [u8], depth: usize) -> Vec<String> {
        let mut reader = Self::new(text, depth);
        let mut ignored = Vec::new();
        while let Some(byte) = reader.peek() {
            reader.expansion_or_byte(byte, &mut ignored);
        }
        reader.nested
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn ahead(&self, text: &str) -> bool {
        self.text[self.at..].starts_with(text.as_bytes())
    }

    /// Steps over `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let there = self.ahead(text);
        if there {
            self.at += text.len();
        }
        there
    }

    /// Every round moves on by a byte at least.
    fn token(&mut self) -> Option<Token> {
        loop {
            let byte = self.peek()?;
            self.start = self.at;
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.ahead("\\\n") => self.at += 2,
                b'#' => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                }
                b'\n' => {
                    self.at += 1;
                    self.skip_documents();
                    return Some(Token::Separator);
                }
                b';' if self.take(";;&") || self.take(";;") || self.take(";&") => {
                    return Some(Token::Break);
                }
                b'&' if self.take("&>>") || self.take("&>") => return Some(Token::Redirect),
                b';' | b'&' | b'|' => {
                    self.at += 1;
                    return Some(Token::Separator);
                }
                b'(' => {
                    self.at += 1;
                    if self.peek() == Some(b'(') {
                        // `((...))` computes and runs nothing.
                        self.enclosed(b'(', b')');
                        self.take(")");
                        continue;
                    }
                    return Some(Token::Open);
                }
                b')' => {
                    self.at += 1;
                    return Some(Token::Close);
                }
                b'<' | b'>' if self.text.get(self.at + 1) == Some(&b'(') => {
                    return Some(self.word());
                }
                b'<' | b'>' => {
                    if let Some(token) = self.redirect() {
                        return Some(token);
                    }
                }
                _ => return Some(self.word()),
            }
        }
    }

    fn redirect(&mut self) -> Option<Token> {
        if self.take("<<<") {
            return Some(Token::Redirect);
        }
        if self.take("<<-") || self.take("<<") {
            while matches!(self.peek(), Some(b' ' | b'\t')) {
                self.at += 1;
            }
            let start = self.at;
            if let Token::Word(delimiter) = self.word() {
                let raw = &self.text[start..self.at];
                let quoted = raw.iter().any(|b| matches!(b, b'\'' | b'"' | b'\\'));
                self.documents.push((delimiter.into_bytes(), !quoted));
            }
            return None;
        }
        let duplicates = self.take(">&") || self.take("<&");
        if duplicates {
            // `2>&1`, `>&-`: a number, not a file.
            let start = self.at;
            while matches!(self.peek(), Some(b'0'..=b'9' | b'-')) {
                self.at += 1;
            }
            return (self.at == start).then_some(Token::Redirect);
        }
        let _ = self.take(">>") || self.take(">|") || self.take("<>");
        if matches!(self.text.get(self.at.wrapping_sub(1)), Some(b'>' | b'|'))
            && matches!(self.text.get(self.at.wrapping_sub(2)), Some(b'>' | b'<'))
        {
            return Some(Token::Redirect);
        }
        self.at += 1;
        Some(Token::Redirect)
    }

    /// Steps over the bodies of here-documents; commands in them are kept.
    fn skip_documents(&mut self) {
        for (delimiter, expands) in std::mem::take(&mut self.documents) {
            let start = self.at;
            let mut end = self.text.len();
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                let line = &rest[..length];
                let line_start = self.at;
                self.at = (self.at + length + 1).min(self.text.len());
                let bare = line.strip_suffix(b"\r").unwrap_or(line);
                let tabs = bare.iter().take_while(|b| **b == b'\t').count();
                if bare[tabs..] == delimiter[..] {
                    end = line_start;
                    break;
                }
            }
            if expands {
                let mut body = Reader::substitutions(&self.text[start..end], self.depth);
                self.nested.append(&mut body);
            }
        }
    }

    fn word(&mut self) -> Token {
        let mut word = Vec::new();
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'<' | b'>' if self.text.get(self.at + 1) == Some(&b'(') => {
                    self.at += 1;
                    self.command(&mut word);
                }
                b' ' | b'\t' | b'\n' | b'\r' | b';' | b'&' | b'|' | b'(' | b')' => break,
                b'<' | b'>' => {
                    // `2>file`: the number belongs to the redirection.
                    if self.text[start..self.at].iter().all(u8::is_ascii_digit) {
                        if let Some(token) = self.redirect() {
                            return token;
                        }
                        // A here-document or a duplicate: nothing to name.
                        return self.token().unwrap_or(Token::Separator);
                    }
                    break;
                }
                b'\'' => {
                    self.at += 1;
                    let rest = &self.text[self.at..];
                    let length = memchr::memchr(b'\'', rest).unwrap_or(rest.len());
                    word.extend_from_slice(&rest[..length]);
                    self.at = (self.at + length + 1).min(self.text.len());
                }
                b'"' => self.quoted(&mut word),
                b'\\' => {
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        if next != b'\n' {
                            word.push(next);
                        }
                        self.at += 1;
                    }
                }
                byte => self.expansion_or_byte(byte, &mut word),
            }
        }
        Token::Word(String::from_utf8_lossy(&word).into_owned())
    }

    /// `"..."`.
    fn quoted(&mut self, word: &mut Vec<u8>) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    self.at += 1;
                    if let Some(next) = self.peek() {
                        match next {
                            b'\n' => {}
                            b'"' | b'\\' | b'$' | b'`' => word.push(next),
                            _ => word.extend([b'\\', next]),
                        }
                        self.at += 1;
                    }
                }
                byte => self.expansion_or_byte(byte, word),
            }
        }
    }

    /// One `$...`, `` `...` `` or plain byte.
    fn expansion_or_byte(&mut self, byte: u8, word: &mut Vec<u8>) {
        match byte {
            b'`' => {
                self.at += 1;
                let mut inner = Vec::new();
                while let Some(byte) = self.peek() {
                    self.at += 1;
                    match byte {
                        b'`' => break,
                        b'\\' if matches!(self.peek(), Some(b'`' | b'\\' | b'$')) => {
                            inner.extend(self.peek());
                            self.at += 1;
                        }
                        byte => inner.push(byte),
                    }
                }
                self.nested
                    .push(String::from_utf8_lossy(&inner).into_owned());
                word.extend_from_slice(b"$()");
            }
            b'$' if self.ahead("$((") => {
                self.at += 1;
                self.enclosed(b'(', b')');
                word.extend_from_slice(b"$()");
            }
            b'$' if self.ahead("$(") => {
                self.at += 1;
                self.command(word);
            }
            b'$' if self.ahead("${") => {
                self.at += 1;
                let inner = self.enclosed(b'{', b'}');
                word.extend_from_slice(b"${");
                word.extend_from_slice(&inner);
                word.push(b'}');
                // A default value may be a command.
                if self.depth < MAX_DEPTH {
                    let mut inner = Reader::substitutions(&inner, self.depth + 1);
                    self.nested.append(&mut inner);
                }
            }
            byte => {
                word.push(byte);
                self.at += 1;
            }
        }
    }

    /// `(...)` behind `$`, `<` or `>`.
    fn command(&mut self, word: &mut Vec<u8>) {
        let inner = self.enclosed(b'(', b')');
        self.nested
            .push(String::from_utf8_lossy(&inner).into_owned());
        word.extend_from_slice(b"$()");
    }

    /// Steps over a bracket and what belongs to it, and hands over the inside.
    /// Brackets in quotes don't count.
    fn enclosed(&mut self, open: u8, close: u8) -> Vec<u8> {
        let start = self.at + 1;
        let mut depth = 0usize;
        let mut quote = 0u8;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' if quote != b'\'' => self.at = (self.at + 1).min(self.text.len()),
                b'\'' | b'"' if quote == 0 => quote = byte,
                byte if byte == quote => quote = 0,
                byte if quote == 0 && byte == open => depth += 1,
                byte if quote == 0 && byte == close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return self.text[start..self.at - 1].to_vec();
                    }
                }
                _ => {}
            }
        }
        self.text.get(start..).unwrap_or_default().to_vec()
    }
}
