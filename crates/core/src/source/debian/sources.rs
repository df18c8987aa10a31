//! The host's apt sources (sources.list(5)): who serves Debian here.

use super::paragraph;

/// One `deb` entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub uris: Vec<String>,
    pub suites: Vec<String>,
    pub components: Vec<String>,
    pub signed_by: Option<SignedBy>,
}

/// Which keys an entry trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// Absolute path of a keyring.
    File(String),
    /// An armoured key that stands in the entry itself.
    Armored(String),
}

/// Reads the one-line form: `deb [option=value ...] URI SUITE COMPONENT...`.
pub fn parse_list(text: &str) -> Vec<Source> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Source> {
    let line = line.split('#').next()?.trim();
    let rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t', '[']) {
        return None;
    }
    let rest = rest.trim_start();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace().map(str::to_owned);
    let uri = words.next()?;
    let suite = words.next()?;
    let signed_by = options
        .split_whitespace()
        .filter_map(|option| option.split_once('='))
        .find(|(name, _)| name.eq_ignore_ascii_case("signed-by"))
        .and_then(|(_, value)| value.split(',').find_map(keyring_file));
    Some(Source {
        uris: vec![uri],
        suites: vec![suite],
        components: words.collect(),
        signed_by,
    })
}

/// Reads the deb822 form (`*.sources`).
pub fn parse_sources(text: &str) -> Vec<Source> {
    paragraph::parse(text)
        .iter()
        .filter(|stanza| stanza.words("Types").any(|kind| kind == "deb"))
        .filter(|stanza| !is_off(stanza.get("Enabled")))
        .map(|stanza| Source {
            uris: stanza.words("URIs").map(str::to_owned).collect(),
            suites: stanza.words("Suites").map(str::to_owned).collect(),
            components: stanza.words("Components").map(str::to_owned).collect(),
            signed_by: signed_by(stanza.lines("Signed-By")),
        })
        .filter(|source| !source.uris.is_empty() && !source.suites.is_empty())
        .collect()
}

/// apt's idea of a false value.
fn is_off(value: Option<&str>) -> bool {
    value.is_some_and(|value| {
        ["no", "false", "without", "off", "disable", "0"]
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word))
    })
}

/// A path, or a whole key whose empty lines are written as dots. Fingerprints
/// name keys of apt's own trusted set, which the archive's keys stand for here.
fn signed_by(lines: &[&str]) -> Option<SignedBy> {
    if lines.iter().any(|line| line.starts_with("-----BEGIN PGP")) {
        let key: Vec<&str> = lines
            .iter()
            .map(|line| if *line == "." { "" } else { line })
            .skip_while(|line| line.is_empty())
            .collect();
        return Some(SignedBy::Armored(key.join("\n") + "\n"));
    }
    lines
        .iter()
        .flat_map(|line| line.split_whitespace())
        .find_map(keyring_file)
}

fn keyring_file(value: &str) -> Option<SignedBy> {
    value
        .starts_with('/')
        .then(|| SignedBy::File(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_form() {
        let found = parse_list(
            "# deb http://old/debian bookworm main\n\
             deb http://one/debian bookworm main contrib # why not\n\
             deb [arch=amd64 signed-by=/k/a.gpg,/k/b.gpg] https://two/debian trixie main\n\
             deb-src http://one/debian bookworm main\n\
             debris http://one/debian bookworm main\n\
             deb [ trusted=yes http://broken/debian\n\
             deb cdrom:[Debian 12]/ bookworm main\n",
        );
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].uris, ["http://one/debian"]);
        assert_eq!(found[0].components, ["main", "contrib"]);
        assert_eq!(found[1].suites, ["trixie"]);
        assert_eq!(found[1].signed_by, Some(SignedBy::File("/k/a.gpg".into())));
    }

    #[test]
    fn deb822_form() {
        let found = parse_sources(
            "Types: deb deb-src\n# a comment between\nURIs: http://one/debian\n http://two/debian\n\
             Suites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k/a.gpg\n\n\
             Types: deb\nURIs: http://x\nSuites: bookworm\nEnabled: No\n\n\
             Types: deb-src\nURIs: http://x\nSuites: bookworm\n\n\
             Types: deb\nURIs: http://three/debian\nSuites: trixie\nComponents: main\n\
             Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n \
             -----END PGP PUBLIC KEY BLOCK-----\n",
        );
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].uris, ["http://one/debian", "http://two/debian"]);
        assert_eq!(found[0].suites, ["bookworm", "bookworm-updates"]);
        assert_eq!(
            found[1].signed_by,
            Some(SignedBy::Armored(
                "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----\n"
                    .into()
            ))
        );
    }
}
