//! Requirements files, as pip reads them.

use super::{Pin, PinFile, PinSource, Requirement};

/// One logical line of a requirements file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    Requirement {
        requirement: Requirement,
        /// `sha256:...` of each `--hash`.
        hashes: Vec<String>,
    },
    /// `-r FILE`.
    Include(String),
    /// `-c FILE`.
    Constraints(String),
    /// A path, a bare URL, `-e ...`, or an option of the installer.
    Other(String),
}

/// Reads a requirements file. Never fails: what it does not understand is
/// [`Line::Other`] and left to the installer.
pub fn parse(text: &str) -> Vec<Line> {
    logical_lines(text)
        .into_iter()
        .map(|line| parse_line(&line))
        .collect()
}

/// The pins of a list in which every requirement has an exact version and a
/// hash; `None` if it is not such a list.
pub fn hashed_pins(lines: &[Line]) -> Option<Vec<Pin>> {
    let mut pins = Vec::new();
    for line in lines {
        match line {
            Line::Requirement {
                requirement,
                hashes,
            } if !hashes.is_empty() => {
                let source = match &requirement.url {
                    Some(url) => PinSource::Url(url.clone()),
                    None => PinSource::Index,
                };
                let version = requirement.exact_version();
                if version.is_none() && source == PinSource::Index {
                    return None;
                }
                pins.push(
                    Pin {
                        name: requirement.name.clone(),
                        version: version.map(str::to_owned),
                        marker: requirement.marker.clone(),
                        source,
                        files: hashes
                            .iter()
                            .map(|hash| PinFile {
                                hash: hash.clone(),
                                name: None,
                            })
                            .collect(),
                    }
                    .sorted(),
                );
            }
            Line::Other(option) if is_harmless(option) => {}
            _ => return None,
        }
    }
    pins.sort();
    (!pins.is_empty()).then_some(pins)
}

/// Options that change nothing about which files are installed. A list that
/// names an index of its own cannot be taken apart from it.
fn is_harmless(option: &str) -> bool {
    option == "--require-hashes" || option.starts_with("--trusted-host")
}

fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        // pip: a comment begins at the start of a line or after white space,
        // and a comment line ends a continuation.
        let line = match line.trim_start().starts_with('#') {
            true => "",
            false => match line.find(" #").or_else(|| line.find("\t#")) {
                Some(at) => &line[..at],
                None => line,
            },
        };
        match line.trim_end().strip_suffix('\\') {
            Some(part) => {
                open.push_str(part);
                open.push(' ');
            }
            None => {
                open.push_str(line);
                lines.push(std::mem::take(&mut open));
            }
        }
    }
    lines.push(open);
    lines.retain(|line| !line.trim().is_empty());
    lines
}

fn parse_line(line: &str) -> Line {
    let line = line.trim();
    for (short, long, make) in [
        ("-r", "--requirement", Line::Include as fn(String) -> Line),
        (
            "-c",
            "--constraint",
            Line::Constraints as fn(String) -> Line,
        ),
    ] {
        let rest = line
            .strip_prefix(long)
            .and_then(|rest| rest.strip_prefix([' ', '=']))
            .or_else(|| line.strip_prefix(short));
        if let Some(file) = rest {
            return make(file.trim().to_owned());
        }
    }
    let (text, options) = match line.find(" --") {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    let Some(requirement) = Requirement::parse(text) else {
        return Line::Other(line.to_owned());
    };
    let words: Vec<&str> = options.split_whitespace().collect();
    let mut hashes = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.strip_prefix("--hash") {
            Some("") => hashes.extend(words.next().map(str::to_owned)),
            Some(rest) if rest.starts_with('=') => hashes.push(rest[1..].to_owned()),
            // `--config-settings` and the like: the installer's business.
            _ => return Line::Other(line.to_owned()),
        }
    }
    Line::Requirement {
        requirement,
        hashes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_continuations_and_options() {
        let lines = parse(
            "\u{feff}# a list\n-r base.txt\n--requirement=more.txt\n-c pins.txt\n\
             six==1.16.0 \\\n    --hash=sha256:aa \\\n    --hash sha256:bb  # why\n\
             flask # web\n-e .\n./lib\n--index-url https://e.org/simple\n",
        );
        assert_eq!(lines[0], Line::Include("base.txt".into()));
        assert_eq!(lines[1], Line::Include("more.txt".into()));
        assert_eq!(lines[2], Line::Constraints("pins.txt".into()));
        let Line::Requirement {
            requirement,
            hashes,
        } = &lines[3]
        else {
            panic!("{:?}", lines[3]);
        };
        assert_eq!(requirement.name, "six");
        assert_eq!(hashes, &["sha256:aa", "sha256:bb"]);
        assert!(
            matches!(&lines[4], Line::Requirement { requirement, .. } if requirement.name == "flask")
        );
        assert_eq!(lines[5], Line::Other("-e .".into()));
        assert_eq!(lines[6], Line::Other("./lib".into()));
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn only_a_complete_list_gives_pins() {
        let pins = |text: &str| hashed_pins(&parse(text));
        let both = pins("b==2 --hash=sha256:bb\na==1 --hash=sha256:aa ; x\n");
        assert_eq!(both, None, "a marker after the hash is no marker");
        let both =
            pins("b==2 --hash=sha256:bb\na==1 ; os_name=='posix' --hash=sha256:aa\n").unwrap();
        assert_eq!(both[0].name, "a");
        assert_eq!(both[0].marker.as_deref(), Some("os_name=='posix'"));
        for text in [
            "a==1\n",
            "a>=1 --hash=sha256:aa\n",
            "a==1 --hash=sha256:aa\n-e .\n",
            "a==1 --hash=sha256:aa\n-i https://e.org/simple\n",
            "",
        ] {
            assert_eq!(pins(text), None, "{text}");
        }
        assert!(pins("--require-hashes\na==1 --hash=sha256:aa\n").is_some());
    }
}
