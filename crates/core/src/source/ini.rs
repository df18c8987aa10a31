//! INI files as Python's `configparser` reads them: `setup.cfg`, `pip.conf`.

use std::collections::BTreeMap;

/// Section, then key (lower case), then value. The lines of a value that goes
/// on over several are joined by newlines.
pub type Ini = BTreeMap<String, BTreeMap<String, String>>;

/// Reads an INI text. Lines that make no sense are passed over.
pub fn parse(text: &str) -> Ini {
    let mut ini = Ini::new();
    let mut section = String::new();
    let mut key: Option<String> = None;
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        if indented && let Some(key) = &key {
            if let Some(value) = ini
                .get_mut(&section)
                .and_then(|section| section.get_mut(key))
            {
                value.push('\n');
                value.push_str(trimmed);
            }
            continue;
        }
        if let Some(name) = trimmed
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.trim().to_owned();
            ini.entry(section.clone()).or_default();
            key = None;
            continue;
        }
        let Some((name, value)) = trimmed.split_once(['=', ':']) else {
            key = None;
            continue;
        };
        let name = name.trim().to_lowercase();
        ini.entry(section.clone())
            .or_default()
            .insert(name.clone(), value.trim().to_owned());
        key = Some(name);
    }
    ini
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_comments_and_long_values() {
        let ini = parse(
            "[metadata]\nName = x\n; no\n[options]\ninstall_requires =\n    flask>=2\n    # why\n    six\npython_requires: >=3.8\n",
        );
        assert_eq!(ini["metadata"]["name"], "x");
        assert_eq!(ini["options"]["install_requires"], "\nflask>=2\nsix");
        assert_eq!(ini["options"]["python_requires"], ">=3.8");
    }
}
