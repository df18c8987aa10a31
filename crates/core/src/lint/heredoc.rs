//! Here-documents of `RUN`, `COPY` and `ADD`.
//!
//! docs.docker.com, "Dockerfile reference", "Here-documents".

use std::ops::Range;

/// One here-document of a `RUN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HereDoc {
    /// Where its `<<` is.
    pub mark: usize,
    /// Behind the delimiter's name.
    pub mark_end: usize,
    /// Its lines, without the one that ends it.
    pub body: Range<usize>,
    /// The line that ends it.
    end: Range<usize>,
}

/// The here-documents of the `RUN` instructions of a Dockerfile, in order.
pub fn find(text: &str, escape: char) -> Vec<HereDoc> {
    let mut found = Vec::new();
    let mut lines = Lines { text, at: 0 };
    while let Some(start) = lines.instruction(escape) {
        let words = text[start.clone()].trim_start();
        let is = |name: &str| {
            let word = words.split_whitespace().next().unwrap_or_default();
            word.eq_ignore_ascii_case(name)
        };
        let runs = is("RUN") || is("ONBUILD");
        if !(runs || is("COPY") || is("ADD")) {
            continue;
        }
        for (mark, delimiter) in marks(text, start) {
            let body_start = lines.at;
            let mut end = None;
            while let Some(line) = lines.next() {
                let bare = text[line.clone()].trim_end_matches(['\n', '\r']);
                if bare == delimiter.name
                    || (delimiter.tabs && bare.trim_start_matches('\t') == delimiter.name)
                {
                    end = Some(line);
                    break;
                }
            }
            match end {
                Some(end) if runs => found.push(HereDoc {
                    mark,
                    mark_end: delimiter.end,
                    body: body_start..end.start,
                    end,
                }),
                Some(_) => {}
                // Without an end it is none; the parser tells.
                None => lines.at = body_start,
            }
        }
    }
    found
}

/// The text as long as it was, with those here-documents made comments: the
/// parser knows none but at the beginning of a command.
pub fn mask(text: &str, documents: &[HereDoc]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for document in documents {
        bytes[document.mark..document.mark + 2].fill(b'_');
        let mut first = true;
        for byte in &mut bytes[document.body.start..document.end.end] {
            match *byte {
                b'\n' => first = true,
                b'\r' => {}
                _ => {
                    *byte = if first { b'#' } else { b' ' };
                    first = false;
                }
            }
        }
    }
    // Every byte outside of ASCII belonged to a character that went whole.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

struct Lines<'t> {
    text: &'t str,
    at: usize,
}

impl Lines<'_> {
    /// The next line with its end.
    fn next(&mut self) -> Option<Range<usize>> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let line = self.at..self.at + length;
        self.at += length;
        Some(line)
    }

    /// The next instruction with its continued lines.
    fn instruction(&mut self, escape: char) -> Option<Range<usize>> {
        let quiet = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        let first = loop {
            let line = self.next()?;
            if !quiet(&self.text[line.clone()]) {
                break line;
            }
        };
        let mut whole = first.clone();
        let mut continued = self.text[first].trim_end().ends_with(escape);
        while continued {
            let Some(line) = self.next() else { break };
            whole.end = line.end;
            let text = &self.text[line];
            continued = quiet(text) || text.trim_end().ends_with(escape);
        }
        Some(whole)
    }
}

struct Delimiter {
    name: String,
    tabs: bool,
    end: usize,
}

/// The `<<NAME` of an instruction, outside of quotes.
fn marks(text: &str, within: Range<usize>) -> Vec<(usize, Delimiter)> {
    let bytes = &text.as_bytes()[..within.end];
    let mut found = Vec::new();
    let mut at = within.start;
    let mut quote = 0u8;
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'\\' if quote != b'\'' => at += 1,
            b'"' | b'\'' if quote == 0 => quote = byte,
            byte if byte == quote => quote = 0,
            b'<' if quote == 0 && bytes[at..].starts_with(b"<<<") => at += 2,
            b'<' if quote == 0 && bytes[at..].starts_with(b"<<") && begins_word(bytes, at) => {
                if let Some(delimiter) = delimiter(text, at, within.end) {
                    let end = delimiter.end;
                    found.push((at, delimiter));
                    at = end;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// `<<` and `3<<` begin words; `$((1<<2))` has none.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].iter().rev().find(|byte| !byte.is_ascii_digit());
    before.is_none_or(u8::is_ascii_whitespace)
}

fn delimiter(text: &str, mark: usize, end: usize) -> Option<Delimiter> {
    let rest = &text[mark + 2..end];
    let tabs = rest.starts_with('-');
    let raw = rest.strip_prefix('-').unwrap_or(rest);
    let length = raw
        .find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '|' | ';' | '&' | ')'))
        .unwrap_or(raw.len());
    let name: String = raw[..length]
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '\\'))
        .collect();
    (!name.is_empty()).then_some(Delimiter {
        name,
        tabs,
        end: mark + 2 + usize::from(tabs) + length,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(text: &str) -> Vec<&str> {
        find(text, '\\')
            .iter()
            .map(|document| &text[document.body.clone()])
            .collect()
    }

    #[test]
    fn bodies_of_run_only() {
        let text = "FROM a\nCOPY <<EOF /x\nRUN <<NO\nEOF\nRUN <<-'A' cat && \\\n  b <<B\n1\n\tA\n2\nB\nRUN c\n";
        assert_eq!(bodies(text), ["1\n", "2\n"]);
        assert!(bodies("RUN echo \"<<EOF\" $((1<<2)) <<<x\nEOF\n").is_empty());
        assert!(bodies("RUN <<EOF\nno end\n").is_empty());
    }

    #[test]
    fn a_masked_text_is_as_long_and_parses() {
        let text = "FROM a\nRUN bash -e <<EOF > /log\nécho\n\nFROM\nEOF\nRUN x\n";
        let masked = mask(text, &find(text, '\\'));
        assert_eq!(masked.len(), text.len());
        let file = parse_dockerfile::parse(&masked).unwrap();
        assert_eq!(file.instructions.len(), 3);
    }
}
