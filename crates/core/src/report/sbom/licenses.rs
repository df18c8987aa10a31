//! What packages say of their licences, as SPDX licence expressions.
//!
//! Only what is written is passed on, and only where it has one meaning: a
//! field that says "BSD" stays a text.

use std::collections::BTreeSet;

/// What a package says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Licenses {
    /// An SPDX licence expression, of SPDX's own identifiers and `LicenseRef-`
    /// ones; `None` if nothing is known that could be written as one.
    pub expression: Option<String>,
    /// What is said where it is no expression: the field as written.
    pub comment: Option<String>,
}

impl Licenses {
    fn of(expression: String) -> Self {
        Self {
            expression: Some(expression),
            comment: None,
        }
    }
}

/// Longest text that is taken for a name of a licence; some projects put the
/// whole licence into `License`.
const MAX_NAME: usize = 120;

/// The licence of a Python distribution by its `METADATA`: `License-Expression`
/// (PEP 639), else `License` where it names one, else its classifiers.
pub fn of_python(metadata: &str) -> Licenses {
    let head = metadata.split("\n\n").next().unwrap_or_default();
    let fields = |name: &'static str| {
        head.lines().filter_map(move |line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    if let Some(expression) = fields("License-Expression").find_map(expression) {
        return Licenses::of(expression);
    }
    let written = fields("License").find(|text| !text.is_empty() && *text != "UNKNOWN");
    if let Some(found) = written.and_then(|text| by_name(text).or_else(|| known_expression(text))) {
        return Licenses::of(found);
    }
    let classified: Vec<&str> = fields("Classifier")
        .filter_map(|classifier| classifier.strip_prefix("License ::"))
        .map(|path| path.rsplit("::").next().unwrap_or_default().trim())
        .filter(|name| *name != "OSI Approved")
        .collect();
    // Several classifiers may mean a choice as well as a sum: not said.
    if let [one] = classified[..]
        && let Some(found) = by_name(one)
    {
        return Licenses::of(found);
    }
    let comment = written
        .map(str::to_owned)
        .or_else(|| (!classified.is_empty()).then(|| classified.join(", ")));
    Licenses {
        expression: None,
        comment: comment.map(|text| shortened(&text)),
    }
}

/// The licences of a Debian package by its `copyright`, if that is in the
/// machine-readable form (DEP 5): all that any of its files has.
///
/// Files of the packaging itself (`debian/*`) are in no binary package.
pub fn of_debian(copyright: &str) -> Licenses {
    let mut paragraphs = paragraphs(copyright);
    let is_dep5 = paragraphs.next().is_some_and(|head| {
        field(head, "Format").is_some_and(|format| format.contains("copyright-format"))
    });
    if !is_dep5 {
        return Licenses::default();
    }
    let mut found = BTreeSet::new();
    for paragraph in paragraphs {
        let Some(files) = field(paragraph, "Files") else {
            continue;
        };
        let is_packaging = files
            .split_whitespace()
            .chain(continued(paragraph, "Files"))
            .all(|glob| glob.starts_with("debian/"));
        if is_packaging {
            continue;
        }
        let expression = field(paragraph, "License").and_then(debian_expression);
        match expression {
            Some(sum) if !sum.contains(" OR ") && !sum.contains('(') => {
                found.extend(sum.split(" AND ").map(str::to_owned));
            }
            other => found.extend(other),
        }
    }
    let is_sum = found.len() > 1;
    let terms: Vec<String> = found
        .into_iter()
        .map(|term| match is_sum && term.contains(" OR ") {
            true => format!("({term})"),
            false => term,
        })
        .collect();
    match terms.is_empty() {
        true => Licenses::default(),
        false => Licenses::of(terms.join(" AND ")),
    }
}

/// The paragraphs of a text, as they stand there.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n\n")
        .map(|paragraph| paragraph.trim_matches('\n'))
        .filter(|paragraph| !paragraph.trim().is_empty())
}

/// The first line of a field.
fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    paragraph.lines().find_map(|line| {
        let (field, value) = line.split_once(':')?;
        field.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The words of a field's other lines.
fn continued<'a>(paragraph: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    paragraph
        .lines()
        .skip_while(move |line| {
            let field = line.split_once(':').map(|(field, _)| field);
            !field.is_some_and(|field| field.eq_ignore_ascii_case(name))
        })
        .skip(1)
        .take_while(|line| line.starts_with([' ', '\t']))
        .flat_map(str::split_whitespace)
}

/// `GPL-2+ or Artistic`, `Expat, and BSD-3-clause`: DEP 5's own grammar, in
/// which a comma makes what follows weaker than what is before it.
fn debian_expression(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() || line.len() > 4 * MAX_NAME {
        return None;
    }
    // Without commas `and` binds more than `or`, as SPDX has it, too.
    let has_commas = line.contains(',');
    let parts: Vec<&str> = line.split(',').collect();
    let mut written = String::new();
    for part in parts {
        let mut words: Vec<&str> = part.split_whitespace().collect();
        let link = match words
            .first()
            .map(|word| word.to_ascii_lowercase())
            .as_deref()
        {
            Some("and") if !written.is_empty() => Some(" AND "),
            Some("or") if !written.is_empty() => Some(" OR "),
            _ => None,
        };
        if link.is_some() {
            words.remove(0);
        }
        let terms = debian_terms(&words);
        if terms.is_empty() {
            continue;
        }
        let term = match has_commas && terms.contains(' ') {
            true => format!("({terms})"),
            false => terms,
        };
        if !written.is_empty() {
            written.push_str(link.unwrap_or(" AND "));
        }
        written.push_str(&term);
    }
    (!written.is_empty()).then_some(written)
}

/// Short names between `and` and `or`. A name that is followed by more words
/// (`GPL-2+ with OpenSSL exception`) is one of its own.
fn debian_terms(words: &[&str]) -> String {
    let mut written = String::new();
    let mut name: Vec<&str> = Vec::new();
    let close = |written: &mut String, name: &mut Vec<&str>| {
        if !name.is_empty() {
            written.push_str(&debian_name(&name.join(" ")));
            name.clear();
        }
    };
    for word in words {
        let link = match word.to_ascii_lowercase().as_str() {
            "and" => " AND ",
            "or" | "and/or" => " OR ",
            _ => {
                name.push(word);
                continue;
            }
        };
        close(&mut written, &mut name);
        if !written.is_empty() && !written.ends_with(' ') {
            written.push_str(link);
        }
    }
    close(&mut written, &mut name);
    written
        .trim_end_matches([' '])
        .trim_end_matches(" AND")
        .trim_end_matches(" OR")
        .to_owned()
}

/// A short name of Debian's as SPDX's identifier, or as a reference.
fn debian_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    // `GPL-2+`, `LGPL-2.1`, `AGPL-3.0+`.
    for (family, spdx) in [
        ("agpl-", "AGPL"),
        ("lgpl-", "LGPL"),
        ("gpl-", "GPL"),
        ("gfdl-", "GFDL"),
    ] {
        if let Some(version) = lower.strip_prefix(family) {
            let (number, suffix) = match version
                .strip_suffix('+')
                .or_else(|| version.strip_suffix("-or-later"))
            {
                Some(number) => (number, "or-later"),
                None => (version.strip_suffix("-only").unwrap_or(version), "only"),
            };
            let number = match number.contains('.') {
                true => number.to_owned(),
                false => format!("{number}.0"),
            };
            if matches!(
                (spdx, number.as_str()),
                ("AGPL", "3.0")
                    | ("GPL", "1.0" | "2.0" | "3.0")
                    | ("LGPL", "2.0" | "2.1" | "3.0")
                    | ("GFDL", "1.1" | "1.2" | "1.3")
            ) {
                return format!("{spdx}-{number}-{suffix}");
            }
        }
    }
    by_name(name).unwrap_or_else(|| reference(name))
}

/// `LicenseRef-` and what may stand in one.
fn reference(name: &str) -> String {
    let mut out = "LicenseRef-Debian-".to_owned();
    for c in name.chars().take(MAX_NAME) {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' => out.push(c),
            '+' => out.push_str("-or-later"),
            _ if out.ends_with('-') => {}
            _ => out.push('-'),
        }
    }
    out.trim_end_matches('-').to_owned()
}

/// Names that mean one licence, in lower case, and its identifier. Identifiers
/// themselves are in [`KNOWN`].
const NAMES: [(&str, &str); 30] = [
    ("expat", "MIT"),
    ("mit license", "MIT"),
    ("the mit license", "MIT"),
    ("the mit license (mit)", "MIT"),
    ("mit/expat", "MIT"),
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("cc0", "CC0-1.0"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("bsd-3-clause license", "BSD-3-Clause"),
    ("new bsd", "BSD-3-Clause"),
    ("mpl 2.0", "MPL-2.0"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("isc license", "ISC"),
    ("isc license (iscl)", "ISC"),
    ("the unlicense (unlicense)", "Unlicense"),
    ("zpl 2.1", "ZPL-2.1"),
    ("gnu general public license v2 (gplv2)", "GPL-2.0-only"),
    ("gnu general public license v3 (gplv3)", "GPL-3.0-only"),
    (
        "gnu general public license v3 or later (gplv3+)",
        "GPL-3.0-or-later",
    ),
    (
        "gnu lesser general public license v3 or later (lgplv3+)",
        "LGPL-3.0-or-later",
    ),
    (
        "gnu lesser general public license v3 (lgplv3)",
        "LGPL-3.0-only",
    ),
];

/// Identifiers of SPDX's list that are met in practice.
const KNOWN: [&str; 44] = [
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSL-1.0",
    "bzip2-1.0.6",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "curl",
    "EPL-1.0",
    "EPL-2.0",
    "FSFAP",
    "FSFUL",
    "FSFULLR",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ISC",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "PSF-2.0",
    "Unlicense",
    "Zlib",
];

fn by_name(name: &str) -> Option<String> {
    let name = name.trim();
    let named = || {
        let mut names = NAMES.iter();
        names.find(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    listed(name)
        .or_else(|| named().map(|(_, id)| *id))
        .map(str::to_owned)
}

/// An identifier as SPDX's list spells it.
fn listed(id: &str) -> Option<&'static str> {
    KNOWN
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(id))
}

/// A text as a licence expression, if it has the form of one: identifiers, `AND`,
/// `OR`, `WITH` and brackets (SPDX 2.3, annex D). PEP 639 has builders check the
/// identifiers.
fn expression(text: &str) -> Option<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut written = String::new();
    let (mut depth, mut after_term) = (0usize, false);
    for word in spaced.split_whitespace() {
        let operator = ["AND", "OR", "WITH"]
            .into_iter()
            .find(|operator| operator.eq_ignore_ascii_case(word));
        match (word, operator, after_term) {
            ("(", _, false) => depth += 1,
            (")", _, true) => depth = depth.checked_sub(1)?,
            (_, Some(_), true) => after_term = false,
            ("(" | ")", ..) | (_, Some(_), false) | (_, None, true) => return None,
            (id, None, false) if is_identifier(id) => after_term = true,
            _ => return None,
        }
        let glued = written.is_empty() || written.ends_with('(') || word == ")";
        if !glued {
            written.push(' ');
        }
        written.push_str(operator.or(listed(word)).unwrap_or(word));
    }
    (after_term && depth == 0).then_some(written)
}

/// The same where nobody has checked the identifiers.
fn known_expression(text: &str) -> Option<String> {
    let expression = expression(text).filter(|_| text.len() <= MAX_NAME)?;
    let is_known = identifiers(&expression).all(|id| KNOWN.contains(&id));
    is_known.then_some(expression)
}

fn is_identifier(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | ':'))
}

/// The licences and exceptions that an expression names.
pub fn identifiers(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split([' ', '(', ')'])
        .filter(|word| !word.is_empty() && !matches!(*word, "AND" | "OR" | "WITH"))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_fields() {
        let of = |fields: &str| of_python(&format!("Name: a\n{fields}\n\nLicense: MIT\n"));
        for (fields, expected) in [
            ("License-Expression: mit", "MIT"),
            (
                "License-Expression: Apache-2.0 or ( MIT and BSD-3-Clause )\nLicense: x",
                "Apache-2.0 OR (MIT AND BSD-3-Clause)",
            ),
            (
                "License-Expression: GPL-2.0-only WITH Classpath-exception-2.0",
                "GPL-2.0-only WITH Classpath-exception-2.0",
            ),
            ("License: Apache License 2.0", "Apache-2.0"),
            ("License: MIT OR Apache-2.0", "MIT OR Apache-2.0"),
            (
                "License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License",
                "MIT",
            ),
            (
                "License: BSD\nClassifier: License :: OSI Approved\n\
                 Classifier: License :: OSI Approved :: ISC License (ISCL)",
                "ISC",
            ),
        ] {
            assert_eq!(of(fields).expression.as_deref(), Some(expected), "{fields}");
        }
        for (fields, comment) in [
            ("", None),
            ("License: BSD", Some("BSD")),
            ("License: Foo OR MIT", Some("Foo OR MIT")),
            (
                "Classifier: License :: OSI Approved :: MIT License\n\
                 Classifier: License :: OSI Approved :: BSD License",
                Some("MIT License, BSD License"),
            ),
            ("License-Expression: MIT AND", None),
        ] {
            let found = of(fields);
            assert_eq!(found.expression, None, "{fields}");
            assert_eq!(found.comment.as_deref(), comment, "{fields}");
        }
        let long = of(&format!("License: {}", "é".repeat(500)))
            .comment
            .unwrap();
        assert_eq!(long.chars().count(), MAX_NAME + 1);
    }

    #[test]
    fn debians_copyright() {
        let text = "\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: x

Files: *
Copyright: 2020 A
License: GPL-2+ or Expat
 The text.
 .
 More.

Files: lib/*
 src/*
Copyright: 2020 B
License: BSD-3-clause

Files: debian/*
 debian/x
Copyright: 2020 C
License: GPL-3

Files: b
License: public-domain and BSD-3-clause

License: LGPL-2.1
 Text that nothing has.
";
        assert_eq!(
            of_debian(text).expression.unwrap(),
            "BSD-3-Clause AND (GPL-2.0-or-later OR MIT) AND LicenseRef-Debian-public-domain"
        );
        assert_eq!(of_debian("This is free software."), Licenses::default());
        assert_eq!(of_debian(""), Licenses::default());
        let only_head = text.split("\n\n").next().unwrap();
        assert_eq!(of_debian(only_head), Licenses::default());
    }

    #[test]
    fn debians_grammar() {
        for (line, expected) in [
            ("Expat", "MIT"),
            ("Apache-2.0", "Apache-2.0"),
            ("LGPL-2+", "LGPL-2.0-or-later"),
            ("LGPL-2.1", "LGPL-2.1-only"),
            ("gpl-3.0-or-later", "GPL-3.0-or-later"),
            ("GPL-2 and Zlib or ISC", "GPL-2.0-only AND Zlib OR ISC"),
            (
                "GPL-1+ or Artistic-1.0, and BSD-2-clause",
                "(GPL-1.0-or-later OR Artistic-1.0) AND BSD-2-Clause",
            ),
            (
                "GPL-2+ with OpenSSL exception",
                "LicenseRef-Debian-GPL-2-or-later-with-OpenSSL-exception",
            ),
            ("GPL-9", "LicenseRef-Debian-GPL-9"),
            ("GPL", "LicenseRef-Debian-GPL"),
            ("Expat or", "MIT"),
            ("or Expat", "MIT"),
        ] {
            assert_eq!(debian_expression(line).as_deref(), Some(expected), "{line}");
        }
        for line in ["", " ", ",", "or", "and, or"] {
            assert_eq!(debian_expression(line), None, "{line:?}");
        }
    }

    proptest::proptest! {
        /// Whatever is said becomes an expression that can be read, or none.
        #[test]
        fn any_line(line in "((GPL-2\\+|Expat|and|or|with|x/y|[(),]|\\PC{1,3}) ?){0,8}") {
            if let Some(found) = debian_expression(&line) {
                proptest::prop_assert_eq!(expression(&found), Some(found));
            }
            of_python(&format!("License: {line}\nLicense-Expression: {line}\n"));
        }
    }
}
