//! Relations between packages: `libc6 (>= 2.36), awk | mawk` (deb-control(5),
//! Debian policy 7.1).

use std::cmp::Ordering;
use std::fmt;

use super::version;

/// How a version must compare to the one that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Earlier,
    AtMost,
    Exactly,
    AtLeast,
    Later,
}

/// One package that is named, with the versions that will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'a> {
    pub name: &'a str,
    /// `any`, `native` or an architecture, after the colon.
    pub qualifier: Option<&'a str>,
    pub version: Option<(Operator, &'a str)>,
}

impl Relation<'_> {
    pub fn accepts(&self, version: &str) -> bool {
        let Some((operator, bound)) = self.version else {
            return true;
        };
        let order = version::compare(version, bound);
        match operator {
            Operator::Earlier => order == Ordering::Less,
            Operator::AtMost => order != Ordering::Greater,
            Operator::Exactly => order == Ordering::Equal,
            Operator::AtLeast => order != Ordering::Less,
            Operator::Later => order == Ordering::Greater,
        }
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if let Some((operator, version)) = self.version {
            let sign = match operator {
                Operator::Earlier => "<<",
                Operator::AtMost => "<=",
                Operator::Exactly => "=",
                Operator::AtLeast => ">=",
                Operator::Later => ">>",
            };
            write!(f, " ({sign} {version})")?;
        }
        Ok(())
    }
}

/// The groups of a `Depends` field: every group must be met, each by any one
/// of its alternatives. What cannot be read is left out.
pub fn parse(field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
    field
        .split(',')
        .map(|group| group.split('|').filter_map(parse_one).collect::<Vec<_>>())
        .filter(|group| !group.is_empty())
}

fn parse_one(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let end = text
        .find(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '<'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let (name, qualifier) = match name.split_once(':') {
        Some((name, qualifier)) => (name, Some(qualifier)),
        None => (name, None),
    };
    if name.is_empty() {
        return None;
    }
    let version = match rest.trim_start().strip_prefix('(') {
        Some(rest) => Some(parse_bound(rest.split_once(')')?.0)?),
        None => None,
    };
    Some(Relation {
        name,
        qualifier,
        version,
    })
}

fn parse_bound(text: &str) -> Option<(Operator, &str)> {
    let text = text.trim();
    let end = text.find(|c| !matches!(c, '<' | '=' | '>'))?;
    let (sign, version) = text.split_at(end);
    let operator = match sign {
        "<<" => Operator::Earlier,
        // A single sign is the old spelling of `<=` and `>=` (policy 7.1).
        "<=" | "<" => Operator::AtMost,
        "=" => Operator::Exactly,
        ">=" | ">" => Operator::AtLeast,
        ">>" => Operator::Later,
        _ => return None,
    };
    Some((operator, version.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field() {
        let groups: Vec<Vec<String>> =
            parse("libc6 (>= 2.36), awk|mawk ( << 2 ),\n python3:any (>= 3.11~) | x [amd64],, ")
                .map(|group| group.iter().map(ToString::to_string).collect())
                .collect();
        assert_eq!(
            groups,
            [
                vec!["libc6 (>= 2.36)"],
                vec!["awk", "mawk (<< 2)"],
                vec!["python3 (>= 3.11~)", "x"],
            ]
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for text in ["", " , |", "(>= 1)", "a (>= 1", "a (!= 1)", "a (1)", "a ()"] {
            assert_eq!(parse(text).count(), 0, "{text:?}");
        }
    }

    #[test]
    fn bounds() {
        let accepts =
            |relation: &str, version: &str| parse(relation).next().unwrap()[0].accepts(version);
        assert!(accepts("a (>> 1.0~rc1)", "1.0"));
        assert!(!accepts("a (<< 1.0)", "1.0"));
        assert!(accepts("a (<= 1.0)", "1.0"));
        assert!(accepts("a (= 1:1)", "1:1"));
        assert!(!accepts("a (= 1:1)", "1"));
    }
}
