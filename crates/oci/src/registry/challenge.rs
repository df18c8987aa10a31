//! How a registry asks who somebody is (RFC 9110, section 11.6.1; RFC 6750;
//! distribution's token authentication).

/// One `WWW-Authenticate` challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case: `bearer`, `basic`.
    pub scheme: String,
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All challenges of one header.
    pub fn parse_all(header: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut rest = header;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let end = rest.find([' ', '\t', ',', '=']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if word.is_empty() {
                return found;
            }
            match (after.trim_start().strip_prefix('='), found.last_mut()) {
                (Some(value), Some(challenge)) => {
                    let (value, after) = read_value(value.trim_start());
                    challenge
                        .parameters
                        .push((word.to_ascii_lowercase(), value));
                    rest = after;
                }
                // A parameter before any scheme: not a challenge at all.
                (Some(_), None) => return found,
                (None, _) => {
                    found.push(Self {
                        scheme: word.to_ascii_lowercase(),
                        parameters: Vec::new(),
                    });
                    rest = after;
                }
            }
        }
    }
}

/// A token or a quoted string, and what comes behind it.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: &str) -> Vec<String> {
        Challenge::parse_all(header)
            .iter()
            .map(|challenge| format!("{} {:?}", challenge.scheme, challenge.parameters))
            .collect()
    }

    #[test]
    fn what_registries_send() {
        assert_eq!(
            shown(
                r#"Bearer realm="https://a.example/token?x=1,2",service="r",scope="repository:a:pull,push""#
            ),
            [
                r#"bearer [("realm", "https://a.example/token?x=1,2"), ("service", "r"), ("scope", "repository:a:pull,push")]"#
            ]
        );
        assert_eq!(
            shown(r#"Basic realm="a \"b\"", Bearer realm=x , error = "invalid_token""#),
            [
                r#"basic [("realm", "a \"b\"")]"#,
                r#"bearer [("realm", "x"), ("error", "invalid_token")]"#
            ]
        );
        assert_eq!(shown("Negotiate"), ["negotiate []"]);
    }

    #[test]
    fn nonsense_ends() {
        for header in [
            "",
            ",,,",
            "=x",
            "Basic realm=\"open",
            "Basic =",
            "\"\\",
            "é=é",
        ] {
            let _ = Challenge::parse_all(header);
        }
    }
}
