//! One requirement as PEP 508 writes it: `name[extra] >=1,<2 ; marker`.

/// A requirement, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Normalized by [`normalize`].
    pub name: String,
    /// Normalized and sorted.
    pub extras: Vec<String>,
    /// The version specifiers as written, without parentheses; empty if any
    /// version will do.
    pub specifiers: String,
    /// What follows `@`.
    pub url: Option<String>,
    pub marker: Option<String>,
}

/// A distribution's name as it is compared (PEP 503): lower case, and every
/// run of `-`, `_` and `.` one `-`.
pub fn normalize(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

impl Requirement {
    /// Reads one requirement; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
            .unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return None;
        }
        let rest = rest.trim_start();
        let (extras, rest) = match rest.strip_prefix('[') {
            None => (Vec::new(), rest),
            Some(inner) => {
                let (list, rest) = inner.split_once(']')?;
                let mut extras: Vec<String> = list
                    .split(',')
                    .map(normalize)
                    .filter(|extra| !extra.is_empty())
                    .collect();
                extras.sort();
                extras.dedup();
                (extras, rest.trim_start())
            }
        };
        let mut requirement = Self {
            name: normalize(name),
            extras,
            specifiers: String::new(),
            url: None,
            marker: None,
        };
        if let Some(url) = rest.strip_prefix('@') {
            // A `;` may stand in a URL; only ` ;` begins a marker there.
            let (url, marker) = match url.split_once(" ;") {
                Some((url, marker)) => (url, Some(marker)),
                None => (url, None),
            };
            requirement.url = Some(url.trim().to_owned());
            requirement.marker = marker.and_then(filled);
            return requirement
                .url
                .as_ref()
                .is_some_and(|url| !url.is_empty())
                .then_some(requirement);
        }
        let (specifiers, marker) = match rest.split_once(';') {
            Some((specifiers, marker)) => (specifiers, Some(marker)),
            None => (rest, None),
        };
        let specifiers = specifiers.trim();
        let specifiers = specifiers
            .strip_prefix('(')
            .and_then(|inner| inner.strip_suffix(')'))
            .unwrap_or(specifiers)
            .trim();
        if !specifiers.is_empty() && !specifiers.starts_with(['=', '<', '>', '!', '~']) {
            return None;
        }
        requirement.specifiers = specifiers.to_owned();
        requirement.marker = marker.and_then(filled);
        Some(requirement)
    }

    /// The one version that the requirement allows: `==1.2` without a
    /// wildcard, or `===1.2`.
    pub fn exact_version(&self) -> Option<&str> {
        let version = self
            .specifiers
            .strip_prefix("===")
            .or_else(|| self.specifiers.strip_prefix("=="))?
            .trim();
        (!version.is_empty() && !version.contains(['*', ',', ' '])).then_some(version)
    }
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_that_people_write() {
        for (text, name, extras, specifiers, url, marker) in [
            ("six", "six", "", "", None, None),
            (
                "Flask_SQLAlchemy >= 3, < 4",
                "flask-sqlalchemy",
                "",
                ">= 3, < 4",
                None,
                None,
            ),
            (
                "uvicorn[standard, Standard]==0.30",
                "uvicorn",
                "standard",
                "==0.30",
                None,
                None,
            ),
            ("a.b (>=1)", "a-b", "", ">=1", None, None),
            (
                "tomli>=1; python_version < '3.11'",
                "tomli",
                "",
                ">=1",
                None,
                Some("python_version < '3.11'"),
            ),
            (
                "x @ https://e.org/x;y.whl ; os_name == 'posix'",
                "x",
                "",
                "",
                Some("https://e.org/x;y.whl"),
                Some("os_name == 'posix'"),
            ),
        ] {
            let found = Requirement::parse(text).unwrap();
            assert_eq!(found.name, name);
            assert_eq!(found.extras.join(","), extras);
            assert_eq!(found.specifiers, specifiers);
            assert_eq!(found.url.as_deref(), url);
            assert_eq!(found.marker.as_deref(), marker);
        }
    }

    #[test]
    fn what_is_not_a_requirement() {
        for text in [
            "",
            "-r x",
            "./folder",
            "git+https://e.org/x",
            "a[b",
            "a b",
            "a @",
        ] {
            assert_eq!(Requirement::parse(text), None, "{text}");
        }
    }

    #[test]
    fn exact_versions() {
        let exact = |text: &str| {
            Requirement::parse(text)
                .unwrap()
                .exact_version()
                .map(str::to_owned)
        };
        assert_eq!(exact("a==1.0"), Some("1.0".into()));
        assert_eq!(exact("a===1.0"), Some("1.0".into()));
        assert_eq!(exact("a==1.*"), None);
        assert_eq!(exact("a==1.0,!=2"), None);
        assert_eq!(exact("a~=1.0"), None);
    }
}
